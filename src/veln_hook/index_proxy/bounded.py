"""A memory that forgets what wasn't asked for in the longest time."""

from __future__ import annotations

from collections import OrderedDict
from typing import Callable, Generic, Optional, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Bounded(Generic[Key, Value]):
    """A dictionary of limited size. To be used in one thread.

    Args:
        most: How much may be in it.
        size: How much one value counts; by default, each counts one.
    """

    def __init__(self, most: int, size: Optional[Callable[[Value], int]] = None) -> None:
        self._most = most
        self._size = size or (lambda _: 1)
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._used = 0

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Key) -> Optional[Value]:
        """Return a value, which is then the last to be forgotten; ``None`` if there is none."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: Key, value: Value) -> None:
        """Keep a value in place of what was kept under the same key."""
        self.drop(key)
        self._values[key] = value
        self._used += self._size(value)
        while self._used > self._most and len(self._values) > 1:
            _, old = self._values.popitem(last=False)
            self._used -= self._size(old)

    def drop(self, key: Key) -> None:
        """Forget a value, if it is there."""
        old = self._values.pop(key, None)
        if old is not None:
            self._used -= self._size(old)

    def all(self) -> list[Key]:
        """Return all keys, the oldest first."""
        return list(self._values)
