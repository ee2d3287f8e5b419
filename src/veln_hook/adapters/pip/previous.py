"""The release before an archive's, from the pages that pip has read, fetched through pip's own session."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import sys
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from veln_hook.adapters.pip import pages
from veln_hook.archive import describe_archive
from veln_hook.index import strip_credentials
from veln_hook.model import Archive, Candidate, Origin, Source
from veln_hook.names import likeness
from veln_hook.source.baseline import FETCH_SECONDS, MAX_LOOKED_AT, fetch_limit, version_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from packaging.version import Version

    from veln_hook.adapters.pip.run import Run
    from veln_hook.model import Verdict

logger = logging.getLogger("veln_hook")

_OK = 200
_CHUNK_BYTES = 1 << 16
_ODD = re.compile(r"[^A-Za-z0-9._+!-]")


class _Offer(NamedTuple):
    """A file of an older release; the best sorts last."""

    final: bool
    version: Version
    likeness: tuple[bool, ...]
    order: int
    finder: Any
    item: Any
    """pip's ``InstallationCandidate``."""


class Previous:
    """What the guard asks for a baseline (``source.baseline.BaselineSource``); one for a run."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def installed(self, project: str) -> str:
        """Return the version that pip finds installed; empty if none is."""
        metadata: Any = sys.modules.get(f"{self._run.prefix}metadata")
        if metadata is None:
            return ""
        found = metadata.get_default_environment().get_distribution(project)
        return "" if found is None else str(found.version)

    @contextmanager
    def previous(self, archive: Archive, *, without: Collection[str]) -> Iterator[Archive | None]:
        """Fetch the newest release before the archive's that passes; see ``BaselineSource``."""
        choice = self._choice(archive, without)
        if choice is None:
            yield None
            return
        finder, link, candidate = choice
        with tempfile.TemporaryDirectory(prefix="veln-hook-") as directory:
            path = os.path.join(directory, _ODD.sub("_", candidate.filename)[-200:])
            limit = fetch_limit(archive)
            session = finder._link_collector.session  # noqa: SLF001 - pip's, and how pip itself reaches it
            fetched = _fetch(session, link, path, candidate.sha256, limit)
            yield describe_archive(path, origin=Origin.FETCHED, candidate=candidate) if fetched else None

    def _choice(self, archive: Archive, without: Collection[str]) -> tuple[Any, Any, Candidate] | None:
        index = archive.candidate.index if archive.candidate is not None else ""
        for offer in self._offers(archive)[:MAX_LOOKED_AT]:
            verdict = self._verdict(archive.project, offer)
            candidate = verdict.subject if verdict.passes else None
            if not isinstance(candidate, Candidate) or candidate.source is not Source.INDEX:
                continue
            if not candidate.sha256 or candidate.sha256 in without or (index and candidate.index != index):
                continue
            return offer.finder, offer.item.link, candidate
        return None

    def _verdict(self, project: str, offer: _Offer) -> Verdict:
        """Return the verdict about a file; most are old and needed no look when pip read the page."""
        run, item = self._run, offer.item
        verdict = run.judged.get(str(item.link.url).partition("#")[0])
        if verdict is None:
            candidates = pages.index_candidates(offer.finder, project, [item], run.guard.policy)
            verdict = run.guard.check_candidates(candidates)[0]
        return verdict

    def _offers(self, archive: Archive) -> list[_Offer]:
        own = version_of(archive.version)
        known = self._run.answers.get(archive.project)
        if own is None or known is None:
            return []
        finder, answer = known
        offers = []
        for order, item in enumerate(answer):
            link, version = item.link, item.version
            # pip's own version type, which a vendored pip has a copy of, doesn't compare with ours.
            theirs = version_of(str(version))
            if theirs is None or theirs >= own or link.is_yanked or link.is_file:
                continue
            offers.append(
                _Offer(
                    final=not theirs.is_prerelease or own.is_prerelease,
                    version=theirs,
                    likeness=likeness(link.filename, archive.filename),
                    order=order,
                    finder=finder,
                    item=item,
                )
            )
        offers.sort(key=lambda offer: offer[:4], reverse=True)
        return offers


def _fetch(session: Any, link: Any, path: str, sha256: str, limit: int) -> bool:
    """Download a file; return whether it is what the index promises."""
    shown = strip_credentials(link.url_without_fragment)
    logger.debug("veln-hook: fetching %s to compare with", shown)
    until = time.monotonic() + FETCH_SECONDS
    digest, size = hashlib.sha256(), 0
    # A server that compressed what is compressed already would change its bytes.
    headers = {"Accept-Encoding": "identity"}
    with session.get(link.url_without_fragment, headers=headers, stream=True) as response:
        if response.status_code != _OK:
            logger.debug("veln-hook: %s answered %s", shown, response.status_code)
            return False
        with open(path, "wb") as file:
            for chunk in response.iter_content(_CHUNK_BYTES):
                size += len(chunk)
                if size > limit or time.monotonic() > until:
                    logger.debug("veln-hook: %s is too big or too slow to compare with", shown)
                    return False
                digest.update(chunk)
                file.write(chunk)
    if digest.hexdigest() != sha256:
        logger.debug("veln-hook: %s is not what its index promises", shown)
        return False
    return True
