"""What the pip adapter does where a pip is other than those that are known."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from veln_hook.adapters.pip import prepare
from veln_hook.adapters.pip.run import Run

LINK = SimpleNamespace(url="https://x/demo-1.0-py3-none-any.whl#sha256=00")


@pytest.mark.parametrize(
    "item",
    [
        None,
        "demo",
        (LINK,),
        (LINK, "/tmp/demo-1.0-py3-none-any.whl"),
        (LINK, None),
        ("https://x/demo-1.0-py3-none-any.whl", ("/tmp/demo-1.0-py3-none-any.whl", "")),  # 20.2
        (LINK, ("/tmp/demo-1.0-py3-none-any.whl", "")),  # of which nothing was asked before
    ],
)
def test_what_is_not_understood_is_not_read_ahead(item):
    # A run without a guard: anything that were done with it would fail.
    prepare._read_ahead(Run("pip._internal."), item)
