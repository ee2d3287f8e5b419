"""What is checked: ``nox -s tests`` before a change is taken, ``nox -s full`` before a release."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path

import nox

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "tests"))

from support.pythons import PYTHONS, find_python  # noqa: E402 - it needs nothing but the standard library

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["tests"]

PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
RUNTIME: list[str] = PYPROJECT["project"]["dependencies"]
BUILD: list[str] = PYPROJECT["build-system"]["requires"]

# Unit and fuzz tests first: what they find needs no minutes of pip.
ORDER = [
    f"tests/{room}"
    for room in (
        *(
            "unit",
            "fuzz",
            "startup",
            "packaging",
            "enable",
            "sandbox",
            "gate",
            "index_proxy",
            "standing",
            "attacks",
        ),
        *("pip", "uv", "clients", "examples"),
    )
]

_MEMORY = "/dev/shm"  # noqa: S108 - only a place for pytest's own directories
_ROOM_BYTES = 4 << 30

# veln-hook itself is never installed in these environments: its hook would judge the tools' own pip.
SOURCE = {"PYTHONPATH": str(ROOT / "src")}


def _roomy_memory() -> dict[str, str]:
    """Have tests keep their environments in memory if there is room: they copy thousands of files."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(_MEMORY).free > _ROOM_BYTES and os.access(_MEMORY, os.W_OK):
            return {"TMPDIR": _MEMORY}
    return {}


def _install(session: nox.Session) -> None:
    session.install("--quiet", *RUNTIME, *BUILD, *nox.project.dependency_groups(PYPROJECT, "dev"))


def _lint(session: nox.Session) -> None:
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run(
        "mypy", "--strict", "--explicit-package-bases", "tests/support", env={"MYPYPATH": "tests:src"}
    )
    session.run("lint-imports", env=SOURCE)


@nox.session
def tests(session: nox.Session) -> None:
    """Lint, then every quick test, on six pairs of pip and Python; ``-- tests/unit`` for a part of them."""
    _install(session)
    _lint(session)
    quick = ["-n", "auto", "-m", "not slow and not online"]
    session.run(
        "python", "-m", "pytest", *quick, *(session.posargs or ORDER), env={**SOURCE, **_roomy_memory()}
    )


@nox.session
def lint(session: nox.Session) -> None:
    """Lint, types and the layers of the rooms."""
    _install(session)
    _lint(session)


@nox.session
def full(session: nox.Session) -> None:
    """Everything: each pip on each Python, slow and online tests, unit tests on each Python; very long."""
    _install(session)
    _lint(session)
    for version in PYTHONS:
        python = find_python(version)
        if python is None:
            session.warn(f"Python {version} was not found: its unit tests don't run")
            continue
        _unit(session, version, python, [*RUNTIME, *nox.project.dependency_groups(PYPROJECT, "test")])
    everything = {**SOURCE, **_roomy_memory(), "VELN_HOOK_FULL": "1"}
    session.run("python", "-m", "pytest", "-n", "auto", *(session.posargs or ORDER), env=everything)


@nox.session
def tests_min(session: nox.Session) -> None:
    """Unit tests on the oldest Python with the lowest versions of the dependencies that we promise."""
    python = find_python(PYTHONS[0])
    if python is None:
        session.skip(f"Python {PYTHONS[0]} was not found")
    extras = PYPROJECT["project"]["optional-dependencies"]
    wanted = [*RUNTIME, *extras["gate"], *extras["postgres"]]
    lowest = [requirement.replace(">=", "==", 1) for requirement in wanted]
    # The last pytest that runs with our lowest pluggy.
    _unit(
        session,
        f"{PYTHONS[0]}-lowest",
        python,
        [*lowest, "pytest<8", "pytest-xdist<3.6", "hypothesis>=6.100"],
    )


def _unit(session: nox.Session, name: str, python: str, requirements: list[str]) -> None:
    """Run the unit tests in an environment of that Python, made by hand: nox doesn't look into pyenv."""
    prefix = ROOT / ".nox" / f"unit-{name}"
    session.run(python, "-m", "venv", "--clear", str(prefix), external=True)
    inside = str(prefix / "bin" / "python")
    session.run(inside, "-m", "pip", "install", "--quiet", *requirements, external=True)
    # The support library's own tests need no other Python than the one they drive others from.
    unit = ["tests/unit", "--ignore=tests/unit/support", "-m", "not online"]
    session.run(inside, "-m", "pytest", "-n", "auto", *unit, external=True, env=SOURCE)
