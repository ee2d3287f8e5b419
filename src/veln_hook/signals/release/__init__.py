"""Signals that look at what an index says of a release, and at where its files would land."""

from __future__ import annotations
