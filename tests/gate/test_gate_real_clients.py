"""Clients as they are installed: uv, pip, curl, git and Pythons' own, each trusting the gate and nobody else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest
from gate_interception import AUTHORITY, ok
from gate_world import SECONDS

from support import uv_versions
from support.pythons import PYTHONS, find_python
from support.selection import everyday
from support.waiting import until
from veln_hook.gate.authority import Authority


@pytest.fixture
def environment(tmp_path):
    """Return what is needed to go through a gate and trust it: one variable for each family of clients."""
    file = tmp_path / "gate.pem"
    file.write_bytes(AUTHORITY.certificate)

    def make(gate) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.upper().endswith("_PROXY") and not name.startswith(("PIP_", "UV_", "SSL_"))
        }
        names = ["SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"]
        return {
            **kept,
            **dict.fromkeys(names, str(file)),
            **dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"), gate.url),
            "PIP_CONFIG_FILE": os.devnull,
            "UV_CACHE_DIR": str(tmp_path / "cache"),
            "UV_NO_CONFIG": "1",
            "HOME": str(tmp_path),
        }

    return make


@pytest.fixture
def index(make_site, tmp_path):
    """Return an index of TLS with one project of one wheel."""
    name = "tiny-1.0-py3-none-any.whl"
    wheel = tmp_path / name
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "x = 1\n")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr(
            "tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    data = wheel.read_bytes()
    page = {
        "meta": {"api-version": "1.0"},
        "name": "tiny",
        "files": [{"filename": name, "url": f"https://index.test/files/{name}", "hashes": {}}],
    }

    def answer(sock, head):
        method, path = head.split()[:2]
        lines = {
            line.lower().partition(":")[0]: line.partition(":")[2].strip() for line in head.split("\r\n")[1:]
        }
        if path.startswith("/simple/"):
            kind = "Content-Type: application/vnd.pypi.simple.v1+json"
            sock.sendall(ok(json.dumps(page).encode(), kind))
        elif "range" in lines and method == "GET":
            first, _, last = lines["range"].partition("=")[2].partition("-")
            start, end = (
                (int(first), int(last or len(data) - 1)) if first else (len(data) - int(last), len(data) - 1)
            )
            part = data[start : end + 1]
            sock.sendall(
                ok(part, f"Content-Range: bytes {start}-{end}/{len(data)}", status="206 Partial Content")
            )
        else:
            whole = ok(data, "Accept-Ranges: bytes")
            sock.sendall(whole if method == "GET" else whole[: len(whole) - len(data)])

    return make_site("index.test", answer)


def run(*command: object, env: dict[str, str], check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(part) for part in command],
        env=env,
        check=False,
        capture_output=True,
        text=True,
        timeout=4 * SECONDS,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(params=everyday(uv_versions.UVS, uv_versions.ENDS))
def uv(request):
    try:
        return uv_versions.uv_bin(request.param) / "uv"
    except uv_versions.NotHereError as error:
        pytest.skip(str(error))


def test_uv_installs_through_the_gate(make_gate, index, environment, uv, tmp_path):
    gate = make_gate()
    env = environment(gate)
    run(
        uv,
        "pip",
        "install",
        "--target",
        tmp_path / "t",
        "--index-url",
        "https://index.test/simple/",
        "tiny",
        env=env,
    )
    assert (tmp_path / "t" / "tiny.py").exists()
    assert {exchange.path for exchange in gate.responder.seen} >= {
        "/simple/tiny/",
        "/files/tiny-1.0-py3-none-any.whl",
    }
    assert gate.egress.refusals() == ()


def test_uv_shows_what_a_problem_says(make_gate, index, environment, uv, tmp_path):
    async def refuse_files(exchange):
        if exchange.path.startswith("/files/"):
            await exchange.refuse(403, "veln-hook: tiny is held", "too young for this test")
        else:
            await exchange.forward()

    env = environment(make_gate(refuse_files))
    done = run(
        uv, "pip", "install", "--target", tmp_path / "t", "--index-url", "https://index.test/simple/", "tiny",
        env=env, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "403" in done.stderr
    assert not (tmp_path / "t" / "tiny.py").exists()


def test_uv_that_does_not_trust_the_gate_installs_nothing(make_gate, index, environment, uv, tmp_path):
    gate = make_gate()
    other = tmp_path / "other.pem"
    other.write_bytes(Authority().certificate)
    env = {**environment(gate), "SSL_CERT_FILE": str(other), "UV_HTTP_RETRIES": "0"}
    done = run(
        uv, "pip", "install", "--target", tmp_path / "t", "--index-url", "https://index.test/simple/", "tiny",
        env=env, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    # uv may have ended before the gate has read why it closed the connection.
    assert until(gate.interceptor.distrusted)[0][:2] == ("index.test", 443)
    assert index.heads == []


def test_pip_installs_through_the_gate(make_gate, index, environment, tmp_path):
    gate = make_gate()
    command = [sys.executable, "-m", "pip", "install", "--no-input", "--target", tmp_path / "t"]
    run(*command, "--index-url", "https://index.test/simple/", "tiny", env=environment(gate))
    assert (tmp_path / "t" / "tiny.py").exists()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(
    "options", [[], ["--http1.0"], ["--http2"], ["--compressed"], ["--tls-max", "1.2"], ["-r", "0-3"]]
)
def test_curl_fetches_through_the_gate(make_gate, make_site, environment, options):
    make_site("index.test", ok(b"a body"))
    told = run("curl", "-sS", *options, "https://index.test/x", env=environment(make_gate()))
    assert told.stdout == "a body"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_sends_a_file_through_the_gate(make_gate, environment, tmp_path):
    async def count(exchange):
        await exchange.respond(200, [], b"%d" % len(await exchange.body(10_000_000)))

    (tmp_path / "big").write_bytes(bytes(3_000_000))
    told = run(
        "curl", "-sS", "-T", tmp_path / "big", "https://index.test/x", env=environment(make_gate(count))
    )
    assert told.stdout == "3000000"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_fetches_through_the_gate(make_gate, make_site, environment):
    reference = "0123456789012345678901234567890123456789\trefs/heads/main\n"
    site = make_site("index.test", ok(reference.encode(), "Content-Type: text/plain"))
    told = run("git", "ls-remote", "https://index.test/a.git", env=environment(make_gate()))
    assert told.stdout.split() == reference.split()
    assert site.heads[0].startswith("GET /a.git/info/refs?service=git-upload-pack ")


FETCH = """
import ssl, sys, urllib.request
context = ssl.create_default_context(cafile=sys.argv[1])
context.verify_flags |= ssl.VERIFY_X509_STRICT
opener = urllib.request.build_opener(
    urllib.request.ProxyHandler({"https": sys.argv[2]}), urllib.request.HTTPSHandler(context=context))
