"""What is known of an expression's value without running it, and folding of what is constant.

Rules of this module: nothing here may take long or grow large, whatever it is
given; what would exceed a limit is simply not known.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import codecs
import lzma
import zlib
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_FOLDED = 1 << 20
"""Bytes or characters of a folded constant; payloads of megabytes are cut off there, enough to see them."""
MAX_TEMPLATE = 10_000
"""Characters of a template that is filled in."""
MAX_ITEMS = 200_000
MAX_NAME = 120
MAX_WORD = 10_000
"""Characters of one word of a command."""


class Unknown:
    """The value of what can't be known."""


UNKNOWN: Any = Unknown()
NOTHING: frozenset[str] = frozenset()


class Value:
    """What is known of one expression.

    Attributes:
        const: A literal ``str``, ``bytes``, ``int``, ``float``, ``bool``, ``None``, ``tuple`` or ``dict`` of
            such; or ``UNKNOWN``.
        name: Dotted name of what it is, aliases undone; empty if it has none.
        taints: What it was made of.
        hint: What is known of a text of which not all is, with ``{}`` for the rest.
    """

    __slots__ = ("const", "hint", "name", "taints")

    def __init__(
        self, const: Any = UNKNOWN, name: str = "", taints: frozenset[str] = NOTHING, hint: str = ""
    ) -> None:
        self.const = const
        self.name = name if len(name) <= MAX_NAME else ""
        self.taints = taints
        self.hint = hint

    @property
    def text(self) -> str:
        """What is known of it as a text, or as the words of a command."""
        const = self.const
        if isinstance(const, str):
            return const
        if isinstance(const, bytes):
            return const.decode("utf-8", "replace")
        if isinstance(const, tuple):
            return " ".join(
                str(item)[:MAX_WORD] for item in const[:50] if not isinstance(item, (tuple, dict))
            )
        return self.hint or self.name


ARGUMENT = Value(taints=frozenset(("arg",)))
"""A parameter: what a function is given, as it is."""
NONE = Value()


def taints_of(values: Iterable[Value]) -> frozenset[str]:
    """Return what several values were made of."""
    taints = NOTHING
    for value in values:
        if value.taints:  # few have any
            taints |= value.taints
    return taints


def add(left: Any, right: Any) -> Any:
    """Fold ``left + right`` of two constants."""
    if type(left) is type(right) and isinstance(left, (str, bytes, tuple)):
        if len(left) + len(right) <= MAX_FOLDED:
            return left + right
    elif isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return left + right
    return UNKNOWN


def arithmetic(operator: str, left: Any, right: Any) -> Any:
    """Fold the other operators on which strings are hidden: ``* % - ^ // << >> & |``."""
    if operator == "Mod" and isinstance(left, (str, bytes)):
        return _formatted(left, right)
    if operator == "Mult" and isinstance(right, int) and isinstance(left, (str, bytes, tuple)):
        # Nothing, too, can't be repeated more often than an index can tell.
        return left * right if 0 <= max(1, len(left)) * right <= MAX_FOLDED else UNKNOWN
    if not (isinstance(left, int) and isinstance(right, int)):
        return UNKNOWN
    small = abs(left) < 1 << 64 and abs(right) < 1 << 64
    try:
        return _OPERATORS[operator](left, right) if small and operator in _OPERATORS else UNKNOWN
    except (ZeroDivisionError, ValueError, OverflowError):
        return UNKNOWN


_OPERATORS: dict[str, Callable[[int, int], Any]] = {
    "Sub": lambda a, b: a - b,
    "Mult": lambda a, b: a * b,
    "BitXor": lambda a, b: a ^ b,
    "BitAnd": lambda a, b: a & b,
    "BitOr": lambda a, b: a | b,
    "FloorDiv": lambda a, b: a // b,
    "Mod": lambda a, b: a % b,
    "RShift": lambda a, b: a >> b if 0 <= b <= 64 else UNKNOWN,  # noqa: PLR2004
    "LShift": lambda a, b: a << b if 0 <= b <= 64 else UNKNOWN,  # noqa: PLR2004
}


def _formatted(template: Any, arguments: Any) -> Any:
    # A width such as %999999999d would make gigabytes out of nothing.
    if len(template) > MAX_TEMPLATE or (
        any(char.isdigit() for char in str(template)) and "%" not in str(template)[:1]
    ):
        return UNKNOWN
    items = tuple(arguments.values()) if isinstance(arguments, dict) else arguments
    if not isinstance(template, str) or "*" in template or _wide(template) or not _small(template, items):
        return UNKNOWN
    try:
        made = template % arguments
    except (TypeError, ValueError, KeyError, OverflowError):
        return UNKNOWN
    return made if len(made) <= MAX_FOLDED else UNKNOWN


