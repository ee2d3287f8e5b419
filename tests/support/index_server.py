"""A package index on loopback that speaks the Simple API as real ones do: PEP 503, 592, 629, 658, 691, 700, 714, 740 and 792."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import threading
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from support.builders import normalized, wheel_metadata

if TYPE_CHECKING:
    from email.message import Message
    from pathlib import Path
    from types import TracebackType
    from typing import Union

    Moment = Union[datetime, timedelta, None]

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"


class Request(NamedTuple):
    """One request as it arrived; ``path`` has the prefix and is not unquoted."""

    method: str
    path: str
    user_agent: str
    accept: str


class Answer(NamedTuple):
    """What is answered, before anything goes wrong on its way."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain"
    filename: str = ""
    """Set if the body counts as a download of this file."""


@dataclass
class ServedFile:
    """A distribution file on an index; every attribute may be changed while it is served."""

    filename: str
    content: bytes
    url: str
    """Where pages say that the file lies."""
    upload_time: Moment
    """A moment, an age counted back from the time of each request, or unknown."""
    yanked: bool | str
    sha256: str
    """What pages promise; empty for no promise."""
    requires_python: str
    metadata: bytes | None
    """Content of the ``.metadata`` file; ``None`` if there is none."""
    size: int | None = None
    """What pages promise; ``None`` for the truth."""
    provenance: str = ""
    """Where pages say that its attestations are (PEP 740); empty for nowhere."""

    @property
    def project(self) -> str:
        """Normalized name of the project, taken from the filename."""
        if self.filename.endswith(".whl"):
            return normalized(self.filename.split("-")[0])
        return normalized(self.filename.rpartition("-")[0])

    @property
    def version(self) -> str:
        """The version, taken from the filename."""
        if self.filename.endswith(".whl"):
            return self.filename.split("-")[1]
        version = self.filename.rpartition("-")[2]
        for suffix in (".tar.gz", ".zip"):
            version = version.removesuffix(suffix)
        return version

    def uploaded_at(self) -> datetime | None:
        """Return the upload time in UTC, seen from now."""
        if isinstance(self.upload_time, timedelta):
            return datetime.now(timezone.utc) - self.upload_time
        return self.upload_time.astimezone(timezone.utc) if self.upload_time else None


