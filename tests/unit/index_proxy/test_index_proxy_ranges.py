from __future__ import annotations

import pytest

from veln_hook.index_proxy.ranges import UnsatisfiableError, span_of


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (b"bytes=0-0", (0, 1)),
        (b"bytes=2-5", (2, 4)),
        (b"bytes=2-", (2, 8)),
        (b"bytes=2-99", (2, 8)),
        (b"bytes=-3", (7, 3)),
        (b"bytes=-99", (0, 10)),
        (b" BYTES = 1 - 2 ", (1, 2)),
        (None, None),
        (b"bytes=5-2", None),
        (b"bytes=-", None),
        (b"bytes=0-1,3-4", None),
        (b"items=0-1", None),
        (b"bytes=0x1-2", None),
        (b"bytes=1-2;3", None),
        (b"bytes=" + b"9" * 100 + b"-", None),
    ],
)
def test_a_single_range_is_read_and_everything_else_is_the_whole(
    header: bytes | None, span: tuple[int, int] | None
) -> None:
    assert span_of(header, 10) == span


@pytest.mark.parametrize(("header", "size"), [(b"bytes=10-", 10), (b"bytes=-0", 10), (b"bytes=0-", 0)])
def test_a_range_beyond_the_end_is_an_error(header: bytes, size: int) -> None:
    with pytest.raises(UnsatisfiableError):
        span_of(header, size)
