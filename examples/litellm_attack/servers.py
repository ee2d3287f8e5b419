"""What the story needs on loopback: an index that tells upload times (PEP 700), and the attacker's sink."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections import Counter
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

_JSON = "application/vnd.pypi.simple.v1+json"


class _Service:
    """An HTTP server on a free port of 127.0.0.1 for the time of a ``with`` block."""

    def __init__(self) -> None:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(*service.get(self.path))

            def do_POST(self) -> None:
                service.post(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                self._send(204, "text/plain", b"")

            def _send(self, status: int, content_type: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                """Say nothing: the table at the end tells what happened."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.root = f"http://127.0.0.1:{self._server.server_address[1]}"

    def get(self, path: str) -> tuple[int, str, bytes]:  # noqa: ARG002 - the index looks at it
        """Answer a GET with (status, content type, body)."""
        return 404, "text/plain", b""

    def post(self, body: bytes) -> None:
        """Take what was posted."""

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class Index(_Service):
    """An index of one project, whose files have a fixed age."""

    def __init__(self, project: str) -> None:
        super().__init__()
        self.project = project
        self.url = f"{self.root}/simple/"
        self.bytes_sent: Counter[str] = Counter()
        """By filename."""
        self._files: dict[str, tuple[bytes, datetime]] = {}

    def add(self, filename: str, content: bytes, age: timedelta) -> None:
        """Serve a file as if it had been uploaded that long ago."""
        self._files[filename] = (content, datetime.now(timezone.utc) - age)

    def get(self, path: str) -> tuple[int, str, bytes]:
        """Answer with the project's page, or one of its files."""
        if path == f"/simple/{self.project}/":
            return 200, _JSON, self._page()
        content, _ = self._files.get(path.rpartition("/")[2], (None, None))
        if content is None:
            return super().get(path)
        self.bytes_sent[path.rpartition("/")[2]] += len(content)
        return 200, "application/octet-stream", content

    def _page(self) -> bytes:
        files = [
            {
                "filename": filename,
                "url": f"{self.root}/files/{filename}",
                "hashes": {"sha256": hashlib.sha256(content).hexdigest()},
                "size": len(content),
                "upload-time": uploaded.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            }
            for filename, (content, uploaded) in self._files.items()
        ]
        page = {"meta": {"api-version": "1.1"}, "name": self.project, "files": files}
        return json.dumps(page).encode()


class Sink(_Service):
    """Where the payload sends what it found."""

    def __init__(self) -> None:
        super().__init__()
        self.received: list[dict[str, str]] = []

    def post(self, body: bytes) -> None:
        """Keep the credentials that arrived."""
        self.received.append(json.loads(base64.b64decode(body)))
