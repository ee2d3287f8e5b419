# ruff: noqa: INP001
"""For a Python that doesn't load ``_veln_hook_build`` by itself; then for the one that is meant."""

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


__import__("_veln_hook_build").leave()
_hand_on()
