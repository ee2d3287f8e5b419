from __future__ import annotations

import json
from datetime import datetime, timezone

from veln_hook.errors import PolicyError, StoreError
from veln_hook.model import (
    Archive,
    ArchiveKind,
    Candidate,
    Confidence,
    Decision,
    Finding,
    Origin,
    Ruling,
    Severity,
    Source,
    Verdict,
)
from veln_hook.report import json_form

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
FINDING = Finding("cooling", Severity.HIGH, Confidence.MEDIUM, "too young", opens_at=NOW, path="a.py", line=3)
CANDIDATE = Candidate(
    "demo",
    "2.0",
    "demo-2.0.tar.gz",
    "https://h/demo-2.0.tar.gz",
    Source.INDEX,
    "https://h/simple/",
    "ab",
    7,
    NOW,
)


def test_a_candidate_s_verdict():
    told = json_form.verdict_object(
        Verdict(
            Decision.HOLD, CANDIDATE, (Ruling(FINDING, Decision.HOLD, "cooling.min_age", "default"),), NOW
        )
    )
    assert told == {
        "project": "demo",
        "version": "2.0",
        "filename": "demo-2.0.tar.gz",
        "sha256": "ab",
        "index": "https://h/simple/",
        "upload_time": "2026-03-01T12:00:00+00:00",
        "verdict": "hold",
        "opens_at": "2026-03-01T12:00:00+00:00",
        "approval": None,
        "exception": None,
        "findings": [
            {
                "signal": "cooling",
                "severity": "high",
                "confidence": "medium",
                "message": "too young",
                "unverifiable": False,
                "path": "a.py",
                "line": 3,
                "reach": "",
                "new": None,
                "evidence": "",
            }
        ],
    }


def test_an_archive_s_verdict_names_the_index_it_came_from():
    archive = Archive("/tmp/x.whl", ArchiveKind.WHEEL, Origin.FETCHED, "x.whl", candidate=CANDIDATE)
    assert json_form.verdict_object(Verdict(Decision.ALLOW, archive))["index"] == "https://h/simple/"
    bare = Archive("/tmp/x.whl", ArchiveKind.WHEEL, Origin.BUILT, "x.whl")
    assert json_form.verdict_object(Verdict(Decision.ALLOW, bare))["index"] == ""


def test_the_envelope_can_be_written():
    errors = [PolicyError("bad", path="/p", line=2, key="cooling.min_age"), StoreError("gone")]
    told = json.loads(json.dumps(json_form.envelope("check", [{"a": 1}], errors)))
    assert (told["schema"], told["command"], told["results"]) == (1, "check", [{"a": 1}])
    assert told["errors"][0] == {
        "slug": "policy",
        "message": "/p:2: cooling.min_age: bad",
        "advice": PolicyError.advice,
        "path": "/p",
        "line": 2,
        "key": "cooling.min_age",
    }
    assert set(told["errors"][1]) == {"slug", "message", "advice"}
