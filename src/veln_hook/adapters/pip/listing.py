"""Pages of many projects, asked for at once through pip's own session: what a lock's pins are compared with.

Threads ask and parse; everything that the guard or the store has a part in stays in the thread that called. A
finder is made for each project and thrown away after it, so that threads share pip's session only, which is
made for that, and the tables of ``pages``, whose every change is one step.
"""

from __future__ import annotations

import copy
import json
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from veln_hook.adapters.pip import client as pip_client
from veln_hook.adapters.pip import pages
from veln_hook.adapters.pip.fetching import FetchingClient
from veln_hook.errors import UsageError
from veln_hook.index import ACCEPT_JSON
from veln_hook.names import SDIST_SUFFIXES
from veln_hook.source.baseline import version_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from veln_hook.model import Candidate

AT_ONCE = 8
"""Pages asked for at the same time; fewer than pip's session keeps connections."""
_Found = Optional[tuple[Any, list[Any]]]


class Listed(NamedTuple):
    """What the indexes list of one project's pinned releases."""

    project: str
    candidates: list[Candidate]
    """Empty where no index knows the project or the releases."""


class ListingClient(FetchingClient):
    """A ``FetchingClient`` that can ask for the pages of many projects."""

    @property
    def index_urls(self) -> tuple[str, ...]:
        """The indexes that are asked, as pip is configured with them."""
        return tuple(str(url) for url in self._finder.index_urls)

    def listed(self, wanted: Mapping[str, Collection[str]]) -> Iterator[Listed]:
        """Ask for each project's pages once, several at a time, and yield them as they come.

        Args:
            wanted: Versions by normalized project.

        Raises:
            IndexUnavailableError: An index doesn't answer; what isn't asked for yet won't be.
        """
        waiting = iter(wanted.items())
        # The first by itself: if pip has to ask for a password, it asks once.
        for project, versions in waiting:
            yield from self._described(project, self._ask(project, versions))
            break
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="veln-hook-page") as pool:
            asked: dict[Future[_Found], str] = {}
            try:
                # No more is begun than is about to be taken: pages are large.
                for project, versions in waiting:
                    asked[pool.submit(self._ask, project, versions)] = project
                    if len(asked) >= 2 * AT_ONCE:
                        yield from self._taken(asked)
                while asked:
                    yield from self._taken(asked)
            finally:
                for future in asked:
                    future.cancel()

    def _taken(self, asked: dict[Future[_Found], str]) -> Iterator[Listed]:
        done, _ = wait(asked, return_when=FIRST_COMPLETED)
        for future in done:
            yield from self._described(asked.pop(future), future.result())

    def _ask(self, project: str, versions: Collection[str]) -> _Found:
        """Run in a thread: return the finder and the files it found; ``None`` for an unknown project."""
        finder = self._make_finder()
        # What a list of requirements has added to the places to look.
        finder.search_scope = self._finder.search_scope
        wanted = _Wanted(versions)
        finder.make_link_evaluator = lambda name: _ReleaseFile(name, wanted)
        try:
            with pages.narrowing(wanted.narrowed):
                return finder, list(self._find(finder, project))
        except UsageError:
            return None

    def _describe(self, finder: Any, project: str, found: list[Any]) -> list[Candidate]:
        return pages.index_candidates(finder, project, found, self.guard.policy)

    def _described(self, project: str, found: _Found) -> Iterator[Listed]:
        if found is None:
            yield Listed(project, [])
            return
        yield Listed(project, self._describe(found[0], project, found[1]))
        pages.forget(found[1])


class _Wanted:
    """Versions of one project, compared as PEP 440 has it; each spelling is looked at once."""

    def __init__(self, versions: Collection[str]) -> None:
        self._texts = frozenset(versions)
        self._parsed = frozenset(filter(None, map(version_of, versions)))
        self._known: dict[str, bool] = {}

    def has(self, text: str) -> bool:
        """Tell whether a text means one of them."""
        known = self._known.get(text)
        if known is None:
            known = text in self._texts or version_of(text) in self._parsed
            self._known[text] = known
        return known

    def has_file(self, filename: str) -> bool:
        """Tell whether a file is of one of them, as far as a glance at its name tells."""
        if filename.endswith(".whl"):
            return self.has(filename.split("-", 2)[1] if "-" in filename else "")
        return any(self.has(text) for text in _sdist_versions(filename))

    def narrowed(self, page: Any) -> Any:
        """Return a page of pip's with nothing but their files, which isn't kept in memory once it is read.

        pip makes a link of every file of a page, and keeps them all; that would be most of the time and
        memory that a long lock takes. What is no page of an index in JSON stays whole.
        """
        narrow = copy.copy(page)
        if hasattr(page, "cache_link_parsing"):
            object.__setattr__(narrow, "cache_link_parsing", False)  # newer pips' pages are frozen
        if str(getattr(page, "content_type", "")).lower().startswith(ACCEPT_JSON):
            try:
                data = json.loads(page.content)
                data["files"] = [file for file in data["files"] if self._may_be(file)]
                object.__setattr__(narrow, "content", json.dumps(data).encode())
            except (ValueError, TypeError, KeyError, RecursionError):
                return narrow  # pip says what is wrong with it
        return narrow

    def _may_be(self, file: Any) -> bool:
        url = file.get("url") if isinstance(file, dict) else None
        if not isinstance(url, str) or not url.isascii() or not url.isprintable() or "%" in url:
            return True
        return self.has_file(url.partition("#")[0].partition("?")[0].rpartition("/")[2])


class _ReleaseFile(pip_client._AnyFile):  # noqa: SLF001 - of the same room
    """Stands in for pip's ``LinkEvaluator``: files of some releases count, for whichever platform.

    Most files of a page are of other releases, and are passed over by a glance at their names.
    """

    def __init__(self, project_name: str, wanted: _Wanted) -> None:
        super().__init__(project_name)
        self._wanted = wanted

    def evaluate_link(self, link: Any) -> tuple[Any, str]:
        """Return whether the file is of such a release, and its version or why not."""
        if not self._wanted.has_file(link.filename):
            return self._no, "of another release"
        return super().evaluate_link(link)


def _sdist_versions(filename: str) -> Iterator[str]:
    """Yield what the version in an sdist's name may be: old names have hyphens in it."""
    stem = next((filename[: -len(end)] for end in SDIST_SUFFIXES if filename.endswith(end)), "")
    place = stem.rfind("-")
    while place > 0:
        yield stem[place + 1 :]
        place = stem.rfind("-", 0, place)
