"""The hooks a signal implements; built-in signals and third-party ones alike.

A plugin is a module or object whose functions carry ``@hookimpl``. It is found
through the entry point group ``veln_hook`` and loaded only if the policy names
its entry point in ``plugins.enable``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pluggy

from veln_hook.feed.state import FIT, FeedState
from veln_hook.signals.release.name_likeness import PopularNames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from veln_hook.feed import Advisory
    from veln_hook.model import Archive, Candidate, Finding, Observation
    from veln_hook.policy.settings import Policy
    from veln_hook.source.facts import ArchiveFacts

__all__ = ["ArchiveContext", "CandidateContext", "FeedState", "SignalInfo", "hookimpl", "hookspec"]

PROJECT = "veln_hook"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True)
class SignalInfo:
    """What a signal says of itself."""

    name: str
    """Kebab-case; the findings of the signal carry it."""
    description: str
    """One sentence."""


@dataclass(frozen=True)
class CandidateContext:
    """Facts a signal may use about candidates; there is no other way to get any."""

    now: datetime
    """Aware UTC; the same for a whole call."""
    policy: Policy
    observations: Mapping[str, Sequence[Observation]]
    """By filename: what this store's machines saw of the project's files before now, the oldest first."""
    machine: str
    """Id of this machine, as observations carry it."""
    store_started_at: datetime
    """First-seen times can't be older than this."""
    store_persistent: bool
    """Whether the next process will know what this one saw."""
    advisories: Sequence[Advisory] = ()
    """What the feed says of the project: of malware, and of weaknesses those that name a young candidate as
    their repair. Nothing where there is no feed, which never means that a release is clean.

    .. versionadded:: 0.2
    """
    feed: FeedState = FIT
    """Whether those could be had.

    .. versionadded:: 0.2
    """
    installed: str = ""
    """Version of the project that is installed where the installer installs; empty if none is, or where no
    advisory names a candidate as a repair, so that nobody looked.

    .. versionadded:: 0.2
    """
    popular: Callable[[], PopularNames] = PopularNames
    """Gives the names of popular projects; they are read when somebody asks for the first time.

    .. versionadded:: 0.2
    """


@dataclass(frozen=True)
class ArchiveContext:
    """Facts a signal may use about an archive."""

    now: datetime
    policy: Policy
    observations: Sequence[Observation]
    """Of files with the archive's name or hash, the oldest first, from before now."""
    members: Sequence[str]
    """Names of the members of a wheel, ``/``-separated. Empty for sdists and trees, but for those that uv
    builds itself: of them the names that their wheel would have."""
    commands: Sequence[str]
    """Names of the commands that the entry points would install; of the same archives."""
    prefix: str
    """``sys.prefix`` of the interpreter that pip installs for."""
    policy_files: Sequence[str]
    """Absolute paths of the policy files outside projects."""
    store_started_at: datetime
    """As for candidates."""
    store_persistent: bool
    claims: Sequence[str] = ()
    """Paths that a wheel's metadata calls its own though they are no members: uninstalling it deletes them.
    Relative to site-packages."""
    facts: ArchiveFacts | None = None
    """What the archive's code can do, read in another process; ``None`` if it could not be told, which
    is held already.

    .. versionadded:: 0.2
    """
    baseline: ArchiveFacts | None = None
    """The same of the release that this one is compared with; ``None`` if there is none. Looked for only
    where ``facts`` would hold: signals are asked without it first, and once more with it.

    .. versionadded:: 0.2
    """
    baseline_version: str = ""
    """Version of that release.

    .. versionadded:: 0.2
    """
    advisories: Sequence[Advisory] = ()
    """What the feed says of malware of the project.

    .. versionadded:: 0.2
    """
    feed: FeedState = FIT
    """As for candidates.

    .. versionadded:: 0.2
    """


@hookspec
def veln_hook_signals() -> Iterable[SignalInfo]:  # type: ignore[empty-body]
    """Name the signals of this plugin, once, when it is registered.

    .. versionadded:: 0.1
    """


@hookspec
def veln_hook_examine_candidates(  # type: ignore[empty-body]
    candidates: Sequence[Candidate], context: CandidateContext
) -> Iterable[tuple[Candidate, Finding]]:
    """Report findings about distribution files before any is downloaded.

    Called with all files of one project that fit the running interpreter, once
    per project and run, on the thread that runs pip, in no particular order; a
    page can hold thousands. Must not import anything, open files or use the
    network. An exception becomes an *unverifiable* finding about every
    candidate of the call, which holds them.

    Args:
        candidates: At least one; all of one project.
        context: What is known besides.

    Returns:
        Pairs of one of ``candidates`` and a finding about it; nothing for the rest.

    .. versionadded:: 0.1
    """


@hookspec
def veln_hook_examine_archive(  # type: ignore[empty-body]
    archive: Archive, context: ArchiveContext
) -> Iterable[Finding]:
    """Report findings about an archive before anything of it is unpacked, built or run.

    Called per archive and run, once more if a baseline is found: a downloaded file after its hash was
    checked, a source tree before it is built, a wheel built here when its build
    returns. The archive may be read at ``archive.path``, never executed or
    imported. An exception becomes an *unverifiable* finding.

    .. versionadded:: 0.1
    """
