"""What only several words of a file tell together: it reads secrets and has a library, it writes and where.

Asked by ``prefilter`` about each file's code without strings and comments.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from veln_hook.source.standard import STANDARD
from veln_hook.source.steering import steered_by
from veln_hook.source.variables import is_credential_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from veln_hook.source.imports import Import

_WRITES = re.compile(
    rb"open(?<![\w`]open)[ \t\n]*\(|write_(?:text|bytes)|copy(?:file|2)?[ \t\n]*\(|move[ \t\n]*\("
    rb"|\.rename|os\.replace|\.[ \t\n]*replace[ \t\n]*\([^,]{1,80}\)|symlink|hardlink|copytree"
    rb"|extractall|unpack_archive|FileIO|fileinput"
)
_WRITE_WORDS = (
    b"open", b"write_", b"shutil", b"rename", b"symlink", b"hardlink", b"extractall", b"FileIO", b"fileinput",
    b"replace",
)  # fmt: skip
"""Words, one of which what writes has in it."""
_PLACES = re.compile(
    rb"get(?:user)?sitepackages|get_python_lib|sysconfig|purelib|platlib|__file__|__path__|getfile|expanduser"
    rb"|(?:sys|site)[ \t\n]*\.[ \t\n]*(?:\w*path|\w*prefix|executable|\w+_SITE|\w+_BASE)"
    rb"|\.[ \t\n]*home[ \t\n]*\(|`(?:HOME|USERPROFILE|(?:LOCAL)?APPDATA)`"
)
"""Where Python's and shells' start-up files lie; with what writes, as their names may be put together."""
_REMOVES = re.compile(
    rb"(?:rmtree|unlink|rmdir|removedirs|remove_tree|send2trash)(?![\w`])"
    rb"|(?:os|posix)[ \t\n]*\.[ \t\n]*(?:remove|truncate)(?!\w)|import\b[^\n]*\b(?:remove|truncate)(?!\w)"
)
_REMOVING = frozenset((
    b"rmtree", b"unlink", b"rmdir", b"removedirs", b"remove_tree", b"send2trash", b"remove", b"truncate",
))  # fmt: skip
_LOOKING = frozenset((
    b"walk", b"fwalk", b"listdir", b"scandir", b"glob", b"rglob", b"iglob", b"iterdir",
))  # fmt: skip
"""Words, one of which what removes, or looks through, has in it."""
_OF_HOMES = frozenset((b"expanduser", b"expandvars", b"home", b"HOME", b"USERPROFILE", b"sep", b"anchor"))
_LOOKS_THROUGH = re.compile(rb"\b(?:f?walk|listdir|scandir|r?glob|iglob|iterdir)[ \t\n]*\(")
_HOME = re.compile(
    rb"expanduser|expandvars|\.[ \t\n]*home[ \t\n]*\(|`(?:HOME|USERPROFILE)`|\bsep\b(?![ \t]*=)"
    rb"|\.[ \t\n]*anchor"
)
_ROOT = re.compile(
    rb"[\"'](?:/|~/?|/(?:home|root|Users|etc|usr|var|boot|mnt|media|opt|dev)(?:/[^\"'\n]{0,20})?"
    rb"|[A-Za-z]:[\\/]{0,3})[\"']"
)
"""A text that is one of the places below which everything is."""
_DISK = re.compile(rb"/dev/(?:[shv]d[a-z]|nvme|disk|mmcblk|md)")
_SETS = re.compile(
    rb"environb?[ \t\n]*(?:\[[ \t\n]*(?:`(\w+)`[ \t\n]*(?=\]))?[^\]\n]*\][ \t]*=(?!=)"
    rb"|\.[ \t\n]*(?:setdefault|__setitem__)[ \t\n]*\([ \t\n]*(?:`(\w+)`[ \t\n]*(?=,))?"
    rb"|\.[ \t\n]*(?:update|__ior__)|[ \t]*\|=)"
    rb"|putenv[ \t\n]*\([ \t\n]*(?:`(\w+)`[ \t\n]*(?=,))?"
    rb"|=[ \t]*(?:\w+[ \t]*\.[ \t]*)?environb?[ \t]*(?=[;\n#]|\Z)|environb?[ \t]+as\b"
)
"""What sets variables of the environment, by the name of one if that is told; or gives it another name."""
_WINDOW = 50
"""Bytes before it that are looked at, for the dot of ``os.environ``."""
_READS = re.compile(
    rb"(\w+)[ \t\n]*\.[ \t\n]*(?:environb?|getenvb?)(?![\w`])"
    rb"(?:(?:[ \t\n]*\.[ \t\n]*(?:get|pop|setdefault))?[ \t\n]*[\[(][ \t\n]*`(\w+)`(?=[ \t\n]*[,)\]]))?"
)
"""What takes the environment out of something, and the name of a variable if only that is read of it."""
_SYSTEM = ("os", "posix")
"""Modules that have the environment."""
_NAMED = re.compile(
    rb"[\"'=][ \t]*(?:os|subprocess|builtins|posix|nt|pty|runpy)[.:]"
    rb"(?:system|popen|exec[lv]\w*|exec|\w*spawn\w*|startfile|run\w*|call|check_\w+|get\w*output|Popen|eval"
    rb"|compile)[\"']"
)
"""A text that names a function, which a library may look up: an entry point, a target."""
_NAMING = (
    b"subprocess", b"builtins", b"posix", b"runpy", b"system", b"popen", b"spawn", b"startfile", b"execv",
)  # fmt: skip
"""Words, one of which what is named has in it."""


def does_something(
    data: bytes, code: bytes, present: AbstractSet[bytes], words: bytes, imports: Sequence[Import]
) -> bool:
    """Tell whether a file may do something that several of its words tell together.

    Args:
        data: Its bytes.
        code: The same without strings and comments, ``getattr`` by a literal undone.
        present: Each word of the file.
        words: The same in a row, to look for parts of them.
        imports: What it imports.
    """
    return (
        _names_a_function(data, words)
        or _writes_start_up_files(code, words)
        or _gives_secrets_away(code, words, imports)
        or _destroys(data, code, present)
        or _steers(code, words, imports)
    )


def _names_a_function(data: bytes, words: bytes) -> bool:
    """Tell whether a text names a function that matters, for a library to look up."""
    return any(word in words for word in _NAMING) and _NAMED.search(data) is not None


def _writes_start_up_files(code: bytes, words: bytes) -> bool:
    return (
        any(word in words for word in _WRITE_WORDS)
        and _PLACES.search(code) is not None
        and _WRITES.search(code) is not None
    )


def _gives_secrets_away(code: bytes, words: bytes, imports: Sequence[Import]) -> bool:
    """Tell whether a file reads the environment and has a library that may be given what was read."""
    if b"environ" not in words and b"getenv" not in words:
        return False
    # 'import os.path' has all of os, too.
    system = [each for each in imports if each.module.partition(".")[0] in _SYSTEM]
    return (
        bool(system)
        and any(each.module[:1] != "." and each.module.partition(".")[0] not in STANDARD for each in imports)
        and (any(each.name[:3] in ("env", "get", "*") for each in system) or _reads_a_secret(code, system))
    )


def _reads_a_secret(code: bytes, system: Iterable[Import]) -> bool:
    """Tell whether the environment is taken out of ``os``, but for variables that hold no secret by name.

    Who has ``os`` under a name that no import gave it put it somewhere, and is parsed for that.
    """
    names = {*_SYSTEM, *(each.bound for each in system)}
    return any(
        found[1].decode("utf-8", "replace") in names
        and (found[2] is None or is_credential_name(found[2].decode("utf-8", "replace")))
        for found in _READS.finditer(code)
    )


def _destroys(data: bytes, code: bytes, present: AbstractSet[bytes]) -> bool:
    """Tell whether a file removes or overwrites something, and names a place that has everything."""
    if b"dev" in present and _DISK.search(data) is not None:
        return True
    removes, looks = not _REMOVING.isdisjoint(present), not _LOOKING.isdisjoint(present)
    if not removes and not looks:
        return False
    if _OF_HOMES.isdisjoint(present) and _ROOT.search(data) is None:
        return False
    return (
        (removes and _REMOVES.search(code) is not None)
        or (looks and _LOOKS_THROUGH.search(code) is not None and _WRITES.search(code) is not None)
    ) and (_HOME.search(code) is not None or _ROOT.search(data) is not None)


def _steers(code: bytes, words: bytes, imports: Sequence[Import]) -> bool:
    """Tell whether a file sets a variable that steers everything, or one whose name isn't told."""
    if b"environ" not in words and b"putenv" not in words:
        return False
    # Web applications have tables of that name, too.
    bare = any(each.name[:3] in ("env", "*") for each in imports if each.module in _SYSTEM)
    for found in _SETS.finditer(code):
        text, start = found.group(), found.start()
        taken = text[:1] == b"=" and b"." in text
        before = code[max(0, start - _WINDOW) : start].rstrip()
        name = found[1] or found[2] or found[3]
        if (bare or taken or text[:3] == b"put" or before[-1:] == b".") and (
            not name or steered_by(name.decode("utf-8", "replace"))
        ):
            return True
    return False
