"""The text format, and what is added up in it."""

from __future__ import annotations

from veln_hook.standing.metrics import METRICS, Figures, series, sums, text


def lines(figures):
    return [line for line in text(figures).decode().splitlines() if not line.startswith("#")]


def test_every_metric_is_described_once_and_in_its_place():
    told = text({}).decode().splitlines()
    for name, metric in METRICS.items():
        assert told.count(f"# TYPE veln_hook_gate_{name} {metric.kind}") == 1
        place = told.index(f"# HELP veln_hook_gate_{name} {metric.help}")
        assert told[place + 1].startswith("# TYPE")
    assert "veln_hook_gate_worker_restarts_total 0" in told


def test_counts_are_by_series():
    figures = Figures()
    figures.add("requests_total", kind="page", outcome="ok")
    figures.add("requests_total", kind="page", outcome="ok")
    figures.add("requests_total", kind="file", outcome="ok")
    figures.add("response_bytes_total", 1.5)
    assert 'veln_hook_gate_requests_total{kind="page",outcome="ok"} 2' in lines(figures.plain())
    assert 'veln_hook_gate_requests_total{kind="file",outcome="ok"} 1' in lines(figures.plain())
    assert "veln_hook_gate_response_bytes_total 1.5" in lines(figures.plain())


def test_a_histogram_counts_upwards():
    figures = Figures()
    for seconds in (0.001, 0.2, 7, 1000):
        figures.observe("request_seconds", seconds, kind="page")
    told = lines(figures.plain())
    values = [float(line.split()[1]) for line in told if "_bucket" in line]
    assert values == sorted(values)
    assert values[0] == 1
    assert values[-1] == 4
    assert 'veln_hook_gate_request_seconds_bucket{kind="page",le="300"} 3' in told
    assert 'veln_hook_gate_request_seconds_bucket{kind="page",le="+Inf"} 4' in told
    assert 'veln_hook_gate_request_seconds_count{kind="page"} 4' in told
    assert 'veln_hook_gate_request_seconds_sum{kind="page"} 1007.201' in told


def test_what_labels_have_can_t_end_them():
    assert series("x", {"a": 'b"\\\n'}) == 'x{a="b\\"\\\\\\n"}'


def test_workers_are_added():
    assert sums([{"a": 1, "b": 2}, {"a": 3}, {}]) == {"a": 4, "b": 2}


def test_what_is_no_metric_is_left_out():
    assert "nonsense" not in text({"nonsense": 1, 'nonsense{a="b"}': 2}).decode()
