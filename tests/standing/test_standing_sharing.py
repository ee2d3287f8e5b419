"""A page that many ask for at once is fetched once, and each gets what is his."""

from __future__ import annotations

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from standing_world import JSON

from support.gated import releases
from support.tls_index import Fault
from support.waiting import until

WHEEL_1, WHEEL_2 = "demo-1.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl"


def asked(index, project="demo"):
    return sum(request.path.endswith(f"/simple/{project}/") for request in index.requests)


def crowd(gate, url, count, **headers):
    """Ask with so many clients at once, each from an address of its own; return statuses and bodies."""

    def one(number):
        with gate.client(source=f"127.0.1.{number + 1}") as client:
            status, _, body = client.get(url, **headers)
            return status, body

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_a_crowd_asks_an_index_once(make_gate, demo):
    gate = make_gate(demo, workers=1)
    demo.faults["/simple/demo/"] = Fault(drip=0.05)  # slow enough that all of them come meanwhile
    answers = crowd(gate, f"{demo.url}demo/", 30, accept=JSON)
    assert {status for status, _ in answers} == {200}
    assert len({body for _, body in answers}) == 1
    assert [file["filename"] for file in json.loads(answers[0][1])["files"]] == [WHEEL_1]
    assert asked(demo) <= 3
    # Each of them was told of, and counted.
    assert {line["client"] for line in gate.wait_for("hold", 30, asked="page")} == {
        f"127.0.1.{number + 1}" for number in range(30)
    }
    assert gate.figures()['verdicts_total{stage="candidate",decision="hold"}'] == 30


def test_what_is_fetched_once_is_soon_fetched_again(make_gate, demo, tmp_path):
    gate = make_gate(demo, workers=1)
    assert gate.page(demo) == [WHEEL_1]
    demo.remove(WHEEL_1)
    releases(demo, tmp_path, "other")
    assert until(lambda: gate.page(demo) == [])
    assert asked(demo) >= 2


def test_credentials_are_nobody_else_s(make_gate, make_index, tmp_path):
    index = releases(make_index(auth=("user", "secret")), tmp_path)
    gate = make_gate(index.url, workers=1)
    url = f"{index.url}demo/"
    right = {"accept": JSON, "authorization": "Basic dXNlcjpzZWNyZXQ="}
    for _ in range(3):
        assert gate.get(url, **right)[0] == 200
        assert gate.get(url, accept=JSON)[0] == 401
        assert gate.get(url, accept=JSON, authorization="Basic dXNlcjp3cm9uZw==")[0] == 401
        assert gate.get(url, accept=JSON, cookie="a=b")[0] == 401
    assert "secret" not in "".join(gate.lines)


def test_other_questions_get_other_answers(make_gate, demo):
    gate = make_gate(demo, workers=1)
    html = gate.get(f"{demo.url}demo/", accept="text/html")[2]
    assert json.loads(gate.get(f"{demo.url}demo/", accept=JSON)[2])
    assert html.lstrip().startswith(b"<")
    status, headers, body = gate.get(f"{demo.url}demo/", "HEAD", accept=JSON)
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0


def test_a_long_page_is_kept_on_disk_and_comes_whole(make_gate, demo):
    demo.history["demo"] = 9000
    gate = make_gate(demo, workers=1)
    before = sum(value for key, value in gate.figures().items() if key.startswith("resident_bytes"))
    answers = crowd(gate, f"{demo.url}demo/", 60, accept=JSON)
    assert len({body for _, body in answers}) == 1
    page = json.loads(answers[0][1])
    assert len(page["files"]) == 9001
    assert WHEEL_2 not in {file["filename"] for file in page["files"]}
    after = sum(value for key, value in gate.figures().items() if key.startswith("resident_bytes"))
    assert after - before < 150e6  # sixty times three megabytes, several times over, would be more


@pytest.mark.parametrize("fault", [Fault(reset_after=10), Fault(promised=5), Fault(body=b"<html>")])
def test_a_failure_is_shared_and_not_kept(make_gate, demo, fault):
    gate = make_gate(demo, workers=1)
    demo.faults["/simple/demo/"] = fault
    answers = Counter(status for status, _ in crowd(gate, f"{demo.url}demo/", 20, accept=JSON))
    assert set(answers) <= {451, 502}
    demo.faults.clear()
    assert gate.page(demo) == [WHEEL_1]


def test_the_first_of_a_crowd_can_vanish(make_gate, demo):
    gate = make_gate(demo, workers=1)
    demo.faults["/simple/demo/"] = Fault(drip=0.05)
    url = f"{demo.url}demo/"
    first = gate.client()
    first.open(url).request("GET", "/simple/demo/", headers={"accept": JSON})
    until(lambda: asked(demo) == 1)
    got = []
    others = [threading.Thread(target=lambda: got.append(gate.get(url, accept=JSON)[0])) for _ in range(10)]
    for other in others:
        other.start()
    first.connection.sock.close()
    first.connection.close()
    for other in others:
        other.join()
    assert got == [200] * 10
