"""A copy of a few projects' pages and files, served by nginx on loopback as PyPI serves them.

TLS, HTTP/2, gzip, ETag, ``max-age=600``, PEP 658 metadata and range requests; no latency, so that what a
proxy costs shows fully. It needs nginx (Debian: ``apt-get install nginx-light``), and the index once.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import trustme
from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

INDEX = "https://pypi.org/simple/"
JSON = "application/vnd.pypi.simple.v1+json"
_FILES = b"https://files.pythonhosted.org/"
_CONFIGURATION = """
{user}
worker_processes 1;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {root}/tmp; proxy_temp_path {root}/tmp; fastcgi_temp_path {root}/tmp;
  uwsgi_temp_path {root}/tmp; scgi_temp_path {root}/tmp;
  sendfile on; keepalive_timeout 60;
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {root}/server.pem; ssl_certificate_key {root}/server.key;
    location /simple/ {{
      rewrite ^(/simple/[^/]+/)$ $1page.json break;
      root {root}/pages; gzip_static always; types {{ }}
      default_type "{json}";
      add_header Cache-Control "max-age=600, public";
    }}
    location / {{
      root {root}/files; default_type application/octet-stream;
      add_header Cache-Control "max-age=365000000, immutable, public";
    }}
  }}
}}
"""


def _fetch(url: str, accept: str = "*/*") -> bytes:
    request = urllib.request.Request(url, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=120) as response:
        return response.read()


class Mirror:
    """What was copied, in one directory.

    Args:
        root: The directory; what is in it already isn't fetched again.
        pins: ``name==version`` of each project.
    """

    def __init__(self, root: Path, pins: Sequence[str]) -> None:
        self.root, self.pins = root, pins
        self.authority = root / "ca.pem"
        self.pages = 0
        """Bytes of all pages, decoded."""
        self.files = 0
        """Bytes of all files that are served."""

    def fill(self) -> None:
        """Fetch pages, and of each pin the wheel for this interpreter."""
        (self.root / "tmp").mkdir(parents=True, exist_ok=True)
        order = {tag: place for place, tag in enumerate(sys_tags())}
        with ThreadPoolExecutor(8) as pool:
            for pages, files in pool.map(lambda pin: self._copy(pin, order), self.pins):
                self.pages += pages
                self.files += files

    def _copy(self, pin: str, order: dict[Any, int]) -> tuple[int, int]:
        name, _, version = pin.partition("==")
        place = self.root / "pages" / "simple" / name
        original = place / "original.json"
        if not original.exists():
            place.mkdir(parents=True, exist_ok=True)
            original.write_bytes(_fetch(f"{INDEX}{name}/", JSON))
        wheels = []
        for file in json.loads(original.read_bytes())["files"]:
            if file["filename"].endswith(".whl"):
                with contextlib.suppress(ValueError):  # old names that nobody can read any more
                    _, of, _, tags = parse_wheel_filename(file["filename"])
                    best = min((order[tag] for tag in tags if tag in order), default=None)
                    if str(of) == version and best is not None:
                        wheels.append((best, file["url"]))
        if not wheels:
            raise SystemExit(f"{pin} has no wheel for this interpreter")
        url = min(wheels)[1]
        target = self.root / "files" / url.partition(_FILES.decode())[2]
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(_fetch(url))
            with zipfile.ZipFile(target) as wheel:  # not every mirror of PyPI has it beside the wheel
                inside = next(n for n in wheel.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
                target.with_name(f"{target.name}.metadata").write_bytes(wheel.read(inside))
        return original.stat().st_size, target.stat().st_size

    @contextlib.contextmanager
    def served(self) -> Iterator[str]:
        """Run nginx for the time of a block; yield the URL of the index."""
        nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        if nginx is None:
            raise SystemExit("nginx isn't installed; on Debian: apt-get install nginx-light")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._certify()
        for original in (self.root / "pages").rglob("original.json"):
            # Under the name that a request for the directory leads to; only the packed form is kept.
            page = original.read_bytes().replace(_FILES, f"https://localhost:{port}/".encode())
            with gzip.GzipFile(original.with_name("page.json.gz"), "wb", 6, mtime=0) as packed:
                packed.write(page)
        configuration = self.root / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                root=self.root,
                port=port,
                json=JSON,
                user="user root;" if os.geteuid() == 0 else "",  # the directory may be nobody else's to read
            )
        )
        arguments = [
            nginx,
            "-c",
            str(configuration),
            "-p",
            str(self.root),
            "-e",
            str(self.root / "error.log"),
        ]
        server = subprocess.Popen([*arguments, "-g", "daemon off;"])
        try:
            deadline = time.monotonic() + 30
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                if server.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"nginx doesn't start; see {self.root}/error.log")
                time.sleep(0.05)
            yield f"https://localhost:{port}/simple/"
        finally:
            server.terminate()
            server.wait()

    def _certify(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.authority)
        certificate = authority.issue_cert("localhost", "127.0.0.1")
        certificate.private_key_pem.write_to_path(self.root / "server.key")
        certificate.cert_chain_pems[0].write_to_path(self.root / "server.pem")


def resolve(uv: str, names: Sequence[str], work: Path) -> list[str]:
    """Return the pins of projects and all they need, as uv resolves them on the real index now."""
    wanted = work / "wanted.in"
    wanted.write_text("\n".join(names))
    command = [
        uv,
        "pip",
        "compile",
        "--quiet",
        "--no-annotate",
        "--no-header",
        "--index-url",
        INDEX,
        str(wanted),
    ]
    told = subprocess.check_output(command, text=True)
    return [line.partition(" ")[0] for line in told.splitlines() if re.match(r"[a-z0-9.-]+==", line)]
