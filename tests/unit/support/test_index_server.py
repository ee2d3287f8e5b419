"""The index that tests trust must itself do what real ones do."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone

import pytest

from support.builders import make_sdist, make_wheel
from support.index_server import HTML, JSON


def _get(url, accept="*/*", agent="test", method="GET", **headers):
    request = urllib.request.Request(
        url, headers={"Accept": accept, "User-Agent": agent, **headers}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def test_json_pages_tell_versions_sizes_and_times(index, tmp_path):
    wheel = make_wheel(tmp_path, "De.mo", "1.0", requires_python=">=3.9")
    index.add(wheel, upload_time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc), yanked="broken")
    index.add(make_sdist(tmp_path, "De.mo", "1.0"), sha256=False)

    status, headers, body = _get(index.url + "de-mo/", accept=JSON)

    page = json.loads(body)
    assert (status, headers["Content-Type"]) == (200, JSON)
    assert page["meta"] == {"api-version": "1.1"}
    assert page["versions"] == ["1.0"]
    first, second = page["files"]
    assert first["upload-time"] == "2026-01-02T03:04:05.000000Z"
    assert first["size"] == wheel.stat().st_size
    assert first["requires-python"] == ">=3.9"
    assert first["yanked"] == "broken"
    assert second["filename"] == "de_mo-1.0.tar.gz"
    assert second["hashes"] == {}
    assert "upload-time" not in second


def test_an_age_is_counted_from_the_request(index, tmp_path):
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=timedelta(hours=1))
    page = json.loads(_get(index.url + "demo/", accept=JSON)[2])
    told = datetime.strptime(page["files"][0]["upload-time"], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert abs(datetime.now(timezone.utc) - told - timedelta(hours=1)) < timedelta(seconds=10)


@pytest.mark.parametrize(
    "options, asked, expected",
    [
        ({}, (JSON, "pip/26.3"), (200, JSON)),
        ({}, ("text/html", "pip/21.3.1"), (200, "text/html; charset=utf-8")),
        ({}, (f"{JSON}, {HTML}; q=0.1", "pip/22.3.1"), (200, JSON)),
        ({"html_for_pip22": True}, (JSON, "pip/22.3.1"), (200, "text/html; charset=utf-8")),
        ({"html_for_pip22": True}, (JSON, "veln-hook/1"), (200, JSON)),
        ({"json": False}, (f"{JSON}, {HTML}; q=0.1", "pip/26.3"), (200, HTML)),
        ({"html": False}, ("text/html", "pip/21.3.1"), (406, "text/plain")),
    ],
)
def test_what_is_spoken(make_index, tmp_path, options, asked, expected):
    accept, agent = asked
    server = make_index(**options)
    server.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=timedelta(days=1))
    status, headers, _ = _get(server.url + "demo/", accept=accept, agent=agent)
    assert (status, headers["Content-Type"]) == expected
    assert server.requests == [("GET", "/simple/demo/", agent, accept)]


def test_html_pages_tell_what_html_can(index, tmp_path):
    wheel = make_wheel(tmp_path, "demo", "1.0", requires_python=">=3.9")
    file = index.add(wheel, yanked=True, core_metadata=True)
    page = _get(index.url + "demo/")[2].decode()
    assert f'<a href="{file.url}#sha256={file.sha256}"' in page
    assert 'data-requires-python="&gt;=3.9"' in page
    assert 'data-yanked=""' in page
    assert 'data-core-metadata="sha256=' in page


def test_times_can_be_left_out(make_index, tmp_path):
    server = make_index(times=False)
    server.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=timedelta(days=1))
    page = json.loads(_get(server.url + "demo/", accept=JSON)[2])
    assert page["meta"] == {"api-version": "1.0"}
    assert "upload-time" not in page["files"][0]


def test_downloads_are_counted_and_heads_are_not(index, tmp_path):
    wheel = make_wheel(tmp_path, "demo", "1.0")
    file = index.add(wheel, core_metadata=True)
    assert _get(file.url, method="HEAD")[1]["Content-Length"] == str(wheel.stat().st_size)
    assert index.downloads[wheel.name] == 0
    assert _get(file.url)[2] == wheel.read_bytes()
    assert b"Name: demo" in _get(file.url + ".metadata")[2]
    assert index.downloads == {wheel.name: 1, wheel.name + ".metadata": 1}
    assert index.bytes_sent[wheel.name] == wheel.stat().st_size


def test_bytes_can_change_with_and_without_the_promise(index, tmp_path):
    file = index.add(make_wheel(tmp_path, "demo", "1.0"))
    promised = file.sha256
    index.replace(file.filename, b"other", sha256=False)
    assert (_get(file.url)[2], file.sha256) == (b"other", promised)
    index.replace(file.filename, b"other")
    assert file.sha256 != promised


def test_absent_things_and_ordered_failures(index, tmp_path):
    file = index.add(make_wheel(tmp_path, "demo", "1.0"))
    index.fail["/simple/demo/"] = 503
    assert _get(index.url + "demo/")[0] == 503
    assert _get(index.url + "other/")[0] == 404
    index.remove(file.filename)
    assert _get(file.url)[0] == 404


def test_credentials_and_prefix(make_index, tmp_path):
    server = make_index(auth=("user", "se:cret@"), prefix="root/pypi")
    file = server.add(make_wheel(tmp_path, "demo", "1.0"))
    assert server.url.endswith("/root/pypi/simple/")
    assert server.auth_url.startswith("http://user:se%3Acret%40@127.0.0.1:")
    assert _get(file.url)[0] == 401
    assert server.downloads == {}
    assert _get(file.url, Authorization="Basic dXNlcjpzZTpjcmV0QA==")[0] == 200


def test_unchanged_pages_are_not_sent_twice_if_they_may_be_cached(make_index, tmp_path):
    server = make_index(cache_control="max-age=600")
    server.add(make_wheel(tmp_path, "demo", "1.0"))
    headers = _get(server.url + "demo/")[1]
    assert headers["Cache-Control"] == "max-age=600"
    assert _get(server.url + "demo/", **{"If-None-Match": headers["ETag"]})[0] == 304
