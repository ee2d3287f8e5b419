"""What uv starts Python for when it builds: the steps of PEP 517 and PEP 660, scripts given with ``-c``.

uv's script imports the backend, calls one hook and writes what the hook returned into a file; its last lines
are always the same. They are read from the end, since what stands above them may be the source tree's words.
A script that doesn't end so is no step that is known, and isn't started.
"""

from __future__ import annotations

import codecs
import os
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

HOOKS = frozenset(
    f"{what}_{kind}"
    for what, kinds in (
        ("get_requires_for_build", ("wheel", "editable", "sdist")),
        ("prepare_metadata_for_build", ("wheel", "editable")),
        ("build", ("wheel", "editable", "sdist")),
    )
    for kind in kinds
)
_COMPILER = "pip_compileall.py"  # --compile-bytecode
_PATH = r'(?:__import__\("os"\)\.fsdecode\(b"((?:[^"\\\n]|\\.)*)"\)|"((?:[^"\\\n]|\\.)*)")'
_LAST = re.compile(
    rf'\nwith open\({_PATH}, "w"\) as fp:\n'
    r'    (?:fp\.write\((?:wheel_filename|sdist_filename|dirname or "")\)|json\.dump\(requires, fp\))\n*\Z'
)
_CALL = re.compile(rf"(?:wheel|sdist)_filename = backend\.(\w+)\({_PATH}, [^\n]*\)\Z")


MAKES_A_WHEEL = frozenset(("build_wheel", "build_editable"))


class NotAStepError(ValueError):
    """It is no step of a build that is known here."""


class Step(NamedTuple):
    """One step."""

    hook: str
    """Which hook it calls."""
    outcome: str
    """File that it writes what the hook returned to; it lies in a temporary directory of this build's."""
    result: str
    """Directory that the hook writes to; empty where it writes none."""


def is_uv_s_own(words: Sequence[str], cache: str) -> bool:
    """Tell whether a command runs nobody's build code: keyring with a question, or uv's compiler of modules.

    Args:
        words: Program and arguments.
        cache: Real path of uv's cache, where it puts that compiler for the time it runs.
    """
    if len(words) < 2:  # noqa: PLR2004 - a program and a file
        return False
    if os.path.basename(words[1]) == "keyring":
        return True
    directory, name = os.path.split(os.path.realpath(words[1]))
    place, temporary = os.path.split(directory)
    return name == _COMPILER and place == cache and temporary.startswith(".tmp") and len(words) == 2  # noqa: PLR2004


def recognise(words: Sequence[str]) -> Step:
    """Tell what a command of uv's does.

    Args:
        words: Program and arguments.

    Raises:
        NotAStepError: It can't be told.
    """
    if len(words) != 3 or words[1] != "-c":  # noqa: PLR2004 - a program, -c and a script
        raise NotAStepError("uv started Python in a way that isn't known")
    script = words[2]
    last = _LAST.search(script)
    if last is None:
        raise NotAStepError("uv started Python with a script that isn't known")
    outcome = _path(last, 1)
    hook = os.path.basename(outcome)[: -len(".txt")]
    if hook not in HOOKS or not outcome.endswith(f"{os.sep}{hook}.txt"):
        raise NotAStepError("uv started Python with a script whose result isn't known")
    if hook.startswith("get_requires"):
        return Step(hook, outcome, "")
    if hook.startswith("prepare_metadata"):
        return Step(hook, outcome, os.path.join(os.path.dirname(outcome), "metadata_directory"))
    above = script[: last.start()].rpartition("\n")[2]
    call = _CALL.match(above)
    if call is None or call.group(1) != hook:
        raise NotAStepError("uv started Python with a script that builds in a way that isn't known")
    return Step(hook, outcome, _path(call, 2))


def _path(match: re.Match[str], group: int) -> str:
    """Return the path of a literal: bytes in newer uvs, text in older ones.

    Raises:
        NotAStepError: It is none.
    """
    as_bytes, as_text = match.group(group), match.group(group + 1)
    try:
        if as_bytes is None:
            path = re.sub(r"\\(.)", r"\1", as_text)  # only quotes and backslashes are escaped there
        else:
            path = os.fsdecode(codecs.escape_decode(as_bytes.encode("utf-8", "surrogateescape"))[0])
    except ValueError as error:
        raise NotAStepError("uv started Python with a path that can't be read") from error
    if not os.path.isabs(path) or "\0" in path:
        raise NotAStepError("uv started Python with a path that isn't known")
    return path
