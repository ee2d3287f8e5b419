"""What a shared store costs a run, what a server bears, and how it grows.

Starts a PostgreSQL of its own (``initdb`` must be installed), fills it as a
fleet would in a year, and lets many machines live the short life of an install
in it: open the store, ask about each project, tell which files were wanted and
what was held, close. Client and server share this machine's processors, so a
server of its own does better.

    python benchmarks/fleet.py [--machines 2000]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from support.postgres import Cluster  # noqa: E402
from veln_hook.model import Confidence, Decision, Finding, Observation, Severity, VerdictRecord  # noqa: E402
from veln_hook.policy.settings import SharingPolicy  # noqa: E402
from veln_hook.store import codec  # noqa: E402
from veln_hook.store.postgres import SharedStore  # noqa: E402
from veln_hook.store.postgres_copy import LocalCopy  # noqa: E402
from veln_hook.store.postgres_line import Budget  # noqa: E402
from veln_hook.store.postgres_server import Administration, Outgoing, Server  # noqa: E402
from veln_hook.store.sqlite import SqliteStore  # noqa: E402

if TYPE_CHECKING:
    from veln_hook.store import Store

PROJECTS, FILES, VOTES = 1_000, 30, 20
"""What the server knows beforehand: files of each project, and machines that saw each."""
LOGGED = 20_000
PER_RUN = 21
"""Projects of one install: what ``pip install requests flask rich pydantic`` looks at."""
HELD = 0.3
"""How many records that matter a run leaves on average."""
PROCESSES = 4
INDEX = "https://pypi.org/simple/"

# A year of ten thousand machines, for the last table.
FLEET = 10_000
NEW_FILES = 150_000
"""Distribution files that any machine of the fleet wants for the first time, in a year."""
KEPT = 100
"""Machines kept of each, at most."""
RECORDS = 1.0
"""Records that matter, per machine and day."""
LOG_DAYS, UNSEEN_DAYS = 365, 400


def filename(project: int, number: int) -> str:
    return f"project-{project:04d}-1.{number}.0-py3-none-any.whl"


def fill(cluster: Cluster, database: str) -> None:
    """Make the server know what a fleet knows."""
    cluster.sql(
        f"INSERT INTO veln_hook.machine (name) SELECT md5(n::text) FROM generate_series(1, {FLEET}) n",
        f"""INSERT INTO veln_hook.file (first_seen, last_seen, first_machine, project, filename, sha256,
            index_url, version) SELECT 1, veln_hook.micros(), 1, 'project-' || lpad(p::text, 4, '0'),
            'project-' || lpad(p::text, 4, '0') || '-1.' || f || '.0-py3-none-any.whl',
            encode(sha256((p || '-' || f)::bytea), 'hex'), '{INDEX}', '1.' || f || '.0'
            FROM generate_series(0, {PROJECTS - 1}) p, generate_series(0, {FILES - 1}) f""",
        f"""INSERT INTO veln_hook.sighting (file, machine, first_seen)
            SELECT id, (id * 31 + n * 197) % {FLEET} + 1, veln_hook.micros()
            FROM veln_hook.file, generate_series(1, {VOTES}) n ON CONFLICT DO NOTHING""",
        f"""DO $$ BEGIN FOR n IN 1 .. {LOGGED} LOOP PERFORM veln_hook.append_row(md5(n::text)::uuid, n,
            'hold', 'candidate', 'project-0001', '1.2.0', 'project-0001-1.2.0-py3-none-any.whl',
            repeat('a', 64), '{INDEX}', '{message()}', n, NULL, '', '{findings()}', md5(n::text));
            END LOOP; END $$""",
        "VACUUM ANALYZE",
        database=database,
    )


def message() -> str:
    return "uploaded 12 minutes ago, cooling until 2026-11-29 16:00 UTC (in 1 h 48 min; policy: 2 h)"


def record(project: str, name: str, version: str, now: datetime) -> VerdictRecord:
    finding = Finding("cooling", Severity.HIGH, Confidence.HIGH, message(), opens_at=now)
    return VerdictRecord(
        at=now,
        decision=Decision.HOLD,
        stage="candidate",
        project=project,
        version=version,
        filename=name,
        sha256="a" * 64,
        index=INDEX,
        reason=message(),
        opens_at=now,
        findings=(finding,),
    )


def findings() -> str:
    return codec.findings_to_json(record("", "", "", datetime.now(timezone.utc)).findings)


def run(url: str, directory: Path, seed: int, votes: int) -> dict[str, float]:
    """Live one install's life as a machine, with its own file alone if there is no URL; return seconds."""
    chance = random.Random(seed)
    now = datetime.now(timezone.utc)
    local = SqliteStore(directory / f"{seed}" / "store.sqlite3")
    began = time.perf_counter()
    store: Store = local
    if url:
        # A minute: here the server's work is measured; what a run gives up after is the policy's matter.
        sharing = SharingPolicy(timedelta(minutes=1))
        copy = LocalCopy(directory / f"{seed}" / "shared.sqlite3")
        store = SharedStore(local, copy, url, sharing, votes=votes)
    machine = store.machine_id()
    connected = time.perf_counter()
    asked = 0.0
    wrote = 0.0
    for _ in range(PER_RUN):
        number = min(int(chance.paretovariate(0.6)) - 1, PROJECTS - 1)  # some are in every install
        project, version = f"project-{number:04d}", chance.randrange(FILES + 2)
        start = time.perf_counter()
        store.observations(project)
        store.observations(project)
        store.approvals(project)
        asked += time.perf_counter() - start
        start = time.perf_counter()
        name = filename(number, version)
        sha256 = hashlib.sha256(f"{number}-{version}".encode()).hexdigest()
        store.observe([Observation(project, f"1.{version}.0", name, sha256, INDEX, now, machine)])
        if chance.random() < HELD / PER_RUN:
            store.record([record(project, name, f"1.{version}.0", now)])
        wrote += time.perf_counter() - start
    start = time.perf_counter()
    store.close()
    closed = time.perf_counter() - start
    connect = connected - began
    return {"connect": connect, "ask": asked, "close": closed, "all": connect + asked + wrote + closed}


