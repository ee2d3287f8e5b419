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
from veln_hook.source.graph import BITS, STRONG, closed
from veln_hook.source.meanings import ALL, Meanings
from veln_hook.source.vocabulary import DNS, NET, PROC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from veln_hook.source.linking import Linker

BY_ITSELF = frozenset(REACHES.index(reach) for reach in (STARTUP, BUILD, IMPORT))
_SENDS = frozenset((NET, DNS, PROC))
_KINDS = len(BITS)
"""Bits of what is read that tell what it can do; those above are of files of which only imports were read."""


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

    def unread(self) -> set[str]:
        """Return the files that must be read whole; those of which only imports were read so far."""
        linker = self._linker
        light = [place for place, module in enumerate(linker.modules) if module.facts.light]
        masks = self._masks() if light else []
        if not any(mask & STRONG for mask in masks):
            return set()
        reached = self._reached(light, masks)
        found = {place for place in light if reached[place] & STRONG} | self._calling_back(masks, set(light))
        strong = [
            place
            for place, node in enumerate(linker.nodes)
            if masks[place] & STRONG and node.reach in BY_ITSELF
        ]
        found.update(
            place for place in self._led_to(strong, set(light)) if self._may_have_part(place, light, reached)
        )
        return {
            linker.modules[place].path
            for place in found
            if linker.nodes[linker.ids[place][""]].reach in BY_ITSELF
        }

    def _calling_back(self, masks: list[int], light: set[int]) -> set[int]:
        """Return the light modules that may call what leads to what matters, having been given it.

        As an argument, or as methods of a class derived from one of theirs.
        """
        linker = self._linker
        nodes = linker.nodes
        given = [
            gift.to
            for node in nodes
            if node.reach in BY_ITSELF
            for gift in node.gifts
            if any(masks[each] & STRONG for each in gift.functions)
        ]
        derived = (
            linker.resolve(node.module, base)
            for place, node in enumerate(nodes)
            if masks[place] & STRONG and "." in node.scope.name
            for base in linker.bases[node.module].get(node.scope.name.rpartition(".")[0], ())
        )
        return {nodes[each].module for several in (*given, *derived) for each in several} & light

    def _masks(self) -> list[int]:
        """Return of each node the kinds of all that it may come to, by calling what it returns, too."""
        nodes, resolve = self._linker.nodes, self._linker.resolve
        edges = [
            [*node.targets, *(target for given in node.scope.gives for target in resolve(node.module, given))]
            if node.scope.gives
            else node.targets
            for node in nodes
        ]
        return closed([node.kinds for node in nodes], edges).bits

    def _reached(self, light: list[int], masks: list[int]) -> dict[int, int]:
        """Return what each of some files may call: kinds, and above them a bit for each of the same files."""
        by_name = self._by_name(masks)
        bits = {place: 1 << (_KINDS + number) for number, place in enumerate(light)}
        meanings = Meanings(self._linker, bits, by_name)
        asked = {place: meanings.starts(place) for place in light}
        values = meanings.values()
        found = {}
        for place, starts in asked.items():
            found[place] = 0
            for start in starts:
                found[place] |= values[start]
        return found

    def _by_name(self, masks: list[int]) -> list[dict[str, int]]:
        """Return of each module what the things in it can do, by the first part of their names."""
        found: list[dict[str, int]] = [{} for _ in self._linker.modules]
        for module, ids in enumerate(self._linker.ids):
            names = found[module]
            for scope, node in ids.items():
                if masks[node] and scope:
                    first = scope.partition(".")[0].rstrip("'")
                    names[first] = names.get(first, 0) | masks[node]
                    names[ALL] = names.get(ALL, 0) | masks[node]
        return found

    def _led_to(self, waiting: list[int], light: set[int]) -> set[int]:
        """Return the light modules that some nodes call."""
        nodes, found, seen = self._linker.nodes, set(), set(waiting)
        while waiting:
            for target in nodes[waiting.pop()].targets:
                module = nodes[target].module
                if module in light:
                    found.add(module)
                elif target not in seen:
                    seen.add(target)
                    waiting.append(target)
        return found

    def _may_have_part(self, place: int, light: list[int], reached: dict[int, int]) -> bool:
        """Tell whether a light module, or what it may call, may have a part in what calls it."""
        waiting, seen = [place], {place}
        while waiting:
            module = waiting.pop()
            if reached[module] & ((1 << _KINDS) - 1) or self._has_parts(self._linker.modules[module].path):
                return True
            new = {light[number] for number in _set_bits(reached[module] >> _KINDS)} - seen
            seen |= new
            waiting += new
        return False


def _set_bits(number: int) -> Iterator[int]:
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest


def senders(linker: Linker) -> set[int]:
    """Return the modules that reach the network or start a process by themselves."""
    return {
        node.module
        for node in linker.nodes
        if node.reach in BY_ITSELF and any(each.kind in _SENDS for each in node.capabilities)
    }
