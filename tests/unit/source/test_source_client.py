"""The process that reads code, and what becomes of an archive when it fails."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from support.processes import is_there, runs
from support.pythons import PYTHONS, find_python
from veln_hook.errors import ArchiveError
from veln_hook.source import client
from veln_hook.source.client import Patience, Scanner
from veln_hook.source.facts import RULES, ArchiveFacts, FileFacts

A, B = "a" * 64, "b" * 64
FAKE = f"""
import os, resource, runpy, signal, socket, sys, time
main = runpy.run_path({client.WORKER!r})["main"]

def scan(path, known, learned):
    from veln_hook.source.facts import ArchiveFacts, FileFacts, Problem
    with open(path, "rb") as file:
        word, _, rest = file.read().decode().partition(" ")
    told = ""
    if word == "die":
        signal.raise_signal(int(rest))
    elif word == "exit":
        print("first line\\nlast \\x1b line", file=sys.stderr, flush=True)
        os._exit(3)
    elif word == "hang":
        time.sleep(600)
    elif word == "spin":
        while True: pass
    elif word == "bomb":
        kept = [bytearray(1 << 28) for _ in range(100)]
    elif word == "raise":
        raise ValueError("bad " + "x" * 5000)
    elif word == "deep":
        def down(n): return n and down(n - 1)
        down(10 ** 6)
    elif word == "flood":
        return ArchiveFacts(scripts=tuple("x" * 1000 for _ in range(20_000)))
    elif word == "noise":
        print("noise on standard output", flush=True)
        os.write(2, b"x" * 300_000)
    elif word == "big":
        return ArchiveFacts(scripts=tuple("x" * 100 for _ in range(100_000)))
    elif word == "write":
        try:
            with open(rest, "w") as file: file.write("x")
        except OSError as error:
            told = type(error).__name__
    elif word == "tell":
        told = repr([sys.path, dict(os.environ), os.getcwd(), sys.stdin.read(), resource.getrlimit(resource.RLIMIT_AS),
                     resource.getrlimit(resource.RLIMIT_CORE), sorted(n for n, m in sys.modules.items() if getattr(m, "__file__", None) and os.path.dirname(os.__file__) not in m.__file__)])
    elif word == "learn":
        hashes = rest.split()
        found = known(hashes)
        learned({{sha: FileFacts(imports=("new",)) for sha in hashes if sha not in found}})
        told = str(sorted((sha[0], facts.imports) for sha, facts in found.items()))
    elif word == "unasked":
        learned({{"c" * 64: FileFacts()}})
    elif word == "many":
        hashes = [format(n, "064x") for n in range(1300)]
        found = known(hashes)
        learned({{sha: FileFacts(imports=("x" * 3000,)) for sha in hashes if sha not in found}})
        told = str(len(found))
    return ArchiveFacts(kind="wheel", scripts=(word, told))

