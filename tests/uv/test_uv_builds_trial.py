"""A uv that starts its builds in another way is found out before it builds anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support import uv_versions
from veln_hook.adapters.uv import build_trial
from veln_hook.adapters.uv.builds import Builds
from veln_hook.errors import SandboxError
from veln_hook.policy.settings import SandboxPolicy

if TYPE_CHECKING:
    from pathlib import Path

    from veln_hook.guard import Guard

UNKNOWN = "this uv starts builds in a way that isn't known here"


@pytest.fixture(autouse=True)
def remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state/veln-hook/uv-builds.json"


def _uv(version: str = uv_versions.NEWEST) -> str:
    try:
        return str(uv_versions.uv_bin(version) / "uv")
    except uv_versions.NotHereError as error:
        pytest.skip(str(error))


@pytest.fixture
def other(tmp_path: Path) -> str:
    """A uv that takes from its builds what we gave it."""
    made = tmp_path / "other/uv"
    made.parent.mkdir()
    made.write_text(f'#!/bin/sh\nunset PYTHONWARNINGS PYTHONPATH\nexec {_uv()} "$@"\n')
    made.chmod(0o755)
    return str(made)


@pytest.mark.parametrize("version", uv_versions.UVS)
def test_these_are_known(version: str, remembered: Path) -> None:
    uv = _uv(version)
    assert build_trial.problem(uv) == ""
    (mark,) = json.loads(remembered.read_text())
    assert mark.startswith(os.path.realpath(uv))


def test_it_is_tried_where_the_caller_blocks_signals() -> None:
    code = (
        "import signal, sys; signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())\n"
        "from veln_hook.adapters.uv import build_trial; print(repr(build_trial.problem(sys.argv[1])))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, _uv()], capture_output=True, text=True, check=True)
    assert done.stdout == "''\n"


def test_one_that_is_known_is_not_tried_again(tmp_path: Path, remembered: Path) -> None:
    uv = tmp_path / "uv"
    uv.symlink_to(_uv())
    assert build_trial.problem(str(uv)) == ""
    before = remembered.stat().st_mtime_ns
    assert build_trial.problem(str(uv)) == ""
    assert remembered.stat().st_mtime_ns == before


def test_another_one_in_the_same_place_is_tried(tmp_path: Path, other: str) -> None:
    uv = tmp_path / "uv"
    uv.write_text(f'#!/bin/sh\nexec {_uv()} "$@"\n')
    uv.chmod(0o755)
    assert build_trial.problem(str(uv)) == ""
    os.replace(other, uv)
    assert build_trial.problem(str(uv)) == UNKNOWN


def test_one_that_builds_in_another_way_is_told_each_time(other: str, remembered: Path) -> None:
    assert build_trial.problem(other) == UNKNOWN
    assert build_trial.problem(other) == UNKNOWN
    assert not remembered.exists()


@pytest.mark.parametrize("text", ["", "{", "{}", "[1, null]", "\0"])
def test_what_is_remembered_and_broken_counts_for_nothing(remembered: Path, text: str) -> None:
    remembered.parent.mkdir(parents=True)
    remembered.write_text(text)
    assert build_trial.problem(_uv()) == ""
    assert len(json.loads(remembered.read_text())) == 1


def test_what_can_not_be_tried_is_not_known(tmp_path: Path) -> None:
    assert build_trial.problem("/bin/false") == "how this uv builds can't be tried (it said nothing)"
    assert "No such file" in build_trial.problem(str(tmp_path / "nothing"))


def _nobody() -> Guard:
    raise AssertionError("there is nothing to judge")


def test_its_builds_count_as_unconfined(other: str) -> None:
    with Builds(SandboxPolicy(), {}, cache="/nowhere", uv=other, guard=_nobody) as builds:
        assert builds.ladder().rung is None, "so that sdists are held"
        assert builds.ladder().probes[0].reason == UNKNOWN
        assert builds.lines(failed=False) == [f"WARN  builds were neither confined nor judged: {UNKNOWN}"]


def test_a_policy_that_requires_a_sandbox_stops_it(other: str) -> None:
    with pytest.raises(SandboxError, match="uv's builds can't be confined"):
        Builds(SandboxPolicy(builds="require"), {}, cache="/nowhere", uv=other, guard=_nobody)


def test_one_that_wants_none_is_told_that_nothing_is_judged(other: str) -> None:
    policy = SandboxPolicy(builds="off")
    with Builds(policy, {}, cache="/nowhere", uv=other, guard=_nobody) as builds:
        assert builds.lines(failed=False) == [f"WARN  builds were not judged: {UNKNOWN}"]
