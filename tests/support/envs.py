"""A virtualenv with a real pip and veln-hook in it, and a home that is not yours."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from support.builders import normalized
from support.cache import bare_venv, copy_venv, hook_wheel, hooked_venv, legacy_build_wheels
from support.index_server import IndexServer
from support.pythons import DEFAULT_PAIRS, PAIRS, Pair, find_python, newest_pair, selected_pairs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "DEFAULT_PAIRS",
    "PAIRS",
    "Env",
    "Home",
    "Pair",
    "Result",
    "find_python",
    "fresh_env",
    "hook_wheel",
    "legacy_build_wheels",
    "newest_pair",
    "selected_pairs",
    "shared_env",
]


@dataclass(frozen=True)
class Result:
    """What a command said and how it ended. ``str()`` of it is fit for a failing assert."""

    command: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    @classmethod
    def of(
        cls, command: Sequence[str | Path], environ: Mapping[str, str], cwd: Path, timeout: float
    ) -> Result:
        """Run a command with nothing on its standard input; ``timeout`` is in seconds."""
        words = tuple(map(str, command))
        done = subprocess.run(
            words,
            env=environ,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
        )
        return cls(words, done.returncode, done.stdout, done.stderr)

    @property
    def out(self) -> str:
        """Standard output, then standard error."""
        return self.stdout + self.stderr

    def __str__(self) -> str:
        return f"{shlex.join(self.command)} ended with {self.returncode}\n--- stdout\n{self.stdout}--- stderr\n{self.stderr}"


class Home:
    """A user's home, empty at first: policy, store, caches and temporary files of one test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / ".config"
        self.user_policy = self.config / "veln-hook" / "policy.toml"
        self.state_dir = path / ".local/state/veln-hook"
        self.pip_cache = path / ".cache/pip"
        self.tmp = path / "tmp"
        self.work = path / "work"
        """Where commands run, with no pyproject.toml above."""
        for directory in (self.config, self.tmp, self.work):
            directory.mkdir(parents=True)

    def write_policy(self, text: str) -> Path:
        """Write the user's policy file and return its path."""
        self.user_policy.parent.mkdir(parents=True, exist_ok=True)
        self.user_policy.write_text(text)
        return self.user_policy

    def environ(self, *, online: bool = False) -> dict[str, str]:
        """Return the whole environment of a command; nothing of the caller's own is in it.

        Args:
            online: Let pip use this machine's configuration and index; without it, there is no index.
        """
        environ = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.path),
            "XDG_CONFIG_HOME": str(self.config),
            "XDG_CACHE_HOME": str(self.path / ".cache"),
            "XDG_DATA_HOME": str(self.path / ".local/share"),
            "XDG_STATE_HOME": str(self.path / ".local/state"),
            "TMPDIR": str(self.tmp),
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "200",  # pip folds its messages to it, and tests look for whole ones
            "PIP_CACHE_DIR": str(self.pip_cache),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            "PIP_DEFAULT_TIMEOUT": "20",
            "PIP_RETRIES": "0",
        }
        if not online:
            return {**environ, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
        wanted = re.compile(
            r"PIP_.*|SSL_CERT_.*|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|(https?|no|all)_proxy", re.IGNORECASE
        )
        machine = {name: value for name, value in os.environ.items() if wanted.fullmatch(name)}
        for place in (".config/pip/pip.conf", ".pip/pip.conf"):
            if (Path.home() / place).exists():
                machine.setdefault("PIP_CONFIG_FILE", str(Path.home() / place))
        return {**environ, **machine, "PIP_CACHE_DIR": str(self.pip_cache)}


class Env:
    """A virtualenv that a test works in."""

    def __init__(self, prefix: Path, pair: Pair, home: Home) -> None:
        self.prefix = prefix
        self.pair = pair
        self.home = home
        self.bin = prefix / "bin"
        self.python = self.bin / "python"
        self.site_packages = prefix / "lib" / f"python{pair.python}" / "site-packages"

    def run_pip(
        self,
        *args: str | Path,
        index: IndexServer | str | None = None,
        policy: str | None = None,
        protected: bool = True,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        check: bool = False,
        online: bool = False,
        timeout: float = 120,
    ) -> Result:
        """Run ``python -m pip``.

        Args:
            *args: What follows ``pip``.
            index: The only index there is, given through ``PIP_INDEX_URL`` so that builds inherit it.
            policy: Text for the user's policy file, which is written first and stays.
            protected: ``False`` sets ``VELN_HOOK=off``.
            env: Further variables, the last word; an empty value is an empty variable.
            cwd: Where to run; ``home.work`` if not given.
            check: Raise if it does not end with 0.
            online: Let pip use this machine's own configuration and index.
            timeout: Seconds until it is killed and ``subprocess.TimeoutExpired`` is raised.

        Raises:
            AssertionError: ``check`` is set and it failed; the message has its whole output.
        """
        return self._run(
            [self.python, "-m", "pip", *args],
            index=index,
            policy=policy,
            protected=protected,
            env=env,
            cwd=cwd,
            check=check,
            online=online,
            timeout=timeout,
        )

    def run(
        self,
        *args: str | Path,
        index: IndexServer | str | None = None,
        policy: str | None = None,
        protected: bool = True,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        check: bool = False,
        online: bool = False,
        timeout: float = 120,
    ) -> Result:
        """Run the environment's Python; keywords as in `run_pip`."""
        return self._run(
            [self.python, *args],
            index=index,
            policy=policy,
            protected=protected,
            env=env,
            cwd=cwd,
            check=check,
            online=online,
            timeout=timeout,
        )

    def run_script(
        self,
        name: str,
        *args: str | Path,
        index: IndexServer | str | None = None,
        policy: str | None = None,
        protected: bool = True,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        check: bool = False,
        online: bool = False,
        timeout: float = 120,
    ) -> Result:
        """Run a script of the environment, such as ``veln-hook`` or ``pip``; keywords as in `run_pip`."""
        return self._run(
            [self.bin / name, *args],
            index=index,
            policy=policy,
            protected=protected,
            env=env,
            cwd=cwd,
            check=check,
            online=online,
            timeout=timeout,
        )

    def environ(self, *, index: IndexServer | str | None = None, online: bool = False) -> dict[str, str]:
        """Return the whole environment that a command of this virtualenv runs in."""
        environ = self.home.environ(online=online)
        environ["PATH"] = f"{self.bin}{os.pathsep}{environ['PATH']}"
        if index is not None:
            environ.pop("PIP_NO_INDEX", None)
            environ["PIP_INDEX_URL"] = index.auth_url if isinstance(index, IndexServer) else index
        return environ

    def installed(self) -> dict[str, str]:
        """Return what is installed, pip and veln-hook too: version by normalized project name."""
        found = {}
        for info in self.site_packages.glob("*.dist-info"):
            name, version = info.name[: -len(".dist-info")].split("-")
            found[normalized(name)] = version
        for info in self.site_packages.glob("*.egg-info"):  # left by the oldest pips' `setup.py install`
            name, version = info.name[: -len(".egg-info")].split("-")[:2]
            found[normalized(name)] = version
        return found

    def files(self) -> dict[str, str]:
        """Return the sha256 of every file by its path in the environment, ``__pycache__`` aside."""
        return {
            str(path.relative_to(self.prefix)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.prefix.rglob("*"))
            if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts
        }

    def _run(
        self,
        command: Sequence[str | Path],
        *,
        index: IndexServer | str | None,
        policy: str | None,
        protected: bool,
        env: Mapping[str, str] | None,
        cwd: Path | None,
        check: bool,
        online: bool,
        timeout: float,
    ) -> Result:
        if policy is not None:
            self.home.write_policy(policy)
        environ = self.environ(index=index, online=online)
        if not protected:
            environ["VELN_HOOK"] = "off"
        result = Result.of(command, {**environ, **(env or {})}, cwd or self.home.work, timeout)
        if check and result.returncode != 0:
            raise AssertionError(str(result))
        return result


def shared_env(pair: Pair, home: Home, *, hooked: bool = True) -> Env:
    """Return the cached environment itself, for commands that change nothing in it (``--target``, ``download``)."""
    return Env(hooked_venv(pair) if hooked else bare_venv(pair), pair, home)


def fresh_env(prefix: Path, pair: Pair, home: Home, *, hooked: bool = True, setuptools: bool = False) -> Env:
    """Make an environment at ``prefix`` that belongs to the caller alone.

    Args:
        prefix: Where to put it; must not exist.
        pair: Which pip on which Python.
        home: The home that its commands run in.
        hooked: Whether veln-hook, built from this tree, is installed in it.
        setuptools: Whether setuptools and wheel are, for ``--no-build-isolation`` and the oldest pips' legacy builds.
    """
    copy_venv(hooked_venv(pair) if hooked else bare_venv(pair), prefix)
    env = Env(prefix, pair, home)
    if setuptools:
        env.run_pip("install", "--quiet", "--no-deps", *legacy_build_wheels(), protected=False, check=True)
    return env
