"""What is fetched or built once and kept: wheels, virtualenvs; shared by every test process of this machine."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import functools
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from support.pythons import PYTHONS, Pair, find_python

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
"""The project's own tree."""

_MARKER = ".complete"
_UNUSED_SECONDS = 2 * 3600
"""Builds of trees that no test has asked for in this time are removed."""

# The newest that support Python 3.9, and whose `setup.py install` old pips can still call.
_LEGACY = ("setuptools==75.8.2", "wheel==0.45.1")


def cache_directory() -> Path:
    """Return where everything is kept: ``$VELN_HOOK_TEST_CACHE``, or ``~/.cache/veln-hook-tests``."""
    chosen = os.environ.get("VELN_HOOK_TEST_CACHE")
    directory = Path(chosen) if chosen else Path.home() / ".cache" / "veln-hook-tests"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    """Hold the lock of that name against every other process."""
    locks = cache_directory() / "locks"
    locks.mkdir(exist_ok=True)
    with (locks / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def making(directory: Path) -> Iterator[bool]:
    """Give ``True``, under a lock, if ``directory`` is to be made now; it counts as made when the block ends well.

    Virtualenvs can't be built elsewhere and renamed, because they know their
    own path; so a marker inside tells a whole one from an interrupted one. It names
    the directory: a copy that is being made has its source's marker for a while.
    """
    marker = directory / _MARKER
    if not _is_whole(directory):
        with _locked("-".join(directory.relative_to(cache_directory()).parts)):
            if not _is_whole(directory):
                shutil.rmtree(directory, ignore_errors=True)
                directory.mkdir(parents=True)
                yield True
                marker.write_text(str(directory))
                return
    marker.touch()  # tells _remove_unused() that somebody still wants it
    yield False


def _is_whole(directory: Path) -> bool:
    try:
        return (directory / _MARKER).read_text() == str(directory)
    except FileNotFoundError:
        return False


def _remove_unused(siblings: Iterator[Path]) -> None:
    """Remove those of the directories that no test has asked for lately."""
    oldest = time.time() - _UNUSED_SECONDS
    for directory in siblings:
        with contextlib.suppress(FileNotFoundError):
            if (directory / _MARKER).stat().st_mtime < oldest:
                shutil.rmtree(directory, ignore_errors=True)


def run(command: Sequence[str | Path], env: dict[str, str]) -> None:
    """Run a command that must end with 0.

    Raises:
        RuntimeError: It doesn't; the message has its whole output.
    """
    done = subprocess.run(
        list(map(str, command)),
        env=env,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise RuntimeError(
            f"{' '.join(map(str, command))} ended with {done.returncode}\n{done.stdout}{done.stderr}"
        )


def machine_environ() -> dict[str, str]:
    """Return this machine's environment, pip configuration and all, for fetching what tests are made of."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**environ, "VELN_HOOK": "off", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


@functools.cache
def machine_pip() -> list[str]:
    """Return the command of a pip that may talk to this machine's index."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    for python in filter(None, map(find_python, reversed(PYTHONS))):
        if (
            subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode
            == 0
        ):
            return [python, "-m", "pip"]
    raise RuntimeError("no pip was found to fetch the tests' own wheels with")


def download(name: str, python: str, requirements: Sequence[str], *, deps: bool = False) -> list[Path]:
    """Return the wheels of exactly these requirements for that Python, or of what they need too, fetched once."""
    directory = cache_directory() / "wheels" / name
    with making(directory) as missing:
        if missing:
            options = [
                *([] if deps else ["--no-deps"]),
                "--only-binary=:all:",
                "--python-version",
                python,
                "--dest",
                str(directory),
            ]
            run([*machine_pip(), "download", "--quiet", *options, *requirements], machine_environ())
    return sorted(directory.glob("*.whl"))


def pip_wheel(version: str) -> Path:
    """Return pip's own wheel."""
    return download(f"pip-{version}", PYTHONS[-1], [f"pip=={version}"])[0]


def legacy_build_wheels() -> list[Path]:
    """Return wheels of setuptools and wheel that run on every Python here, for legacy builds."""
    return download("legacy", PYTHONS[0], _LEGACY)


def pip_tools_wheels(python: str) -> list[Path]:
    """Return wheels of pip-tools and what it needs besides pip and our own dependencies."""
    names = ["pip-tools", "build", "click", "pyproject-hooks", "setuptools", "wheel"]
    return download(f"pip-tools-{python}", python, names)


def dependency_wheels(python: str, *, lowest: bool = False) -> list[Path]:
    """Return wheels of veln-hook's dependencies for that Python: the newest, or the oldest that we promise."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = []
    for line in project["dependencies"]:
        requirement = Requirement(line)
        here = {"python_version": python, "python_full_version": f"{python}.0"}
        if requirement.marker is None or requirement.marker.evaluate(here):
            specifier = str(requirement.specifier)
            wanted.append(f"{requirement.name}{specifier.replace('>=', '==') if lowest else specifier}")
    digest = hashlib.sha256(" ".join(wanted).encode()).hexdigest()[:8]
    return download(f"dependencies-{python}-{digest}", python, wanted)


def gate_wheels(python: str) -> list[Path]:
    """Return wheels of what the extra ``veln-hook[gate]`` adds for that Python."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted: list[str] = project["optional-dependencies"]["gate"]
    digest = hashlib.sha256(" ".join(wanted).encode()).hexdigest()[:8]
    return download(f"gate-{python}-{digest}", python, wanted, deps=True)


def postgres_wheels(python: str) -> list[Path]:
    """Return wheels of what the extra ``veln-hook[postgres]`` adds for that Python."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted: list[str] = project["optional-dependencies"]["postgres"]
    return download(f"postgres-{python}", python, wanted, deps=True)


@functools.cache
def hook_wheel() -> Path:
    """Return veln-hook's wheel, built from the tree as this process found it first."""
    with tempfile.TemporaryDirectory() as temporary:
        # A copy, so that what is hashed is what is built while an editor writes into the tree.
        tree = Path(temporary) / "tree"
        tree.mkdir()
        shutil.copytree(
            ROOT / "src", tree / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, tree / name)
        sha256 = hashlib.sha256()
        for path in sorted(path for path in tree.rglob("*") if path.is_file()):
            content = path.read_bytes()
            sha256.update(f"{path.relative_to(tree)} {len(content)}\n".encode() + content)
        directory = cache_directory() / "hook" / sha256.hexdigest()[:16]
        with making(directory) as missing:
            if missing:
                _remove_unused(directory.parent.glob("*"))
                if importlib.util.find_spec("hatchling") is not None:
                    command = [
                        sys.executable,
                        "-c",
                        "from hatchling.cli import hatchling as h; raise SystemExit(h())",
                    ]
                    command += ["build", "--target", "wheel", "--directory", str(directory)]
                else:
                    command = [
                        *machine_pip(),
                        "wheel",
                        "--quiet",
                        "--no-deps",
                        "--wheel-dir",
                        str(directory),
                        ".",
                    ]
                done = subprocess.run(
                    command, cwd=tree, env=machine_environ(), capture_output=True, text=True, check=False
                )
                if done.returncode != 0:
                    raise RuntimeError(f"veln-hook's wheel can't be built\n{done.stdout}{done.stderr}")
    return next(directory.glob("*.whl"))


def plain_environ(home: Path) -> dict[str, str]:
    """Return an environment in which pip knows nothing of this machine."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "VELN_HOOK": "off",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def bare_venv(pair: Pair) -> Path:
    """Return a virtualenv with that pip and nothing else. It is shared: copy it, never change it."""
    base = find_python(pair.python)
    if base is None:
        raise RuntimeError(f"Python {pair.python} was not found on this machine")
    known_by = hashlib.sha256(base.encode()).hexdigest()[:8]
    prefix = cache_directory() / "venvs" / f"{pair}-{known_by}" / "bare"
    with making(prefix) as missing:
        if missing:
            environ = plain_environ(prefix)
            run([base, "-m", "venv", "--without-pip", prefix], environ)
            for script in (prefix / "bin").glob("[Aa]ctivate*"):
                script.unlink()  # they would name another environment in every copy
            wheel = pip_wheel(pair.pip)
            run([prefix / "bin/python", wheel / "pip", "install", "--quiet", wheel], environ)
    return prefix


def hooked_venv(pair: Pair) -> Path:
    """Return the same with veln-hook, as `hook_wheel` has it. It is shared: copy it, never change it."""
    wheel = hook_wheel()
    bare = bare_venv(pair)
    prefix = bare.parent / f"hooked-{wheel.parent.name}"
    with making(prefix) as missing:
        if missing:
            _remove_unused(bare.parent.glob("hooked-*"))
            prefix.rmdir()
            copy_venv(bare, prefix)
            pip = [str(prefix / "bin/python"), "-m", "pip"]
            wheels = [wheel, *dependency_wheels(pair.python)]
            run([*pip, "install", "--quiet", "--no-deps", *wheels], plain_environ(prefix))
            run([*pip, "check"], plain_environ(prefix))
    return prefix


def gated_venv(pair: Pair) -> Path:
    """Return the same as `hooked_venv` with ``veln-hook[gate]``. It is shared: copy it, never change it."""
    hooked = hooked_venv(pair)
    prefix = hooked.parent / hooked.name.replace("hooked", "gated")
    with making(prefix) as missing:
        if missing:
            _remove_unused(hooked.parent.glob("gated-*"))
            prefix.rmdir()
            copy_venv(hooked, prefix)
            install = [str(prefix / "bin/python"), "-m", "pip", "install", "--quiet", "--no-deps"]
            run([*install, *gate_wheels(pair.python)], plain_environ(prefix))
    return prefix


def copy_venv(source: Path, target: Path) -> None:
    """Copy a virtualenv so that the copy is one of its own: its scripts and their RECORD entries name the copy.

    Files are copied, not linked: tests damage installed files on purpose, and
    a link would damage every later test's too. It is 18 MB in 1,400 files: 0.1 s on an idle machine.
    """
    run(["cp", "-a", "--reflink=auto", source, target], dict(os.environ))
    (target / _MARKER).unlink(missing_ok=True)
    changed = {}
    for script in (target / "bin").iterdir():
        if script.is_symlink() or not script.is_file():
            continue
        content = script.read_bytes()
        if content.startswith(b"#!") and bytes(source) in content:
            content = _with_interpreter(content, target / "bin" / "python")
            script.write_bytes(content)
            changed[f"../../../bin/{script.name}"] = content
    for record in target.glob("lib/python*/site-packages/*.dist-info/RECORD"):
        lines = record.read_text().splitlines()
        if any(line.split(",")[0] in changed for line in lines):
            record.write_text("".join(_record_line(line, changed) + "\n" for line in lines))


def _with_interpreter(script: bytes, python: Path) -> bytes:
    """Return a pip-made script, run by that interpreter whatever the length of its path."""
    lines = script.splitlines(keepends=True)
    body = lines[3:] if lines[0].startswith(b"#!/bin/sh") else lines[1:]
    return b"".join([b"#!/bin/sh\n'''exec' \"", bytes(python), b'" "$0" "$@"\n', b"' '''\n", *body])


def _record_line(line: str, changed: dict[str, bytes]) -> str:
    path = line.split(",", maxsplit=1)[0]
    if path not in changed:
        return line
    digest = base64.urlsafe_b64encode(hashlib.sha256(changed[path]).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(changed[path])}"
