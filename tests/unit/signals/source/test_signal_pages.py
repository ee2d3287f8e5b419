"""docs/signals/ says what the rules are."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from veln_hook.signals.source.registry import RULES

ROOT = Path(__file__).parents[4]
PAGES = ROOT / "docs" / "signals"
TOOL = runpy.run_path(str(ROOT / "tools" / "make_signal_pages.py"))
MADE = TOOL["pages"]()


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_page_is_up_to_date(name):
    path = PAGES / f"{name}.md"
    assert path.is_file(), "run tools/make_signal_pages.py"
    assert path.read_text(encoding="utf-8") == MADE[name], "run tools/make_signal_pages.py"


def test_the_table_has_a_row_for_every_page():
    for path in PAGES.glob("*.md"):
        assert path.stem == "README" or f"| [{path.stem}]({path.name}) |" in MADE["README"]


def test_no_page_is_left_of_a_rule_that_is_gone():
    by_hand = {"README", *(name for name, *_ in TOOL["BY_HAND"])}
    assert {path.stem for path in PAGES.glob("*.md")} == {rule.name for rule in RULES} | by_hand