def work(args: tuple[str, str, list[tuple[int, float]], int, int]) -> list[tuple[dict[str, float], str]]:
    """Live many machines' lives in one process: each at its moment, so many at once."""
    url, directory, lives, threads, votes = args
    found: list[tuple[dict[str, float], str]] = []
    waiting = iter(lives)
    lock = threading.Lock()

    def one() -> None:
        while True:
            with lock:
                life = next(waiting, None)
            if life is None:
                return
            seed, at = life
            time.sleep(max(0.0, at - time.time()))
            try:
                answer = (run(url, Path(directory), seed, votes), "")
            except Exception as error:  # noqa: BLE001 - counted and told
                answer = ({}, f"{type(error).__name__}: {error}")
            with lock:
                found.append(answer)

    running = [threading.Thread(target=one) for _ in range(threads)]
    for each in running:
        each.start()
    for each in running:
        each.join()
    return found


def fleet(url: str, machines: int, *, over: float, at_once: int, votes: int, first: int) -> dict[str, Any]:
    """Let machines run, their beginnings spread over so many seconds, or all at once."""
    chance = random.Random(first)
    start = time.time() + 1.5
    moments = sorted(start + chance.random() * over for _ in range(machines))
    lives = list(enumerate(moments, first))
    with (
        tempfile.TemporaryDirectory() as directory,
        multiprocessing.get_context("spawn").Pool(PROCESSES) as pool,
    ):
        shares = [
            (url, directory, lives[number::PROCESSES], at_once // PROCESSES, votes)
            for number in range(PROCESSES)
        ]
        answers = [each for share in pool.map(work, shares) for each in share]
        took = time.time() - start
    good = [figures for figures, error in answers if not error]
    errors = [error for _, error in answers if error]
    return {
        "machines": machines,
        "seconds": took,
        "runs_a_second": machines / took,
        "errors": len(errors),
        "first_error": errors[0] if errors else "",
        "ms": {
            part: {f"p{share}": percentile([each[part] for each in good], share) * 1000 for share in (50, 99)}
            for part in (good[0] if good else {})
        },
    }


def server_seconds(cluster: Cluster) -> float:
    """Return the processor time of the server's processes that have ended: each connection is one."""
    fields = Path(f"/proc/{cluster.postmaster}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def one_after_the_other(url: str, votes: int = 1) -> dict[str, dict[str, float]]:
    """Return the milliseconds of runs with nobody else about, at the middle and near the end."""
    with tempfile.TemporaryDirectory() as directory:
        found = [run(url, Path(directory), 10**6 * votes + number, votes) for number in range(60)]
    return {
        part: {f"p{share}": percentile([each[part] for each in found], share) * 1000 for share in (50, 99)}
        for part in found[0]
    }


def percentile(values: list[float], share: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]


def rows(cluster: Cluster, database: str) -> dict[str, tuple[int, int]]:
    """Return rows and bytes of each table, its indexes included."""
    return {
        table: cluster.sql(
            f"SELECT count(*), pg_total_relation_size('veln_hook.{table}') FROM veln_hook.{table}",
            database=database,
        )[0]
        for table in ("file", "sighting", "verdict_log", "machine", "approval")
    }


def loading() -> float:
    """Return the milliseconds that a process pays to load what speaks with PostgreSQL."""
    code = """
import time
import veln_hook.store.opening, veln_hook.store.audit
began = time.perf_counter()
import veln_hook.store.postgres
print(time.perf_counter() - began)
"""
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                             env={"PYTHONPATH": str(ROOT / "src")}).stdout)
        for _ in range(9)
    ]  # fmt: skip
    return statistics.median(times) * 1000


