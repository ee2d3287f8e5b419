from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from veln_hook.model import Candidate, Confidence, Decision, Finding, Ruling, Severity, Source, Verdict
from veln_hook.report import ci
from veln_hook.report.wording import tell

if TYPE_CHECKING:
    from pathlib import Path

OPENS = datetime(2026, 5, 1, 14, tzinfo=timezone.utc)
GITHUB = {"GITHUB_ACTIONS": "true", "CI": "true"}
GITLAB = {"GITLAB_CI": "true", "CI": "true"}


def verdict(
    message: str = "uploaded 12 min ago", decision: Decision = Decision.HOLD, project: str = "demo"
) -> Verdict:
    subject = Candidate(
        project=project,
        version="2.0",
        filename="demo-2.0-py3-none-any.whl",
        url="https://files.pythonhosted.org/demo-2.0-py3-none-any.whl",
        index="https://pypi.org/simple/",
        source=Source.INDEX,
        sha256="a" * 64,
    )
    finding = Finding("cooling", Severity.HIGH, Confidence.HIGH, message, opens_at=OPENS)
    return Verdict(
        decision, subject, (Ruling(finding, decision, "cooling.min_age", "default"),), opens_at=OPENS
    )


def said(what: Verdict, environ: dict[str, str], **more: str) -> str:
    return "".join(ci.markers(what, tell(what), environ, **more))


def test_elsewhere_nothing_is_said(tmp_path: Path) -> None:
    assert said(verdict(), {"CI": "true"}) == ""
    ci.summarize(verdict(), {"GITHUB_STEP_SUMMARY": str(tmp_path / "none")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("decision", "level"), [("HOLD", "warning"), ("BLOCK", "error"), ("WARN", "notice")])
def test_github_is_told_one_line(decision: str, level: str) -> None:
    text = said(verdict(decision=Decision[decision]), GITHUB)
    assert text.startswith(f"::{level} title=veln-hook%3A {decision.lower()} demo 2.0::")
    assert text.count("\n") == 1
    assert ("%0A" in text) is (decision != "WARN")  # what lifts it


def test_the_place_of_the_requirement_is_named() -> None:
    text = said(verdict(), GITHUB, comes_from="-r ci/re,q:s.txt (line 12)")
    assert text.startswith("::warning file=ci/re%2Cq%3As.txt,line=12,title=")
    assert "file=" not in said(verdict(), GITHUB, comes_from="other 1.0")


@pytest.mark.parametrize("evil", ["x\n::set-output name=a::b", "x\r::add-mask::y", "x%0A::stop-commands::t"])
def test_what_an_archive_says_is_no_command(evil: str) -> None:
    text = said(verdict(evil), GITHUB)
    assert [line for line in text.splitlines() if line.startswith("::")] == [text.rstrip("\n")]
    assert "\r" not in text


def test_gitlab_has_a_section_around_it() -> None:
    before, after = ci.markers(verdict(), tell(verdict()), GITLAB)
    assert before.startswith("\x1b[0Ksection_start:")
    assert "veln_hook_demo_2_0[collapsed=false]\r\x1b[0K" in before
    assert after.startswith("\x1b[0Ksection_end:")
    assert after.endswith(":veln_hook_demo_2_0\r\x1b[0K\n")


def test_the_summary_is_a_table_that_grows(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    environ = {**GITHUB, "GITHUB_STEP_SUMMARY": str(path)}
    ci.summarize(verdict(), environ, instead="1.0")
    ci.summarize(verdict("a | b <b>*x*</b> `y`", Decision.BLOCK), environ)
    lines = path.read_text().splitlines()
    assert lines[:2] == ["before", "### veln-hook"]
    assert len([line for line in lines if line.startswith("| ---")]) == 1
    assert lines[-2].startswith("| hold | [demo 2.0](https://")
    assert "| 2026-05-01 14:00 UTC | 1.0 | `veln-hook approve" in lines[-2]
    assert r"a \| b \<b\>\*x\*\</b\> \`y\`" in lines[-1]


def test_only_a_plain_file_is_written(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_text("")
    (tmp_path / "link").symlink_to(real)
    for path in (tmp_path / "link", tmp_path, tmp_path / "none"):
        ci.summarize(verdict(), {**GITHUB, "GITHUB_STEP_SUMMARY": str(path)})
    assert real.read_text() == ""
    assert not (tmp_path / "none").exists()
