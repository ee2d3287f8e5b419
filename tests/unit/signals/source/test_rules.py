"""Every rule finds what its own example shows, and not in the example that looks like it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.code import findings
from veln_hook.model import Severity
from veln_hook.signals.source.registry import RULES
from veln_hook.signals.source.rules import archive

RULES_DIRECTORY = Path(archive.__file__).parent
PAGES = Path(__file__).parents[4] / "docs" / "signals"
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)


@each_rule
def test_the_example_fires_at_the_rules_grade(rule):
    found = [finding for finding in findings(rule.fires) if finding.signal == rule.name]
    assert found, [finding.signal for finding in findings(rule.fires)]
    assert max((finding.severity, finding.confidence) for finding in found) >= rule.grade


@each_rule
def test_the_example_that_looks_alike_does_not_fire(rule):
    found = [finding for finding in findings(rule.quiet) if finding.signal == rule.name]
    assert found == []


@each_rule
def test_what_the_release_before_did_is_at_most_told(rule):
    found = [f for f in findings(rule.fires, rule.fires) if f.signal == rule.name]
    assert found or rule.name == "weak-signs"  # sums up what is new
    assert {(finding.severity, finding.new) for finding in found} <= {(Severity.LOW, False)}


@pytest.mark.parametrize("rule", [r for r in RULES if r.name != "weak-signs"], ids=lambda rule: rule.name)
def test_what_is_new_is_graded_no_milder(rule):
    grade = {finding.severity for finding in findings(rule.fires) if finding.signal == rule.name}
    new = [f for f in findings(rule.fires, rule.quiet) if f.signal == rule.name and f.new]
    assert new
    assert max(finding.severity for finding in new) >= max(grade)


@each_rule
def test_findings_say_where_in_one_line(rule):
    for finding in findings(rule.fires):
        assert finding.message
        assert "\n" not in finding.message
        assert finding.path or finding.line is None


@each_rule
def test_names_and_descriptions(rule):
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name)
    assert re.fullmatch(r"([A-Z]|setup)[^\n]*\.", rule.description)
    assert not re.search(r"\. [A-Z]", rule.description), "more than one sentence"
    assert rule.rates


@each_rule
def test_it_has_a_page(rule):
    assert (PAGES / f"{rule.name}.md").is_file()


def test_names_are_unique():
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_every_module_of_rules_is_registered():
    modules = {path.stem for path in RULES_DIRECTORY.glob("*.py")} - {"__init__"}
    assert len(modules) == len(RULES)
