"""What a module of an archive has from elsewhere, for the others that take it out of it.

``from .compat import requests`` names no network, and ``S.post(...)`` no session
where ``S`` was made in another file. A file is read by itself, so that what it does
depends on its bytes alone; where a name that it takes from another file turns out to
be something that matters, or data made of secrets, it is read again with that known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from veln_hook.source.encodings import readable
from veln_hook.source.imports import join
from veln_hook.source.lexing import code_of
from veln_hook.source.parts import has_part_of
from veln_hook.source.prefilter import may_use, named_attributes
from veln_hook.source.vocabulary import ENVIRONMENTS, MATTER

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from veln_hook.source.facts import FileFacts
    from veln_hook.source.modules import Module, Names

_ATTRIBUTE = re.compile(rb"\.[ \t\n]*([A-Za-z_][A-Za-z0-9_]*)")
_MAX = 400
"""Names of other modules that are known to one file."""


class Alias(NamedTuple):
    """What a name of another module is."""

    name: str = ""
    """Dotted name of something outside of the archive; empty if it is none."""
    taints: tuple[str, ...] = ()
    """What it was made of."""


class Aliases:
    """Tells what files take from other files of the archive, again whenever more of them has been read.

    Args:
        modules: Files of source; nothing but their facts may be others when it is asked.
        names: Theirs.
        sources: Their bytes by path; what is not here is not asked about.
    """

    def __init__(self, modules: Sequence[Module], names: Names, sources: Mapping[str, bytes]) -> None:
        self._names = names
        self._files = [_File(sources.get(module.path)) for module in modules]

    def taken(self, modules: Sequence[Module], senders: Container[int] = ()) -> dict[int, dict[str, Alias]]:
        """Return what files take from others, and what that is.

        Args:
            modules: The files, with what is known of them by now.
            senders: Places of those that may send secrets somewhere; for others these don't matter.

        Returns:
            By place in ``modules``: names as the file spells them, dots and all, and what they are.
        """
        for file, module in zip(self._files, modules):
            if module.facts is not file.facts:
                file.read(module, self._names)
        known = self._known()
        if not any(known):
            return {}
        found = {}
        for place, file in enumerate(self._files):
            taken = file.taken(known, sends=place in senders)
            if taken:
                found[place] = taken
        return found

    def _known(self) -> list[dict[str, Alias]]:
        """Return of each module its names of what is elsewhere and matters."""
        known = [dict(file.own) for file in self._files]
        takers: dict[int, list[tuple[int, str, str]]] = {}
        """By module: who takes what out of it, and under which name."""
        for place, file in enumerate(self._files):
            for owner, name, last in file.takes:
                takers.setdefault(owner, []).append((place, name, last))
        waiting = [place for place, names in enumerate(known) if names]
        while waiting:
            owner = waiting.pop()
            for place, name, last in takers.get(owner, ()):
                if _pass_on(known[place], name, known[owner], last):
                    waiting.append(place)
        return known


class _Reference(NamedTuple):
    """What one import of a file names, in the archive."""

    spelled: str
    owner: int | None
    """The module that it may be a name of, if there is one."""
    last: str
    """Its name there."""
    module: int | None
    """The module that it may be itself."""
    whole: bool
    """Whether all names of that one are taken over."""


class _File:
    """What aliases need of one file: it is worked out once for what is known of the file.

    Args:
        data: Its bytes; ``None`` if it isn't to be asked about.
    """

    def __init__(self, data: bytes | None) -> None:
        self._data = data or b""
        self._is_asked_about = data is not None
        self._is_light = False
        self.facts: FileFacts | None = None
        self.own: dict[str, Alias] = {}
        """Names of what matters, which it has by itself."""
        self.takes: list[tuple[int, str, str]] = []
        """The modules that it has names from, its name for each, and that one's name."""
        self._references: list[_Reference] = []
        self._attributes: set[str] | None = None
        self._text: bytes | None = None
        self._named: bytes | None = None
        self._uses: dict[tuple[str, str], bool] = {}

    def read(self, module: Module, names: Names) -> None:
        """Take what is known of the file now."""
        self.facts = facts = module.facts
        self._is_light, self._uses = facts.light, {}
        by_name = names.by_name
        self.own, self.takes = {name: Alias("", taints) for name, taints in facts.secrets}, []
        for name, dotted in facts.exports:
            if dotted in MATTER:
                self.own[name] = Alias(dotted)
            elif names.may_be_ours(dotted):
                owner, last = _owner(module.absolute(dotted).rstrip("."), name, by_name)
                if owner is not None:
                    self.takes.append((owner, name, last))
        stars = {name[1:].rstrip(".") for name, _ in facts.exports if name[:1] == "*"}
        self._references = []
        for spelled in _references(facts) if self._is_asked_about else ():
            if not names.may_be_ours(spelled):
                continue
            absolute = module.absolute(spelled).rstrip(".")
            package, _, last = absolute.rpartition(".")
            owner, inner = by_name.get(package), by_name.get(absolute)
            if module.name == absolute:
                inner = None
            if owner is not None or inner is not None:
                self._references.append(_Reference(spelled, owner, last, inner, spelled.rstrip(".") in stars))

    def taken(self, known: Sequence[Mapping[str, Alias]], *, sends: bool) -> dict[str, Alias]:
        """Return what the file takes from others.

        Args:
            known: Of each module its names of what is elsewhere and matters.
            sends: Whether it may send secrets somewhere.
        """
        found: dict[str, Alias] = {}
        for spelled, owner, last, module, whole in self._references:
            if owner is not None and last in known[owner]:
                taken = {spelled: (last, known[owner][last])}
            elif module is not None and known[module]:
                names = known[module] if whole else known[module].keys() & self._taken_as_attributes()
                taken = {join(spelled, name): (name, known[module][name]) for name in sorted(names)}
            else:
                continue
            for dotted, (name, alias) in taken.items():
                if self._matters(alias, name, sends=sends):
                    found[dotted] = alias
            if len(found) >= _MAX:
                break
        return found

    def _matters(self, alias: Alias, name: str, *, sends: bool) -> bool:
        if alias.taints or alias.name in ENVIRONMENTS:
            return sends
        used = self._uses.get((alias.name, name))
        if used is None:
            used = self._uses[alias.name, name] = self._may_use(alias.name, name)
        return used

    def _may_use(self, dotted: str, name: str) -> bool:
        # Secrets and the like count where something else does that can be seen.
        return may_use(self._code(), dotted, name) or (
            not self._is_light and has_part_of(self._readable(), dotted)
        )

    def _readable(self) -> bytes:
        if self._text is None:
            self._text = readable(self._data)
        return self._text

    def _code(self) -> bytes:
        if self._named is None:
            code = code_of(self._readable())
            self._named = self._readable() if code is None else named_attributes(code)
        return self._named

    def _taken_as_attributes(self) -> set[str]:
        if self._attributes is None:
            self._attributes = {name.decode() for name in _ATTRIBUTE.findall(self._readable())}
        return self._attributes


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
