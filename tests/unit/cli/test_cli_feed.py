"""``veln-hook feed`` in this process; what is fetched comes from a real server on loopback, through pip's session."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from support.builders import make_wheel
from support.feeds import RECORDS, advisory, record, write_feed, write_real_feed, zip_of
from veln_hook.cli import feed_probes, probes
from veln_hook.cli.probing import Machine

SRC = Path(__file__).parents[3] / "src"


class FeedServer:
    """Serves one file with an ETag, or whatever else a test wants."""

    def __init__(self):
        self.body = b""
        self.etag = '"v1"'
        self.answer = None
        """A status and headers in place of the file."""
        self.length = None
        """A ``Content-Length`` in place of the right one."""
        self.requests = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests.append((self.path, dict(self.headers)))
                if server.answer is not None and self.path.startswith("/all.zip"):
                    status, headers = server.answer
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                if server.etag and self.headers.get("If-None-Match") == server.etag:
                    self.send_response(304)
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(server.length or len(server.body)))
                if server.etag:
                    self.send_header("ETag", server.etag)
                self.end_headers()
                self.wfile.write(server.body)

            def log_message(self, *_):
                pass

        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._httpd.server_port}"
        self.url = f"http://{self.host}/all.zip"
        self._thread = threading.Thread(target=self._httpd.serve_forever, daemon=True)
        self._thread.start()

    def close(self):
        self._httpd.shutdown()
        self._httpd.server_close()
        self._thread.join()


@pytest.fixture
def server(tmp_path):
    made = FeedServer()
    made.body = zip_of(
        tmp_path / "all.zip", [json.loads(path.read_bytes()) for path in sorted(RECORDS.glob("*.json"))]
    ).read_bytes()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def no_proxies(own_home, monkeypatch):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "veln-hook" / "feed.sqlite"


@pytest.fixture
def update(tmp_path, server):
    """Run ``feed update`` as its users do; pip must not be loaded into the tests' own process."""

    def call(*argv, url=None, **environ):
        done = subprocess.run(
            [sys.executable, "-m", "veln_hook", "feed", "update", *argv],
            env={**os.environ, "PYTHONPATH": str(SRC), "VELN_HOOK_FEED_URL": url or server.url, **environ},
            cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    return call


def test_no_feed_never_means_clean(run):
    status, out, err = run("feed", "status")
    assert (status, err) == (0, "")
    assert (
        out == "there is no feed, so nothing is known of malware; that doesn't mean that anything is clean\n"
    )
    status, out, _ = run("feed", "status", "--json")
    assert json.loads(out)["results"] == [{"present": False, "path": str(Path("state/veln-hook/feed.sqlite").absolute()), "unfit": None}]  # fmt: skip


def test_a_feed_is_imported_and_told(run, path):
    status, out, err = run("feed", "import", RECORDS)
    assert (status, err) == (0, "")
    assert "6 records of malware, 3 other advisories, 1 withdrawn" in out
    assert f"from {RECORDS}" in out
    status, out, _ = run("feed", "status", "--json")
    (told,) = json.loads(out)["results"]
    assert (told["present"], told["malware"], told["withdrawn"], told["unreadable"]) == (True, 6, 1, 0)
    assert told["as_of"] == told["newest"] == "2026-06-08T19:21:16+00:00"
    assert told["bytes"] == path.stat().st_size
    assert run("-q", "feed", "status") == (0, "", "")


def test_one_record_can_be_added(run, path, tmp_path):
    run("feed", "import", RECORDS)
    mine = tmp_path / "mine.json"
    mine.write_text(json.dumps(record("MAL-0-ours", "acme-tools")))
    status, _, err = run("feed", "import", mine)
    assert status == 78
    assert "it knows 1 records of malware where 6 are known now" in err
    assert "--add" in err
    status, out, _ = run("feed", "import", "--add", mine)
    assert status == 0
    assert "7 records of malware" in out
    status, out, _ = run("feed", "import", "--replace", mine)
    assert "1 records of malware, 0 other" in out


def test_what_could_not_be_read_is_told_even_quietly(run, tmp_path):
    inside = tmp_path / "records"
    inside.mkdir()
    (inside / "MAL-1.json").write_text(json.dumps(record("MAL-1")))
    (inside / "MAL-2\x1b[2J.json").write_text("no record")
    status, out, _ = run("-q", "feed", "import", inside)
    assert status == 0
    assert out.splitlines() == [
        "1 record could not be read and is not in it:",
        "      MAL-2\\x1b[2J.json: it is no JSON",
    ]


@pytest.mark.parametrize(
    ("argv", "status", "words"),
    [
        (["import", "absent.zip"], 2, "there is no such file"),
        (["import", "page.html"], 78, "no record can be read"),
        (["import", os.devnull], 78, "no regular file"),
        (["import", "--add", "--replace", "page.html"], 2, "not allowed with"),
        ([], 2, "ACTION"),
    ],
)
def test_mistakes_are_told_in_a_line(run, tmp_path, argv, status, words):
    (tmp_path / "page.html").write_text("<html>")
    found, out, err = run("feed", *argv)
    assert (found, out) == (status, "")
    assert words in err
    assert "Traceback" not in err
    assert not (tmp_path / "state" / "veln-hook" / "feed.sqlite").exists()


def test_the_policy_judges_the_feed(run, path, monkeypatch):
    monkeypatch.setenv("VELN_HOOK_FEED_MAX_AGE", "2 days")
    status, out, _ = run("-q", "feed", "status")
    assert status == 1
    assert (
        out == "there is no feed of known malware here (policy: feed.max_age); run 'veln-hook feed update'\n"
    )
    run("feed", "import", RECORDS)
    status, out, _ = run("feed", "status")
    assert status == 1
    assert "days old (policy: 2 days)" in out
    write_real_feed(path)
    assert run("feed", "status")[0] == 0


def test_status_and_doctor_tell_of_it(path, monkeypatch):
    assert ("feed", feed_probes.feed) in probes.PROBES

    def told():
        return feed_probes.feed(Machine(os.environ))

    assert told().ok is None
    assert told().summary.startswith("there is no feed, so nothing is known of malware")
    write_real_feed(path)
    assert told().ok is True
    assert re.fullmatch(r"as of \d+ min ago, 6 records of malware", told().summary)
    monkeypatch.setenv("VELN_HOOK_FEED_MAX_AGE", "1d")
    write_feed(path, record(), now=datetime.now(timezone.utc) - timedelta(days=3), shrink=True)
    assert told().ok is False
    assert "nothing is installed" in told().summary
    path.chmod(0o666)
    assert told().ok is False
    assert told().error is not None
    assert "can be written by other users" in told().summary
    monkeypatch.setenv("VELN_HOOK_FEED_MAX_AGE", "soon")
    assert told().ok is None


def test_an_update_is_fetched_once(update, run, server, path):
    status, out, err = update()
    assert (status, err) == (0, "")
    assert "6 records of malware" in out
    first = path.stat().st_ino
    status, out, _ = update()
    assert status == 0
    assert "still the newest one" in out
    assert [headers.get("If-None-Match") for _, headers in server.requests] == [None, '"v1"']
    assert path.stat().st_ino != first, "the time of the last look is kept"
    told = json.loads(run("feed", "status", "--json")[1])["results"][0]
    assert told["as_of"] == told["checked_at"] > told["imported_at"]
    server.etag = '"v2"'
    status, out, _ = update("--json")
    assert status == 0
    assert json.loads(out)["results"][0]["source"] == server.url


def test_nothing_of_the_user_is_told_to_the_server(update, server):
    update(PIP_INDEX_URL="http://user:hunter2@index.test/simple/")
    ((_, headers),) = server.requests
    assert "hunter2" not in str(headers)
    assert not {"authorization", "cookie", "referer"} & {name.lower() for name in headers}


ASK = """
import sys
from veln_hook.adapters.pip.feed_fetching import fetch_feed
with open("got", "wb") as file:
    print(fetch_feed(sys.argv[1], file, anonymous=True))
"""


def test_osvs_own_server_is_told_of_no_credentials_at_all(server, tmp_path):
    """``feed.url`` is OSV's by default, which no test can serve; so its way of asking is."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login ada password hunter2\n")
    netrc.chmod(0o600)
    environ = {**os.environ, "PYTHONPATH": str(SRC), "NETRC": str(netrc)}

    def ask():
        return subprocess.run(
            [sys.executable, "-c", ASK, server.url], env=environ, cwd=tmp_path, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip

    assert ask().stdout.startswith("Answer(new=True")
    assert (tmp_path / "got").read_bytes() == server.body
    assert "Authorization" not in server.requests[0][1]
    server.answer = 302, {"Location": f"http://{server.host}/else.zip"}
    assert "answered 302" in ask().stderr
    assert len(server.requests) == 2


def test_credentials_of_the_url_go_to_its_host_alone(update, run, server, path):
    other = FeedServer()
    try:
        other.body = server.body
        server.answer = 302, {"Location": other.url.replace("/all.zip", "/else.zip")}
        status, out, err = update(url=f"http://ada:hunter2@{server.host}/all.zip?token=s3cret")
        assert status == 0, err
        sent = server.requests[0][1]["Authorization"]
        assert base64.b64decode(sent.split()[1]) == b"ada:hunter2"
        assert "Authorization" not in other.requests[0][1]
        status, told, _ = run("feed", "status", "--json")
        for text in (out, err, told):
            assert "hunter2" not in text
            assert "s3cret" not in text
        assert b"hunter2" not in path.read_bytes()
        assert b"s3cret" not in path.read_bytes()
    finally:
        other.close()


@pytest.mark.parametrize(
    "answer", [(404, {}), (500, {}), (401, {"WWW-Authenticate": "Basic"}), (304, {}), (204, {})]
)
def test_another_answer_leaves_what_is_here(update, server, path, answer):
    write_real_feed(path)
    before = path.read_bytes()
    server.answer = answer
    status, out, err = update()
    assert (status, out) == (78, "")
    # pip itself tries a 500 again, and then gives up in its own words.
    assert re.search(rf"answered {answer[0]}\b|\b{answer[0]} error", err), err
    assert path.read_bytes() == before


def test_so_do_a_broken_line_and_a_page(update, server, path):
    write_real_feed(path)
    before = path.read_bytes()
    server.length = len(server.body) + 5
    status, _, err = update()
    assert status == 78, err
    server.length, server.body = None, b"<html>log in first</html>"
    status, _, err = update()
    assert status == 78
    assert "no record can be read" in err
    assert path.read_bytes() == before


def test_and_an_older_feed(update, server, path, tmp_path):
    assert update()[0] == 0
    before = path.read_bytes()
    server.etag = '"old"'
    server.body = zip_of(tmp_path / "old.zip", [record(f"MAL-{number}") for number in range(9)]).read_bytes()
    status, _, err = update()
    assert status == 78
    assert "it is older than what is here" in err
    assert path.read_bytes() == before
    assert update("--replace")[0] == 0


def test_no_server_and_no_secret_in_what_is_told_of_it(update, server, path):
    server.close()
    status, out, err = update(url=f"http://ada:hunter2@{server.host}/all.zip?token=s3cret")
    assert (status, out) == (78, "")
    assert f"http://{server.host}/all.zip can't be fetched" in err
    assert "hunter2" not in err
    assert "s3cret" not in err
    assert "Traceback" not in err
    assert not path.exists()
    server._httpd = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server._thread = threading.Thread(target=server._httpd.serve_forever, daemon=True)
    server._thread.start()


def test_a_damaged_feed_is_fetched_anew(update, server, path):
    write_real_feed(path)
    path.write_text("no database")
    path.chmod(0o600)
    status, out, _ = update()
    assert status == 0
    assert "is damaged" in out
    assert "If-None-Match" not in server.requests[0][1]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/all.zip", "all.zip", "http://"])
def test_only_the_web_is_asked(update, url):
    status, _, err = update(url=url)
    assert status == 78
    assert "VELN_HOOK_FEED_URL" in err


def test_audit_tells_what_the_feed_knows_of_what_is_installed(run, path, tmp_path):
    site = tmp_path / "env" / "lib" / "python3.12" / "site-packages"
    site.mkdir(parents=True)
    for name, version in (("litellm", "1.82.8"), ("requests", "2.31.0"), ("fastapi", "0.136.3")):
        with zipfile.ZipFile(make_wheel(tmp_path, name, version)) as archive:
            archive.extractall(site)
    status, out, _ = run("audit", "--env", tmp_path / "env")
    assert status == 0
    assert "there is no feed, so nothing is known of malware" in out
    write_real_feed(path)
    status, out, _ = run("audit", "--env", tmp_path / "env")
    assert status == 1
    assert "known malware, MAL-2026-2144: Malicious code in litellm (PyPI)" in out
    assert "advisory GHSA-9wx4-h78v-vm56" in out
    assert "repaired in 2.32.2" in out
    assert "\nfeed as of " in f"\n{out}"
    _, out, _ = run("audit", "--json", "--env", tmp_path / "env")
    found = {one["project"]: one for one in json.loads(out)["results"]}
    assert {name: one["verdict"] for name, one in found.items()} == {
        "litellm": "block", "requests": "allow", "fastapi": "allow",
    }  # fmt: skip
    assert [one["id"] for one in found["requests"]["advisories"]] == ["GHSA-9wx4-h78v-vm56"]
    assert found["requests"]["advisories"][0]["fixed"] == ["2.32.2"]
    assert found["litellm"]["advisories"] == []


def test_audit_holds_what_it_could_not_look_up(run, path, tmp_path):
    site = tmp_path / "env" / "lib" / "python3.12" / "site-packages"
    site.mkdir(parents=True)
    with zipfile.ZipFile(make_wheel(tmp_path, "demo", "1.0")) as archive:
        archive.extractall(site)
    write_feed(path, advisory("GHSA-1", "demo", "2.0"))
    path.chmod(0o666)
    status, out, _ = run("audit", "--env", tmp_path / "env")
    assert status == 77
    assert "can be written by other users" in out
