"""Code in a ``.pth`` file: it runs whenever any interpreter of the environment starts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD, INFO, REVIEW, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


_KNOWN = frozenset(
    (
        "2cbb286eeaf39b2cd7d68cb09c1bc3cfb0cc8d27da949004d0c22698f127f270",  # coverage 7.16
        "2f70c2fa9227e9db9348215d9c7b246d2786aac7516f86d71a5952c7c225aa16",  # setuptools
        # veln-hook; a test compares it with the file
        "6a3e9e442254c8bc18a4c4ee716f599dddca3b5287a71292a543c72036f8fe7f",
    )
)
"""sha256 of lines that are known, without the blanks around them."""
_RISKY = re.compile(
    r"exec|eval|compile|base64|b64|subprocess|Popen|os\.system|popen|socket|urlopen|requests|"
    r"__import__\s*\(\s*['\"]base|marshal|zlib"
)
_EDITABLE = re.compile(
    r"import (__editable___\w+_finder); ?\1\.install\(\)|import _editable_impl_\w+|import __editables_\w+"
)
_NAMESPACE = re.compile(
    r"import sys, ?types, ?os;\s*has_mfs = sys\.version_info > \(3, 5\);"
    r"p = os\.path\.join\(sys\._getframe\(1\)\.f_locals\['sitedir'\], "
    r"\*\('[\w', ]*\)\);importlib = has_mfs and __import__\('importlib\.util'\);"
    r"has_mfs and __import__\('importlib\.machinery'\);"
    r"m = has_mfs and sys\.modules\.setdefault\('[\w.]*', "
    r"importlib\.util\.module_from_spec\(importlib\.machinery\.PathFinder\.find_spec\("
    r"'[\w.]*', \[os\.path\.dirname\(p\)\]\)\)\);m = m or sys\.modules\.setdefault\('[\w.]*', "
    r"types\.ModuleType\('[\w.]*'\)\);"
    r"mp = \(m or \[\]\) and m\.__dict__\.setdefault\('__path__',\[\]\);"
    r"\(p not in mp\) and mp\.append\(p\)(;m and setattr\(sys\.modules\['[\w.]*'\], '\w*', m\))?"
)


def _find(view: View) -> Iterator[Hit]:
    for code in view.of(v.PTH):
        text = code.evidence
        if (
            code.detail in _KNOWN
            or _NAMESPACE.fullmatch(text)
            or (view.built_here and _EDITABLE.fullmatch(text))
        ):
            yield Hit("a start-up file runs known code whenever Python starts", (code,), INFO)
            continue
        does = sorted(
            {
                other.kind
                for other in view.facts.capabilities
                if other.reach == "startup" and other.kind in _MATTERS
            }
        )
        risky = bool(_RISKY.search(text) or does)
        more = f" (it reaches: {', '.join(does)})" if does else ""
        yield Hit(
            f"a start-up file runs code whenever Python starts{more}",
            (code,),
            HOLD if risky else REVIEW,
            key=f"pth {code.detail}",
        )


_MATTERS = frozenset(
    (v.NET, v.DNS, v.PROC, v.EXEC, v.CRED, v.CRED_FILE, v.ENV, v.DECODE, v.LOAD, v.NATIVE, v.SPY, v.DYNAMIC)
)

RULE = Rule(
    name="start-up-code",
    description=(
        "A .pth file holds a line of code, which every interpreter of the environment runs when it starts."
    ),
    grade=HOLD,
    when_new=HOLD,
    find=_find,
    fires={"acme_init.pth": "import os, subprocess; subprocess.Popen(['sh', '-c', 'id'])\n"},
    quiet={"acme.pth": "/opt/acme/lib\n"},
    rates="0 of 2,004 malicious clusters (the corpus has none); 3 of 81 popular wheels have any code there",
)
