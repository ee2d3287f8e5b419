"""Run uvx behind the gate: the tool's packages are judged on their way, the tool itself runs as ever."""

from __future__ import annotations

from veln_hook.cli.uv import add, run

HELP = "run uvx in the same way"
USAGE = "[-q] [--json] [--no-color] [--allow HOST]... uvx ..."

__all__ = ["HELP", "USAGE", "add", "run"]
