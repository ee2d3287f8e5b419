"""Which files configure one command of uv, and what in them would lead it around the gate.

uv takes the nearest ``uv.toml`` or ``[tool.uv]`` at or above the project (that of the workspace's root, if it
is a member of one), the user's and the system's; a script has its own. ``--config-file`` stands in for the
first three. Some settings there count for more than the environment that the gate gives uv, and a project's
files are whoever's wrote the project: those settings are refused, by file and key.

Source: ``uv-settings/src/lib.rs`` and ``uv/src/lib.rs`` of uv 0.12, and trials with 0.5, 0.9 and 0.13.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from veln_hook.adapters.uv.files import TomlFile, read_script, read_toml
from veln_hook.errors import UsageError
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from veln_hook.adapters.uv.commands import Line
    from veln_hook.adapters.uv.words import Words

FORBIDDEN = {
    "https-proxy": "takes the gate's place as uv's proxy",
    "http-proxy": "takes the gate's place as uv's proxy",
    "no-proxy": "lets uv reach hosts without the gate",
    "allow-insecure-host": "lets uv reach hosts without checking who they are",
    "trusted-host": "lets uv reach hosts without checking who they are",
    "cache-dir": "leads uv to a cache whose contents nobody has judged",
}
"""Settings that would undo the protection, and how."""
_OPTIONS = {
    "--allow-insecure-host": "allow-insecure-host",
    "--trusted-host": "allow-insecure-host",
    "--cache-dir": "cache-dir",
}
_MIRRORS = ("python-install-mirror", "pypy-install-mirror", "python-downloads-json-url")
"""Where uv fetches Python itself; a path here would put a project's own interpreter in its place."""
_BUILD_VARIABLES = "extra-build-variables"
_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
"""What uv takes for yes (clap's BoolishValueParser)."""
_TOOL_UV = ("tool", "uv")


class Settings(NamedTuple):
    """One file's settings for uv."""

    file: TomlFile
    table: dict[str, Any]
    """What ``uv.toml`` or ``[tool.uv]`` says."""
    prefix: tuple[str, ...]
    """Where in the file: nowhere in particular, or ``tool.uv``."""
    is_project: bool
    """Whether it came with a project or a script, rather than from the user or the machine."""

    def place(self, *parts: str | int) -> str:
        """Return ``path:line`` of a setting."""
        return self.file.place((*self.prefix, *parts))


class Places(NamedTuple):
    """Where a command works."""

    directory: str
    """Its working directory; relative paths on its command line lead from here."""
    project: str
    """Where it begins to look for a project."""


def places(words: Words, environ: Mapping[str, str], cwd: str) -> Places:
    """Return where a command works, by ``--directory`` and ``--project`` and their variables."""
    told = words.values("--directory")[-1:] or [
        environ.get("UV_WORKING_DIR", "") or environ.get("UV_WORKING_DIRECTORY", "")
    ]
    directory = os.path.abspath(os.path.join(cwd, told[0]))
    chosen = words.values("--project")[-1:] or [environ.get("UV_PROJECT", "")]
    project = os.path.abspath(os.path.join(directory, chosen[0]))
    if os.path.basename(project) == "pyproject.toml" and os.path.isfile(project):
        project = os.path.dirname(project)
    return Places(directory, project)


def settings(
    line: Line, words: Words, environ: Mapping[str, str], where: Places, script: TomlFile | None = None
) -> list[Settings]:
    """Read every file whose settings count for a command, a project's first.

    Args:
        line: The command.
        words: Its words.
        environ: For the variables that name files.
        where: Where it works.
        script: The metadata of the script that it is about, if there is one.

    Raises:
        UsageError: A file can't be read.
    """
    found = [] if script is None else [_from_pyproject(script)]
    named = words.values("--config-file")[-1:] or [environ.get("UV_CONFIG_FILE", "")]
    if named[0]:
        file = read_toml(os.path.join(where.directory, named[0]))
        found += [] if file is None else [Settings(file, file.table, (), is_project=False)]
    elif not words.has("--no-config") and not is_true(environ.get("UV_NO_CONFIG", "")):
        if line.command[:1] not in (("tool",), ("self",)):
            found += _of_project(where.project)
        for path in (*_user_files(environ), *_system_files(environ)):
            file = read_toml(path)
            found += [] if file is None else [Settings(file, file.table, (), is_project=False)]
    return [one for one in found if one.table]


