"""What is written where: into files that are run or read again, by Python, a shell, an editor, git or pip."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Callable

from veln_hook.source import commands, passing, places
from veln_hook.source.values import NONE, NOTHING, Value
from veln_hook.source.vocabulary import PERSIST, STARTUP_FILE, WRITE

if TYPE_CHECKING:
    from collections.abc import Iterable

_STARTERS = frozenset(what for _, what in places.RUN_AGAIN)
_LOADS = re.compile(r"\b(?:exec|eval|loads|b64decode|urlopen)\(")
"""Of code that is written down: it runs what it decodes or fetches."""
_CODE_PLACES = ("sitepackages", "site-packages", "dist-packages", "purelib", "platlib")
_REDIRECTED = re.compile(r">>?\s*([^\s;|&<>]+)|\btee\s+([^;|&<>]+)")
_CONFIGURES = re.compile(
    r"\b(?:(pip)[\d.]*\s+config\s+(?:-\S+\s+){0,4}(?:set|edit)|(git)\s+config\s+(?:\S+\s+){0,4}?--(?:global|system)\s"
    r"|(npm|yarn|poetry|conda)\s+config\s+(?:-\S+\s+){0,4}(?:set|--set|--add|\S+\s+\S))"
)
"""Commands that set what others of the same program obey."""
_MODES = ("w", "a", "x")


class Writing:
    """Notes what one module writes.

    Args:
        note: Notes a capability where the walk is, as ``Calls.note`` does.
    """

    def __init__(self, note: Callable[..., None]) -> None:
        self._note = note

    def into(self, path: str, line: int, data: Iterable[Value] = ()) -> None:
        """Note that something is written where it is run or obeyed again.

        Args:
            path: Where, as far as it is known.
            line: Of the call.
            data: What, if that is known.
        """
        lowered = path.lower()
        place = next((what for part, what in places.OBEYED if part in lowered), "")
        if place:
            fetches = place in _STARTERS and any(_fetches(value.text) for value in data)
            self._note(PERSIST, line, place, NOTHING, "written", *(("download",) if fetches else ()))
        if any(part in lowered for part in ("sitecustomize", "usercustomize")) or lowered.rstrip(
            "{}"
        ).endswith(".pth"):
            self._note(STARTUP_FILE, line, path)

    def unpacked(self, place: Value, line: int) -> None:
        """Note that an archive is unpacked where Python looks for start-up files."""
        if any(part in place.text.lower() for part in _CODE_PLACES):
            self._note(STARTUP_FILE, line, "an archive's contents")

    def by_method(
        self,
        method: str,
        receiver: Value,
        arguments: list[Value],
        options: dict[str, Value],
        *,
        taints: frozenset[str],
        line: int,
    ) -> None:
        """Note what a method writes that files and paths have; its name is all that is known.

        Args:
            method: Its name.
            receiver: What it is a method of.
            arguments: What it is given.
            options: The same, by name.
            taints: What all of that was made of.
            line: Of the call.
        """
        first = arguments[0] if arguments else NONE
        if method in passing.WRITES:
            if taints & {"decoded", "remote"}:
                self._note(WRITE, line, "", taints | receiver.taints)
            if receiver.hint:
                self.into(receiver.hint, line, arguments)
        elif method == "extractall":
            if "remote" in receiver.taints:
                self._note(WRITE, line, "", receiver.taints)
            self.unpacked(options.get("path", first), line)
        elif method == "open":
            if is_mode_to_write(options.get("mode", first)):
                self.into(receiver.hint, line)
        elif method in passing.LINKS:
            self.into(receiver.hint, line)
        elif len(arguments) == 1:  # 'path.replace(target)'; a text's needs two
            self.into(first.text, line)

    def by_command(self, command: str, line: int) -> None:
        """Note what a shell is told to write, or a program to obey from now on."""
        for redirected, teed in _REDIRECTED.findall(command):
            self.into(redirected or teed, line, (Value(command),))
        stays = commands.stays_by(command)
        if stays:
            self._note(PERSIST, line, stays, NOTHING, "written")
        found = _CONFIGURES.search(command)
        if found:
            self._note(PERSIST, line, f"{found[found.lastindex or 0]}'s configuration", NOTHING, "written")


def _fetches(text: str) -> bool:
    return commands.DOWNLOAD.search(text) is not None or _LOADS.search(text) is not None


def is_mode_to_write(mode: Value) -> bool:
    """Tell whether a mode of ``open`` writes."""
    return mode.text[:1] in _MODES or (isinstance(mode.const, str) and "+" in mode.const)
