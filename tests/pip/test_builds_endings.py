"""The sandbox fails while a build runs in it: that is told from a build that fails, whatever status that has."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import machines
from support.builders import make_sdist
from support.held import OLD
from support.hostile_builds import LET_THROUGH, PYPROJECT

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.envs import Env
    from support.index_server import IndexServer

_PATIENCE = 60

ENDS = "import os\nos._exit(78)\n"
WAITS = """
import time
from _test_backend import *

def {hook}(*args, **options):
    open("waiting", "w").close()
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _sandbox() -> None:
    if machines.rung() in ("", "seatbelt"):
        pytest.skip("this machine has no sandbox, or one that is held by no process")


@pytest.fixture
def serve(index: IndexServer, tmp_path: Path) -> Callable[[str], IndexServer]:
    """Serve demo 1.0, whose backend is given."""

    def serving(backend: str) -> IndexServer:
        index.html_for_pip22 = True
        files = {"hostile.py": backend, "demo.py": ""}
        index.add(make_sdist(tmp_path, "demo", "1.0", pyproject=PYPROJECT, files=files), upload_time=OLD)
        return index

    return serving


def test_a_build_may_end_with_any_status(
    shared: Env, serve: Callable[[str], IndexServer], target: Path
) -> None:
    """78 is what the launcher ends with, too, if the wall can't be raised."""
    result = shared.run_pip("install", "-t", str(target), "demo", index=serve(ENDS), policy=LET_THROUGH)
    assert result.returncode == 1, result
    assert "HOLD" not in result.out, result
    assert "veln-hook: the sandbox" not in result.out, result


def _launchers(place: str) -> list[int]:
    """Return the processes that are launchers of tasks below a place, and have a parent that is none."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if any(word.endswith(b"launcher.py") for word in words) and any(
                word.startswith(place.encode()) for word in words
            ):
                found[int(entry.name)] = int(
                    (entry / "stat").read_text("latin-1").rsplit(")", 1)[1].split()[1]
                )
    return [number for number, parent in found.items() if parent not in found]


def _children(process: int) -> list[int]:
    return [
        int(number)
        for path in Path("/proc").glob(f"{process}/task/*/children")
        for number in path.read_text("ascii").split()
    ]


@pytest.mark.parametrize("hook", ["prepare_metadata_for_build_wheel", "build_wheel"])
@pytest.mark.parametrize("victim", ["launcher", "holder"])
def test_a_wall_that_falls_is_no_build_that_fails(
    shared: Env, serve: Callable[[str], IndexServer], target: Path, victim: str, hook: str
) -> None:
    """Whoever holds the wall is killed from outside, as the kernel does where memory is short."""
    index = serve(WAITS.format(hook=hook))
    command = ["install", "-t", str(target), "demo"]
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(shared.run_pip, *command, index=index, policy=LET_THROUGH)
        ends = time.monotonic() + _PATIENCE
        while not list(shared.home.tmp.glob("pip-install-*/demo_*/waiting")):
            assert not running.done(), running.result()
            assert time.monotonic() < ends, "the build did not get there in time"
            time.sleep(0.02)
        (launcher,) = _launchers(str(shared.home.tmp))
        (holder,) = _children(launcher)
        os.kill({"launcher": launcher, "holder": holder}[victim], signal.SIGKILL)
        result = running.result()
    assert result.returncode == 78, result
    assert result.out.count("veln-hook: the sandbox of the build of demo 1.0 could not be set up") == 1, (
        result
    )
    if hook != "build_wheel":  # there, pip keeps the error to itself
        assert "ERROR: HOLD  demo 1.0 was not built: its sandbox failed" in result.out, result
    if victim == "holder":
        assert "the process that holds the wall was killed" in result.out, result
    assert "Traceback" not in result.out
    assert not target.exists()
    assert _launchers(str(shared.home.tmp)) == []
    assert list(shared.home.tmp.iterdir()) == []
