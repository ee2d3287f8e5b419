"""The second net: what pip's and uv's own configuration does where no start-up file of ours is read.

A ``sitecustomize.py`` earlier on ``PYTHONPATH`` hides an image's, and uv reads no Python. Their
configuration can lead them through a standing gate (docs/standing-gate.md), and have uv pass over
what is young by itself. A file that is there already is somebody's: it is left, and the lines told.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from veln_hook.enable.changes import Change, Record, read
from veln_hook.errors import UsageError
from veln_hook.policy.durations import iso_duration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

PIP_FILE, UV_FILE = "/etc/pip.conf", "/etc/uv/uv.toml"
_HEAD = "# Written by veln-hook;"
_PRIVATE = 0o600


class Asked(NamedTuple):
    """What is wanted of it."""

    gate: str = ""
    """URL of a standing gate, with its password if it wants one; empty for none."""
    certificate: str = ""
    """Absolute path of the certificate that the gate said its clients need."""
    uv_age: timedelta | None = None
    """How old a release must be for uv; ``None`` for any."""


class Net(NamedTuple):
    """What has to be written for it."""

    changes: tuple[Change, ...] = ()
    by_hand: tuple[str, ...] = ()
    """What a person has to add, as a file of somebody else is in the way."""


def asked(gate: str | None, certificate: str | None, uv_age: timedelta | None) -> Asked:
    """Read what was asked for.

    Args:
        gate: As given; ``None`` if it wasn't.
        certificate: As given; ``None`` if it wasn't.
        uv_age: How old a release must be for uv, if that is wanted.

    Raises:
        UsageError: It is no URL of a proxy, or there is no such certificate.
    """
    if gate is None:
        if certificate is not None:
            raise UsageError("--gate-certificate needs --gate")
        return Asked(uv_age=uv_age)
    try:
        parts = urlsplit(gate)
        usable = parts.scheme == "http" and parts.hostname and parts.port and parts.path in ("", "/")
    except ValueError:
        usable = False
    if not usable or any(letter.isspace() or letter in "\"'\\" for letter in gate):
        raise UsageError(
            "--gate is no URL of a standing gate", advice="Give it as http://team:PASSWORD@HOST:PORT."
        )
    if certificate is None:
        raise UsageError(
            "--gate needs --gate-certificate", advice="Name the file that the gate told at its start."
        )
    path = os.path.abspath(certificate)
    if not os.path.isfile(path) or not path.isprintable() or '"' in path or "\\" in path:
        raise UsageError(f"--gate-certificate is no file: {certificate}")
    return Asked(gate, path, uv_age)


def for_machine(record: Record, asked: Asked) -> Net:
    """Return what to write for everybody.

    Args:
        record: What was written before.
        asked: What is wanted.
    """
    return _net(record, asked, (PIP_FILE, UV_FILE), "veln-hook disable --image")


def for_user(record: Record, asked: Asked, environ: Mapping[str, str]) -> Net:
    """Return what to write for one user.

    Args:
        record: What was written before.
        asked: What is wanted.
        environ: For HOME and XDG_CONFIG_HOME.
    """
    return _net(record, asked, user_files(environ), "veln-hook disable --user", _PRIVATE)


def user_files(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return a user's pip.conf and uv.toml, whether they are there or not."""
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME", "/"), ".config")
    return os.path.join(config, "pip", "pip.conf"), os.path.join(config, "uv", "uv.toml")


def found(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the file of ours that each of pip and uv reads, for those that have one.

    Args:
        environ: For HOME and XDG_CONFIG_HOME.
    """
    files: dict[str, str] = {}
    for tool, *paths in zip(("pip", "uv"), (PIP_FILE, UV_FILE), user_files(environ)):
        for path in paths:
            with suppress(OSError):
                if (read(path) or "").startswith(_HEAD):
                    files[tool] = path
    return files


def _net(record: Record, asked: Asked, files: tuple[str, str], back: str, mode: int = 0o644) -> Net:
    changes, by_hand = [], []
    for path, lines in zip(files, (_pip(asked), _uv(asked))):
        if not lines:
            continue
        text = f"{_HEAD} '{back}' removes it.\n" + "".join(f"{line}\n" for line in lines)
        if read(path) is None or any(each["path"] == path for each in record.files):
            changes.append(Change(path, text, mode=mode))
        else:
            by_hand.append(f"{path} is there already, so add to it: {'; '.join(lines)}")
    return Net(tuple(changes), tuple(by_hand))


def _pip(asked: Asked) -> list[str]:
    if not asked.gate:
        return []
    # ConfigParser of pip interpolates nothing, so a % of the password stays one.
    return ["[global]", f"proxy = {asked.gate}", f"cert = {asked.certificate}"]


def _uv(asked: Asked) -> list[str]:
    lines = []
    if asked.gate:
        lines += [f'https-proxy = "{asked.gate}"', f'http-proxy = "{asked.gate}"']
    if asked.uv_age is not None:
        lines += [f'exclude-newer = "{iso_duration(asked.uv_age)}"']
    return lines