def _small(template: str, arguments: Any) -> bool:
    """Tell whether a template stays small: it may name one argument many times, and a tuple may hold one."""
    items = arguments if isinstance(arguments, tuple) else (arguments,)
    if any(isinstance(item, (tuple, dict)) for item in items):
        return False
    return (
        len(template) * max((len(item) for item in items if isinstance(item, (str, bytes))), default=1)
        <= 4 * MAX_FOLDED
    )


def _wide(template: str) -> bool:
    digits = 0
    for char in template:
        digits = digits + 1 if char.isdigit() else 0
        if digits > 4:  # noqa: PLR2004 - a width of ten thousand at most
            return True
    return False


def subscript(container: Any, index: Any) -> Any:
    """Fold ``container[index]``; slices come as ``slice``."""
    if isinstance(container, dict):
        try:
            return container.get(index, UNKNOWN)
        except TypeError:
            return UNKNOWN
    if not isinstance(container, (str, bytes, tuple)):
        return UNKNOWN
    try:
        return container[index]
    except (IndexError, TypeError, ValueError):
        return UNKNOWN


# --- calls ------------------------------------------------------------------------------------------------


def _data(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes):
        return value
    raise TypeError


def _inflate(make: Callable[[], Any]) -> Callable[[Any], bytes]:
    def inflate(value: Any, *_: Any) -> bytes:
        made: bytes = make().decompress(_data(value), MAX_FOLDED)
        return made

    return inflate


def _gunzip(value: Any, *_: Any) -> bytes:
    made: bytes = zlib.decompressobj(31).decompress(_data(value), MAX_FOLDED)
    return made


def _zlib(value: Any, wbits: Any = 15, *_: Any) -> bytes:
    # Those that zlib knows.
    bits = wbits if isinstance(wbits, int) and -15 <= wbits <= 47 else 15  # noqa: PLR2004
    made: bytes = zlib.decompressobj(bits).decompress(_data(value), MAX_FOLDED)
    return made


def _b64(value: Any, *_: Any) -> bytes:
    return base64.b64decode(_data(value))


def _urlsafe(value: Any, *_: Any) -> bytes:
    return base64.urlsafe_b64decode(_data(value))


def _codec(value: Any, encoding: Any = "utf-8", *_: Any) -> Any:
    name = str(encoding).lower().replace("-", "").replace("_", "")
    if name in ("rot13", "rot"):
        return codecs.decode(value, "rot13")
    if name in ("hex", "hexcodec"):
        return binascii.unhexlify(_data(value))
    if name in ("base64", "base64codec"):
        return base64.b64decode(_data(value))
    if name in ("zlib", "zip"):
        return _zlib(value)
    if name in ("bz2", "bz2codec"):
        return _inflate(bz2.BZ2Decompressor)(value)
    if name in (
        "utf8",
        "ascii",
        "latin1",
        "utf16",
        "unicodeescape",
        "rawunicodeescape",
        "cp1252",
        "utf32",
        "utf16le",
    ):
        return _data(value).decode(str(encoding), "replace")
    raise ValueError


def _chr(value: Any) -> str:
    return chr(value)


def _int(value: Any, base: Any = 10) -> int:
    if isinstance(value, str) and len(value) < 100:  # noqa: PLR2004
        return int(value, base)
    if isinstance(value, (int, float)):
        return int(value)
    raise TypeError


def _sequence(value: Any = ()) -> tuple[Any, ...]:
    if len(value) > MAX_ITEMS:
        raise ValueError
    return tuple(value)


def _bytes(value: Any = b"", encoding: Any = "utf-8", *_: Any) -> bytes:
    if isinstance(value, tuple):
        return bytes(value)
    if isinstance(value, str):
        return value.encode(str(encoding))
    if isinstance(value, bytes):
        return value
    raise TypeError


def _str(value: Any = "", encoding: Any = None, *_: Any) -> str:
    if isinstance(value, bytes) and encoding is not None:
        return value.decode(str(encoding), "replace")
    if isinstance(value, (str, int, float)):
        return str(value)
    raise TypeError


def _range(*bounds: Any) -> tuple[int, ...]:
    numbers = range(*bounds)
    if len(numbers) > MAX_ITEMS:
        raise ValueError
    return tuple(numbers)


