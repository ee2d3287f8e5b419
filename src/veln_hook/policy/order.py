"""Which way is looser: whether going from a key's first value to the second lets more through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from veln_hook.model import Severity

if TYPE_CHECKING:
    from collections.abc import Callable


def higher(old: Any, new: Any) -> bool:
    """More is looser: something is there that was not."""
    return not set(new) <= set(old)


def fewer(old: Any, new: Any) -> bool:
    """Fewer is looser: something is gone that was there."""
    return not set(old) <= set(new)


def lower(old: Any, new: Any) -> bool:
    """Lower is looser."""
    return bool(new < old)


def longer_or_none(old: Any, new: Any) -> bool:
    """Longer is looser, and nothing is the loosest."""
    return bool(old and (not new or new > old))


def differs(old: Any, new: Any) -> bool:
    """Return whether anything changed: where there is no order, every change counts as looser."""
    return bool(old != new)


def lower_in(*words: str) -> Callable[[Any, Any], bool]:
    """Return the order of words that are given from the loosest to the strictest."""
    return lambda old, new: words.index(new) < words.index(old)


def lower_severity(old: Any, new: Any) -> bool:
    """Without an override a finding may be anything up to HIGH, as CRITICAL can't be lowered."""
    return bool(new < (Severity.HIGH if old is None else old))
