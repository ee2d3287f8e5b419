"""A scope while it is being walked, and what a file's scopes come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.source.facts import Call, Capability, FileFacts, Scope
from veln_hook.source.values import NOTHING, Value
from veln_hook.source.vocabulary import MATTER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_CAPABILITIES = 400
"""Of one scope: a file of ten thousand exec lines tells nothing that four hundred don't."""

MAX_GIVEN = 20


class Draft:
    """A scope while it is being walked.

    Args:
        name: As in ``Scope.name``.
        line: Where it begins.
        parent: The scope whose names it sees.
        class_name: Of the class, if this is a class's body.
        counts_in: For a class's body: the scope that it runs in, where what it does is noted.
    """

    __slots__ = (
        "_seen",
        "calls",
        "class_name",
        "counts_in",
        "defaulted",
        "gives",
        "line",
        "name",
        "names",
        "outer",
        "parent",
        "returns",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        line: int,
        parent: Draft | None,
        *,
        class_name: str = "",
        counts_in: Draft | None = None,
    ) -> None:
        self.name = name
        self.line = line
        self.parent = parent
        self.class_name = class_name
        self.counts_in = counts_in
        self.names: dict[str, Value] = {}
        self.outer: set[str] = set()
        """Names that it binds for the scopes around it: ``global`` and ``nonlocal``."""
        self.defaulted: set[str] = set()
        """Parameters that have a function as their default."""
        self.calls: list[Call] = [] if counts_in is None else counts_in.calls
        self.returns: frozenset[str] = NOTHING
        self.gives: dict[str, None] = {}
        """Names of the functions that it returns."""
        self._seen: dict[Capability, None] = {}

    @property
    def is_module(self) -> bool:
        """Whether it runs when the module is imported."""
        scope = self.counts_in
        return not self.name or self.name == "__main__" or (scope is not None and scope.is_module)

    @property
    def prefix(self) -> str:
        """What the names of things defined here begin with."""
        return f"{self.name}." if self.name and self.name != "__main__" else ""

    @property
    def function_parent(self) -> Draft:
        """The scope whose names a function defined here sees: never a class's body."""
        if self.class_name and self.parent is not None:
            return self.parent
        return self

    def note(self, capability: Capability) -> None:
        """Note what the code here can do."""
        if self.counts_in is not None:
            self.counts_in.note(capability)
        elif len(self._seen) < MAX_CAPABILITIES:
            self._seen[capability] = None

    def call(self, target: str, taints: tuple[str, ...]) -> None:
        """Note that something of the archive may be called here."""
        if len(self.calls) < 10 * MAX_CAPABILITIES:
            self.calls.append(Call(target, taints))

    def matters(self) -> bool:
        """Tell whether anything about it is worth keeping."""
        return bool(self._seen or self.calls or self.gives or self.returns - {"arg"})

    def finished(self) -> Scope:
        """Return it as a record."""
        return Scope(
            self.name,
            self.line,
            tuple(self._seen),
            tuple(dict.fromkeys(self.calls)),
            tuple(sorted(self.returns)),
            tuple(self.gives)[:MAX_GIVEN],
        )


def file_facts(
    drafts: Mapping[str, Draft],
    imports: Iterable[str],
    exports: Mapping[str, str],
    bases: Iterable[tuple[str, str]],
) -> FileFacts:
    """Return the record of a file whose scopes were walked.

    Args:
        drafts: Its scopes by name, the module's body under the empty one.
        imports: As in ``FileFacts.imports``.
        exports: Names of the module's body that are imported.
        bases: As in ``FileFacts.bases``.
    """
    told = dict(exports)
    secrets = []
    answers = "__getattr__" in drafts  # for names that the module doesn't have (PEP 562)
    for name, value in drafts[""].names.items():
        if not name.isidentifier():
            continue
        # Others may import it: another name for a function, an instance, a module that matters.
        if value.name not in ("", name, f":{name}") and (value.name[0] in ":/" or value.name in MATTER):
            told.setdefault(name, value.name)
        elif value.name == name and name in MATTER:
            told[name] = name
        elif answers:
            told.setdefault(name, f":{name}")
        taints = value.taints & {"cred", "env", "key"}
        if taints - {"key"}:
            secrets.append((name, tuple(sorted(taints))))
    return FileFacts(
        scopes=tuple(
            draft.finished() for draft in drafts.values() if draft.matters() or draft.name in ("", "__main__")
        ),
        imports=tuple(imports),
        exports=tuple(told.items()),
        bases=tuple(bases),
        secrets=tuple(secrets),
    )
