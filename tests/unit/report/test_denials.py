from __future__ import annotations

import pytest

from veln_hook.policy.files import tomllib
from veln_hook.report.denials import denial_lines, denial_objects, denials, hint_lines, policy_lines
from veln_hook.sandbox.interface import Refusal


def told(*rows, allowed=(), indexes=()):
    return denials([Refusal(*row) for row in rows], allowed, indexes)


def test_the_same_attempt_seen_twice_is_one_row():
    found = told(("a.example", 443, "curl", 2), ("a.example", 443, "curl", 1), ("a.example", 443, "wget", 1))
    assert found.refusals == (Refusal("a.example", 443, "curl", 3), Refusal("a.example", 443, "wget", 1))


def test_nothing_refused_is_nothing_told():
    assert list(denial_lines(told())) == []
    assert list(hint_lines(told())) == []
    assert told().entries() == []


def test_the_table():
    found = told(("a.example", 443, "python3", 12), ("longer.example", None, "", 1))
    assert list(denial_lines(found)) == [
        "veln-hook: refused to let it reach 2 hosts",
        "  host            port  tried  process",
        "  a.example       443   12x    python3",
        "  longer.example  -     1x     -",
    ]


def test_a_flood_of_names_is_cut():
    lines = list(denial_lines(told(*((f"h{number}.example", None, "x", 1) for number in range(100)))))
    assert len(lines) < 30
    assert lines[0] == "veln-hook: refused to let it reach 100 hosts"
    assert lines[-1] == "  and 80 more"


@pytest.mark.parametrize(
    "host, port, entry",
    [
        ("a.example", None, "a.example"),
        ("A.Example.", 443, "a.example"),
        ("a.example", 80, "a.example"),
        ("a.example", 8443, "a.example:8443"),
        ("192.0.2.7", 443, "192.0.2.7"),
        ("2001:db8::7", 443, "[2001:db8::7]"),
        ("2001:db8::7", 8080, "[2001:db8::7]:8080"),
        ("pypi.org", 443, ""),
        ("index.corp.example", 443, ""),
        ("known.example", 443, ""),
        ("known.example", 444, "known.example:444"),
        ('"]\nbuilds="off"#', 443, ""),
        ("a b", None, ""),
        ("?", None, ""),
        ("", 443, ""),
        ("*", 443, ""),
        ("...", None, ""),
    ],
)
def test_what_would_allow_it(host, port, entry):
    found = told((host, port, "x", 1), allowed=("known.example",), indexes=("index.corp.example",))
    assert found.entry(found.refusals[0]) == entry
    assert denial_objects(found)[0]["allow"] == entry


def test_the_policy_keeps_what_was_allowed_and_is_toml():
    found = told(
        ("a.example", 8443, "x", 1),
        ("a.example", 8443, "y", 1),
        ("pypi.org", 443, "x", 1),
        allowed=("*.b.example",),
    )
    read = tomllib.loads("\n".join(policy_lines(found)))
    assert read == {"sandbox": {"allow_hosts": ["*.b.example", "a.example:8443"]}}


def test_a_reason_that_no_option_mends_is_told_as_such():
    lines = "\n".join(
        hint_lines(told(("pypi.org", 443, "x", 1), ("ok.example", 443, "x", 1), allowed=("ok.example",)))
    )
    assert "pypi.org is a package index" in lines
    assert "ok.example is allowed; what was asked of it isn't" in lines
    assert "--allow" not in lines


def test_what_a_command_calls_itself_drives_no_terminal():
    lines = "\n".join(denial_lines(told(("a.example\x1b]0;owned\x07", 443, "\x1b[2J", 1))))
    assert "\x1b" not in lines
    assert "\x07" not in lines
