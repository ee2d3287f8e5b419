"""Protection switched on from outside, for real interpreters that know nothing of veln-hook."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import machine
import pytest

from support.builders import make_wheel
from support.cache import dependency_wheels
from support.envs import Env, Pair, find_python
from support.pythons import PAIRS, PYTHONS
from support.selection import everyday

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from machine import Image

    from support.index_server import IndexServer

OLD, YOUNG = timedelta(days=365), timedelta(minutes=12)


@pytest.fixture
def served(index: IndexServer, tmp_path: Path) -> IndexServer:
    """An index with what veln-hook needs on the oldest Python, an old demo and a young one."""
    for wheel in dependency_wheels(PYTHONS[0]):
        index.add(wheel, upload_time=OLD)
    index.add(make_wheel(tmp_path / "wheels", "demo", "1.0"), upload_time=OLD)
    index.add(make_wheel(tmp_path / "wheels", "demo", "2.0"), upload_time=YOUNG)
    return index


@pytest.fixture(params=everyday(PYTHONS, PYTHONS[-1:]))
def pair(request: pytest.FixtureRequest) -> Pair:
    """The newest pip on each Python here."""
    if find_python(request.param) is None:
        pytest.skip(f"Python {request.param} was not found on this machine")
    return [each for each in PAIRS if each.python == request.param][-1]


@pytest.fixture
def python(pair: Pair) -> str:
    """Each Python itself."""
    return str(find_python(pair.python))


@pytest.fixture
def bare(make_env: Callable[..., Env], pair: Pair) -> Env:
    """An environment of each Python, without veln-hook."""
    return make_env(pair, hooked=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """A machine with veln-hook in a directory of its own, where nothing is enabled yet."""
    yield from machine.make(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="module")
def image(made: Image) -> Image:
    """The same, enabled."""
    done = made.hook("enable", "--image")
    assert done.returncode == 0, done
    return made
