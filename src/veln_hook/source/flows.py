"""What data goes where: what functions return and are given is followed for a few calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from veln_hook.source.taints import CALLED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from veln_hook.source.graph import Node

_ROUNDS = 4
"""How many calls deep data is followed."""


class _Sources(NamedTuple):
    """Where the taints of some data come from; the nodes' own sets, which grow while data is followed."""

    fixed: set[str]
    arguments: set[str]
    """What callers give, where that counts."""
    returned: list[set[str]]
    """What functions return."""
    mixed: list[set[str]]
    """What functions return of which something was made."""

    def taints(self) -> set[str]:
        """Return all of them as known by now."""
        # Any caller's arguments, whichever parameter they were: that is less sure.
        given = (f"~{each.lstrip('~')}" for each in self.arguments)
        return self.fixed.union(*self.returned, *(each - {"key"} for each in self.mixed), given)


class Flows:
    """The data of one archive's scopes.

    Args:
        nodes: Its scopes, closed ones.
        resolve: Returns the nodes that a name means, seen from a module.
    """

    def __init__(self, nodes: Sequence[Node], resolve: Callable[[int, str], list[int]]) -> None:
        self._nodes = nodes
        self._resolve = resolve

    def follow(self) -> None:
        """Spread what data is made of along the calls."""
        # Only data that comes to something that can do anything is worth following.
        carrying = [
            (self._nodes[target].incoming, self._sources(node, taints))
            for node in self._nodes
            for target, taints in node.given
            if self._nodes[target].mask
        ]
        returning = [
            (node.returns, self._sources(node, node.scope.returns))
            for node in self._nodes
            if node.scope.returns
        ]
        flows = carrying + returning
        for _ in range(_ROUNDS):
            changed = False
            for into, sources in flows:
                before = len(into)
                into |= sources.taints()  # noqa: PLW2901 - the node's own set grows
                changed = changed or len(into) != before
            if not changed:
                return

    def taints(self, node: Node, taints: Iterable[str]) -> set[str]:
        """Return what data of a scope was made of, as is known once it was followed."""
        return self._sources(node, taints).taints()

    def _sources(self, node: Node, taints: Iterable[str]) -> _Sources:
        fixed: set[str] = set()
        arguments: set[str] = set()
        found: dict[str, list[set[str]]] = {start: [] for start in CALLED}
        for taint in taints:
            if taint == "arg":
                arguments = node.incoming
            elif taint.startswith(CALLED):
                targets = self._resolve(node.module, taint[4:])
                found[taint[:4]] += [self._nodes[target].returns for target in targets]
            else:
                fixed.add(taint)
        return _Sources(fixed, arguments, *found.values())
