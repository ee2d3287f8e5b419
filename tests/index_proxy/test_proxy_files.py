"""Files through the gate: each whole and judged before its first byte goes on, whoever named it."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from proxy_world import JSON, cooling

from support.builders import make_sdist, make_wheel, wheel_metadata
from support.held import EVIL, OLD, YOUNG
from support.tls_index import Fault
from veln_hook.gate.allow import Rules
from veln_hook.model import Approval, ExitStatus
from veln_hook.sandbox.interface import Rung
from veln_hook.sandbox.ladder import Ladder, Probe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from proxy_world import Gate

    from support.tls_index import TlsIndex

OLD_WHEEL, YOUNG_WHEEL = "demo-1.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl"
FILE = f"/files/{OLD_WHEEL}"


def test_a_file_that_passes_comes_as_it_is(gate: Gate, demo: TlsIndex) -> None:
    gate.page(demo)
    file = demo.files[OLD_WHEEL]
    reply = gate.get(file.url)
    assert reply.body == file.content
    assert reply.headers["etag"] == f'"{file.sha256}"'
    assert reply.headers["accept-ranges"] == "bytes"
    assert gate.told()[1].strip() == "using demo 1.0 instead"


def test_a_young_file_is_refused_though_no_page_was_asked_for(gate: Gate, demo: TlsIndex) -> None:
    reply = gate.get(demo.file_url(YOUNG_WHEEL))
    assert reply.status == 403
    assert reply.problem["title"] == "veln-hook: HOLD demo 2.0"
    assert demo.file_bytes(YOUNG_WHEEL) == 0
    assert gate.proxy.ledger.exit_status() is ExitStatus.HELD
    assert gate.get(demo.file_url(OLD_WHEEL)).status == 200


def test_a_file_that_no_index_lists_is_refused(gate: Gate, demo: TlsIndex, tmp_path: Path) -> None:
    demo.add(make_wheel(tmp_path, "other", "1.0"), upload_time=OLD)
    demo.faults["/simple/other/"] = Fault(body=json.dumps({"files": []}).encode())
    reply = gate.get(demo.file_url("other-1.0-py3-none-any.whl"))
    assert reply.status == 403
    assert "no index that is configured lists other-1.0-py3-none-any.whl" in reply.problem["detail"]
    assert gate.proxy.ledger.exit_status() is ExitStatus.NEEDS_REVIEW


def test_a_copy_elsewhere_must_be_the_file_that_an_index_lists(
    make_gate: Callable[..., Gate], make_index, demo: TlsIndex, tmp_path: Path
) -> None:
    copy = make_index(host="127.0.0.2")
    copy.add(tmp_path / "wheels" / OLD_WHEEL)
    url, promised = copy.file_url(OLD_WHEEL), f"#sha256={demo.files[OLD_WHEEL].sha256}"
    gate = make_gate(demo, files=[f"{url}{promised}", f"{url}?again{promised}"])
    assert gate.get(url).body == demo.files[OLD_WHEEL].content
    copy.replace(OLD_WHEEL, b"PK something else")
    forged = gate.get(f"{url}?again")
    assert forged.status == 403
    assert forged.problem["title"] == "veln-hook: BLOCK demo 1.0"
    assert gate.proxy.ledger.exit_status() is ExitStatus.BLOCKED
    # One forged copy must not block the real file.
    assert gate.get(f"{demo.file_url(OLD_WHEEL)}?again").status == 200


def test_a_host_that_nobody_has_named_is_not_even_asked_for_a_known_file(
    gate: Gate, make_index, demo: TlsIndex, tmp_path: Path
) -> None:
    copy = make_index(host="127.0.0.2")
    copy.add(tmp_path / "wheels" / OLD_WHEEL)
    secret = f"{copy.root}/files/what-a-build-has-found/{OLD_WHEEL}"
    for url in (copy.file_url(OLD_WHEEL), secret, f"{secret}.metadata"):
        assert gate.get(url).status == 403
    assert copy.requests == []
    assert gate.get(demo.file_url(OLD_WHEEL)).status == 200


def test_other_bytes_than_promised_are_blocked_and_forgotten(gate: Gate, demo: TlsIndex) -> None:
    gate.page(demo)
    real = demo.files[OLD_WHEEL].content
    demo.replace(OLD_WHEEL, real + b"x", sha256=False)
    reply = gate.get(demo.file_url(OLD_WHEEL))
    assert reply.status == 403
    assert "the index promises sha256" in reply.problem["detail"]
    assert "BLOCK demo 1.0  the index promises" in gate.told()[0]
    demo.replace(OLD_WHEEL, real)
    assert gate.get(demo.file_url(OLD_WHEEL)).status == 200
    assert gate.proxy.ledger.exit_status() is ExitStatus.HELD  # the young one


@pytest.mark.parametrize("fault", [Fault(promised=10), Fault(reset_after=100)])
def test_a_file_that_is_cut_off_is_no_file(gate: Gate, demo: TlsIndex, fault: Fault) -> None:
    demo.faults[FILE] = fault
    assert gate.get(demo.file_url(OLD_WHEEL)).status == 502
    assert list(gate.spool.rglob("*.whl")) == []
    del demo.faults[FILE]
    assert gate.get(demo.file_url(OLD_WHEEL)).status == 200


def test_a_file_that_was_compressed_once_more_is_refused(gate: Gate, demo: TlsIndex) -> None:
    demo.faults[FILE] = Fault(headers=(("Content-Encoding", "gzip"),))
    assert "compressed once more" in gate.get(demo.file_url(OLD_WHEEL)).problem["detail"]


@pytest.mark.parametrize("status", [203, 206, 300, 304])
def test_a_file_with_an_odd_status_is_refused(gate: Gate, demo: TlsIndex, status: int) -> None:
    gate.page(demo)
    demo.fail[FILE] = status
    assert f"its status is {status}" in gate.get(demo.file_url(OLD_WHEEL)).problem["detail"]
    demo.fail[FILE] = 410
    assert gate.get(demo.file_url(OLD_WHEEL)).status == 410


def test_what_an_archive_holds_is_held_and_dropped_the_next_time(
    gate: Gate, demo: TlsIndex, tmp_path: Path
) -> None:
    demo.add(make_wheel(tmp_path, "demo", "1.5", EVIL), upload_time=OLD)
    evil = "demo-1.5-py3-none-any.whl"
    assert evil in gate.page(demo).filenames()
    reply = gate.get(demo.file_url(evil))
    assert reply.status == 403
    assert reply.problem["title"] == "veln-hook: BLOCK demo 1.5"
    assert gate.proxy.ledger.exit_status() is ExitStatus.BLOCKED
    assert gate.page(demo).filenames() == [OLD_WHEEL]


def test_two_clients_share_one_download(gate: Gate, demo: TlsIndex) -> None:
    gate.page(demo)
    demo.faults[FILE] = Fault(drip=0.02)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(gate.get, [demo.file_url(OLD_WHEEL)] * 8))
    assert {hashlib.sha256(reply.body).hexdigest() for reply in replies} == {demo.files[OLD_WHEEL].sha256}
    assert demo.downloads[OLD_WHEEL] == 1


def test_parts_come_from_the_judged_bytes(gate: Gate, demo: TlsIndex) -> None:
    url, content = demo.file_url(OLD_WHEEL), demo.files[OLD_WHEEL].content
    head = gate.get(url, method="HEAD")
    assert (head.status, head.body, int(head.headers["content-length"])) == (200, b"", len(content))
    end = gate.get(url, Range="bytes=-100")
    assert (end.status, end.body) == (206, content[-100:])
    assert end.headers["content-range"] == f"bytes {len(content) - 100}-{len(content) - 1}/{len(content)}"
    assert gate.get(url, Range="bytes=10-19").body == content[10:20]
    assert gate.get(url, Range="bytes=10-19", If_Range=head.headers["etag"]).status == 206
    assert gate.get(url, Range="bytes=10-19", If_Range='"other"').body == content
    assert gate.get(url, Range="bytes=0-1,5-6").body == content
    beyond = gate.get(url, Range=f"bytes={len(content)}-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{len(content)}")
    assert gate.get(url, If_None_Match=head.headers["etag"]).status == 304
    assert demo.downloads[OLD_WHEEL] == 1


def test_parts_are_what_a_resolver_looks_into_and_no_use(gate: Gate, demo: TlsIndex) -> None:
    demo.files[YOUNG_WHEEL].upload_time = OLD
    gate.page(demo)
    gate.get(demo.file_url(YOUNG_WHEEL), Range="bytes=-100")
    assert gate.proxy.ledger._files == {}
    assert gate.proxy.ledger._metadata == {"demo": {"2.0"}}


def test_files_of_private_indexes_are_for_who_may_have_them(
    make_gate: Callable[..., Gate], make_index, tmp_path: Path
) -> None:
    index = make_index(auth=("ada", "lovelace"))
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    gate = make_gate(index)
    word = "Basic YWRhOmxvdmVsYWNl"
    url = index.file_url(OLD_WHEEL)
    assert gate.get(url, Authorization=word).status == 200
    assert gate.get(url).status == 401
    assert gate.get(url, Authorization="Basic bm9ib2R5Og==").status == 401
    assert gate.get(url, Authorization=word).status == 200
    assert index.downloads[OLD_WHEEL] == 1


def test_a_redirected_file_is_still_the_same(
    make_gate: Callable[..., Gate], make_index, demo: TlsIndex, tmp_path: Path
) -> None:
    store = make_index(host="127.0.0.2")
    for name in (OLD_WHEEL, YOUNG_WHEEL):
        store.add(tmp_path / "wheels" / name)
        demo.faults[f"/files/{name}"] = Fault(redirect=f"{store.file_url(name)}?signature=abc")
    gate = make_gate(demo)
    assert gate.get(demo.file_url(YOUNG_WHEEL)).status == 403
    reply = gate.get(demo.file_url(OLD_WHEEL))
    assert (reply.status, reply.headers["location"]) == (302, f"{store.file_url(OLD_WHEEL)}?signature=abc")
    assert gate.get(reply.headers["location"]).body == demo.files[OLD_WHEEL].content
    store.replace(OLD_WHEEL, b"other")
    demo.faults[FILE] = Fault(redirect=f"{store.file_url(OLD_WHEEL)}?signature=def")
    again = gate.get(demo.file_url(OLD_WHEEL))
    assert gate.get(again.headers["location"]).problem["title"] == "veln-hook: BLOCK demo 1.0"


def test_a_redirection_makes_no_young_file_old(
    make_gate: Callable[..., Gate], make_index, demo: TlsIndex, tmp_path: Path
) -> None:
    other = make_index(host="127.0.0.2")
    content = demo.files[YOUNG_WHEEL]
    bait = other.add(tmp_path / "wheels" / OLD_WHEEL, upload_time=OLD, sha256=content.sha256)
    other.faults[FILE] = Fault(redirect=content.url)
    gate = make_gate(demo, other)
    gate.page(other)
    gate.page(demo)
    reply = gate.get(bait.url)
    assert reply.status == 302
    assert gate.get(reply.headers["location"]).problem["title"] == "veln-hook: HOLD demo 2.0"


def test_metadata_comes_in_advance_and_has_to_be_kept(
    make_gate: Callable[..., Gate], index: TlsIndex, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, "demo", "1.0")
    file = index.add(wheel, upload_time=OLD, core_metadata=True)
    young = index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=YOUNG, core_metadata=True)
    gate = make_gate(index)
    gate.page(index)
    assert gate.get(f"{file.url}.metadata").body == wheel_metadata(wheel)
    assert gate.get(f"{young.url}.metadata").status == 403
    assert index.file_bytes(young.filename) == 0
    assert gate.get(file.url).status == 200
    before = index.downloads[f"{OLD_WHEEL}.metadata"]
    assert gate.get(f"{file.url}.metadata").body == wheel_metadata(wheel)
    assert index.downloads[f"{OLD_WHEEL}.metadata"] == before  # from the judged wheel


def test_metadata_that_is_not_promised_is_refused(
    make_gate: Callable[..., Gate], index: TlsIndex, tmp_path: Path
) -> None:
    file = index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD, core_metadata=True)
    index.faults[f"{FILE}.metadata"] = Fault(body=b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    gate = make_gate(index)
    gate.page(index)
    reply = gate.get(f"{file.url}.metadata")
    assert reply.status == 403
    assert "not what it promises" in reply.problem["detail"]
    assert gate.proxy.ledger.exit_status() is ExitStatus.NEEDS_REVIEW


def test_a_wheel_with_other_metadata_than_was_served_is_held(
    make_gate: Callable[..., Gate], index: TlsIndex, tmp_path: Path
) -> None:
    file = index.add(
        make_wheel(tmp_path, "demo", "1.0", requires=["evil"]), upload_time=OLD, core_metadata=True
    )
    file.metadata = wheel_metadata(make_wheel(tmp_path / "fair", "demo", "1.0"))
    gate = make_gate(index)
    gate.page(index)
    assert gate.get(f"{file.url}.metadata").body == file.metadata
    reply = gate.get(file.url)
    assert reply.status == 403
    assert "its METADATA is not what its index served in advance" in reply.problem["detail"]
    assert gate.proxy.ledger.exit_status() is ExitStatus.NEEDS_REVIEW


def test_a_url_that_the_user_names_is_held_from_its_first_sight(
    make_gate: Callable[..., Gate], make_index, demo: TlsIndex, tmp_path: Path
) -> None:
    elsewhere = make_index(host="127.0.0.2")
    file = elsewhere.add(make_wheel(tmp_path, "mine", "1.0"))
    assert make_gate(demo).get(file.url).status == 403
    named = make_gate(demo, files=[file.url])
    reply = named.get(file.url)
    assert reply.status == 403
    assert "first seen here" in reply.problem["detail"]
    guard = named.guard()
    guard.store.add_approval(
        Approval("mine", "1.0", file.filename, file.sha256, "mine", "ada", created_at=guard.now())
    )
    guard.close()
    guard.store.close()
    assert named.get(file.url).body == file.content


def test_a_url_with_a_hash_has_these_bytes_only(
    make_gate: Callable[..., Gate], make_index, demo: TlsIndex, tmp_path: Path
) -> None:
    elsewhere = make_index(host="127.0.0.2")
    file = elsewhere.add(make_wheel(tmp_path, "mine", "1.0"))
    policy = cooling(missing_upload_time="allow")
    right = make_gate(demo, files=[f"{file.url}#sha256={file.sha256}"], policy=policy)
    assert right.get(file.url).status == 200
    wrong = make_gate(demo, files=[f"{file.url}#sha256={'0' * 64}"], policy=policy)
    assert wrong.get(file.url).problem["title"] == "veln-hook: BLOCK mine 1.0"


def test_an_allowed_host_does_not_make_its_wheels_pass(
    make_gate: Callable[..., Gate], make_index, demo: TlsIndex, tmp_path: Path
) -> None:
    elsewhere = make_index(host="127.0.0.2")
    file = elsewhere.add(make_wheel(tmp_path, "mine", "1.0", EVIL))
    rules = Rules(["127.0.0.2"], ports=[elsewhere.port])
    gate = make_gate(demo, rules=rules, policy=cooling(missing_upload_time="allow"))
    assert gate.get(file.url).problem["title"] == "veln-hook: BLOCK mine 1.0"


def test_an_unconfined_build_is_somebodys_matter(
    make_gate: Callable[..., Gate], demo: TlsIndex, tmp_path: Path
) -> None:
    sdist = demo.add(make_sdist(tmp_path, "demo", "1.0"), upload_time=OLD)
    assert make_gate(demo).get(sdist.url).status == 200
    nothing = Ladder((Probe(Rung.NAMESPACES, works=False, reason="not here"),))
    reply = make_gate(demo, ladder=lambda: nothing).get(sdist.url)
    assert "no sandbox works here" in reply.problem["detail"]


def test_an_index_takes_no_uploads_and_shows_nothing_else(gate: Gate, demo: TlsIndex) -> None:
    assert gate.get(f"{demo.url}demo/", method="POST", body=b"x").status == 403
    assert gate.get(demo.file_url(OLD_WHEEL), method="DELETE").status == 403
    for path in ("/legacy/", "/simple/", "/simple/demo/../../files/x", "/simple/demo%2f/"):
        reply = gate.get(f"{demo.root}{path}", Accept=JSON)
        assert "only index pages, files and metadata pass" in reply.problem["detail"], path
    assert demo.requests == []


def test_other_hosts_pass_only_where_they_are_listed(
    make_gate: Callable[..., Gate], make_index, demo: TlsIndex
) -> None:
    other = make_index(host="127.0.0.2")
    reply = make_gate(demo).get(f"{other.root}/simple/")
    assert reply.status == 403
    assert "--allow 127.0.0.2 or sandbox.allow_hosts" in reply.problem["detail"]
    rules = Rules(["127.0.0.2"], ports=[other.port])
    assert make_gate(demo, rules=rules).get(f"{other.root}/simple/").status == 200
    assert make_gate(demo, services=rules).get(f"{other.root}/x", method="POST", body=b"x").status == 501


def test_an_allowed_host_that_serves_pages_is_filtered(
    make_gate: Callable[..., Gate], make_index, demo: TlsIndex
) -> None:
    rules = Rules(["127.0.0.1"], ports=[demo.port])
    assert make_gate(indexes=[], rules=rules).page(demo).filenames() == [OLD_WHEEL]


def test_without_a_guard_everything_is_refused(make_gate: Callable[..., Gate], demo: TlsIndex) -> None:
    def broken() -> None:
        raise ValueError("the store is on fire")

    gate = make_gate(demo, store=broken)
    for reply in (gate.page(demo), gate.get(demo.file_url(OLD_WHEEL))):
        assert reply.status == 403
        assert reply.reason == "veln-hook can't judge this"
        assert "the store is on fire" in reply.problem["detail"]
    assert gate.proxy.ledger.exit_status() is ExitStatus.BROKEN


def test_nothing_is_left_in_the_spool(make_gate: Callable[..., Gate], demo: TlsIndex) -> None:
    gate = make_gate(demo)
    gate.get(demo.file_url(OLD_WHEEL))
    assert len(list(gate.spool.rglob("*.whl"))) == 1
    gate.proxy.close()
    assert list(gate.spool.iterdir()) == []
    assert gate.get(demo.file_url(OLD_WHEEL)).status == 403
