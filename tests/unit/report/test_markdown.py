"""The summary for a pull request: what is in the way, and nothing that an index says becomes markup."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from veln_hook.errors import UsageError
from veln_hook.model import Candidate, Confidence, Decision, Finding, Ruling, Severity, Source, Verdict
from veln_hook.report.markdown import MAX_ROWS, Place, counted, summary

INDEX = "https://pypi.org/simple/"
OPENS = datetime(2026, 5, 1, 14, tzinfo=timezone.utc)


def place(
    decision, *, version="1.0", message="it does", path="uv.lock", line=3, opens_at=None, project="demo"
):
    finding = Finding("s", Severity.HIGH, Confidence.HIGH, message, opens_at=opens_at)
    name = f"demo-{version}-py3-none-any.whl"
    candidate = Candidate(project, version, name, f"https://x/{name}", Source.INDEX, INDEX, "ab" * 32)
    rulings = () if decision is Decision.ALLOW else (Ruling(finding, decision, "rule", "default"),)
    return Place(Verdict(decision, candidate, rulings, opens_at=opens_at), path, line)


def rows(text):
    return [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| ---")]


def test_what_passes_is_counted_only():
    assert summary([place(Decision.ALLOW)] * 3) == "### veln-hook\n\n3 releases: 3 passing."
    assert summary([]) == "### veln-hook\n\n0 releases: nothing."


def test_the_worst_comes_first():
    places = [
        place(Decision.WARN, version="1.0"),
        place(Decision.HOLD, version="2.0", opens_at=OPENS),
        place(Decision.ALLOW, version="3.0"),
        place(Decision.BLOCK, version="4.0", line=0),
        place(Decision.HOLD, version="5.0", line=1),
    ]
    text = summary(places)
    assert "5 releases: 1 blocked, 2 held, 1 passing with a warning, 1 passing." in text
    _, *told = rows(text)
    link = "https://inspector.pypi.io/project/demo"
    approve = '`veln-hook approve demo=={}.0 --reason "..."`'
    assert told == [
        f"| block | [demo 4.0]({link}/4.0/) | uv.lock | it does |  |  |",
        f"| hold | [demo 5.0]({link}/5.0/) | uv.lock:1 | it does | a person says so | {approve.format(5)} |",
        f"| hold | [demo 2.0]({link}/2.0/) | uv.lock:3 | it does | 2026-05-01 14:00 UTC | {approve.format(2)} |",
        f"| warn | [demo 1.0]({link}/1.0/) | uv.lock:3 | it does |  |  |",
    ]


def test_nothing_becomes_markup():
    evil = "a|b\n| x | <img src=x> [y](http://z) `c` *d*"
    text = summary(
        [place(Decision.BLOCK, message=evil, path=evil, version="1`|", project="a|b")], [UsageError(evil)]
    )
    _, row = rows(text)
    assert row.replace(r"\|", "").count("|") == 7
    for mark in ("<img", "[y", "`c", "*d"):
        assert not re.search(rf"(?<!\\){re.escape(mark)}", text)


def test_there_is_an_end_to_the_table():
    text = summary([place(Decision.WARN, version=f"{number}.0") for number in range(MAX_ROWS + 7)])
    assert len(rows(text)) == MAX_ROWS + 1
    assert text.endswith("... and 7 more.")


def test_errors_are_told():
    assert "**Error**: no such index" in summary([], [UsageError("no such index")])


def test_counts():
    assert counted([place(Decision.ALLOW).verdict, place(Decision.BLOCK).verdict]) == "1 blocked, 1 passing"
