"""The gate as a service: workers that come and go, reloads, the end, health and figures."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
from http.client import HTTPException

import pytest
from standing_world import StandingGate, connect, kill

from support.builders import make_wheel
from support.gated import untouched
from support.held import EVIL, OLD
from support.processes import runs
from support.waiting import SECONDS, until

STRICT = '[cooling]\nmin_age = "60d"\n'
LENIENT = '[cooling]\nmin_age = "0s"\n'
BROKEN = '[cooling]\nmin_age = "soon"\n'
WHEEL_1, WHEEL_2 = "demo-1.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl"


def test_it_holds_what_is_young_and_says_for_whom(make_gate, demo):
    gate = make_gate(demo)
    assert gate.page(demo) == [WHEEL_1]
    status, _, body = gate.get(demo.file_url(WHEEL_1))
    assert status == 200
    assert body == demo.files[WHEEL_1].content
    status, headers, body = gate.get(demo.file_url(WHEEL_2))
    assert status == 403
    assert headers["content-type"] == "application/problem+json"
    assert "HOLD" in json.loads(body)["title"]
    assert untouched(demo)
    (line,) = gate.wait_for("hold", asked="file")
    assert (line["client"], line["project"], line["version"]) == ("127.0.0.1", "demo", "2.0")
    assert "min ago" in line["reason"]
    assert line["opens_at"]
    assert gate.wait_for("hold", asked="page", project="demo", version="2.0")


def test_the_same_page_is_told_once_to_each_client(make_gate, demo):
    gate = make_gate(demo, workers=1)
    for source in ("127.0.0.1", "127.0.0.3"):
        for _ in range(3):
            with gate.client(source=source) as client:
                assert client.get(f"{demo.url}demo/")[0] == 200
    assert sorted(line["client"] for line in gate.wait_for("hold", 2, asked="page")) == [
        "127.0.0.1",
        "127.0.0.3",
    ]


def test_what_an_archive_does_is_blocked_for_everybody(make_gate, index, tmp_path):
    index.add(make_wheel(tmp_path, "evil", "1.0", EVIL), upload_time=OLD)
    gate = make_gate(index)
    name = "evil-1.0-py3-none-any.whl"
    for _ in range(4):
        assert gate.get(index.file_url(name))[0] == 403
    assert len(gate.wait_for("block", 4, project="evil")) == 4
    figures = gate.figures()
    archives = figures['verdicts_total{stage="archive",decision="block"}']
    assert 1 <= archives <= 2  # each worker can have come to it before the other had
    assert figures['verdicts_total{stage="candidate",decision="block"}'] == 4 - archives


def test_a_wrong_password_is_nobody(make_gate, demo):
    gate = make_gate(demo)
    with gate.client("wrong horse") as client, pytest.raises(OSError, match="407"):
        client.open(demo.url)
    with gate.client("") as client, pytest.raises(OSError, match="407"):
        client.open(demo.url)
    sock = connect(gate)
    sock.sendall(f"GET {demo.url} HTTP/1.1\r\nHost: {demo.host}\r\n\r\n".encode())
    told = sock.makefile("rb").read()
    sock.close()
    assert told.startswith(b"HTTP/1.1 407 ")
    assert b"roxy-authenticate" in told.lower().replace(b"Proxy", b"proxy")
    assert not demo.requests
    assert gate.password not in "".join(gate.lines)


def test_a_worker_that_is_killed_is_missed_by_nobody(make_gate, demo):
    gate = make_gate(demo)
    assert gate.page(demo) == [WHEEL_1]
    before = gate.workers()
    assert sorted(before) == [0, 1]
    kill(before[0])
    for _ in range(20):
        assert gate.page(demo) == [WHEEL_1]
    gate.wait_for("worker-ended", number=0, pid=before[0], status=-signal.SIGKILL)
    gate.wait_for("worker-started", 2, number=0)
    after = gate.workers()
    assert after[1] == before[1]
    assert runs(after[0])
    assert until(lambda: gate.ask_status("/healthz")[0] == 200)
    figures = gate.figures()
    assert figures["workers"] == 2
    assert figures["worker_restarts_total"] == 1
    # What the dead one had counted and told isn't lost; what it hadn't told can be.
    assert figures['requests_total{kind="page",outcome="ok"}'] >= 1


def test_files_of_a_killed_worker_are_removed(make_gate, demo):
    gate = make_gate(demo, workers=1)
    assert gate.get(demo.file_url(WHEEL_1))[0] == 200
    place = next(gate.home.tmp.glob("veln-hook-gate-*"))
    assert list(place.glob("worker-0-*/policy-*/*/*"))
    (old,) = place.glob("worker-0-*")
    kill(gate.workers()[0])
    gate.wait_for("worker-started", 2)
    assert not old.exists()
    assert gate.get(demo.file_url(WHEEL_1))[0] == 200


def test_a_stricter_policy_counts_for_the_next_request(make_gate, demo):
    gate = make_gate(demo)
    with gate.client() as client:
        assert client.get(demo.file_url(WHEEL_1))[0] == 200
        gate.reload(STRICT)
        gate.wait_for("policy-taken")
        # The very same connection, and a file that its worker has in its spool.
        assert client.get(demo.file_url(WHEEL_1))[0] == 403
    for _ in range(6):
        assert gate.page(demo) == []
        assert gate.get(demo.file_url(WHEEL_1))[0] == 403
    assert gate.figures()['policy_reloads_total{result="taken"}'] == 1


def test_a_milder_policy_lets_pass(make_gate, demo):
    gate = make_gate(demo)
    assert gate.page(demo) == [WHEEL_1]
    gate.reload(LENIENT)
    gate.wait_for("policy-taken")
    for _ in range(6):
        assert gate.page(demo) == [WHEEL_1, WHEEL_2]
    assert gate.get(demo.file_url(WHEEL_2))[2] == demo.files[WHEEL_2].content


@pytest.mark.parametrize(
    "policy", [BROKEN, '[plugins]\nenable = ["nowhere"]\n', '[store]\nurl = "postgresql://x"\n']
)
def test_a_broken_policy_is_refused_and_the_old_one_stays(make_gate, demo, policy):
    gate = make_gate(demo)
    gate.reload(STRICT)
    gate.wait_for("policy-taken")
    gate.reload(policy)
    (line,) = gate.wait_for("policy-refused")
    assert line["reason"]
    for _ in range(6):
        assert gate.page(demo) == []
    figures = gate.figures()
    assert figures['policy_reloads_total{result="refused"}'] == 1
    assert figures["workers"] == 2
    assert not gate.told("worker-ended")
    gate.reload(LENIENT)
    gate.wait_for("policy-taken", 2)
    assert gate.page(demo) == [WHEEL_1, WHEEL_2]


def test_a_worker_that_is_started_again_has_the_policy_in_force(make_gate, demo):
    gate = make_gate(demo, workers=1)
    gate.reload(STRICT)
    gate.wait_for("policy-taken")
    gate.home.write_policy(LENIENT)  # nobody has told the gate to read it
    kill(gate.workers()[0])
    gate.wait_for("worker-started", 2)
    assert gate.page(demo) == []


def test_a_download_that_runs_is_finished_at_the_end(make_gate, index, tmp_path):
    big = {"big.bin": os.urandom(30_000_000)}
    index.add(make_wheel(tmp_path, "big", "1.0", big), upload_time=OLD)
    name = "big-1.0-py3-none-any.whl"
    gate = make_gate(index)
    with gate.client() as client:
        response = client.ask(index.file_url(name))
        assert response.status == 200
        first = response.read(1000)
        gate.signal(signal.SIGTERM)
        gate.wait_for("stopping")
        until(lambda: _refuses(gate), "it still listens")
        assert gate.process.poll() is None
        rest = response.read()
    assert first + rest == index.files[name].content
    assert gate.process.wait(SECONDS) == 0
    assert not list(gate.home.tmp.glob("veln-hook-gate-*"))


def test_a_download_that_never_ends_is_cut_off(make_gate, index, tmp_path):
    big = {"big.bin": os.urandom(30_000_000)}
    index.add(make_wheel(tmp_path, "big", "1.0", big), upload_time=OLD)
    gate = make_gate(index, options=("--grace", "0.5"))
    with gate.client() as client:
        response = client.ask(index.file_url("big-1.0-py3-none-any.whl"))
        response.read(1000)
        gate.signal(signal.SIGTERM)
        assert gate.process.wait(SECONDS) == 0
        with pytest.raises((OSError, HTTPException)):  # an end that could be believed would be worse
            response.read()
    assert gate.wait_for("cut-off")


def test_idle_clients_don_t_keep_it_from_ending(make_gate, demo):
    gate = make_gate(demo)
    with gate.client() as client:
        assert client.get(f"{demo.url}demo/")[0] == 200
        gate.signal(signal.SIGTERM)
        assert gate.process.wait(SECONDS) == 0
    gate.finish()
    assert json.loads(gate.out)["errors"] == []


def test_workers_end_with_a_supervisor_that_is_killed(make_gate, demo):
    gate = make_gate(demo)
    pids = list(gate.workers().values())
    assert all(map(runs, pids))
    gate.process.kill()
    gate.process.wait()
    until(lambda: not any(map(runs, pids)), "workers are left")


def test_what_was_held_is_in_the_log_of_the_machine(make_gate, demo, home):
    gate = make_gate(demo)
    gate.page(demo)
    gate.signal(signal.SIGTERM)
    assert gate.process.wait(SECONDS) == 0
    told = subprocess.run(
        [*gate.command[:3], "log", "--json"], env=gate.environ, check=True, capture_output=True, text=True
    )
    records = json.loads(told.stdout)["results"]
    assert [(each["project"], each["version"], each["verdict"]) for each in records] == [
        ("demo", "2.0", "hold")
    ]


def test_health_and_figures(make_gate, demo):
    gate = make_gate(demo)
    assert gate.ask_status("/healthz") == (200, "ok\n")
    assert gate.ask_status("/healthz", "HEAD") == (200, "")
    assert gate.ask_status("/healthz", "POST")[0] == 405
    assert gate.ask_status("/")[0] == 404
    gate.page(demo)
    gate.get(demo.file_url(WHEEL_1))
    gate.get(demo.file_url(WHEEL_2))
    gate.get(f"{demo.url}nowhere/")
    gate.get(f"https://{demo.host}:{urlport(demo)}/else")
    figures = gate.figures()
    assert figures['requests_total{kind="page",outcome="ok"}'] == 1
    assert figures['requests_total{kind="page",outcome="missing"}'] == 1
    assert figures['requests_total{kind="file",outcome="ok"}'] == 1
    assert figures['requests_total{kind="file",outcome="refused"}'] == 1
    assert figures['requests_total{kind="other",outcome="refused"}'] == 1
    assert figures['verdicts_total{stage="candidate",decision="hold"}'] == 2
    assert figures["response_bytes_total"] > len(demo.files[WHEEL_1].content)
    assert figures["spool_bytes"] == len(demo.files[WHEEL_1].content)
    assert figures['request_seconds_count{kind="file"}'] == 2
    assert figures['request_seconds_bucket{kind="file",le="+Inf"}'] == 2
    buckets = [
        value for key, value in figures.items() if key.startswith('request_seconds_bucket{kind="page"')
    ]
    assert buckets == sorted(buckets)
    assert sum(key.startswith("resident_bytes{") and value > 1e7 for key, value in figures.items()) == 2
    assert figures["faults_total"] == figures["upstream_errors_total"] == 0


def urlport(index):
    return index.url.split(":")[2].partition("/")[0]


def test_it_isn_t_well_without_a_store(make_gate, demo):
    gate = make_gate(demo)
    store = gate.home.state_dir / "store.sqlite3"
    assert store.exists()
    gate.home.state_dir.chmod(0o777)  # whoever can write there could approve anything
    try:
        status, text = gate.ask_status("/healthz")
    finally:
        gate.home.state_dir.chmod(0o700)
    assert status == 503
    assert "worker 0" in text
    assert "worker 1" in text
    assert gate.ask_status("/healthz")[0] == 200


@pytest.mark.slow
def test_it_isn_t_well_while_a_worker_hangs(make_gate, demo):
    gate = make_gate(demo)
    pid = gate.workers()[1]
    os.kill(pid, signal.SIGSTOP)
    try:
        status, text = gate.ask_status("/healthz")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert status == 503
    assert "worker 1 doesn't answer" in text
    assert until(lambda: gate.ask_status("/healthz")[0] == 200)


def _refuses(gate: StandingGate) -> bool:
    try:
        connect(gate).close()
    except OSError:
        return True
    return False


def test_what_two_workers_learn_they_share(make_gate, demo):
    gate = make_gate(demo)
    threads = [threading.Thread(target=gate.get, args=(demo.file_url(WHEEL_1),)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert gate.figures()['requests_total{kind="file",outcome="ok"}'] == 16
    # Once a worker, however many ask at once.
    assert 1 <= demo.downloads[WHEEL_1] <= 2


def test_a_file_that_others_can_read_is_no_password(home, authority, demo):
    gate = StandingGate(home, authority.file, demo)
    (home.path / "password").chmod(0o644)
    with pytest.raises(AssertionError, match="ended with 2"):
        gate.__enter__()


@pytest.mark.parametrize(
    "words",
    [
        ["--listen", "127.0.0.1:0"],
        ["--listen", "127.0.0.1:0", "--no-password", "--password-file", "x"],
        ["--listen", "nowhere", "--no-password"],
        ["--listen", "127.0.0.1:0", "--no-password", "--workers", "0"],
        ["--listen", "127.0.0.1:0", "--no-password", "--metrics", "192.0.2.1:1"],
        ["--listen", "127.0.0.1:0", "--no-password", "--allow", "not a host"],
        ["--listen", "127.0.0.1:0", "--password-file", "missing"],
        [],
    ],
)
def test_what_can_t_be_served_is_told_at_once(home, authority, words):
    gate = StandingGate(home, authority.file)
    command = [*gate.command[:3], "gate", *words]
    done = subprocess.run(
        command, env=gate.environ, cwd=home.work, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "error:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(home.tmp.glob("veln-hook-gate-*"))


def test_a_broken_policy_at_the_start_is_no_gate(home, authority, demo):
    home.write_policy(BROKEN)
    gate = StandingGate(home, authority.file, demo)
    with pytest.raises(AssertionError, match="ended with 78"):
        gate.__enter__()


def test_systemd_is_told(make_gate, demo, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        path = tmp_path / "notify"
        heard.bind(str(path))
        heard.settimeout(SECONDS)
        gate = make_gate(demo, env={"NOTIFY_SOCKET": str(path)})
        first = heard.recv(4096).decode()
        assert first.splitlines()[0] == "READY=1"
        assert str(gate.port) in first
        gate.reload(STRICT)
        told = heard.recv(4096).decode().splitlines()
        assert told[0] == "RELOADING=1"
        assert told[1].startswith("MONOTONIC_USEC=")
        assert heard.recv(4096).decode() == "READY=1"
        gate.signal(signal.SIGTERM)
        assert heard.recv(4096).decode() == "STOPPING=1"
        assert gate.process.wait(SECONDS) == 0
