"""Verdicts about what uv builds: the wheels that come of it, and checkouts before their first step."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from veln_hook.archive import describe_archive
from veln_hook.index_proxy.judges import Judges
from veln_hook.model import Decision, Origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from veln_hook.guard import Guard
    from veln_hook.model import Verdict


class Judging:
    """Judges of one run, and what they said. Usable from any thread; close it after use.

    Args:
        make: Makes a guard with a store of its own, both of which are then ours to close.
    """

    def __init__(self, make: Callable[[], Guard]) -> None:
        # One thread: most runs build one thing, and a guard has a process of its own.
        self._judges = Judges(make)
        self._lock = threading.Lock()
        self._said: dict[tuple[str, str, Decision], Verdict] = {}

    def wheel(self, path: str) -> Verdict:
        """Judge a wheel that was built here.

        Args:
            path: Of the wheel; nobody else writes to it.

        Raises:
            ArchiveError: It can't be read.
            VelnHookError: There is nobody who could judge it.
        """
        return self.ask(lambda guard: guard.check_archive(describe_archive(path, origin=Origin.BUILT)))

    def ask(self, question: Callable[[Guard], Verdict]) -> Verdict:
        """Have a judge say something, and keep it.

        Raises:
            VelnHookError: There is nobody who could; or what the question raises.
        """
        verdict = self._judges.run(question)
        with self._lock:
            # The same again, as when uv builds twice, is told once.
            self._said[verdict.subject.filename, verdict.subject.sha256, verdict.decision] = verdict
        return verdict

    def verdicts(self) -> list[Verdict]:
        """Return what was said so far."""
        with self._lock:
            return list(self._said.values())

    def close(self) -> None:
        """End the judges. Calling it twice is harmless."""
        self._judges.close()
