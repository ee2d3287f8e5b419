"""From pip's links to candidates: what an index page says of a file, on every pip.

pip 26.0 and newer keep the upload time of a JSON page in the link. 22.3 to 25.3
build such links with ``Link.from_json``; the time is taken as it passes, and as
a link can't carry anything (``__slots__``), it stands in a table keyed by page
and URL. Older ones, and pages that came as HTML, are asked for once more as
JSON through pip's own session, which keeps its proxies, certificates and
credentials.
"""

from __future__ import annotations

import logging
import posixpath
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from veln_hook.adapters.pip import lookups
from veln_hook.history import ProjectPage
from veln_hook.index import (
    ACCEPT_JSON,
    FileEntry,
    base_url,
    parse_json_page,
    parse_upload_time,
    strip_credentials,
)
from veln_hook.index.entries import url_name
from veln_hook.index.page_facts import html_page_facts, json_page_facts
from veln_hook.model import Candidate, Source
from veln_hook.names import parse_filename

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from veln_hook.guard import Settled
    from veln_hook.policy.settings import Policy

logger = logging.getLogger("veln_hook")

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@dataclass
class Page:
    """One page that pip parsed."""

    base: str
    """Index (or ``--find-links`` page) as the user configured it, without credentials."""
    source: Source
    is_remote: bool
    """Whether it came over a network: then what it offers has no age by being on this machine."""
    entries: dict[str, FileEntry] = field(default_factory=dict)
    """By filename, where the page had to be asked for as JSON."""
    facts: ProjectPage | None = None
    """What it says of its project as a whole; ``None`` for pages that list files of several."""


_times: dict[str, dict[str, object]] = {}
"""Page URL -> link URL -> upload-time as the page spells it."""
_links_tell = False
"""Whether this pip's links have their upload time themselves."""
_pages: dict[str, Page] = {}
"""By URL of the page, after redirects, which is what a link says it comes from."""
_asking = threading.local()
"""``pages``: (finder, project URL) of the page being processed, innermost last. Old pips use threads.
``narrow``: what ``narrowing`` was given."""


def capture_upload_times(link_type: Any) -> None:
    """Wrap ``Link.from_json`` (pip 22.3 to 25.3), which sees each file of a JSON page once."""
    global _links_tell  # noqa: PLW0603 - one process, one pip
    _links_tell = "upload_time" in getattr(link_type, "__slots__", ())
    if _links_tell:
        return
    original = link_type.__dict__.get("from_json")
    if not isinstance(original, classmethod) or hasattr(original.__func__, "__veln_hook__"):
        return
    function = original.__func__

    def from_json(cls: Any, file_data: Any, page_url: Any, *args: Any, **kwargs: Any) -> Any:
        link = function(cls, file_data, page_url, *args, **kwargs)
        if link is not None:
            times = _times.get(page_url)
            if times is None:
                times = _times[page_url] = {}
            times[link.url] = file_data.get("upload-time")
        return link

    from_json.__veln_hook__ = "pages"  # type: ignore[attr-defined]
    link_type.from_json = classmethod(from_json)


def process_project_url(
    original: Callable[..., Any], finder: Any, project_url: Any, *args: Any, **kwargs: Any
) -> Any:
    """Remember whose page is being parsed, for ``parse_links``."""
    pages = _asking.__dict__.setdefault("pages", [])
    pages.append((finder, project_url))
    try:
        return original(finder, project_url, *args, **kwargs)
    finally:
        pages.pop()


def parse_links(original: Callable[..., Iterable[Any]], page: Any, *args: Any, **kwargs: Any) -> list[Any]:
    """Parse a page with pip, and see to it that its upload times are known if its index knows them."""
    narrow = _asking.__dict__.get("narrow")
    links = list(original(page if narrow is None else narrow(page), *args, **kwargs))
    pages = _asking.__dict__.get("pages")
    if not pages:
        return links
    finder, project_url = pages[-1]
    base, source = _configured(finder, project_url.url)
    known = _pages[page.url] = Page(base, source, not page.url.startswith("file:"))
    content_type = getattr(page, "content_type", "text/html").lower()
    if source is Source.INDEX:
        is_json = content_type.startswith(ACCEPT_JSON)
        known.facts = _facts(page, known, links, is_json=is_json, whole=narrow is None or not is_json)
    if content_type.startswith(ACCEPT_JSON):
        if links and not _links_tell and page.url not in _times:  # pip 22.2 has no from_json
            known.entries = _parse(page.content, page.url)
    elif links and page.url.startswith(("https:", "http:")):
        known.entries = lookups.ask(finder, base, page.url, project_url.url) or {}
    return links