def growth(sizes: dict[str, float]) -> dict[str, float]:
    """Return gigabytes after a year of the fleet, and what retention keeps it at."""
    giga = 1e9
    files = NEW_FILES * sizes["file"] / giga
    sightings = NEW_FILES * KEPT * sizes["sighting"] / giga
    unbounded = NEW_FILES * FLEET * sizes["sighting"] / giga
    log = FLEET * RECORDS * 365 * sizes["verdict_log"] / giga
    return {
        "files, a year": files,
        f"sightings, a year, of {KEPT} machines a file": sightings,
        "sightings, a year, of every machine (not kept)": unbounded,
        "log, a year": log,
        "flat at": (files + sightings) * UNSEEN_DAYS / 365 + log * LOG_DAYS / 365,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--machines", type=int, default=2_000)
    parser.add_argument(
        "--over", type=float, default=70.0, help="seconds over which runs begin, in the second part"
    )
    args = parser.parse_args()
    cluster = Cluster("max_connections = 200", "shared_buffers = 256MB", durable=True)
    try:
        database = cluster.make_database()
        administration = Administration(cluster.url(database))
        administration.init()
        administration.close()
        url = cluster.url(database, cluster.make_login("veln_hook_machine"), tcp=True)
        began = time.time()
        fill(cluster, database)
        filled = time.time() - began
        before = rows(cluster, database)
        alone, unshared = one_after_the_other(url), one_after_the_other("")
        alone_votes = one_after_the_other(url, votes=10)
        used = server_seconds(cluster)
        spread = fleet(url, args.machines, over=args.over, at_once=160, votes=1, first=1)
        spread["server_cpu_ms_a_run"] = (server_seconds(cluster) - used) / args.machines * 1000
        used = server_seconds(cluster)
        rush = fleet(url, args.machines, over=0, at_once=64, votes=1, first=10**5)
        rush["server_cpu_ms_a_run"] = (server_seconds(cluster) - used) / args.machines * 1000
        after = rows(cluster, database)
        sizes = {table: size / max(1, count) for table, (count, size) in after.items()}
        written = sum(after[table][0] - before[table][0] for table in ("file", "sighting", "verdict_log"))
        result = {
            "loading_ms": loading(),
            "filled_seconds": filled,
            "rows": {table: count for table, (count, _) in after.items()},
            "bytes_a_row": sizes,
            "alone_ms": alone,
            "alone_ten_votes_ms": alone_votes,
            "unshared_ms": unshared,
            "spread": spread,
            "rush": rush,
            "rows_written": written,
            "growth_gb": growth(sizes),
            "log_chain": chain(cluster, database),
        }
    finally:
        cluster.close()
    print(json.dumps(result, indent=1))


def chain(cluster: Cluster, database: str) -> dict[str, Any]:
    """Verify the log that everybody wrote at once, and measure what one writer gets."""
    server = Server(cluster.url(database), Budget(60), machine="bench")
    now = datetime.now(timezone.utc)
    began = time.time()
    for _ in range(50):
        server.append([Outgoing(str(uuid.uuid4()), record("p", "f", "1", now)) for _ in range(100)])
    appended = 5_000 / (time.time() - began)
    began = time.time()
    report = server.verify_log()
    took = time.time() - began
    server.close()
    return {
        "rows": report.rows,
        "problem": report.problem,
        "verified_rows_a_second": report.rows / took,
        "appended_rows_a_second_in_hundreds": appended,
    }


if __name__ == "__main__":
    main()
