"""What a module of an archive has from elsewhere, for the others that take it out of it.

``from .compat import requests`` names no network, and ``S.post(...)`` no session
where ``S`` was made in another file. A file is read by itself, so that what it does
depends on its bytes alone; where a name that it takes from another file turns out to
be something that matters, or data made of secrets, it is read again with that known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from veln_hook.source.imports import join
from veln_hook.source.prefilter import has_part_of, may_use
from veln_hook.source.vocabulary import ENVIRONMENTS, MATTER

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from veln_hook.source.facts import FileFacts
    from veln_hook.source.modules import Module

_ATTRIBUTE = re.compile(rb"\.([A-Za-z_][A-Za-z0-9_]*)")
_MAX = 400
"""Names of other modules that are known to one file."""


class Alias(NamedTuple):
    """What a name of another module is."""

    name: str = ""
    """Dotted name of something outside of the archive; empty if it is none."""
    taints: tuple[str, ...] = ()
    """What it was made of."""


def aliases(
    modules: Sequence[Module], sources: Mapping[str, bytes], senders: Container[int] = ()
) -> dict[int, dict[str, Alias]]:
    """Return what files take from other files of the archive, and what that is.

    Args:
        modules: Files of source.
        sources: Their bytes by path; what is not here is not asked about.
        senders: Places of those that may send secrets somewhere; for others these don't matter.

    Returns:
        By place in ``modules``: names as the file spells them, dots and all, and what they are.
    """
    by_name = {module.name: place for place, module in enumerate(modules) if module.name}
    tops = {name.partition(".")[0] for name in by_name}
    known = _known(modules, by_name, tops)
    if not any(known):
        return {}
    found: dict[int, dict[str, Alias]] = {}
    for place, module in enumerate(modules):
        data = sources.get(module.path)
        if data is None:
            continue
        taken = _Taken(module, data, by_name, known, sends=place in senders)
        for reference in _references(module.facts):
            if _is_ours(reference, tops):
                taken.look(reference)
            if len(taken.found) >= _MAX:
                break
        if taken.found:
            found[place] = taken.found
    return found


def _known(modules: Sequence[Module], by_name: Mapping[str, int], tops: set[str]) -> list[dict[str, Alias]]:
    """Return of each module its names of what is elsewhere and matters."""
    known: list[dict[str, Alias]] = []
    takers: dict[int, list[tuple[int, str, str]]] = {}
    """By module: who takes what out of it, and under which name."""
    for place, module in enumerate(modules):
        names = {name: Alias("", taints) for name, taints in module.facts.secrets}
        for name, dotted in module.facts.exports:
            if dotted in MATTER:
                names[name] = Alias(dotted)
                continue
            if not _is_ours(dotted, tops):
                continue
            owner, last = _owner(module.absolute(dotted).rstrip("."), name, by_name)
            if owner is not None:
                takers.setdefault(owner, []).append((place, name, last))
        known.append(names)
    waiting = [place for place, names in enumerate(known) if names]
    while waiting:
        owner = waiting.pop()
        for place, name, last in takers.get(owner, ()):
            if _pass_on(known[place], name, known[owner], last):
                waiting.append(place)
    return known


def _is_ours(dotted: str, tops: set[str]) -> bool:
    """Tell whether a name may be one of this archive; most are another project's."""
    return dotted[:1] == "." or dotted.partition(".")[0] in tops


def _owner(absolute: str, name: str, by_name: Mapping[str, int]) -> tuple[int | None, str]:
    """Return the module that a name is taken from, and its name there."""
    if name[:1] == "*":
        return by_name.get(absolute), "*"
    package, _, last = absolute.rpartition(".")
    return by_name.get(package), last


def _pass_on(names: dict[str, Alias], name: str, others: Mapping[str, Alias], last: str) -> bool:
    """Take over what another module has; tell whether that was new."""
    taken = others if last == "*" else {name: others[last]} if last in others else {}
    new = {each: alias for each, alias in taken.items() if each not in names}
    names.update(new)
    return bool(new)


def _references(facts: FileFacts) -> dict[str, None]:
    """Return what a file imports, anywhere in it, as it is spelled there."""
    if facts.light:
        leads = (lead.rstrip("*!") for lead in facts.leads)
        return dict.fromkeys((*leads, *(name for name in facts.imports if name[:1] != ".")))
    inner = (call.target[1:] for scope in facts.scopes for call in scope.calls if call.target[:1] == "@")
    imports = (*facts.imports, *inner)
    # 'from a import b' names a, too, of which it takes nothing but b, unless it takes all.
    stars = {name[1:] for name, _ in facts.exports if name[:1] == "*"}
    bases = {name.rpartition(".")[0] for name in imports} - stars
    return dict.fromkeys(name for name in imports if name not in bases and name.strip("."))


class _Taken:
    """What one file takes out of others."""

    def __init__(
        self,
        module: Module,
        data: bytes,
        by_name: Mapping[str, int],
        known: Sequence[Mapping[str, Alias]],
        *,
        sends: bool,
    ) -> None:
        self.found: dict[str, Alias] = {}
        self._module = module
        self._data = data
        self._by_name = by_name
        self._known = known
        self._sends = sends
        self._stars = {name[1:].rstrip(".") for name, _ in module.facts.exports if name[:1] == "*"}
        self._attributes: set[str] | None = None

    def look(self, reference: str) -> None:
        """Look at what may be taken out of what an import names."""
        absolute = self._module.absolute(reference).rstrip(".")
        owner, _, last = absolute.rpartition(".")
        place = self._by_name.get(owner)
        if place is not None and last in self._known[place]:
            self._add(reference, self._known[place][last], last)
            return
        place = self._by_name.get(absolute)
        if place is None or self._module.name == absolute:
            return
        names = set(self._known[place])
        if reference.rstrip(".") not in self._stars:
            names &= self._taken_as_attributes()
        for name in sorted(names):
            self._add(join(reference, name), self._known[place][name], name)

    def _add(self, spelled: str, alias: Alias, name: str) -> None:
        if alias.taints or alias.name in ENVIRONMENTS:
            matters = self._sends
        else:
            # Secrets and the like count where something else does that can be seen.
            matters = may_use(self._data, alias.name, name) or (
                not self._module.facts.light and has_part_of(self._data, alias.name)
            )
        if matters:
            self.found[spelled] = alias

    def _taken_as_attributes(self) -> set[str]:
        if self._attributes is None:
            self._attributes = {name.decode() for name in _ATTRIBUTE.findall(self._data)}
        return self._attributes
