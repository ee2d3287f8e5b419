"""Requests for approvals in the shared store, and that the database alone says who may not grant them."""

from __future__ import annotations

import json

import pytest
from store_records import NOON, approval

psycopg = pytest.importorskip("psycopg")

from veln_hook.errors import StoreError  # noqa: E402
from veln_hook.model import ApprovalRequest  # noqa: E402
from veln_hook.store.postgres_requests import Requests  # noqa: E402

SHA256S = ("a" * 64, "b" * 64)
FILES = (("demo-1.tar.gz", SHA256S[0]), ("demo-1-py3-none-any.whl", SHA256S[1]))
REQUEST = ApprovalRequest("demo", "1", FILES, "https://x/simple/", "needed \U0001f600", "ada@host", NOON)


def test_a_request_is_kept_whole_and_refused_once(fleet):
    machine, approver = Requests(fleet.server(fleet.url()).line), Requests(fleet.server().line)
    stored = machine.add_request(REQUEST)
    assert stored.id == 1
    assert stored.login == fleet.machine_login
    assert list(approver.requests()) == [stored]
    with pytest.raises(StoreError, match="refuses that to this login"):
        machine.refuse_request(1, author="x", reason="y")
    assert approver.refuse_request(1, author="bob", reason="no\x00t now")
    assert not approver.refuse_request(1, author="bob", reason="again")
    assert not approver.refuse_request(2**70, author="bob", reason="none")
    (refused,) = machine.requests()
    assert (refused.refused_by, refused.refusal) == (fleet.approver_login, "no\\x00t now")
    assert refused.refused_at is not None


def test_who_asked_cannot_grant_by_any_name_until_it_is_refused(fleet):
    both = fleet.server()
    requests = Requests(both.line)
    requests.add_request(REQUEST)
    for given in (approval(project="demo", sha256=SHA256S[1]), approval(project="De.Mo", sha256=SHA256S[0])):
        with pytest.raises(StoreError, match="who asked for an approval can not give it"):
            both.add_approval(given)
    assert both.add_approval(approval(project="demo", sha256="c" * 64)).id
    other = fleet.server(fleet.url(fleet.cluster.make_login("veln_hook_approver")))
    assert other.add_approval(approval(project="demo", sha256=SHA256S[0])).id
    assert Requests(other.line).refuse_request(1, author="x", reason="y")
    assert both.add_approval(approval(project="demo", sha256=SHA256S[1])).id


@pytest.mark.parametrize(
    "files",
    [
        "",
        "nonsense",
        "{}",
        "[]",
        "[1]",
        '["demo"]',
        '[["demo"]]',
        '[["demo", null]]',
        '[["demo", "abc"]]',
        json.dumps([["demo", SHA256S[0], "more"]]),
        json.dumps([["demo", SHA256S[0].upper()]]),
        json.dumps([["demo", SHA256S[0]], {"demo": SHA256S[1]}]),
        json.dumps([["x" * 1_000_001, SHA256S[0]]]),
    ],
    ids=lambda files: files[:40] or "empty",
)
def test_what_names_no_files_is_no_request(fleet, files):
    with psycopg.connect(fleet.url(), autocommit=True) as connection:
        query = "SELECT veln_hook.add_request('demo', '1', %s, '', 'r', 'a', 0, 'm')"
        with pytest.raises(psycopg.Error):
            connection.execute(query, (files,))
    assert list(Requests(fleet.server().line).requests()) == []
