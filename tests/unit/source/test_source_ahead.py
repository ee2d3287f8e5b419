"""What is read before anybody asks, and by how many processes."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from support.processes import is_there
from veln_hook.errors import ArchiveError, StoreError
from veln_hook.source import client, pool
from veln_hook.source.client import Patience, Scanner

A = "a" * 64
FAKE = f"""
import glob, os, runpy, signal, sys, time
main = runpy.run_path({client.WORKER!r})["main"]

def scan(path, known, learned):
    from veln_hook.source.facts import ArchiveFacts
    with open(path) as file:
        text = file.read()
    # No process that reads may write a byte, but it may make an empty file.
    number = len(os.listdir(os.path.dirname(path) + "/notes"))
    open(f"{{os.path.dirname(path)}}/notes/{{number:03}} {{os.path.basename(path)}}", "x").close()
    word, _, rest = text.partition(" ")
    if word == "until":
        while not os.path.exists(rest.split()[0]):
            time.sleep(0.01)
    elif word == "die":
        signal.raise_signal(9)
    elif word == "raise":
        raise ValueError("bad")
    elif word == "learn":
        known([{A!r}])
    return ArchiveFacts(kind="wheel", scripts=(text,))

main(sys.argv[1:], scan)
"""


def wait_until(true):
    for _ in range(6000):
        if true():
            return
        time.sleep(0.01)
    pytest.fail("it does not come")


class Archives:
    """Files that say what their reader does, and notes of who was read."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.notes = directory / "notes"
        self.notes.mkdir(parents=True)
        self.go = directory / "go"
        """Whoever waits goes on once this is there."""

    def write(self, name, text=None):
        path = self.directory / name
        path.write_text(name if text is None else text)
        return str(path)

    def waiting(self, name):
        return self.write(name, f"until {self.go} {name}")

    def read(self):
        """Return the names of what was read, in that order."""
        return [name.partition(" ")[2] for name in sorted(os.listdir(self.notes))]

    def wait_for(self, *names):
        """Return when these are being read, or were."""
        wait_until(lambda: set(names) <= set(self.read()))


@pytest.fixture
def archives(tmp_path):
    return Archives(tmp_path / "archives")


@pytest.fixture
def fake(tmp_path):
    path = tmp_path / "fake.py"
    path.write_text(FAKE)
    return str(path)


@pytest.fixture
def scanner(fake):
    with Scanner(worker=fake, most=2) as made:
        yield made
    assert not readers(), "threads are left"


def readers():
    return [thread for thread in threading.enumerate() if thread.name == "veln-hook-reader"]


