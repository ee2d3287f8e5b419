"""The page about the standing gate names everything that there is, and its limits are those of the code."""

from __future__ import annotations

import argparse
import re

import pytest

from support.cache import ROOT
from veln_hook.cli import gate
from veln_hook.index.limits import MAX_PAGE
from veln_hook.index_proxy.spool import FILE_BYTES, TOTAL_BYTES
from veln_hook.standing import log, metrics, reception, sharing
from veln_hook.standing.keeping import LIFE
from veln_hook.standing.settings import Endpoint, Settings

PAGE = (ROOT / "docs" / "standing-gate.md").read_text()


def test_every_option_is_told():
    parser = argparse.ArgumentParser()
    gate.add(parser)
    options = [action.option_strings[0] for action in parser._actions if action.dest != "help"]
    for option in options:
        assert re.search(rf"^\| `{option}[ `]", PAGE, re.MULTILINE), option


@pytest.mark.parametrize("name", metrics.METRICS)
def test_every_metric_is_told(name):
    assert f"`{name}`" in PAGE


def test_every_metric_that_is_told_is_one():
    section = PAGE.partition("## Health and figures")[2].partition("## The log")[0]
    for row in re.findall(r"^\| (`.+?`) \|", section, re.MULTILINE):
        for name in re.findall(r"`([a-z_]+)`", row):
            assert name in metrics.METRICS


def test_limits_are_as_told():
    limits = Settings(listen=Endpoint("127.0.0.1", 0), workers=1, indexes=()).limits()
    assert f"({limits.client_connections})" in PAGE
    assert (limits.head_seconds, limits.head_bytes) == (30, 64 << 10)
    assert (limits.idle_seconds, limits.host_connections) == (60, 32)
    assert (limits.answer_seconds, limits.stall_seconds, limits.body_seconds) == (120, 60, 3600)
    assert (MAX_PAGE, FILE_BYTES, TOTAL_BYTES) == (60_000_000, 4 << 30, 8 << 30)
    assert log.LINES_A_SECOND == 100
    assert reception.MAX_RETIRING == 2
    assert (sharing.AT_ONCE, sharing.FRESH) == (16, 2)
    assert LIFE.days == 5 * 365


def test_outcomes_are_as_told():
    told = re.search(r"`outcome`: ([a-z, -]+)", PAGE)
    assert told is not None
    outcomes = {reception._outcome(status) for status in (200, 304, 302, 401, 403, 404, 410, 451, 500, 502)}
    assert {*outcomes, "upstream-error", "lost", "fault"} == set(told[1].strip().split(", "))
