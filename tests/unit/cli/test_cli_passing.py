"""Command lines whose tail is uv's."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.cache import ROOT
from veln_hook.cli.passing import split

if TYPE_CHECKING:
    from pathlib import Path


def test_what_precedes_uv_is_ours_and_what_follows_is_not() -> None:
    found = split(
        ["-q", "--json", "--allow", "a.example", "--allow=b", "uv", "--json", "pip", "--allow", "x"]
    )
    assert found is not None
    assert found.ours == ("-q", "--json", "--allow", "a.example", "--allow=b")
    assert (found.allow, found.command) == (("a.example", "b"), "uv")
    assert found.words == ("--json", "pip", "--allow", "x")


@pytest.mark.parametrize(
    "text", ["run -- uv", "status uv", "--version uv", "-x uv", "--allow uv", "", "--help"]
)
def test_what_is_no_such_line(text: str) -> None:
    assert split(text.split()) is None


def test_uvx_and_no_words() -> None:
    found = split(["uvx"])
    assert found is not None
    assert (found.command, found.words, found.ours) == ("uvx", (), ())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["uv", "--version"], ["--version"]),
        (["-q", "uv", "pip", "list", "--json"], ["pip", "list", "--json"]),
        (["uvx", "--version"], ["tool", "uvx", "--version"]),
    ],
)
def test_what_passes_becomes_uv_with_everything_as_it_was(
    tmp_path: Path, words: list[str], expected: list[str]
) -> None:
    uv = tmp_path / "uv"
    uv.write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\necho "$MARK $$"\nexit 3\n')
    uv.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-m", "veln_hook", *words],
        env={**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin", "MARK": "m", "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        text=True,
    )
    out, _ = process.communicate(timeout=60)
    assert out.splitlines() == [*expected, f"m {process.pid}"]
    assert process.returncode == 3
