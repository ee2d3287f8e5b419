"""Archives are judged when pip has their bytes and before it unpacks, builds or runs anything of them.

Where pip downloads several before it looks into the first, each is read from when it is here, meanwhile.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from veln_hook.adapters.pip import builds
from veln_hook.adapters.pip.finder import judge_link, prefix_of
from veln_hook.adapters.pip.run import Run, current, stopping
from veln_hook.archive import describe_archive, describe_tree, hash_file, identify
from veln_hook.model import ArchiveKind, Candidate, Decision, Origin, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from veln_hook.model import Verdict

_preparing: list[Any] = []
"""The requirement pip is fetching, innermost last: ``unpack_file`` is told a path only."""


def prepare_requirement(
    original: Callable[..., Any], preparer: Any, req: Any, *args: Any, **kwargs: Any
) -> Any:
    """Points ``prepare_linked_requirement`` and ``prepare_editable_requirement``.

    The legacy resolver comes here with links that no other point has seen.
    """
    prefix = prefix_of(preparer)
    with stopping(prefix):
        run = current(prefix)
        if not run.off and req.link is not None and _cached_source(req) is None:
            verdict = judge_link(run, preparer.finder, req.link, req)
            if not verdict.passes:
                raise run.refuse([verdict])
    _preparing.append(req)
    try:
        return original(preparer, req, *args, **kwargs)
    finally:
        _preparing.pop()


def download_several(
    original: Callable[..., Any], downloader: Any, *args: Any, **kwargs: Any
) -> Iterator[Any]:
    """Points ``BatchDownloader.__call__`` and ``Downloader.batch``: files, as they arrive.

    A head start and no more: an archive is judged in the other points, whether or not it was read here.
    """
    prefix = prefix_of(downloader)
    for item in original(downloader, *args, **kwargs):
        with stopping(prefix):
            run = current(prefix)
            if not run.off:
                _read_ahead(run, item)
        yield item


def unpack_file(original: Callable[..., Any], filename: Any, *args: Any, **kwargs: Any) -> Any:
    """Point ``unpack_file``: the archive's hash was checked, nothing of it was unpacked yet."""
    prefix = _prefix(original)
    with stopping(prefix):
        run = current(prefix)
        if not run.off:
            check_file(run, str(filename), _candidate_of(run, str(filename)))
    return original(filename, *args, **kwargs)


def get_prepared_distribution(original: Callable[..., Any], req: Any, *args: Any, **kwargs: Any) -> Any:
    """Point ``_get_prepared_distribution``: every requirement passes here, before its build code runs."""
    prefix = _prefix(original)
    with stopping(prefix):
        run = current(prefix)
        if not run.off:
            _check_requirement(run, req)
            _note_source(run, req)
    return original(req, *args, **kwargs)


def check_file(run: Run, path: str, candidate: Candidate | None, origin: Origin = Origin.FETCHED) -> None:
    """Judge an archive on disk, once as long as its bytes stay the same.

    Args:
        run: The run; the verdict is kept in it.
        path: Of the file.
        candidate: What was known before it was fetched.
        origin: How it came here.

    Raises:
        StoppedError: It doesn't pass.
        VelnHookError: It can't be read.
    """
    real = os.path.realpath(path)
    identity = identify(real)
    known = run.archives.get(real)
    if known is None or known[0] != identity:
        archive = describe_archive(real, origin=origin, candidate=candidate)
        judged = run.guard.check_archive(archive)
        if archive.kind is ArchiveKind.SDIST and origin is Origin.FETCHED:
            judged = run.guard.check_build(judged, builds.find)
        known = identity, judged
        run.archives[real] = known
    verdict: Verdict = known[1]
    if not verdict.passes:
        raise run.refuse([verdict])
    _tell_passing(run, verdict)
    if candidate is not None:
        run.unpacked.add(candidate.url)


def assert_judged(run: Run, path: str) -> bool:
    """Tell whether exactly these bytes have a verdict that lets them through."""
    real = os.path.realpath(path)
    known = run.archives.get(real)
    if known is None or not known[1].passes:
        return False
    # A file system may touch times between judging and installing: then the bytes decide.
    return known[0] == identify(real) or hash_file(real)[0] == known[1].subject.sha256


def _check_requirement(run: Run, req: Any) -> None:
    path = getattr(req, "local_file_path", None)
    source = _cached_source(req)
    if path and os.path.isfile(path):
        if source is not None:
            # Built here from a source that was judged as a candidate; its own contents are judged now.
            check_file(run, path, _known(run, source), Origin.CACHED_BUILD)
        else:
            check_file(run, path, _known(run, req.link))
        return
    tree = req.source_dir or (path if path and os.path.isdir(path) else None)
    if tree:
        link = req.link or req.original_link
        candidate = _known(run, link) if link is not None else None
        if candidate is not None and candidate.source not in (Source.VCS, Source.LOCAL_DIRECTORY):
            return  # an sdist, judged before it was unpacked
        judged = run.guard.check_archive(describe_tree(str(tree), candidate=candidate))
        verdict = run.guard.check_build(judged, builds.find)
        if candidate is not None:
            run.unpacked.add(candidate.url)
        if not verdict.passes:
            raise run.refuse([verdict])
        _tell_passing(run, verdict)


def _read_ahead(run: Run, item: Any) -> None:
    try:
        link, (path, _) = item
        candidate = _known(run, link)
    except (AttributeError, TypeError, ValueError):
        return  # not what the pips that are known yield: it is read when it is judged
    if candidate is not None:
        run.guard.read_ahead(os.path.realpath(str(path)), candidate.sha256)


def _note_source(run: Run, req: Any) -> None:
    link = req.link or req.original_link
    candidate = _known(run, link) if link is not None else None
    builds.note(run, req, candidate.release if candidate is not None and candidate.project else "")


def _tell_passing(run: Run, verdict: Verdict) -> None:
    if verdict.decision is Decision.WARN:
        run.tell(verdict)
    run.tell_lifted(verdict)


def _cached_source(req: Any) -> Any:
    """Return what a wheel from pip's cache of local builds was built from, if the requirement is one."""
    source = getattr(req, "cached_wheel_source_link", None)  # 23.2 and newer
    if source is not None:
        return source
    return req.original_link if getattr(req, "original_link_is_in_wheel_cache", False) else None


def _known(run: Run, link: Any) -> Candidate | None:
    verdict = run.judged.get(str(link.url).partition("#")[0])
    subject = verdict.subject if verdict is not None else None
    return subject if isinstance(subject, Candidate) else None


def _candidate_of(run: Run, path: str) -> Candidate | None:
    if _preparing and _preparing[-1].link is not None:
        known = _known(run, _preparing[-1].link)
        if known is not None:
            return known
    name = os.path.basename(path)
    return next((c for c in run.chosen.values() if c.filename == name), None)


def _prefix(original: Any) -> str:
    head, _, _ = str(original.__module__).partition("pip._internal.")
    return f"{head}pip._internal."
