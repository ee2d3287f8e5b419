"""How it is told what a build tried to reach."""

from __future__ import annotations

import pytest

from veln_hook.adapters.pip.build_refusals import by_host, refusal_line, tell_no_network, tell_refusals
from veln_hook.adapters.pip.run import Run
from veln_hook.sandbox.interface import Refusal

ATTACKER = Refusal("attacker.example", 443, "python3", 3)
REQUIRES = "what it needs to be built belongs into build-system.requires of its pyproject.toml"


def allow(*entries):
    listed = ", ".join(f'"{entry}"' for entry in entries)
    return f"if it is to have that, allow it with sandbox.allow_hosts = [{listed}] in the policy"


@pytest.mark.parametrize(
    "rows, told, advice",
    [
        ([ATTACKER], "attacker.example:443 and was refused (python3, 3 times)", allow("attacker.example")),
        (
            [Refusal("files.example.org", None, "", 1)],
            "files.example.org and was refused (once)",
            allow("files.example.org"),
        ),
        (
            [Refusal("db.example.org", 5432, "pg", 1), Refusal("db.example.org", 80, "curl", 2)],
            "db.example.org and was refused (pg, curl, 3 times)",
            allow("db.example.org:5432", "db.example.org"),
        ),
        (
            [Refusal("2001:db8::1", 443, "x", 1)],
            "[2001:db8::1]:443 and was refused (x, once)",
            allow("[2001:db8::1]"),
        ),
        ([Refusal("pypi.org", 443, "x", 1)], "pypi.org:443 and was refused (x, once)", REQUIRES),
        ([Refusal("no host at all", None, "x", 1)], "no host at all and was refused (x, once)", ""),
        ([Refusal("a\x1b[2J", None, "b\nc", 1)], "a\\x1b[2J and was refused (b\\x0ac, once)", ""),
    ],
)
def test_one_line_for_a_host(rows, told, advice):
    line = f"veln-hook: the build of demo 1.0 tried to reach {told}"
    assert refusal_line("demo 1.0", rows) == f"{line}; it went on without"
    assert refusal_line("demo 1.0", rows, failed=True) == line + (advice and f"; {advice}")


def test_the_hosts_of_an_index_in_use_are_not_to_be_allowed():
    rows = [Refusal("index.example", 443, "x", 1)]
    assert refusal_line("demo", rows, index_hosts={"index.example"}, failed=True).endswith(REQUIRES)


def test_a_host_that_is_allowed_is_not_to_be_allowed_again():
    line = refusal_line("demo", [ATTACKER], allowed=["*.example"], failed=True)
    assert line.endswith("was refused (python3, 3 times)")


def test_hosts_keep_the_order_of_their_first_attempts():
    rows = [Refusal("b", 1, "", 1), Refusal("a", 1, "", 1), Refusal("b", 2, "", 1)]
    assert [(host, len(found)) for host, found in by_host(rows).items()] == [("b", 2), ("a", 1)]


@pytest.fixture
def told(caplog):
    """Tell something in a run of its own; returns what a person reads of it."""
    run = Run("pip._internal.")

    def tell(*rows, name="demo 1.0", failed=False):
        caplog.clear()
        tell_refusals(run, name, rows, failed=failed)
        return [record.getMessage() for record in caplog.records]

    return tell


def test_a_host_is_told_once_for_each_build(told):
    assert len(told(ATTACKER)) == 1
    assert told(ATTACKER) == []
    assert len(told(ATTACKER, name="other 1.0")) == 1


def test_what_a_build_fails_for_is_told_again_with_what_helps(told):
    assert "allow" not in told(ATTACKER)[0]
    assert told(ATTACKER, failed=True)[0].endswith(allow("attacker.example"))
    assert told(ATTACKER, failed=True) == []
    assert told(ATTACKER) == []


def test_many_hosts_are_counted(told):
    rows = [Refusal(f"h{number}.example", 443, "x", 1) for number in range(8)]
    lines = told(*rows)
    assert len(lines) == 6
    assert lines[-1] == "veln-hook: the build of demo 1.0 tried to reach 3 more hosts"
    assert told(*rows[:6], Refusal("one.example", 443, "x", 1)) == [
        refusal_line("demo 1.0", [Refusal("one.example", 443, "x", 1)])
    ]


def test_that_there_was_no_network_is_told_once_for_each_build(caplog):
    run = Run("pip._internal.")
    for name in ("demo 1.0", "demo 1.0", "other 1.0"):
        tell_no_network(run, name)
    assert [message.split(" had no network")[0] for message in run.notices] == [
        "veln-hook: the build of demo 1.0",
        "veln-hook: the build of other 1.0",
    ]
    assert [record.getMessage() for record in caplog.records] == run.notices
