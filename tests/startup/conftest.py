"""Start-up is tested in real interpreters, on every Python of this machine."""

from __future__ import annotations

import pytest

from support.envs import Pair, find_python
from support.pythons import PAIRS, PYTHONS
from support.selection import everyday


def newest_pip(python):
    """Return the newest pip of the matrix that runs on that Python."""
    return [pair for pair in PAIRS if pair.python == python][-1].pip


@pytest.fixture(params=everyday(PYTHONS, (PYTHONS[0], PYTHONS[-1])))
def python_pair(request):
    """The newest pip on each Python whose interpreter is on this machine."""
    if find_python(request.param) is None:
        pytest.skip(f"Python {request.param} was not found on this machine")
    return Pair(newest_pip(request.param), request.param)


@pytest.fixture
def any_env(make_env, python_pair):
    """An environment with veln-hook on each Python; the test's own."""
    return make_env(python_pair)


@pytest.fixture
def pth(newest_env):
    """The installed ``.pth`` file."""
    return newest_env.site_packages / "veln_hook_startup.pth"
