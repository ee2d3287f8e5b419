"""Which files must be read whole after all: those through which code may come to what matters.

Of most files only the imports are read (``prefilter``). Whatever such a file
calls elsewhere it has imported, so its imports tell where its calls may lead,
too widely but never too narrowly. One that leads nowhere that matters is not
parsed. One that does is, and so is what leads from there to something that has a
part in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.source.facts import BUILD, IMPORT, REACHES, STARTUP
from veln_hook.source.graph import BITS, PART, STRONG, masks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.source.linking import Linker

BY_ITSELF = frozenset(REACHES.index(reach) for reach in (STARTUP, BUILD, IMPORT))
_DEEP = 6
"""How many re-exports of re-exports are followed."""


def unread(linker: Linker) -> set[str]:
    """Return the files of which only imports were read and that must be read whole.

    Args:
        linker: Of the archive's files.

    Returns:
        Their paths.
    """
    nodes = linker.nodes
    light = {place for place, module in enumerate(linker.modules) if module.facts.light}
    if not light:
        return set()
    edges: list[list[int]] = []
    own: list[int] = []
    for node in nodes:
        mask = 0
        for capability in node.capabilities:
            mask |= BITS.get(capability.kind, 0)
        if node.module in light:
            facts = linker.modules[node.module].facts
            edges.append(list(_Leads(linker).of(node.module, facts.leads)))
            mask |= PART if facts.parts else 0
        else:
            edges.append([target for target, _ in node.edges])
        own.append(mask)
    able = masks(own, edges)
    waiting = [place for place, mask in enumerate(able) if mask & STRONG]
    seen = set(waiting)
    while waiting:
        for target in edges[waiting.pop()]:
            if able[target] and target not in seen:
                seen.add(target)
                waiting.append(target)
    return {
        linker.modules[nodes[place].module].path
        for place in seen
        if nodes[place].module in light and nodes[place].reach in BY_ITSELF
    }


class _Leads:
    """Resolves what a file may call, to all that may be meant.

    Args:
        linker: Of the archive's files.
    """

    def __init__(self, linker: Linker) -> None:
        self._linker = linker
        self._seen: set[tuple[int, str]] = set()

    def of(self, place: int, names: tuple[str, ...]) -> set[int]:
        """Return the nodes that names may lead to, seen from a module."""
        found: set[int] = set()
        for name in names:
            found.update(self._led(place, name, _DEEP))
        return found

    def _led(self, place: int, name: str, deep: int) -> Iterator[int]:
        linker = self._linker
        if name[:1] == ":":
            yield from self._within(place, name[1:].replace("()", ""), deep)
            return
        if not linker.may_be_ours(name) or not deep or (place, name) in self._seen:
            return
        self._seen.add((place, name))
        whole = name.endswith(".*")
        dotted = linker.absolute(place, name[:-1] if whole else name).replace("()", "").rstrip(".")
        if whole:
            for module in linker.below(dotted):
                yield from linker.ids[module].values()
                for exported in linker.exports[module].values():
                    yield from self._led(module, exported, deep - 1)
            return
        parts = dotted.split(".")
        for end in range(len(parts), 0, -1):
            module = linker.by_name.get(".".join(parts[:end]), -1)
            if module >= 0:
                if end == len(parts):
                    yield from self._led(place, f"{dotted}.*", deep)
                elif module != place:
                    yield from self._within(module, ".".join(parts[end:]), deep)
                return

    def _within(self, module: int, name: str, deep: int) -> Iterator[int]:
        """Yield the nodes of whatever has a name in a module, or belongs to it."""
        linker = self._linker
        first, _, tail = name.partition(".")
        exported = linker.exports[module].get(first)
        if exported is not None and exported != f":{first}":
            yield from self._led(module, f"{exported}.{tail}" if tail else exported, deep - 1)
            return
        if linker.modules[module].facts.light:
            yield linker.ids[module][""]
        for scope, node in linker.ids[module].items():
            if scope.partition(".")[0].rstrip("'") == first:
                yield node
        for base in linker.bases[module].get(first, ()):
            yield from self._led(module, base, deep - 1)
        for star, dotted in linker.exports[module].items():
            if star[:1] == "*":
                yield from self._led(module, f"{dotted.rstrip('.')}.{name}", deep - 1)
