"""Archives and directories here, which come to uv by no network: they are judged before it starts."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from veln_hook.adapters.uv.project import project_name
from veln_hook.archive import describe_archive, describe_tree
from veln_hook.errors import UsageError
from veln_hook.model import ArchiveKind, Candidate, Origin, Source
from veln_hook.names import parse_filename

if TYPE_CHECKING:
    from collections.abc import Callable

    from veln_hook.adapters.uv.sources import Sources
    from veln_hook.guard import Guard
    from veln_hook.model import Verdict
    from veln_hook.sandbox.ladder import Ladder


def judge_local(guard: Guard, sources: Sources, find: Callable[[], Ladder]) -> list[Verdict]:
    """Judge the archives and directories that a command names.

    Args:
        guard: Who judges.
        sources: What the command names.
        find: Tells how this machine confines builds.

    Raises:
        ArchiveError: An archive can't be read.
        StoreError: The store doesn't answer.
    """
    verdicts = [judge_archive(guard, path, find) for path in sources.archives]
    return verdicts + [judge_tree(guard, path, Source.LOCAL_DIRECTORY, find) for path in sources.trees]


def judge_archive(guard: Guard, path: str, find: Callable[[], Ladder]) -> Verdict:
    """Judge an archive on this machine; parameters and errors as of `judge_local`."""
    filename = os.path.basename(path)
    named = parse_filename(filename)
    candidate = Candidate(
        project=named.project if named else "",
        version=named.version if named else "",
        filename=filename,
        url=Path(path).as_uri(),
        source=Source.LOCAL_FILE,
    )
    verdict = guard.check_candidate(candidate)
    if not verdict.passes:
        return verdict
    archive = describe_archive(path, origin=Origin.FETCHED, candidate=candidate)
    verdict = guard.check_archive(archive)
    return guard.check_build(verdict, find) if archive.kind is ArchiveKind.SDIST else verdict


def judge_tree(guard: Guard, path: str, source: Source, find: Callable[[], Ladder]) -> Verdict:
    """Judge a directory that is built here.

    Args:
        guard: Who judges.
        path: Of the directory.
        source: Whose it is: ``LOCAL_DIRECTORY`` or ``VCS``.
        find: Tells how this machine confines builds.

    Raises:
        StoreError: The store doesn't answer.
    """
    name, version = "", ""
    with suppress(UsageError):  # then it is called by its directory
        name, version = project_name(path)
    candidate = Candidate(
        project=canonicalize_name(name) if name else "",
        version=version,
        filename=os.path.basename(path),
        url=Path(path).as_uri(),
        source=source,
    )
    return guard.check_build(guard.check_archive(describe_tree(path, candidate=candidate)), find)
