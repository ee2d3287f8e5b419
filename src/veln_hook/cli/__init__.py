"""The ``veln-hook`` command: argparse, a module a command."""

from __future__ import annotations
