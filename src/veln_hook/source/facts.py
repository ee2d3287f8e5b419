"""The records this room gives: what one file does, and what an archive does once its files are linked.

All of them are tuples of plain values, so that JSON carries them from the worker
and in and out of the store's cache. ``RULES`` goes up whenever the same bytes
would give other facts: what was cached before then no longer counts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

RULES = 14
"""Version of everything in this room."""

REACHES = ("startup", "build", "import", "script", "call")
"""How code comes to run, the worst first: when any interpreter starts, when the sdist is built, when a
module is imported, when an installed command is typed, only when somebody calls it."""

STARTUP, BUILD, IMPORT, SCRIPT, CALL = REACHES


METACLASS = "@"
"""Behind the name of a class: what makes it is meant."""
ANY = "*"
"""In the place of a method's name: any that the class has."""
ELEMENT = "[]"
"""Behind the name of a container: one of the things in it."""


class Call(NamedTuple):
    """That one scope calls another of the archive, perhaps."""

    target: str
    """``:name`` of the same file, a dotted name, ``?.method`` of what is unknown, ``@module`` it imports."""
    taints: tuple[str, ...] = ()
    """What the arguments carry."""


class Capability(NamedTuple):
    """Something that a piece of code can do."""

    kind: str
    """One of ``vocabulary.KINDS``."""
    line: int
    detail: str = ""
    """What it is compared by with the release before: a host, a variable's name, a command."""
    evidence: str = ""
    """The line of source, shortened."""
    taints: tuple[str, ...] = ()
    """What the data it handles was made of: ``cred``, ``env``, ``host``, ``decoded``, ``remote``, ``opened``
    (it stood in a file that is no source), ``everything`` (paths found below a home or a root), ``spelled``
    by ``chr``, ``unmasked`` by exclusive or, or ``key``, which one signs with; before linking also ``arg``,
    ``ret:TARGET`` and ``mix:TARGET``, after it with ``~`` where a caller may have given it."""
    flags: tuple[str, ...] = ()
    """``quiet`` (errors swallowed), ``silent`` (no output, own session), ``dynamic`` ..."""


class Scope(NamedTuple):
    """A module's body, or one function's."""

    name: str
    """Empty for the module, ``__main__`` for what only runs as a script, else ``Class.method``."""
    line: int
    capabilities: tuple[Capability, ...] = ()
    calls: tuple[Call, ...] = ()
    returns: tuple[str, ...] = ()
    """Taints of what it returns."""
    gives: tuple[str, ...] = ()
    """Functions and classes that it returns, named as in ``Call.target``: ``g()()`` calls those."""


class FileFacts(NamedTuple):
    """What one file of source does by itself; depends on its bytes alone, so it is cached by their hash."""

    scopes: tuple[Scope, ...] = ()
    imports: tuple[str, ...] = ()
    """Modules imported by the module's body; relative ones with their dots."""
    exports: tuple[tuple[str, str], ...] = ()
    """Names of the module's body for what has another name, mostly elsewhere: ``(name, dotted)``;
    ``*module`` for all that another has."""
    bases: tuple[tuple[str, str], ...] = ()
    """Classes and what they derive from: ``(class, base)``; and their metaclasses, under ``class@``."""
    problem: str = ""
    """Why it could not be read; empty if it could."""
    light: bool = False
    """Whether only its imports were read, as nothing in it matters by itself."""
    leads: tuple[str, ...] = ()
    """Of a light one: what it may call elsewhere, as ``imports.leads_of`` tells."""
    secrets: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Names of the module's body that hold data made of secrets: ``(name, taints)``."""


class Placed(NamedTuple):
    """A capability in its archive."""

    kind: str
    reach: str
    path: str
    line: int
    detail: str = ""
    evidence: str = ""
    taints: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    scope: str = ""


class Tie(NamedTuple):
    """Two capabilities of one closure: some code reaches both."""

    first: int
    """Places in ``ArchiveFacts.capabilities``."""
    second: int
    reach: str
    """Of the code that reaches both."""
    near: bool = False
    """Whether they stand in one file."""


class Dependency(NamedTuple):
    """One requirement of the metadata."""

    name: str
    """Normalized."""
    requirement: str
    extra: bool
    """Whether only an extra asks for it."""


