"""Whether what the gate needs beyond the standard library is installed."""

from __future__ import annotations

from importlib.util import find_spec

from veln_hook.errors import UsageError

_MODULES = ("h11",)


def require() -> None:
    """Return if the gate can be imported.

    Raises:
        UsageError: The extra is missing; its advice is the command that adds it.
    """
    missing = [name for name in _MODULES if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"reaching an allowed host needs the gate, and {', '.join(missing)} is not installed",
            advice="Run: python -m pip install 'veln-hook[gate]'",
        )
