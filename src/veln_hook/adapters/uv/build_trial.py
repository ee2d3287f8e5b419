"""Whether a uv starts its builds in the way that is known here: found once for each uv, by a build.

A uv that one day clears the environment of its steps, or starts Python with ``-I``, would build unconfined,
and nobody would know. So a project is built whose backend leaves a mark, in a directory of its own: we must
be asked before, and the mark must not be there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Optional

from veln_hook import paths
from veln_hook.adapters.uv import build_step
from veln_hook.adapters.uv.build_asking import FILES, START, Asking
from veln_hook.adapters.uv.build_door import Stop

if TYPE_CHECKING:
    from veln_hook.adapters.uv.build_door import Answer, Asked

_SECONDS = 120.0
_MAX_BYTES = 1 << 16
_MAX_REMEMBERED = 20
_PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "trial"\nbackend-path = ["."]\n'
_BACKEND = "open('mark', 'w').close()\n"
# The caller may have blocked signals that uv waits for.
_UNBLOCKED = "import _signal, os, sys; _signal.pthread_sigmask(2, ()); os.execv(sys.argv[1], sys.argv[1:])"


def problem(uv: str) -> str:
    """Return why this uv's builds can't be confined; empty if they can.

    Takes about 0.2 s the first time, and 0.1 ms when a uv that is known comes again.

    Args:
        uv: The real uv, by its absolute path.
    """
    try:
        mark = _mark(uv)
        remembered = _remembered()
        if mark in remembered:
            return ""
        found = _tried(uv)
    except OSError as error:
        return str(error)
    if not found:
        _remember([*remembered, mark][-_MAX_REMEMBERED:])
    return found


def _mark(uv: str) -> str:
    """Return what tells this uv, the Python that it was tried with and our own part from others."""
    files = [
        os.path.realpath(uv),
        os.path.realpath(sys.executable),
        *(os.path.join(START, name) for name in FILES),
    ]
    found = []
    for path in files:
        status = os.stat(path)
        found.append(f"{path} {status.st_size} {status.st_mtime_ns} {status.st_ino}")
    return "\n".join(found)


def _file() -> str:
    return str(paths.state_dir() / "uv-builds.json")


def _remembered() -> list[str]:
    try:
        with open(_file(), encoding="utf-8") as file:
            found = json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError):
        return []
    return [mark for mark in found if isinstance(mark, str)] if isinstance(found, list) else []


def _remember(marks: list[str]) -> None:
    """Write them down; where that can't be, it is tried again the next time."""
    temporary = f"{_file()}.{os.getpid()}"
    with suppress(OSError):
        os.makedirs(os.path.dirname(temporary), 0o700, exist_ok=True)
        try:
            with open(temporary, "w", encoding="utf-8") as file:
                json.dump(marks, file)
            os.replace(temporary, _file())
        except OSError:
            with suppress(OSError):
                os.unlink(temporary)


def _tried(uv: str) -> str:
    asked: list[Asked] = []

    def answer(step: Asked) -> Answer:
        asked.append(step)
        return Stop("veln-hook looks how this uv builds")

    trial = Asking(uv, answer)
    try:
        tree = os.path.join(trial.directory, "tree")
        os.mkdir(tree)
        for name, text in (("pyproject.toml", _PYPROJECT), ("trial.py", _BACKEND)):
            with open(os.path.join(tree, name), "w", encoding="ascii") as file:
                file.write(text)
        said = _built(uv, tree, trial)
        return _reason(asked, said, marked=os.path.exists(os.path.join(tree, "mark")))
    finally:
        trial.close()


def _built(uv: str, tree: str, trial: Asking) -> Optional[str]:
    """Build; return what uv said, or ``None`` if it didn't end in time."""
    words = [uv, "build", "--wheel", "--quiet", "--python", sys.executable, "--out-dir", tree, tree]
    environ = trial.environment(
        {
            "PATH": os.defpath,
            "HOME": trial.directory,
            "TMPDIR": trial.directory,
            "UV_CACHE_DIR": os.path.join(trial.directory, "cache"),
            "UV_NO_CONFIG": "1",
            "UV_OFFLINE": "1",
            "UV_PYTHON_DOWNLOADS": "never",
        }
    )
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _UNBLOCKED, *words],
            env=environ,
            cwd=tree,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return None
    return (done.stdout + done.stderr).decode("utf-8", "replace").strip()


def _reason(asked: list[Asked], said: Optional[str], *, marked: bool) -> str:
    if marked:
        return "this uv starts builds in a way that isn't known here"
    if not asked:
        last = "it took too long" if said is None else said.splitlines()[-1] if said else "it said nothing"
        return f"how this uv builds can't be tried ({last})"
    try:
        for step in asked:
            build_step.recognise(step.words)
    except build_step.NotAStepError as error:
        return str(error)
    return ""
