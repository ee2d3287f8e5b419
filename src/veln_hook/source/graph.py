"""The call graph of an archive: its nodes, and which capabilities meet in one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from veln_hook.source import vocabulary as v
from veln_hook.source.facts import REACHES, Tie
from veln_hook.source.taints import CALLED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from veln_hook.source.callbacks import Gift
    from veln_hook.source.facts import Placed, Scope

_CALL = len(REACHES) - 1
_MAX_TIES = 2_000
_PER_KIND = 6
"""Capabilities of one kind that are looked at in one closure, the most telling details first."""

_SECRETS = (v.CRED, v.CRED_FILE, v.ENV, v.HOST, v.SPY)
_PAIRS = (
    *((secret, way) for secret in _SECRETS for way in (v.NET, v.DNS, v.PROC)),
    (v.NET, v.PROC), (v.NET, v.EXEC), (v.NET, v.LOAD), (v.NET, v.WRITE), (v.NET, v.NATIVE),
    (v.DECODE, v.EXEC), (v.DECODE, v.PROC), (v.DECODE, v.NET), (v.DECODE, v.WRITE),
    (v.WRITE, v.PROC), (v.WRITE, v.LOAD), (v.PERSIST, v.PROC), (v.PERSIST, v.WRITE), (v.PERSIST, v.NET),
    (v.URL, v.NET), (v.URL, v.PROC), (v.URL, v.EXEC),
    (v.DYNAMIC, v.EXEC), (v.DYNAMIC, v.NET), (v.DYNAMIC, v.PROC),
    (v.NATIVE, v.DECODE), (v.STARTUP_FILE, v.PROC), (v.STARTUP_FILE, v.NET),
    (v.INTERCEPT, v.NET), (v.INTERCEPT, v.DNS), (v.INTERCEPT, v.PROC),
)  # fmt: skip
"""Kinds that mean more together than alone."""
BITS = {kind: 1 << place for place, kind in enumerate(v.KINDS)}
"""Of a node's ``mask``."""
STRONG = sum(
    BITS[kind]
    for kind in (v.NET, v.DNS, v.PROC, v.EXEC, v.SPY, v.NATIVE, v.LOAD, v.STARTUP_FILE, v.DESTROY, v.STEER)
)
"""Kinds of which every combination that is held has one."""


class Node:
    """A scope of a file.

    Args:
        module: The file's place.
        scope: What is known of it.
    """

    __slots__ = (
        "called",
        "capabilities",
        "gifts",
        "given",
        "incoming",
        "kinds",
        "mask",
        "module",
        "reach",
        "reached",
        "returns",
        "scope",
        "targets",
    )

    def __init__(self, module: int, scope: Scope) -> None:
        self.module = module
        self.scope = scope
        self.called: list[int] = []
        """Whom it calls by name."""
        self.gifts: list[Gift] = []
        """What it does with functions that others may call."""
        self.targets: list[int] = []
        """All that it has called."""
        self.given: list[tuple[int, set[str]]] = []
        """Of those, the ones whose arguments carry something, and what that is."""
        self.reach = len(REACHES) - 1
        self.kinds = sum({BITS[each.kind] for each in scope.capabilities if each.kind in BITS})
        """Bits of what it can do by itself."""
        self.mask = 0
        """Bits of everything that it reaches."""
        self.incoming: set[str] = set()
        self.returns: set[str] = {
            taint for taint in scope.returns if not taint.startswith(CALLED) and taint != "arg"
        }
        self.capabilities = scope.capabilities
        self.reached = False


class Closure(NamedTuple):
    """What the nodes of a graph reach."""

    bits: list[int]
    """Of each node, those of everything that it reaches, its own among them."""
    components: list[int]
    """Of each node, the number of its strongly connected component: of the nodes that reach each other."""


def closed(own: Sequence[int], edges: Sequence[Iterable[int]]) -> Closure:
    """Return what each node reaches.

    Nodes that reach each other have the same; they are found as Tarjan's strongly connected components
    ("Depth-first search and linear graph algorithms", 1972), so that each edge is looked at once.

    Args:
        own: Of each node, its own bits.
        edges: Of each node, those that it leads to.
    """
    found = list(own)
    done = len(found) + 1  # a place behind all others: what has it is in a component that is whole
    places = [0] * len(found)
    lowest = [0] * len(found)
    components = [0] * len(found)
    stack: list[int] = []
    count = 0
    for root in range(len(found)):
        if places[root]:
            continue
        count += 1
        places[root] = lowest[root] = count
        stack.append(root)
        walk = [(root, iter(edges[root]))]
        while walk:
            node, targets = walk[-1]
            for target in targets:
                if not places[target]:
                    count += 1
                    places[target] = lowest[target] = count
                    stack.append(target)
                    walk.append((target, iter(edges[target])))
                    break
                found[node] |= found[target]
                lowest[node] = min(lowest[node], lowest[target])
            else:
                walk.pop()
                if lowest[node] == places[node]:
                    member = -1
                    while member != node:
                        member = stack.pop()
                        found[member], lowest[member], components[member] = found[node], done, node
                if walk:
                    caller = walk[-1][0]
                    found[caller] |= found[node]
                    lowest[caller] = min(lowest[caller], lowest[node])
    return Closure(found, components)


