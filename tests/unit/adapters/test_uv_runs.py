"""``uv run`` and ``uvx`` in two steps: what each of the two is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from veln_hook.adapters.uv.commands import classify, classify_uvx
from veln_hook.adapters.uv.runs import RunLine
from veln_hook.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

TRUE = "/bin/true"
CACHE = ("--offline", "--cache-dir", "/c")


def _run(text: str, **more: str) -> tuple[list[str], str]:
    plan = RunLine(classify(text.split())).plan(cache="/c", environ={}, **more)
    return [" ".join(step) for step in plan.first], " ".join(plan.second)


def _uvx(text: str) -> tuple[str, str]:
    plan = RunLine(classify_uvx(text.split())).plan(cache="/c", environ={})
    [first] = plan.first
    return " ".join(first), " ".join(plan.second)


SECOND = "--offline --cache-dir /c"

RUNS = {
    "run python -c x": (f"run --no-env-file -- {TRUE}", f"run {SECOND} python -c x"),
    "run": (f"run --no-env-file -- {TRUE}", f"run {SECOND}"),
    "run --with a,b -p 3.12 -- python --with c": (
        f"run --with a,b -p 3.12 --no-env-file -- {TRUE}",
        f"run {SECOND} --with a,b -p 3.12 -- python --with c",
    ),
    "-q --project p run -m mod -x": (
        f"-q --project p run --no-env-file -- {TRUE}",
        f"-q --project p run {SECOND} -m mod -x",
    ),
    "run --env-file f --extra e x": (
        f"run --extra e --no-env-file -- {TRUE}",
        f"run {SECOND} --env-file f --extra e x",
    ),
    "-n run -qn --refresh --reinstall-package a x": (
        f"run -q --refresh --reinstall-package a --no-env-file -- {TRUE}",
        f"run {SECOND} -q x",
    ),
    "--no-offline run --no-offline x": (
        f"--no-offline run --no-offline --no-env-file -- {TRUE}",
        f"run {SECOND} x",
    ),
    "run --no-env-file x": (f"run --no-env-file -- {TRUE}", f"run {SECOND} --no-env-file x"),
}


@pytest.mark.parametrize("text", RUNS)
def test_run(text: str) -> None:
    first, second = RUNS[text]
    assert _run(text) == ([first], second)


def test_a_script_that_brings_its_requirements() -> None:
    first, second = _run("run --exclude-newer 2030-01-01 s.py -x", inline="s.py")
    assert first == ["sync --exclude-newer 2030-01-01 --script s.py"]
    assert second == f"run {SECOND} --exclude-newer 2030-01-01 s.py -x"
    first, _ = _run("run --with a s.py", inline="s.py", requires_python=">=3.11")
    assert first == [
        "sync --script s.py",
        f"run --with a --no-env-file --no-project --isolated --python=>=3.11 -- {TRUE}",
    ]


def test_without_a_network_there_is_one_step() -> None:
    first, second = _run("run --offline x")
    assert (first, second) == ([], f"run {SECOND} x")


UVX = {
    "ruff --version": (f"tool uvx --from ruff {TRUE}", "ruff --version"),
    "--from black[d] blackd": (f"tool uvx --from black[d] {TRUE}", "--from black[d] blackd"),
    "ruff@0.4.0 x": (f"tool uvx --isolated --from ruff==0.4.0 {TRUE}", "ruff@0.4.0 x"),
    "ruff@latest": (f"tool uvx --isolated --refresh --from ruff {TRUE}", "ruff@latest"),
    "black[d,j]@24.1 -x": (f"tool uvx --isolated --from black[d,j]==24.1 {TRUE}", "black[d,j]@24.1 -x"),
    "python@3.12 -c x": (f"tool uvx --from python@3.12 {TRUE}", "python@3.12 -c x"),
    "git+https://h/r@main": (f"tool uvx --from git+https://h/r@main {TRUE}", "git+https://h/r@main"),
    "--isolated --refresh ruff@latest": (
        f"tool uvx --isolated --refresh --from ruff {TRUE}",
        "--isolated ruff@latest",
    ),
    "--env-file f -w a x": (f"tool uvx -w a --no-env-file --from x {TRUE}", "--env-file f -w a x"),
}


@pytest.mark.parametrize("text", UVX)
def test_uvx(text: str) -> None:
    first, rest = UVX[text]
    assert _uvx(text) == (first, f"tool uvx {SECOND} {rest}")


def test_what_is_read_as_a_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.py", "b.PYW", "c.txt"):
        (tmp_path / name).write_text("")

    def script(text: str) -> str:
        found = RunLine(classify(text.split())).script()
        return found.path if found is not None else ""

    assert script("run a.py") == "a.py"
    assert script("run b.PYW x") == "b.PYW"
    assert script("run -") == "-"
    assert script("run --script c.txt") == "c.txt"
    assert script("run -s c.txt") == "c.txt"
    assert script("run missing.py") == ""
    assert script("run c.txt") == ""
    assert script("run -m a.py") == ""
    assert script("run python a.py") == ""
    assert script("tool run a.py") == ""
    with pytest.raises(UsageError, match="URL"):
        script("run https://h/s.py")
