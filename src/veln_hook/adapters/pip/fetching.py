"""Files of releases, fetched through pip's own session to look at or to compare with; never built or run."""

from __future__ import annotations

import hashlib
import os
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from packaging.utils import canonicalize_name

from veln_hook.adapters.pip import client as pip_client
from veln_hook.adapters.pip import pages
from veln_hook.adapters.pip.client import PipClient
from veln_hook.adapters.pip.loading import pip_error, pip_module
from veln_hook.archive import describe_archive
from veln_hook.errors import ArchiveError, IndexUnavailableError, UsageError
from veln_hook.index import strip_credentials
from veln_hook.model import Candidate, Origin
from veln_hook.names import likeness
from veln_hook.report.wording import printable
from veln_hook.source.baseline import version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from packaging.version import Version

    from veln_hook.model import Archive, Verdict

MAX_BYTES = 2 << 30
"""More than PyPI takes for one file without asking."""
_SECONDS = 600.0
_CHUNK_BYTES = 1 << 16
_OK = 200
_ODD = re.compile(r"[^A-Za-z0-9._+!-]")


class Offer(NamedTuple):
    """A file that an index lists."""

    filename: str
    version: Optional[Version]
    link: Any
    """pip's ``Link``."""
    item: Any
    """pip's ``InstallationCandidate``."""
    finder: Any


class FetchingClient(PipClient):
    """A ``PipClient`` that can also bring the files here."""

    def offers(self, project: str) -> list[Offer]:
        """Return every file that the indexes list for a project, for whichever platform.

        Raises:
            IndexUnavailableError: An index didn't answer, and nothing was found without it.
            UsageError: There is no such project.
        """
        finder = self._make_finder()
        finder.make_link_evaluator = pip_client._AnyFile  # noqa: SLF001 - of the same room
        return [
            Offer(str(item.link.filename), version_of(str(item.version)), item.link, item, finder)
            for item in self._find(finder, project)
        ]

    def judged(self, project: str, offers: Sequence[Offer]) -> list[Verdict]:
        """Judge offers of one project by what their index tells."""
        if not offers:
            return []
        items = [offer.item for offer in offers]
        found = pages.index_candidates(offers[0].finder, canonicalize_name(project), items, self.guard.policy)
        return self.guard.check_candidates(found)

    def chosen(self, offers: Sequence[Offer], project: str, version: str) -> Offer:
        """Return the file that pip would choose of a release; any if none is for this interpreter.

        Raises:
            UsageError: There is no such release.
        """
        own = of_version(offers, version)
        if not own:
            raise UsageError(
                f"no index lists {canonicalize_name(project)} {printable(version)}",
                advice=pip_client._FIND_ADVICE,  # noqa: SLF001
            )
        try:
            here = self._find(self._make_finder(), project)
            line = f"{project}=={version}"
            specifier = pip_module("req.constructors").install_req_from_line(line).specifier
            evaluator = self._finder.make_candidate_evaluator(project_name=project, specifier=specifier)
            best = pip_client._best(evaluator, evaluator.get_applicable_candidates(list(here)), specifier)  # noqa: SLF001
        except (UsageError, pip_error(), ValueError):
            best = None
        if best is not None:
            for offer in own:
                if _url(offer.link) == _url(best.link):
                    return offer
        return max(
            own, key=lambda offer: (offer.filename.endswith("-any.whl"), not offer.filename.endswith(".whl"))
        )

    def like(self, offers: Sequence[Offer], version: str, filename: str, *, project: str) -> Offer:
        """Return the file of a release that is most like another file: same tags, or same kind.

        Raises:
            UsageError: There is no such release.
        """
        own = of_version(offers, version)
        if not own:
            raise UsageError(
                f"no index lists {project} {printable(version)}",
                advice=pip_client._FIND_ADVICE,  # noqa: SLF001
            )
        return max(own, key=lambda offer: likeness(offer.filename, filename))

    def before(self, offers: Sequence[Offer], offer: Offer) -> Iterator[Offer]:
        """Yield the files of older releases, one a release: the newest first, not the yanked ones."""
        own = offer.version
        if own is None:
            return
        older: dict[Version, list[Offer]] = {}
        for each in offers:
            version = each.version
            if version is None or version >= own or each.link.is_yanked:
                continue
            if version.is_prerelease and not own.is_prerelease:
                continue
            older.setdefault(version, []).append(each)
        for version in sorted(older, reverse=True):
            yield max(older[version], key=lambda each: likeness(each.filename, offer.filename))

    def fetch(self, offer: Offer, directory: str, progress: Callable[[int], None] | None = None) -> Archive:
        """Download a file and hold it against the hash that its index promises.

        Args:
            offer: Which.
            directory: Where to put it.
            progress: Told how many bytes are here.

        Raises:
            ArchiveError: It has other bytes than the index promises, or too many.
            IndexUnavailableError: It can't be fetched.
        """
        (verdict,) = self.judged(str(offer.item.name), [offer])
        candidate = verdict.subject
        if not isinstance(candidate, Candidate):
            raise IndexUnavailableError(f"{printable(offer.filename)} was never offered by an index")
        path = os.path.join(directory, _ODD.sub("_", offer.filename)[-200:])
        shown = strip_credentials(_url(offer.link))
        try:
            sha256 = self._download(offer, path, shown, progress)
        except (pip_error(), OSError) as error:  # requests' errors are OSErrors
            raise IndexUnavailableError(
                f"{printable(shown)} can't be fetched: {printable(str(error))}"
            ) from error
        if candidate.sha256 and candidate.sha256.lower() != sha256:
            raise ArchiveError(
                f"{printable(offer.filename)} is not what its index promises: "
                f"sha256 {sha256} instead of {candidate.sha256}"
            )
        return describe_archive(path, origin=Origin.FETCHED, candidate=candidate)

    def _download(self, offer: Offer, path: str, shown: str, progress: Callable[[int], None] | None) -> str:
        digest, size = hashlib.sha256(), 0
        until = time.monotonic() + _SECONDS
        # A server that compressed what is compressed already would change its bytes.
        headers = {"Accept-Encoding": "identity"}
        with self._session.get(offer.link.url_without_fragment, headers=headers, stream=True) as response:
            if response.status_code != _OK:
                raise IndexUnavailableError(f"{printable(shown)} answered {response.status_code}")
            with open(path, "wb") as file:
                for chunk in response.iter_content(_CHUNK_BYTES):
                    size += len(chunk)
                    if size > MAX_BYTES:
                        raise ArchiveError(f"{printable(offer.filename)} is larger than {MAX_BYTES} bytes")
                    if time.monotonic() > until:
                        raise IndexUnavailableError(f"{printable(shown)} comes too slowly")
                    digest.update(chunk)
                    file.write(chunk)
                    if progress is not None:
                        progress(size)
        return digest.hexdigest()


def of_version(offers: Sequence[Offer], version: str) -> list[Offer]:
    """Return the files of one release."""
    wanted = version_of(version)
    return [offer for offer in offers if offer.version is not None and offer.version == wanted]


def _url(link: Any) -> str:
    return str(link.url).partition("#")[0]