class Problem(NamedTuple):
    """What is wrong with the archive itself; see ``archive.members.Problem``."""

    slug: str
    message: str
    member: str
    fatal: bool


class ArchiveFacts(NamedTuple):
    """Everything that is known of an archive's contents."""

    kind: str = ""
    """``wheel``, ``sdist`` or ``directory``, by its contents."""
    capabilities: tuple[Placed, ...] = ()
    ties: tuple[Tie, ...] = ()
    problems: tuple[Problem, ...] = ()
    name: str = ""
    """Of the project, normalized, as its metadata has it."""
    dependencies: tuple[Dependency, ...] = ()
    scripts: tuple[str, ...] = ()
    """Names of the commands it installs."""
    natives: tuple[str, ...] = ()
    """Members that are native code."""
    unparsed: tuple[str, ...] = ()
    """Members of Python source that could not be parsed."""
    python: tuple[int, ...] = ()
    """The Python that read it, major and minor: a newer one may parse more."""
    files: int = 0
    python_files: int = 0
    python_bytes: int = 0


def to_plain(facts: ArchiveFacts) -> list[object]:
    """Return facts as lists that JSON can carry; ``from_plain`` reads them."""
    return list(facts)


def from_plain(plain: Any) -> ArchiveFacts:
    """Rebuild facts from what JSON made of them.

    Raises:
        ValueError: It is nothing of the kind.
    """
    try:
        fields = dict(zip(ArchiveFacts._fields, plain))
        facts = ArchiveFacts(
            kind=str(fields["kind"]),
            capabilities=tuple(_placed(row) for row in fields["capabilities"]),
            ties=tuple(Tie(int(a), int(b), str(reach), bool(near)) for a, b, reach, near in fields["ties"]),
            problems=tuple(Problem(str(s), str(m), str(n), bool(f)) for s, m, n, f in fields["problems"]),
            name=str(fields["name"]),
            dependencies=tuple(Dependency(str(n), str(r), bool(e)) for n, r, e in fields["dependencies"]),
            scripts=_strings(fields["scripts"]),
            natives=_strings(fields["natives"]),
            unparsed=_strings(fields["unparsed"]),
            python=tuple(int(part) for part in fields["python"]),
            files=int(fields["files"]),
            python_files=int(fields["python_files"]),
            python_bytes=int(fields["python_bytes"]),
        )
    except (TypeError, KeyError, OverflowError) as error:
        raise ValueError(f"no facts: {error}") from error
    count = len(facts.capabilities)
    if any(
        not (0 <= tie.first < count and 0 <= tie.second < count and tie.reach in REACHES)
        for tie in facts.ties
    ):
        raise ValueError("no facts: a tie leads nowhere")
    return facts


def _placed(row: Any) -> Placed:
    kind, reach, path, line, detail, evidence, taints, flags, scope = row
    if reach not in REACHES:
        raise ValueError(f"no facts: unknown reach {reach!r}")
    return Placed(
        str(kind), str(reach), str(path), int(line), str(detail), str(evidence),
        _strings(taints), _strings(flags), str(scope),
    )  # fmt: skip


def _strings(values: Any) -> tuple[str, ...]:
    return tuple(str(value) for value in values)


def file_from_plain(plain: Any) -> FileFacts:
    """Rebuild one file's facts from what JSON made of them.

    Raises:
        ValueError: It is nothing of the kind.
    """
    try:
        scopes, imports, exports, bases, problem, light, leads, secrets = plain
        return FileFacts(
            scopes=tuple(_scope(row) for row in scopes),
            imports=_strings(imports),
            exports=tuple((str(a), str(b)) for a, b in exports),
            bases=tuple((str(a), str(b)) for a, b in bases),
            problem=str(problem),
            light=bool(light),
            leads=_strings(leads),
            secrets=tuple((str(name), _strings(taints)) for name, taints in secrets),
        )
    except (TypeError, OverflowError) as error:
        raise ValueError(f"no facts: {error}") from error


def _scope(row: Any) -> Scope:
    name, line, capabilities, calls, returns, gives = row
    return Scope(
        str(name),
        int(line),
        tuple(
            Capability(str(k), int(at), str(d), str(e), _strings(t), _strings(f))
            for k, at, d, e, t, f in capabilities
        ),
        tuple(Call(str(target), _strings(taints)) for target, taints in calls),
        _strings(returns),
        _strings(gives),
    )
