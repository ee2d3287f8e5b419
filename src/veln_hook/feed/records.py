"""One OSV record, from bytes that anybody may have written to what the index file keeps of it.

After the OSV schema 1.7 (https://ossf.github.io/osv-schema/). What is no part of a decision isn't looked at.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple, Optional

from packaging.utils import canonicalize_name

from veln_hook.feed.advisories import FIXED, INTRODUCED, LAST_AFFECTED, Advisory, Range, parse

ECOSYSTEM = "PyPI"
MALWARE = "MAL-"
MAX_SUMMARY = 200
"""Characters of a summary that are kept."""
_MAX_VERSION = 256
_MAX_VERSIONS = 50_000
"""Of one record; the largest of PyPI has a few thousand."""
_MAX_EVENTS = 2_000
_MAX_AFFECTED = 5_000
_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?", re.ASCII)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,254}[a-z0-9])?", re.IGNORECASE | re.ASCII)  # PEP 508
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)  # RFC 3339
_ALL = ((INTRODUCED, "0"),)
_KINDS = (INTRODUCED, FIXED, LAST_AFFECTED)


class RecordError(ValueError):
    """A record can't be read; the text says why, in one line."""


class Record(NamedTuple):
    """What is kept of one record."""

    id: str
    modified: Optional[datetime]
    """Aware UTC; ``None`` if it isn't told."""
    malware: bool
    withdrawn: bool
    affected: tuple[tuple[str, Advisory], ...]
    """Normalized projects of PyPI, each once; empty if it is withdrawn, or about others only."""


def read_record(data: bytes) -> Record:
    """Read one record.

    Args:
        data: JSON; its size was bounded by whoever read it.

    Raises:
        RecordError: It is no record of the OSV schema.
    """
    try:
        # No number is needed, and turning millions of digits into one takes minutes.
        found: Any = json.loads(data, parse_int=_number, parse_float=_number, parse_constant=_number)
    except (ValueError, RecursionError) as error:
        raise RecordError("it is no JSON") from error
    if not isinstance(found, dict):
        raise RecordError("it is no JSON object")
    name = found.get("id")
    if not isinstance(name, str) or _ID.fullmatch(name) is None:
        raise RecordError("it has no id")
    withdrawn = found.get("withdrawn")
    if withdrawn is not None and not isinstance(withdrawn, str):
        raise RecordError("'withdrawn' is no time")
    malware = name.upper().startswith(MALWARE)
    affected = () if withdrawn else _affected(found, name, malware=malware)
    return Record(name, instant(found.get("modified")), malware, bool(withdrawn), affected)


def _number(_: str) -> int:
    return 0


def instant(value: object) -> Optional[datetime]:
    """Return a time of RFC 3339, aware UTC; ``None`` if it is none."""
    match = _TIME.fullmatch(value) if isinstance(value, str) and len(value) <= 64 else None  # noqa: PLR2004
    if match is None:
        return None
    day, time, fraction, sign, hours, minutes = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{time}").replace(
            microsecond=int(f"{fraction or '0':0<6}"[:6]), tzinfo=timezone.utc
        )
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        return moment + offset if sign == "-" else moment - offset
    except (ValueError, OverflowError):
        return None


def _affected(found: dict[str, Any], name: str, *, malware: bool) -> tuple[tuple[str, Advisory], ...]:
    entries = _list(found.get("affected"), "affected", _MAX_AFFECTED)
    summary = _line(found.get("summary") or found.get("details"))
    by_project: dict[str, Advisory] = {}
    for entry in entries:
        if not isinstance(entry, dict):
            raise RecordError("an entry of 'affected' is no object")
        package = entry.get("package")
        if package is None:  # OSV allows ranges of a repository alone
            continue
        if not isinstance(package, dict) or not isinstance(package.get("ecosystem"), str):
            raise RecordError("an entry of 'affected' names no ecosystem")
        if package["ecosystem"].partition(":")[0] != ECOSYSTEM:
            continue
        project = package.get("name")
        if not isinstance(project, str) or _NAME.fullmatch(project) is None:
            raise RecordError("an entry of 'affected' names no project")
        key = canonicalize_name(project)
        new = _advisory(entry, name, summary, malware=malware)
        old = by_project.get(key)
        by_project[key] = new if old is None else _both(old, new)
    if not by_project and malware and not entries:
        raise RecordError("it names no project")
    return tuple(by_project.items())


def _both(one: Advisory, other: Advisory) -> Advisory:
    return one._replace(
        versions=tuple(dict.fromkeys((*one.versions, *other.versions))),
        ranges=(*one.ranges, *other.ranges),
        everything=one.everything or other.everything,
        sure=one.sure and other.sure,
    )


def _advisory(entry: dict[str, Any], name: str, summary: str, *, malware: bool) -> Advisory:
    versions = _list(entry.get("versions"), "versions", _MAX_VERSIONS)
    for version in versions:
        if not isinstance(version, str) or not 0 < len(version) <= _MAX_VERSION:
            raise RecordError("'versions' holds what is no version")
    ranges: list[Range] = []
    sure = True
    for each in _list(entry.get("ranges"), "ranges", _MAX_EVENTS):
        if not isinstance(each, dict):
            raise RecordError("'ranges' holds what is no object")
        if each.get("type") == "GIT":  # of commits, not of releases
            continue
        events = _events(each.get("events"))
        sure = sure and events is not None
        ranges += [events] if events is not None else []
    # A range nobody can read may hold any version; so may a record that tells none.
    everything = malware and (not sure or not (versions or ranges) or _ALL in ranges)
    return Advisory(
        id=name,
        summary=summary,
        malware=malware,
        versions=() if everything else tuple(dict.fromkeys(versions)),
        ranges=() if everything else tuple(ranges),
        everything=everything,
        sure=sure,
    )


def _events(value: object) -> Optional[Range]:
    """Return a range's events; ``None`` if nobody can tell which versions they mean."""
    events: list[tuple[str, str]] = []
    for event in _list(value, "events", _MAX_EVENTS):
        if not isinstance(event, dict):
            raise RecordError("'events' holds what is no object")
        for kind in _KINDS:
            version = event.get(kind)
            if version is None:
                continue
            if not isinstance(version, str) or not 0 < len(version) <= _MAX_VERSION:
                raise RecordError(f"an event's {kind!r} is no version")
            if parse(version) is None:
                return None
            events.append((kind, version))
    if not any(kind == INTRODUCED for kind, _ in events):
        return None
    return tuple(events)


def _list(value: object, name: str, limit: int) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise RecordError(f"{name!r} is no list")
    if len(value) > limit:
        raise RecordError(f"{name!r} has more than {limit} entries")
    return value


def _line(value: object) -> str:
    """Return a text of anybody's as one short line."""
    text = value[: 4 * MAX_SUMMARY] if isinstance(value, str) else ""
    clean = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(clean.split())
    return line if len(line) <= MAX_SUMMARY else f"{line[: MAX_SUMMARY - 3]}..."
