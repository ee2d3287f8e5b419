from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from guard_records import Machine

from veln_hook.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def machine() -> Iterator[Machine]:
    store = SqliteStore(":memory:")
    made = Machine(store)
    yield made
    for guard in made.guards:
        guard.close()
    store.close()
