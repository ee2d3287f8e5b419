"""From the facts of files to those of their archive: who calls whom, what runs when, what meets what.

The call graph has a node for every scope. What runs when is spread from its
roots along the calls and imports; two capabilities are tied where one scope reaches
both. Data that a function returns or is given is followed by ``flows``.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from veln_hook.source.building import ALL
from veln_hook.source.callbacks import called, gift, is_conditional
from veln_hook.source.classes import Classes, Tables, is_implicit
from veln_hook.source.facts import BUILD, ELEMENT, METACLASS, REACHES, SCRIPT, Placed
from veln_hook.source.flows import Flows
from veln_hook.source.graph import Node, able, ties
from veln_hook.source.modules import MAX_EXPORTS, Names
from veln_hook.source.vocabulary import HANDOVER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from veln_hook.source.facts import Capability, FileFacts, Tie
    from veln_hook.source.modules import Module


class Linker:
    """Links the files of one archive.

    Args:
        modules: Its files of source.
        entry_points: ``(dotted name of a module or function, reach)`` of what is run besides.
        names: Theirs, if somebody has asked for those before.
    """

    def __init__(
        self,
        modules: Sequence[Module],
        entry_points: Sequence[tuple[str, str]] = (),
        names: Names | None = None,
    ) -> None:
        self.modules = list(modules)
        self._entry_points = entry_points
        self.names = names or Names(modules)
        self._by_path = {module.path: place for place, module in enumerate(modules)}
        self.nodes: list[Node] = []
        self.ids: list[dict[str, int]] = [{} for _ in modules]
        self.methods: list[dict[str, int]] = [{} for _ in modules]
        self._implicit: list[dict[str, list[int]]] = [{} for _ in modules]
        """Of each module, by class: what runs when one is made, or an operator is used with one."""
        self._owned: list[dict[str, list[int]]] = [{} for _ in modules]
        """Of each module, by class: all of its methods."""
        self.exports: list[dict[str, str]] = [{} for _ in modules]
        self.stars: list[list[str]] = [[] for _ in modules]
        """Of each module, those whose names it takes over."""
        self.bases: list[dict[str, list[str]]] = [{} for _ in modules]
        self._resolved_names: dict[int, dict[str, list[int]]] = defaultdict(dict)
        """By the module that a name is seen from."""
        self._defined: dict[int, set[str]] = {}
        self._light: set[int] = set()
        """Modules of which only imports were read."""
        self._callers: dict[int, set[int]] = {}
        """Nodes with calls that lead into one of those."""
        for place in range(len(self.modules)):
            self._add(place)
        self._classes = Classes(
            self.modules, self.names, Tables(self.ids, self._owned, self.exports, self.bases)
        )
        self._classes.read()
        for node in range(len(self.nodes)):
            self._connect(node)
        self._spread()

    def _add(self, place: int) -> list[int]:
        """Make the nodes of a module; its body keeps the node that it has."""
        facts = self.modules[place].facts
        if facts.light:
            self._light.add(place)
        else:
            self._light.discard(place)
        body = self.ids[place].get("")
        ids: dict[str, int] = {}
        methods: dict[str, int] = {}
        implicit: dict[str, list[int]] = {}
        owned: dict[str, list[int]] = {}
        for scope in facts.scopes:
            if scope.name == "" and body is not None:
                ids[""] = body
                self.nodes[body] = Node(place, scope)
                continue
            ids[scope.name] = len(self.nodes)
            owner, _, last = scope.name.rstrip("'").rpartition(".")
            if owner:
                methods[last] = -1 if last in methods else len(self.nodes)
                owned.setdefault(owner, []).append(len(self.nodes))
                if is_implicit(last):
                    implicit.setdefault(owner, []).append(len(self.nodes))
            self.nodes.append(Node(place, scope))
        self.ids[place], self.methods[place], self._implicit[place] = ids, methods, implicit
        self._owned[place] = owned
        self.exports[place] = dict(facts.exports)
        self.stars[place] = [dotted for name, dotted in facts.exports if name[:1] == "*"]
        bases: dict[str, list[str]] = {}
        for name, base in facts.bases:
            bases.setdefault(name, []).append(base)
        self.bases[place] = bases
        return list(ids.values())

    def read(self, files: Mapping[str, FileFacts]) -> None:
        """Put what is known of files in the place of their imports.

        Args:
            files: Facts by path.
        """
        again: set[int] = set()
        for path, facts in files.items():
            place = self._by_path[path]
            self.modules[place] = self.modules[place]._replace(facts=facts)
            again.update(self._add(place), self._callers.pop(place, ()))
        self._resolved_names.clear()
        self._defined.clear()
        self._classes.read()
        for node in again:
            self._connect(node)
        self._spread()

    def result(self) -> tuple[tuple[Placed, ...], tuple[Tie, ...]]:
        """Return all capabilities, and which of them belong together."""
        reached = able(self.nodes)
        for node, mask in zip(self.nodes, reached.bits):
            node.mask = mask
        flows = Flows(self.nodes, self.resolve)
        flows.follow()
        return self._result(reached.components, flows)

    # --- names ----------------------------------------------------------------------------------------

    def _connect(self, place: int) -> None:
        node = self.nodes[place]
        here = node.module
        edges: dict[int, set[str] | None] = {}
        node.gifts = []
        for name, taints in node.scope.calls:
            if is_conditional(name):
                self._give(place, name)
                continue
            targets = self._targets(here, name)
            for target in targets:
                carried = edges.setdefault(target, None)
                if taints:
                    edges[target] = {*carried, *taints} if carried else set(taints)
                if name[:1] != "@":
                    self._note_caller(place, target)
            for target in self._classes.unnamed(here, node.scope.name, name, found=bool(targets)):
                edges.setdefault(target, None)  # what it is given there nobody knows
        if not node.scope.name:
            for imported in self.modules[here].facts.imports:
                for target in self._imported(here, imported):
                    edges.setdefault(target, None)
        node.called = list(edges)
        node.given = [(target, taints) for target, taints in edges.items() if taints]

    def _give(self, place: int, name: str) -> None:
        """Note what a scope does with functions that others may call."""
        here = self.nodes[place].module
        given = gift(name, partial(self.resolve, here), partial(self._callee, here))
        if given is not None:
            self.nodes[place].gifts.append(given)
            for target in (*given.to, *given.functions):
                self._note_caller(place, target)

    def _note_caller(self, place: int, target: int) -> None:
        called = self.nodes[target].module
        if called in self._light:
            self._callers.setdefault(called, set()).add(place)

    def _targets(self, place: int, name: str) -> list[int]:
        """Return the nodes that a name means, seen from a module; most were asked for before."""
        found = self._resolved_names[place].get(name)
        return self.resolve(place, name) if found is None else found

    def resolve(self, place: int, target: str, depth: int = 0) -> list[int]:
        """Return the nodes that a name may mean, seen from a module."""
        if not self.names.may_be_ours(target):
            return []
        if depth > MAX_EXPORTS:
            return []
        known = self._resolved_names[place]
        found = known.get(target)
        if found is None:
            known[target] = []  # what leads back to itself means nothing
            found = known[target] = self._resolve(place, target, depth)
        return found

    def _resolve(self, place: int, target: str, depth: int) -> list[int]:
        if target.startswith("@"):
            return self._imported(place, target[1:])
        if target.startswith("/"):
            return self._in_files(place, target, depth)
        if target.startswith("?."):
            method = self.methods[place].get(target[2:], -1)
            return [method] if method >= 0 else []
        if target.endswith("()"):  # what a function gave is called
            return [*self._resolve_name(place, target, depth), *self._given(place, target[:-2], depth)]
        return self._resolve_name(place, target, depth)

    def _given(self, place: int, target: str, depth: int) -> list[int]:
        """Return the functions that one returns, each once: those may return each other."""
        found: dict[int, None] = {}
        for node in dict.fromkeys(self.resolve(place, target, depth + 1)):
            for given in self.nodes[node].scope.gives:
                found.update(dict.fromkeys(self.resolve(self.nodes[node].module, given, depth + 1)))
        return list(found)

    def _resolve_name(self, place: int, target: str, depth: int) -> list[int]:
        if target.startswith(":"):
            called = ".__call__" if target.endswith("()") else ""  # what a call returned is called
            name = target[1:].replace("()", "").replace(ELEMENT, "")
            found = self._local(place, f"{name}{called}", depth) if called else []
            return found or self._local(place, name, depth)
        return self._dotted(place, self.modules[place].absolute(target).replace("()", ""), depth)

    def _dotted(self, place: int, dotted: str, depth: int) -> list[int]:
        module, rest = self.names.owner(dotted)
        if module is None:
            return []
        body = self.ids[module].get("")
        found = [body] if body is not None and module != place else []
        if rest is None:
            return found
        first, dot, tail = rest.partition(".")
        exported = self.exports[module].get(first)
        if exported is not None and module != place:
            return found + self.resolve(module, f"{exported}{dot}{tail}", depth + 1)
        return found + (
            self._local(module, rest, depth)
            or self._starred(module, rest, depth)
            or self._asked(place, module, first)
        )

    def _asked(self, place: int, module: int, name: str) -> list[int]:
        """Return what answers for names that a module doesn't have (PEP 562)."""
        answers = self.ids[module].get("__getattr__")
        if answers is None or place == module or name[:2] == "__" or name in self._firsts(module):
            return []
        return [answers]

    def _in_files(self, place: int, target: str, depth: int) -> list[int]:
        """Return what a file's path, or its end, and a name behind it mean."""
        modules, rest = self.names.in_files(target)
        found: list[int] = []
        for module in modules:
            if module != place:
                found += [self.ids[module][""]] if "" in self.ids[module] else []
                found += self._local(module, rest, depth) if rest else []
        return found

    def _starred(self, module: int, rest: str, depth: int) -> list[int]:
        """Return what a name means that a module may have from a star import."""
        if depth > MAX_EXPORTS:
            return []
        first = rest.partition(".")[0]
        for dotted in self.stars[module]:
            place = self.names.by_name.get(self.modules[module].absolute(dotted).rstrip("."))
            if place is None or place == module:
                continue
            known = first in self.exports[place] or first in self._firsts(place)
            if known or self.modules[place].facts.light:  # what a light one defines nobody knows
                return self.resolve(module, f"{self.modules[place].name}.{rest}", depth + 1)
            found = self._starred(place, rest, depth + 1)
            if found:
                return found
        return []

    def _firsts(self, place: int) -> set[str]:
        """Return the names that a module defines."""
        known = self._defined.get(place)
        if known is None:
            known = self._defined[place] = {name.partition(".")[0].rstrip("'") for name in self.ids[place]}
        return known

    def _imported(self, place: int, target: str) -> list[int]:
        """Return the module bodies that an import runs: those of the packages above, too."""
        if not self.names.may_be_ours(target):
            return []
        dotted = self.modules[place].absolute(target)
        modules = self.names.imported(dotted)
        found = [self.ids[module][""] for module in modules if module != place and "" in self.ids[module]]
        owner, name = self.names.owner(dotted)
        if owner is not None and name and name not in self.exports[owner]:
            found += self._asked(place, owner, name)
        return found

    def _local(self, place: int, name: str, depth: int) -> list[int]:
        ids = self.ids[place]
        names = [name, f"{name}'"]
        if name.endswith(".start"):  # of a thread or process
            names.append(f"{name[:-5]}run")
        found = [ids[each] for each in names if each in ids]
        found += self._implicit[place].get(name, ())
        for maker in self.bases[place].get(f"{name}{METACLASS}", ()):  # calling a class calls that
            found += self.resolve(place, f"{maker}.__call__", depth + 1)
        if found:
            return found
        owner, _, method = name.rpartition(".")
        for class_name, wanted in ((owner, method), (name, "__init__")):
            for base in self.bases[place].get(class_name, ()):
                inherited = self.resolve(place, f"{base}.{wanted}", depth + 1)
                if inherited:
                    return inherited
        return []

    # --- what runs when -------------------------------------------------------------------------------

    def _spread(self) -> None:
        for node in self.nodes:
            node.reached, node.reach = False, len(REACHES) - 1
            node.targets = node.called
        for place, functions in called(self.nodes, self._inner):
            node = self.nodes[place]
            node.targets = list(dict.fromkeys((*node.targets, *functions)))
        roots = self._roots()
        for level, reach in enumerate(REACHES[:-1]):
            # The worst first: what was visited before is reached in a worse way already.
            waiting = roots[reach]
            while waiting:
                node = self.nodes[waiting.pop()]
                if node.reached:
                    continue
                node.reached, node.reach = True, level
                waiting += node.targets
                if reach == BUILD:
                    waiting += self._classes.commands(node.module)

    def _callee(self, place: int, target: str) -> list[int]:
        """Return the nodes that a call of something means; of what a function gave, those that it gave."""
        if not target.endswith("()"):
            return self.resolve(place, target)
        made = target[:-2]
        return [*self.resolve(place, f"{made}.__call__"), *self._given(place, made, 0)]

    def _inner(self, place: int) -> list[int]:
        """Return the functions inside of a function; of ``__init__``, the methods of its class."""
        node = self.nodes[place]
        return self._owned[node.module].get(node.scope.name.removesuffix(".__init__"), [])

    def _roots(self) -> dict[str, list[int]]:
        """Return what runs without being called, by how it comes to run."""
        roots: dict[str, list[int]] = {reach: [] for reach in REACHES}
        for place, module in enumerate(self.modules):
            for reach in module.roots:
                for name in ("", "__main__") if reach == BUILD else ("",):
                    if name in self.ids[place]:
                        roots[reach].append(self.ids[place][name])
            if "__getattr__" in self.ids[place] and module.roots:
                # Of a module, 'from it import anything' asks that for '__path__' (importlib, PEP 562).
                roots[module.roots[0]].append(self.ids[place]["__getattr__"])
            if "__main__" in self.ids[place]:
                roots[SCRIPT].append(self.ids[place]["__main__"])
        for dotted, reach in self._entry_points if self.modules else ():
            if dotted.endswith(f".py{ALL}"):
                files, _ = self.names.in_files(dotted[: -len(ALL)])
                roots[reach] += [node for place in files for node in self.ids[place].values()]
            else:
                roots[reach] += self.resolve(-1, dotted)
        return roots

    # --- what meets what ------------------------------------------------------------------------------

    def _result(self, components: Sequence[int], flows: Flows) -> tuple[tuple[Placed, ...], tuple[Tie, ...]]:
        placed: list[Placed] = []
        own: list[list[int]] = []
        for node in self.nodes:
            here = []
            for capability in node.capabilities:
                if capability.kind == HANDOVER and self.names.may_be_ours(capability.detail):
                    continue  # to a function of the archive, which is followed
                here.append(len(placed))
                placed.append(self._place(node, capability, flows.taints(node, capability.taints)))
            own.append(here)
        return tuple(placed), tuple(ties(self.nodes, components, placed, own))

    def _place(self, node: Node, capability: Capability, taints: set[str]) -> Placed:
        return Placed(
            capability.kind,
            REACHES[node.reach],
            self.modules[node.module].path,
            capability.line,
            capability.detail,
            capability.evidence,
            tuple(sorted(taints)),
            capability.flags,
            node.scope.name,
        )
