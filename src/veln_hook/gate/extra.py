"""Whether what the gate needs beyond the standard library is installed."""

from __future__ import annotations

from importlib.util import find_spec

from veln_hook.errors import UsageError

_MODULES = ("h11",)
_FOR_INTERCEPTION = ("h11", "cryptography")


def require(purpose: str | None = None) -> None:
    """Return if the gate can be imported.

    Args:
        purpose: What it is needed for, where TLS is to be opened in it: ``guarding uv``. Without one it is
            for reaching an allowed host, and that needs less.

    Raises:
        UsageError: The extra is missing; its advice is the command that adds it.
    """
    wanted = _MODULES if purpose is None else _FOR_INTERCEPTION
    missing = [name for name in wanted if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"{purpose or 'reaching an allowed host'} needs the gate, and {' and '.join(missing)}"
            f" {'is' if len(missing) == 1 else 'are'} not installed",
            advice="Run: python -m pip install 'veln-hook[gate]'",
        )
