"""What strings mean: paths of credentials and of what runs at start-up, and URLs."""

from __future__ import annotations

import re
from typing import Callable

from veln_hook.source import places, vocabulary
from veln_hook.source.values import NOTHING
from veln_hook.source.vocabulary import CRED_FILE, HOST, PERSIST, URL


class Strings:
    """Notes what the strings of one module name.

    Args:
        note: Notes a capability where the walk is, as ``Calls.note`` does.
        source: The module's whole text: what doesn't stand in it need not be looked for in its strings.
    """

    def __init__(self, note: Callable[..., None], source: str) -> None:
        self._note = note
        self._source = source
        self._present: tuple[_Rows, _Rows] | None = None

    def text(self, text: str, line: int) -> frozenset[str]:
        """Note what a string names; return its taints.

        Args:
            text: A literal, or what a folded expression made.
            line: Where it stands; 0 if it was made from parts, which then hide from the file's text.
        """
        length = len(text)
        if length < 4 or length > 20_000:  # noqa: PLR2004
            return NOTHING
        if line == 0:
            return self._named(text, line, places.CREDENTIAL_PATHS, places.STARTUP_PATHS)
        slashed = "/" in text or "\\" in text
        if _PLAIN.search(text.lower()) is None:
            return self._named(text, line, _SLASHED_PATHS, _SLASHED_STARTUP) if slashed else NOTHING
        paths, startup = self._of_source()
        if slashed:
            return self._named(text, line, (*_SLASHED_PATHS, *paths), (*_SLASHED_STARTUP, *startup))
        return self._named(text, line, paths, startup)

    def _of_source(self) -> tuple[_Rows, _Rows]:
        """Return the names without a slash that stand anywhere in the module."""
        if self._present is None:
            lowered = self._source.lower()
            self._present = (
                tuple(row for row in _PLAIN_PATHS if row[0] in lowered),
                tuple(row for row in _PLAIN_STARTUP if row[0] in lowered),
            )
        return self._present

    def _named(self, text: str, line: int, paths: _Rows, startup: _Rows) -> frozenset[str]:
        lowered = text.lower()
        flags = ("hidden",) if line == 0 else ()
        taints = NOTHING
        if len(text) < 400:  # noqa: PLR2004 - a path, not a text about paths
            for part, what in paths:
                if part in lowered and _is_path(lowered, part):
                    self._note(CRED_FILE, line, what, NOTHING, *flags)
                    taints = NOTHING if what in places.NO_SECRET else frozenset(("cred",))
                    break
        for part, what in startup:
            if part in lowered and not (part == ".pth" and not lowered.rstrip("\"'").endswith(".pth")):
                self._note(PERSIST, line, what, NOTHING, *flags)
                break
        if "://" in text:
            self.url(text, lowered, line, flags)
        return taints

    def url(self, text: str, lowered: str, line: int, flags: tuple[str, ...]) -> None:
        """Note what is known of the host of a URL.

        Args:
            text: What has the URL in it.
            lowered: The same in lower case.
            line: Where it stands, or 0.
            flags: Of what is noted.
        """
        for host in vocabulary.EXFILTRATION_HOSTS:
            if host in lowered:
                if host in vocabulary.LOOKUP_HOSTS:
                    self._note(HOST, line, "address", NOTHING, *flags)
                    continue
                mild = "mild" if host in vocabulary.MILD_HOSTS else "strong"
                self._note(URL, line, host, NOTHING, mild, *flags)
                return
        match = vocabulary.PUBLIC_IP_URL.search(text)
        if match and vocabulary.is_public_address(match.group(1)):
            self._note(URL, line, match.group(1), NOTHING, "address", *flags)
        elif "hidden" in flags and "://" in text:
            match = vocabulary.URL_HOST.search(text)
            if match:
                self._note(URL, line, match.group(1), NOTHING, "plain", *flags)


_Rows = tuple[tuple[str, str], ...]


def _slashed(rows: _Rows) -> _Rows:
    return tuple(row for row in rows if "/" in row[0] or "\\" in row[0])


_SLASHED_PATHS = _slashed(places.CREDENTIAL_PATHS)
_SLASHED_STARTUP = _slashed(places.STARTUP_PATHS)


def _plain(rows: _Rows) -> _Rows:
    return tuple(row for row in rows if "/" not in row[0] and "\\" not in row[0])


_PLAIN_PATHS = _plain(places.CREDENTIAL_PATHS)
_PLAIN_STARTUP = _plain(places.STARTUP_PATHS)
_PLAIN = re.compile("|".join(re.escape(part) for part, _ in (*_PLAIN_PATHS, *_PLAIN_STARTUP)))


def _is_path(lowered: str, part: str) -> bool:
    """Tell whether a text that names a place is a path to it, rather than prose."""
    if "\n" in lowered or lowered.count(" ") > 6 or "known_hosts" in lowered:  # noqa: PLR2004
        return False
    place = lowered.find(part)
    if part == ".env":
        return lowered == part or lowered.endswith(("/.env", "\\.env"))
    if part in (
        "tdata",
        "/.ssh",
        "leveldb",
        ".aws",
        ".bitcoin",
        ".ethereum",
        "/discord/",
        "\\discord",
        "local state",
        "web data",
        "login data",
    ):
        before = lowered[place - 1] if place else "/"
        after = lowered[place + len(part) : place + len(part) + 1]
        return (before in "/\\~}" or not place) and after in ("", "/", "\\")
    return True
