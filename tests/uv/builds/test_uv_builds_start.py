"""How a Python that uv starts finds out whether it is a step of a build, and what happens where it can't be confined."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from uv_builder import Builder, guards

from support.builders import make_sdist, make_tree
from support.hostile_builds import PYPROJECT
from support.pythons import PYTHONS, find_python
from support.selection import everyday
from veln_hook.adapters.uv.builds import Builds, leads_around
from veln_hook.model import Decision, ExitStatus
from veln_hook.policy.settings import SandboxPolicy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.envs import Home
    from support.index_server import IndexServer

TELL = """
import json, os, sys
print("TOLD", json.dumps({
    "argv": sys.argv, "path": sys.path, "options": sys.warnoptions, "modules": sorted(sys.modules),
    "environ": {name: value for name, value in os.environ.items() if name.startswith("PYTHON")},
}))
"""


@pytest.fixture
def bare(newest: Builder) -> Builder:
    """A machine without any sandbox."""
    newest.rung = ""
    return newest


def _told(out: str) -> dict:
    return json.loads(next(line for line in out.splitlines() if line.startswith("TOLD "))[5:])


# --- what is no step of a build --------------------------------------------------------------------------------


@pytest.mark.parametrize("python", everyday(PYTHONS, (PYTHONS[0], PYTHONS[-1])))
def test_what_others_start_runs_as_if_we_were_not_there(home: Home, tmp_path: Path, python: str) -> None:
    found = find_python(python)
    if found is None:
        pytest.skip(f"there is no Python {python} here")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "sitecustomize.py").write_text("import sys; sys.flag = 'theirs'\n")
    code = TELL + "print('FLAG', sys.flag, os.environb.get(b'PYTHONPATH'))\n"
    with Builds(
        SandboxPolicy(), home.environ(), cache=str(tmp_path / "cache"), uv="/bin/sh", guard=guards(home)
    ) as builds:
        for own in ({}, {"PYTHONWARNINGS": "ignore::DeprecationWarning"}):
            before = {**home.environ(), "PYTHONPATH": str(theirs), **own}
            runs = []
            for environ in (before, builds.environment(before)):
                done = subprocess.run(
                    [found, "-c", code, "x"], env=environ, capture_output=True, text=True, check=True
                )
                assert done.stderr == ""
                runs.append((_told(done.stdout), done.stdout.splitlines()[1]))
            (expected, flag), (told, same_flag) = runs
            assert flag == same_flag
            assert flag.startswith("FLAG theirs")
            # The machinery of warnings is loaded for the category, and stays.
            expected["modules"] = told["modules"] = []
            assert told == expected


def test_a_child_of_it_is_none_either(home: Home, tmp_path: Path) -> None:
    python = find_python("3.11") or find_python(PYTHONS[-1])
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {TELL!r}], check=True)"
    with Builds(
        SandboxPolicy(), home.environ(), cache=str(tmp_path / "cache"), uv="/bin/sh", guard=guards(home)
    ) as builds:
        environ = builds.environment(home.environ())
        done = subprocess.run([python, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert _told(done.stdout)["environ"] == {}
    assert done.stderr == ""


def test_keyring_which_uv_asks_for_passwords_runs_as_it_is(newest: Builder, tmp_path: Path) -> None:
    keyring = tmp_path / "keyring"
    keyring.write_text(TELL)
    ran = newest.run("run", "--no-project", "--python", newest.python, "python", keyring, "get")
    assert ran.returncode == 0, ran
    assert _told(ran.out)["environ"] == {}


@pytest.mark.parametrize(
    "words", [["-c", "print('RAN')"], ["-m", "this"], ["-"], ["script.py"]], ids=lambda words: words[0]
)
def test_what_uv_starts_and_is_not_known_does_not_run(newest: Builder, words: list[str]) -> None:
    (newest.home.work / "script.py").write_text("print('RAN')\n")
    ran = newest.run("run", "--no-project", "--python", newest.python, "python", *words)
    assert ran.returncode == 78, ran
    assert "RAN" not in ran.out
    assert "Beautiful" not in ran.out
    assert "uv started Python" in ran.out
    assert ran.status is ExitStatus.BROKEN


def test_uv_s_own_questions_are_not_asked_about(newest: Builder) -> None:
    ran = newest.run("python", "find", newest.python)
    assert (ran.returncode, ran.lines, ran.status) == (0, (), ExitStatus.OK), ran
    ran = newest.run("pip", "list", "--python", newest.python)
    assert (ran.returncode, ran.lines, ran.status) == (0, (), ExitStatus.OK), ran


def test_modules_are_compiled_without_us(newest: Builder, tmp_path: Path) -> None:
    """uv has the environment's Python compile what it installed (--compile-bytecode)."""
    tree = make_tree(tmp_path, "demo", "1.0")
    ran = newest.install("--compile-bytecode", tree)
    assert ran.returncode == 0, ran
    assert list(newest.target.glob("lib/*/site-packages/__pycache__/demo.*.pyc"))


# --- nothing runs unconfined because something is missing ----------------------------------------------------------


def test_where_the_door_is_shut_nothing_is_built(newest: Builder, tmp_path: Path) -> None:
    told = _nothing_built(
        newest, tmp_path, lambda made: os.unlink(os.path.join(os.path.dirname(made["PYTHONPATH"]), "door"))
    )
    assert "HOLD  the build can't be confined (FileNotFoundError" in told


