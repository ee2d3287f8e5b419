"""A user with a home, a project, a client, and an index that only the user's own CA vouches for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from support.builders import make_wheel, normalized
from support.envs import Result
from support.held import OLD, YOUNG

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from support.envs import Home
    from support.tls_index import TlsIndex

SECONDS = 120


class User:
    """Runs commands, with veln-hook at hand.

    Args:
        home: Where everything of the user's lies.
        hook: The program ``veln-hook``.
        ca_file: The CA that the user trusts.
        bins: Directories that come first in ``PATH``.
    """

    def __init__(self, home: Home, hook: Path, ca_file: Path, *bins: Path) -> None:
        self.home = home
        self.hook = hook
        self.ca_file = ca_file
        self.bins = list(bins)

    def environ(self) -> dict[str, str]:
        """Return the whole environment of a command."""
        environ = self.home.environ()
        del environ["PIP_NO_INDEX"]  # the clients are told of an index, and pip's configuration of none
        environ["PATH"] = os.pathsep.join((*map(str, self.bins), environ["PATH"]))
        environ["SSL_CERT_FILE"] = str(self.ca_file)
        return environ

    def veln_hook(self, *args: str | Path, **more: Any) -> Result:
        """Run one of our commands; keywords as of `run`."""
        return self.run([self.hook, *args], **more)

    def run(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = SECONDS,
        check: bool = False,
    ) -> Result:
        """Run a command as this user.

        Args:
            command: Program and arguments.
            env: Further variables.
            cwd: Where; ``home.work`` if not given.
            timeout: Seconds until it is killed, and the test fails.
            check: Raise if it does not end with 0.

        Raises:
            AssertionError: It failed though it must not, or Python of ours did.
        """
        result = Result.of(command, {**self.environ(), **(env or {})}, cwd or self.home.work, timeout)
        ours = "Traceback (most recent call last)" in result.stderr and "/veln_hook/" in result.stderr
        if ours or (check and result.returncode != 0):
            raise AssertionError(str(result))
        return result


def installed(prefix: Path) -> dict[str, str]:
    """Return what is installed in a virtualenv: version by normalized project name."""
    found = {}
    for info in prefix.glob("lib/python*/site-packages/*.dist-info"):
        name, version = info.name[: -len(".dist-info")].split("-")
        found[normalized(name)] = version
    return found


def releases(index: TlsIndex, directory: Path, name: str = "demo", **options: Any) -> TlsIndex:
    """Add an old release 1.0 and a young one 2.0, as wheels; return the index."""
    index.add(make_wheel(directory, name, "1.0", **options), upload_time=OLD)
    index.add(make_wheel(directory, name, "2.0", **options), upload_time=YOUNG)
    return index


def write_project(directory: Path, *dependencies: str, more: str = "", name: str = "proj") -> Path:
    """Write a project that isn't built, and return its directory."""
    directory.mkdir(parents=True, exist_ok=True)
    wanted = ", ".join(f'"{each}"' for each in dependencies)
    (directory / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "0.1"\nrequires-python = ">=3.9"\ndependencies = [{wanted}]\n{more}'
    )
    return directory


def untouched(index: TlsIndex, version: str = "2.0", name: str = "demo") -> bool:
    """Tell whether not a byte of a wheel was sent to anybody."""
    return index.file_bytes(f"{name}-{version}-py3-none-any.whl") == 0
