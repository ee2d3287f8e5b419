"""Many weak signs in a package that does little else.

Each sign is common in honest packages. Together, and in a package so small that
they are most of what it does, they are not. The points were fitted once, by
logistic regression with weights that can't be negative, on the half of the corpus
that may be looked at and on popular packages that are not in the holdout
(docs/benchmarks.md), then doubled and rounded. Those for size and the sum that
holds were chosen again later, on that half and on packages drawn at random from
the index: of those that nobody knows, many are small and honest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import BY_ITSELF, HOLD, INFO, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View
    from veln_hook.source.facts import ArchiveFacts, Placed

THRESHOLD = 10
_LEAST = 2
"""Points that signs must have before size is counted: a tiny client that asks one server is honest."""
_BIG = 400_000
"""Bytes of source above which a sum of signs tells nothing: there is room for all of them."""
_SIZES = ((3_000, 1), (10_000, 4), (40_000, 3))
"""Points of a package that has less source than so many bytes; they add up."""
_MAX_OTHER_FILES = 14
"""Members besides source: an archive with more of them, or with native code, is not small."""
_TINY = 3_000
_SENDS = "a request that sends data"
"""A sign only in a package of fewer bytes: any client of a service does it."""
_POINTS = {
    "a signing key in a request": 5,
    "a long line of encoded data": 4,
    "an interpreter started by itself": 3,
    "a URL of a paste site or the like next to a request": 3,
    "code pushed out of sight": 3,
    "the marks of an obfuscator": 3,
    "a request made by itself": 3,
    "data that is executed": 3,
    "source that can't be parsed": 2,
    "a host for carrying data off": 2,
    "a request whose errors are swallowed": 2,
    "pip being run": 2,
    "decoding next to execution": 2,
    "facts about the machine next to a request": 2,
    "an encoded literal": 2,
    "code executed by itself": 2,
    "a process that nobody sees": 2,
    "a process started by itself": 2,
    "a request": 1,
    _SENDS: 1,
    "a process": 1,
    "decoded data in a request": 1,
    "decoding next to a request": 1,
    "a way to stay next to a process": 1,
    "a process whose errors are swallowed": 1,
    "a download written to a file": 1,
    "an address instead of a host": 1,
    "a file of credentials next to a request": 1,
}
_TEXTS = {
    "blob": "a long line of encoded data",
    "hidden-blanks": "code pushed out of sight",
    "obfuscator": "the marks of an obfuscator",
    "unparsable-risky": "source that can't be parsed",
}
_TIES = {
    (v.URL, v.NET): "a URL of a paste site or the like next to a request",
    (v.DECODE, v.EXEC): "decoding next to execution",
    (v.DECODE, v.NET): "decoding next to a request",
    (v.HOST, v.NET): "facts about the machine next to a request",
    (v.PERSIST, v.PROC): "a way to stay next to a process",
    (v.CRED_FILE, v.NET): "a file of credentials next to a request",
}


def _find(view: View) -> Iterator[Hit]:
    facts = view.facts
    if facts.python_bytes > _BIG:
        return
    signs = _found(view)
    points = sum(_POINTS[sign] for sign in signs)
    if points < _LEAST:
        return  # that it is small is no sign
    if view.before is None:
        points += _size(facts)  # what is new in a release is judged by itself
    told = sorted(signs, key=lambda sign: -_POINTS[sign])
    kilobytes = facts.python_bytes / 1000
    size = f"{kilobytes:.0f} kB of source" if kilobytes >= 1 else "hardly any source"
    message = f"many weak signs ({points} points, {THRESHOLD} hold) in {size}: {', '.join(told[:5])}"
    yield Hit(message, tuple(signs[sign] for sign in told), HOLD if points >= THRESHOLD else INFO)


def _found(view: View) -> dict[str, Placed]:
    """Return the signs that are new, each with a capability that shows it."""
    signs: dict[str, Placed] = {}
    for capability in view.facts.capabilities:
        if view.is_new(capability):
            for sign in _signs(capability):
                signs.setdefault(sign, capability)
    for kinds, sign in _TIES.items():
        for pair in view.pairs((kinds[0],), (kinds[1],)):
            if view.is_new(pair.first) or view.is_new(pair.second):
                signs.setdefault(sign, pair.first)
    if view.facts.python_bytes >= _TINY:
        signs.pop(_SENDS, None)
    return signs


def _size(facts: ArchiveFacts) -> int:
    if facts.natives or facts.files - facts.python_files > _MAX_OTHER_FILES:
        return 0
    return sum(points for limit, points in _SIZES if facts.python_bytes < limit)


def _signs(capability: Placed) -> Iterator[str]:
    itself = capability.reach in BY_ITSELF
    flags, taints = set(capability.flags), set(capability.taints)
    if capability.kind == v.NET:
        yield from _request_signs(flags, taints, itself=itself)
    elif capability.kind == v.PROC:
        yield from _process_signs(flags, itself=itself)
    elif capability.kind == v.EXEC:
        yield from _execution_signs(taints, itself=itself)
    elif capability.kind == v.URL:
        yield from _url_signs(flags)
    elif capability.kind == v.TEXT and capability.detail in _TEXTS:
        yield _TEXTS[capability.detail]
    elif capability.kind == v.DECODE and "constant" in flags:
        yield "an encoded literal"
    elif capability.kind == v.WRITE and "remote" in taints:
        yield "a download written to a file"


def _request_signs(flags: set[str], taints: set[str], *, itself: bool) -> Iterator[str]:
    yield "a request"
    if itself:
        yield "a request made by itself"
    if "sends" in flags:
        yield _SENDS
    if "quiet" in flags:
        yield "a request whose errors are swallowed"
    if "decoded" in taints:
        yield "decoded data in a request"
    if taints & {"key", "~key"}:
        yield "a signing key in a request"


def _execution_signs(taints: set[str], *, itself: bool) -> Iterator[str]:
    if itself:
        yield "code executed by itself"
    if taints & {"decoded", "remote"}:
        yield "data that is executed"


def _url_signs(flags: set[str]) -> Iterator[str]:
    if "strong" in flags:
        yield "a host for carrying data off"
    if "address" in flags:
        yield "an address instead of a host"


def _process_signs(flags: set[str], *, itself: bool) -> Iterator[str]:
    yield "a process"
    if itself:
        yield "a process started by itself"
        if "python" in flags:
            yield "an interpreter started by itself"
    if "silent" in flags:
        yield "a process that nobody sees"
    if "quiet" in flags:
        yield "a process whose errors are swallowed"
    if "pip" in flags:
        yield "pip being run"


RULE = Rule(
    name="weak-signs",
    description="Many weak signs meet in a package that is so small that they are most of what it does.",
    grade=HOLD,
    find=_find,
    fires={
        "acme/__init__.py": (
            "import subprocess, sys\ntry:\n    subprocess.Popen([sys.executable, '-m', 'acme.x'])\n"
            "except Exception:\n    pass\n"
        )
    },
    quiet={
        "acme/__init__.py": (
            "import requests\n\ndef get(path):\n    return requests.get('https://api.example.test/' + path)\n"
        )
    },
    rates="fitted; see docs/benchmarks.md",
)