_FOLDS: dict[str, Callable[..., Any]] = {
    "chr": _chr,
    "unichr": _chr,
    "ord": ord,
    "str": _str,
    "bytes": _bytes,
    "bytearray": _bytes,
    "int": _int,
    "hex": lambda value: hex(value) if isinstance(value, int) else UNKNOWN,
    "len": len,
    "list": _sequence,
    "tuple": _sequence,
    "reversed": lambda value: _sequence(value)[::-1],
    "range": _range,
    "memoryview": _bytes,
    "bytes.fromhex": bytes.fromhex,
    "bytearray.fromhex": bytes.fromhex,
    "base64.b64decode": _b64,
    "base64.standard_b64decode": _b64,
    "base64.decodebytes": _b64,
    "base64.decodestring": _b64,
    "base64.urlsafe_b64decode": _urlsafe,
    "base64.b32decode": lambda value, *_: base64.b32decode(_data(value)),
    "base64.b16decode": lambda value, *_: base64.b16decode(_data(value), casefold=True),
    "base64.b85decode": lambda value, *_: base64.b85decode(_data(value)),
    "base64.a85decode": lambda value, *_: base64.a85decode(_data(value)),
    "binascii.unhexlify": lambda value: binascii.unhexlify(_data(value)),
    "binascii.a2b_hex": lambda value: binascii.unhexlify(_data(value)),
    "binascii.a2b_base64": lambda value: binascii.a2b_base64(_data(value)),
    "codecs.decode": _codec,
    "zlib.decompress": _zlib,
    "gzip.decompress": _gunzip,
    "bz2.decompress": _inflate(bz2.BZ2Decompressor),
    "lzma.decompress": _inflate(lzma.LZMADecompressor),
}


def call(name: str, arguments: Sequence[Any]) -> Any:
    """Fold a call of a pure function of the standard library with constant arguments."""
    fold = _FOLDS.get(name)
    if fold is None or any(argument is UNKNOWN for argument in arguments):
        return UNKNOWN
    return _guarded(fold, arguments)


def method(receiver: Any, name: str, arguments: Sequence[Any]) -> Any:
    """Fold a method of a constant: ``join``, ``replace``, ``decode``, ``format`` ..."""
    if receiver is UNKNOWN or any(argument is UNKNOWN for argument in arguments):
        return UNKNOWN
    if not isinstance(receiver, (str, bytes)):
        return UNKNOWN
    fold = _METHODS.get(name)
    return UNKNOWN if fold is None else _guarded(fold, (receiver, *arguments))


def _guarded(fold: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    try:
        made = fold(*arguments)
    # What hostile constants make the decoders raise is no contract.
    except Exception:  # noqa: BLE001
        return UNKNOWN
    if isinstance(made, (str, bytes, tuple)) and len(made) > MAX_FOLDED:
        return UNKNOWN
    return made


def _join(separator: Any, items: Any) -> Any:
    if len(items) > MAX_ITEMS or sum(len(item) + len(separator) for item in items) > MAX_FOLDED:
        raise ValueError
    return separator.join(items)


def _replace(text: Any, old: Any, new: Any, *_: Any) -> Any:
    if len(text) * max(1, len(new)) > 4 * MAX_FOLDED:
        raise ValueError
    return text.replace(old, new)


def _format(template: Any, *arguments: Any) -> Any:
    if (
        len(template) > MAX_TEMPLATE
        or _wide(template)
        or not _small(template, arguments)
        or "!" in template
        or ":" in template.replace("://", "")
    ):
        raise ValueError
    return template.format(*arguments)


_METHODS: dict[str, Callable[..., Any]] = {
    "join": _join,
    "replace": _replace,
    "decode": lambda text, encoding="utf-8", *_: _codec(text, encoding),
    "encode": lambda text, encoding="utf-8", *_: text.encode(encoding),
    "format": _format,
    "lower": lambda text: text.lower(),
    "upper": lambda text: text.upper(),
    "strip": lambda text, *a: text.strip(*a),
    "lstrip": lambda text, *a: text.lstrip(*a),
    "rstrip": lambda text, *a: text.rstrip(*a),
    "split": lambda text, *a: tuple(text.split(*a)),
    "splitlines": lambda text: tuple(text.splitlines()),
    "swapcase": lambda text: text.swapcase(),
    "removeprefix": lambda text, prefix: text.removeprefix(prefix),
    "zfill": lambda text, width: text.zfill(width) if width < 100 else UNKNOWN,  # noqa: PLR2004
    "hex": lambda text: text.hex(),
}
