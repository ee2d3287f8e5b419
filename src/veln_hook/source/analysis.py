"""One file of source, from bytes to facts."""

from __future__ import annotations

import io
import tokenize
import warnings
from typing import TYPE_CHECKING

from veln_hook.source.encodings import declared, hides, readable
from veln_hook.source.facts import Capability, FileFacts, Scope
from veln_hook.source.imports import TooLongError, dotted, imports_of, leads_of
from veln_hook.source.lexing import code_of
from veln_hook.source.prefilter import is_interesting
from veln_hook.source.text import examine_marks, examine_text
from veln_hook.source.vocabulary import MATTER, TEXT
from veln_hook.source.walking import walk_module

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veln_hook.source.aliases import Alias

MAX_PARSED = 8 << 20
"""Bytes of a file that is parsed; a syntax tree takes a hundred times as much memory."""
_PYTHON_2 = (
    "Missing parentheses in call to 'print'",
    "Missing parentheses in call to 'exec'",
    "leading zeros in decimal integer literals",
    "inconsistent use of tabs",
)
"""How the parser's messages begin about what no Python 3 ever compiles, whatever else stands in the file."""
_RISKY = (
    b"exec",
    b"eval",
    b"subprocess",
    b"os.system",
    b"socket",
    b"urlopen",
    b"requests",
    b"marshal",
    b"b64decode",
    b"ctypes",
)


_BUILTINS = ("exec", "eval")


def analyse_python(
    data: bytes, *, always: bool = False, aliases: Mapping[str, Alias] | None = None
) -> FileFacts:
    """Read one file of Python source; never raises for what it holds.

    Args:
        data: Its bytes.
        always: Parse it whatever tokens it has.
        aliases: What names are that it takes from other files of its archive, as ``aliases`` tells.
    """
    text = readable(data)
    odd = tuple(examine_text(text))
    encoding = declared(data)
    if hides(encoding):
        odd += (Capability(TEXT, 1, "hidden-encoding", encoding),)
    elif not always:
        light = _light(odd, text)
        if light is not None:
            return light
    odd += tuple(examine_marks(data))
    if len(data) > MAX_PARSED:
        # Padding must not hide what follows it.
        large = Capability(TEXT, 1, "unparsable-risky", f"nothing, having {len(data)} bytes")
        return FileFacts(
            (Scope("", 1, (*odd, large)),), problem=f"it has {len(data)} bytes, more than is parsed"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes and the like
        try:
            facts = walk_module(data, aliases=aliases)
        except (SyntaxError, ValueError) as error:
            return _unparsed(odd, data, f"{type(error).__name__}: {error}")
        except (RecursionError, MemoryError) as error:
            return _unparsed(odd, data, f"nested too deeply ({type(error).__name__})")
    if odd:
        body, *others = facts.scopes
        facts = facts._replace(scopes=(body._replace(capabilities=body.capabilities + odd), *others))
    return facts


def _light(odd: tuple[Capability, ...], data: bytes) -> FileFacts | None:
    """Keep what links a file that does nothing by itself to others; ``None`` if it may do something."""
    code = code_of(data)
    if code is None:
        return None
    try:
        imports = imports_of(code)
    except TooLongError:
        return None
    if is_interesting(data, code, imports):
        return None
    names = {each.bound: dotted(each) for each in imports}
    exports = {
        bound if bound != "*" else f"*{name}": name
        for bound, name in names.items()
        if name != bound or name in MATTER
    }
    return FileFacts(
        (Scope("", 1, odd),),
        tuple(dict.fromkeys(name for each in imports for name in (each.module, dotted(each)))),
        tuple(exports.items()),
        light=True,
        leads=tuple(leads_of(code, imports)),
    )


def _unparsed(odd: tuple[Capability, ...], data: bytes, problem: str) -> FileFacts:
    """Say that a file can't be parsed, and whether it holds what matters."""
    if any(told in problem for told in _PYTHON_2):
        return FileFacts((Scope("", 1, odd),), problem=f"written for Python 2: {problem}"[:200])
    names = _names(data)
    risky = [token.decode() for token in _RISKY if token.decode().rpartition(".")[2] in names]
    if risky:
        odd = (*odd, Capability(TEXT, 1, "unparsable-risky", " ".join(risky)))
    return FileFacts((Scope("", 1, odd),), problem=problem[:200])


def _names(data: bytes) -> set[str]:
    """Return the identifiers of a source newer or older than this interpreter's grammar, by its tokens."""
    names = set()
    before = ""
    try:
        for token in tokenize.tokenize(io.BytesIO(data[:MAX_PARSED]).readline):
            # A dialog's 'exec' is no builtin.
            if token.type == tokenize.NAME and not (before in (".", "def") and token.string in _BUILTINS):
                names.add(token.string)
            before = token.string
    # What hostile bytes make the tokenizer raise is no contract; what came before counts.
    except Exception:  # noqa: BLE001
        names |= {token.decode().rpartition(".")[2] for token in _RISKY if token in data}
    return names
