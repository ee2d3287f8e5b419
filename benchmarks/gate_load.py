"""Load and hostility for a standing gate: what it serves a second, how long that takes, and whether it errs.

    python benchmarks/gate_load.py --uv PATH

nginx serves a copy of real projects (`mirror`), and a second index stalls, resets, lies and has malware
(`gate_hostile`). 200 installs begin at once (`gate_clients`), some of them by real uvs, while further clients
read by drops, write by drops, vanish, and ask the second index. The gate knows no file at the beginning.

What has to come is known beforehand: which files are old enough stands on the pages, and what each archive's
code is judged at is found by a guard that has nothing to do with the gate. A verdict that differs, or a file
that the gate's own log has no verdict about, is an error, and then the exit status is 1.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gate_clients
import measuring
import mirror
from gate_hostile import HostileIndex
from gate_process import Gate
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAMES = ("requests", "rich", "httpx", "fastapi", "sqlalchemy", "pytest")
MOST_MEMORY = 400e6
"""Bytes of resident memory that no worker may ever have."""
_MARGIN = timedelta(hours=2)
_JUDGE = """
import json, sys
from veln_hook.archive import describe_archive
from veln_hook.guard import Guard
from veln_hook.model import Origin
from veln_hook.policy.loading import load_policy
from veln_hook.store.sqlite import SqliteStore
guard = Guard(load_policy(environ={}), SqliteStore(":memory:"))
judged = {p: guard.check_archive(describe_archive(p, origin=Origin.FETCHED)).passes for p in sys.argv[1:]}
print(json.dumps(judged))
guard.close()
"""
_LOGGED = """
import json
from veln_hook.store import open_store
store = open_store()
found = [[r.sha256, r.decision.name] for r in store.log() if r.stage == "archive"]
print(json.dumps(found))
store.close()
"""


def main() -> int:
    """Measure and print; return 1 if anything was wrong."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="veln-hook-load-") as temporary, contextlib.ExitStack() as stack:
        work = Path(temporary)
        pins = mirror.resolve(options.uv, options.names, work)
        copy = mirror.Mirror(options.keep or work / "mirror", pins)
        copy.fill()
        environ = measuring.plain_environ(work / "home")
        python = _installed(options, work, environ)
        index = stack.enter_context(copy.served())
        hostile = stack.enter_context(HostileIndex((copy.root / "server.key", copy.root / "server.pem")))
        age = _write_policy(copy, work)
        packages = _packages(copy, index, age, _judged(python, copy, environ))
        environ["SSL_CERT_FILE"] = str(copy.authority)
        gate = stack.enter_context(Gate(python, environ, work, options.workers, index, hostile.url))
        result = _load(options, gate, packages, hostile, work)
        result["logged"] = _logged(python, environ)
    around = {**measuring.surroundings(sys.executable), "packages": len(packages), "workers": options.workers}
    return _report(options, around, result, packages)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Load and hostility for a standing gate.")
    parser.add_argument("--uv", default=shutil.which("uv"), help="uv to resolve and to install with")
    parser.add_argument("--installs", type=int, default=180, help="installs at once, by simulated clients")
    parser.add_argument("--uvs", type=int, default=20, help="installs at once, by real uvs")
    parser.add_argument("--connections", type=int, default=4, help="of each simulated install")
    parser.add_argument("--slow", type=int, default=20, help="clients that read, and that write, by drops")
    parser.add_argument("--vanishing", type=int, default=20, help="clients that vanish again and again")
    parser.add_argument("--hostile", type=int, default=20, help="clients that ask the hostile index")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="of the gate")
    parser.add_argument(
        "--python", help="an interpreter that has veln-hook with its extra, instead of a new one"
    )
    parser.add_argument("--keep", type=Path, help="where the copy of the packages is kept for the next time")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("names", nargs="*", default=NAMES)
    options = parser.parse_args()
    if options.uv is None:
        parser.error("uv isn't on PATH; name it with --uv")
    return options


def _installed(options: argparse.Namespace, work: Path, environ: dict[str, str]) -> str:
    if options.python:
        return options.python
    python = measuring.make_venv(sys.executable, work / "venv", environ, with_pip=True)
    measuring.run([python, "-m", "pip", "install", "--quiet", f"{measuring.CHECKOUT}[gate]"], environ)
    return python


# -- what has to come --------------------------------------------------------------------------------------


def _pages(copy: mirror.Mirror) -> dict[str, list[dict[str, Any]]]:
    pages = {}
    for pin in copy.pins:
        name = pin.partition("==")[0]
        path = copy.root / "pages" / "simple" / name / "original.json"
        pages[pin] = json.loads(path.read_bytes())["files"]
    return pages


