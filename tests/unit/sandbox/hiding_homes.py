"""Homes for the tests of veln_hook.sandbox.hiding: their files, and what it says of them."""

from __future__ import annotations

from veln_hook.sandbox.hiding import secrets, toolchains


def put(path, text="x\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def covered(path, places):
    return any(str(path) == place or str(path).startswith(place + "/") for place in places)


def hidden(home, **environ):
    return secrets(str(home), environ)


def opened(home, **environ):
    return toolchains(str(home), environ)
