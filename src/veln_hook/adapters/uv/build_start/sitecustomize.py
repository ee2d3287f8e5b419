"""For a Python that doesn't load ``_veln_hook_build`` by itself; then the ``sitecustomize`` that is meant."""

from __future__ import annotations

import sys

import _veln_hook_build


def _hand_on():
    ours = sys.modules.pop("sitecustomize")
    try:
        __import__("sitecustomize")
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", ours)


_veln_hook_build.leave()
_hand_on()
