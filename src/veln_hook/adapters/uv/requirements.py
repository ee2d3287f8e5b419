"""Lists of requirements, as uv and pip have them (pip's "requirements file format").

Source: ``uv-requirements-txt`` and ``uv-requirements/src/sources.rs`` of uv.
"""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from veln_hook.adapters.uv.files import MAX_TEXT, read_text

if TYPE_CHECKING:
    from typing import Callable

    from veln_hook.adapters.uv.sources import Sources

_MAX_FILES = 200
_COMMENT = re.compile(r"(^|\s+)#.*$")
_OPTION = re.compile(r"(?P<name>--[a-z-]+|-[a-zA-Z])(?:\s*=\s*|\s+|(?<=^-[a-zA-Z]))(?P<value>\S.*)")
_INDEXES = {"-i", "--index-url", "--extra-index-url"}
_LINKS = {"-f", "--find-links"}
_LISTS = {"-r", "--requirement", "--requirements", "-c", "--constraint", "--constraints"}
_EDITABLES = {"-e", "--editable"}


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
        if "://" in text or text == "-":
            return
        path = os.path.normpath(os.path.join(base, text))
        if path in self._seen or len(self._seen) >= _MAX_FILES:
            return
        self._seen.add(path)
        name = os.path.basename(path)
        if name == "pyproject.toml" or name.endswith((".py", ".pyw")):
            self._project(path)
        elif name.endswith((".toml", ".lock")):
            self._lock(path)
        else:
            self._lines(path)

    def _lines(self, path: str) -> None:
        text = read_text(path, MAX_TEXT)
        base = os.path.dirname(path)
        number = 0
        for raw in (text or "").replace("\\\n", " ").split("\n"):
            number += 1
            line = _COMMENT.sub("", raw).strip()
            if not line:
                continue
            place = f"{path}:{number}"
            option = _OPTION.fullmatch(line) if line.startswith("-") else None
            if option is None:
                self._sources.requirement(line, base, place)
            else:
                self._option(option["name"], _unquoted(option["value"]), base, place)

    def _option(self, name: str, value: str, base: str, place: str) -> None:
        if name in _INDEXES:
            self._sources.index(value, base, place)
        elif name in _LINKS:
            self._sources.find_links(value, base, place)
        elif name in _LISTS:
            self.read(self._sources.filled(value, place), base)
        elif name in _EDITABLES:
            self._sources.requirement(value, base, place)


def _unquoted(text: str) -> str:
    """Return the first word of a value; what follows are hashes and other options."""
    if text.startswith(("'", '"')):
        try:
            return shlex.split(text)[0]
        except (ValueError, IndexError):
            return text
    return text.split(" --", maxsplit=1)[0].strip()