@contextmanager
def narrowing(narrow: Callable[[Any], Any]) -> Iterator[None]:
    """Have pip read less of the pages that this thread asks for, for the time of a block.

    Args:
        narrow: Makes of a page of pip's another one.
    """
    _asking.narrow = narrow
    try:
        yield
    finally:
        _asking.narrow = None


def forget(found: Iterable[Any]) -> None:
    """Forget the pages that pip's candidates come from; they are large, and stay known else.

    Args:
        found: pip's ``InstallationCandidate`` objects.
    """
    for item in found:
        _pages.pop(item.link.comes_from, None)
        _times.pop(item.link.comes_from, None)


def _facts(page: Any, known: Page, links: list[Any], *, is_json: bool, whole: bool) -> ProjectPage:
    """Return what a page says of its project; nothing is read before it is asked for.

    Args:
        page: pip's.
        known: What is known of it else.
        links: What pip made of it.
        is_json: Whether it is of PEP 691's form.
        whole: Whether those are all of its links.
    """
    told = json_page_facts(page.content) if is_json else html_page_facts(page.content)

    def files() -> Iterable[tuple[str, object]]:
        """Give URLs in place of names, which pip would take apart for each of thousands."""
        if known.entries:
            return ((name, entry.upload_time) for name, entry in known.entries.items())
        if not whole:
            return ((name, entry.upload_time) for name, entry in _parse(page.content, page.url).items())
        if _links_tell:
            return ((link.url, link.upload_time) for link in links)
        return _times.get(page.url, {}).items()

    def attested() -> list[str]:
        return [*told.attested, *(name for name, entry in known.entries.items() if entry.provenance)]

    return ProjectPage(
        files, attested, lambda: told.status, lambda: next(iter(files()), ("", None))[1], url_name
    )


def facts_of(found: Sequence[Any]) -> list[ProjectPage]:
    """Return what the pages say that pip's candidates come from.

    Args:
        found: pip's ``InstallationCandidate`` objects.
    """
    facts: list[ProjectPage] = []
    page_url: object = None
    for item in found:
        if item.link.comes_from is not page_url:
            page_url = item.link.comes_from
            page = _pages.get(page_url) if isinstance(page_url, str) else None
            if page is not None and page.facts is not None and page.facts not in facts:
                facts.append(page.facts)
    return facts


def open_items(found: Sequence[Any], settled: Settled | None) -> list[Any]:
    """Return those of pip's candidates that need a look now; on most pages there are none.

    Args:
        found: pip's ``InstallationCandidate`` objects; thousands on a big page, so this loop is a hot one.
        settled: What needs no look; ``None`` if everything does.
    """
    if settled is None:
        return list(found)
    open_ones = []
    page_url: object = None
    times: dict[str, object] = {}
    tells = False
    for item in found:
        link = item.link
        if link.comes_from is not page_url:
            page_url = link.comes_from
            times = _times.get(page_url, {}) if isinstance(page_url, str) else {}
            # A lock file's word about its entries is not believed.
            tells = _links_tell and page_url in _pages and not getattr(item, "locked", False)
            page = _pages.get(page_url) if isinstance(page_url, str) else None
            if page is not None and page.facts is not None and page.facts.is_quarantined:
                tells, times = False, {}
        uploaded = link.upload_time if tells else times.get(link.url)
        if (
            uploaded is None
            or not settled.by_age(uploaded)
            or (settled.filenames and _filename(link) in settled.filenames)
            or (settled.sha256s and _sha256(link) in settled.sha256s)
        ):
            open_ones.append(item)
    return open_ones


