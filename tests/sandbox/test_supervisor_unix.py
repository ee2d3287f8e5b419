"""UNIX sockets of a supervised command: it meets itself, and nobody else."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING

import pytest
from supervised import Supervised, needs_supervisor, outside, stranger

from veln_hook.sandbox import landlock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    needs_supervisor,
    pytest.mark.skipif(
        not landlock.abi(), reason="socket files are made under Landlock, which this kernel lacks"
    ),
]

CONNECT = """
made = socket.socket(socket.AF_UNIX, KIND)
tell(error(made.connect, NAME))
"""


def connecting(name: str, kind: int = socket.SOCK_STREAM) -> str:
    return CONNECT.replace("NAME", repr(name)).replace("KIND", str(int(kind)))


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Supervised]:
    with Supervised(tmp_path) as made:
        yield made


@pytest.fixture
def short(box: Supervised, monkeypatch: pytest.MonkeyPatch) -> str:
    """The directory outside, as the current one: names of sockets are short."""
    monkeypatch.chdir(box.outside)
    return str(box.outside)


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET])
@pytest.mark.parametrize("name", ["socket", "\0veln-hook-test-inside"])
def test_what_is_bound_inside_is_reached_inside(name: str, kind: int, box: Supervised) -> None:
    code = f"""
    server = socket.socket(socket.AF_UNIX, {int(kind)})
    server.bind({name!r})
    server.listen()
    if os.fork() == 0:
        client = socket.socket(socket.AF_UNIX, {int(kind)})
        client.connect({name!r})
        client.sendall(b"from a child")
        os._exit(0)
    accepted, _ = server.accept()
    told = accepted.recv(99).decode()
    process, status = os.wait()
    tell([told, status, server.getsockname() in ({name!r}, {name!r}.encode()), error(server.bind, "again")])
    """
    assert box.run(code).told == ["from a child", 0, True, "EINVAL"]


def test_a_name_that_the_kernel_chooses_works(box: Supervised) -> None:
    code = """
    server = socket.socket(socket.AF_UNIX)
    server.bind("")
    server.listen()
    tell([server.getsockname()[:1].hex(), error(socket.socket(socket.AF_UNIX).connect, server.getsockname())])
    """
    assert box.run(code).told == ["00", ""]


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET])
def test_a_socket_outside_is_not_reached(kind: int, box: Supervised, short: str) -> None:
    with stranger("theirs", socket.AF_UNIX, kind) as server:
        os.symlink(f"{short}/theirs", box.write / "link")
        for way in ("../outside/theirs", "link", "/proc/self/cwd/../outside/theirs"):
            assert box.run(connecting(way, kind)).told == "EACCES"
        result = box.run(connecting("link", kind))
        assert result.refused() == {("link", None)}
        assert server.reached == 0
        assert outside(connecting("theirs", kind)) == ""
    assert server.reached == 1


def test_an_abstract_socket_outside_is_not_reached(box: Supervised) -> None:
    name = f"\0veln-hook-test-{os.getpid()}"
    with stranger(name, socket.AF_UNIX) as server:
        result = box.run(connecting(name))
        assert result.told == "EACCES"
        assert result.refused() == {("@" + name[1:], None)}
        assert server.reached == 0
        assert outside(connecting(name)) == ""
    assert server.reached == 1


def test_a_socket_of_others_in_a_directory_of_its_own_is_not_reached(
    box: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(box.write)
    with stranger("theirs", socket.AF_UNIX) as server:
        assert box.run(connecting("theirs")).told == "EACCES"
        code = """
        os.rename("theirs", "mine")
        os.link("mine", "also")
        os.symlink("also", "link")
        tell([error(socket.socket(socket.AF_UNIX).connect, name) for name in ("mine", "also", "link")])
        """
        assert box.run(code).told == ["EACCES"] * 3
        assert server.reached == 0
        assert outside(connecting("mine")) == ""


def test_a_name_that_changed_hands_is_refused(box: Supervised) -> None:
    name = f"\0veln-hook-test-{os.getpid()}"
    code = f"""
    server = socket.socket(socket.AF_UNIX)
    server.bind({name!r})
    server.listen()
    told = [error(socket.socket(socket.AF_UNIX).connect, {name!r})]
    server.close()
    tell("closed")
    sys.stdin.readline()
    told.append(error(socket.socket(socket.AF_UNIX).connect, {name!r}))
    tell(told)
    """
    started = box.start(code)
    assert json.loads(started.stdout.readline()) == "closed"
    with stranger(name, socket.AF_UNIX):
        assert box.finish(started, "\n").told == ["", "EACCES"]


def test_a_server_that_lost_its_parent_is_still_inside(box: Supervised) -> None:
    code = """
    read, write = os.pipe()
    if os.fork() == 0:
        if os.fork():
            os._exit(0)
        while os.getppid() != int(os.environ["SUPERVISOR"]):
            time.sleep(0.01)
        server = socket.socket(socket.AF_UNIX)
        server.bind("socket")
        server.listen()
        os.write(write, b"x")
        accepted, _ = server.accept()
        accepted.sendall(b"an orphan")
        accepted.recv(1)  # it must live to be known: until the other end is closed
        os._exit(0)
    os.wait()
    os.read(read, 1)
    made = socket.socket(socket.AF_UNIX)
    made.connect("socket")
    tell(made.recv(99).decode())
    """
    assert box.run(code).told == "an orphan"


def test_a_full_queue_is_waited_for(box: Supervised) -> None:
    code = """
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket")
    server.listen(1)
    made = [socket.socket(socket.AF_UNIX) for _ in range(50)]
    def serve():
        for _ in made:
            server.accept()
    serving = threading.Thread(target=serve)
    serving.start()
    told = {error(one.connect, "socket") for one in made}
    serving.join()
    tell(sorted(told))
    """
    assert box.run(code).told == [""]


BOUND = """
def bound(name):
    return error(socket.socket(socket.AF_UNIX).bind, name)
