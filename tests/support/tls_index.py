"""A package index as the internet has them: TLS, connections that stay open, ranges; and whatever can go wrong there."""

from __future__ import annotations

import contextlib
import gzip
import socket
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from support.index_server import Answer, Handler, IndexServer, Server

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from support.index_server import ServedFile

_OLD = "2015-03-01T12:00:00.123456Z"
_DIGEST = "0123456789abcdef" * 4
_PIECE = 16384


@dataclass(frozen=True)
class Fault:
    """What is done to an answer on its way; by default nothing."""

    redirect: str = ""
    """Where to go instead, with 302."""
    chunked: bool = False
    """Send it in chunks, without a length."""
    gzip: bool = False
    """Compress it if the client takes that."""
    promised: int = 0
    """How many bytes more, or fewer, ``Content-Length`` tells than are sent; the connection ends then."""
    stall_after: int | None = None
    """After how many bytes of the body nothing more comes, until the server is closed."""
    reset_after: int | None = None
    """After how many bytes of the body the connection is reset."""
    drip: float = 0
    """Seconds to wait after every 64 bytes."""
    body: bytes | None = None
    """Sent in place of what would be."""
    headers: tuple[tuple[str, str], ...] = ()
    """Sent besides the usual ones."""


class TlsIndex(IndexServer):
    """An index behind TLS, or without it but with the same faults.

    Args:
        context: What it speaks TLS with; ``None`` for plain HTTP.
        host: The address to listen on, such as ``127.0.0.2`` for one that is not the index's own.
        name: The name that its URLs have; by default the address.
        keep_alive: Whether connections stay open for further requests.
        ranges: Whether parts of files can be asked for.
        options: As of `IndexServer`.
    """

    def __init__(
        self,
        context: ssl.SSLContext | None = None,
        *,
        host: str = "127.0.0.1",
        name: str = "",
        keep_alive: bool = True,
        ranges: bool = True,
        **options: Any,
    ) -> None:
        self.scheme = "http" if context is None else "https"
        self.keep_alive = keep_alive
        self.ranges = ranges
        self.context = context
        self.faults: dict[str, Fault] = {}
        """By path below the prefix (``/files/demo-1.0.tar.gz``); one that ends in ``/`` is of all below it, too."""
        self.history: dict[str, int] = {}
        """How many old releases a project's JSON page has besides `files`; 9000 make 3 MB. They can't be fetched."""
        self.connections = 0
        """How many were accepted."""
        self.closing = threading.Event()
        self._host = host
        self._name = name or host
        self._open: set[socket.socket] = set()
        super().__init__(**options)

    def _make_server(self) -> Server:
        return _TlsServer(self, self._host)

    @property
    def host(self) -> str:
        return self._name

    def __enter__(self) -> TlsIndex:
        super().__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        super().__exit__(kind, error, trace)

    def file_bytes(self, filename: str) -> int:
        """Return how many bytes of a file, and of its ``.metadata``, were sent."""
        return self.bytes_sent[filename] + self.bytes_sent[f"{filename}.metadata"]

    def authorizations(self) -> set[str]:
        """Return the ``Authorization`` headers that came; the empty one for none."""
        return {headers.get("Authorization", "") for headers in self.headers}

    def fault(self, raw_path: str) -> Fault:
        """Return what happens to the answer about a path."""
        path = unquote(urlsplit(raw_path).path)[len(self.prefix) :]
        fits = [key for key in self.faults if path == key or (key.endswith("/") and path.startswith(key))]
        return self.faults[max(fits, key=len)] if fits else Fault()

    def _json_page(self, project: str, files: list[ServedFile]) -> dict[str, Any]:
        page = super()._json_page(project, files)
        count = self.history.get(project, 0)
        page["versions"] = [*(f"0.0.{number}" for number in range(count)), *page["versions"]]
        page["files"] = [*(self._old_file(project, number) for number in range(count)), *page["files"]]
        return page

    def _old_file(self, project: str, number: int) -> dict[str, Any]:
        filename = f"{project}-0.0.{number}-py3-none-any.whl"
        return {
            "filename": filename,
            "url": self.file_url(filename),
            "hashes": {"sha256": _DIGEST},
            "core-metadata": {"sha256": _DIGEST},
            "requires-python": ">=3.8",
            "size": 12345,
            "upload-time": _OLD,
            "yanked": False,
        }


