from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.feeds import close_feeds

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def feeds_closed() -> Iterator[None]:
    yield
    close_feeds()