main(sys.argv[1:], scan)
"""


class Cache(dict):
    """What is known, in memory."""

    def known(self, sha256s):
        return {sha256: self[sha256] for sha256 in sha256s if sha256 in self}

    learned = dict.update


@pytest.fixture
def fake(tmp_path):
    path = tmp_path / "fake.py"
    path.write_text(FAKE)
    return str(path)


@pytest.fixture
def cache():
    return Cache()


@pytest.fixture
def scanner(fake, cache):
    with Scanner(cache, worker=fake) as made:
        yield made


@pytest.fixture
def ask(tmp_path, scanner):
    """Have the worker do what an archive says."""

    def asking(text, **options):
        path = tmp_path / "archive"
        path.write_text(text)
        return scanner.scan(str(path), size=1, **options).scripts

    return asking


def test_one_process_reads_one_archive_after_the_other(ask, scanner):
    assert scanner.started == 0, "it starts with the first archive"
    assert ask("one")[0] == "one"
    assert ask("two")[0] == "two"
    assert scanner.started == 1
    pid = scanner._pool._idle[-1]._process.pid
    scanner.close()
    scanner.close()
    assert not is_there(pid), "not even a zombie"
    assert ask("three")[0] == "three"
    assert scanner.started == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("die 9", "was ended by SIGKILL"),
        ("die 11", "was ended by SIGSEGV"),
        ("exit", r"ended with status 3 \(last \? line\)"),
        ("bomb", "takes more than 3 GiB of memory"),
        ("raise", "ValueError: bad x+$"),
        ("deep", "RecursionError"),
        ("flood", "does more than can be listed"),
        ("unasked", "talks nonsense"),
    ],
)
def test_whatever_happens_is_about_that_archive_alone(ask, scanner, text, reason):
    ask("one")
    with pytest.raises(ArchiveError, match=f"^what its code does can't be told: .*{reason}") as caught:
        ask(text)
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()
    assert ask("two")[0] == "two"
    assert scanner.started == 2


@pytest.mark.parametrize("text", ["hang", "spin"])
def test_one_that_takes_too_long_is_ended(fake, tmp_path, text):
    with Scanner(worker=fake, patience=Patience(floor=0.5, per_10_mb=0)) as scanner:
        path = tmp_path / "archive"
        path.write_text("one")
        scanner.scan(str(path), size=1)
        pid = scanner._pool._idle[-1]._process.pid
        path.write_text(text)
        with pytest.raises(ArchiveError, match="reading it takes too long"):
            scanner.scan(str(path), size=1)
        assert not is_there(pid)
        path.write_text("two")
        assert scanner.scan(str(path), size=1).scripts[0] == "two"


def test_the_worker_that_is_killed_between_two_archives_is_replaced(ask, scanner):
    ask("one")
    scanner._pool._idle[-1]._process.kill()
    scanner._pool._idle[-1]._process.wait()
    assert ask("two")[0] == "two"


def test_a_bigger_archive_may_take_longer():
    patience = Patience()
    assert [patience.seconds(size) for size in (0, 10_000_000, 10**12, None)] == [60, 70, 600, 600]


def test_what_is_printed_is_no_answer(ask):
    assert ask("noise")[0] == "noise"


def test_long_answers_come_whole(ask):
    assert len(ask("big")) == 100_000


def test_somebody_is_told_when_it_takes_a_while(fake, tmp_path):
    path = tmp_path / "archive"
    told = []
    patience = Patience(floor=1.0, slow=0.2, per_10_mb=0)
    with Scanner(worker=fake, patience=patience) as scanner:
        path.write_text("one")
        scanner.scan(str(path), size=1)
        scanner.scan(str(path), size=1, slow=lambda: told.append("early"))
        path.write_text("hang")
        with pytest.raises(ArchiveError):
            scanner.scan(str(path), size=1, slow=lambda: told.append("slow"))
    assert told == ["slow"]


def test_files_are_asked_for_and_remembered(ask, cache):
    assert ask(f"learn {A} {B}")[1] == "[]"
    assert set(cache) == {A, B}
    cache[A] = FileFacts(imports=("kept",))
    del cache[B]
    assert ask(f"learn {A} {B}")[1] == "[('a', ('kept',))]"
    assert cache[B].imports == ("new",)
    assert cache[A].imports == ("kept",)


def test_many_files_are_asked_for_in_batches(ask, cache):
    assert ask("many")[1] == "0"
    assert len(cache) == 1300
    assert ask("many")[1] == "1300"


def test_a_cache_that_fails_ends_the_conversation_and_not_the_scanner(ask, scanner, cache):
    def fail(sha256s):
        raise KeyboardInterrupt

    ask("one")
    cache.known = fail
    pid = scanner._pool._idle[-1]._process.pid
    with pytest.raises(KeyboardInterrupt):
        ask(f"learn {A}")
    assert not is_there(pid)
    assert ask("two")[0] == "two"


def test_the_worker_can_do_little(ask, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "token")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    path, environ, cwd, stdin, memory, core, modules = eval(ask("tell")[1])
    assert "SECRET" not in environ
    assert "PYTHONPATH" not in environ
    assert (cwd, stdin, memory, core) == ("/", "", (3 << 30, 3 << 30), (0, 0))
    assert not [place for place in path if "site-packages" in place or str(tmp_path) in place]
    assert {name.partition(".")[0] for name in modules} <= {"veln_hook", "__main__"}
    assert ask(f"write {tmp_path / 'made'}")[1] == "OSError"
    assert not (tmp_path / "made").stat().st_size


def test_control_c_does_not_reach_the_worker(ask, scanner):
    ask("one")
    pid = scanner._pool._idle[-1]._process.pid
    assert os.getsid(pid) != os.getsid(0)
    os.kill(pid, 2)
    time.sleep(0.1)
    ask("two")
    assert scanner.started == 1


def test_a_worker_whose_parent_is_gone_ends_by_itself(fake, tmp_path):
    path = tmp_path / "archive"
    path.write_text("one")
    code = """
