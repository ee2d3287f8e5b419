"""What a call is by the dotted name of what is called: Python's own, or a library's."""

from __future__ import annotations

from functools import lru_cache

from veln_hook.source import libraries
from veln_hook.source.vocabulary import CALLS, CRED_FILE, EXEC, NET, PROC


def _rows(table: dict[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset((library, name) for library, names in table.items() for name in names.split())


_CLIENTS = _rows(libraries.CLIENTS)
_OPENERS = _rows(libraries.OPENERS)
_KINDS = {
    **dict.fromkeys(_rows(libraries.EXECUTES), EXEC),
    **dict.fromkeys(_rows(libraries.PROCESSES), PROC),
    **dict.fromkeys(_OPENERS | _rows(libraries.REQUESTS), NET),
    **dict.fromkeys(_rows(libraries.CREDENTIALS), CRED_FILE),
}


@lru_cache(maxsize=20_000)
def kind_of(name: str) -> str:
    """Return what a call of something does, one of ``vocabulary.KINDS``; empty if that isn't known.

    Args:
        name: Dotted, as ``vocabulary.CALLS`` has them.
    """
    kind = CALLS.get(name)
    if kind is not None or "." not in name:
        return kind or ""
    library, _, rest = name.partition(".")
    if library in libraries.COMMANDS:
        return PROC if rest.partition(".")[0].partition("(")[0] not in libraries.NO_COMMANDS else ""
    if library not in libraries.NAMES:
        return ""
    last = rest.rpartition(".")[2]
    if (library, last) in _KINDS:
        return _KINDS[library, last]
    made, _, method = name.partition("().")
    if not method or last in libraries.LAZY:
        return ""
    # 'storage.Client.create_anonymous_client()' is one, too.
    return NET if any((library, part) in _CLIENTS for part in made.split(".")) else ""


@lru_cache(maxsize=20_000)
def opens_what_it_is_given(name: str) -> bool:
    """Tell whether a call reaches the network only where it is given a URL."""
    return name not in CALLS and (name.partition(".")[0], name.rpartition(".")[2]) in _OPENERS


def command_of(name: str) -> str:
    """Return the command that a call of a name in a library of commands runs; empty if it is in none."""
    return name.rpartition(".")[2] if name.partition(".")[0] in libraries.COMMANDS else ""