def able(nodes: Sequence[Node]) -> Closure:
    """Return of every node the kinds of everything it reaches, as ``BITS``."""
    return closed([node.kinds for node in nodes], [node.targets for node in nodes])


def ties(
    nodes: Sequence[Node], components: Sequence[int], placed: list[Placed], own: list[list[int]]
) -> Iterable[Tie]:
    """Return which capabilities one scope reaches both of, where they mean more together than alone.

    Args:
        nodes: Closed ones.
        components: Of each node, its component, as ``closed`` tells.
        placed: All capabilities.
        own: Of each node, the places of its capabilities.
    """
    details = [f"{known.detail} {known.flags} {known.taints}" for known in placed]
    found: dict[tuple[int, int], Tie] = {}
    meetings = _meetings(nodes, components)
    # The worst reach first, so that a pair is told where it is worst.
    for place in sorted(meetings, key=lambda place: (nodes[place].reach, place)):
        closure = _closure(nodes, place, placed, details, own)
        for first, second in meetings[place]:
            for one in closure.get(first, ())[:_PER_KIND]:
                for other in closure.get(second, ())[:_PER_KIND]:
                    if (one, other) not in found and len(found) < _MAX_TIES:
                        near = placed[one].path == placed[other].path
                        found[one, other] = Tie(one, other, REACHES[nodes[place].reach], near)
    return found.values()


def _meetings(nodes: Sequence[Node], components: Sequence[int]) -> dict[int, list[tuple[str, str]]]:
    """Return the scopes at which kinds meet: no other that they lead to reaches both as easily.

    What runs by itself is looked at even so where the functions of its own file make the kinds meet, without
    those that reach both: an honest pair must not hide another.

    Where scopes lead to each other, as packages whose modules import each other do, all of them reach the
    same. There the kinds meet at each scope that reaches both without going round, or at one of them.
    """
    pairs = [(first, second, BITS[first] | BITS[second]) for first, second in _PAIRS]
    found: dict[int, list[tuple[str, str]]] = {}
    around: dict[tuple[int, str, str], int] = {}
    """Pairs by component: -1 where they met, else a scope that reaches both by going round."""
    for place, node in enumerate(nodes):
        outside = [nodes[target] for target in node.targets if components[target] != components[place]]
        for first, second, both in pairs:
            if node.mask & both != both:
                continue
            here, elsewhere = _meet(node, outside, both)
            if here:
                found.setdefault(place, []).append((first, second))
            if here or elsewhere:
                around[components[place], first, second] = -1
            else:
                around.setdefault((components[place], first, second), place)
    for (_, first, second), place in around.items():
        if place >= 0:
            found.setdefault(place, []).append((first, second))
    return found


def _meet(node: Node, outside: Sequence[Node], both: int) -> tuple[bool, bool]:
    """Tell whether two kinds meet at a scope, and whether they do at one that it leads to.

    Args:
        node: The scope.
        outside: Those that it leads to and that don't lead back.
        both: Bits of the kinds.
    """
    straight = beside = node.kinds
    elsewhere = False
    for target in outside:
        straight |= target.mask
        if target.mask & both == both and target.reach <= node.reach:
            elsewhere = True
        elif target.module == node.module:
            beside |= target.mask
    if elsewhere:
        return node.reach < _CALL and beside & both == both, True
    return straight & both == both, False


def _closure(
    nodes: Sequence[Node], place: int, placed: list[Placed], details: list[str], own: list[list[int]]
) -> Mapping[str, list[int]]:
    """Return the capabilities that a scope reaches, by kind, the nearest first, one of each detail."""
    seen = {place}
    waiting = [place]
    found: dict[str, dict[str, int]] = {}
    for current in waiting:  # it grows while it is walked
        for capability in own[current]:
            found.setdefault(placed[capability].kind, {}).setdefault(details[capability], capability)
        for target in nodes[current].targets:
            if target not in seen and nodes[target].mask:
                seen.add(target)
                waiting.append(target)
    return {kind: list(alike.values()) for kind, alike in found.items()}
