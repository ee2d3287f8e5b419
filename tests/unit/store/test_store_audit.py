from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from store_records import NOON, environment, record

from veln_hook.model import Decision
from veln_hook.policy.settings import AuditPolicy
from veln_hook.store import audit, open_store
from veln_hook.store.audit import AuditLog

if TYPE_CHECKING:
    from pathlib import Path


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("changes", "event"),
    [
        ({"decision": Decision.HOLD}, "hold"),
        ({"decision": Decision.BLOCK}, "block"),
        ({"decision": Decision.WARN}, "warn"),
        ({"decision": Decision.ALLOW, "approval_id": 3, "author": "ann"}, "passed-by-approval"),
        ({"decision": Decision.ALLOW, "stage": "approval", "approval_id": 3}, "approval"),
        ({"decision": Decision.ALLOW, "stage": "switch", "author": "ann"}, "switched-off"),
    ],
)
def test_what_matters_is_told_as_an_object_a_line(tmp_path: Path, changes: dict, event: str) -> None:
    path = tmp_path / "deep" / "audit.jsonl"
    AuditLog(path).tell([record(**changes, reason="a\nb \u2028 \udcff")])
    (told,) = lines(path)
    assert told["event"] == event
    assert told["at"] == NOON.isoformat()
    assert told["reason"] == "a\nb \u2028 \udcff"
    assert {"host", "user", "program", "sha256", "project"} <= told.keys()
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_passes_by_itself_is_not(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    AuditLog(path).tell([record(decision=Decision.ALLOW)])
    assert not path.exists()


def test_a_full_file_is_renamed_and_only_some_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "MAX_BYTES", 1000)
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    for number in range(40):
        log.tell([record(decision=Decision.HOLD, reason=str(number))])
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == ["audit.jsonl", *(f"audit.jsonl.{number}" for number in range(1, audit.KEPT + 1))]
    assert all(each.stat().st_size <= 1000 for each in tmp_path.iterdir())
    newest = [
        int(told["reason"]) for number in ("", ".1") for told in lines(tmp_path / f"audit.jsonl{number}")
    ]
    assert max(newest) == 39


def test_a_file_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    AuditLog(tmp_path / "link").tell([record(decision=Decision.HOLD)])
    assert not (tmp_path / "elsewhere").exists()
    AuditLog(tmp_path).tell([record(decision=Decision.HOLD)])
    AuditLog(tmp_path / "link" / "x").tell([record(decision=Decision.HOLD)])


WRITER = """
import sys
from pathlib import Path
import store_records as r
from veln_hook.model import Decision
from veln_hook.store import audit
audit.MAX_BYTES = 20_000
audit.KEPT = 1000
log = audit.AuditLog(Path(sys.argv[1]))
for number in range(200):
    log.tell([r.record(decision=Decision.HOLD, reason=f"{sys.argv[2]}-{number}")])
"""


def test_many_processes_lose_and_break_no_line(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    running = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(name)], env=environment())
        for name in range(4)
    ]
    assert [each.wait(60) for each in running] == [0] * 4
    told = [each["reason"] for file in tmp_path.iterdir() for each in lines(file)]
    assert sorted(told) == sorted(f"{name}-{number}" for name in range(4) for number in range(200))


def test_syslog_is_told_through_its_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(place))
        listener.settimeout(10)
        monkeypatch.setattr(audit, "_SYSLOG", str(place))
        log = AuditLog(tmp_path / "audit.jsonl", syslog=True)
        log.tell([record(decision=Decision.BLOCK, reason="evil")])
        data = listener.recv(1 << 16)
    head, _, text = data.decode().partition("veln-hook: ")
    assert head == "<36>"  # LOG_AUTH, warning
    assert json.loads(text)["reason"] == "evil"
    os.unlink(place)
    log.tell([record(decision=Decision.BLOCK)])  # nobody is there any more
    assert len(lines(tmp_path / "audit.jsonl")) == 2


def test_without_syslog_it_is_the_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_SYSLOG", str(tmp_path / "none"))
    AuditLog(tmp_path / "audit.jsonl", syslog=True).tell([record(decision=Decision.HOLD)])
    assert len(lines(tmp_path / "audit.jsonl")) == 1


@pytest.mark.parametrize("writable", [True, False])
def test_a_store_tells_it_what_it_records(tmp_path: Path, writable: bool) -> None:
    file = tmp_path / "audit.jsonl"
    place = tmp_path / "store.sqlite3" if writable else tmp_path / "file" / "store.sqlite3"
    (tmp_path / "file").write_text("in the way")
    store = open_store(path=place, audit=AuditPolicy(file=str(file)))
    assert store.info().persistent is writable
    store.record([record(decision=Decision.HOLD, reason="young")])
    store.close()
    assert [each["reason"] for each in lines(file)] == ["young"]


def test_following_prints_lines_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.jsonl"
    monkeypatch.setattr(audit, "MAX_BYTES", 1000)
    log = AuditLog(path)
    log.tell([record(decision=Decision.HOLD, reason="before")])
    code = "import sys; from pathlib import Path; from veln_hook.cli.following import follow; follow(Path(sys.argv[1]), lambda l: print(l, flush=True))"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], env=environment(), stdout=subprocess.PIPE, text=True
    ) as follower:
        assert follower.stdout is not None
        time.sleep(0.8)
        for number in range(8):
            log.tell([record(decision=Decision.HOLD, reason=str(number))])
            time.sleep(0.3)
        told = [json.loads(follower.stdout.readline())["reason"] for _ in range(8)]
        follower.terminate()
    assert told == [str(number) for number in range(8)]
    assert (tmp_path / "audit.jsonl.1").exists()
