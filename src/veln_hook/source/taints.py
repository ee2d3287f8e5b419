"""What data was made of, as sets of words; ``facts.Capability`` tells what each means."""

from __future__ import annotations

MAX_TAINTS = 16
CALLED = ("ret:", "mix:")
"""How taints begin that name a function: what it returns, or something that was made of that."""


def few(taints: frozenset[str]) -> frozenset[str]:
    """Return taints, not too many: what a hundred functions gave is followed for none of them."""
    if len(taints) <= MAX_TAINTS:
        return taints
    return frozenset(taint for taint in taints if not taint.startswith(CALLED))


def made_of(taints: frozenset[str]) -> frozenset[str]:
    """Return the taints of what a call made of data: a signature no longer has the key in it."""
    return frozenset(f"mix:{each[4:]}" if each[:4] == "ret:" else each for each in taints if each != "key")
