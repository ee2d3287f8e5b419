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
    """Functions that somebody gives to another one."""

    node: int
    """Who gives them."""
    to: Sequence[int]
    functions: Sequence[int]
    kept: bool


class Callbacks:
    """The functions that scopes of an archive give to each other.

    Args:
        nodes: Its scopes.
        resolve: Returns the nodes that a name means, seen from a module.
        callee: The same of what is called: of what a function gave, not that function.
        inner: Returns the functions inside of a function; of ``__init__``, those of its class.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        resolve: Callable[[int, str], list[int]],
        callee: Callable[[int, str], list[int]],
        inner: Callable[[int], Sequence[int]],
    ) -> None:
        self._resolve = resolve
        self._callee = callee
        self._inner = inner
        self._calling: set[int] = set()
        """Nodes that call what they are given."""
        self._containers: dict[int, list[int]] = {}
        """Of nodes that keep what they are given, those of the containers, which call all that is in them."""
        self.gifts: list[Gift] = []
        """What is given to whom."""
        passing: list[tuple[int, list[int]]] = []
        for place, node in enumerate(nodes):
            for target in node.conditional:
                to, _, function = target.partition(_TO)
                if target == GIVEN:
                    self._calling.add(place)
                elif target.startswith(KEPT):
                    kept = resolve(node.module, target[len(KEPT) :])
                    self._containers.setdefault(place, []).extend(kept)
                elif function == GIVEN:
                    passing.append((place, callee(node.module, to)))
                elif function:
                    self._add(place, node.module, to, function)
        grown = True
        while grown:
            more = {place for place, to in passing if not self._calling.isdisjoint(to)}
            grown = not more <= self._calling
            self._calling |= more

    def _add(self, place: int, module: int, to: str, function: str) -> None:
        functions = self._resolve(module, function.lstrip(_AT_ONCE))
        if functions:
            kept = function[:1] != _AT_ONCE
            self.gifts.append(Gift(place, self._callee(module, to), functions, kept))

    def called(self) -> Iterator[tuple[int, Sequence[int]]]:
        """Yield who has which functions called."""
        for node, to, functions, kept in self.gifts:
            if not self._calling.isdisjoint(to):
                yield node, functions
            for each in to:
                for container in self._containers.get(each, ()):
                    yield container, functions
            for each in to if kept else ():
                for inner in self._inner(each):
                    if inner in self._calling:
                        yield inner, functions
