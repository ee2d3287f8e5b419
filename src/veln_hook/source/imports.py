"""What a file imports and where it may lead, told from its code: too widely, but never too narrowly."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from veln_hook.source.standard import STANDARD

_IMPORT = re.compile(rb"import(?<![\w\x80-\xff]import)(?=[ \t(*])")
_FROM = re.compile(rb"from(?<![\w.\x80-\xff]from)([\w. \t\x80-\xff]*)\Z")
_BEFORE = re.compile(rb"[\w. \t\x80-\xff]*")
"""What may stand between ``from`` and ``import``."""
_NAME = re.compile(rb"[\w.\x80-\xff]+")
_AROUND_DOT = re.compile(rb"[ \t]*\.[ \t]*")
_LINE, _LIST = 4_000, 50_000
"""Bytes of an import statement that are looked at, on one line and in parentheses."""
_OPEN = re.compile(rb"[ \t]*\(")
_WINDOW = 1_000
"""The same, before ``import``."""
_IMPORTING = re.compile(rb"[ \t]*(?:from[ \t]+[\w.]+[ \t]+)?import[ \t]+[\w., \t]*")
"""What stands before a name on a line that imports it."""
_IMPORTED = rb"import(?<![\w\x80-\xff]import)(?![\w\x80-\xff])[ \t]*(?:\([^)]*\)?|[^\n;]*)"
_IMPORTS = re.compile(_IMPORTED)
_IMPORTS_FROM = re.compile(rb"from(?<![\w.\x80-\xff]from)[\w. \t\x80-\xff]*" + _IMPORTED)


class Import(NamedTuple):
    """What one import statement names."""

    module: str
    name: str
    """Empty for ``import module``, ``*`` for all."""
    bound: str
    """Under which name it is known here."""


class TooLongError(ValueError):
    """An import statement is longer than any honest one."""


def imports_of(code: bytes) -> list[Import]:
    """Return what a file imports, wherever the statement stands.

    Args:
        code: What ``lexing.code_of`` gave. Of anything else, it is a guess.

    Raises:
        TooLongError: A statement is so long that it wasn't read to its end.
    """
    found: list[Import] = []
    for match in _IMPORT.finditer(code):
        start = match.start()
        before = _FROM.search(code, max(0, start - _WINDOW), start)
        if before is None and start >= _WINDOW and _BEFORE.fullmatch(code, start - _WINDOW, start):
            raise TooLongError(f"more than {_WINDOW} bytes before an import")
        base = b"".join(before.group(1).split()).decode("utf-8", "replace") if before else ""
        found += _names(base, _statement(code, match.end()))
    return found


def _statement(code: bytes, place: int) -> bytes:
    """Return what follows ``import``, to the end of the statement."""
    opened = _OPEN.match(code, place)
    if opened:
        return _up_to(code, opened.end(), b")", _LIST)
    return _up_to(code, place, b"\n", _LINE).partition(b";")[0]


def _up_to(code: bytes, place: int, mark: bytes, limit: int) -> bytes:
    end = code.find(mark, place, place + limit)
    if end < 0 and place + limit < len(code):
        raise TooLongError(f"an import has more than {limit} bytes")
    return code[place : end if end >= 0 else len(code)]


def _names(base: str, statement: bytes) -> list[Import]:
    found = []
    for part in _AROUND_DOT.sub(b".", statement).split(b","):
        words = part.split()
        if not words:
            continue
        if words[0][:1] == b"*" and base:
            found.append(Import(base, "*", "*"))
        elif _NAME.fullmatch(words[0]):
            name = words[0].decode("utf-8", "replace")
            renamed = len(words) > 2 and words[1] == b"as"  # noqa: PLR2004 - name, as, other name
            bound = words[2].decode("utf-8", "replace") if renamed else name
            found.append(Import(base or name, name if base else "", bound))
    return found


def dotted(each: Import) -> str:
    """Return the dotted name of what an import names."""
    if not each.name or each.name == "*":
        return each.module
    return join(each.module, each.name)


def join(module: str, name: str) -> str:
    """Return the dotted name of what a module has; it may be nothing but the dots of a relative import."""
    return f"{module}{name}" if module.endswith(".") else f"{module}.{name}"


def leads_of(code: bytes, imports: list[Import]) -> list[str]:
    """Return what a file may call elsewhere, whatever it does.

    Args:
        code: What ``lexing.code_of`` gave.
        imports: What it imports.

    Returns:
        Dotted names: ``module.*`` for all of a module, ``name!`` for what a module has of that name
        unless it is itself a module, since what is taken out of that stands here, too.
    """
    found: dict[str, None] = {}
    for each in dict.fromkeys(imports):
        top = each.module.partition(".")[0]
        if top in STANDARD:
            continue
        if each.name == "*":
            found[join(each.module, "*")] = None
        elif each.name and each.module.strip("."):
            found[dotted(each)] = None
        else:  # mostly a module; 'import a.b' binds a
            bound = each.bound if each.name or each.bound != each.module else top
            name = dotted(each) if each.name or bound != top else top
            found[f"{name}!"] = None
            found.update((f"{name}.{use}", None) for use in uses_of(code, bound))
            if is_put_somewhere(code, bound):
                found[f"{name}.*"] = None
    return list(found)


def uses_of(code: bytes, bound: str) -> set[str]:
    """Return the dotted names that are taken out of what has a name in a file."""
    return {
        b"".join(name.split()).decode("utf-8", "replace").strip(".")
        for name in _taken_of(bound).findall(code)
    }


def is_put_somewhere(code: bytes, bound: str) -> bool:
    """Tell whether a name stands for itself, as what is assigned, returned or passed on does."""
    pattern = _alone(bound)
    for match in pattern.finditer(code):
        # Where it is imported it stands for itself, too; mostly on a line that does nothing else.
        start = match.start()
        line = code.rfind(b"\n", max(0, start - _WINDOW), start) + 1
        if _IMPORTING.fullmatch(code, line, start) is None:
            return pattern.search(without_imports(code)) is not None
    return False


@lru_cache(maxsize=1)
def without_imports(code: bytes) -> bytes:
    """Return code without its import statements."""
    return _IMPORTS.sub(b"", _IMPORTS_FROM.sub(b"", code))


@lru_cache(maxsize=500)
def _taken_of(name: str) -> re.Pattern[bytes]:
    return re.compile(_spelled(name) + rb"[ \t\n]*((?:\.[ \t\n]*[\w\x80-\xff]+[ \t\n]*)+)")


@lru_cache(maxsize=500)
def _alone(name: str) -> re.Pattern[bytes]:
    """Return what finds a name of which nothing is taken, and that isn't that of an argument."""
    return re.compile(
        _spelled(name) + rb"(?![\w`\x80-\xff])(?![ \t\n]*\.[ \t\n]*[A-Za-z_\x80-\xff])(?![ \t]*=[^=])"
    )


def _spelled(name: str) -> bytes:
    """Return a pattern for a dotted name that is no part of another."""
    first, *others = (re.escape(part) for part in name.encode().split(b"."))
    return rb"[ \t\n]*\.[ \t\n]*".join((rb"%b(?<![\w.`\x80-\xff]%b)" % (first, first), *others))
