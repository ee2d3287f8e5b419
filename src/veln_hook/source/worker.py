"""The process that reads strangers' code: limits first, then one archive after the other.

Started by path as ``python -I -S``, by ``client``. Rules: this file imports the
standard library only; nothing is imported from anywhere but the standard library
and the two directories that it is given, and of those only ``veln_hook`` and
``packaging``; everything is imported before the first archive is touched; what a
line of standard output holds is JSON.

The conversation, one JSON object a line; "<-" is what this process says:

    <- {"ready": RULES}
    -> {"scan": PATH, "seconds": N}
    <- {"ask": [SHA256, ...]}           which files are known?
    -> {"known": {SHA256: FACTS}}
    <- {"learned": {SHA256: FACTS}}     for the next time; no answer
    <- {"facts": FACTS} or {"error": TEXT}
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import threading
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any, BinaryIO

try:
    import resource as _resource
except ImportError:  # Windows
    resource: Any = None
else:
    resource = _resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

MEMORY_BYTES = 3 << 30
OPEN_FILES = 32
STACK_BYTES = 256 << 20
"""Of the thread that parses; only what is used of it is real."""
RECURSION = 20_000
LINE_BYTES = 16 << 20
"""No line of the conversation is longer; what would be is not said."""
_ASKED_AT_ONCE = 500
_BATCH_BYTES = 1 << 20
_SPARE_SECONDS = 30


class _Ours:
    """Finds our own top-level packages, and nothing else that lies beside them."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places

    def find_spec(
        self, fullname: str, path: object = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec (PEP 451)."""
        if path is None and fullname in self._places:
            return PathFinder.find_spec(fullname, [self._places[fullname]], target)
        return None


class _Conversation:
    """The two ends of the parent's pipes."""

    def __init__(self, hear: BinaryIO, say: BinaryIO) -> None:
        self._hear = hear
        self._say = say

    def lines(self) -> Iterator[Any]:
        """Yield what the parent says until it hangs up."""
        while line := self._hear.readline():
            yield json.loads(line)

    def say(self, message: object) -> bool:
        """Say one thing; return whether it was short enough to be said."""
        return self.say_text(json.dumps(message, separators=(",", ":")))

    def say_text(self, text: str) -> bool:
        """Say what is JSON already."""
        if len(text) >= LINE_BYTES:
            return False
        self._say.write(text.encode("ascii") + b"\n")
        self._say.flush()
        return True

    def known(self, sha256s: Sequence[str]) -> dict[str, Any]:
        """Ask which files are known."""
        found: dict[str, Any] = {}
        for start in range(0, len(sha256s), _ASKED_AT_ONCE):
            self.say({"ask": list(sha256s[start : start + _ASKED_AT_ONCE])})
            found.update(json.loads(self._hear.readline())["known"])
        return found

    def learned(self, files: Mapping[str, object]) -> None:
        """Give what was found in files, a batch at a time."""
        batch: list[str] = []
        size = 0
        for sha256, facts in files.items():
            text = f"{json.dumps(sha256)}:{json.dumps(facts, separators=(',', ':'))}"
            if size and size + len(text) > _BATCH_BYTES:
                self._say_learned(batch)
                batch, size = [], 0
            if len(text) <= _BATCH_BYTES:  # a bigger one is read again the next time
                batch.append(text)
                size += len(text)
        if batch:
            self._say_learned(batch)

    def _say_learned(self, batch: Sequence[str]) -> None:
        self.say_text('{"learned":{' + ",".join(batch) + "}}")


def main(arguments: Sequence[str], scan_path: Callable[..., Any] | None = None) -> None:
    """Serve until the parent hangs up.

    Args:
        arguments: Directories that hold ``veln_hook`` and ``packaging``.
        scan_path: In place of ``veln_hook.source.scanning.scan_path``.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to hear, and it ends us
    sys.meta_path.append(_Ours(dict(zip(("veln_hook", "packaging"), arguments))))
    conversation = _private_pipes()
    from veln_hook.source import facts  # noqa: PLC0415 - there was nobody to find it

    if scan_path is None:
        from veln_hook.source import scanning  # noqa: PLC0415 - likewise

        scan_path = scanning.scan_path
    _limit()
    gc.disable()  # syntax trees are millions of objects without a cycle
    gc.freeze()  # and what was imported stays
    sys.setrecursionlimit(RECURSION)
    threading.stack_size(STACK_BYTES)
    thread = threading.Thread(target=_serve, args=(conversation, scan_path, facts))
    thread.start()
    thread.join()


def _private_pipes() -> _Conversation:
    """Keep the pipes to ourselves: what anybody prints goes to standard error."""
    hear, say = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return _Conversation(os.fdopen(hear, "rb"), os.fdopen(say, "wb"))


def _limit() -> None:
    """Give up what reading doesn't need; a limit that the system doesn't know stays as it is."""
    if resource is None:
        return
    for name, value in (
        ("RLIMIT_AS", MEMORY_BYTES),
        ("RLIMIT_FSIZE", 0),
        ("RLIMIT_NOFILE", OPEN_FILES),
        ("RLIMIT_CORE", 0),
    ):
        _set(getattr(resource, name, None), value, both=True)


def _limit_time(seconds: float) -> None:
    """End by ourselves when the parent is gone and can't end us."""
    if resource is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        _set(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + int(seconds) + _SPARE_SECONDS)


def _set(limit: int | None, value: int, *, both: bool = False) -> None:
    if limit is None:
        return
    try:
        _, hard = resource.getrlimit(limit)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        resource.setrlimit(limit, (value, value if both else hard))
    except (OSError, ValueError):
        pass


def _serve(conversation: _Conversation, scan_path: Callable[..., Any], facts: ModuleType) -> None:
    def known(sha256s: Sequence[str]) -> dict[str, Any]:
        found = conversation.known(sha256s)
        return {sha256: facts.file_from_plain(plain) for sha256, plain in found.items()}

    conversation.say({"ready": facts.RULES})
    for asked in conversation.lines():
        _limit_time(asked["seconds"])
        try:
            answer = {"facts": scan_path(asked["scan"], known=known, learned=conversation.learned)}
            if not conversation.say(answer):
                conversation.say({"error": "it does more than can be listed"})
        except MemoryError:
            conversation.say({"error": f"reading it takes more than {MEMORY_BYTES >> 30} GiB of memory"})
        except OSError as error:
            conversation.say({"error": f"it can't be read: {error.strerror or error}"})
        except Exception as error:  # noqa: BLE001 - whatever it is, it is about this archive
            conversation.say({"error": f"{type(error).__name__}: {error}"[:1000]})
        gc.collect()


if __name__ == "__main__":
    main(sys.argv[1:])
