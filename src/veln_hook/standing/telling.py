"""What a standing gate tells of each client while it runs: verdicts to the log and the figures."""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union

from veln_hook.index_proxy.bounded import Bounded
from veln_hook.index_proxy.ledger import Ledger
from veln_hook.model import Candidate, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from veln_hook.standing.log import Log
    from veln_hook.standing.metrics import Figures

client: ContextVar[str] = ContextVar("client", default="")
"""The address of whoever's request is being answered."""


class Event(NamedTuple):
    """Something that a ledger was told about one client."""

    kind: str
    """``page`` for a release that was taken out of one, ``file`` for a refused file, ``note`` for a line."""
    what: Union[Verdict, str]


events: ContextVar[Optional[list[Event]]] = ContextVar("events", default=None)
"""Where to note what a ledger is told, so that it can be told again of others who get the same answer."""

_AGAIN = 600.0
"""Seconds after which the same client is told of the same once more; a page is asked for by every install."""
_MAX_KNOWN = 20_000


class TellingLedger(Ledger):
    """A ledger that tells what it is told. All but recording is done in the event loop's thread.

    Args:
        log: Where a line is written for each release that is held or blocked for a client.
        figures: Where verdicts are counted.
    """

    def __init__(self, log: Log, figures: Figures) -> None:
        super().__init__()
        self._log, self._figures = log, figures
        self._known: Bounded[tuple[str, ...], float] = Bounded(_MAX_KNOWN)

    def page(self, project: str, page: str, held: Iterable[Verdict]) -> None:
        """Note what of a page was held; see `Ledger`."""
        verdicts = list(held)
        super().page(project, page, verdicts)
        releases = {verdict.subject.release: verdict for verdict in verdicts}
        for verdict in releases.values():
            self._happened(Event("page", verdict))

    def refused(self, verdict: Verdict) -> None:
        """Note that a file was asked for and not given; see `Ledger`."""
        super().refused(verdict)
        self._happened(Event("file", verdict))

    def used(self, verdict: Verdict, *, file: bool) -> None:
        """Note that a file was given, or its metadata; see `Ledger`."""
        super().used(verdict, file=file)
        self._count(verdict)

    def note(self, line: str) -> None:
        """Note a refusal that is no verdict; see `Ledger`."""
        super().note(line)
        self._happened(Event("note", line))

    def again(self, told: Iterable[Event]) -> None:
        """Tell of the client that is being answered what was told of another with the same question."""
        for event in told:
            self._happened(event)

    def _happened(self, event: Event) -> None:
        noted = events.get()
        if noted is not None:
            noted.append(event)
        if isinstance(event.what, str):
            if self._is_new("note", event.what):
                self._log.write("refused", client=client.get(), reason=event.what)
            return
        verdict = event.what
        self._count(verdict)
        if event.kind == "file" or self._is_new("page", verdict.subject.release, verdict.decision.name):
            self._log.write(
                verdict.decision.word, client=client.get(), asked=event.kind, **described(verdict)
            )

    def _count(self, verdict: Verdict) -> None:
        stage = "candidate" if isinstance(verdict.subject, Candidate) else "archive"
        self._figures.add("verdicts_total", stage=stage, decision=verdict.decision.word)

    def _is_new(self, *what: str) -> bool:
        key, now = (client.get(), *what), time.monotonic()
        last = self._known.get(key)
        if last is not None and now - last < _AGAIN:
            return False
        self._known.put(key, now)
        return True


def described(verdict: Verdict) -> dict[str, Any]:
    """Return what a line of the log has about a verdict."""
    subject = verdict.subject
    reasons = "; ".join(ruling.finding.message for ruling in verdict.holding)
    return {
        "project": subject.project,
        "version": subject.version,
        "filename": subject.filename,
        "sha256": subject.sha256 or None,
        "reason": reasons,
        "opens_at": None if verdict.opens_at is None else verdict.opens_at.isoformat(),
    }
