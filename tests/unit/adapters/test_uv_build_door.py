"""Where steps of uv's builds ask: what comes in is anybody's of this user, and no answer is no start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading

import pytest

from veln_hook.adapters.uv.build_door import Asked, Become, Door, GoOn, Stop

PATIENCE = 60
GOOD = b"\0".join(
    [b"/work", b"/venv/bin/python", b"/usr", b"3", b"python", b"-c", b"", b"A=1", b"B=x=y", b"C="]
)


@pytest.fixture
def asked():
    return []


@pytest.fixture
def open_door(tmp_path):
    doors = []

    def make(answer, made=None):
        path = str(tmp_path / "door")
        doors.append(Door(path, answer, made))
        return path

    yield make
    for door in doors:
        door.close()
        door.close()


def ask(path, message):
    with socket.socket(socket.AF_UNIX) as made:
        made.settimeout(PATIENCE)
        made.connect(path)
        try:
            made.sendall(message)
            made.shutdown(socket.SHUT_WR)
            answer = b""
            while more := made.recv(65536):
                answer += more
        except (BrokenPipeError, ConnectionResetError):
            return b""
        return answer


def test_what_a_step_says_and_is_told(open_door, asked):
    def answer(step):
        asked.append(step)
        return Become(["/bin/x", "a b", ""], {"N": "1", "M": ""}, lambda: None)

    assert ask(open_door(answer), GOOD) == b"run\x003\0/bin/x\0a b\0\0N=1\0M="
    environ = {"A": "1", "B": "x=y", "C": ""}
    assert asked == [Asked(("python", "-c", ""), "/work", "/venv/bin/python", "/usr", environ)]


def test_the_other_answers(open_door):
    answers = [GoOn(), Stop("because \u2026")]
    path = open_door(lambda _: answers.pop(0))
    assert ask(path, GOOD) == b"go\0"
    assert ask(path, GOOD) == "stop\0because \u2026".encode()


def test_an_error_of_ours_stops_the_step(open_door):
    def answer(_):
        raise KeyError("a bug")

    assert ask(open_door(answer), GOOD) == b"stop\0the build was not started: KeyError: 'a bug'"


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"nothing",
        b"\0\0\0\0",
        b"/work\0/python\0/usr\0many\0x",
        b"/work\0/python\0/usr\x009\0x",
        b"/work\0/python\0/usr\0-1\0x",
        b"work\0/python\0/usr\x001\0x",
        b"/work\0python\0/usr\x001\0x",
        GOOD + b"\0X=" + b"x" * (9 << 20),
    ],
    ids=range(9),
)
def test_whatever_else_is_said_is_no_start(open_door, asked, message):
    path = open_door(lambda step: asked.append(step) or GoOn())
    answer = ask(path, message)
    assert answer == b"" or answer.startswith(b"stop\0"), answer
    assert asked == []
    assert ask(path, GOOD) == b"go\0", "the next one is answered"


def test_many_at_once_are_answered(open_door):
    path = open_door(lambda step: Stop(step.environ["A"]))
    answers = {}

    def one(number):
        answers[number] = ask(path, GOOD.replace(b"A=1", b"A=%d" % number))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: b"stop\0%d" % number for number in range(200)}


def test_it_is_told_when_a_step_has_ended(open_door):
    if not hasattr(os, "pidfd_open"):
        pytest.skip("not on this system")
    ended = threading.Event()
    path = open_door(lambda _: Become(["/bin/true"], {}, ended.set))
    code = (
        "import socket, sys; made = socket.socket(socket.AF_UNIX); made.connect(sys.argv[1]); "
        "made.sendall(bytes.fromhex(sys.argv[2])); made.shutdown(socket.SHUT_WR); made.recv(100); "
        "print('asked', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, path, GOOD.hex()], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as step:
        assert step.stdout.readline() == b"asked\n"
        assert not ended.is_set()
        step.communicate(b"\n")
    assert ended.wait(PATIENCE)


def test_another_user_is_not_answered(open_door, tmp_path, asked):
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    path = open_door(lambda step: asked.append(step) or GoOn())
    os.chmod(path, 0o777)
    for directory in tmp_path.parents:
        if str(directory).startswith(("/tmp/", "/dev/shm/")):
            os.chmod(directory, 0o755)
    os.chmod(tmp_path, 0o755)
    code = "import _socket, sys; made = _socket.socket(_socket.AF_UNIX); made.connect(sys.argv[1]); print(made.recv(9))"
    for python in ("/usr/bin/python3", sys.executable):
        try:
            done = subprocess.run(
                [python, "-I", "-S", "-c", code, path],
                user=65534,
                group=65534,
                extra_groups=[],
                capture_output=True,
                check=False,
                cwd="/",
            )
        except (PermissionError, FileNotFoundError):
            continue
        assert done.stdout == b"b''\n", done
        assert asked == []
        return
    pytest.skip("no interpreter here can be started by another user")
