"""Which files must be read whole after all: those through which code comes to what matters.

Of most files only the imports are read (``prefilter``). Whatever such a file
calls elsewhere it has imported, so its imports tell where its calls may lead, too
widely but never too narrowly. It is read whole

- if it may call something that is known to come to what matters, or
- if something that does, and runs by itself, may call it, and it may have a part in that.

What is read then is known exactly, so that this is asked again, until there is
nothing left to read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.source.facts import BUILD, IMPORT, REACHES, STARTUP
from veln_hook.source.graph import STRONG, able
from veln_hook.source.vocabulary import DNS, NET, PROC

if TYPE_CHECKING:
    from collections.abc import Callable

    from veln_hook.source.linking import Linker

BY_ITSELF = frozenset(REACHES.index(reach) for reach in (STARTUP, BUILD, IMPORT))
_SENDS = frozenset((NET, DNS, PROC))
_DEEP = 6
"""How many re-exports of re-exports are followed."""
_ALL = "*"
_NO_MODULE = "!"


class Leads:
    """Knows what the files of an archive lead to.

    Args:
        linker: Of the archive's files.
        has_parts: Tells of the path of a file of which only imports were read whether it may do part of
            something that matters.
    """

    def __init__(self, linker: Linker, has_parts: Callable[[str], bool]) -> None:
        self._linker = linker
        self._has_parts = has_parts
        self._known: dict[tuple[int, str], set[tuple[int, str]]] = {}
        """What names in modules, and modules as a whole, may mean."""
        self._light: set[int] = set()

    def unread(self) -> set[str]:
        """Return the files that must be read whole; those of which only imports were read so far."""
        linker = self._linker
        light = {place for place, module in enumerate(linker.modules) if module.facts.light}
        if not light:
            return set()
        self._light = light
        self._known.clear()
        edges = [[target for target, _ in node.edges] for node in linker.nodes]
        masks = able(linker.nodes)
        if not any(mask & STRONG for mask in masks):
            return set()
        by_name = self._by_name(masks)
        direct: dict[int, int] = {}
        beyond: list[set[int]] = [set() for _ in linker.modules]
        for place in light:
            mask = 0
            for module, name in self._find(place):
                if module in light:
                    beyond[place].add(module)
                else:
                    mask |= by_name[module].get(name, 0)
            direct[place] = mask
        found = {place for place, mask in direct.items() if mask & STRONG}
        strong = [
            place
            for place, node in enumerate(linker.nodes)
            if masks[place] & STRONG and node.reach in BY_ITSELF
        ]
        found.update(
            place for place in self._led_to(strong, edges) if self._may_have_part(place, direct, beyond)
        )
        return {
            linker.modules[place].path
            for place in found
            if linker.nodes[linker.ids[place][""]].reach in BY_ITSELF
        }

    def _by_name(self, masks: list[int]) -> list[dict[str, int]]:
        """Return of each module what the things in it can do, by the first part of their names."""
        found: list[dict[str, int]] = [{} for _ in self._linker.modules]
        for module, ids in enumerate(self._linker.ids):
            names = found[module]
            for scope, node in ids.items():
                if masks[node] and scope:
                    first = scope.partition(".")[0].rstrip("'")
                    names[first] = names.get(first, 0) | masks[node]
                    names[_ALL] = names.get(_ALL, 0) | masks[node]
        return found

    def _led_to(self, waiting: list[int], edges: list[list[int]]) -> set[int]:
        """Return the light modules that some nodes call."""
        linker, found, seen = self._linker, set(), set(waiting)
        while waiting:
            for target in edges[waiting.pop()]:
                module = linker.nodes[target].module
                if module in self._light:
                    found.add(module)
                elif target not in seen:
                    seen.add(target)
                    waiting.append(target)
        return found

    def _may_have_part(self, place: int, direct: dict[int, int], beyond: list[set[int]]) -> bool:
        """Tell whether a light module, or what it may call, may have a part in what calls it."""
        waiting, seen = [place], {place}
        while waiting:
            module = waiting.pop()
            if direct[module] or self._has_parts(self._linker.modules[module].path):
                return True
            new = beyond[module] - seen
            seen |= new
            waiting += new
        return False

    # --- what names may lead to -----------------------------------------------------------------------

    def _find(self, place: int) -> set[tuple[int, str]]:
        found: set[tuple[int, str]] = set()
        for name in self._linker.modules[place].facts.leads:
            if self._linker.may_be_ours(name):
                found |= self._led(place, name, _DEEP)
        return found

    def _led(self, place: int, name: str, deep: int) -> set[tuple[int, str]]:
        """Return names in modules that a dotted name may mean, seen from a module."""
        linker = self._linker
        if name[:1] == ":":
            return self._within(place, name[1:].replace("()", ""), deep)
        if not linker.may_be_ours(name):
            return set()
        whole, no_module = name.endswith(f".{_ALL}"), name.endswith(_NO_MODULE)
        bare = name[:-1] if whole or no_module else name
        dotted = linker.modules[place].absolute(bare).replace("()", "").rstrip(".")
        if whole:
            return self._below(dotted, deep)
        parts = dotted.split(".")
        for end in range(len(parts), 0, -1):
            module = linker.by_name.get(".".join(parts[:end]), -1)
            if module >= 0:
                if end == len(parts):
                    return set() if no_module else self._below(dotted, deep)
                return set() if module == place else self._within(module, ".".join(parts[end:]), deep)
        return set()

    def _below(self, dotted: str, deep: int) -> set[tuple[int, str]]:
        """Return all that a module has, and the modules below it."""
        key = (-1, dotted)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = set()  # what leads back to itself adds nothing
            for module in self._linker.below(dotted) if deep else ():
                found.add((module, _ALL))
                for exported in self._linker.exports[module].values():
                    if exported[:1] != ":":
                        found |= self._led(module, exported, deep - 1)
        return found

    def _within(self, module: int, name: str, deep: int) -> set[tuple[int, str]]:
        """Return what a name in a module may mean."""
        key = (module, name)
        found = self._known.get(key)
        if found is not None:
            return found
        found = self._known[key] = set()
        if not deep:
            return found
        linker = self._linker
        first, _, tail = name.partition(".")
        exported = linker.exports[module].get(first)
        if exported is not None and exported != f":{first}":
            found |= self._led(module, f"{exported}.{tail}" if tail else exported, deep - 1)
            return found
        found.add((module, first))
        for base in linker.bases[module].get(first, ()):
            found |= self._led(module, base, deep - 1)
        for dotted in linker.stars[module]:
            found |= self._led(module, f"{dotted.rstrip('.')}.{name}", deep - 1)
        return found


def senders(linker: Linker) -> set[int]:
    """Return the modules that reach the network or start a process by themselves."""
    return {
        node.module
        for node in linker.nodes
        if node.reach in BY_ITSELF and any(each.kind in _SENDS for each in node.capabilities)
    }
