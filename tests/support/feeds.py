"""Records of OSV and index files made of them; the real ones lie in ``tests/unit/feed/records``."""

from __future__ import annotations

import json
import zipfile
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from veln_hook.feed import Feed
from veln_hook.feed.building import Origin, Outcome, build
from veln_hook.feed.sources import Raw, raw_records

if TYPE_CHECKING:
    from collections.abc import Iterable

RECORDS = Path(__file__).parents[1] / "unit" / "feed" / "records"
NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
_opened: list[Feed] = []


def open_feed(path: Path) -> Feed:
    """Return the feed of a file, which `close_feeds` closes: one that is forgotten open warns on 3.13."""
    _opened.append(Feed(path))
    return _opened[-1]


def close_feeds() -> None:
    """Close what a test opened."""
    while _opened:
        _opened.pop().close()


def record(name: str = "MAL-2026-1", project: str = "demo", *versions: str, **changes: Any) -> dict[str, Any]:
    """Return a record about listed versions of one project; ``None`` takes a field away.

    Args:
        name: Its id.
        project: Which.
        *versions: Affected ones.
        **changes: Fields of the record in place of the usual ones; ``ranges`` are those of the project.
    """
    affected: dict[str, Any] = {"package": {"ecosystem": "PyPI", "name": project}}
    if versions:
        affected["versions"] = list(versions)
    if "ranges" in changes:
        affected["ranges"] = changes.pop("ranges")
    made = {
        "id": name,
        "modified": "2026-04-30T10:00:00Z",
        "summary": f"Malicious code in {project} (PyPI)",
        "affected": [affected],
        **changes,
    }
    return {key: value for key, value in made.items() if value is not None}


def events(*pairs: tuple[str, str], kind: str = "ECOSYSTEM") -> dict[str, Any]:
    """Return a range of pairs such as ``("introduced", "0")``."""
    return {"type": kind, "events": [{what: version} for what, version in pairs]}


def advisory(name: str, project: str, fixed: str, introduced: str = "0") -> dict[str, Any]:
    """Return a record about a weakness that one release repairs."""
    ranges = [events(("introduced", introduced), ("fixed", fixed))]
    return record(name, project, ranges=ranges, summary=f"A weakness of {project}")


def raw(*records: object) -> list[Raw]:
    """Return records as a source has them; bytes and texts as they are."""
    return [
        Raw(
            f"{number}.json",
            one
            if isinstance(one, bytes)
            else one.encode()
            if isinstance(one, str)
            else json.dumps(one).encode(),
        )
        for number, one in enumerate(records)
    ]


def zip_of(path: Path, records: Iterable[dict[str, Any]]) -> Path:
    """Write a zip like OSV's, and return its path."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in records:
            archive.writestr(f"{each['id']}.json", json.dumps(each))
    return path


def write_feed(path: Path, *records: dict[str, Any], now: datetime = NOW, **how: Any) -> Outcome:
    """Make an index file of records.

    Args:
        path: Of it.
        *records: What it has.
        now: When that is.
        **how: Further arguments of ``build``.
    """
    return build(path, raw(*records), Origin("https://feed.test/all.zip", '"1"', fresh=True), now=now, **how)


def write_real_feed(path: Path) -> Outcome:
    """Make an index file of the real records."""
    now = datetime.now(timezone.utc)
    return build(path, raw_records(str(RECORDS)), Origin("records", fresh=True), now=now)
