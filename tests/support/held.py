"""What the tests with a real pip share: ages, and what a refusal looks like."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from support.envs import Result

OLD = timedelta(days=30)
"""Older than any threshold of these tests."""
YOUNG = timedelta(minutes=12)
"""Younger than the default threshold."""
EVIL = {"evil.py": "", "veln_hook/_startup.py": "def find_spec(*a): pass\n"}
"""Contents of a wheel that would overwrite veln-hook."""


def assert_held(result: Result, target: Path, *, status: int = 75, words: str = "HOLD  demo 2.0") -> None:
    """Assert that pip refused in its own way, and wrote nothing to the directory it was told to install into."""
    assert result.returncode == status, result
    assert words in result.out, result
    assert "Traceback" not in result.out, result
    # pip makes the directory of 'download' and 'wheel' before it looks for anything.
    assert not target.is_file()
    assert not list(target.rglob("*"))
