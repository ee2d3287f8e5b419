"""From one layer's raw contents to settings, each checked against the schema and placed by its line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from veln_hook.errors import PolicyError
from veln_hook.policy import schema
from veln_hook.policy.matching import url_key
from veln_hook.policy.values import InvalidValueError, shown

if TYPE_CHECKING:
    from veln_hook.policy.files import Document
    from veln_hook.policy.lines import Part

_PREFIX = "VELN_HOOK_"


class Setting(NamedTuple):
    """One value of one layer, read and checked."""

    key: schema.Key
    name: str
    """Concrete dotted key: ``cooling.projects.litellm``."""
    value: Any
    path: str
    line: Optional[int]


class _Reader:
    """Walks through one document; gathers settings and everything that is wrong."""

    def __init__(self, document: Document, layer: str) -> None:
        self.settings: list[Setting] = []
        self.problems: list[PolicyError] = []
        self._document = document
        self._layer = layer
        self._seen: dict[str, tuple[str, ...]] = {}

    def walk(self, table: Mapping[str, Any], above: tuple[str, ...] = ()) -> None:
        for name, value in table.items():
            parts = (*above, name)
            try:
                key, table_fits = schema.find(parts)
            except schema.UnknownKeyError as error:
                self._problem(str(error), parts)
                continue
            if isinstance(value, Mapping) and table_fits:
                self.walk(value, parts)
            elif key is None:
                self._problem(f"must be a table, not {shown(value)}", parts)
            else:
                self._value(key, parts, value)

    def _value(self, key: schema.Key, parts: tuple[str, ...], value: object) -> None:
        if self._layer not in key.where:
            self._problem(
                f"may not stand in the {self._layer}'s file, which arrives with other people's code"
                " or wheels; it belongs into the system's or the user's policy",
                parts,
            )
            return
        try:
            names = schema.concrete_names(key, parts)
            read = key.read(value)
            _check_repeats(key, read)
        except ValueError as error:
            inner = error.parts if isinstance(error, InvalidValueError) else ()
            self._problem(str(error), (*parts, *inner))
            return
        for name in names:
            if key.name.startswith("cooling.projects.") and self._seen.setdefault(name, parts) != parts:
                self._problem(f'is the same project as "{self._seen[name][-1]}"', parts)
                return
            self.settings.append(Setting(key, name, read, self._document.path, self._document.line(parts)))

    def _problem(self, message: str, parts: tuple[Part, ...]) -> None:
        line = self._document.line(parts)
        dotted = shown(".".join(str(part) for part in parts if isinstance(part, str)))
        self.problems.append(PolicyError(message, path=self._document.path, line=line, key=dotted))


def _check_repeats(key: schema.Key, read: Any) -> None:
    if key.name == "indexes":
        identities: list[object] = [url_key(index.url) for index in read]
    elif key.name == "exceptions":
        identities = [exception.sha256 for exception in read]
    else:
        return
    for number, identity in enumerate(identities):
        if identity in identities[:number]:
            raise InvalidValueError("names the same thing as an entry before it", (number,))


def read_document(document: Document, layer: str) -> tuple[list[Setting], list[PolicyError]]:
    """Check a document against the schema.

    Returns:
        Its settings, and everything that is wrong with it, by line.
    """
    reader = _Reader(document, layer)
    reader.walk(document.table)
    return reader.settings, sorted(reader.problems, key=lambda problem: problem.line or 0)


def read_variables(environ: Mapping[str, str]) -> list[Setting]:
    """Read the ``VELN_HOOK_*`` variables; an empty one counts as not set.

    Raises:
        PolicyError: A variable's name starts like a section's and means nothing, or its value can't be read.
    """
    settings: list[Setting] = []
    for variable in sorted(environ):
        key = schema.BY_VARIABLE.get(variable)
        if key is not None:
            if environ[variable].strip():
                settings.append(_from_text(key, (key.name,), environ[variable], "environment", variable))
        elif variable.startswith(tuple(f"{_PREFIX}{section.upper()}_" for section in schema.SECTIONS)):
            hint = schema.near_miss_exact(variable, list(schema.BY_VARIABLE))
            raise PolicyError(
                f"no such variable{hint}",
                path="environment",
                key=shown(variable),
                advice=f"Unset the variable; these are known: {', '.join(sorted(schema.BY_VARIABLE))}.",
            )
    return settings


def read_overrides(overrides: Mapping[str, str]) -> list[Setting]:
    """Read what the command line sets, by dotted key.

    Raises:
        PolicyError: There is no such key, it may not stand there, or its value can't be read.
    """
    settings: list[Setting] = []
    for dotted, text in overrides.items():
        parts = schema.split(dotted)
        try:
            key, _ = schema.find(parts)
            names = () if key is None else schema.concrete_names(key, parts)
        except ValueError as error:
            raise _command_line_error(str(error), dotted) from None
        if key is None or key.from_text is None:
            raise _command_line_error("can't be set on the command line", dotted)
        first = _from_text(key, names, text, schema.COMMAND_LINE, dotted)
        settings += [first._replace(name=name) for name in names]
    return settings


def _from_text(key: schema.Key, names: tuple[str, ...], text: str, path: str, place: str) -> Setting:
    convert = key.from_text
    try:
        value = key.read(convert(text) if convert is not None else text)
    except ValueError as error:
        raise PolicyError(
            str(error), path=path, key=shown(place), advice="Correct the value, or leave it away."
        ) from None
    return Setting(key, names[0], value, path, None)


def _command_line_error(message: str, dotted: str) -> PolicyError:
    advice = "See docs/policy.md for the keys the command line may set."
    return PolicyError(message, path=schema.COMMAND_LINE, key=shown(dotted), advice=advice)
