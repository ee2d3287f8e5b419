"""What ``veln-hook run`` gives a command: which places it reads and writes, which variables it keeps.

The working directory is written, but for what other programs of the user run without being asked to: hooks,
editor settings, shell start-up files, virtual environments. A home directory is empty but for toolchains, and
secrets are hidden wherever they lie, unless they are named one by one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Optional

from veln_hook import paths
from veln_hook.errors import UsageError
from veln_hook.sandbox import environment, hiding, layout
from veln_hook.sandbox.interface import Confinement, Limits, Rung
from veln_hook.sandbox.layout import is_within
from veln_hook.sandbox.surroundings import homes, is_wide, repository

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

STARTED_UNASKED = (
    # Version control: hooks and configuration. The whole of .git, since a new file there (``commondir`` of
    # gitrepository-layout(5)) is enough to have git look for its hooks elsewhere.
    *(".git", ".hg", ".jj", ".svn"),
    # Editors run tasks and interpreters that are named there; direnv runs .envrc.
    *(".vscode", ".idea", ".devcontainer", ".envrc"),
    # Shells.
    *(".bashrc", ".bash_profile", ".bash_login", ".bash_aliases", ".profile", ".zshrc", ".zshenv"),
    *(".zprofile", ".zlogin", ".kshrc", ".cshrc", ".tcshrc", ".login", ".xprofile", ".xsession"),
)
"""Names in the working directory of what other programs of the user run without being asked to."""
ENVIRONMENT_MARKS = ("pyvenv.cfg", "conda-meta")
"""Whoever writes into an environment writes into every later start of its Python."""
_MAX_CERTIFICATES = 4 << 20
"""Bytes; the authorities that browsers trust take a quarter of a million."""
_OWN_FILES = (Rung.NAMESPACES, Rung.BUBBLEWRAP)
"""Rungs that lay a file system out; the others can't take a part out of what is written (landlock(7))."""


@dataclass(frozen=True)
class Wishes:
    """What the command line asks for."""

    command: tuple[str, ...]
    allow: tuple[str, ...] = ()
    """Hosts, as the gate reads them."""
    write: tuple[str, ...] = ()
    """Paths as they were typed."""
    read: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    """Names of variables."""
    seconds: Optional[float] = None
    learn: bool = False
    """Tell what it tried to reach, and the policy that would allow it."""


@dataclass(frozen=True)
class Confined:
    """A confinement, and what is to be told of it."""

    confinement: Confinement
    removed: tuple[str, ...]
    """Names of the variables that the command doesn't get."""
    guarded: tuple[str, ...]
    """Places in the working directory that aren't written."""


def confine(wishes: Wishes, cwd: str, environ: Mapping[str, str], rung: Rung, *, terminal: bool) -> Confined:
    """Work out what a command may do.

    Args:
        wishes: What was asked for.
        cwd: The working directory.
        environ: The whole environment, secrets included.
        rung: How it will be confined.
        terminal: Whether there is a controlling terminal, which the command is to have.

    Raises:
        UsageError: A place isn't there, or would open what has to stay closed.
    """
    named_read = tuple(_existing(path, "--read") for path in wishes.read)
    named_write = tuple(_existing(path, "--write") for path in wishes.write)
    named = tuple(map(os.path.realpath, (*named_read, *named_write)))
    by_home = hiding.secrets_by_home(environ)
    secrets = _secrets(by_home)
    writes = [*_working_directory(cwd, named_write, secrets, environ), *named_write]
    _refuse_too_much(named_read, named_write, environ)
    guarded = _guarded(cwd, named_write, environ) if cwd in writes else []
    around = _around(cwd, environ)
    if rung in _OWN_FILES:
        secrets += [path for path in _git_settings(cwd, around) if environment.file_holds_secret(path)]
    scrubbed = environment.scrub(environ, wishes.keep)
    toolchains = [path for home in by_home for path in hiding.toolchains(home, environ, by_home[home])]
    program = list(_program(wishes.command[0], cwd, environ))
    certificates = list(_certificates(scrubbed.environment))
    return Confined(
        Confinement(
            cwd=cwd,
            environment=scrubbed.environment,
            write=tuple(dict.fromkeys(writes)),
            read=tuple(dict.fromkeys((*toolchains, *around, *program, *certificates, *named_read, *guarded))),
            hide=tuple(_but_named(secrets, named)),
            own_processes=True,
            terminal=terminal,
            limits=Limits(file_size=None, seconds=wishes.seconds),
        ),
        scrubbed.removed,
        tuple(guarded),
    )


def _existing(path: str, option: str) -> str:
    if not path:  # os.path.abspath would take it for the working directory
        raise UsageError(f"{option} names nothing", advice="Name a directory or file, or leave it out.")
    absolute = os.path.abspath(path)
    if not os.path.exists(absolute):
        raise UsageError(
            f"{option} {path}: no such file or directory", advice="Make it before, or leave it out."
        )
    return absolute


def _secrets(by_home: Mapping[str, Iterable[str]]) -> list[str]:
    found = dict.fromkeys((str(paths.state_dir()), *chain.from_iterable(by_home.values())))
    return [path for path in found if os.path.exists(path)]


