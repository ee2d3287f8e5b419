# ruff: noqa: INP001
"""For a Python that comes to us by nothing else; then for the one that is meant."""

from __future__ import annotations

import sys


def _hand_on() -> None:
    """Load the ``sitecustomize`` of the interpreter or the environment, if there is one."""
    ours = sys.modules.pop("sitecustomize")
    try:
        __import__("sitecustomize")
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", ours)


__import__("_veln_hook_build")
_hand_on()
