"""How much of an index's word is read at all."""

from __future__ import annotations

MAX_PAGE = 60_000_000
"""Bytes of a page, with no content encoding left. PyPI's largest ones have about a tenth of it."""
