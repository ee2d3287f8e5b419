"""How it is told what a build tried to reach."""

from __future__ import annotations

import pytest

from veln_hook.adapters.pip.builds import by_host, refusal_line
from veln_hook.sandbox.interface import Refusal


@pytest.mark.parametrize(
    "rows, line",
    [
        (
            [Refusal("attacker.example", 443, "python3", 3)],
            'attacker.example:443 (python3, 3x) and was refused; allow it with sandbox.allow_hosts = ["attacker.example"] in the policy',
        ),
        (
            [Refusal("files.example.org", None, "", 1)],
            'files.example.org (1x) and was refused; allow it with sandbox.allow_hosts = ["files.example.org"] in the policy',
        ),
        (
            [Refusal("db.example.org", 5432, "pg", 1), Refusal("db.example.org", 80, "curl", 2)],
            'db.example.org (pg, curl, 3x) and was refused; allow it with sandbox.allow_hosts = ["db.example.org", "db.example.org:5432"] in the policy',
        ),
        (
            [Refusal("2001:db8::1", 443, "x", 1)],
            '[2001:db8::1]:443 (x, 1x) and was refused; allow it with sandbox.allow_hosts = ["[2001:db8::1]"] in the policy',
        ),
        (
            [Refusal("pypi.org", 443, "x", 1)],
            "pypi.org:443 (x, 1x) and was refused; what it needs to be built belongs into build-system.requires of its pyproject.toml",
        ),
        ([Refusal("no host at all", None, "x", 1)], "no host at all (x, 1x) and was refused"),
        ([Refusal("a\x1b[2J", None, "b\nc", 1)], "a\\x1b[2J (b\\x0ac, 1x) and was refused"),
    ],
)
def test_one_line_for_a_host(rows, line):
    assert refusal_line("demo 1.0", rows) == f"veln-hook: the build of demo 1.0 tried to reach {line}"


def test_the_hosts_of_an_index_in_use_are_not_to_be_allowed():
    line = refusal_line("demo", [Refusal("index.example", 443, "x", 1)], {"index.example"})
    assert "allow_hosts" not in line
    assert "build-system.requires" in line


def test_hosts_keep_the_order_of_their_first_attempts():
    rows = [Refusal("b", 1, "", 1), Refusal("a", 1, "", 1), Refusal("b", 2, "", 1)]
    assert [(host, len(found)) for host, found in by_host(rows).items()] == [("b", 2), ("a", 1)]
