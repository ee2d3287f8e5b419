"""Names of members: where they would be written, and whether every reader and file system agrees."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from veln_hook.archive.limits import Journal

RUN_SUFFIXES = (".py", ".pth", ".pyc", ".pyw", ".so", ".pyd", ".dll", ".dylib", ".sh")
"""Files that are run or imported by their name."""
_BUILD_FILES = ("setup.py", "setup.cfg", "pyproject.toml")
"""Files that a build reads by their name."""
_ARCHIVES = re.compile(r"\.(whl|zip|egg|pyz|pyzw|tgz|tbz2?|txz|tar|tar\.(gz|bz2|xz|zst))$", re.IGNORECASE)
# C0, DEL and C1, and what turns the direction of text or shows as nothing.
_UNSHOWN = re.compile("[\x01-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_DRIVE = re.compile(r"[A-Za-z]:")
_MAX_PART_BYTES = 255
"""Of a name between two slashes; no common file system takes more."""


class Names:
    """Every name of an archive, held against all before it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._files: set[str] = set()
        self._folded: dict[str, str] = {}
        """Names of files as a file system that ignores case and composes accents has them."""
        self._directories: set[str] = {""}
        self._links: set[str] = set()
        self._count = 0

    def count(self) -> None:
        """Count an entry of whatever kind.

        Raises:
            FatalProblemError: It is one too many.
        """
        self._count += 1
        if self._count > self._journal.limits.max_members:
            self._journal.fail(
                "too-many-members", f"it has more than {self._journal.limits.max_members} members"
            )

    def file(self, name: str) -> str:
        """Take note of a regular file.

        Returns:
            The name without a leading ``./``.

        Raises:
            FatalProblemError: pip or another reader would write it outside, or
                the name means another file to another reader.
        """
        clean, path = self._checked(name)
        if path in self._files or path in self._links:
            self._journal.fail("duplicate-name", "two members have this name, so readers disagree", name)
        if path in self._directories:
            self._journal.fail("file-and-directory", "it is a file and a directory", name)
        self._files.add(path)
        self._check_case(path)
        if _ARCHIVES.search(path):
            self._journal.note("nested-archive", "it is an archive itself, which is not looked into", name)
        return clean

    def directory(self, name: str) -> None:
        """Take note of a directory, which may come often.

        Raises:
            FatalProblemError: As for `file`.
        """
        _, path = self._checked(name)
        if path in self._files or path in self._links:
            self._journal.fail("file-and-directory", "it is a file and a directory", name)
        self._directories.add(path)

    def link(self, name: str, target: str, *, hard: bool = False) -> None:
        """Take note of a link of a tar.

        Args:
            name: Its own.
            target: As the archive spells it: of a symbolic link from where it
                stands, of a hard link from the top.
            hard: It is a hard link.

        Raises:
            FatalProblemError: It leads outside, as tarfile's ``data`` filter (PEP
                706) has it; or it gives a file that is run or built by its name a
                content that has another name, so that nobody reads it as code.
        """
        _, path = self._checked(name)
        if path in self._files or path in self._links or path in self._directories:
            self._journal.fail("duplicate-name", "two members have this name, so readers disagree", name)
        self._links.add(path)
        self._check_case(path)
        resolved = link_target(path, target, hard=hard)
        if resolved is None:
            self._journal.fail("link", f"it is a link that leads outside: {_shown(target)}", name)
        if hides_code(path, resolved):
            self._journal.fail("link", f"it is code by its name, and a link to {_shown(target)}", name)
        if hard and resolved not in self._files:
            self._journal.fail(
                "link", f"it is a hard link to what did not come before: {_shown(target)}", name
            )
        self._journal.note("link", f"it is a link to {_shown(target)}", name)

    def _checked(self, name: str) -> tuple[str, str]:
        """Return the name without ``./``, and as a path in its shortest form."""
        self.count()
        journal, limits = self._journal, self._journal.limits
        if "\0" in name:
            journal.fail("null-byte", "its name holds a null byte, at which some readers end", name)
        if len(name) > limits.max_path:
            journal.fail("long-path", f"its name is longer than {limits.max_path} characters", name)
        if not name.isascii() or not name.isprintable():
            self._check_characters(name)
        portable = name
        if "\\" in name:
            portable = name.replace("\\", "/")
            journal.note("backslash", "its name holds a backslash, a separator on Windows only", name)
        if portable.startswith("/") or _DRIVE.match(portable):
            journal.fail("path-traversal", "its name is an absolute path", name)
        while name.startswith("./"):
            name = name[2:]
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts or ("\\" in name and ".." in portable.split("/")):
            journal.fail("path-traversal", "its name leads to a parent directory", name)
        if len(parts) > limits.max_depth:
            journal.fail("depth", f"it lies deeper than {limits.max_depth} directories", name)
        if len(name) > _MAX_PART_BYTES and any(
            len(part.encode("utf-8", "surrogateescape")) > _MAX_PART_BYTES for part in parts
        ):
            journal.note("long-path", f"a part of its name is longer than {_MAX_PART_BYTES} bytes", name)
        self._add_parents(parts, name)
        return name, "/".join(parts)

    def _add_parents(self, parts: list[str], name: str) -> None:
        for end in range(len(parts) - 1, 0, -1):
            parent = "/".join(parts[:end])
            if parent in self._directories:
                return  # with all of its own parents
            if parent in self._files:
                self._journal.fail("file-and-directory", "it lies below a file", name)
            if parent in self._links:
                self._journal.fail("link", "it lies below a link, so it is written elsewhere", name)
            self._directories.add(parent)

    def _check_characters(self, name: str) -> None:
        try:
            name.encode()
        except UnicodeEncodeError:
            self._journal.note("name-not-utf8", "its name is not UTF-8", name)
        if _UNSHOWN.search(name):
            self._journal.note(
                "control-character", "its name holds characters that are not shown or turn the text", name
            )

    def _check_case(self, path: str) -> None:
        folded = path.lower() if path.isascii() else unicodedata.normalize("NFC", path).casefold()
        other = self._folded.setdefault(folded, path)
        if other == path:
            return
        message = f"on some file systems it is the same file as {_shown(other)}"
        if all(one.lower().endswith((".py", ".pth")) for one in (other, path)):
            self._journal.fail("case-clash", message, path)
        self._journal.note("case-clash", message, path)


def link_target(path: str, target: str, *, hard: bool) -> str | None:
    """Return where a link inside an archive leads, from the top; ``None`` if outside."""
    target = target.replace("\\", "/")
    if target.startswith("/") or _DRIVE.match(target) or "\0" in target:
        return None
    parts = [] if hard else path.split("/")[:-1]
    for part in target.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def hides_code(path: str, target: str) -> bool:
    """Tell whether a link has what is run by its name read under another kind of name only."""
    name, target_name = (one.lower().rpartition("/")[2] for one in (path, target))
    if name in _BUILD_FILES:
        return name != target_name
    suffix = next((suffix for suffix in RUN_SUFFIXES if name.endswith(suffix)), "")
    return not target_name.endswith(suffix)


def _shown(text: str) -> str:
    return ascii(text[:100])
