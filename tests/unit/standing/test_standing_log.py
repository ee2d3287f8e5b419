"""Lines of the gate's log."""

from __future__ import annotations

import json

from veln_hook.standing import log as log_module
from veln_hook.standing.log import Log


def written(**options):
    lines: list[bytes] = []
    return Log(write=lines.append, **options), lines


def test_json_is_one_object_a_line():
    log, lines = written(as_json=True, worker=3)
    log.write("hold", client="10.0.0.7", project="demo", count=2, nothing=None)
    (line,) = lines
    told = json.loads(line)
    assert line.endswith(b"\n")
    assert told.pop("at").endswith("+00:00")
    assert told == {"event": "hold", "client": "10.0.0.7", "project": "demo", "count": 2, "worker": 3}


def test_a_line_for_people():
    log, lines = written()
    log.write("hold", client="10.0.0.7", reason='uploaded 12 min ago "now"', empty="")
    assert lines == [
        b'veln-hook gate: hold client=10.0.0.7 reason="uploaded 12 min ago \\"now\\"" empty=""\n'
    ]


def test_what_comes_from_outside_stays_on_its_line():
    for as_json in (False, True):
        log, lines = written(as_json=as_json)
        log.write("refused", reason="a\nveln-hook gate: listening\x1b[2J\u2028", client="x" * 10_000)
        (line,) = lines
        assert line.count(b"\n") == 1
        assert b"\x1b" not in line
        assert "\u2028" not in line.decode()
        assert len(line) < 2000


def test_tokens_in_urls_stay_out_of_it():
    for as_json in (False, True):
        log, lines = written(as_json=as_json)
        log.write(
            "refused",
            reason="https://x.example/simple/demo/?token=secret: it is no page",
            url="http://y/?a=secret",
        )
        assert b"secret" not in lines[0]
        assert b"it is no page" in lines[0]


def test_a_flood_is_counted_and_not_written(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(log_module.time, "monotonic", lambda: now[0])
    log, lines = written(as_json=True)
    for _ in range(5000):
        log.write("refused")
    assert len(lines) == 1000
    now[0] += 1
    log.write("hold")
    told = [json.loads(line) for line in lines[1000:]]
    assert [line["event"] for line in told] == ["left-out", "hold"]
    assert told[0]["lines"] == 4000