def sha256_of(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def scan_ahead(scanner, path):
    scanner.scan_ahead(path, sha256_of(path))


def asked(scanner, path, **more):
    """Ask as a guard does: with the hash of what the file holds now."""
    return scanner.scan(path, size=1, sha256=sha256_of(path), **more).scripts[0]


def wait_until_read(scanner):
    wait_until(lambda: not scanner._ahead._threads)


def pids(scanner):
    return [worker._process.pid for worker in (*scanner._pool._idle, *scanner._pool._busy)]


def test_what_was_read_ahead_is_not_read_again(scanner, archives):
    path = archives.write("demo")
    scan_ahead(scanner, path)
    wait_until_read(scanner)
    assert archives.read() == ["demo"]
    assert asked(scanner, path) == "demo"
    assert archives.read() == ["demo"]
    assert asked(scanner, path) == "demo"
    assert archives.read() == ["demo", "demo"], "it is given once"


def test_who_asks_meanwhile_waits_and_is_told(fake, archives):
    path = archives.waiting("demo")
    told = []

    def slow():
        told.append(archives.read())
        archives.go.touch()

    with Scanner(worker=fake, patience=Patience(slow=0.1)) as scanner:
        scan_ahead(scanner, path)
        archives.wait_for("demo")
        assert asked(scanner, path, slow=slow).endswith("demo")
    assert told == [["demo"]], "once, and it is still being read then"
    assert archives.read() == ["demo"]


def test_nobody_is_told_of_what_nobody_waits_for(fake, archives):
    paths = [archives.waiting("demo"), archives.write("other")]
    told = []
    with Scanner(worker=fake, patience=Patience(slow=0.0), most=2) as scanner:
        scan_ahead(scanner, paths[0])
        archives.wait_for("demo")
        archives.go.touch()
        wait_until_read(scanner)
        asked(scanner, paths[0], slow=lambda: told.append("demo"))
        assert told == []
        asked(scanner, paths[1], slow=lambda: told.append("other"))
    assert told == ["other"]


def _rewritten(path):
    Path(path).write_text("other")


def _replaced(path):
    Path(f"{path}.new").write_text("other")
    os.replace(f"{path}.new", path)


def _same_size_and_time(path):
    status = os.stat(path)
    Path(path).write_text("evil")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("change", [_rewritten, _replaced, _same_size_and_time])
def test_a_file_that_changed_since_is_read_again(scanner, archives, change):
    path = archives.write("demo")
    scan_ahead(scanner, path)
    wait_until_read(scanner)
    change(path)
    assert asked(scanner, path) == Path(path).read_text()
    assert archives.read() == ["demo", "demo"]


def _replaced_by_the_same(path):
    Path(f"{path}.new").write_bytes(Path(path).read_bytes())
    os.replace(f"{path}.new", path)


@pytest.mark.parametrize("change", [_replaced, _replaced_by_the_same])
def test_a_file_that_changes_while_it_is_read_is_read_again(scanner, archives, change):
    path = archives.waiting("demo")
    scan_ahead(scanner, path)
    archives.wait_for("demo")
    change(path)
    archives.go.touch()
    wait_until_read(scanner)
    assert asked(scanner, path) == Path(path).read_text()
    assert archives.read() == ["demo", "demo"]


def test_the_same_bytes_elsewhere_are_the_same(scanner, archives, tmp_path):
    path = archives.write("demo")
    scan_ahead(scanner, path)
    wait_until_read(scanner)
    again = Archives(tmp_path / "elsewhere")
    other = again.write("demo")
    scan_ahead(scanner, other)
    assert asked(scanner, other) == "demo"
    renamed = again.write("renamed", "demo")
    scan_ahead(scanner, path)
    wait_until_read(scanner)
    assert asked(scanner, renamed) == "demo"
    assert archives.read() == ["demo", "demo"]
    assert again.read() == ["renamed"], "a name tells what kind of archive it is"


def test_facts_of_other_bytes_are_nobodys(scanner, archives):
    path = archives.write("demo")
    scanner.scan_ahead(path, "0" * 64)
    wait_until_read(scanner)
    assert scanner.scan(path, sha256="0" * 64).scripts == ("demo",)
    assert archives.read() == ["demo", "demo"]


def test_a_file_that_is_gone_is_an_error_of_who_asks(scanner, archives):
    path = archives.write("demo")
    sha256 = sha256_of(path)
    os.unlink(path)
    scanner.scan_ahead(path, sha256)
    with pytest.raises(ArchiveError, match="can't be read: No such file"):
        scanner.scan(path, sha256=sha256)


@pytest.mark.parametrize("text", ["die", "raise"])
def test_what_failed_ahead_fails_as_it_would_have(fake, archives, text):
    path, other = archives.write("demo", text), archives.write("other")
    with Scanner(worker=fake) as scanner:
        with pytest.raises(ArchiveError) as at_once:
            asked(scanner, path)
        scan_ahead(scanner, path)
        wait_until_read(scanner)
        before = archives.read()
        with pytest.raises(ArchiveError) as ahead:
            asked(scanner, path)
        assert str(ahead.value) == str(at_once.value)
        assert archives.read() == before, "it was not read again"
        assert asked(scanner, other) == "other"


def test_what_takes_too_long_ahead_is_ended(fake, archives):
    path = archives.waiting("demo")
    with Scanner(worker=fake, patience=Patience(floor=0.3, per_10_mb=0)) as scanner:
        scan_ahead(scanner, path)
        with pytest.raises(ArchiveError, match="reading it takes too long"):
            asked(scanner, path)


def test_a_store_that_fails_ahead_fails_for_who_asks(fake, archives):
    class Broken:
        def known(self, _):
            raise StoreError("the disk is full")

        def learned(self, _):
            raise AssertionError

    path = archives.write("demo", "learn")
    with Scanner(Broken(), worker=fake) as scanner:
        scan_ahead(scanner, path)
        wait_until_read(scanner)
        assert pids(scanner) == []
        with pytest.raises(StoreError, match="the disk is full"):
            asked(scanner, path)


def test_a_worker_that_is_killed_is_about_one_archive(scanner, archives):
    paths = [archives.waiting("demo"), archives.write("alpha"), archives.write("beta")]
    for path in paths:
        scan_ahead(scanner, path)
    archives.wait_for("demo", "alpha", "beta")
    wait_until(lambda: len(scanner._pool._busy) == 1)  # the others' worker has answered
    (busy,) = scanner._pool._busy
    os.kill(busy._process.pid, 9)
    with pytest.raises(ArchiveError, match="was ended by SIGKILL"):
        asked(scanner, paths[0])
    assert [asked(scanner, path) for path in paths[1:]] == ["alpha", "beta"]
    assert archives.read().count("demo") == 1


# How many there are


def test_one_after_the_other_is_one_process(scanner, archives):
    for name in ("alpha", "beta", "gamma"):
        scan_ahead(scanner, archives.write(name))
        wait_until_read(scanner)
        asked(scanner, archives.write("else"))
    assert scanner.started == 1


@pytest.mark.parametrize("most", [1, 2])
def test_a_further_process_reads_what_waits_and_there_are_no_more(fake, archives, most):
    names = ["alpha", "beta", "gamma", "delta"]
    paths = [archives.waiting(name) for name in names]
    with Scanner(worker=fake, most=most) as scanner:
        for path in paths:
            scan_ahead(scanner, path)
        archives.wait_for(*names[:most])
        assert scanner.started == most
        assert len(archives.read()) == most
        archives.go.touch()
        for path in paths:
            asked(scanner, path)
        assert scanner.started == most
    assert sorted(archives.read()) == sorted(names)


def test_what_somebody_waits_for_goes_first(fake, archives):
    paths = [archives.waiting("alpha"), archives.write("beta"), archives.write("gamma")]
    with Scanner(worker=fake, most=1, patience=Patience(slow=0.1)) as scanner:
        for path in paths:
            scan_ahead(scanner, path)
        archives.wait_for("alpha")
        assert asked(scanner, paths[2], slow=archives.go.touch) == "gamma"
        wait_until_read(scanner)
    assert archives.read() == ["alpha", "gamma", "beta"]


def test_a_machine_with_one_processor_reads_one_at_a_time():
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system doesn't tell which processors are ours")
    mine = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(mine)})
        assert pool.most_at_once() == 1
    finally:
        os.sched_setaffinity(0, mine)
    assert pool.most_at_once() == min(2, len(mine))


# The end


def test_closing_ends_what_is_read_and_begins_nothing(fake, archives):
    paths = [archives.waiting(name) for name in ("alpha", "beta", "gamma")]
    scanner = Scanner(worker=fake, most=2)
    for path in paths:
        scan_ahead(scanner, path)
    archives.wait_for("alpha", "beta")
    running = pids(scanner)
    assert len(running) == 2
    scanner.close()
    scanner.close()
    assert not readers()
    assert not any(map(is_there, running)), "not even a zombie"
    assert sorted(archives.read()) == ["alpha", "beta"]
    archives.go.touch()
    assert asked(scanner, paths[0]).endswith("alpha"), "what was ended counts for nothing"
    scanner.close()


def test_closing_ends_a_worker_that_another_thread_waits_for(fake, archives):
    path = archives.waiting("demo")
    scanner = Scanner(worker=fake)
    caught = []

    def work():
        with pytest.raises(ArchiveError) as error:
            scanner.scan(path, size=1)
        caught.append(str(error.value))

    thread = threading.Thread(target=work)
    thread.start()
    archives.wait_for("demo")
    scanner.close()
    thread.join()
    assert "SIGKILL" in caught[0]
    assert pids(scanner) == []
