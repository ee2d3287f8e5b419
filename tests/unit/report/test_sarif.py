"""SARIF 2.1.0: what the standard requires of the parts that are used."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from veln_hook.errors import UsageError
from veln_hook.model import (
    Archive,
    ArchiveKind,
    Confidence,
    Decision,
    Finding,
    Origin,
    Ruling,
    Severity,
    Verdict,
)
from veln_hook.report.contents import Contents
from veln_hook.report.sarif import sarif_log
from veln_hook.signals.source import SIGNALS

URI = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2})+")
LEVELS = {Decision.BLOCK: "error", Decision.HOLD: "error", Decision.WARN: "warning", Decision.ALLOW: "note"}


def finding(**changes):
    told = {
        "signal": "start-up-code",
        "severity": Severity.HIGH,
        "confidence": Confidence.HIGH,
        "message": "it does",
    }
    return Finding(**{**told, **changes})


def contents(*rulings, place="dist/acme-2.0-py3-none-any.whl", kind=ArchiveKind.WHEEL):
    archive = Archive(place, kind, Origin.FETCHED, "acme", "acme", "2.0")
    made = [Ruling(one, decision, "decisions.high.high", "default") for one, decision in rulings]
    worst = max((ruling.decision for ruling in made), default=Decision.ALLOW)
    return Contents(place, Verdict(worst, archive, tuple(made)))


def check(log):
    """Hold a log against what the standard requires (sections 3.13 to 3.52 of SARIF 2.1.0)."""
    assert json.loads(json.dumps(log)) == log
    assert log["version"] == "2.1.0"
    assert log["$schema"].startswith("https://")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"]
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(ids) == len(set(ids))
    assert all(rule["shortDescription"]["text"] for rule in driver["rules"])
    assert not any(key.endswith("Uri") for rule in driver["rules"] for key in rule)
    for result in run["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in {"none", "note", "warning", "error"}
        assert result["message"]["text"]
        assert result.get("baselineState", "new") in {"new", "unchanged", "updated", "absent"}
        assert all(isinstance(value, str) for value in result["partialFingerprints"].values())
        for location in result["locations"]:
            place = location["physicalLocation"]
            assert URI.fullmatch(place["artifactLocation"]["uri"]), place
            assert place.get("region", {"startLine": 1})["startLine"] >= 1
    for invocation in run["invocations"]:
        assert isinstance(invocation["executionSuccessful"], bool)
        for notice in invocation["toolExecutionNotifications"]:
            assert notice["message"]["text"]
    return run


def test_nothing_found_is_a_log_too():
    run = check(sarif_log([]))
    assert run["results"] == []
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [signal.name for signal in SIGNALS]


def test_each_decision_has_its_level():
    rows = [(finding(message=decision.word), decision) for decision in Decision]
    run = check(sarif_log([contents(*rows)]))
    assert {one["message"]["text"]: one["level"] for one in run["results"]} == {
        decision.word: level for decision, level in LEVELS.items()
    }


def test_places_are_references():
    odd = finding(path="a b/\u202e%\x1b\ud800?#.py", line=3, evidence="x\x00")
    nowhere = finding(line=0, path="a.py")
    run = check(
        sarif_log(
            [
                contents((odd, Decision.HOLD), (nowhere, Decision.WARN), (finding(), Decision.WARN)),
                contents(
                    (finding(path="a.py", line=2), Decision.WARN), place="src", kind=ArchiveKind.DIRECTORY
                ),
                contents((finding(path="a.py"), Decision.WARN), place="/abs/x.whl"),
                contents((finding(), Decision.WARN), place="c:x"),
            ]
        )
    )
    places = [one["locations"][0]["physicalLocation"] for one in run["results"]]
    uris = [place["artifactLocation"]["uri"] for place in places]
    assert uris[0].startswith("dist/acme-2.0-py3-none-any.whl!/a%20b/%E2%80%AE%25%1B")
    assert uris[3:] == ["src/a.py", "file:///abs/x.whl!/a.py", "./c:x"]
    assert places[0]["region"] == {"startLine": 3, "snippet": {"text": "x\x00"}}
    assert "region" not in places[1]


def test_fingerprints_outlive_a_change_of_line_and_tell_findings_apart():
    def fingerprint(**changes):
        run = check(sarif_log([contents((finding(**changes), Decision.WARN))]))
        return run["results"][0]["partialFingerprints"]["velnHookFinding/v1"]

    assert fingerprint(path="a.py", line=1) == fingerprint(path="a.py", line=7)
    assert len({fingerprint(path="a.py"), fingerprint(path="b.py"), fingerprint(message="other")}) == 3


def test_what_is_new_and_what_failed_is_told():
    rows = [(finding(new=True), Decision.HOLD), (finding(new=False, message="old"), Decision.ALLOW)]
    run = check(sarif_log([contents(*rows)], [UsageError("no such file")], exit_status=2))
    assert [one["baselineState"] for one in run["results"]] == ["new", "unchanged"]
    (invocation,) = run["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 2)
    assert invocation["toolExecutionNotifications"][0]["descriptor"] == {"id": "usage"}


def test_signals_of_others_become_rules():
    run = check(sarif_log([contents((finding(signal="acme-rule"), Decision.WARN))]))
    assert run["tool"]["driver"]["rules"][-1]["id"] == "acme-rule"


def test_a_release_in_a_list_has_the_line_that_names_it():
    one = finding(message="young")
    first = contents((one, Decision.HOLD), place="uv.lock")._replace(line=7)
    second = contents((finding(message="young", line=9), Decision.HOLD), place="uv.lock")._replace(line=8)
    other = first._replace(
        verdict=replace(first.verdict, subject=replace(first.verdict.subject, project="b"))
    )
    log = sarif_log([first, second, other])
    check(log)
    places = [result["locations"][0]["physicalLocation"] for result in log["runs"][0]["results"]]
    assert [place["artifactLocation"]["uri"] for place in places] == ["uv.lock"] * 3
    assert [place["region"]["startLine"] for place in places] == [7, 9, 7]
    results = log["runs"][0]["results"]
    assert results[0]["message"]["text"] == "acme 2.0: young"
    prints = [result["partialFingerprints"]["velnHookFinding/v1"] for result in results]
    assert prints[0] == prints[1] != prints[2]