class IndexServer:
    """A running index; use it as a context manager.

    Args:
        json: Whether JSON pages are spoken at all (PEP 691).
        html: Whether HTML pages are spoken at all.
        times: Whether JSON pages tell upload times (PEP 700).
        html_for_pip22: Give HTML to whoever calls itself ``pip/22.*``, whatever it accepts.
        prefix: Path before ``/simple/`` and ``/files/``, such as ``/root/pypi``.
        auth: User and password that every request must bring.
        cache_control: ``Cache-Control`` of pages and files; if given, they carry an ETag too and 304 is answered.
        project_api: Whether PyPI's older ``/pypi/<project>/json`` is there too.
    """

    scheme = "http"

    def __init__(
        self,
        *,
        json: bool = True,
        html: bool = True,
        times: bool = True,
        html_for_pip22: bool = False,
        prefix: str = "",
        auth: tuple[str, str] | None = None,
        cache_control: str = "",
        project_api: bool = False,
    ) -> None:
        self.json = json
        self.html = html
        self.times = times
        self.html_for_pip22 = html_for_pip22
        self.prefix = "/" + prefix.strip("/") if prefix.strip("/") else ""
        self.auth = auth
        self.cache_control = cache_control
        self.project_api = project_api
        self.files: dict[str, ServedFile] = {}
        self.fail: dict[str, int] = {}
        """Status to answer with, by path below the prefix (``/simple/demo/``)."""
        self.statuses: dict[str, tuple[str, str]] = {}
        """By project: status marker and reason (PEP 792)."""
        self.downloads: Counter[str] = Counter()
        """GETs answered with the content, by filename; ``.metadata`` files count under their own name."""
        self.bytes_sent: Counter[str] = Counter()
        self.requests: list[Request] = []
        self.headers: list[Message] = []
        """All headers of each of them."""
        self._lock = threading.Lock()
        self._server = self._make_server()
        # A short poll, because shutdown() waits for it to end.
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> IndexServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _make_server(self) -> Server:
        return Server(self, Handler)

    @property
    def host(self) -> str:
        """The address it listens on."""
        return str(self._server.server_address[0])

    @property
    def port(self) -> int:
        """The port there."""
        return int(self._server.server_address[1])

    @property
    def root(self) -> str:
        """The URL below which everything lies, without a final slash."""
        return f"{self.scheme}://{self.host}:{self.port}{self.prefix}"

    @property
    def url(self) -> str:
        """What ``--index-url`` wants, without credentials, with a final slash."""
        return f"{self.root}/simple/"

    @property
    def auth_url(self) -> str:
        """`url` with the credentials in it; `url` itself if none are needed."""
        if self.auth is None:
            return self.url
        user, password = (quote(part, safe="") for part in self.auth)
        return self.url.replace("://", f"://{user}:{password}@", 1)

    def file_url(self, filename: str) -> str:
        """Return the URL that this server has the file at."""
        return f"{self.root}/files/{quote(filename)}"

    def add(
        self,
        path: Path,
        *,
        upload_time: Moment = None,
        yanked: bool | str = False,
        sha256: bool | str = True,
        requires_python: str | None = None,
        core_metadata: bool = False,
        url: str | None = None,
        provenance: bool = False,
    ) -> ServedFile:
        """Serve the file, whose bytes are read now.

        Args:
            path: A wheel or an sdist.
            upload_time: A moment, an age (``timedelta(minutes=5)``: always five minutes old), or ``None`` for unknown.
            yanked: Whether it is yanked, or the reason for it.
            sha256: Whether pages promise the digest; a string is promised in its place.
            requires_python: As pages tell it; ``None`` takes it from a wheel's METADATA.
            core_metadata: Serve the wheel's METADATA by itself and announce it.
            url: Where pages say that the file lies, if not on this server.
            provenance: Whether pages say that there are attestations for it.
        """
        content = path.read_bytes()
        metadata = wheel_metadata(path) if path.suffix == ".whl" else b""
        if requires_python is None:
            lines = metadata.decode().splitlines()
            requires_python = next((line[17:] for line in lines if line.startswith("Requires-Python: ")), "")
        digest = hashlib.sha256(content).hexdigest() if sha256 is True else sha256 or ""
        file = ServedFile(
            filename=path.name,
            content=content,
            url=url or self.file_url(path.name),
            upload_time=upload_time,
            yanked=yanked,
            sha256=digest,
            requires_python=requires_python,
            metadata=metadata if core_metadata else None,
            provenance=f"{self.root}/integrity/{path.name}/provenance" if provenance else "",
        )
        self.files[file.filename] = file
        return file

    def replace(self, filename: str, content: bytes, *, sha256: bool = True) -> None:
        """Put other bytes under the same filename; ``sha256=False`` leaves the old promise standing."""
        file = self.files[filename]
        file.content = content
        if sha256 and file.sha256:
            file.sha256 = hashlib.sha256(content).hexdigest()

    def remove(self, filename: str) -> None:
        """Serve the file no longer."""
        del self.files[filename]

    def paths(self, part: str = "") -> list[str]:
        """Return the paths of the requests so far that contain ``part``."""
        return [request.path for request in self.requests if part in request.path]

    # What the handler asks for; it runs in threads of its own.

    def _answer(self, method: str, raw_path: str, headers: Message) -> Answer:  # noqa: PLR0911 - a route each
        accept, agent = headers.get("Accept", ""), headers.get("User-Agent", "")
        with self._lock:
            self.requests.append(Request(method, raw_path, agent, accept))
            self.headers.append(headers)
        if self.auth is not None:
            word = base64.b64encode(":".join(self.auth).encode()).decode()
            if headers.get("Authorization") != f"Basic {word}":
                return Answer(401)
        path = unquote(urlsplit(raw_path).path)
        if not path.startswith(self.prefix + "/"):
            return Answer(404)
        path = path[len(self.prefix) :]
        if path in self.fail:
            return Answer(self.fail[path])
        if path.startswith("/files/"):
            return self._file(path[len("/files/") :])
        if path.startswith("/simple/"):
            return self._page(path[len("/simple/") :].rstrip("/"), accept, agent)
        if self.project_api and path.startswith("/pypi/") and path.endswith("/json"):
            return self._project_api(path[len("/pypi/") : -len("/json")])
        return Answer(404)

    def _project_api(self, project: str) -> Answer:
        releases: dict[str, list[dict[str, Any]]] = {}
        for file in list(self.files.values()):
            if file.project != normalized(project):
                continue
            uploaded_at = file.uploaded_at()
            releases.setdefault(file.version, []).append(
                {
                    "filename": file.filename,
                    "url": file.url,
                    "digests": {"sha256": file.sha256},
                    "upload_time_iso_8601": uploaded_at and uploaded_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                    "size": len(file.content),
                    "yanked": file.yanked,
                }
            )
        if not releases:
            return Answer(404)
        return Answer(200, json.dumps({"releases": releases}).encode(), "application/json")

    def _file(self, name: str) -> Answer:
        file = self.files.get(name)
        if file is not None:
            return Answer(200, file.content, "application/octet-stream", name)
        file = self.files.get(name[: -len(".metadata")]) if name.endswith(".metadata") else None
        if file is not None and file.metadata is not None:
            return Answer(200, file.metadata, "text/plain", name)
        return Answer(404)

    def _page(self, project: str, accept: str, agent: str) -> Answer:
        files = [file for file in list(self.files.values()) if file.project == normalized(project)]
        if project and not files:
            return Answer(404)
        # As on PyPI, what a client prefers is what it names; quality values are not weighed.
        wants_json = JSON in accept or "application/vnd.pypi.simple.latest+json" in accept
        if self.html_for_pip22 and self.html and agent.startswith("pip/22."):
            wants_json = False
        if self.json and wants_json:
            page = self._json_page(project, files) if project else self._json_root()
            return Answer(200, json.dumps(page).encode(), JSON)
        if not self.html:
            return Answer(406)
        text = self._html_page(project, files) if project else self._html_root()
        return Answer(200, text.encode(), HTML if HTML in accept else "text/html; charset=utf-8")

    def _projects(self) -> list[str]:
        return sorted({file.project for file in list(self.files.values())})

    def _json_root(self) -> dict[str, Any]:
        return {"meta": {"api-version": "1.1"}, "projects": [{"name": name} for name in self._projects()]}

    def _json_page(self, project: str, files: list[ServedFile]) -> dict[str, Any]:
        status = self.statuses.get(normalized(project))
        told = {"project-status": dict(zip(("status", "reason"), status))} if status else {}
        return {
            "meta": {"api-version": "1.1" if self.times else "1.0"},
            **told,
            "name": normalized(project),
            "versions": list(dict.fromkeys(file.version for file in files)),
            "files": [self._json_file(file) for file in files],
        }

    def _json_file(self, file: ServedFile) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "filename": file.filename,
            "url": file.url,
            "hashes": {"sha256": file.sha256} if file.sha256 else {},
            "size": len(file.content) if file.size is None else file.size,
            "yanked": file.yanked,
        }
        if file.requires_python:
            entry["requires-python"] = file.requires_python
        if file.metadata is not None:
            entry["core-metadata"] = {"sha256": hashlib.sha256(file.metadata).hexdigest()}
        if file.provenance:
            entry["provenance"] = file.provenance
        uploaded_at = file.uploaded_at()
        if self.times and uploaded_at is not None:
            entry["upload-time"] = uploaded_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return entry

    def _html_root(self) -> str:
        links = "".join(
            f'<a href="{self.prefix}/simple/{name}/">{name}</a><br>\n' for name in self._projects()
        )
        return f"<!DOCTYPE html>\n<html><body>\n{links}</body></html>\n"

    def _html_page(self, project: str, files: list[ServedFile]) -> str:
        links = []
        for file in files:
            attributes = ""
            if file.requires_python:
                attributes += f' data-requires-python="{html.escape(file.requires_python)}"'
            if file.yanked is not False:
                attributes += (
                    f' data-yanked="{html.escape(file.yanked) if isinstance(file.yanked, str) else ""}"'
                )
            if file.metadata is not None:
                digest = hashlib.sha256(file.metadata).hexdigest()
                attributes += (
                    f' data-core-metadata="sha256={digest}" data-dist-info-metadata="sha256={digest}"'
                )
            if file.provenance:
                attributes += f' data-provenance="{html.escape(file.provenance)}"'
            fragment = f"#sha256={file.sha256}" if file.sha256 else ""
            links.append(f'<a href="{html.escape(file.url)}{fragment}"{attributes}>{file.filename}</a><br>\n')
        return (
            '<!DOCTYPE html>\n<html><head><meta name="pypi:repository-version" content="1.0">'
            f"{self._html_status(project)}<title>Links for {project}</title></head><body>\n{''.join(links)}</body></html>\n"
        )

    def _html_status(self, project: str) -> str:
        status = self.statuses.get(normalized(project))
        names = ("pypi:project-status", "pypi:project-status-reason")
        return "".join(
            f'<meta name="{name}" content="{html.escape(text)}">' for name, text in zip(names, status or ())
        )

    def _sent(self, filename: str, size: int) -> None:
        with self._lock:
            self.downloads[filename] += 1
            self.bytes_sent[filename] += size


