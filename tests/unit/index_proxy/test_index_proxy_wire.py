from __future__ import annotations

import gzip
import zlib

import pytest

from veln_hook.index.limits import MAX_PAGE
from veln_hook.index_proxy.bodies import decoded
from veln_hook.index_proxy.headers import page_caching, takes_gzip, whole

TEXT = b'{"files": []}' * 100


@pytest.mark.parametrize("coding", [None, b"identity", b"gzip", b"x-gzip", b" GZIP "])
def test_what_is_known_is_decoded(coding: bytes | None) -> None:
    packed = coding is not None and b"gzip" in coding.lower()
    assert decoded(gzip.compress(TEXT) if packed else TEXT, coding) == TEXT


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (TEXT, b"gzip"),
        (gzip.compress(TEXT)[:-1], b"gzip"),
        (gzip.compress(TEXT)[:20], b"gzip"),
        (gzip.compress(TEXT) + b"\0", b"gzip"),
        (gzip.compress(TEXT) + gzip.compress(TEXT), b"gzip"),
        (gzip.compress(TEXT)[:-8] + b"\0" * 8, b"gzip"),
        (gzip.compress(TEXT), b"gzip, gzip"),
        (zlib.compress(TEXT), b"deflate"),
        (TEXT, b"br"),
        (gzip.compress(b" " * (5 << 20)), b"gzip"),
        (gzip.compress(b" " * (MAX_PAGE + 1)), b"gzip"),
    ],
    ids=range(11),  # the bytes have the time in them
)
def test_what_could_be_read_in_two_ways_or_is_too_much_is_an_error(body: bytes, coding: bytes) -> None:
    with pytest.raises(ValueError, match=r"coding|gzip|unpacks"):
        decoded(body, coding)


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        (b"gzip, deflate, zstd", True),
        (b"deflate;q=0.5, GZIP;q=0.1", True),
        (b"*", True),
        (b"gzip;q=0", False),
        (b"gzip; q=0.000", False),
        (b"identity", False),
        (b"", False),
        (None, False),
    ],
)
def test_gzip_is_taken_by_who_says_so(header: bytes | None, takes: bool) -> None:
    assert takes_gzip(header) is takes


def test_a_request_is_for_the_whole() -> None:
    given = [
        (b"Accept", b"text/html"),
        (b"If-None-Match", b'"x"'),
        (b"Range", b"bytes=0-1"),
        (b"Authorization", b"Basic x"),
        (b"Accept-Encoding", b"br"),
    ]
    assert whole(given, coding=b"gzip") == [
        (b"Accept", b"text/html"),
        (b"Authorization", b"Basic x"),
        (b"accept-encoding", b"gzip"),
    ]
    assert whole(given, coding=b"identity", accept=b"*/*")[1:] == [
        (b"accept", b"*/*"),
        (b"accept-encoding", b"identity"),
    ]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (b"max-age=600, public", b"public, max-age=600"),
        (b"private, max-age=86400, immutable, stale-while-revalidate=60", b"private, max-age=600"),
        (b"Max-Age=30", b"max-age=30"),
        (b"no-store", b"no-store"),
        (b"must-revalidate", b"no-cache"),
        (None, b"no-cache"),
    ],
)
def test_a_page_is_kept_for_ten_minutes_at_most(said: bytes | None, kept: bytes) -> None:
    assert page_caching(said, cut=False) == kept
    assert page_caching(said, cut=True) == b"no-cache"