def refuse_ways_around(found: list[Settings], words: Words) -> None:
    """Return if neither files nor options lead uv around the gate.

    Raises:
        UsageError: One does.
    """
    for option, key in _OPTIONS.items():
        if words.has(option):
            raise UsageError(f"{option} {FORBIDDEN[key]}", advice="Leave the option out.")
    if words.has("--cert"):
        raise UsageError(
            "--cert takes the place of the gate's certificate, which is the only one that uv may trust",
            advice="Name your certificates in SSL_CERT_FILE: the gate then trusts them for uv.",
        )
    for one in found:
        for key, harm in FORBIDDEN.items():
            if key in one.table:
                raise UsageError(
                    f"{printable(one.place(key))}: {key} {harm}",
                    advice="Take it out, or run uv with --no-config. The gate itself goes through your "
                    "HTTPS_PROXY, and trusts your SSL_CERT_FILE.",
                )
        _refuse_build_variables(one)
        for key in _MIRRORS if one.is_project else ():
            if key in one.table and not str(one.table[key]).startswith(("https://", "http://")):
                raise UsageError(
                    f"{printable(one.place(key))}: {key} would put a project's own Python in uv's hands",
                    advice="Take it out, or run uv with --no-config.",
                )


def _refuse_build_variables(one: Settings) -> None:
    """Return if no variable for builds would start them unconfined."""
    packages = one.table.get(_BUILD_VARIABLES)
    if not isinstance(packages, dict):
        return
    from veln_hook.adapters.uv.builds import leads_around  # noqa: PLC0415 - rarely needed, and large

    for package, variables in packages.items():
        for name in variables if isinstance(variables, dict) else ():
            if leads_around(name):
                place = printable(one.place(_BUILD_VARIABLES, package, name))
                raise UsageError(
                    f"{place}: {_BUILD_VARIABLES} sets {printable(name)}, which says what a build loads",
                    advice="Take it out, or run uv with --no-config.",
                )


def is_true(text: str) -> bool:
    """Tell whether uv takes a variable's value for yes."""
    return text.strip().lower() in _TRUE


def _of_project(start: str) -> Iterator[Settings]:
    nearest = False
    for directory in _upwards(start):
        own = read_toml(os.path.join(directory, "uv.toml")) if not nearest else None
        path = os.path.join(directory, "pyproject.toml")
        # Further up only a workspace counts, and others' files there are none of our business.
        pyproject = read_toml(path) if not nearest or _mentions_workspace(path) else None
        if own is not None:
            nearest = True
            yield Settings(own, own.table, (), is_project=True)
        if pyproject is not None:
            one = _from_pyproject(pyproject)
            if one.table and (not nearest or own is not None or "workspace" in one.table):
                nearest = True
                yield one
                if "workspace" in one.table and own is None:
                    beside = read_toml(os.path.join(directory, "uv.toml"))
                    if beside is not None:
                        yield Settings(beside, beside.table, (), is_project=True)


def _upwards(start: str) -> Iterator[str]:
    directory = start
    while True:
        yield directory
        above = os.path.dirname(directory)
        if above == directory:
            return
        directory = above


def _mentions_workspace(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return b"workspace" in file.read(1 << 20)
    except OSError:
        return False


def _from_pyproject(file: TomlFile) -> Settings:
    table: Any = file.table
    for name in _TOOL_UV:
        table = table.get(name, {}) if isinstance(table, dict) else {}
    return Settings(file, table if isinstance(table, dict) else {}, _TOOL_UV, is_project=True)


def _user_files(environ: Mapping[str, str]) -> list[str]:
    home = environ.get("HOME") or os.path.expanduser("~")
    base = environ.get("XDG_CONFIG_HOME", "")
    found = [os.path.join(base if os.path.isabs(base) else os.path.join(home, ".config"), "uv", "uv.toml")]
    if sys.platform == "darwin":
        found.append(os.path.join(home, "Library", "Application Support", "uv", "uv.toml"))
    return found


def _system_files(environ: Mapping[str, str]) -> list[str]:
    if is_true(environ.get("UV_NO_SYSTEM_CONFIG", "")):
        return []
    listed = environ.get("XDG_CONFIG_DIRS", "") or "/etc/xdg"
    found = [os.path.join(entry, "uv", "uv.toml") for entry in listed.split(":") if entry]
    return [*found, "/etc/uv/uv.toml"]


__all__ = [
    "FORBIDDEN",
    "Places",
    "Settings",
    "is_true",
    "places",
    "read_script",
    "refuse_ways_around",
    "settings",
]
