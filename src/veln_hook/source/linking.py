"""From the facts of files to those of their archive: who calls whom, what runs when, what meets what.

The call graph has a node for every scope. What runs when is spread from its
roots along the calls and imports; data that a function returns or is given is
followed for a few rounds; two capabilities are tied where one scope reaches both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from veln_hook.source.facts import BUILD, METACLASS, REACHES, SCRIPT, Placed
from veln_hook.source.graph import Node, able, ties

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from veln_hook.source.facts import Capability, FileFacts, Tie
    from veln_hook.source.modules import Module

_ROUNDS = 4
"""How many calls deep data is followed."""
_MADE = ("__init__", "__new__", "__post_init__", "__del__")
"""What runs when a class is called, or what comes of it is; and when that goes."""
_COMMAND_METHODS = (
    "run",
    "initialize_options",
    "finalize_options",
    "__init__",
    "do_egg_install",
    "execute",
    "build_extension",
    "build_extensions",
)
_COMMAND_BASES = (
    "install", "develop", "egg_info", "build_py", "build_ext", "build", "sdist", "Command", "bdist_wheel",
    "bdist_egg", "install_lib", "easy_install", "build_clib", "build_scripts", "install_scripts",
    "editable_wheel", "test",
)  # fmt: skip


class _Sources(NamedTuple):
    """Where the taints of some data come from; the nodes' own sets, which grow while data is followed."""

    fixed: set[str]
    arguments: set[str]
    """What callers give, where that counts."""
    returned: list[set[str]]
    """What functions return."""

    def taints(self) -> set[str]:
        """Return all of them as known by now."""
        # Any caller's arguments, whichever parameter they were: that is less sure.
        return self.fixed.union(*self.returned, (f"~{each.lstrip('~')}" for each in self.arguments))


