"""Tests here run real pips; those that ask for ``pair`` or ``env`` run once for each selected pip x Python pair."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import envs
from support.builders import make_wheel
from support.held import OLD, YOUNG

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.index_server import IndexServer

_HERE = Path(__file__).parent


_BUILDS_INSIDE = "26.2.1"
"""Starts the pip for build requirements inside the build environment."""
_ENDS = (envs.DEFAULT_PAIRS[0].pip, envs.DEFAULT_PAIRS[-1].pip)
_AT_THE_ENDS = ("test_cli", "test_messages")
"""Modules of what depends little on the pip: everyday runs have the oldest and the newest only."""
_INSIDE = ("test_a_legacy_sdist", "test_what_a_build_requirement")
"""Tests of ``test_builds`` that everyday runs have with the one above, too."""
_BETWEEN = ("test_a_young_release",)
"""Tests of ``test_matrix`` that everyday runs have with the pips in between."""
_AT_THE_NEWEST = (
    *("test_builds", "test_check_locks", "test_code", "test_known_malware", "test_reading_ahead"),
    *("test_release_signals", "test_review_command"),
)
"""Modules of what confines, judges and reads, which no pip changes: everyday runs have the newest only."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies here, so that ``-m pip`` and ``-m matrix`` select it, and what only full runs have."""
    for item in items:
        if _HERE not in item.path.parents:
            continue
        item.add_marker(pytest.mark.pip)
        if "pair" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.matrix)
            if not _is_everyday(item.path.stem, item.name, item.callspec.params["pair"].pip):  # type: ignore[attr-defined]
                item.add_marker(pytest.mark.slow)


def _is_everyday(module: str, test: str, pip: str) -> bool:
    if module == "test_matrix":
        return pip in _ENDS or (pip != _BUILDS_INSIDE and test.startswith(_BETWEEN))
    if module.startswith(_AT_THE_NEWEST):
        if module == "test_builds" and test.startswith(_INSIDE):
            return pip in {_ENDS[-1], _BUILDS_INSIDE}
        return pip == _ENDS[-1]
    if module.startswith(_AT_THE_ENDS):
        return pip in _ENDS
    return pip != _BUILDS_INSIDE


@pytest.fixture(params=envs.selected_pairs(), ids=str)
def pair(request: pytest.FixtureRequest) -> envs.Pair:
    """Each selected pip x Python pair whose Python is on this machine."""
    chosen: envs.Pair = request.param
    if envs.find_python(chosen.python) is None:
        pytest.skip(f"Python {chosen.python} was not found on this machine")
    return chosen


@pytest.fixture
def env(make_env: Callable[..., envs.Env], pair: envs.Pair) -> envs.Env:
    """An environment of the pair with veln-hook; the test's own."""
    return make_env(pair)


@pytest.fixture
def shared(pair: envs.Pair, home: envs.Home) -> envs.Env:
    """The pair's environment as every test shares it: install with ``--target`` only, it is much quicker."""
    return envs.shared_env(pair, home)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where things are installed, so that the environment itself can be shared."""
    return tmp_path / "target"


@pytest.fixture
def unconfined() -> dict[str, str]:
    """Variables by which builds run outside the sandbox.

    For tests of the guard whose build code leaves a mark: inside, it could leave none where a test can look, and
    that there is no mark would tell nothing.
    """
    return {"VELN_HOOK_SANDBOX_BUILDS": "off"}


@pytest.fixture
def young(index: IndexServer, tmp_path: Path) -> IndexServer:
    """An index whose only release of demo is twelve minutes old."""
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=YOUNG)
    return index


@pytest.fixture
def forged_url(index: IndexServer, make_index: Callable[..., IndexServer], tmp_path: Path) -> str:
    """A URL that serves other bytes than the index lists under the same name; both are old."""
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=OLD)
    forged = tmp_path / "forged"
    forged.mkdir()
    other = make_index()
    other.add(make_wheel(forged, "demo", "2.0", {"x.py": "1"}), upload_time=OLD)
    return other.file_url("demo-2.0-py3-none-any.whl")
