"""Other real installers, each in a virtualenv of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.uv_versions import client_venv

if TYPE_CHECKING:
    from pathlib import Path

CLIENTS = {
    "poetry": ["poetry==2.5.1"],
    # hishel 2 has no longer all that this pdm takes from it.
    "pdm": ["pdm==2.29.4", "hishel<2"],
    "pipx": ["pipx==1.18.4"],
    "pip-tools": ["pip-tools"],
}
"""What is installed for each."""


def client(name: str) -> Path:
    """Return the program of that name; never change the environment that it lies in.

    Raises:
        NotHereError: It can't be had here.
    """
    return client_venv(name, CLIENTS[name]) / "bin" / name
