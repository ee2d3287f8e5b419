"""Changes of files that can be told before, made, and taken back to the byte.

What was made is written into a record, from which it is taken back. Rules:
nothing that somebody else changed since is removed, it is told; a file is
written whole or not at all; what was there before is never written over.
"""

from __future__ import annotations

import base64
import glob
import hashlib
import json
import os
import shutil
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from veln_hook.errors import EnableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SCHEMA = 1


class Step(NamedTuple):
    """One change, told."""

    verb: str
    """``create``, ``add to``, ``remove``, ``restore``, ``leave``."""
    path: str
    detail: str = ""


class Change(NamedTuple):
    """One file to be made, or to be added to."""

    path: str
    text: str
    """What it holds, or what is put at its end."""
    adds: bool = False
    """Whether the file is somebody else's."""
    mode: int = 0o644


class Record:
    """What was made, in a file.

    Args:
        path: Of the record.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.files: list[dict[str, Any]] = []
        self.trees: list[str] = []
        """Directories that are ours with all that is in them."""
        self.settings: dict[str, Any] = {}
        with suppress(FileNotFoundError):
            self._read()

    @property
    def exists(self) -> bool:
        """Whether anything was switched on."""
        return bool(self.files or self.trees)

    def _read(self) -> None:
        try:
            with open(self.path, encoding="utf-8") as file:
                told = json.load(file)
            if told["schema"] != _SCHEMA:
                raise EnableError(f"{self.path} is of another version of veln-hook")
            self.files, self.trees, self.settings = told["files"], told["trees"], told["settings"]
        except FileNotFoundError:
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EnableError(f"{self.path} can't be read: {error}") from error

    def save(self) -> None:
        """Write it down.

        Raises:
            OSError: It can't be written.
        """
        told = {"schema": _SCHEMA, "settings": self.settings, "files": self.files, "trees": self.trees}
        write(self.path, json.dumps(told, indent=1) + "\n")

    # --- forward --------------------------------------------------------------------------------------

    def plan(self, changes: Iterable[Change]) -> Iterator[Step]:
        """Tell what ``apply`` would do."""
        for change in changes:
            if self._is_made(change):
                continue
            yield Step("add to" if change.adds else "create", change.path)

    def apply(self, changes: Iterable[Change]) -> None:
        """Make the changes; each is in the record before it is made.

        Raises:
            EnableError: A file that is to be made is there, and isn't ours.
            OSError: A file can't be written.
        """
        for change in changes:
            if self._is_made(change):
                continue
            if change.adds:
                self._take_out(change.path)
                before = read(change.path)
                if before is None:
                    raise EnableError(f"{change.path} is gone")
                self._note(change, digest(before))
                write(change.path, before + change.text)
            else:
                there = read(change.path)
                if there is not None and not self._is_ours(change.path, there):
                    raise EnableError(f"{change.path} is there already, and isn't veln-hook's")
                self._note(change, "")
                write(change.path, change.text, change.mode)

    def _is_made(self, change: Change) -> bool:
        there = read(change.path)
        if there is None or not any(each["path"] == change.path for each in self.files):
            return False
        return there.endswith(change.text) if change.adds else there == change.text

    def _is_ours(self, path: str, content: str) -> bool:
        return any(each["path"] == path and digest(content) in each["contents"] for each in self.files)

    def _note(self, change: Change, before: str) -> None:
        known = next((each for each in self.files if each["path"] == change.path), None)
        if known is None:
            made = [] if os.path.isdir(os.path.dirname(change.path)) else _missing(change.path)
            known = {"path": change.path, "adds": change.adds, "contents": [], "directories": made}
            self.files.append(known)
        # Not where an older block of ours was taken out of it.
        if change.adds and known.get("before") != before:
            known["mtime"] = os.stat(change.path).st_mtime_ns
            known["compiled"] = _compiled(change.path)
        known["before"] = before
        known["contents"] = [*known["contents"], digest(change.text)][-5:]
        known["text"] = change.text if change.adds else ""
        self.save()

    # --- back -----------------------------------------------------------------------------------------

    def undo(self, *, dry: bool = False) -> list[Step]:
        """Take everything back; what somebody else changed is left, and told.

        Args:
            dry: Only tell.

        Raises:
            OSError: A file can't be written or removed.
        """
        steps = []
        for entry in list(reversed(self.files)):
            step = self._step(entry)
            steps.append(step)
            if not dry and step.verb != "leave":
                self._take_back(entry)
                self.files.remove(entry)
                self.save()
        for tree in list(reversed(self.trees)):
            steps.append(Step("remove", tree, "with all that is in it"))
            if not dry:
                shutil.rmtree(tree, ignore_errors=True)
                self.trees.remove(tree)
        if not dry and not self.exists:
            with suppress(OSError):
                os.unlink(self.path)
                os.rmdir(os.path.dirname(self.path))
        return steps

    def _step(self, entry: dict[str, Any]) -> Step:
        content = read(entry["path"])
        if entry["adds"]:
            if content is None or entry["text"] not in content:
                return Step("leave", entry["path"], "our block is gone")
            return Step("restore", entry["path"])
        if content is None:
            return Step("remove", entry["path"], "it is gone already")
        if digest(content) not in entry["contents"]:
            return Step("leave", entry["path"], "it was changed since")
        return Step("remove", entry["path"])

    def _take_out(self, path: str) -> None:
        """Take an older block of ours out of a file that gets another."""
        for entry in self.files:
            if entry["path"] == path and entry["text"]:
                _without(path, entry["text"])

    def _take_back(self, entry: dict[str, Any]) -> None:
        path = entry["path"]
        if entry["adds"]:
            left = _without(path, entry["text"])
            if left is not None and digest(left) == entry["before"]:
                os.utime(path, ns=(entry["mtime"], entry["mtime"]))
            _remove_compiled(path)
            for name, (data, mtime) in entry["compiled"].items():
                write(name, base64.b64decode(data))
                os.utime(name, ns=(mtime, mtime))
        else:
            with suppress(FileNotFoundError):
                os.unlink(path)
            _remove_compiled(path)
        for directory in reversed(entry["directories"]):
            with suppress(OSError):
                os.rmdir(directory)


def read(path: str) -> str | None:
    """Return what a file holds, undecodable bytes as surrogates; ``None`` if there is none.

    Raises:
        OSError: It can't be read.
    """
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _without(path: str, block: str) -> str | None:
    """Take a block out of a file, if it is there; return what the file then holds, ``None`` if it is gone."""
    content = read(path)
    if content is None or block not in content:
        return content
    content = content.replace(block, "", 1)
    write(path, content)
    return content


def write(path: str, content: str | bytes, mode: int | None = None) -> None:
    """Write a file whole or not at all; one that is there keeps its mode and owner, and stays a link.

    Raises:
        OSError: It can't be written.
    """
    path = os.path.realpath(path)
    directory = os.path.dirname(path)
    os.makedirs(directory, 0o755, exist_ok=True)
    try:
        status = os.stat(path)
    except FileNotFoundError:
        status = None
    descriptor, new = tempfile.mkstemp(prefix=".veln-hook-", dir=directory)
    try:
        with open(descriptor, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))
        os.chmod(new, status.st_mode & 0o7777 if status is not None else mode or 0o644)
        if status is not None and os.geteuid() == 0:
            os.chown(new, status.st_uid, status.st_gid)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise


def digest(text: str) -> str:
    """Return the sha256 of a file's content."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _missing(path: str) -> list[str]:
    """Return the directories above a file that aren't there, the outermost first."""
    missing = []
    above = os.path.dirname(path)
    while not os.path.isdir(above):
        missing.append(above)
        above = os.path.dirname(above)
    return missing[::-1]


def _caches(path: str) -> list[str]:
    """Return the compiled forms of a module."""
    directory, name = os.path.split(path)
    stem, suffix = os.path.splitext(name)
    if suffix != ".py":
        return []
    return sorted(
        glob.glob(os.path.join(glob.escape(directory), "__pycache__", f"{glob.escape(stem)}.*.pyc"))
    )


def _compiled(path: str) -> dict[str, tuple[str, int]]:
    """Return the compiled forms of a module as they are, with their times."""
    found = {}
    for name in _caches(path):
        with open(name, "rb") as file:
            data = base64.b64encode(file.read()).decode("ascii")
        found[name] = data, os.stat(name).st_mtime_ns
    return found


def _remove_compiled(path: str) -> None:
    for name in _caches(path):
        with suppress(OSError):
            os.unlink(name)
    with suppress(OSError):
        os.rmdir(os.path.join(os.path.dirname(path), "__pycache__"))