import os, sys
from veln_hook.source.client import Scanner
scanner = Scanner(worker=sys.argv[1])
scanner.scan(sys.argv[2], size=1)
print(scanner._pool._idle[-1]._process.pid, flush=True)
os._exit(0)
"""
    environ = {**os.environ, "PYTHONPATH": str(Path(client.WORKER).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code, fake, str(path)], env=environ, capture_output=True, text=True, check=True
    )
    pid = int(done.stdout)
    for _ in range(100):
        if not runs(pid):
            return
        time.sleep(0.05)
    pytest.fail("it is still there")


@pytest.mark.parametrize("most", [1, 2])
def test_threads_take_turns(fake, tmp_path, most):
    found = []
    with Scanner(worker=fake, most=most) as scanner:

        def work(number):
            path = tmp_path / f"{number}"
            path.write_text(f"{number}")
            found.append((number, scanner.scan(str(path), size=1).scripts[0]))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert scanner.started <= most
    assert sorted(found) == [(number, str(number)) for number in range(8)]


# A worker that is not ours any more


READY = f"print({json.dumps(json.dumps({'ready': RULES}))}, flush=True); import sys, os, time\n"
FACTS = json.dumps(list(ArchiveFacts()))
HEAR = "sys.stdin.readline()\n"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("", "ended with status 0"),
        ("raise SystemExit('no veln_hook')", r"status 1 \(no veln_hook\)"),
        ("import time; time.sleep(600)", "takes too long"),
        ("print('{\"ready\": 0}', flush=True); import time; time.sleep(600)", "of another version"),
        ("print('hello')", "nonsense"),
        ("print('[' * 100_000)", "nonsense"),
        ("print('[]')", "nonsense"),
        ("print('{\"ready\": ' + '9' * 1_000_000 + '}')", "nonsense"),
        ("while True: print('x' * 100_000, end='')", "talks without end"),
        (READY + "sys.stdin.close(); os.close(1); time.sleep(600)", "hung up"),
        (READY + HEAR + "print('{}')", "nonsense"),
        (READY + HEAR + "print('{\"facts\": 7}')", "nonsense"),
        (READY + HEAR + 'print(\'{"facts": ["wheel"]}\')', "nonsense"),
        (READY + HEAR + f"print('{{\"facts\": {FACTS.replace('0, 0, 0', '0, 0, Infinity')}}}')", "nonsense"),
        (READY + HEAR + 'print(\'{"facts": {"kind": 1}}\')', "nonsense"),
        (READY + HEAR + "print('{\"ask\": 7}')", "nonsense"),
        (READY + HEAR + 'print(\'{"ask": ["../../etc"]}\')', "nonsense"),
        (READY + HEAR + "print('{\"learned\": []}')", "nonsense"),
        (READY + HEAR + f'print(\'{{"learned": {{"{A}": [[],[],[],[],""]}}}}\')', "nonsense"),
        (READY + HEAR + 'print(\'{"error": ["\\\\u001b[2J", {}]}\')', "can't be told: "),
        # It asks and asks, and hears nothing.
        (READY + f'while True: print(\'{{"ask": ["{A}"]}}\')', "takes too long"),
    ],
)
def test_a_worker_that_talks_otherwise_is_ended(tmp_path, script, reason):
    path = tmp_path / "worker.py"
    path.write_text(script)
    cache = Cache({A: FileFacts(imports=("x" * 100_000,))})
    with Scanner(cache, worker=str(path), patience=Patience(start=2, floor=2, per_10_mb=0)) as scanner:
        begun = time.monotonic()
        with pytest.raises(ArchiveError, match=reason) as caught:
            scanner.scan(str(tmp_path), size=1)
        assert str(caught.value).isprintable()
        assert time.monotonic() - begun < 8
        assert not scanner._pool._idle


def test_without_an_interpreter_nothing_is_read(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    with pytest.raises(ArchiveError, match="no process to read it can be started"):
        Scanner().scan(str(tmp_path))


@pytest.mark.parametrize("version", PYTHONS)
def test_every_python_can_be_the_worker(version, fake, tmp_path, monkeypatch):
    python = find_python(version)
    if python is None:
        pytest.skip(f"Python {version} was not found on this machine")
    monkeypatch.setattr(sys, "executable", python)
    name = tmp_path / "n\u00e4me-\udcff"
    name.write_text(f"learn {hashlib.sha256(b'').hexdigest()}")
    with Scanner(worker=fake) as scanner:
        assert scanner.scan(str(name), size=1).scripts[0] == "learn"
        name.write_text("deep")
        with pytest.raises(ArchiveError, match="Recursion"):
            scanner.scan(str(name), size=1)
