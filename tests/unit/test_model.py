from __future__ import annotations

import ast
import dataclasses
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from veln_hook import model
from veln_hook.model import (
    Approval,
    Archive,
    ArchiveKind,
    Candidate,
    Confidence,
    Decision,
    ExitStatus,
    Finding,
    Observation,
    Origin,
    Ruling,
    Severity,
    Source,
    Verdict,
    VerdictRecord,
    exit_status,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
CANDIDATE = Candidate("demo", "1.0", "demo-1.0-py3-none-any.whl", "https://x/", Source.INDEX)
ARCHIVE = Archive("/tmp/x", ArchiveKind.WHEEL, Origin.FETCHED, "demo-1.0-py3-none-any.whl")
FINDING = Finding("s", Severity.LOW, Confidence.LOW, "m")
RECORDS = [
    CANDIDATE,
    ARCHIVE,
    FINDING,
    Ruling(FINDING, Decision.WARN, "rule", "default"),
    Approval("demo", "1.0", "f", "a" * 64, "r", "me", NOW),
    Verdict(Decision.ALLOW, CANDIDATE),
    Observation("demo", "1.0", "f", "", "", NOW, "m"),
    VerdictRecord(NOW, Decision.HOLD, "archive", "demo", "1.0", "f", "", "", "r"),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: type(r).__name__)
def test_records_are_immutable_and_hashable(record):
    names = record._fields if isinstance(record, tuple) else [f.name for f in dataclasses.fields(record)]
    for name in names:
        with pytest.raises(AttributeError):
            setattr(record, name, None)
    assert hash(record) == hash(record)


def test_the_module_reads_no_clock_disk_network_or_environment():
    tree = ast.parse(Path(model.__file__).read_text())
    imported = {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    } | {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    allowed = {"__future__", "collections.abc", "enum", "dataclasses", "typing", "datetime"}
    assert imported <= {*allowed, "veln_hook.history"}  # as pure, and tested for it


def test_decisions_severities_and_confidences_are_ordered_by_strictness():
    assert Decision.ALLOW < Decision.WARN < Decision.HOLD < Decision.BLOCK
    assert Severity.LOW < Severity.MEDIUM < Severity.HIGH < Severity.CRITICAL
    assert Confidence.LOW < Confidence.MEDIUM < Confidence.HIGH
    assert [d.word for d in Decision] == ["allow", "warn", "hold", "block"]
    assert [s.word for s in Severity] == ["low", "medium", "high", "critical"]
    assert [c.word for c in Confidence] == ["low", "medium", "high"]


def test_only_files_of_this_machine_are_local():
    assert {s for s in Source if s.is_local} == {Source.LOCAL_FILE, Source.LOCAL_DIRECTORY}


@pytest.mark.parametrize(
    ("project", "version", "told"),
    [("demo", "1.0", "demo 1.0"), ("demo", "", "demo"), ("", "", "demo-1.0-py3-none-any.whl")],
)
def test_a_release_is_told_by_what_is_known_of_it(project, version, told):
    assert CANDIDATE._replace(project=project, version=version).release == told
    assert dataclasses.replace(ARCHIVE, project=project, version=version).release == told


def test_a_wheel_is_known_by_its_name():
    assert CANDIDATE.is_wheel
    assert not CANDIDATE._replace(filename="demo-1.0.tar.gz").is_wheel


@pytest.mark.parametrize(
    ("changes", "active"),
    [
        ({}, True),
        ({"expires_at": NOW}, False),
        ({"expires_at": NOW + timedelta(microseconds=1)}, True),
        ({"revoked_at": NOW}, False),
        ({"revoked_at": NOW + timedelta(microseconds=1)}, True),
        ({"revoked_at": NOW - timedelta(days=1), "expires_at": NOW + timedelta(days=1)}, False),
    ],
)
def test_an_approval_ends_at_the_instant_it_names(changes, active):
    approval = Approval("demo", "1.0", "f", "a" * 64, "r", "me", NOW - timedelta(days=2), **changes)
    assert approval.is_active(NOW) is active


def test_a_verdict_passes_up_to_a_warning():
    passing = {decision for decision in Decision if Verdict(decision, CANDIDATE).passes}
    assert passing == {Decision.ALLOW, Decision.WARN}


def test_holding_names_the_strictest_rulings_only():
    block = Ruling(FINDING, Decision.BLOCK, "a", "default")
    hold = Ruling(FINDING, Decision.HOLD, "b", "default")
    assert Verdict(Decision.BLOCK, CANDIDATE, (block, hold)).holding == (block,)


ALLOWED = Verdict(Decision.ALLOW, CANDIDATE)
WARNED = Verdict(Decision.WARN, CANDIDATE)
HELD = Verdict(Decision.HOLD, CANDIDATE, opens_at=NOW)
REVIEW = Verdict(Decision.HOLD, CANDIDATE)
BLOCKED = Verdict(Decision.BLOCK, CANDIDATE)


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ([], 0),
        ([ALLOWED, WARNED], 0),
        ([ALLOWED, HELD], 75),
        ([HELD, HELD], 75),
        ([HELD, REVIEW], 77),
        ([REVIEW, HELD], 77),
        ([REVIEW, HELD, BLOCKED], 1),
        ([BLOCKED, ALLOWED], 1),
        ([ALLOWED, HELD, ALLOWED], 75),
    ],
)
def test_the_exit_status_is_a_block_before_a_review_before_a_wait(verdicts, status):
    assert exit_status(verdicts) == status


def test_exit_statuses_are_those_of_sysexits():
    assert {s.name: int(s) for s in ExitStatus} == {
        "OK": 0,
        "BLOCKED": 1,
        "USAGE": 2,
        "HELD": 75,
        "NEEDS_REVIEW": 77,
        "BROKEN": 78,
    }