def _uploaded(file: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(file["upload-time"].replace("Z", "+00:00"))


def _write_policy(copy: mirror.Mirror, work: Path) -> timedelta:
    """Write a policy by which a part of the releases is too young, and no file comes of age meanwhile."""
    now = datetime.now(timezone.utc)
    ages = sorted(now - _uploaded(file) for files in _pages(copy).values() for file in files)
    age = timedelta(days=7)
    while any(timedelta() <= age - each < 2 * _MARGIN for each in ages):
        age += _MARGIN
    age -= _MARGIN
    policy = work / "home" / ".config" / "veln-hook" / "policy.toml"
    policy.parent.mkdir(parents=True)
    policy.write_text(f'[cooling]\nmin_age = "{int(age.total_seconds() // 60)}m"\n')
    return age


def _release(filename: str) -> tuple[str, bool] | None:
    """Return the version that a file is of, and whether it is a wheel; ``None`` for what nobody installs."""
    with contextlib.suppress(InvalidWheelFilename, InvalidSdistFilename):
        if filename.endswith(".whl"):
            return str(parse_wheel_filename(filename)[1]), True
        return str(parse_sdist_filename(filename)[1]), False
    return None


def _packages(
    copy: mirror.Mirror, index: str, age: timedelta, judged: Mapping[str, bool]
) -> list[gate_clients.Package]:
    origin = index.removesuffix("simple/")
    youngest = datetime.now(timezone.utc) - age
    packages = []
    for pin, files in _pages(copy).items():
        name, _, version = pin.partition("==")
        young = {file["filename"] for file in files if _uploaded(file) > youngest}
        # The sdist of a held wheel's release is held along with it.
        releases = {_release(each) for each in young}
        left = [
            file
            for file in files
            if file["filename"] not in young
            and not (
                (found := _release(file["filename"])) is not None
                and not found[1]
                and (found[0], True) in releases
            )
        ]
        path, of = next(
            (path, file)
            for file in files
            for path in [file["url"].partition("https://files.pythonhosted.org/")[2]]
            if (copy.root / "files" / path).exists() and f"-{version}-" in file["filename"]
        )
        packages.append(
            gate_clients.Package(
                page=f"{index}{name}/",
                names=frozenset(file["filename"] for file in left),
                file=f"{origin}{path}",
                sha256=of["hashes"]["sha256"],
                passes=of["filename"] not in young and judged[str(copy.root / "files" / path)],
                maybe=frozenset()
                if judged[str(copy.root / "files" / path)]
                else frozenset(
                    file["filename"]
                    for file in files
                    if file is of or _release(file["filename"]) == (version, False)
                ),
            )
        )
    return packages


def _judged(python: str, copy: mirror.Mirror, environ: Mapping[str, str]) -> dict[str, bool]:
    """Judge every archive by its code, without a gate."""
    paths = [str(path) for path in (copy.root / "files").rglob("*.whl")]
    policy_free = {name: value for name, value in environ.items() if not name.startswith("VELN_HOOK")}
    told = subprocess.check_output([python, "-c", _JUDGE, *paths], env=policy_free, text=True)
    return json.loads(told)


def _logged(python: str, environ: Mapping[str, str]) -> dict[str, list[str]]:
    """Return what the gate's log has of archives, by sha256."""
    found: dict[str, list[str]] = {}
    for sha256, decision in json.loads(
        subprocess.check_output([python, "-c", _LOGGED], env=dict(environ), text=True)
    ):
        found.setdefault(sha256, []).append(decision)
    return found


# -- the load ----------------------------------------------------------------------------------------------


def _load(
    options: argparse.Namespace,
    gate: Gate,
    packages: Sequence[gate_clients.Package],
    hostile: HostileIndex,
    work: Path,
) -> dict[str, Any]:
    processes = 2
    share = [
        gate_clients.Load(
            gate=gate.way_in,
            seed=number,
            packages=tuple(packages),
            installs=options.installs // processes,
            connections=options.connections,
            slow=options.slow // processes,
            vanishing=options.vanishing // processes,
            hostile=options.hostile // processes,
            hostile_urls=hostile.urls(),
            hostile_allowed=hostile.allowed(),
        )
        for number in range(processes)
    ]
    began, cpu = time.perf_counter(), gate.cpu()
    with (
        ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as crowds,
        ThreadPoolExecutor(max(1, options.uvs)) as uvs,
    ):
        coming = [crowds.submit(gate_clients.run, each) for each in share]
        installing = [
            uvs.submit(_install, options.uv, gate, packages, work / f"uv-{number}")
            for number in range(options.uvs)
        ]
        by_uv = [each.result() for each in installing]
        tally = gate_clients.Tally()
        for each in coming:
            tally.add(each.result())
    seconds = time.perf_counter() - began
    tally.wrong += [line for lines in by_uv for line in lines]
    return {
        "seconds": seconds,
        "cpu": gate.cpu() - cpu,
        "tally": tally,
        "uvs": len(by_uv),
        "figures": gate.figures(),
        "healthy": gate.healthy(),
        "peaks": list(gate.peaks.values()),
        "readers": gate.readers,
        "most": dict(gate.most),
        "restarts": sum(event["event"] == "worker-ended" for event in gate.events()),
        "faults": [event for event in gate.events() if event["event"] == "fault"],
    }


def _install(uv: str, gate: Gate, packages: Sequence[gate_clients.Package], place: Path) -> list[str]:
    """Install what passes with a real uv; return what is wrong with the result."""
    wanted = {}
    for package in packages:
        if package.passes:
            filename = package.file.rpartition("/")[2]
            wanted[filename.split("-")[0].lower()] = filename.split("-")[1]
    index = packages[0].page.rstrip("/").rpartition("/")[0]
    proxy = f"http://uv:{gate.way_in.password}@127.0.0.1:{gate.way_in.port}"
    environ = {
        **measuring.plain_environ(place / "home"),
        "HTTPS_PROXY": proxy,
        "SSL_CERT_FILE": gate.way_in.certificate,
        "UV_CACHE_DIR": str(place / "cache"),
        "UV_HTTP_TIMEOUT": "600",
    }
    environ.pop("SSL_CERT_DIR", None)
    words = ["pip", "install", "--no-config", "--no-deps", "--index-url", index]
    words += ["--python", sys.executable, "--target", str(place / "target")]
    words += [f"{name}=={version}" for name, version in wanted.items()]
    done = subprocess.run([uv, *words], env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        return [f"uv ended with {done.returncode}: {done.stderr[-500:]}"]
    found = {
        info.name.removesuffix(".dist-info").split("-")[0].lower(): info.name.removesuffix(
            ".dist-info"
        ).split("-")[1]
        for info in (place / "target").glob("*.dist-info")
    }
    shutil.rmtree(place, ignore_errors=True)
    return [] if found == wanted else [f"uv installed {found} instead of {wanted}"]


# -- the report --------------------------------------------------------------------------------------------


def _report(
    options: argparse.Namespace,
    around: Mapping[str, Any],
    result: Mapping[str, Any],
    packages: Sequence[gate_clients.Package],
) -> int:
    tally: gate_clients.Tally = result["tally"]
    unjudged = [
        sha256 for sha256 in tally.delivered if not set(result["logged"].get(sha256, ())) & {"ALLOW", "WARN"}
    ]
    requests = sum(map(len, tally.seconds.values()))
    rows = [("requests", "count", "p50, ms", "p95, ms", "p99, ms")]
    for kind, values in sorted(tally.seconds.items()):
        shown = [f"{_percentile(values, share) * 1000:.0f}" for share in (0.5, 0.95, 0.99)]
        rows.append((kind, str(len(values)), *shown))
    answered = sum(value for name, value in result["figures"].items() if name.startswith("requests_total"))
    figures = {
        "installs": tally.installs + result["uvs"],
        "seconds": round(result["seconds"], 1),
        "requests_per_second": round(requests / result["seconds"], 1),
        "answered_per_second": round(answered / result["seconds"], 1),
        "gate_cpu_seconds": round(result["cpu"], 1),
        "megabytes_received": round(tally.bytes / 1e6),
        "peak_worker_megabytes": round(max(result["peaks"], default=0) / 1e6),
        "peak_readers_megabytes": round(result["readers"] / 1e6),
        **{f"most_{name}": value for name, value in result["most"].items()},
        "held": sum(not package.passes for package in packages),
        "wrong_verdicts": len(tally.wrong),
        "unjudged_files": len(unjudged),
        "failed_requests": sum(tally.failed.values()),
        "restarts": result["restarts"],
        "faults": len(result["faults"]),
    }
    broken = bool(
        tally.wrong
        or unjudged
        or result["faults"]
        or result["restarts"]
        or not result["healthy"]
        or max(result["peaks"], default=0) > MOST_MEMORY
    )
    if options.json:
        latencies = [dict(zip(rows[0], row)) for row in rows[1:]]
        print(measuring.report("gate_load", around, [figures, *latencies]))
    else:
        print(f"{measuring.describe(around)}, {around['workers']} workers, {around['packages']} packages\n")
        print(measuring.table(rows))
        print()
        print(
            measuring.table([("figure", "value"), *((name, str(value)) for name, value in figures.items())])
        )
        for line, count in Counter(tally.wrong).most_common(10):
            print(f"wrong: {line} ({count})")
        for line, count in tally.failed.most_common(10):
            print(f"failed: {line} ({count})")
        for event in result["faults"][:5]:
            print(f"fault: {event}")
    return 1 if broken else 0


def _percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]


if __name__ == "__main__":
    raise SystemExit(main())
