"""A standing gate as a process, watched while it is under load."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gate_clients

if TYPE_CHECKING:
    from collections.abc import Mapping


class Gate:
    """A standing gate; a context manager.

    Attributes:
        peaks: The most resident memory that each worker ever had, in bytes, as the kernel knows it.
        readers: The most that all readers of code had together, as far as it was seen.
    """

    def __init__(
        self, python: str, environ: Mapping[str, str], work: Path, workers: int, *indexes: str
    ) -> None:
        self._environ, self._log = dict(environ), work / "gate.log"
        password = work / "password"
        password.write_text("load\n")
        password.chmod(0o600)
        words = ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--workers", str(workers)]
        words += ["--password-file", str(password)]
        for index in indexes:
            words += ["--index", index]
        self._command = [python, "-m", "veln_hook", "--json", "gate", *words]
        self.peaks: dict[int, float] = {}
        self.readers = 0.0
        self.most: Counter[str] = Counter()

    def __enter__(self) -> Gate:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environ, stdout=subprocess.DEVNULL, stderr=log
            )
        until = time.monotonic() + 60
        while not (listening := [event for event in self.events() if event["event"] == "listening"]):
            if self._process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"the gate doesn't start:\n{self._log.read_text()}")
            time.sleep(0.1)
        port = int(listening[0]["address"].rpartition(":")[2])
        self.way_in = gate_clients.Gate(port, "load", listening[0]["certificate"])
        self._status = f"http://{listening[0]['metrics']}"
        self._ended = threading.Event()
        self._watching = threading.Thread(target=self._watch)
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watching.join()
        self._process.terminate()
        self._process.wait()

    def events(self) -> list[dict[str, Any]]:
        """Return what the gate has told."""
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]

    def figures(self) -> dict[str, float]:
        """Return the gate's own figures."""
        with urllib.request.urlopen(f"{self._status}/metrics", timeout=60) as response:
            text = response.read().decode()
        lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
        return {name.removeprefix("veln_hook_gate_"): float(value) for name, _, value in lines}

    def healthy(self) -> bool:
        """Tell whether the gate says that it is well."""
        with urllib.request.urlopen(f"{self._status}/healthz", timeout=60) as response:
            return response.status == 200  # noqa: PLR2004

    def cpu(self) -> float:
        """Return the CPU time of the workers so far, in seconds."""
        ticks = 0
        for pid in self._workers():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += sum(map(int, fields[11:15]))  # with the children that it waited for
        return ticks / os.sysconf("SC_CLK_TCK")

    def _workers(self) -> list[int]:
        return [event["pid"] for event in self.events() if event["event"] == "worker-started"]

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            readers = 0.0
            for pid in self._workers():
                self.peaks[pid] = max(self.peaks.get(pid, 0), _memory(pid, "VmHWM"))
                with contextlib.suppress(OSError):
                    for task in Path(f"/proc/{pid}/task").iterdir():
                        children = (task / "children").read_text().split()
                        readers += sum(_memory(int(child), "VmRSS") for child in children)
            self.readers = max(self.readers, readers)
            with contextlib.suppress(OSError):
                figures = self.figures()
                for name in ("connections", "requests_running", "scans_running", "spool_bytes"):
                    self.most[name] = max(self.most[name], int(figures.get(name, 0)))


def _memory(pid: int, which: str) -> float:
    with contextlib.suppress(OSError):
        found = re.search(rf"{which}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) * 1024.0 if found else 0.0
    return 0.0
