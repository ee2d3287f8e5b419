"""What a standing gate tells of each client while it runs: verdicts to the log and the figures."""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from veln_hook.index_proxy.bounded import Bounded
from veln_hook.index_proxy.ledger import Ledger
from veln_hook.model import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from veln_hook.model import Verdict
    from veln_hook.standing.log import Log
    from veln_hook.standing.metrics import Figures

client: ContextVar[str] = ContextVar("client", default="")
"""The address of whoever's request is being answered."""

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
        for release, verdict in releases.items():
            self._count(verdict)
            if self._is_new("page", release, verdict.decision.name):
                self._tell(verdict, "page")

    def refused(self, verdict: Verdict) -> None:
        """Note that a file was asked for and not given; see `Ledger`."""
        super().refused(verdict)
        self._count(verdict)
        self._tell(verdict, "file")

    def used(self, verdict: Verdict, *, file: bool) -> None:
        """Note that a file was given, or its metadata; see `Ledger`."""
        super().used(verdict, file=file)
        self._count(verdict)

    def note(self, line: str) -> None:
        """Note a refusal that is no verdict; see `Ledger`."""
        super().note(line)
        if self._is_new("note", line):
            self._log.write("refused", client=client.get(), reason=line)

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

    def _tell(self, verdict: Verdict, asked: str) -> None:
        self._log.write(verdict.decision.word, client=client.get(), asked=asked, **described(verdict))


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
