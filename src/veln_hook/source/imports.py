"""What a file imports and where it may lead, told from its bytes: too widely, but never too narrowly."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from veln_hook.source.standard import STANDARD

_FROM = re.compile(rb"from[ \t]+([\w.]+)[ \t\\\r\n]+\Z")
_NAME = re.compile(rb"[\w.]+")
_COMMENT = re.compile(rb"#[^\n]*")
_LINE = 400
_LIST = 20_000
"""Bytes of an import statement that are looked at, on one line and in parentheses."""


_BEFORE = (b"=", b"(", b",", b"[", b":", b"{")
_BLANKS = 20
"""Bytes before a name that are looked at."""


class Import(NamedTuple):
    """What one import statement names."""

    module: str
    name: str
    """Empty for ``import module``, ``*`` for all."""
    bound: str
    """Under which name it is known here."""


def imports_of(data: bytes) -> list[Import]:
    """Return what a file imports, wherever the statement stands; a guess, since nothing is parsed."""
    found: list[Import] = []
    place = data.find(b"import")
    while place >= 0:
        if data[place + 6 : place + 7] in (b" ", b"\t", b"(", b"\\", b"*"):
            before = _FROM.search(data, max(0, place - 200), place)
            base = before.group(1).decode("ascii", "replace") if before else ""
            found += _names(base, _statement(data, place + 6))
        place = data.find(b"import", place + 6)
    return found


def _statement(data: bytes, place: int) -> bytes:
    """Return what follows ``import``, to the end of the statement."""
    rest = data[place : place + _LINE]
    if b"(" in rest[:3]:
        return _COMMENT.sub(b"", data[place : place + _LIST].partition(b")")[0].replace(b"(", b"", 1))
    first = rest.partition(b"\n")[0]
    return _COMMENT.sub(b"", rest if b"\\" in first else first.partition(b";")[0])


def _names(base: str, statement: bytes) -> list[Import]:
    found = []
    for part in statement.split(b","):
        words = part.replace(b"\\", b" ").split()
        if not words:
            continue
        if words[0] == b"*" and base:
            found.append(Import(base, "*", "*"))
        elif _NAME.fullmatch(words[0]):
            name = words[0].decode("ascii", "replace")
            renamed = len(words) > 2 and words[1] == b"as"  # noqa: PLR2004 - name, as, other name
            bound = words[2].decode("ascii", "replace") if renamed else name
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


def leads_of(data: bytes, imports: list[Import]) -> list[str]:
    """Return what a file may call elsewhere, whatever it does.

    Args:
        data: Its bytes.
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
            found.update((f"{name}.{use}", None) for use in uses_of(data, bound))
            if is_put_somewhere(data, bound):
                found[f"{name}.*"] = None
    return list(found)


def uses_of(data: bytes, bound: str) -> set[str]:
    """Return the dotted names that are taken out of what has a name in a file."""
    if f"{bound}.".encode() not in data:
        return set()
    return {name.decode("ascii", "replace").strip(".") for name in _taken_of(bound).findall(data)}


@lru_cache(maxsize=500)
def _taken_of(name: str) -> re.Pattern[bytes]:
    return re.compile(rb"%(name)b(?<![\w.]%(name)b)\.([\w.]+)" % {b"name": re.escape(name.encode())})


def is_put_somewhere(data: bytes, bound: str) -> bool:
    """Tell whether a name stands alone, as what is assigned or passed on does.

    That is a guess at what stands before and behind it.
    """
    return any(
        data[max(0, match.start() - _BLANKS) : match.start()].rstrip(b" \t")[-1:] in _BEFORE
        for match in _alone(bound).finditer(data)
    )


@lru_cache(maxsize=500)
def _alone(name: str) -> re.Pattern[bytes]:
    """Return what finds a name that ends an expression."""
    return re.compile(rb"%b(?=[ \t]*(?:[,)\]};#\r\n]|$))" % re.escape(name.encode()))
