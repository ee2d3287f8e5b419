from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from veln_hook.index_proxy.ledger import Ledger
from veln_hook.model import (
    Approval,
    Candidate,
    Confidence,
    Decision,
    ExitStatus,
    Finding,
    Ruling,
    Severity,
    Source,
    Verdict,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
PAGE = "https://pypi.org/simple/demo/"


def verdict(
    version: str, decision: Decision = Decision.HOLD, *, opens: int | None = 60, **changes: Any
) -> Verdict:
    filename = f"demo-{version}-py3-none-any.whl"
    subject = Candidate("demo", version, filename, f"https://x/{filename}", Source.INDEX)
    opens_at = None if opens is None or decision is not Decision.HOLD else NOW + timedelta(minutes=opens)
    finding = Finding("cooling", Severity.HIGH, Confidence.HIGH, "too young", opens_at)
    rulings = () if decision is Decision.ALLOW else (Ruling(finding, decision, "x", "default"),)
    return Verdict(decision, subject, rulings, opens_at, **changes)


def passing(version: str) -> Verdict:
    return verdict(version, Decision.ALLOW)


def told(ledger: Ledger) -> list[tuple[str, str]]:
    return [(each.verdict.subject.version, each.instead) for each in ledger.told()]


def test_of_what_was_held_the_newest_that_would_have_been_used_is_told() -> None:
    ledger = Ledger()
    ledger.page("demo", PAGE, [verdict("1.9"), verdict("1.10"), verdict("0.5"), verdict("2.0rc1")])
    ledger.used(passing("1.8"), file=False)
    ledger.used(passing("1.7"), file=True)
    assert told(ledger) == [("1.10", "1.7")]
    assert ledger.exit_status() is ExitStatus.HELD


def test_what_is_older_than_what_was_used_is_not_told() -> None:
    ledger = Ledger()
    ledger.page("demo", PAGE, [verdict("1.0")])
    ledger.used(passing("2.0"), file=True)
    assert told(ledger) == []
    assert ledger.exit_status() is ExitStatus.OK


def test_metadata_counts_where_no_file_came() -> None:
    ledger = Ledger()
    ledger.page("demo", PAGE, [verdict("2.0")])
    ledger.used(passing("1.0"), file=False)
    ledger.used(passing("1.5"), file=False)
    assert told(ledger) == [("2.0", "1.5")]


@pytest.mark.parametrize(
    ("held", "used", "expected"),
    [
        (["2.0rc1", "1.9"], "1.8rc1", [("2.0rc1", "1.8rc1")]),
        (["2.0rc1"], "1.8", []),
        (["2.0rc1"], "", [("2.0rc1", "")]),
        (["2.0rc1", "1.0", "1.1", "1.2", "1.3"], "", [("1.3", ""), ("1.2", ""), ("1.1", "")]),
        (["nonsense", "1.0"], "", [("1.0", ""), ("nonsense", "")]),
    ],
)
def test_prereleases_are_told_where_they_would_have_been_used(
    held: list[str], used: str, expected: list[tuple[str, str]]
) -> None:
    ledger = Ledger()
    ledger.page("demo", PAGE, map(verdict, held))
    if used:
        ledger.used(passing(used), file=True)
    assert told(ledger) == expected


def test_a_page_that_is_seen_again_tells_anew() -> None:
    ledger = Ledger()
    ledger.page("demo", PAGE, [verdict("2.0")])
    ledger.page("demo", PAGE, [])
    assert told(ledger) == []


def test_what_one_index_holds_another_may_give() -> None:
    ledger = Ledger()
    ledger.page("demo", PAGE, [verdict("2.0")])
    ledger.used(passing("2.0"), file=True)
    assert told(ledger) == []


def test_of_a_release_the_strictest_is_told() -> None:
    ledger = Ledger()
    ledger.page("demo", PAGE, [verdict("2.0"), verdict("2.0", opens=None), verdict("2.0", opens=90)])
    assert [each.verdict.opens_at for each in ledger.told()] == [None]
    assert ledger.exit_status() is ExitStatus.NEEDS_REVIEW


def test_what_was_refused_is_told_once_and_no_more_when_it_was_given() -> None:
    ledger = Ledger()
    ledger.page("demo", PAGE, [verdict("2.0")])
    ledger.refused(verdict("2.0", Decision.BLOCK))
    assert [each.verdict.decision for each in ledger.told()] == [Decision.BLOCK]
    assert ledger.exit_status() is ExitStatus.BLOCKED
    ledger.used(passing("2.0"), file=True)
    assert told(ledger) == []


def test_warnings_and_approvals_of_what_was_given_are_kept() -> None:
    ledger = Ledger()
    approval = Approval("demo", "1.0", "x", "ab" * 32, "read it", "ada", NOW)
    ledger.used(verdict("2.0", Decision.WARN), file=True)
    ledger.used(verdict("1.0", Decision.ALLOW, approval=approval), file=True)
    ledger.used(passing("1.0"), file=True)
    ledger.used(verdict("3.0", Decision.WARN), file=False)
    assert told(ledger) == [("2.0", "")]
    assert [each.approval for each in ledger.lifted()] == [approval]
    assert ledger.exit_status() is ExitStatus.OK


def test_failures_have_their_statuses_and_lines() -> None:
    ledger = Ledger()
    ledger.note("example.org is not allowed")
    assert ledger.exit_status() is ExitStatus.OK
    ledger.unread("a page")
    assert ledger.exit_status() is ExitStatus.NEEDS_REVIEW
    ledger.refused(verdict("2.0", Decision.BLOCK))
    assert ledger.exit_status() is ExitStatus.BLOCKED
    ledger.broke("the store")
    ledger.broke("the store")
    assert ledger.exit_status() is ExitStatus.BROKEN
    assert ledger.notes() == ["example.org is not allowed", "a page", "the store"]


def test_it_is_bounded() -> None:
    ledger = Ledger()
    ledger.page("demo", PAGE, [verdict(f"1.{number}") for number in range(1000)])
    for number in range(2000):
        ledger.refused(verdict(f"2.{number}"))
        ledger.note(str(number))
    assert len(ledger.told()) == 1003
    assert len(ledger.notes()) == 50
    assert ledger.told()[-1].verdict.subject.version == "1.997"
