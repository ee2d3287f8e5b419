"""What became of a request, by approvals that are given as records."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from veln_hook.model import Approval, ApprovalRequest
from veln_hook.policy import requests
from veln_hook.policy.settings import Policy

NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
FILES = (("demo-1.tar.gz", "a" * 64), ("demo-1-py3-none-any.whl", "b" * 64))
REQUEST = ApprovalRequest("demo", "1", FILES, "https://x/", "needed", "dev@here", NOW)


def approvals(login: str, *sha256s: str, **changes) -> list[Approval]:
    return [
        Approval("Demo", "1", "f", sha256, "read", "somebody", NOW, shared=True, login=login, **changes)
        for sha256 in sha256s
    ]


BOTH = ("a" * 64, "b" * 64)


@pytest.mark.parametrize(
    ("given", "people", "expected"),
    [
        ([], 1, ("open", ())),
        (approvals("ada", *BOTH), 1, ("granted", ("ada",))),
        (approvals("ada", BOTH[0]), 1, ("open", ())),
        (approvals("ada", *BOTH), 2, ("open", ("ada",))),
        (approvals("ada", *BOTH, *BOTH), 2, ("open", ("ada",))),
        (approvals("ada", *BOTH) + approvals("bob", *BOTH), 2, ("granted", ("ada", "bob"))),
        (approvals("ada", *BOTH) + approvals("bob", BOTH[1]), 2, ("open", ("ada",))),
        (approvals("ada", *BOTH, revoked_at=NOW - timedelta(1)), 1, ("open", ())),
        (approvals("ada", *BOTH, expires_at=NOW), 1, ("open", ())),
    ],
)
def test_states(given, people, expected) -> None:
    assert requests.state(REQUEST, given, Policy(approvals_people=people), NOW) == expected


def test_a_refused_one_stays_refused() -> None:
    refused = ApprovalRequest(**{**vars(REQUEST), "refused_at": NOW})
    assert requests.state(refused, approvals("ada", *BOTH), Policy(), NOW).word == "refused"


def test_approvals_of_another_project_do_not_count() -> None:
    given = [Approval("other", "1", "f", sha256, "read", "ada", NOW) for sha256 in BOTH]
    assert requests.state(REQUEST, given, Policy(), NOW).word == "open"
