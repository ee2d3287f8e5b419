"""A scope while it is being walked."""

from __future__ import annotations

from veln_hook.source.facts import Call, Capability, Scope
from veln_hook.source.values import NOTHING, Value

MAX_CAPABILITIES = 400
"""Of one scope: a file of ten thousand exec lines tells nothing that four hundred don't."""


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
        "gives",
        "line",
        "name",
        "names",
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
        self.calls: list[Call] = [] if counts_in is None else counts_in.calls
        self.returns: frozenset[str] = NOTHING
        self.gives: list[str] = []
        """Names of the functions of this module that it returns."""
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
        return bool(self._seen or self.calls or self.returns - {"arg"})

    def finished(self) -> Scope:
        """Return it as a record."""
        return Scope(
            self.name,
            self.line,
            tuple(self._seen),
            tuple(dict.fromkeys(self.calls)),
            tuple(sorted(self.returns)),
        )
