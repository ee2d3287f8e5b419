"""Which functions are called because they are given to others of the archive, which call what they are given.

``def run(step): step()`` calls nothing that has a name, but ``run(send)`` has ``send`` called. A scope tells
that it calls what it is given (``GIVEN``) or keeps it (``KEPT``), and which functions it gives to whom
(``function_given``); who calls what is known when all files are linked.

A function that calls what it is given does so for each of its callers. A method that calls what its object
was made with, or a function inside of another, may call all that any was made with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from veln_hook.source.graph import Node

GIVEN = "%"
"""In ``Call.target``: what the scope is given itself."""
KEPT = "%="
"""The same, which it keeps in an object; or in a container, the name of which follows."""
_TO, _AT_ONCE = "|", "="


def function_given(to: str, function: str, *, kept: bool = True) -> str:
    """Return the ``Call.target`` of a function that is called if another one calls what it is given.

    Args:
        to: Whom it is given to, as ``Call.target`` has it.
        function: The same of the function; ``GIVEN`` for any that the scope was given.
        kept: Whether what is inside of the other one counts, too. What a decorator puts in the place of a
            function calls that, but not unless somebody calls it.
    """
    return f"{to}{_TO}{'' if kept else _AT_ONCE}{function}"


def is_conditional(target: str) -> bool:
    """Tell whether a ``Call.target`` is one of these; files and modules have any characters."""
    return target[:1] == GIVEN or (_TO in target and target[0] not in "@/")


class Gift(NamedTuple):
    """What a scope does with functions that it has."""

    kind: str
    """``GIVEN``: it calls what it is given, or gives it to others; ``KEPT``: it puts it into containers; else
    it gives functions to others, which call them at once (``_AT_ONCE``) or ever."""
    to: Sequence[int]
    """The others, or the containers; nodes."""
    functions: Sequence[int] = ()


def gift(target: str, resolve: Callable[[str], list[int]], callee: Callable[[str], list[int]]) -> Gift | None:
    """Read such a ``Call.target``.

    Args:
        target: It.
        resolve: Returns the nodes that a name means, where the target stands.
        callee: The same of what is called: of what a function gave, not that function.

    Returns:
        What it says; ``None`` if it says nothing of the archive's functions.
    """
    if target == GIVEN:
        return Gift(GIVEN, ())
    if target.startswith(KEPT):
        return Gift(KEPT, resolve(target[len(KEPT) :]))
    name, _, function = target.partition(_TO)
    to = callee(name)
    if function == GIVEN:
        return Gift(GIVEN, to) if to else None
    named = function.lstrip(_AT_ONCE)
    # What a function gave is not that function.
    functions = (callee(named) if named[-2:] == "()" else resolve(named)) if to else ()
    return Gift(function[:1] if function[:1] == _AT_ONCE else "", to, functions) if functions else None


def called(
    nodes: Sequence[Node], inner: Callable[[int], Sequence[int]]
) -> Iterator[tuple[int, Sequence[int]]]:
    """Yield who has which functions called, as nodes.

    Args:
        nodes: The scopes of an archive, with what they give.
        inner: Returns the functions inside of a function; of ``__init__``, those of its class.
    """
    giving = [(place, each) for place, node in enumerate(nodes) for each in node.gifts]
    calling = _calling(giving)
    containers: dict[int, list[int]] = {}
    for place, each in giving:
        if each.kind == KEPT:
            containers.setdefault(place, []).extend(each.to)
    for place, each in giving:
        if not each.functions:
            continue
        if not calling.isdisjoint(each.to):
            yield place, each.functions
        for to in each.to:
            for container in containers.get(to, ()):
                yield container, each.functions
            for function in inner(to) if each.kind != _AT_ONCE else ():
                if function in calling:
                    yield function, each.functions


def _calling(giving: Sequence[tuple[int, Gift]]) -> set[int]:
    """Return the nodes that call what they are given, or give it to one that does."""
    found = {place for place, each in giving if each.kind == GIVEN and not each.to}
    givers: dict[int, list[int]] = {}
    for place, each in giving:
        for to in each.to if each.kind == GIVEN else ():
            givers.setdefault(to, []).append(place)
    waiting = list(found)
    while waiting:
        more = set(givers.get(waiting.pop(), ())) - found
        found |= more
        waiting += more
    return found