def _nothing_built(newest: Builder, tmp_path: Path, spoil: Callable[[dict[str, str]], object]) -> str:
    """Build with an environment that was spoilt; return what was told, once it is clear that nothing ran."""
    marker = tmp_path / "ran"
    tree = make_tree(tmp_path, "demo", "1.0", marker=marker)
    environ = newest.environ()
    with Builds(
        SandboxPolicy(), environ, cache=str(newest.cache), uv=str(newest.uv), guard=guards(newest.home)
    ) as builds:
        made = builds.environment({**environ, "UV_CACHE_DIR": str(newest.cache), "UV_OFFLINE": "1"})
        spoil(made)
        done = subprocess.run(
            [newest.uv, "build", "--wheel", "--python", newest.python, tree],
            env=made,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode != 0, done
    assert not marker.exists()
    return done.stderr


def test_a_sandbox_that_fails_to_rise_runs_nothing(newest: Builder, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("veln_hook.adapters.uv.builds.Launch", _broken_launch)
    marker = tmp_path / "ran"
    ran = newest.install(make_tree(tmp_path, "demo", "1.0", marker=marker))
    assert ran.returncode != 0, ran
    assert not marker.exists()
    assert ran.status is ExitStatus.BROKEN
    assert any("could not be confined" in line for line in ran.lines), ran


def _broken_launch(*args: object, **options: object) -> None:
    raise OSError("no space left on device")


def test_a_python_that_comes_to_us_too_late_builds_nothing(newest: Builder, tmp_path: Path) -> None:
    """One that loads no category of warnings before ``site`` runs what is installed first."""
    told = _nothing_built(newest, tmp_path, lambda made: made.pop("PYTHONWARNINGS"))
    assert "HOLD  this Python can't be confined" in told


# --- machines without a sandbox --------------------------------------------------------------------------------


def test_without_a_sandbox_what_was_judged_is_built(
    bare: Builder, plain_index: IndexServer, tmp_path: Path
) -> None:
    """``Guard.check_build`` has held it already, unless somebody approved it."""
    plain_index.add(make_sdist(tmp_path, "demo", "1.0"))
    ran = bare.install("demo", index=plain_index)
    assert (ran.returncode, ran.lines, ran.status) == (0, (), ExitStatus.OK), ran


def test_without_a_sandbox_the_user_s_own_is_built_with_a_warning(bare: Builder, tmp_path: Path) -> None:
    ran = bare.install(make_tree(tmp_path, "demo", "1.0"))
    assert ran.returncode == 0, ran
    assert ran.lines == ("WARN  demo-1.0 was built unconfined, as no sandbox works here",)
    assert ran.status is ExitStatus.OK


def test_without_a_sandbox_a_policy_that_requires_one_refuses(bare: Builder, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    tree = make_tree(tmp_path, "demo", "1.0", marker=marker)
    ran = bare.install(tree, policy=SandboxPolicy(builds="require"))
    assert ran.returncode != 0, ran
    assert "BLOCK  demo-1.0 would be built unconfined" in ran.out
    assert ran.status is ExitStatus.BLOCKED
    assert not marker.exists()


@pytest.mark.parametrize(("builds", "decision"), [("auto", Decision.WARN), ("require", Decision.BLOCK)])
def test_without_a_sandbox_a_checkout_is_judged_with_that_in_mind(
    bare: Builder, tmp_path: Path, builds: str, decision: Decision
) -> None:
    marker = tmp_path / "ran"
    tree = make_tree(tmp_path, "demo", "1.0", marker=marker)
    git = ["git", "-C", tree, "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *words], check=True)
    ran = bare.install(f"demo @ git+file://{tree}", policy=SandboxPolicy(builds=builds))
    held = decision is Decision.BLOCK
    assert (ran.returncode != 0) == held, ran
    assert ("veln-hook: this is not built: BLOCK" in ran.out) == held, ran
    assert marker.exists() != held
    assert decision in [verdict.decision for verdict in ran.verdicts]


def test_with_builds_off_a_step_has_what_it_would_have_without_us(newest: Builder, tmp_path: Path) -> None:
    code = "import json, os\njson.dump(dict(os.environ), open('environ.json', 'w'))\nfrom _test_backend import *\n"
    tree = make_tree(tmp_path, "demo", "1.0", pyproject=PYPROJECT, files={"hostile.py": code, "demo.py": ""})
    theirs = {"PYTHONPATH": "/theirs", "GITHUB_TOKEN": "x"}
    ran = newest.install(
        tree, env=theirs, given={"HTTPS_PROXY": "http://gate"}, policy=SandboxPolicy(builds="off")
    )
    assert (ran.returncode, ran.lines, ran.status) == (0, (), ExitStatus.OK), ran
    seen = json.loads((tree / "environ.json").read_text())
    assert {name: seen.get(name) for name in theirs} == theirs
    assert seen["HTTPS_PROXY"] == "http://gate"
    assert "PYTHONWARNINGS" not in seen


@pytest.mark.parametrize(
    "name", ["PYTHONPATH", "PYTHONWARNINGS", "PYTHONHOME", "LD_PRELOAD", "ld_audit", "DYLD_X"]
)
def test_variables_for_builds_that_would_lead_around_are_named(name: str) -> None:
    assert leads_around(name)


@pytest.mark.parametrize("name", ["CC", "CFLAGS", "MAX_JOBS", "FLASH_ATTENTION_SKIP_CUDA_BUILD", "PATH"])
def test_others_are_not(name: str) -> None:
    assert not leads_around(name)