class Linker:
    """Links the files of one archive.

    Args:
        modules: Its files of source.
        entry_points: ``(dotted name of a module or function, reach)`` of what is run besides.
    """

    def __init__(self, modules: Sequence[Module], entry_points: Sequence[tuple[str, str]] = ()) -> None:
        self.modules = list(modules)
        self._entry_points = entry_points
        self.by_name = {module.name: place for place, module in enumerate(modules) if module.name}
        self._tops = {name.partition(".")[0] for name in self.by_name}
        self._by_path = {module.path: place for place, module in enumerate(modules)}
        self.nodes: list[Node] = []
        self.ids: list[dict[str, int]] = [{} for _ in modules]
        self.methods: list[dict[str, int]] = [{} for _ in modules]
        self.exports: list[dict[str, str]] = [{} for _ in modules]
        self.stars: list[list[str]] = [[] for _ in modules]
        """Of each module, those whose names it takes over."""
        self.bases: list[dict[str, list[str]]] = [{} for _ in modules]
        self._resolved_names: dict[tuple[int, str], list[int]] = {}
        self._defined: dict[int, set[str]] = {}
        self._below: dict[str, list[int]] | None = None
        self._ours: dict[str, bool] = {}
        self._packages: dict[str, list[int]] = {}
        """By absolute name of what is imported: the modules whose bodies that runs."""
        self._callers: dict[int, set[int]] = {}
        """Nodes with calls that lead into a module of which only imports were read."""
        for place in range(len(self.modules)):
            self._add(place)
        for node in range(len(self.nodes)):
            self._connect(node)
        self._spread()

    def _add(self, place: int) -> list[int]:
        """Make the nodes of a module; its body keeps the node that it has."""
        facts = self.modules[place].facts
        body = self.ids[place].get("")
        ids: dict[str, int] = {}
        methods: dict[str, int] = {}
        for scope in facts.scopes:
            if scope.name == "" and body is not None:
                ids[""] = body
                self.nodes[body] = Node(place, scope)
                continue
            ids[scope.name] = len(self.nodes)
            owner, _, last = scope.name.rstrip("'").rpartition(".")
            if owner:
                methods[last] = -1 if last in methods else len(self.nodes)
            self.nodes.append(Node(place, scope))
        self.ids[place], self.methods[place] = ids, methods
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
        for node in again:
            self._connect(node)
        self._spread()

    def result(self) -> tuple[tuple[Placed, ...], tuple[Tie, ...]]:
        """Return all capabilities, and which of them belong together."""
        reached = able(self.nodes)
        for node, mask in zip(self.nodes, reached.bits):
            node.mask = mask
        self._follow()
        return self._result(reached.components)

    # --- names ----------------------------------------------------------------------------------------

    def may_be_ours(self, name: str) -> bool:
        """Tell whether a name may be one of this archive."""
        found = self._ours.get(name)
        if found is None:
            found = self._ours[name] = (
                name[:1] in ".:?@" or name.partition(".")[0].partition("(")[0] in self._tops
            )
        return found

    def below(self, package: str) -> list[int]:
        """Return a module, and those of the package that it is."""
        if self._below is None:
            self._below = {}
            for name, place in self.by_name.items():
                parts = name.split(".")
                for end in range(1, len(parts) + 1):
                    self._below.setdefault(".".join(parts[:end]), []).append(place)
        return self._below.get(package, [])

    def _connect(self, place: int) -> None:
        node = self.nodes[place]
        edges: dict[int, set[str]] = {}
        for call in node.scope.calls:
            for target in self.resolve(node.module, call.target):
                edges.setdefault(target, set()).update(call.taints)
                called = self.nodes[target].module
                if self.modules[called].facts.light and not call.target.startswith("@"):
                    self._callers.setdefault(called, set()).add(place)
        module = self.modules[node.module]
        if not node.scope.name:
            for imported in module.facts.imports:
                for target in self._imported(node.module, imported):
                    edges.setdefault(target, set())
        node.edges = [(target, tuple(taints)) for target, taints in edges.items()]

    def resolve(self, place: int, target: str, depth: int = 0) -> list[int]:
        """Return the nodes that a name may mean, seen from a module."""
        if not self.may_be_ours(target):
            return []  # another project's, as most are
        if depth > 5:  # noqa: PLR2004 - re-exports of re-exports
            return []
        key = (place, target)
        found = self._resolved_names.get(key)
        if found is None:
            self._resolved_names[key] = []  # what leads back to itself means nothing
            found = self._resolved_names[key] = self._resolve(place, target, depth)
        return found

    def _resolve(self, place: int, target: str, depth: int) -> list[int]:
        if target.startswith("@"):
            return self._imported(place, target[1:])
        if target.startswith("?."):
            method = self.methods[place].get(target[2:], -1)
            return [method] if method >= 0 else []
        if target.startswith(":"):
            called = ".__call__" if target.endswith("()") else ""  # what a call returned is called
            name = target[1:].replace("()", "")
            found = self._local(place, f"{name}{called}", depth) if called else []
            return found or self._local(place, name, depth)
        return self._dotted(place, self.modules[place].absolute(target).replace("()", ""), depth)

    def _dotted(self, place: int, dotted: str, depth: int) -> list[int]:
        parts = dotted.split(".") if dotted else []
        for end in range(len(parts), 0, -1):
            module = self.by_name.get(".".join(parts[:end]))
            if module is not None:
                rest = parts[end:]
                body = self.ids[module].get("")
                found = [body] if body is not None and module != place else []
                if not rest:
                    return found
                exported = self.exports[module].get(rest[0])
                if exported is not None and module != place:
                    tail = "".join(f".{part}" for part in rest[1:])
                    return found + self.resolve(module, exported + tail, depth + 1)
                return found + (
                    self._local(module, ".".join(rest), depth) or self._starred(module, rest, depth)
                )
        return []

    def _starred(self, module: int, rest: list[str], depth: int) -> list[int]:
        """Return what a name means that a module may have from a star import."""
        if depth > 5:  # noqa: PLR2004 - as for names
            return []
        for dotted in self.stars[module]:
            place = self.by_name.get(self.modules[module].absolute(dotted).rstrip("."))
            if place is None or place == module:
                continue
            known = rest[0] in self.exports[place] or rest[0] in self._firsts(place)
            if known or self.modules[place].facts.light:  # what a light one defines nobody knows
                return self.resolve(module, ".".join((self.modules[place].name, *rest)), depth + 1)
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
        if not self.may_be_ours(target):
            return []
        dotted = self.modules[place].absolute(target)
        modules = self._packages.get(dotted)
        if modules is None:
            parts = dotted.split(".")
            names = (".".join(parts[:end]) for end in range(1, len(parts) + 1))
            modules = self._packages[dotted] = [self.by_name[name] for name in names if name in self.by_name]
        return [self.ids[module][""] for module in modules if module != place and "" in self.ids[module]]

    def _local(self, place: int, name: str, depth: int) -> list[int]:
        ids = self.ids[place]
        names = [name, f"{name}'", *(f"{name}.{each}" for each in _MADE)]
        if name.endswith(".start"):  # of a thread or process
            names.append(f"{name[:-5]}run")
        found = [ids[each] for each in names if each in ids]
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
        roots = self._roots()
        for level, reach in enumerate(REACHES[:-1]):
            # The worst first: what was visited before is reached in a worse way already.
            waiting = roots[reach]
            while waiting:
                node = self.nodes[waiting.pop()]
                if node.reached:
                    continue
                node.reached, node.reach = True, level
                waiting += [target for target, _ in node.edges]
                if reach == BUILD:
                    waiting += self._commands(node.module)

    def _roots(self) -> dict[str, list[int]]:
        """Return what runs without being called, by how it comes to run."""
        roots: dict[str, list[int]] = {reach: [] for reach in REACHES}
        for place, module in enumerate(self.modules):
            for reach in module.roots:
                for name in ("", "__main__") if reach == BUILD else ("",):
                    if name in self.ids[place]:
                        roots[reach].append(self.ids[place][name])
            if "__main__" in self.ids[place]:
                roots[SCRIPT].append(self.ids[place]["__main__"])
        for dotted, reach in self._entry_points:
            roots[reach] += self.resolve(-1, dotted) if self.modules else []
        return roots

    def _commands(self, place: int) -> list[int]:
        """Return the methods of setuptools commands that a module defines: building runs them."""
        found = []
        for name, bases in self.bases[place].items():
            if any(base.rpartition(".")[2] in _COMMAND_BASES for base in bases):
                found += [
                    self.ids[place][f"{name}.{method}"]
                    for method in _COMMAND_METHODS
                    if f"{name}.{method}" in self.ids[place]
                ]
        return found

    # --- what data goes where -------------------------------------------------------------------------

    def _follow(self) -> None:
        # Only data that comes to something that can do anything is worth following.
        carrying = [
            (self.nodes[target].incoming, self._sources(node, taints))
            for node in self.nodes
            for target, taints in node.edges
            if taints and self.nodes[target].mask
        ]
        returning = [
            (node.returns, self._sources(node, node.scope.returns))
            for node in self.nodes
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

    def _sources(self, node: Node, taints: Iterable[str]) -> _Sources:
        fixed: set[str] = set()
        arguments: set[str] = set()
        returned: list[set[str]] = []
        for taint in taints:
            if taint == "arg":
                arguments = node.incoming
            elif taint.startswith("ret:"):
                returned += [self.nodes[target].returns for target in self.resolve(node.module, taint[4:])]
            else:
                fixed.add(taint)
        return _Sources(fixed, arguments, returned)

    # --- what meets what ------------------------------------------------------------------------------

    def _result(self, components: Sequence[int]) -> tuple[tuple[Placed, ...], tuple[Tie, ...]]:
        placed: list[Placed] = []
        own: list[list[int]] = []
        for node in self.nodes:
            here = []
            for capability in node.capabilities:
                here.append(len(placed))
                placed.append(self._place(node, capability))
            own.append(here)
        return tuple(placed), tuple(ties(self.nodes, components, placed, own))

    def _place(self, node: Node, capability: Capability) -> Placed:
        return Placed(
            capability.kind,
            REACHES[node.reach],
            self.modules[node.module].path,
            capability.line,
            capability.detail,
            capability.evidence,
            tuple(sorted(self._sources(node, capability.taints).taints())),
            capability.flags,
            node.scope.name,
        )
