"""How a verdict is told."""

from __future__ import annotations
