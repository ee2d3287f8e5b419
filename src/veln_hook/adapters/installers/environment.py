"""The environment of an installer behind the gate: its proxy, its certificate, and caches of our own.

An installer takes what lies in its cache without asking anybody, so each gets one that holds only what was
judged. Poetry keeps its environments within its cache; those stay where they are.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from veln_hook.adapters.uv import environment
from veln_hook.adapters.uv.files import read_toml
from veln_hook.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


def behind_gate(environ: Mapping[str, str], *, proxy: str, certificate: str, cache: str) -> dict[str, str]:
    """Return the environment of an installer.

    Args:
        environ: What it is made of.
        proxy: URL of the gate.
        certificate: A file with its certificate.
        cache: A directory of caches of our own.
    """
    made = environment.for_others(environ, proxy=proxy, certificate=certificate)
    made["PIP_CACHE_DIR"] = os.path.join(cache, "pip")
    made["PDM_CACHE_DIR"] = os.path.join(cache, "pdm")
    made["PIPENV_CACHE_DIR"] = os.path.join(cache, "pipenv")
    made["UV_CACHE_DIR"] = os.path.join(cache, "uv")
    made["UV_HTTP_TIMEOUT"] = str(environment.TIMEOUT_S)
    environments = _poetry_environments(environ)
    if environments:
        made["POETRY_VIRTUALENVS_PATH"] = environments
    made["POETRY_CACHE_DIR"] = os.path.join(cache, "poetry")
    return made


def cache_dir(environ: Mapping[str, str]) -> str:
    """Return the directory of these caches."""
    plain = {name: value for name, value in environ.items() if name != "UV_CACHE_DIR"}
    return os.path.join(os.path.dirname(environment.cache_dir(plain)), "installers")


def _poetry_environments(environ: Mapping[str, str]) -> str:
    """Return where Poetry keeps environments; empty where its configuration says so for itself.

    Source: poetry's ``Config.default_config`` and ``locations.py``.
    """
    if environ.get("POETRY_VIRTUALENVS_PATH"):
        return ""
    home = environ.get("HOME") or os.path.expanduser("~")
    config = environ.get("POETRY_CONFIG_DIR") or os.path.join(
        environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "pypoetry"
    )
    base = environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    if sys.platform == "darwin":
        config = environ.get("POETRY_CONFIG_DIR") or os.path.join(
            home, "Library/Application Support/pypoetry"
        )
        base = os.path.join(home, "Library", "Caches")
    table: dict[str, Any] = {}
    with suppress(UsageError):
        file = read_toml(os.path.join(config, "config.toml"))
        table = file.table if file is not None else {}
    chosen = environ.get("POETRY_CACHE_DIR") or table.get("cache-dir") or os.path.join(base, "pypoetry")
    told = table.get("virtualenvs")
    path = told.get("path") if isinstance(told, dict) else None
    if isinstance(path, str):
        return path.replace("{cache-dir}", str(chosen)) if "{cache-dir}" in path else ""
    return os.path.join(str(chosen), "virtualenvs")
