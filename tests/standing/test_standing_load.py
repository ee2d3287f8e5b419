"""The load test of the benchmarks with smaller numbers, on an index of our own: no verdict may be wrong."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta

import pytest
from standing_world import PASSWORD

from support.builders import make_wheel
from support.cache import ROOT
from support.held import EVIL, OLD, YOUNG

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.version_info < (3, 11), reason="the clients need Python 3.11"),
]

PROJECTS = 12
_LOGGED = """
import json
from veln_hook.store import open_store
store = open_store()
print(json.dumps([r.sha256 for r in store.log() if r.stage == "archive" and r.decision.name in ("ALLOW", "WARN")]))
store.close()
"""


@pytest.fixture
def load_modules(monkeypatch):
    """The benchmark's clients and its hostile index."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gate_clients
    import gate_hostile

    return gate_clients, gate_hostile


def _packages(index, tmp_path, clients):
    """Fill an index with old, young and evil releases; return what has to come of each."""
    packages = []
    for number in range(PROJECTS):
        name = f"load{number}"
        evil, young = number % 4 == 1, number % 4 == 2
        files = EVIL if evil else {f"{name}.py": f"NUMBER = {number}\n" * 20_000}
        for minor in range(5):
            index.add(make_wheel(tmp_path, name, f"0.{minor}"), upload_time=timedelta(days=400))
        wanted = index.add(make_wheel(tmp_path, name, "1.0", files), upload_time=YOUNG if young else OLD)
        names = {each.filename for each in index.files.values() if each.project == name}
        packages.append(
            clients.Package(
                page=f"{index.url}{name}/",
                names=frozenset(names - {wanted.filename} if young else names),
                file=wanted.url,
                sha256=hashlib.sha256(wanted.content).hexdigest(),
                passes=not evil and not young,
                metadata=False,
                maybe=frozenset([wanted.filename] if evil else []),
            )
        )
    return tuple(packages)


def test_no_verdict_is_wrong_and_no_file_unjudged(load_modules, make_gate, index, authority, tmp_path):
    clients, hostile_module = load_modules
    chain = authority.chain("localhost", "127.0.0.1")
    packages = _packages(index, tmp_path, clients)
    with hostile_module.HostileIndex((chain, chain)) as hostile:
        gate = make_gate(index, hostile.url)
        load = clients.Load(
            gate=clients.Gate(gate.port, PASSWORD, str(gate.certificate)),
            seed=1,
            packages=packages,
            installs=25,
            connections=3,
            slow=5,
            vanishing=5,
            hostile=5,
            hostile_urls=hostile.urls(),
            hostile_allowed=hostile.allowed(),
        )
        # In a process of their own: what vanishes there leaves things open, on purpose.
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as crowd:
            tally = crowd.submit(clients.run, load).result()
        figures = gate.figures()
        assert gate.ask_status("/healthz")[0] == 200
    assert tally.wrong == []
    assert not tally.failed
    assert tally.installs == 25
    assert {package.sha256 for package in packages if package.passes} <= tally.delivered
    told = subprocess.check_output([sys.executable, "-c", _LOGGED], env=gate.environ, text=True)
    assert tally.delivered <= set(json.loads(told))
    assert figures["faults_total"] == figures["worker_restarts_total"] == 0
    assert max(value for key, value in figures.items() if key.startswith("resident_bytes")) < 400e6
