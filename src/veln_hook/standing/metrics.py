"""Figures of a standing gate, in the text format of Prometheus.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/ (version 0.0.4). Workers count by
series, and series of several workers are added. All labels come from small fixed sets, so that nothing that
a client or an index says makes a new series.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "veln_hook_gate_"
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper ends of the histogram's buckets, in seconds: from a page that passes to an archive that is read."""


class Metric(NamedTuple):
    """One kind of figure."""

    kind: str
    """``counter``, ``gauge`` or ``histogram``."""
    help: str


METRICS = {
    "requests_total": Metric("counter", "Requests of clients, by what was asked for and what came of it."),
    "request_seconds": Metric("histogram", "Time until a request was answered, judging included."),
    "response_bytes_total": Metric("counter", "Bytes sent to clients, before TLS."),
    "verdicts_total": Metric("counter", "Verdicts that counted, by stage and decision."),
    "upstream_errors_total": Metric("counter", "Requests that failed since an index didn't answer well."),
    "faults_total": Metric("counter", "Errors that should not happen; each refused a request."),
    "turned_away_total": Metric("counter", "Connections closed since their client had too many."),
    "connections": Metric("gauge", "Open connections of clients."),
    "requests_running": Metric("gauge", "Requests that are being answered."),
    "spool_bytes": Metric("gauge", "Bytes of files that are kept on their way."),
    "scans_running": Metric("gauge", "Archives that are being judged, or wait for it."),
    "retiring_policies": Metric("gauge", "Policies that are no longer in force, and still have requests."),
    "resident_bytes": Metric("gauge", "Resident memory of each worker."),
    "workers": Metric("gauge", "Workers that answer."),
    "worker_restarts_total": Metric("counter", "Workers that ended by themselves and were started again."),
    "policy_reloads_total": Metric("counter", "Reloads of the policy, by whether it was taken."),
}
"""By name without the prefix."""


class Figures:
    """Counts by series, such as ``requests_total{kind="page"}``. To be used in one thread."""

    def __init__(self) -> None:
        self._series: dict[str, float] = {}

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter, or set nothing but a difference of a gauge."""
        key = series(name, labels)
        self._series[key] = self._series.get(key, 0) + amount

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Note a time in a histogram."""
        for end in SECONDS:
            self.add(f"{name}_bucket", float(seconds <= end), **labels, le=f"{end:g}")
        self.add(f"{name}_bucket", 1, **labels, le="+Inf")
        self.add(f"{name}_sum", seconds, **labels)
        self.add(f"{name}_count", 1, **labels)

    def merge(self, other: Mapping[str, float]) -> None:
        """Add the figures of another."""
        for key, value in other.items():
            self._series[key] = self._series.get(key, 0) + value

    def plain(self) -> dict[str, float]:
        """Return the figures by series."""
        return dict(self._series)


def series(name: str, labels: Mapping[str, str]) -> str:
    """Return the name of a series."""
    told = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels.items())
    return f"{name}{{{told}}}" if told else name


def text(figures: Mapping[str, float]) -> bytes:
    """Return figures in the text format; what is no metric of this module is left out."""
    lines: list[str] = []
    for name, metric in METRICS.items():
        found = [key for key in figures if _base(key, metric.kind) == name]
        lines += [
            f"# HELP {PREFIX}{name} {metric.help}",
            f"# TYPE {PREFIX}{name} {metric.kind}",
            *(f"{PREFIX}{key} {_number(figures[key])}" for key in found),
        ]
        if not found and metric.kind != "histogram" and name not in _LABELLED:
            lines.append(f"{PREFIX}{name} 0")
    return ("\n".join(lines) + "\n").encode()


_LABELLED = frozenset(("requests_total", "verdicts_total", "policy_reloads_total", "resident_bytes"))


def sums(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the figures of several, added."""
    total = Figures()
    for part in parts:
        total.merge(part)
    return total.plain()


def _base(key: str, kind: str) -> str:
    name = key.partition("{")[0]
    if kind == "histogram":
        for ending in ("_bucket", "_sum", "_count"):
            if name.endswith(ending):
                return name[: -len(ending)]
    return name


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
