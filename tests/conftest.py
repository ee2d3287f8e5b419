"""What every test may ask for; tests/support/README.md tells how."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

# How long one example takes depends on what else the machine does.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# veln-hook is tested from the tree and never installed beside pytest, where its hook would be live.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "src")]

# A shell starts its background jobs with the interrupt key ignored, and so would be every command of a test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

from support import envs, postgres  # noqa: E402
from support.index_server import IndexServer  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.shared_store import Fleet

_LONG_ROOMS = frozenset(("clients", "enable", "examples", "packaging", "pip", "standing", "startup", "uv"))
"""Rooms whose tests start a pip or a uv each, which takes seconds."""
_MATRIX = ("pair", "python", "uv", "newest")
"""Parameters that are versions; which of those run every day is their fixtures' to say."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have everyday runs try one set of parameters of what is long, with each of the versions that they have."""
    tried = set()
    for item in items:
        room = item.path.relative_to(Path(__file__).parent).parts[0]
        if (
            room not in _LONG_ROOMS
            or not isinstance(item, pytest.Function)
            or item.get_closest_marker("slow")
        ):
            continue
        given = item.callspec.params if hasattr(item, "callspec") else {}
        test = (item.path, item.originalname, *(repr(given.get(name)) for name in _MATRIX))
        if test in tried:
            item.add_marker(pytest.mark.slow)
        tried.add(test)


@pytest.fixture
def home(tmp_path: Path) -> envs.Home:
    """A home of its own, which every command of this test runs in."""
    return envs.Home(tmp_path / "home")


@pytest.fixture
def make_index() -> Iterator[Callable[..., IndexServer]]:
    """Start index servers that live as long as the test; keywords as in `IndexServer`."""
    with contextlib.ExitStack() as stack:

        def make(**options: Any) -> IndexServer:
            return stack.enter_context(IndexServer(**options))

        yield make


@pytest.fixture
def index(make_index: Callable[..., IndexServer]) -> IndexServer:
    """An empty index that speaks JSON and HTML and tells upload times."""
    return make_index()


@pytest.fixture
def make_env(tmp_path: Path, home: envs.Home) -> Iterator[Callable[..., envs.Env]]:
    """Make environments that belong to the test: ``make_env(pair=None, hooked=True, setuptools=False)``."""
    made: list[envs.Env] = []

    def make(pair: envs.Pair | None = None, **options: bool) -> envs.Env:
        env = envs.fresh_env(tmp_path / f"env{len(made)}", pair or envs.newest_pair(), home, **options)
        made.append(env)
        return env

    yield make
    for env in made:  # pytest keeps the temporary directories of three runs, which would be gigabytes
        shutil.rmtree(env.prefix, ignore_errors=True)


@pytest.fixture
def newest_env(make_env: Callable[..., envs.Env]) -> envs.Env:
    """The newest pip on the newest Python here, with veln-hook; the test's own."""
    return make_env()


@pytest.fixture
def bare_env(make_env: Callable[..., envs.Env]) -> envs.Env:
    """The newest pip on the newest Python here, without veln-hook; the test's own."""
    return make_env(hooked=False)


@pytest.fixture
def shared_env(home: envs.Home) -> envs.Env:
    """The newest pair's environment, shared with every other test: change nothing in it."""
    return envs.shared_env(envs.newest_pair(), home)


@pytest.fixture(scope="session")
def hook_wheel() -> Path:
    """veln-hook's own wheel, built from the tree."""
    return envs.hook_wheel()


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Cluster]:
    """A running PostgreSQL, shared with every other test: stop nothing, make databases."""
    pytest.importorskip("psycopg", reason="needs psycopg (veln-hook[postgres])")
    if postgres.server_programs() is None:
        pytest.skip("needs PostgreSQL (Debian: apt-get install postgresql)")
    made = postgres.Cluster()
    yield made
    made.close()


@pytest.fixture
def make_cluster() -> Iterator[Callable[..., postgres.Cluster]]:
    """Start servers that belong to the test; arguments as in `postgres.Cluster`."""
    pytest.importorskip("psycopg", reason="needs psycopg (veln-hook[postgres])")
    if postgres.server_programs() is None:
        pytest.skip("needs PostgreSQL (Debian: apt-get install postgresql)")
    with contextlib.ExitStack() as stack:

        def make(*settings: str) -> postgres.Cluster:
            made = postgres.Cluster(*settings)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def fleet(cluster: postgres.Cluster, tmp_path: Path) -> Iterator[Fleet]:
    """A shared store in a database of its own."""
    from support.shared_store import Fleet

    made = Fleet(cluster, tmp_path)
    yield made
    made.close()
