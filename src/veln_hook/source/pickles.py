"""Pickles: data that names functions, which whoever loads it calls.

The opcodes are read by ``pickletools``, which runs nothing, over a stack that holds strings and nothing else:
enough to know what each ``GLOBAL`` and ``STACK_GLOBAL`` names. Models of PyTorch are ZIP files with a pickle
in them; those of joblib and the like may be compressed.
"""

from __future__ import annotations

import bz2
import io
import lzma
import pickletools
import re
import zipfile
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Callable

from veln_hook.source.facts import CALL, Placed
from veln_hook.source.vocabulary import (
    CALLS,
    DNS,
    EXEC,
    LOAD,
    NATIVE,
    NET,
    PERSIST,
    PICKLE,
    PROC,
    SPY,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 64 << 20
"""Of a member that is read, and of what it unpacks to; the rest of a larger one is not looked at."""
_MAX_OPCODES = 1_000_000
_MAX_FOUND = 20
_MAX_STRING = 4_000
_SUFFIXES = (
    ".pkl", ".pickle", ".pck", ".pcl", ".p", ".pt", ".pth", ".ckpt", ".joblib", ".sav", ".model", ".dill",
    ".dump",
)  # fmt: skip
"""Of pickles without a magic number (protocols 0 and 1), and of those that may be compressed."""
_PLAIN = (
    ".json", ".txt", ".md", ".rst", ".html", ".css", ".js", ".map", ".ts", ".tsx", ".svg", ".png", ".jpg",
    ".gif", ".ico", ".woff", ".woff2", ".ttf", ".eot", ".pyi", ".c", ".h", ".cpp", ".hpp", ".pyx", ".pxd",
    ".mo", ".po", ".yaml", ".yml", ".toml", ".cfg", ".ini", ".csv", ".xml", ".typed",
)  # fmt: skip
"""How names end of what makes up most archives and is loaded as what it is."""
_PROTOCOLS = tuple(b"\x80" + bytes((number,)) for number in range(2, 6))
_ZIP, _NUMPY = b"PK\x03\x04", b"\x93NUM"
_PACKED: dict[bytes, Callable[[], Any]] = {
    **dict.fromkeys(
        (b"\x1f\x8b", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"), lambda: zlib.decompressobj(47)
    ),
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zX": lzma.LZMADecompressor,
    b"\x5d\x00\x00": lzma.LZMADecompressor,
}
"""How compressed files begin, and what unpacks them."""
_PEEK = 4096
_GLOBAL = re.compile(
    rb"[ci](?:os|posix|nt|subprocess|builtins|__builtin__|runpy|pty|importlib|commands)\n\w+\n"
    rb"|\x8c.(?:os|posix|nt|subprocess|builtins|__builtin__|runpy|pty)[\x94\x8c]",
    re.DOTALL,
)
"""What names a function in a pickle that begins in no way that is told."""
_ACTS = frozenset((PROC, EXEC, NET, DNS, LOAD, NATIVE, SPY, PERSIST))
_MORE = frozenset([
    "builtins.__import__", "builtins.breakpoint", "builtins.input", "importlib.import_module",
    "importlib.__import__", "marshal.loads", "shutil.rmtree", "os.remove", "os.unlink", "os.putenv",
    "os.chmod", "types.CodeType", "numpy.testing._private.utils.runstring", "torch.hub.load",
    "torch.load", "pip.main", "pydoc.pipepager", "asyncio.create_subprocess_shell",
])  # fmt: skip
COMPUTED = "a name that is made while it is loaded"
_SAME = {"posix": "os", "nt": "os", "__builtin__": "builtins", "_pickle": "pickle", "commands": "subprocess"}
"""Modules under the names that other Pythons have for them."""


def may_be_pickle(lowered: str, head: bytes) -> bool:
    """Tell from its name, in lower case, and its first bytes whether a member may be a pickle or hold one."""
    return (
        lowered.endswith(_SUFFIXES)
        or head.startswith((*_PROTOCOLS, _ZIP, _NUMPY, *_PACKED))
        or _GLOBAL.search(head) is not None
    )


def is_plain(lowered: str) -> bool:
    """Tell from its name, in lower case, whether a member is loaded as something that is no pickle."""
    return lowered.endswith(_PLAIN)


def examine_pickle(name: str, data: bytes) -> list[Placed]:
    """Tell which functions that matter a pickle has called when it is loaded.

    Args:
        name: The member's.
        data: Its bytes, the first ``MAX_BYTES`` of them.
    """
    found: dict[str, Placed] = {}
    for pickle in _pickles(data, named=name.lower().endswith(_SUFFIXES)):
        for dotted in _calls(pickle):
            if dotted not in found:
                found[dotted] = Placed(PICKLE, CALL, name, 1, dotted[:80], _shown(pickle)[:160])
            if len(found) >= _MAX_FOUND:
                break
    return list(found.values())


def _pickles(data: bytes, *, named: bool) -> Iterator[bytes]:
    """Yield the pickles that a file holds: itself, or what is in it.

    Args:
        data: Its bytes.
        named: Whether its name is that of a pickle, so that it may be one that doesn't begin as one.
    """
    # What hostile bytes make these raise is no contract.
    with suppress(Exception):
        unpack = next((made for begin, made in _PACKED.items() if data.startswith(begin)), None)
        if data.startswith(_ZIP):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for info in archive.infolist():
                    if info.filename.endswith((*_SUFFIXES, ".npy")):
                        with archive.open(info) as file:
                            yield _after_header(file.read(MAX_BYTES))
        elif unpack is not None:
            if named or unpack().decompress(data[:_PEEK], len(_PROTOCOLS[0])).startswith(_PROTOCOLS):
                yield unpack().decompress(data, MAX_BYTES)
        else:
            yield _after_header(data)


def _after_header(data: bytes) -> bytes:
    """Return the pickle in an array of NumPy, if it holds objects; whatever else it is, as it is."""
    if not data.startswith(_NUMPY):
        return data
    end = data.find(b"\n", 0, _PEEK) + 1
    return data[end:] if b"|O" in data[:end] else b""


def _calls(data: bytes) -> Iterator[str]:
    """Yield what a pickle names that matters, as often as it does."""
    stack = _Stack()
    try:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if number > _MAX_OPCODES:
                return
            dotted = stack.step(opcode, argument)
            if dotted == COMPUTED or (dotted and _matters(dotted)):
                yield dotted
    # Raised at the end of what is cut off, and for whatever hostile bytes hold; what came before counts.
    except Exception:  # noqa: BLE001
        return


def _matters(dotted: str) -> bool:
    module, _, rest = dotted.partition(".")
    dotted = f"{_SAME.get(module, module)}.{rest}"
    plain = dotted.partition(".")[2] if dotted.startswith("builtins.") else dotted
    # Since protocol 4 a name may lead through attributes: 'shutil', 'os.system'.
    names = {plain, dotted, *(".".join(plain.split(".")[start:]) for start in range(1, 4))}
    return any(CALLS.get(name) in _ACTS or name in _MORE for name in names)


def _shown(data: bytes) -> str:
    """Return the names and strings at the beginning of a pickle as one line."""
    words = []
    with suppress(Exception):  # as above
        for _, argument, _ in pickletools.genops(data[:_MAX_STRING]):
            if isinstance(argument, str):
                words.append(" ".join(argument.split()))
    return "".join(char if char.isprintable() else "?" for char in " ".join(words))


class _Stack:
    """What a pickle machine's stack and memo hold, as far as that is strings; ``None`` for all else."""

    def __init__(self) -> None:
        self._items: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def step(self, opcode: pickletools.OpcodeInfo, argument: Any) -> str:
        """Do what an opcode does; return the dotted name that it takes a global by."""
        name = opcode.name
        if name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            place = len(self._memo) if name == "MEMOIZE" else int(argument)
            self._memo[place] = self._items[-1] if self._items else None
            return ""
        if name in ("GET", "BINGET", "LONG_BINGET"):
            self._items.append(self._memo.get(int(argument)))
            return ""
        if name == "DUP":
            self._items.append(self._items[-1] if self._items else None)
            return ""
        if name == "POP" and self._marks and self._marks[-1] == len(self._items):
            self._marks.pop()
            return ""
        dotted = self._named(name, argument)
        self._pop(opcode)
        for made in opcode.stack_after:
            if made is pickletools.markobject:
                self._marks.append(len(self._items))
            else:
                self._items.append(argument if isinstance(argument, str) and name not in _NAMES else None)
        return dotted

    def _named(self, name: str, argument: Any) -> str:
        if name in ("GLOBAL", "INST"):
            return str(argument).replace(" ", ".", 1)
        if name == "STACK_GLOBAL" and len(self._items) > 1:
            module, attribute = self._items[-2:]
            known = isinstance(module, str) and isinstance(attribute, str)
            return f"{module}.{attribute}" if known else COMPUTED
        return ""

    def _pop(self, opcode: pickletools.OpcodeInfo) -> None:
        before = opcode.stack_before
        if pickletools.markobject in before:
            mark = self._marks.pop() if self._marks else 0
            del self._items[mark:]
            before = before[: before.index(pickletools.markobject)]
        if before:
            del self._items[-len(before) :]


_NAMES = ("GLOBAL", "INST", "INT", "LONG", "FLOAT", "PERSID")
"""Opcodes whose argument is no string that they push."""