def _working_directory(
    cwd: str, named: Sequence[str], secrets: Sequence[str], environ: Mapping[str, str]
) -> list[str]:
    """Return what is written of the working directory: all of it or nothing.

    Raises:
        UsageError: It can't be opened without opening far more than one project.
    """
    real = os.path.realpath(cwd)
    if any(is_within(real, secret) for secret in secrets):
        raise UsageError(
            f"the working directory {real} is one of those that are kept from confined commands",
            advice="Change into the directory of your project.",
        )
    if real in map(os.path.realpath, named) or not is_wide(real, environ):
        return [cwd]
    if real in homes(environ):
        raise UsageError(
            f"the working directory {real} is your home, and all of it would be open",
            advice="Change into the directory of your project; if this is it, say so with --write .",
        )
    if layout.covers(layout.PRIVATE_PLACES, real):
        raise UsageError(
            f"the working directory {real} holds the files of many programs, and all of it would be open",
            advice="Change into a directory of its own.",
        )
    return []  # like all else outside of private places: read, not written


def _refuse_too_much(
    named_read: Iterable[str], named_write: Iterable[str], environ: Mapping[str, str]
) -> None:
    for option, places in (("--read", named_read), ("--write", named_write)):
        for path in places:
            real = os.path.realpath(path)
            # A home is somebody's own word; its secrets stay hidden.
            too_much = real == "/" or (option == "--write" and is_wide(real, environ))
            if too_much and real not in homes(environ):
                raise UsageError(
                    f"{option} {path} would open far more than a command needs",
                    advice="Name the directory in it that is meant.",
                )


def _guarded(cwd: str, named_write: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """Return what there is in the working directory that the command must not change."""
    here = os.path.realpath(cwd)
    found = [os.path.join(cwd, name) for name in STARTED_UNASKED]
    found += environments_in(cwd)
    # By their real paths: a link elsewhere isn't writable anyway.
    found += [path for path in _own_places(environ) if is_within(path, here)]
    opened = [real for real in map(os.path.realpath, named_write) if real != here]
    return [
        path
        for path in dict.fromkeys(found)
        if os.path.exists(path)
        and os.path.realpath(path) != here
        and not any(is_within(os.path.realpath(path), place) for place in opened)
    ]


def environments_in(directory: str) -> list[str]:
    """Return the virtual environments right below a directory; links are none."""
    try:
        entries = [entry.path for entry in os.scandir(directory) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [path for path in entries if _is_environment(path)]


def _is_environment(path: str) -> bool:
    return any(os.path.exists(os.path.join(path, mark)) for mark in ENVIRONMENT_MARKS)


def _own_places(environ: Mapping[str, str]) -> Iterator[str]:
    for path in (sys.prefix, environ.get("VIRTUAL_ENV", ""), environ.get("CONDA_PREFIX", "")):
        if os.path.isabs(path):
            yield os.path.realpath(path)
    yield os.path.realpath(paths.PACKAGE_DIR)


def _around(cwd: str, environ: Mapping[str, str]) -> list[str]:
    """Return the rest of the repository that the working directory lies in, which git and tools look up."""
    found = repository(os.path.realpath(cwd), environ)
    if not found or os.path.basename(found[0]) == ".git":
        return []  # there is none, or it is a home directory's
    return found


def _git_settings(cwd: str, around: Iterable[str]) -> Iterator[str]:
    places = [os.path.join(cwd, ".git"), *around]
    for name in ("config", "config.worktree"):
        yield from (path for path in (os.path.join(place, name) for place in places) if os.path.isfile(path))


def _program(name: str, cwd: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the program that is meant, and the virtual environment that it belongs to."""
    found = shutil.which(name, path=environ.get("PATH", os.defpath))
    if found is None:
        return
    path = os.path.join(cwd, found)
    yield path
    prefix = os.path.dirname(os.path.dirname(os.path.abspath(path)))
    if _is_environment(prefix) and not is_wide(os.path.realpath(prefix), environ):
        yield prefix


def _certificates(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the files of trusted certificates that variables name: a home may hold a company's."""
    for name in filter(environment.names_certificates, environ):
        path = environ[name]
        if os.path.isabs(path) and os.path.isfile(path):
            with contextlib.suppress(OSError), open(path, "rb") as file:
                text = file.read(_MAX_CERTIFICATES + 1)
                if len(text) > _MAX_CERTIFICATES:
                    continue
                if b"-----BEGIN CERTIFICATE-----" in text and b"PRIVATE KEY-----" not in text:  # RFC 7468
                    yield path


def _but_named(secrets: Iterable[str], named: Sequence[str]) -> list[str]:
    """Return secret places without those that were named, by their own name or a more exact one."""
    left = list(dict.fromkeys(map(os.path.realpath, secrets)))
    for path in named:
        parts = [(place, is_within(path, place)) for place in left]
        left = [place for place, opened in parts if not opened]
        for place, opened in parts:
            if opened and place != path:
                left += layout.without(place, [path])
    return left
