"""A guard with a store and a clock of its own, and what to ask it about."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from veln_hook.errors import ArchiveError
from veln_hook.feed import Feed
from veln_hook.guard import Guard
from veln_hook.model import Approval, Candidate, Source
from veln_hook.policy.settings import Policy
from veln_hook.signals import SignalManager, hookimpl
from veln_hook.source.client import Scanner
from veln_hook.source.facts import ArchiveFacts, Placed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from veln_hook.model import Archive, Finding
    from veln_hook.store import Store

START = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
OLD = timedelta(days=30)
AGE = timedelta(hours=2)
INDEX = "https://pypi.org/simple/"
SHA, OTHER = "ab" * 32, "cd" * 32


def candidate(version: str = "1.0", *, age: timedelta | None = OLD, **changes: Any) -> Candidate:
    name = changes.pop("filename", f"demo-{version}-py3-none-any.whl")
    fields = {
        "project": "demo",
        "version": version,
        "filename": name,
        "url": f"https://x/{name}",
        "source": Source.INDEX,
        "index": INDEX,
        "sha256": SHA,
        "upload_time": None if age is None else START - age,
    }
    return Candidate(**{**fields, **changes})


def approval(**changes: Any) -> Approval:
    fields = {
        "project": "demo",
        "version": "1.0",
        "filename": "demo-1.0-py3-none-any.whl",
        "sha256": SHA,
        "reason": "read it",
        "author": "ada",
        "created_at": START,
    }
    return Approval(**{**fields, **changes})


class Says:
    """A signal that says the same of every archive."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    @hookimpl
    def veln_hook_examine_archive(self) -> list[Finding]:
        return self.findings


def able(*kinds: str) -> ArchiveFacts:
    """Facts of an archive that can do these things."""
    return ArchiveFacts(capabilities=tuple(Placed(kind, "import", "demo.py", 1) for kind in kinds))


class Reader(Scanner):
    """Gives the facts that a test has put down for a path, and notes what it was asked to read."""

    def __init__(self) -> None:
        super().__init__()
        self.facts: dict[str, ArchiveFacts | str] = {}
        """By path; a text is the reason for which it can't be read."""
        self.read: list[str] = []

    def scan(self, path: str, **_: Any) -> ArchiveFacts:
        self.read.append(path)
        found = self.facts.get(path, ArchiveFacts())
        if isinstance(found, str):
            raise ArchiveError(found)
        return found


class Releases:
    """Where older releases come from: what a test has put down."""

    def __init__(self) -> None:
        self.version = ""
        self.fetched: Archive | Exception | None = None
        self.asked: list[set[str]] = []

    def installed(self, project: str) -> str:  # noqa: ARG002 - the guard's face of it
        return self.version

    @contextmanager
    def previous(
        self,
        archive: Archive,  # noqa: ARG002 - likewise
        *,
        without: Collection[str],
    ) -> Iterator[Archive | None]:
        self.asked.append(set(without))
        if isinstance(self.fetched, Exception):
            raise self.fetched
        yield self.fetched


@dataclass
class Machine:
    """What one machine's runs have in common: a store, a clock that is set by hand, a policy."""

    store: Store
    policy: Policy = field(default_factory=Policy)
    now: datetime = START
    says: Says = field(default_factory=Says)
    reader: Reader = field(default_factory=Reader)
    releases: Releases = field(default_factory=Releases)
    guards: list[Guard] = field(default_factory=list)
    """Those of its runs, for whoever closes them."""

    def guard(self, policy: Policy | None = None, **more: Any) -> Guard:
        """A new run."""
        signals = SignalManager()
        signals.register(self.says, "says")
        more.setdefault("feed", Feed(Path("/nowhere/feed.sqlite")))  # not that of whoever runs the tests
        made = Guard(
            policy or self.policy,
            self.store,
            signals=signals,
            prefix="/opt/env",
            now=lambda: self.now,
            scanner=self.reader,
            baselines=self.releases,
            **more,
        )
        self.guards.append(made)
        return made
