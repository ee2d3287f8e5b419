"""What data was made of, as sets of words; ``facts.Capability`` tells what each means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from veln_hook.source.values import Value

MAX_TAINTS = 16
CALLED = ("ret:", "mix:")
"""How taints begin that name a function: what it returns, or something that was made of that."""


EVERYTHING = "everything"
"""The taint of paths that were found by looking through a home or a root."""
OPENED = frozenset(("opened",))
"""The taint of what stood in a file that holds no source."""
_OTHER = re.compile(r"\.(?!pyw?\Z)[A-Za-z]\w{0,7}\Z|^__file__\Z")
"""How the name of such a file ends; who reads his own source has something in it that is no code."""


def opened(*paths: Value) -> frozenset[str]:
    """Return the taint of what is read of a file with one of these paths: none where it may be source."""
    return OPENED if any(_OTHER.search(path.text) for path in paths) else frozenset()


def few(taints: frozenset[str]) -> frozenset[str]:
    """Return taints, not too many: what a hundred functions gave is followed for none of them."""
    if len(taints) <= MAX_TAINTS:
        return taints
    return frozenset(taint for taint in taints if not taint.startswith(CALLED))


def made_of(taints: frozenset[str]) -> frozenset[str]:
    """Return the taints of what a call made of data: a signature no longer has the key in it."""
    return frozenset(f"mix:{each[4:]}" if each[:4] == "ret:" else each for each in taints if each != "key")
