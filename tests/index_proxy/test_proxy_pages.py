"""Index pages through the gate: what is held isn't on them, and everything else is as it was."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from proxy_world import HTML, JSON, cooling

from support.builders import make_sdist, make_wheel
from support.gated import releases
from support.held import OLD, YOUNG
from support.tls_index import Fault
from veln_hook.model import Approval, ExitStatus
from veln_hook.policy.settings import IndexPolicy, Policy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from proxy_world import Gate

    from support.tls_index import TlsIndex

NAMES = ["demo-1.0-py3-none-any.whl"]
BOTH = [*NAMES, "demo-2.0-py3-none-any.whl"]
PAGE = "/simple/demo/"


def test_a_young_release_is_dropped_with_its_version(gate: Gate, demo: TlsIndex) -> None:
    reply = gate.page(demo)
    assert reply.filenames() == NAMES
    assert json.loads(reply.body)["versions"] == ["1.0"]
    assert reply.headers["content-type"] == JSON


def test_what_lost_a_file_is_not_kept_by_clients(
    make_gate: Callable[..., Gate], make_index, tmp_path
) -> None:
    index = releases(make_index(cache_control="max-age=600, public"), tmp_path / "wheels")
    headers = make_gate(index).page(index).headers
    assert headers["cache-control"] == "no-cache"
    assert "etag" not in headers


def test_a_page_of_which_nothing_is_held_passes_byte_by_byte(
    make_gate: Callable[..., Gate], make_index, tmp_path
) -> None:
    index = make_index(cache_control="public, max-age=86400")
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    index.history["demo"] = 50
    index.faults[PAGE] = Fault(gzip=True, headers=(("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT"),))
    reply = make_gate(index).page(index)
    assert reply.headers["content-encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(reply.body))["files"]) == 51
    assert reply.headers["cache-control"] == "public, max-age=600"
    assert not {"etag", "last-modified"} & set(reply.headers)


def test_a_client_that_takes_no_gzip_gets_none(gate: Gate, demo: TlsIndex) -> None:
    demo.remove("demo-2.0-py3-none-any.whl")
    demo.faults[PAGE] = Fault(gzip=True)
    reply = gate.page(demo, Accept_Encoding="identity")
    assert "content-encoding" not in reply.headers
    assert reply.filenames() == NAMES


@pytest.mark.parametrize("fault", [Fault(chunked=True), Fault(gzip=True), Fault(chunked=True, gzip=True)])
def test_chunked_and_compressed_pages_are_read(gate: Gate, demo: TlsIndex, fault: Fault) -> None:
    demo.faults[PAGE] = fault
    assert gate.page(demo).filenames() == NAMES


def test_a_page_is_asked_for_whole(gate: Gate, demo: TlsIndex) -> None:
    reply = gate.page(
        demo, If_None_Match='"x"', If_Modified_Since="Mon, 01 Jan 2024 00:00:00 GMT", Range="bytes=0-9"
    )
    assert reply.filenames() == NAMES
    sent = {name.lower() for name in demo.headers[-1]}
    assert not {"if-none-match", "if-modified-since", "range"} & sent


def test_head_is_answered_like_get(gate: Gate, demo: TlsIndex) -> None:
    reply = gate.get(f"{demo.url}demo/", method="HEAD", Accept=JSON)
    assert reply.status == 200
    assert reply.body == b""
    assert int(reply.headers["content-length"]) == len(gate.page(demo).body)


def test_of_a_project_with_nothing_left_the_page_is_refused_and_says_why(
    make_gate: Callable[..., Gate], index: TlsIndex, tmp_path: Path
) -> None:
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=YOUNG)
    gate = make_gate(index)
    reply = gate.page(index)
    assert reply.status == 451
    assert reply.reason == "veln-hook: HOLD demo 2.0"
    detail = reply.problem["detail"]
    assert detail.startswith("HOLD demo 2.0 uploaded 12 min ago, cooling until ")
    assert 'approve veln-hook approve demo==2.0 --reason "..."' in detail
    assert gate.told()[0].startswith("HOLD  demo 2.0  uploaded 12 min ago")
    assert gate.proxy.ledger.exit_status() is ExitStatus.HELD


def test_what_was_held_is_logged_and_observed_at_the_end(
    make_gate: Callable[..., Gate], demo: TlsIndex
) -> None:
    gate = make_gate(demo)
    gate.page(demo)
    gate.proxy.record()
    gate.proxy.record()
    store = gate.store()
    records, seen = store.log(), store.observations("demo")
    store.close()
    assert [(record.stage, record.version, record.decision.word) for record in records] == [
        ("candidate", "2.0", "hold")
    ]
    assert [each.filename for each in seen] == ["demo-2.0-py3-none-any.whl"]


def test_an_approval_counts_at_once(gate: Gate, demo: TlsIndex) -> None:
    assert gate.page(demo).filenames() == NAMES
    guard = gate.guard()
    young = demo.files["demo-2.0-py3-none-any.whl"]
    guard.store.add_approval(
        Approval("demo", "2.0", young.filename, young.sha256, "read it", "ada", created_at=guard.now())
    )
    guard.close()
    guard.store.close()
    assert gate.page(demo).filenames() == BOTH
    reply = gate.get(young.url)
    assert reply.status == 200
    assert reply.body == young.content
    assert gate.told() == []
    assert [verdict.subject.filename for verdict in gate.proxy.ledger.lifted()] == [young.filename]


def test_a_held_wheel_holds_the_sdist_of_its_release(gate: Gate, demo: TlsIndex, tmp_path: Path) -> None:
    demo.add(make_sdist(tmp_path, "demo", "2.0"), upload_time=OLD)
    demo.add(make_sdist(tmp_path, "demo", "1.0"), upload_time=OLD)
    assert gate.page(demo).filenames() == [*NAMES, "demo-1.0.tar.gz"]


def test_a_yank_does_not_matter(gate: Gate, demo: TlsIndex) -> None:
    for file in demo.files.values():
        file.yanked = "broken"
    files = json.loads(gate.page(demo).body)["files"]
    assert [file["yanked"] for file in files] == ["broken"]


def test_exempt_projects_pass(make_gate: Callable[..., Gate], demo: TlsIndex) -> None:
    assert make_gate(demo, policy=cooling(exempt=("dem*",))).page(demo).filenames() == BOTH


def test_a_policy_may_want_nothing_older_instead(make_gate: Callable[..., Gate], demo: TlsIndex) -> None:
    gate = make_gate(demo, policy=cooling(on_hold="refuse"))
    assert gate.page(demo).problem["title"] == "veln-hook: HOLD demo 2.0"


def test_a_young_prerelease_is_nobodys_newest(
    make_gate: Callable[..., Gate], index: TlsIndex, tmp_path: Path
) -> None:
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    index.add(make_wheel(tmp_path, "demo", "2.0rc1"), upload_time=YOUNG)
    gate = make_gate(index, policy=cooling(on_hold="refuse"))
    assert gate.page(index).filenames() == NAMES
    gate.get(index.file_url(NAMES[0]))
    assert gate.told() == []


def test_html_pages_get_their_times_from_json(make_gate: Callable[..., Gate], demo: TlsIndex) -> None:
    reply = make_gate(demo).page(demo, Accept=HTML)
    assert b"demo-1.0" in reply.body
    assert b"demo-2.0" not in reply.body
    assert reply.headers["content-type"] == HTML


def test_html_pages_get_their_times_from_the_older_api(
    make_gate: Callable[..., Gate], make_index, tmp_path: Path
) -> None:
    index = releases(make_index(json=False, project_api=True), tmp_path)
    reply = make_gate(index).page(index)
    assert b"demo-1.0" in reply.body
    assert b"demo-2.0" not in reply.body


@pytest.mark.parametrize("json_pages", [True, False])
def test_a_file_without_a_time_is_held_from_its_first_sight(
    make_gate: Callable[..., Gate], make_index, tmp_path: Path, json_pages: bool
) -> None:
    index = releases(make_index(json=json_pages, times=False), tmp_path)
    gate = make_gate(index)
    assert gate.page(index).status == 451
    assert "first seen here" in gate.told()[0]
    allowing = make_gate(index, policy=cooling(missing_upload_time="allow"))
    assert b"demo-2.0" in allowing.page(index).body


def test_a_mirrors_times_are_its_upstreams(
    make_gate: Callable[..., Gate], make_index, demo: TlsIndex, tmp_path: Path
) -> None:
    mirror = releases(make_index(times=False, html=False), tmp_path / "mirrored")
    policy = Policy(indexes=(IndexPolicy(mirror.url, upstream=demo.url),))
    gate = make_gate(mirror, demo, policy=policy)
    assert gate.page(mirror).filenames() == NAMES
    assert "uploaded 12 min ago" in gate.told()[0]


def test_a_mirror_with_other_bytes_gets_no_times(
    make_gate: Callable[..., Gate], make_index, demo: TlsIndex, tmp_path: Path
) -> None:
    mirror = make_index(times=False, html=False)
    mirror.add(make_wheel(tmp_path, "demo", "1.0", {"demo.py": "changed = 1\n"}))
    policy = Policy(indexes=(IndexPolicy(mirror.url, upstream=demo.url),))
    assert make_gate(mirror, demo, policy=policy).page(mirror).status == 451


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(body=b"{}"), "no Simple API project page"),
        (
            Fault(body=gzip.compress(b"{}") + b"x", headers=(("Content-Encoding", "gzip"),)),
            "doesn't end where",
        ),
        (Fault(body=gzip.compress(b"[]")[:-4], headers=(("Content-Encoding", "gzip"),)), "doesn't end where"),
        (
            Fault(body=gzip.compress(b" " * (64 << 20)), headers=(("Content-Encoding", "gzip"),)),
            "unpacks to too much",
        ),
        (Fault(body=b"x", headers=(("Content-Encoding", "br"),)), "content coding can't be read"),
        (Fault(headers=(("Content-Type", "text/html"),)), "content-type twice"),
        (Fault(body=b" " * 60_000_001), "longer than 60000000 bytes"),
    ],
)
def test_a_page_that_nobody_can_read_is_refused(gate: Gate, demo: TlsIndex, fault: Fault, said: str) -> None:
    demo.faults[PAGE] = fault
    reply = gate.page(demo)
    assert reply.status == 451
    assert said in reply.problem["detail"]
    assert gate.proxy.ledger.exit_status() is ExitStatus.NEEDS_REVIEW


@pytest.mark.parametrize("status", [203, 206, 226, 300, 304, 305])
def test_a_page_with_an_odd_status_is_refused(gate: Gate, demo: TlsIndex, status: int) -> None:
    demo.fail[PAGE] = status
    reply = gate.page(demo)
    assert reply.status == 451
    assert f"its status is {status}" in reply.problem["detail"]


@pytest.mark.parametrize("status", [403, 404, 410, 500])
def test_an_error_of_the_index_is_passed_on(gate: Gate, demo: TlsIndex, status: int) -> None:
    demo.fail[PAGE] = status
    assert gate.page(demo).status == status


@pytest.mark.parametrize("promised", [10, -10])
def test_a_page_of_another_length_is_no_page(gate: Gate, demo: TlsIndex, promised: int) -> None:
    demo.faults[PAGE] = Fault(promised=promised)
    assert gate.page(demo).status in (451, 502)


def test_what_is_missing_is_missing(gate: Gate, demo: TlsIndex) -> None:
    assert gate.page(demo, "nothing").status == 404


def test_credentials_go_to_the_index_and_its_401_comes_back(
    make_gate: Callable[..., Gate], make_index, tmp_path: Path
) -> None:
    index = releases(make_index(auth=("ada", "lovelace")), tmp_path)
    gate = make_gate(index)
    refused = gate.page(index)
    assert refused.status == 401
    assert refused.headers["www-authenticate"] == 'Basic realm="tests"'
    assert gate.page(index, Authorization="Basic YWRhOmxvdmVsYWNl").filenames() == NAMES


def test_a_page_elsewhere_is_filtered_where_it_was_redirected_to(
    make_gate: Callable[..., Gate], make_index, demo: TlsIndex
) -> None:
    first = make_index(host="127.0.0.2")
    first.faults["/simple/"] = Fault(redirect=f"{demo.url}demo/")
    gate = make_gate(first)
    assert gate.get(f"{demo.url}demo/", Accept=JSON).status == 403
    reply = gate.page(first)
    assert reply.status == 302
    assert gate.get(reply.headers["location"], Accept=JSON).filenames() == NAMES


def test_a_redirection_out_of_tls_is_refused(gate: Gate, demo: TlsIndex) -> None:
    demo.faults[PAGE] = Fault(redirect="http://127.0.0.1:1/simple/demo/")
    reply = gate.page(demo)
    assert reply.status == 403
    assert "leads out of TLS" in reply.problem["detail"]


def test_a_page_of_links_lists_files_of_several_projects(
    make_gate: Callable[..., Gate], make_index, tmp_path: Path
) -> None:
    index = releases(make_index(), tmp_path)
    releases(index, tmp_path, "other")
    links = "".join(
        f'<a href="{file.url}#sha256={file.sha256}">{file.filename}</a>\n' for file in index.files.values()
    )
    index.add(make_wheel(tmp_path, "links", "1.0"), upload_time=OLD)  # so that there is such a page
    index.faults["/simple/links/"] = Fault(
        body=f"<!DOCTYPE html><html><body>\n{links}</body></html>".encode()
    )
    url = f"{index.url}links/"
    gate = make_gate(indexes=[], find_links=[url], policy=cooling(missing_upload_time="allow"))
    assert gate.get(url, Accept=HTML).body.count(b"<a ") == 4
    assert gate.get(index.file_url(BOTH[1])).status == 200
    holding = make_gate(indexes=[], find_links=[url], policy=cooling(missing_upload_time="hold"))
    assert holding.get(url, Accept=HTML).status == 451
    assert {line.split("  ")[1] for line in holding.told() if line.startswith("HOLD")} == {
        "demo 1.0",
        "demo 2.0",
        "other 1.0",
        "other 2.0",
    }


def test_the_project_api_is_filtered(make_gate: Callable[..., Gate], make_index, tmp_path: Path) -> None:
    index = releases(make_index(project_api=True), tmp_path)
    body = {
        "info": {"name": "demo", "version": "2.0"},
        "urls": [_api_file(index, "2.0")],
        "releases": {version: [_api_file(index, version)] for version in ("1.0", "2.0")},
    }
    index.faults["/pypi/demo/json"] = Fault(body=json.dumps(body).encode())
    gate = make_gate(index)
    data = json.loads(gate.get(f"{index.root}/pypi/demo/json").body)
    assert list(data["releases"]) == ["1.0"]
    assert [file["filename"] for file in data["urls"]] == NAMES
    assert data["info"]["version"] == "1.0"


def _api_file(index: TlsIndex, version: str) -> dict[str, object]:
    file = index.files[f"demo-{version}-py3-none-any.whl"]
    uploaded = file.uploaded_at()
    assert uploaded is not None
    return {
        "filename": file.filename,
        "url": file.url,
        "digests": {"sha256": file.sha256},
        "upload_time_iso_8601": uploaded.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "size": len(file.content),
        "yanked": False,
    }


def test_a_large_page_is_cut_at_one_place(gate: Gate, demo: TlsIndex) -> None:
    demo.history["demo"] = 9000
    names = gate.page(demo).filenames()
    assert len(names) == 9001
    assert names[-1] == NAMES[0]


def test_another_threshold_is_another_page(make_gate: Callable[..., Gate], demo: TlsIndex) -> None:
    gate = make_gate(demo, policy=cooling(min_age=timedelta(minutes=10)))
    assert gate.page(demo).filenames() == BOTH
