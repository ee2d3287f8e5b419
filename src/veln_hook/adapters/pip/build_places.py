"""What a confined build may write and read on this machine; see ``sandbox.interface.Confinement``.

Rules of this module: a path that becomes writable is resolved first and must be narrow, because what lies in
a source tree, links too, is its author's. Nothing here decides about a build; a place that can't be made
writable raises, and the build doesn't start.
"""

from __future__ import annotations

import json
import os
import site
import sys
import sysconfig
import tempfile
from importlib import metadata
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

from veln_hook import paths
from veln_hook.adapters.building.places import PlaceError, environment_parts, existing, files_to_hide
from veln_hook.sandbox import hiding
from veln_hook.sandbox.layout import is_within
from veln_hook.sandbox.surroundings import homes, is_wide, repository

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from veln_hook.adapters.pip.build_command import BuildCommand, Scheme

_BUILD_ENVIRONMENT = "pip-build-env-"
"""How the temporary directory of a build environment is called (pip._internal.utils.temp_dir)."""


class SourceTree(NamedTuple):
    """A source tree that pip has prepared, and that builds may run in."""

    root: str
    """Real path of the whole tree: the unpacked archive, the checkout, the user's own directory."""
    name: str
    """What it is called in messages."""
    own: bool
    """The user's own directory, rather than something that pip unpacked or cloned."""


def writable(command: BuildCommand, source: SourceTree, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the directories that a build writes.

    Args:
        command: What is built; its ``cwd`` may be a link that the source tree brought along.
        source: The tree it belongs to.
        environ: The caller's environment, for HOME.

    Returns:
        Real paths of existing directories.

    Raises:
        PlaceError: One of them would give the build more than its own.
    """
    cwd = os.path.realpath(command.cwd)
    if not is_within(cwd, source.root):
        raise PlaceError(f"{source.name} would be built in {cwd}, which is outside its source {source.root}")
    # What pip unpacked goes when it ends, and parts of it may be built from the whole.
    wanted = [cwd if source.own else source.root, *map(os.path.realpath, command.write)]
    for place in wanted:
        if is_wide(place, environ):
            raise PlaceError(
                f"the build of {source.name} would have to write all of {place}; "
                "move the source into a directory of its own"
            )
    if command.scheme is not None:
        wanted += installed_into(command.scheme, environ)
    return tuple(dict.fromkeys(wanted))


def installed_into(scheme: Scheme, environ: Mapping[str, str]) -> list[str]:
    """Return the directories that ``setup.py install`` or ``develop`` writes into, making what is missing.

    Args:
        scheme: What it was told.
        environ: For HOME.

    Raises:
        PlaceError: It was told to install into a place that holds everything.
    """
    if scheme.root or scheme.home:
        place = scheme.root or scheme.home
        os.makedirs(place, exist_ok=True)
        if is_wide(os.path.realpath(place), environ):
            raise PlaceError(f"a build that installs into {place} can't be confined")
        return [os.path.realpath(place)]
    if scheme.user:
        base, site_packages = site.getuserbase(), site.getusersitepackages()
        wanted = [site_packages, os.path.join(base, "bin")]
        base_exists = True
    else:
        base = scheme.prefix or sys.prefix
        bases = {"base": base, "platbase": base} if scheme.prefix else {}
        wanted = [sysconfig.get_path(name, vars=bases or None) for name in ("purelib", "platlib", "scripts")]
        base_exists = os.path.isdir(base)
    for place in wanted:
        os.makedirs(place, exist_ok=True)
    # Headers and data: below the environment, and only where it has such directories.
    more = [os.path.join(base, name) for name in ("include", "share", "etc")] if base_exists else []
    found = [os.path.realpath(place) for place in (*wanted, *more) if os.path.isdir(place)]
    return [place for place in found if not is_wide(place, environ)]


def readable(
    command: BuildCommand,
    source: SourceTree,
    environ: Mapping[str, str],
    write: Sequence[str],
    secrets: Mapping[str, tuple[str, ...]],
) -> tuple[str, ...]:
    """Return what a build reads that may lie in a hidden place: a home, a temporary directory.

    Args:
        command: What is built.
        source: The tree it belongs to.
        environ: The build's environment.
        write: What it may write.
        secrets: What `hiding.secrets_by_home` tells.

    Returns:
        Existing paths; a home itself, or what holds one, is never among them. What lies in a writable
        directory is named where it should not be written nevertheless.
    """
    wanted = [source.root, command.script, *_interpreter(command.words[0]), *_protection()]
    searched = os.pathsep.join((environ.get("PATH", ""), environ.get("PYTHONPATH", "")))
    environments = [_build_environment(entry) for entry in searched.split(os.pathsep)]
    wanted += environments
    isolated = "PYTHONNOUSERSITE" in environ or any(environments)
    if not isolated:
        wanted += _beside_the_environment()
    if source.own:
        wanted += repository(os.path.realpath(command.cwd), environ)
    for home in homes(environ):
        wanted += hiding.toolchains(home, environ, secrets.get(home))
    return existing(wanted, environ, write)


def hidden(environ: Mapping[str, str], secrets: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return what a build must not read wherever it lies: secrets, our own state, pip's configuration.

    Args:
        environ: The caller's environment, before anything was taken out of it.
        secrets: What `hiding.secrets_by_home` tells of it.
    """
    return files_to_hide(secrets, _pip_configuration(environ))


def _interpreter(program: str) -> list[str]:
    """Return the directories that an interpreter of ours, or one of a build environment, runs from."""
    prefixes = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]
    environment = os.path.dirname(os.path.dirname(program))
    if os.path.isfile(os.path.join(environment, "pyvenv.cfg")):
        prefixes.append(environment)
    return [*environment_parts(prefixes), os.path.realpath(program)]


def _protection() -> list[str]:
    """Return our own files and pip's."""
    package = str(paths.PACKAGE_DIR)
    beside = os.path.dirname(package)
    return [
        package,
        os.path.join(beside, "veln_hook_startup.pth"),
        os.path.join(beside, "_veln_hook_fallback.py"),
        os.path.join(beside, "pip"),
    ]


def _build_environment(entry: str) -> str:
    """Return the directory of pip's build environment that an entry of a search path lies in, or nothing."""
    temporary, real = os.path.realpath(tempfile.gettempdir()), os.path.realpath(entry)
    if not os.path.isabs(entry) or not is_within(real, temporary) or real == temporary:
        return ""
    first = os.path.relpath(real, temporary).split(os.sep)[0]
    return os.path.join(temporary, first) if first.startswith(_BUILD_ENVIRONMENT) else ""


def _beside_the_environment() -> Iterator[str]:
    """Yield where projects lie that are installed as editables: a build without isolation imports them."""
    if site.ENABLE_USER_SITE:
        yield site.getusersitepackages()
    for distribution in metadata.distributions():
        try:
            url = json.loads(distribution.read_text("direct_url.json") or "{}")  # PEP 610
            if url.get("dir_info", {}).get("editable"):
                yield url2pathname(urlsplit(url["url"]).path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue


def _pip_configuration(environ: Mapping[str, str]) -> Iterable[str]:
    """Yield the files that pip reads its options from; those in a home are among the secrets already."""
    if environ.get("PIP_CONFIG_FILE"):
        yield environ["PIP_CONFIG_FILE"]
    yield os.path.join(sys.prefix, "pip.conf")
    yield "/etc/pip.conf"
    for directory in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep):
        yield os.path.join(directory, "pip")