print(opener.open("https://index.test/", timeout=30).read().decode())
"""


@pytest.mark.parametrize("version", PYTHONS)
def test_each_python_takes_the_certificate_strictly(make_gate, make_site, environment, version, tmp_path):
    python = find_python(version)
    if python is None:
        pytest.skip(f"Python {version} is not installed")
    make_site("index.test", ok(b"fetched"))
    gate = make_gate()
    told = run(python, "-I", "-c", FETCH, tmp_path / "gate.pem", gate.url, env=environment(gate))
    assert told.stdout == "fetched\n"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_verifies_it_strictly(make_gate, tmp_path):
    gate = make_gate()
    chain = gate.secure("index.test:443").getpeercert(binary_form=True)
    (tmp_path / "leaf.der").write_bytes(chain or b"")
    (tmp_path / "gate.pem").write_bytes(AUTHORITY.certificate)
    environ = dict(os.environ)
    run(
        "openssl",
        "x509",
        "-inform",
        "DER",
        "-in",
        tmp_path / "leaf.der",
        "-out",
        tmp_path / "leaf.pem",
        env=environ,
    )
    told = run(
        "openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "index.test",
        "-CAfile", tmp_path / "gate.pem", "-no-CApath", tmp_path / "leaf.pem", env=environ,
    )  # fmt: skip
    assert told.stdout.endswith(": OK\n")
