"""Lists of requirements, as uv and pip have them (pip's "requirements file format").

Source: ``uv-requirements-txt`` and ``uv-requirements/src/sources.rs`` of uv.
"""

from __future__ import annotations

import os
import re
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING

from veln_hook.adapters.uv.files import MAX_TEXT, read_text
from veln_hook.adapters.uv.sources import local_paths
from veln_hook.errors import UsageError
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Callable

    from veln_hook.adapters.uv.sources import Sources

_MAX_FILES = 200
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_COMMENT = re.compile(r"(^|\s+)#.*$")
_INDEXES = {"-i", "--index-url", "--extra-index-url"}
_LINKS = {"-f", "--find-links"}
_LISTS = {"-r", "--requirement", "--requirements", "-c", "--constraint", "--constraints"}
_EDITABLES = {"-e", "--editable"}
_NAMES = "|".join(sorted((*_INDEXES, *_LINKS, *_LISTS, *_EDITABLES), key=len, reverse=True))
# What follows is only looked at: one line may have several options.
_OPTION = re.compile(rf"(?<!\S)(?P<name>{_NAMES})(?=(?P<value>.*))")


class Lists:
    """Lists that include each other; each is read once.

    Args:
        sources: What they name is noted here.
        project: Notes what a ``pyproject.toml`` or a script names, by its path.
        lock: The same for a lock.
    """

    def __init__(
        self, sources: Sources, *, project: Callable[[str], None], lock: Callable[[str], None]
    ) -> None:
        self._sources, self._project, self._lock = sources, project, lock
        self._seen: set[str] = set()

    def read(self, text: str, base: str) -> None:
        """Note what a list names.

        Args:
            text: Its path, as it was typed; a URL is not read.
            base: Directory that it starts from.

        Raises:
            UsageError: It can't be read before uv does.
        """
        if text == "-" or text.lower().startswith(("https://", "http://")):
            return
        for path in local_paths(text, base):
            self._read(path)

    def _read(self, path: str) -> None:
        if path in self._seen or not os.path.exists(path):
            return
        if len(self._seen) >= _MAX_FILES:
            raise UsageError(
                f"{printable(path)}: more than {_MAX_FILES} lists lead to one another",
                advice="Write what they name in fewer.",
            )
        self._seen.add(path)
        name = os.path.basename(path)
        if name == "pyproject.toml" or name.endswith((".py", ".pyw")):
            self._project(path)
        elif name.endswith((".toml", ".lock")):
            self._lock(path)
        else:
            self._lines(path)

    def _lines(self, path: str) -> None:
        base = os.path.dirname(path)
        text = read_text(path, MAX_TEXT) or ""
        odd = _CONTROLS.search(text)  # a lone carriage return ends a line, even of a comment
        if odd is not None:
            raise _ambiguous(f"{path}:{text.count(chr(10), 0, odd.start()) + 1}")
        for number, line in _logical(text):
            place = f"{path}:{number}"
            if "\\" in line:  # uvs differ in what they take it for
                raise _ambiguous(place)
            if line.startswith("-"):
                for found in _OPTION.finditer(line):
                    for value in _values(found["value"]):
                        self._option(found["name"], value, base, place)
            elif line:
                self._sources.requirement(line, base, place)
            for word in line.split():
                self._sources.archive(self._sources.filled(word, place), base, place)

    def _option(self, name: str, value: str, base: str, place: str) -> None:
        if name in _INDEXES:
            self._sources.index(value, base, place)
        elif name in _LINKS:
            self._sources.find_links(value, base, place)
        elif name in _LISTS:
            self.read(self._sources.filled(value, place), base)
        elif name in _EDITABLES:
            self._sources.requirement(value, base, place)


def _ambiguous(place: str) -> UsageError:
    return UsageError(
        f"{printable(place)}: a character that can be read in several ways",
        advice="Take out backslashes, but for those that end a line, and what is no text.",
    )


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines without comments, and the number of the first of each that are continued."""
    begun, pending = 0, ""
    for number, raw in enumerate(text.split("\n"), 1):
        line = _COMMENT.sub("", raw)
        begun = begun or number
        # Only in pip does a comment go on: in uv it ends with its line, whatever stands there.
        if line == raw and raw.endswith("\\"):
            pending += f"{raw[:-1]} "
            continue
        yield begun, f"{pending}{line}".strip()
        begun, pending = 0, ""
    if pending.strip():
        yield begun, pending.strip()


def _values(rest: str) -> set[str]:
    """Return what an option's value may be: the rest of the line, or its first word, quoted or not."""
    text = rest.strip().removeprefix("=").strip()
    if not text:
        return set()
    if text.startswith(("https://", "http://")):
        return {text.split()[0]}
    found = {text, text.split(" --", maxsplit=1)[0].strip(), text.split()[0]}
    if "://" not in text:
        found.add(text.partition("#")[0].strip())
    with suppress(ValueError, IndexError):
        found.add(shlex.split(text)[0])
    return found - {""}