def index_candidates(finder: Any, project: str, found: Sequence[Any], policy: Policy) -> list[Candidate]:
    """Describe what pip's finder found for a project.

    Args:
        finder: pip's ``PackageFinder``.
        project: Normalized name.
        found: pip's ``InstallationCandidate`` objects.
        policy: For the indexes whose times are looked up elsewhere.

    Returns:
        A candidate for each, in their order.
    """
    candidates = []
    for item in found:
        link = item.link
        if getattr(item, "locked", False):
            candidates.append(from_link(finder, link, project, str(item.version), source=Source.LOCK))
            continue
        url = link.url.partition("#")[0]
        if "@" in url:
            url = strip_credentials(url)
        page_url = link.comes_from
        page = _pages.get(page_url) if isinstance(page_url, str) else None
        if link.is_file and (page is None or not page.is_remote):
            source, base = Source.LOCAL_FILE, ""
        elif page is not None:
            source, base = page.source, page.base
        else:  # an archive named by --find-links itself
            # Without the query, which may hold a signature, and in it a slash.
            source, base = Source.FIND_LINKS, f"{posixpath.dirname(url.partition('?')[0])}/"
        filename = _filename(link)
        time = None
        if page is not None:
            time = link.upload_time if _links_tell else _times.get(page_url, {}).get(link.url)
        entry = page.entries.get(filename) if page is not None else None
        sha256 = _sha256(link)
        if time is not None:
            uploaded = _in_utc(time) if isinstance(time, datetime) else parse_upload_time(time)
        else:
            # An entry that names other bytes is about another file.
            uploaded = entry.upload_time if entry and (not sha256 or entry.sha256 in ("", sha256)) else None
        candidates.append(
            Candidate(
                project=project,
                version=str(item.version),
                filename=filename,
                url=url,
                source=source,
                index=base,
                sha256=sha256,
                size=entry.size if entry else None,
                upload_time=uploaded,
                requires_python=link.requires_python or "",
                yanked=link.is_yanked,
                page=page.facts if page is not None else None,
            )
        )
    return lookups.with_upstream_times(finder, project, candidates, policy)


def _in_utc(time: datetime) -> datetime | None:
    """Return pip's own reading of a time, which has the zone the page gave it, or none: PEP 700 means UTC."""
    try:
        return time.replace(tzinfo=timezone.utc) if time.tzinfo is None else time.astimezone(timezone.utc)
    except OverflowError:
        return None


def from_link(
    finder: Any, link: Any, project: str, version: str, *, source: Source | None = None, sha256: str = ""
) -> Candidate:
    """Describe a link that no index page offered: a URL, a VCS reference, a path, a lock file's entry.

    Its age is looked up by filename and hash on the indexes that pip is configured with.

    Args:
        finder: pip's ``PackageFinder``.
        link: pip's ``Link``.
        project: Normalized name, or empty if it isn't known yet.
        version: Or empty.
        source: ``LOCK`` for a lock file's entry; otherwise told from the link.
        sha256: Hash the user asks for (``--hash``), if the link has none.
    """
    source = _direct_source(link) if source is None or link.is_file else source
    url = strip_credentials(link.url)
    filename = _filename(link)
    named = parse_filename(filename) if source is not Source.VCS else None
    if named is not None:
        project, version = project or named.project, version or named.version
    candidate = Candidate(
        project=project,
        version=version,
        filename=filename,
        url=url,
        source=source,
        sha256=_sha256(link) or sha256.lower(),
        requires_python=link.requires_python or "",
    )
    if source in (Source.DIRECT_URL, Source.LOCK) and project:
        return lookups.looked_up(finder, candidate)
    return candidate


def _direct_source(link: Any) -> Source:
    if link.is_vcs:
        return Source.VCS
    if link.is_existing_dir():
        return Source.LOCAL_DIRECTORY
    return Source.LOCAL_FILE if link.is_file else Source.DIRECT_URL


def _parse(content: bytes, url: str) -> dict[str, FileEntry]:
    try:
        return parse_json_page(content, url)
    except ValueError as error:
        logger.debug("veln-hook: no upload times from %s: %s", strip_credentials(url), error)
        return {}


def _configured(finder: Any, project_url: str) -> tuple[str, Source]:
    """Tell whether a page belongs to a configured index, and which: of nested ones, the innermost."""
    stems = (index_url.rstrip("/") + "/" for index_url in finder.index_urls)
    stem = max((stem for stem in stems if project_url.startswith(stem)), key=len, default="")
    if stem:
        return strip_credentials(stem), Source.INDEX
    return base_url(project_url, ""), Source.FIND_LINKS


def _filename(link: Any) -> str:
    """Return the name that pip itself takes from a link; without its work where nothing is quoted."""
    url: str = link.url.partition("#")[0]
    if "%" in url or "?" in url or url.endswith("/"):
        return str(link.filename)
    return url.rpartition("/")[2]


def _sha256(link: Any) -> str:
    """Return the hash that pip itself will check; empty if there is none, or what stands there is no hash."""
    hashes = getattr(link, "_hashes", None) or {
        link.hash_name: link.hash
    }  # older pips keep one in the fragment
    found = str(hashes.get("sha256", ""))
    return found.lower() if _SHA256.fullmatch(found) else ""
