"""Pages of an index, as real indexes and hostile ones answer them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from uv_world import Target, some

from support.builders import make_wheel
from support.gated import releases, untouched
from support.held import OLD, YOUNG
from support.tls_index import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.tls_index import TlsIndex

    MakeIndex = Callable[..., TlsIndex]

MISSING = "VELN_HOOK_COOLING_MISSING_UPLOAD_TIME"
YOUNG_FILE = "demo-2.0-py3-none-any.whl"
NO_RETRY = {"UV_HTTP_RETRIES": "0"}


@pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])
def test_both_schemes(target: Target, make_index: MakeIndex, tmp_path: Path, tls: bool) -> None:
    index = releases(make_index(tls=tls), tmp_path)
    target.falls_back(index)
    assert target.install(index, "demo==2.0").returncode == 75
    assert untouched(index)


FAULTS = {
    "chunked": Fault(chunked=True),
    "gzip": Fault(gzip=True),
    "both": Fault(chunked=True, gzip=True),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_chunked_and_compressed(target: Target, demo: TlsIndex, fault: Fault) -> None:
    demo.faults["/simple/"] = fault
    target.falls_back(demo)
    assert untouched(demo)


def test_a_page_of_3_megabytes(target: Target, demo: TlsIndex) -> None:
    demo.history["demo"] = 9000
    target.falls_back(demo)
    assert untouched(demo)


@pytest.mark.parametrize("ranges", [True, False])
def test_metadata_beside_files(target: Target, make_index: MakeIndex, tmp_path: Path, ranges: bool) -> None:
    index = make_index(ranges=ranges)
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD, core_metadata=not ranges)
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=YOUNG, core_metadata=not ranges)
    target.falls_back(index)
    assert untouched(index)


def test_metadata_that_tells_otherwise_than_the_archive(
    target: Target, index: TlsIndex, tmp_path: Path
) -> None:
    file = index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD, core_metadata=True)
    index.add(make_wheel(tmp_path, "other", "1.0"), upload_time=OLD)
    assert file.metadata is not None
    index.faults["/files/demo-1.0-py3-none-any.whl.metadata"] = Fault(
        body=file.metadata + b"Requires-Dist: other\n"
    )
    result = target.install(index, "demo")
    assert "other" not in target.installed(), result
    assert (result.returncode == 0) == bool(target.installed()), result


def test_no_upload_times(target: Target, make_index: MakeIndex, tmp_path: Path) -> None:
    index = make_index(times=False)
    index.add(make_wheel(tmp_path, "demo", "2.0"))
    held = target.fails(index, "demo")
    assert held.returncode == 75, held
    assert "no upload time, first seen here just now, cooling until" in held.stderr, held
    unknown = target.fails(index, "demo", env={MISSING: "hold"})
    assert unknown.returncode == 77, unknown
    assert "its age is unknown" in unknown.stderr, unknown
    assert untouched(index)
    allowed = target.install(index, "demo", env={MISSING: "allow"})
    assert (allowed.returncode, target.installed()) == (0, {"demo": "2.0"}), allowed


def test_html_alone(targets: Target, make_index: MakeIndex, tmp_path: Path) -> None:
    index = make_index(json=False)
    index.add(make_wheel(tmp_path, "demo", "2.0"))
    held = targets.fails(index, "demo")
    assert held.returncode == 75, held
    assert "first seen here just now" in held.stderr, held
    assert untouched(index)
    allowed = targets.install(index, "demo", env={MISSING: "allow"})
    assert (allowed.returncode, targets.installed()) == (0, {"demo": "2.0"}), allowed


def test_html_with_the_older_json_api(target: Target, make_index: MakeIndex, tmp_path: Path) -> None:
    index = releases(make_index(json=False, project_api=True), tmp_path)
    index.faults["/simple/"] = Fault(chunked=True, gzip=True)
    target.falls_back(index)
    assert untouched(index)


def test_times_that_are_looked_up_upstream(target: Target, make_index: MakeIndex, tmp_path: Path) -> None:
    mirror, upstream = make_index(times=False, host="127.0.0.2"), releases(make_index(), tmp_path)
    for file in upstream.files.values():
        mirror.add(tmp_path / file.filename)
    target.falls_back(mirror, policy=f'[[indexes]]\nurl = "{mirror.url}"\nupstream = "{upstream.url}"\n')
    assert untouched(mirror)


def test_a_page_that_is_not_modified(targets: Target, make_index: MakeIndex, tmp_path: Path) -> None:
    """A 304 would revive a page that uv has whole."""
    index = releases(make_index(cache_control="no-cache"), tmp_path)
    for _ in range(2):
        targets.falls_back(index, "--reinstall")
    assert untouched(index)


def test_a_page_is_kept_as_long_as_it_says(target: Target, make_index: MakeIndex, tmp_path: Path) -> None:
    """Unless something was left out of it, which may pass the next time."""
    index = releases(make_index(cache_control="max-age=600, public"), tmp_path)
    young = index.files.pop(YOUNG_FILE)

    def asked() -> list[str]:
        index.requests.clear()
        other = Target(target.uv, tmp_path / f"venv{len(list(tmp_path.iterdir()))}")
        assert other.install(index, "demo").returncode == 0
        return index.paths("/simple/demo/")

    assert [len(asked()) for _ in range(2)] == [1, 0]
    index.files[YOUNG_FILE] = young
    target.falls_back(index, "--refresh")
    assert [len(asked()) for _ in range(2)] == [1, 1]


def test_the_second_project_of_a_run_that_is_held(target: Target, demo: TlsIndex, tmp_path: Path) -> None:
    demo.add(make_wheel(tmp_path, "app", "2.0", requires=["demo==2.0"]), upload_time=OLD)
    result = target.fails(demo, "app")
    assert result.returncode == 75, result
    assert "HOLD  demo 2.0" in result.stderr, result
    demo.add(make_wheel(tmp_path, "app", "1.0"), upload_time=OLD)
    starved = target.install(demo, "--refresh", "app")
    assert (starved.returncode, target.installed()) == (0, {"app": "1.0"}), starved
    assert "HOLD  demo 2.0" in starved.stderr, starved


# Hostile pages


BODIES = {
    "empty": b"",
    "no project": b"{}",
    "deep": b"[" * 200000,
    "files are no list": b'{"name": "demo", "files": 1}',
    "no text": b"\xff\xfe\x00",
    "files are nothing": b'{"meta": {"api-version": "1.1"}, "name": "demo", "files": [{}]}',
}


@pytest.mark.parametrize("body", some(BODIES))
def test_pages_that_are_none(target: Target, demo: TlsIndex, body: bytes) -> None:
    demo.faults["/simple/demo/"] = Fault(body=body)
    target.fails(demo, "demo")
    assert untouched(demo)
    assert untouched(demo, "1.0")


def _entry(index: TlsIndex, more: str) -> str:
    file = index.files[YOUNG_FILE]
    return f'{{"filename": "{file.filename}", "url": "{file.url}", "hashes": {{"sha256": "{file.sha256}"}}, {more}}}'


ENTRIES = {
    "a key twice": '"upload-time": "2020-01-01T00:00:00Z", "upload-time": "2999-01-01T00:00:00Z"',
    "a key twice, the other way": '"upload-time": "2999-01-01T00:00:00Z", "upload-time": "2020-01-01T00:00:00Z"',
    "an escaped key": '"upload\\u002dtime": "2999-01-01T00:00:00Z"',
    "a time of another kind": '"upload-time": 1577836800',
    "no time at all": '"upload-time": null',
    "a time inside": '"extra": {"upload-time": "2020-01-01T00:00:00Z"}',
    "a time in a text": '"yanked": "\\"upload-time\\": \\"2020-01-01T00:00:00Z\\""',
    "a time with a zone": '"upload-time": "2999-01-01T00:00:00+23:59"',
}


@pytest.mark.parametrize("more", some(ENTRIES))
def test_an_age_that_is_made_up(target: Target, demo: TlsIndex, more: str) -> None:
    page = f'{{"meta": {{"api-version": "1.1"}}, "name": "demo", "files": [{_entry(demo, more)}]}}'
    demo.faults["/simple/demo/"] = Fault(body=page.encode())
    target.fails(demo, "demo")
    assert untouched(demo)


def test_a_file_that_a_page_names_twice(target: Target, demo: TlsIndex) -> None:
    entries = ", ".join(_entry(demo, f'"upload-time": "{year}-01-01T00:00:00Z"') for year in (2020, 2999))
    page = f'{{"meta": {{"api-version": "1.1"}}, "name": "demo", "files": [{entries}]}}'
    demo.faults["/simple/demo/"] = Fault(body=page.encode())
    target.fails(demo, "demo")
    assert untouched(demo)


def test_a_page_of_another_project(target: Target, demo: TlsIndex, tmp_path: Path) -> None:
    """What a page is about must not be left to its own word."""
    demo.add(make_wheel(tmp_path, "other", "9.0"), upload_time=YOUNG)
    demo.faults["/simple/demo/"] = Fault(redirect=f"{demo.url}other/")
    target.fails(demo, "demo")
    assert untouched(demo, "9.0", "other")


def test_a_page_that_is_cut_off(target: Target, demo: TlsIndex) -> None:
    demo.faults["/simple/"] = Fault(promised=100)
    target.fails(demo, "demo", env=NO_RETRY)


def test_a_page_that_is_redirected_to_another_host(
    target: Target, demo: TlsIndex, make_index: MakeIndex, tmp_path: Path
) -> None:
    moved = releases(make_index(host="127.0.0.2"), tmp_path)
    demo.faults["/simple/demo/"] = Fault(redirect=f"{moved.url}demo/")
    result = target.install(demo, "demo")
    assert untouched(moved), result
    assert target.installed() == ({"demo": "1.0"} if result.returncode == 0 else {}), result


@pytest.mark.slow
def test_a_page_that_stalls(target: Target, demo: TlsIndex) -> None:
    demo.faults["/simple/"] = Fault(stall_after=50)
    # Old uvs can't be told not to try again, and the gate waits a minute each time.
    target.fails(demo, "demo", env=NO_RETRY, timeout=400)
