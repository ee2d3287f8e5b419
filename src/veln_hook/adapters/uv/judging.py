"""Verdicts about what uv builds: checkouts before their first step, and the wheels that come of all."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING, NamedTuple

from veln_hook.adapters.uv import local
from veln_hook.adapters.uv.built import Made
from veln_hook.adapters.uv.checkouts import Checkouts, remove_bytecode
from veln_hook.archive import describe_archive
from veln_hook.errors import ArchiveError
from veln_hook.index_proxy.judges import Judges
from veln_hook.model import Decision, Origin, Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from veln_hook.adapters.uv.build_step import Step
    from veln_hook.guard import Guard
    from veln_hook.model import Verdict
    from veln_hook.sandbox.ladder import Ladder


class Judging:
    """Judges of one run, and what they said. Usable from any thread; close it after use.

    Args:
        make: Makes a guard with a store of its own, both of which are then ours to close.
        cache: The cache that uv works in.
        find: Tells how this machine confines builds.
    """

    def __init__(self, make: Callable[[], Guard], cache: str, find: Callable[[], Ladder]) -> None:
        self._judges = Judges(make)
        self._find = find
        self._lock = threading.Lock()
        self._said: dict[tuple[str, str, Decision], Verdict] = {}
        self._awaited: dict[str, _Awaited] = {}
        self._cache = Checkouts(cache)
        self._looking = threading.Lock()
        self._checkouts: dict[str, Verdict] = {}

    # --- wheels ---------------------------------------------------------------------------------------------

    def expect(self, step: Step, name: str) -> str:
        """Look where a step will put a wheel, before it starts; return the word by which it is judged.

        Args:
            step: Makes a wheel.
            name: What it builds, for messages.

        Raises:
            OSError: There is no such place.
        """
        word = secrets.token_hex(16)
        made = Made(step)
        with self._lock:
            self._awaited[word] = _Awaited(name, made)
        return word

    def refused_of(self, word: str) -> Verdict | None:
        """Judge what a step made that has ended, once; what isn't to be installed is removed.

        Args:
            word: What `expect` returned.

        Returns:
            The verdict that refuses it; ``None`` if all passes.

        Raises:
            ArchiveError: It made something else, or that can't be read.
            VelnHookError: There is nobody who could judge it.
            OSError: It can't be read.
        """
        with self._lock:
            awaited = self._awaited.pop(word, None)
        if awaited is None:
            raise ArchiveError("no step was to make something")
        passed = False
        try:
            for path in awaited.made.wheels():
                verdict = self._ask(_wheel(path))
                if not verdict.passes:
                    return verdict
            passed = True
        except ArchiveError as error:
            raise ArchiveError(f"what the build of {awaited.name} made can't be judged: {error}") from error
        finally:
            if not passed:
                awaited.made.remove()
        return None

    # --- checkouts ------------------------------------------------------------------------------------------

    def checkout(self, path: str) -> Verdict | None:
        """Judge a git checkout before a step of its build runs; once, unless it is another one by now.

        Args:
            path: Of its root.

        Returns:
            The verdict; ``None`` if an earlier run has judged it, and let it pass.

        Raises:
            VelnHookError: There is nobody who could judge it.
        """
        with self._looking:
            if path in self._checkouts:
                return self._checkouts[path]
            if self._cache.is_judged(path):
                return None
            remove_bytecode(path)
            verdict = self._ask(lambda guard: local.judge_tree(guard, path, Source.VCS, self._find))
            self._checkouts[path] = verdict
            if verdict.passes:
                self._cache.remember(path)
            return verdict

    def look_at_the_rest(self) -> None:
        """Judge checkouts of which no step has run, and take out of the cache what doesn't pass.

        To be called once uv has ended.

        Raises:
            VelnHookError: There is nobody who could judge them.
        """
        for path in self._cache.unjudged():
            self.checkout(path)
        for path, verdict in list(self._checkouts.items()):
            if not verdict.passes:
                self._cache.forget(path)

    # --- all ------------------------------------------------------------------------------------------------

    def verdicts(self) -> list[Verdict]:
        """Return what was said so far."""
        with self._lock:
            return list(self._said.values())

    def close(self) -> None:
        """End the judges. Calling it twice is harmless."""
        self._judges.close()

    def _ask(self, question: Callable[[Guard], Verdict]) -> Verdict:
        verdict = self._judges.run(question)
        with self._lock:
            # The same again, as when uv builds twice, is told once.
            self._said[verdict.subject.filename, verdict.subject.sha256, verdict.decision] = verdict
        return verdict


class _Awaited(NamedTuple):
    name: str
    made: Made


def _wheel(path: str) -> Callable[[Guard], Verdict]:
    return lambda guard: guard.check_archive(describe_archive(path, origin=Origin.BUILT))
