"""The only place that knows where things lie on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import platformdirs

_APP = "veln-hook"

PACKAGE_DIR = Path(__file__).resolve().parent
"""Where this package's own files lie."""


def system_policy() -> Path:
    """The policy file of the machine's administrators: ``/etc/xdg/veln-hook/policy.toml`` on Linux.

    ``XDG_CONFIG_DIRS`` is deliberately not honoured: whoever sets a variable
    for a user could otherwise move the administrators' file away.
    """
    if sys.platform in ("win32", "darwin"):
        return Path(platformdirs.site_config_dir(_APP, appauthor=False)) / "policy.toml"
    return Path("/etc/xdg") / _APP / "policy.toml"


def user_policy() -> Path:
    """The user's own policy file: ``~/.config/veln-hook/policy.toml`` on Linux."""
    return Path(platformdirs.user_config_dir(_APP, appauthor=False)) / "policy.toml"


def environment_policy(prefix: str | None = None) -> Path:
    """The policy file of one environment: ``{sys.prefix}/veln-hook.toml``."""
    return Path(prefix or sys.prefix) / "veln-hook.toml"


def project_policy(start: Path | None = None) -> Path | None:
    """The nearest ``pyproject.toml`` at or above ``start`` (default: the working directory), or ``None``."""
    try:
        here = (start or Path.cwd()).absolute()
    except OSError:  # the working directory was removed
        return None
    for directory in (here, *here.parents):
        candidate = directory / "pyproject.toml"
        if os.path.lexists(candidate):
            return candidate
    return None


def policy_files() -> tuple[Path, ...]:
    """Every file outside a project that an install must never overwrite, because it is a policy."""
    return (system_policy(), user_policy(), environment_policy())


def state_dir() -> Path:
    """The directory of the store: ``~/.local/state/veln-hook`` on Linux. Not created here."""
    return Path(platformdirs.user_state_dir(_APP, appauthor=False))


def store_file() -> Path:
    """The store's one file."""
    return state_dir() / "store.sqlite3"


def feed_file() -> Path:
    """The feed of known malware, as an index of our own."""
    return state_dir() / "feed.sqlite"


def audit_file() -> Path:
    """The audit log, where the policy names no other: ``~/.local/state/veln-hook/audit.jsonl`` on Linux."""
    return state_dir() / "audit.jsonl"


def carried_dir() -> Path:
    """Our dependencies for the oldest Python, for interpreters that this environment's don't support."""
    return Path(platformdirs.user_cache_dir(_APP, appauthor=False)) / "carried" / "py39"


def shims_dir() -> Path:
    """What holds a user's shims: ``~/.local/share/veln-hook`` on Linux. Not created here."""
    return Path(platformdirs.user_data_dir(_APP, appauthor=False))
