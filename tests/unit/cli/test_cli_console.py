from __future__ import annotations

import io

import pytest

from veln_hook.cli.console import Console
from veln_hook.errors import UsageError
from veln_hook.model import Candidate, Decision, Source, Verdict


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def verdict(decision):
    candidate = Candidate("demo", "1.0", "demo-1.0.tar.gz", "https://h/demo-1.0.tar.gz", Source.INDEX)
    return Verdict(decision, candidate)


def test_colours_are_for_terminals():
    out = Terminal()
    Console("check", environ={}, out=out).verdict(verdict(Decision.BLOCK))
    assert out.getvalue().startswith("\x1b[31mBLOCK\x1b[0m demo 1.0")


@pytest.mark.parametrize(
    ("color", "environ"), [(False, {}), (True, {"NO_COLOR": "1"}), (True, {"TERM": "dumb"})]
)
def test_colours_can_be_switched_off(color, environ):
    stream = Terminal()
    console = Console("check", color=color, environ=environ, out=stream, err=stream)
    console.verdict(verdict(Decision.BLOCK))
    console.error(UsageError("no"))
    assert "BLOCK demo 1.0" in stream.getvalue()
    assert "error: no" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_an_empty_no_color_does_not_count():
    out = Terminal()
    Console("check", environ={"NO_COLOR": ""}, out=out).verdict(verdict(Decision.HOLD))
    assert "\x1b" in out.getvalue()


def test_without_a_terminal_there_are_no_colours(capsys):
    console = Console("check", environ={})
    console.verdict(verdict(Decision.BLOCK))
    console.progress("waiting")
    out, err = capsys.readouterr()
    assert out.startswith("BLOCK demo 1.0\n")
    assert err == ""


def test_quiet_tells_what_stands_in_the_way_only(capsys):
    console = Console("check", quiet=True, environ={})
    for decision in Decision:
        console.verdict(verdict(decision))
    console.note("by the way")
    words = [line.split()[0] for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    assert words == ["WARN", "HOLD", "BLOCK"]


def test_progress_is_one_line_that_goes_away(capsys):
    err = Terminal()
    console = Console("check", environ={}, err=err)
    console.progress("asking for a\nevil \x1b[2J name")
    console.line("answer")
    assert err.getvalue().startswith("\r\x1b[Kasking for a\\x0aevil")
    assert "\x1b[2J" not in err.getvalue()
    assert err.getvalue().endswith("\r\x1b[K")
    assert capsys.readouterr().out == "answer\n"