class Server(ThreadingHTTPServer):
    """Listens for an index."""

    daemon_threads = True

    def __init__(self, index: IndexServer, handler: type[Handler], host: str = "127.0.0.1") -> None:
        self.index = index
        super().__init__((host, 0), handler)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer's looks the name of 127.0.0.1 up, which may take seconds
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a client that goes away in the middle is nothing to report."""


class Handler(BaseHTTPRequestHandler):
    """Answers for an index, a request a connection."""

    protocol_version = "HTTP/1.1"
    server: Server
    timeout = 60

    def do_GET(self) -> None:
        index = self.server.index
        answer = index._answer(self.command, self.path, self.headers)
        etag = f'"{hashlib.sha256(answer.body).hexdigest()}"'
        if index.cache_control and answer.status == 200 and self.headers.get("If-None-Match") == etag:
            answer = Answer(304)
        self.answer(answer, etag)

    def answer(self, answer: Answer, etag: str) -> None:
        """Send it."""
        index = self.server.index
        self.send_response(answer.status)
        if answer.status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="tests"')
        if index.cache_control:
            self.send_header("Cache-Control", index.cache_control)
            self.send_header("ETag", etag)
        if answer.status != 304:
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Vary", "Accept, Accept-Encoding")
        # One request a connection, so that no thread outlives the server with a socket open.
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "GET" and answer.status != 304:
            if answer.filename:  # counted before the client can see the end of it
                index._sent(answer.filename, len(answer.body))
            self.wfile.write(answer.body)

    do_HEAD = do_GET  # noqa: N815

    def version_string(self) -> str:
        return "veln-hook-tests"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: stderr belongs to the tests."""
