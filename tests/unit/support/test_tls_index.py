"""The index behind TLS must itself do what it says, and what it does wrong it must do on the wire."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import ssl
from datetime import timedelta

import pytest

from support.authorities import TestAuthority
from support.builders import make_wheel
from support.index_server import JSON
from support.tls_index import Fault, TlsIndex

FILE = "/files/demo-1.0-py3-none-any.whl"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return TestAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def index(authority, tmp_path):
    with TlsIndex(authority.server_context("127.0.0.1")) as server:
        server.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=timedelta(days=30), core_metadata=True)
        yield server


@pytest.fixture
def connection(authority, index):
    context = authority.client_context()
    opened = http.client.HTTPSConnection(index.host, index.port, context=context, timeout=30)
    yield opened
    opened.close()


def _ask(connection, path, method="GET", **headers):
    connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def test_a_connection_serves_several_requests(index, connection):
    status, _, page = _ask(connection, "/simple/demo/", Accept=JSON)
    assert status == 200
    assert json.loads(page)["files"][0]["url"] == f"https://127.0.0.1:{index.port}{FILE}"
    assert _ask(connection, FILE)[2] == index.files["demo-1.0-py3-none-any.whl"].content
    assert index.connections == 1
    assert index.authorizations() == {""}


def test_parts_of_files(index, connection):
    content = index.files["demo-1.0-py3-none-any.whl"].content
    size = len(content)
    for wanted, part in (("0-9", content[:10]), ("10-", content[10:]), ("-7", content[-7:])):
        status, headers, body = _ask(connection, FILE, Range=f"bytes={wanted}")
        assert (status, body) == (206, part)
        assert headers["Content-Range"].endswith(f"/{size}")
    assert _ask(connection, FILE, Range=f"bytes={size}-")[0] == 416
    assert _ask(connection, FILE, "HEAD")[1]["Accept-Ranges"] == "bytes"
    index.ranges = False
    assert _ask(connection, FILE, Range="bytes=0-9")[::2] == (200, content)
    assert index.file_bytes("demo-1.0-py3-none-any.whl") == 10 + size - 10 + 7 + size


def test_pages_in_chunks_and_compressed(index, connection):
    plain = _ask(connection, "/simple/demo/", Accept=JSON)[2]
    index.faults["/simple/"] = Fault(chunked=True, gzip=True)
    status, headers, body = _ask(connection, "/simple/demo/", Accept=JSON, Accept_Encoding="gzip")
    assert (status, headers["Transfer-Encoding"], headers["Content-Length"]) == (200, "chunked", None)
    assert json.loads(gzip.decompress(body))["name"] == json.loads(plain)["name"]
    assert _ask(connection, "/simple/demo/", Accept=JSON)[1]["Content-Encoding"] is None
    index.faults["/simple/demo/"] = Fault()
    assert _ask(connection, "/simple/demo/")[1]["Content-Length"]


def test_a_long_history(index, connection):
    index.history["demo"] = 9000
    page = _ask(connection, "/simple/demo/", Accept=JSON)[2]
    assert 3e6 < len(page) < 6e6
    assert len(json.loads(page)["files"]) == 9001


def test_redirects_and_other_bodies(index, connection):
    index.faults[FILE] = Fault(redirect="https://127.0.0.2/elsewhere")
    status, headers, _ = _ask(connection, FILE)
    assert (status, headers["Location"]) == (302, "https://127.0.0.2/elsewhere")
    index.faults[FILE] = Fault(body=b"other")
    assert _ask(connection, FILE)[2] == b"other"


def test_validators(index, connection):
    index.cache_control = "max-age=600, public"
    etag = _ask(connection, FILE)[1]["ETag"]
    assert _ask(connection, FILE, If_None_Match=etag)[::2] == (304, b"")


@pytest.mark.parametrize("promised", [-10, 10])
def test_wrong_lengths(index, connection, promised):
    index.faults[FILE] = Fault(promised=promised)
    size = len(index.files["demo-1.0-py3-none-any.whl"].content)
    if promised < 0:
        assert len(_ask(connection, FILE)[2]) == size - 10
        return
    with pytest.raises(http.client.IncompleteRead) as caught:
        _ask(connection, FILE)
    assert (len(caught.value.partial), caught.value.expected) == (size, 10)


def test_what_stalls_is_ended_with_the_server(index, connection):
    index.faults[FILE] = Fault(stall_after=5)
    connection.timeout = 0.3
    with pytest.raises(socket.timeout):
        _ask(connection, FILE)


def test_a_reset(index, connection):
    index.faults[FILE] = Fault(reset_after=5)
    with pytest.raises((ConnectionResetError, ssl.SSLError, http.client.IncompleteRead)):
        _ask(connection, FILE)


def test_a_drip(index, connection):
    index.faults[FILE] = Fault(drip=0.001)
    assert _ask(connection, FILE)[2] == index.files["demo-1.0-py3-none-any.whl"].content


def test_without_tls(tmp_path):
    with TlsIndex(host="127.0.0.2", keep_alive=False) as server:
        server.add(make_wheel(tmp_path, "demo", "1.0"))
        assert server.url.startswith("http://127.0.0.2:")
        connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
        assert _ask(connection, "/simple/demo/")[1]["Connection"] == "close"
        connection.close()
