"""A user with a real uv."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.gated import User, installed
from support.pythons import find_python, newest_pair

if TYPE_CHECKING:
    from support.envs import Home, Result
    from support.tls_index import TlsIndex


class Uv(User):
    """A uv, with veln-hook beside it."""

    def __init__(self, version: str, bin: Path, hook: Path, home: Home, ca_file: Path) -> None:  # noqa: A002
        python = find_python(newest_pair().python)
        assert python is not None
        # The Python is found there, and named nowhere: `uv pip` would install into one that is named.
        super().__init__(home, hook, ca_file, bin, Path(python).parent)
        self.version = version

    def __repr__(self) -> str:
        return f"uv {self.version}"

    def gated(
        self,
        *args: str | Path,
        options: tuple[str, ...] = (),
        policy: str | None = None,
        index: TlsIndex | str | None = None,
        **more,
    ) -> Result:
        """Run ``veln-hook OPTIONS uv ARGS``.

        Args:
            *args: What follows ``uv``.
            options: What precedes it.
            policy: Text for the user's policy file, which stays.
            index: The default index; a string is its URL.
            **more: As of `User.run`.
        """
        if policy is not None:
            self.home.write_policy(policy)
        return self._run([self.hook, *options, "uv", *args], index, more)

    def direct(self, *args: str | Path, index: TlsIndex | str | None = None, **more) -> Result:
        """Run the real uv without us."""
        return self._run([self.bins[0] / "uv", *args], index, more)

    def _run(self, command: list[str | Path], index: TlsIndex | str | None, more: dict) -> Result:
        env = {}
        if index is not None:
            env["UV_DEFAULT_INDEX"] = index if isinstance(index, str) else index.auth_url
        return self.run(command, **{**more, "env": {**env, **more.get("env", {})}})

    def environ(self) -> dict[str, str]:
        return {
            **super().environ(),
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_PYTHON_PREFERENCE": "only-system",
            "UV_NO_PROGRESS": "1",
        }

    def venv(self, path: Path) -> Path:
        """Make a virtualenv, with no pip in it."""
        self.direct("venv", "--quiet", path, check=True)
        return path

    def user_cache(self) -> Path:
        """Return the directory that the user's own uv keeps things in."""
        return self.home.path / ".cache" / "uv"


def some(table: dict[str, Any], count: int = 1) -> list[Any]:
    """Return the parameters of a table, of which all but the first are ``slow``; unit tests have them all."""
    return [
        pytest.param(value, id=name, marks=() if number < count else pytest.mark.slow)
        for number, (name, value) in enumerate(table.items())
    ]


class Target:
    """A virtualenv that a test installs into with ``uv pip``."""

    def __init__(self, uv: Uv, prefix: Path) -> None:
        self.uv = uv
        self.prefix = uv.venv(prefix)

    def install(self, index: TlsIndex | str, *words: str | Path, **more) -> Result:
        """Install through the gate."""
        return self.uv.gated("pip", "install", "--python", self.prefix, *words, index=index, **more)

    def installed(self) -> dict[str, str]:
        """Return version by normalized project name."""
        return installed(self.prefix)

    def falls_back(self, index: TlsIndex, *words: str, **more) -> None:
        """Install demo, and find the release before the one that is too young."""
        result = self.install(index, "demo", *words, **more)
        assert result.returncode == 0, result
        assert "HOLD  demo 2.0  uploaded 12 min ago" in result.stderr, result
        assert self.installed() == {"demo": "1.0"}

    def fails(self, index: TlsIndex | str, *words: str, **more) -> Result:
        """Install what must not be installed; return what was told."""
        result = self.install(index, *words, **more)
        assert result.returncode != 0, result
        assert self.installed() == {}
        return result
