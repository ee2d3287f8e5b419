"""What names may mean across the files of an archive, as far as imports and re-exports tell.

A name in a module may be defined there, be another name for something else, come from a base class, or from
any module whose names are all taken over. Each such question is a node of a graph, those that it leads to are
its edges, and what they come to is answered for all of them at once (``graph.closed``): names that lead back
to themselves, as those of packages do that import each other, are no special case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.source.graph import closed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from veln_hook.source.linking import Linker

ALL = "*"
"""In the place of a name: all that a module has."""
_NO_MODULE = "!"
_DEEP = 8
"""Parts of a dotted name that are looked at: re-exports of re-exports could make it longer for ever."""
_PACKAGE = -1
"""In the place of a module: a dotted name, and all below it."""


class Meanings:
    """Questions about names, and what they come to.

    Args:
        linker: Knows the files.
        whole: Bits of modules as a whole, by place: whatever is taken out of those means that.
        parts: Of each module, the bits of what is in it, by the first part of its name, and of ``ALL``.
    """

    def __init__(self, linker: Linker, whole: Mapping[int, int], parts: Sequence[Mapping[str, int]]) -> None:
        self._linker = linker
        self._whole, self._parts = whole, parts
        self._ids: dict[tuple[int, str], int] = {}
        self._asked: list[tuple[int, str]] = []
        self._own: list[int] = []
        self._edges: list[list[int]] = []
        self._stars: dict[int, tuple[set[int], int]] = {}
        self._telling: dict[str, list[int]] | None = None

    def starts(self, place: int) -> list[int]:
        """Return questions for all that a file of which only imports were read may call elsewhere."""
        return self._led(place, self._linker.modules[place].facts.leads)

    def values(self) -> list[int]:
        """Return what each question comes to: the bits of all that it may mean."""
        done = 0
        while done < len(self._asked):  # it grows while it is answered
            module, name = self._asked[done]
            edges = self._below(done, name) if module == _PACKAGE else self._within(done, module, name)
            self._edges.append(edges)
            done += 1
        return closed(self._own, self._edges).bits

    def _ask(self, module: int, name: str) -> int:
        key = (module, name)
        found = self._ids.get(key)
        if found is None:
            found = self._ids[key] = len(self._asked)
            self._asked.append(key)
            self._own.append(0)
        return found

    def _led(self, place: int, names: Iterable[str]) -> list[int]:
        """Return questions for dotted names, seen from a module."""
        linker, found = self._linker, []
        module = linker.modules[place]
        for name in names:
            if name[:1] == ":":
                found.append(self._ask(place, _shortened(name[1:].replace("()", ""))))
            elif name[:1] == "/":
                files, rest = linker.names.in_files(name)
                found += [self._ask(file, _shortened(rest)) for file in files if rest and file != place]
            elif linker.names.may_be_ours(name):
                whole, no_module = name.endswith(f".{ALL}"), name.endswith(_NO_MODULE)
                dotted = module.absolute(name[:-1] if whole or no_module else name)
                dotted = dotted.replace("()", "").rstrip(".")
                if whole:
                    found.append(self._ask(_PACKAGE, dotted))
                else:
                    found += self._dotted(place, dotted, no_module=no_module)
        return found

    def _dotted(self, place: int, dotted: str, *, no_module: bool = False) -> list[int]:
        module, rest = self._linker.names.owner(dotted)
        if module is None or not rest:
            return [] if module is None or no_module else [self._ask(_PACKAGE, dotted)]
        return [] if module == place else [self._ask(module, _shortened(rest))]

    def _below(self, question: int, dotted: str) -> list[int]:
        """Answer for all that a module has, and the modules below it."""
        found = []
        for module in self._linker.names.below(dotted):
            self._own[question] |= self._bits(module, ALL)
            names = [name for name in self._linker.exports[module].values() if name[:1] != ":"]
            found += self._led(module, names)
        return found

    def _within(self, question: int, module: int, name: str) -> list[int]:
        """Answer for a name in a module."""
        linker = self._linker
        first, _, tail = name.partition(".")
        exported = linker.exports[module].get(first)
        if exported is not None and exported != f":{first}":
            return self._led(module, [f"{exported}.{tail}" if tail else exported])
        self._own[question] = self._bits(module, first)
        bases = linker.bases[module].get(first)
        found = self._led(module, bases) if bases else []
        if linker.stars[module]:
            taken_over, bits = self._starred(module)
            self._own[question] |= bits
            for place in self._tell(first):
                if place in taken_over:
                    found += self._dotted(module, f"{linker.modules[place].name}.{name}")
        return found

    def _bits(self, module: int, name: str) -> int:
        parts = self._parts[module]
        return self._whole.get(module) or parts.get(name, 0) | parts.get("__getattr__", 0)

    def _starred(self, module: int) -> tuple[set[int], int]:
        """Return the modules whose names a module takes over, even through others, and their bits."""
        known = self._stars.get(module)
        if known is not None:
            return known
        linker, found, bits = self._linker, {module}, 0
        waiting = [module]
        while waiting:
            place = waiting.pop()
            for dotted in linker.stars[place]:
                target = linker.names.by_name.get(linker.modules[place].absolute(dotted).rstrip("."))
                if target is not None and target not in found:
                    found.add(target)
                    bits |= self._whole.get(target, 0)
                    waiting.append(target)
        found.discard(module)
        self._stars[module] = found, bits
        return found, bits

    def _tell(self, name: str) -> list[int]:
        """Return the modules of which something is known about a name in them."""
        if self._telling is None:
            linker = self._linker
            telling: dict[str, list[int]] = {}
            for place, module in enumerate(linker.modules):
                exported = (each for each, dotted in linker.exports[place].items() if dotted != f":{each}")
                for each in {*exported, *linker.bases[place], *self._parts[place]}:
                    telling.setdefault(each, []).append(place)
                package, _, last = module.name.rpartition(".")
                if package in linker.names.by_name:
                    telling.setdefault(last, []).append(linker.names.by_name[package])
            self._telling = telling
        return self._telling.get(name, [])


def _shortened(name: str) -> str:
    """Return the first parts of a dotted name."""
    return name if name.count(".") < _DEEP else ".".join(name.split(".", _DEEP)[:_DEEP])
