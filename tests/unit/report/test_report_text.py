from __future__ import annotations

from datetime import datetime, timezone

from veln_hook.model import Decision
from veln_hook.report.text import Palette, table, when


def test_columns_line_up_and_no_line_ends_in_blanks():
    assert table([("a", "long"), ("bcd", "")], ("x", "y")) == ["x    y", "a    long", "bcd"]


def test_a_table_of_nothing():
    assert table([]) == []


def test_a_cell_can_not_drive_the_terminal():
    assert table([("\x1b[2J\n",)]) == ["\\x1b[2J\\x0a"]


def test_only_the_word_of_a_decision_is_painted():
    palette = Palette(color=True)
    assert palette.decision("HOLD  demo", Decision.HOLD) == "\x1b[33mHOLD\x1b[0m  demo"
    assert palette.decision("other", Decision.HOLD) == "other"
    assert Palette(color=False).decision("HOLD  demo", Decision.HOLD) == "HOLD  demo"


def test_times_are_told_to_the_minute():
    assert when(datetime(2026, 3, 1, 9, 5, 59, tzinfo=timezone.utc)) == "2026-03-01 09:05 UTC"
    assert when(None, never="for ever") == "for ever"
