"""An index that stalls, resets, lies and serves malware, for load tests of a gate."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import ssl
import struct
import threading
import zipfile
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_JSON = "application/vnd.pypi.simple.v1+json"
_OLD = timedelta(days=900)
_EVIL = {"evil.py": "", "veln_hook/_startup.py": "def find_spec(*a): pass\n"}
PROJECTS = (
    "good",
    "flaky",
    "evil",
    "young",
    "liar",
    "longer",
    "shorter",
    "resetting",
    "stalling",
    "dripping",
    "nonsense",
)


def _wheel(name: str, version: str, files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    info = f"{name}-{version}.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: load\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(out, "w") as wheel:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(path, text)
    return out.getvalue()


class HostileIndex:
    """A running one; a context manager.

    Args:
        certificate: Key and certificate of ``localhost``, in PEM.
    """

    def __init__(self, certificate: tuple[Path, Path]) -> None:
        self.closing = threading.Event()
        self.files = {
            f"{name}-1.0-py3-none-any.whl": _wheel(
                name, "1.0", _EVIL if name == "evil" else {f"{name}.py": f"NAME = {name!r}\n" * 2000}
            )
            for name in PROJECTS
        }
        self.asked = 0
        index = self

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *_: Any) -> None:
                """Say nothing: clients that go are a part of it."""

        class Handler(_Handler):
            pass

        Handler.index = index
        self._server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        key, chain = certificate
        context.load_cert_chain(chain, key)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.origin = f"https://localhost:{self._server.server_port}"

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"{self.origin}/simple/"

    def urls(self) -> tuple[str, ...]:
        """Return all that can be asked for."""
        pages = [f"{self.url}{name}/" for name in PROJECTS]
        return (*pages, *(f"{self.origin}/files/{name}" for name in self.files))

    def allowed(self) -> frozenset[str]:
        """Return the sha256 of files that may be handed on: those that it doesn't lie about."""
        honest = ("good", "flaky", "nonsense")
        return frozenset(
            hashlib.sha256(data).hexdigest()
            for name, data in self.files.items()
            if name.partition("-")[0] in honest
        )

    def page(self, project: str) -> bytes:
        """Return a project's page."""
        name = f"{project}-1.0-py3-none-any.whl"
        data = b"something else" if project == "liar" else self.files[name]
        age = timedelta(minutes=12) if project == "young" else _OLD
        file = {
            "filename": name,
            "url": f"{self.origin}/files/{name}",
            "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
            "size": len(self.files[name]),
            "upload-time": (datetime.now(timezone.utc) - age).isoformat().replace("+00:00", "Z"),
            "yanked": False,
        }
        meta = {"api-version": "1.1"}
        return json.dumps({"meta": meta, "name": project, "versions": ["1.0"], "files": [file]}).encode()

    def __enter__(self) -> HostileIndex:
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    index: HostileIndex

    def do_GET(self) -> None:
        """Answer, or not."""
        index = self.index
        index.asked += 1
        what, _, name = self.path.strip("/").partition("/")
        project = name.partition("-")[0] if what == "files" else name
        if what == "files" and name in index.files:
            body, kind = index.files[name], "application/octet-stream"
        elif what == "simple" and project in PROJECTS:
            body, kind = index.page(project), _JSON
        else:
            self.send_error(404)
            return
        if project == "flaky" and index.asked % 2:
            self._reset()
            return
        if project == "nonsense" and what == "simple" and index.asked % 2:
            body = b"<!doctype html><a href='x'>" * (index.asked % 50)
        ends = what == "files" or index.asked % 3 == 0
        length = len(body) + (
            100 if project == "longer" and ends else -100 if project == "shorter" and ends else 0
        )
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(max(length, 0)))
        self.end_headers()
        if project == "dripping" and ends:
            for start in range(0, len(body), 10):
                self.wfile.write(body[start : start + 10])
                if index.closing.wait(1):
                    return
        if project in ("resetting", "stalling") and ends:
            self.wfile.write(body[:100])
            self.wfile.flush()
            if project == "stalling":
                index.closing.wait(120)
            self._reset()
            return
        self.wfile.write(body)
        self.close_connection = length != len(body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
