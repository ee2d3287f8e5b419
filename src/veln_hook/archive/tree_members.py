"""Members of a source tree: the user's own directory, or a VCS checkout."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from veln_hook.archive.member import Member
from veln_hook.archive.member_names import RUN_SUFFIXES, Names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.archive.limits import Journal

VCS_DIRECTORIES = frozenset({".git", ".hg", ".svn"})
"""Skipped wherever they are: they hold history, and no build reads code of them."""
TOP_DIRECTORIES = frozenset({".venv", ".tox", ".nox", "node_modules"})
"""Skipped at the top: other projects' files, put there by tools of the developer."""


class TreeMember(Member):
    """A regular file of a directory."""

    __slots__ = ("_path",)

    def __init__(self, name: str, path: str, status: os.stat_result, journal: Journal) -> None:
        executable = bool(status.st_mode & 0o111)
        super().__init__(name, status.st_size, executable=executable, journal=journal)
        self._path = path

    def _read(self) -> bytes:
        return self._head(self.size + 1)

    def _head(self, count: int) -> bytes:
        # Between the listing and now it can have become a pipe, which would keep us waiting, or a link.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(self._path, flags | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError("it is no regular file")
            return file.read(count)


def tree_members(path: str, journal: Journal) -> Iterator[Member]:
    """Yield the regular files below a directory, sorted, without following links out of it.

    A link to a file inside the tree is given as that file under the link's name,
    since a build reads it under that name.

    Raises:
        FatalProblemError: A part can't be listed, or code is taken from outside.
    """
    names = Names(journal)
    root = os.path.realpath(path)
    pending = [""]
    while pending:
        directory = pending.pop()
        try:
            with os.scandir(os.path.join(root, directory)) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            journal.fail("unreadable", f"it can't be listed: {error.strerror or error}", directory)
        below = []
        for entry in entries:
            name = f"{directory}/{entry.name}" if directory else entry.name
            if entry.is_symlink():
                yield from _link(name, entry.path, root, names, journal)
            elif entry.is_dir(follow_symlinks=False):
                if entry.name in VCS_DIRECTORIES or (not directory and entry.name in TOP_DIRECTORIES):
                    continue
                names.directory(name)
                below.append(name)
            elif entry.is_file(follow_symlinks=False):
                yield TreeMember(names.file(name), entry.path, entry.stat(follow_symlinks=False), journal)
            else:
                names.count()
                journal.note("special-file", "it is a device, a pipe or a socket", name)
        pending += reversed(below)


def _link(name: str, path: str, root: str, names: Names, journal: Journal) -> Iterator[Member]:
    real = os.path.realpath(path)
    inside = real == root or real.startswith(root + os.sep)
    # What a link to a directory leads to is met on the walk, unless that skips it.
    parts = os.path.relpath(real, root).split(os.sep) if inside else []
    skipped = not VCS_DIRECTORIES.isdisjoint(parts) or not TOP_DIRECTORIES.isdisjoint(parts[:1])
    shown = ascii(os.readlink(path)[:100])
    directory = os.path.isdir(path)
    clean = names.file(name)
    if directory and inside and skipped:
        journal.fail("link", f"it takes code from a directory that is not looked into: {shown}", name)
    if not inside and (directory or (os.path.exists(path) and name.lower().endswith(RUN_SUFFIXES))):
        journal.fail("link", f"it leads outside of the tree: {shown}", name)
    journal.note("link", f"it is a link to {shown}", name)
    if not inside or directory:
        return
    try:
        status = os.lstat(real)
    except OSError:
        return  # it leads nowhere
    if stat.S_ISREG(status.st_mode):
        yield TreeMember(clean, real, status, journal)
