"""Which releases an advisory is about. PURE, after the OSV schema's "affected" fields.

Rules of this module: an advisory about malware errs towards being about a release (what it doesn't tell, it
tells of every version); one about a weakness errs towards repairing nothing, as that makes a verdict milder.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, NamedTuple, Optional

from packaging.utils import canonicalize_version
from packaging.version import InvalidVersion, Version

INTRODUCED, FIXED, LAST_AFFECTED = "introduced", "fixed", "last_affected"
_ORDER = {FIXED: 0, INTRODUCED: 1, LAST_AFFECTED: 2}
"""Of events at one version: what is introduced where another thing is fixed counts."""
_BEGINNING = "0"
"""OSV: a version before any other."""

Range = tuple[tuple[str, str], ...]
"""Events: kind and version. Every version but ``0`` is one of PEP 440."""


class Advisory(NamedTuple):
    """What one record says of one project."""

    id: str
    """Such as ``MAL-2026-2144``."""
    summary: str
    """One line, for a person; may be empty."""
    malware: bool
    """The releases are malicious, rather than weak."""
    versions: tuple[str, ...] = ()
    """Each of them is affected; spelled as the record has them."""
    ranges: tuple[Range, ...] = ()
    everything: bool = False
    """Every version is affected."""
    sure: bool = True
    """All that the record says could be read."""

    def affects(self, version: str) -> bool:
        """Tell whether a release is affected; one without a version is if all are.

        A version that PEP 440 doesn't know is compared as a text with those that are listed; in which range
        it lies nobody can tell, so malware's may hold it. A local version (``1.0+cu118``) is affected if the
        public one is.
        """
        if self.everything or version in self.versions:
            return True
        parsed = parse(version)
        if parsed is None:
            return self.malware and bool(self.ranges) and bool(version)
        public = parse(parsed.public) or parsed
        if any(parse(listed) in (parsed, public) for listed in self.versions):
            return True
        return any(_within(public, events) for events in self.ranges)

    def fixed(self) -> tuple[str, ...]:
        """Return the versions that are told to be the first without the weakness."""
        return tuple(
            dict.fromkeys(version for events in self.ranges for kind, version in events if kind == FIXED)
        )

    def repairs(self, version: str, installed: str) -> bool:
        """Tell whether a release is just the one that repairs an installed one.

        Only what the advisory names as ``fixed`` does. A later release doesn't, though it has the repair,
        too: were it enough to be later, whoever takes a project over could pass any new release as a repair,
        wherever an old one is still installed.

        Args:
            version: Of the release.
            installed: Version that is installed.
        """
        new, old = parse(version), parse(installed)
        if self.malware and self.everything:
            return False
        if not self.sure or new is None or old is None or new <= old:
            return False
        return (
            any(parse(fixed) == new for fixed in self.fixed())
            and self.affects(installed)
            and not self.affects(version)
        )

    def packed(self) -> str:
        """Return all but id and kind as a text for the index file."""
        return json.dumps(
            {
                "summary": self.summary,
                "versions": self.versions,
                "ranges": self.ranges,
                "everything": self.everything,
                "sure": self.sure,
            },
            separators=(",", ":"),
        )


def unpacked(advisory: str, text: str, *, malware: bool) -> Advisory:
    """Return what ``packed`` made a text of.

    Raises:
        ValueError: It is no such text.
    """
    try:
        found: Any = json.loads(text)
        return Advisory(
            id=advisory,
            summary=str(found["summary"]),
            malware=malware,
            versions=tuple(map(str, found["versions"])),
            ranges=tuple(
                tuple((str(kind), str(version)) for kind, version in events) for events in found["ranges"]
            ),
            everything=bool(found["everything"]),
            sure=bool(found["sure"]),
        )
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"an entry of {advisory} can't be read") from error


def canonical(version: str) -> str:
    """Return the one spelling of all versions that are the same release; empty if it is no version."""
    parsed = parse(version)
    return "" if parsed is None else canonicalize_version(parsed, strip_trailing_zero=True)


@lru_cache(maxsize=8192)
def parse(version: str) -> Optional[Version]:
    """Return a version as PEP 440 orders it; ``None`` if it is none."""
    try:
        return Version(version)
    except (InvalidVersion, ValueError):  # the latter for a number with thousands of digits
        return None


def _within(version: Version, events: Range) -> bool:
    affected = False
    for kind, text, limit in _sorted(events):
        if kind == INTRODUCED and (text == _BEGINNING or (limit is not None and version >= limit)):
            affected = True
        elif limit is not None and (
            (kind == FIXED and version >= limit) or (kind == LAST_AFFECTED and version > limit)
        ):
            affected = False
    return affected


@lru_cache(maxsize=1024)
def _sorted(events: Range) -> tuple[tuple[str, str, Optional[Version]], ...]:
    """Return the events in the order of their versions, which a record need not have them in."""
    first = [(kind, text, parse(text)) for kind, text in events if (kind, text) == (INTRODUCED, _BEGINNING)]
    rest = [
        (parsed, _ORDER[kind], kind, text)
        for kind, text in events
        if (kind, text) != (INTRODUCED, _BEGINNING)
        for parsed in [parse(text)]
        if parsed is not None and kind in _ORDER
    ]
    rest.sort(key=lambda event: event[:2])
    return (*first, *((kind, text, parsed) for parsed, _, kind, text in rest))
