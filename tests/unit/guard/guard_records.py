"""A guard with a store and a clock of its own, and what to ask it about."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from veln_hook.guard import Guard
from veln_hook.model import Approval, Candidate, Source
from veln_hook.policy.settings import Policy
from veln_hook.signals import SignalManager, hookimpl

if TYPE_CHECKING:
    from veln_hook.model import Finding
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


@dataclass
class Machine:
    """What one machine's runs have in common: a store, a clock that is set by hand, a policy."""

    store: Store
    policy: Policy = field(default_factory=Policy)
    now: datetime = START
    says: Says = field(default_factory=Says)

    def guard(self, policy: Policy | None = None) -> Guard:
        """A new run."""
        signals = SignalManager()
        signals.register(self.says, "says")
        return Guard(
            policy or self.policy, self.store, signals=signals, prefix="/opt/env", now=lambda: self.now
        )
