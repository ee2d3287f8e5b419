"""What the fuzz tests and the harnesses beside them have in common."""

from __future__ import annotations

import contextlib
import os
import random
import sys
import threading
import time
from pathlib import Path

# The harnesses are started by their path, without a conftest.
sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "src")]

try:
    import atheris
except ImportError:  # the tests need hypothesis only
    atheris = None

from veln_hook.source.worker import RECURSION, STACK_BYTES  # noqa: E402

SECONDS = float(os.environ.get("VELN_HOOK_FUZZ_SECONDS", "0"))
"""How long each of the tests searches; 0 is one quick round, the same each time."""
WORDS = (
    0,
    1,
    2,
    12,
    21,
    22,
    30,
    46,
    511,
    512,
    513,
    0x7FFF,
    0x8000,
    0xFFFE,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
)
"""Numbers at which formats change their mind."""


def in_rounds(test, examples=300, **given_as):
    """Run a test of strategies once, or in rounds until the time is over."""
    from hypothesis import HealthCheck, Phase, given, settings

    quick = not SECONDS
    options = settings(
        max_examples=examples if quick else 1000,
        derandomize=quick,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    end = time.monotonic() + SECONDS
    search = options(given(**given_as)(test))
    while True:
        search()
        if time.monotonic() >= end:
            return


def deeply(function, *arguments):
    """Call it where the worker would: in a thread with a large stack and a high recursion limit."""
    raised: list[BaseException] = []

    def call():
        try:
            function(*arguments)
        # Told where it can be seen.
        except BaseException as error:  # noqa: BLE001
            raised.append(error)

    limit, stack = sys.getrecursionlimit(), threading.stack_size(STACK_BYTES)
    sys.setrecursionlimit(RECURSION)
    try:
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(limit)
        threading.stack_size(stack)
    if raised:
        raise raised[0]


def changed(data: bytes, change, other: bytes = b"") -> bytes:  # noqa: PLR0911 - one for each kind
    """Make one change of ``(kind, place, value)`` that knows nothing of a format."""
    kind, place, value = change
    at = place % (len(data) + 1)
    length = 1 + value % 300
    kind %= 8
    if kind == 0 and at < len(data):
        return data[:at] + bytes([data[at] ^ (1 << value % 8)]) + data[at + 1 :]
    if kind == 1:
        return data[:at] + bytes([value & 0xFF]) + data[at + 1 :]
    if kind == 2:
        return data[:at]
    if kind == 3:
        start = value % (len(other) + 1)
        return data[:at] + other[start : start + length] + data[at:]
    if kind == 4:
        return data[:at] + data[at + length :]
    if kind == 5:
        return data[: at + length] + data[at:]
    if kind == 6:
        width = (1, 2, 4)[value % 3]
        word = WORDS[value % len(WORDS)] & ((1 << 8 * width) - 1)
        return data[:at] + word.to_bytes(width, "little") + data[at + width :]
    return data[at:] + data[:at]


def instrumented(name: str):
    """Have what is imported within tell atheris of its branches, if a harness was started and it is there."""
    if name == "__main__" and atheris is not None:
        return atheris.instrument_imports(include=["veln_hook"])
    return contextlib.nullcontext()


def search(check, seeds, change, directory: str) -> int:
    """Search with atheris until it is stopped, which happens within.

    Args:
        check: What must not raise, of bytes.
        seeds: Bytes to begin with.
        change: Called with a source of chance and bytes; gives other ones.
        directory: For the seeds; what libFuzzer makes of them is not kept.
    """
    if atheris is None:
        print("atheris is not installed: nothing is searched", file=sys.stderr)
        return 0

    def mutator(data, max_size, seed):
        chance = random.Random(seed)
        if chance.random() < 0.4:
            return atheris.Mutate(data, max_size)
        return change(chance, bytes(data))[:max_size]

    corpus = os.path.join(directory, "corpus")
    os.mkdir(corpus)
    for number, seed in enumerate(seeds):
        with open(os.path.join(corpus, str(number)), "wb") as file:
            file.write(seed)
    if any(os.path.isfile(argument) for argument in sys.argv[1:]):
        corpus = ""  # a crash is to be seen again
    # The last one of an option counts.
    options = ["-max_len=40000", "-timeout=60", "-rss_limit_mb=4096", *sys.argv[1:]]
    atheris.Setup([sys.argv[0], *filter(None, [corpus]), *options], check, custom_mutator=mutator)
    atheris.Fuzz()
    return 0
