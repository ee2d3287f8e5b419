"""What is destroyed that nobody asked to lose: a home, a disk, all files of a machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Callable

from veln_hook.source import passing
from veln_hook.source.taints import CALLED, EVERYTHING
from veln_hook.source.values import NONE, NOTHING, Value
from veln_hook.source.vocabulary import DESTROY, REMOVE

if TYPE_CHECKING:
    from collections.abc import Iterable

_ROOTS = frozenset((
    "~", "{}/~", "$home", "${home}", "%userprofile%", "%systemdrive%", "%homedrive%", "os.sep", "os.path.sep",
    *(f"{letter}:" for letter in "cdefgh"), "c:/users", "c:/windows",
    *(f"~/{name}" for name in ("documents", "desktop", "downloads", "pictures", "music", "videos")),
    *(f"/{name}" for name in ("home", "home/{}", "root", "users", "etc", "usr", "var", "boot", "bin", "lib")),
    *(f"/{name}" for name in ("opt", "mnt", "media", "srv", "lib64", "sbin", "dev", "volumes")),
))  # fmt: skip
"""Paths below which everything is that somebody has, in lower case."""
_FOLLOWED = (*CALLED, "arg")
_BEFORE = frozenset((
    "sudo", "nohup", "exec", "cmd", "cmd.exe", "/c", "sh", "bash", "/bin/sh", "/bin/bash", "-c", "-lc",
    "doas", "powershell", "powershell.exe", "-command", "timeout", "nice", "start", "/b",
))  # fmt: skip
"""Words before a command that is run by another one."""
_SEPARATORS = re.compile(r"[;&|\n]+")
_BOMB = ":(){:|:&};:"
_RECURSIVE = re.compile(r"-\w*[rR]\w*|--recursive|/s|-recurse")


class Destroying:
    """Notes what one module destroys.

    Args:
        note: Notes a capability where the walk is, as ``Calls.note`` does.
    """

    def __init__(self, note: Callable[..., None]) -> None:
        self._note = note

    def removed(self, path: Value, line: int) -> None:
        """Note that something is removed or overwritten, if it may be everything that somebody has."""
        if is_everything(path.text):
            self._note(DESTROY, line, path.text)
        elif EVERYTHING in path.taints:
            self._note(DESTROY, line, "files", path.taints)
        elif any(taint.startswith(_FOLLOWED) for taint in path.taints):
            self._note(REMOVE, line, "files", path.taints)  # what it is given or finds may be everything

    def overwritten(self, path: Value, line: int) -> None:
        """Note that a file is written, if it may be any file, or a disk."""
        if path.text.startswith("/dev/") and path.text[5:7] in ("sd", "nv", "hd", "vd", "md", "di"):
            self._note(DESTROY, line, path.text)
        elif EVERYTHING in path.taints:
            self._note(DESTROY, line, "files", path.taints)

    def by_method(self, method: str, receiver: Value, arguments: list[Value], line: int) -> None:
        """Note what a method of a path removes or overwrites."""
        if method in passing.REMOVES:
            if not arguments or "unlink" in method:  # 'set.remove(x)' isn't one
                self.removed(receiver, line)
        elif method in passing.WRITES or (method in ("rename", "replace") and len(arguments) == 1):
            self.overwritten(Value(taints=receiver.taints), line)

    def by_command(self, command: str, line: int) -> None:
        """Note what a command destroys."""
        if any(destroys(part) for part in _SEPARATORS.split(command)) or _BOMB in command.replace(" ", ""):
            self._note(DESTROY, line, command.split(maxsplit=1)[0])


def found_by(name: str, method: str, receiver: Value, arguments: list[Value]) -> frozenset[str]:
    """Return the taint of what a call finds that looks through everything; nothing for other calls."""
    if (method or name.rpartition(".")[2]) not in passing.LOOKS_THROUGH:
        return NOTHING
    places = (receiver if method else NONE, *arguments[:1])
    return frozenset((EVERYTHING,)) if any(is_everything(place.text) for place in places) else NOTHING


def is_everything(path: str) -> bool:
    """Tell whether a path is one below which everything is that somebody has.

    Args:
        path: As far as it is known; words before it tell what it was made by.
    """
    slashed = path.replace("\\", "/").lower().rpartition(" ")[2].strip("\"'")
    known = slashed.rstrip("*./")
    return known in _ROOTS if known else slashed[:1] == "/"


def destroys(command: str) -> bool:
    """Tell whether one command, without others behind it, destroys everything."""
    words = command.replace('"', " ").replace("'", " ").split()
    while words and words[0].lower() in _BEFORE:
        words.pop(0)
    if not words:
        return False
    program = words[0].replace("\\", "/").rpartition("/")[2].lower().partition(".")[0]
    told = _COMMANDS.get(program)
    return told is not None and told([word.lower() for word in words[1:]])


def _recursively(words: list[str]) -> bool:
    return any(_RECURSIVE.fullmatch(word) for word in words) and _names_everything(words)


def _names_everything(words: Iterable[str]) -> bool:
    return any(is_everything(word) for word in words if word[:1] != "-" and len(word) < 100)  # noqa: PLR2004


def _has(*wanted: str) -> Callable[[list[str]], bool]:
    return lambda words: any(word.startswith(wanted) for word in words)


_COMMANDS: dict[str, Callable[[list[str]], bool]] = {
    **dict.fromkeys(("rm", "del", "erase", "rd", "rmdir", "chmod", "chown", "remove-item"), _recursively),
    "find": lambda words: _names_everything(words[:1]) and bool({"-delete", "rm", "shred"} & set(words)),
    "shred": _names_everything,
    "dd": lambda words: any(word.startswith("of=/dev/") and word != "of=/dev/null" for word in words),
    **dict.fromkeys(("mkfs", "wipefs", "blkdiscard"), _has("/dev/")),
    "format": lambda words: any(re.fullmatch(r"[a-z]:", word) is not None for word in words),
    "vssadmin": _has("delete"),
    "wbadmin": _has("delete"),
    "cipher": _has("/w"),
}
"""By program: whether such words have it destroy everything."""