class _TlsServer(Server):
    daemon_threads = False  # so that closing waits for them, and no connection is left open
    index: TlsIndex

    def __init__(self, index: TlsIndex, host: str) -> None:
        super().__init__(index, _TlsHandler, host)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept; hands are shaken in the connection's own thread, with the first read."""
        connection, address = super().get_request()
        if self.index.context is not None:
            connection = self.index.context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        self.index.connections += 1
        self.index._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Close a connection without waiting for the other side."""
        self.index._open.discard(request)
        with contextlib.suppress(OSError):
            socket.socket.shutdown(request, socket.SHUT_WR)
        request.close()


class _TlsHandler(Handler):
    server: _TlsServer

    def answer(self, answer: Answer, etag: str) -> None:
        index = self.server.index
        fault = index.fault(self.path)
        headers = list(fault.headers)
        if fault.redirect:
            answer = Answer(302)
            headers.append(("Location", fault.redirect))
        if fault.body is not None and answer.status == 200:
            answer = answer._replace(body=fault.body)
        body = answer.body
        if index.cache_control and answer.status in (200, 304):
            headers += [("Cache-Control", index.cache_control), ("ETag", etag)]
        if fault.gzip and answer.status == 200 and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, mtime=0)
            headers.append(("Content-Encoding", "gzip"))
        status = answer.status
        if answer.filename and index.ranges:
            headers.append(("Accept-Ranges", "bytes"))
            status, body, more = _cut(self.headers.get("Range", ""), status, body)
            headers += more
        if answer.status == 401:
            headers.append(("WWW-Authenticate", 'Basic realm="tests"'))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Type", answer.content_type)
            if fault.chunked:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self.send_header("Content-Length", str(len(body) + fault.promised))
        self.send_header("Vary", "Accept, Accept-Encoding")
        if not index.keep_alive or fault.promised:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "GET" and status != 304:
            self._send(answer.filename, body, fault)

    do_HEAD = Handler.do_GET  # noqa: N815

    def _send(self, filename: str, body: bytes, fault: Fault) -> None:
        index = self.server.index
        if filename:  # counted before the client can see the end of it
            index._sent(filename, len(body))
        end = next((n for n in (fault.stall_after, fault.reset_after) if n is not None), len(body))
        size = 64 if fault.drip else _PIECE
        for start in range(0, end, size):
            piece = body[start : min(start + size, end)]
            if fault.chunked:
                piece = b"%x\r\n%s\r\n" % (len(piece), piece)
            self.wfile.write(piece)
            if fault.drip and index.closing.wait(fault.drip):
                break
        if fault.stall_after is not None:
            index.closing.wait()
        if fault.reset_after is not None:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()  # for good once its reader is closed, too
        if fault.stall_after is not None or fault.reset_after is not None:
            self.close_connection = True
        elif fault.chunked:
            self.wfile.write(b"0\r\n\r\n")


def _cut(wanted: str, status: int, body: bytes) -> tuple[int, bytes, list[tuple[str, str]]]:
    """Return status, body and headers of an answer to ``Range`` (RFC 9110, 14): one range, or all of it."""
    unit, _, text = wanted.partition("=")
    first, dash, last = text.partition("-")
    if status != 200 or unit != "bytes" or not dash or "," in text:
        return status, body, []
    start = int(first) if first else max(len(body) - int(last), 0)
    end = min(int(last), len(body) - 1) if first and last else len(body) - 1
    if start > end:
        return 416, b"", [("Content-Range", f"bytes */{len(body)}")]
    return 206, body[start : end + 1], [("Content-Range", f"bytes {start}-{end}/{len(body)}")]