"""


def test_files_of_sockets_are_made_where_it_may_write(box: Supervised) -> None:
    code = f"""
    {BOUND.strip().replace(chr(10), chr(10) + "    ")}
    os.umask(0o077)
    os.makedirs("deep/er")
    told = [bound(name) for name in ("deep/er/socket", "deep/er/socket", "deep/.", "./socket", "nowhere/socket",
                                     "deep/" + "n" * 100, os.path.join(os.environ["TMPDIR"], "socket"))]
    tell([told, stat.filemode(os.stat("deep/er/socket").st_mode)])
    """
    told, mode = box.run(code).told
    assert told == ["", "EADDRINUSE", "EADDRINUSE", "", "ENOENT", "", ""]
    assert mode == "srwx------"


def test_files_of_sockets_are_not_made_elsewhere(box: Supervised) -> None:
    (box.write / "hidden").mkdir()
    (box.write / "shown").mkdir()
    os.symlink(box.outside, box.write / "link")
    code = f"""
    {BOUND.strip().replace(chr(10), chr(10) + "    ")}
    tell([bound(name) for name in ("../outside/socket", "link/socket", "hidden/socket", "shown/../../outside/socket",
                                   "shown/../hidden/socket", "/proc/self/cwd/link/socket", "shown/socket")])
    """
    assert box.run(code, hide=[str(box.write / "hidden")]).told == [*["EACCES"] * 6, ""]
    assert os.listdir(box.outside) + os.listdir(box.write / "hidden") == []


def test_what_is_no_socket_refuses(box: Supervised) -> None:
    code = """
    open("file", "w").close()
    def connected(name):
        return error(socket.socket(socket.AF_UNIX).connect, name)
    tell([connected(name) for name in ("file", "nothing", ".", "", "\\0nobody")])
    """
    assert box.run(code).told == ["ECONNREFUSED", "ENOENT", "ECONNREFUSED", "EOPNOTSUPP", "EACCES"]


def test_descriptors_are_passed_inside(box: Supervised) -> None:
    code = """
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket")
    server.listen()
    client = socket.socket(socket.AF_UNIX)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    client.connect("socket")
    accepted, _ = server.accept()
    read, write = os.pipe()
    socket.send_fds(accepted, [b"x"], [write])
    _, ancillary, _, _ = client.recvmsg(9, 1000)
    kinds = sorted(kind for _, kind, _ in ancillary)
    passed = next(struct.unpack("i", data)[0] for _, kind, data in ancillary if kind == socket.SCM_RIGHTS)
    os.write(passed, b"through")
    tell([kinds, os.read(read, 99).decode()])
    """
    assert box.run(code).told == [[socket.SCM_RIGHTS, 2], "through"]
