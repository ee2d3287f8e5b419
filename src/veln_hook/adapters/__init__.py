"""The only rooms that know an installer's internals, one room each."""

from __future__ import annotations
