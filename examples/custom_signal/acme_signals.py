"""Three signals of a company of ours, Acme: a candidate's origin, an archive's start-up files and network.

Everything is imported up here: once pip 26.3 has begun to install, it forbids
every first import, and that would turn a signal into a failure.
"""

from __future__ import annotations

import os
import tarfile
import zipfile
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from veln_hook.model import ArchiveKind, Confidence, Finding, Severity, Source
from veln_hook.signals import SignalInfo, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from veln_hook.model import Archive, Candidate
    from veln_hook.signals import ArchiveContext, CandidateContext
    from veln_hook.source.facts import ArchiveFacts, Placed

ORIGIN = "acme-origin"
STARTUP = "acme-startup"
NETWORK = "acme-network"

# Our own packages have this prefix, and nobody can stop others from uploading such names to PyPI.
OUR_PREFIX = "acme-"
PUBLIC_HOSTS = ("pypi.org", "test.pypi.org", "files.pythonhosted.org")
# Python imports these at every start, from wherever it finds them first.
STARTUP_MODULES = ("sitecustomize.py", "usercustomize.py")
# Importing a package may reach these and what lies below them.
ALLOWED_HOSTS = ("acme.example",)
UNNAMED = "a host that its code does not name"
# How code comes to run without anybody calling it: when Python starts, when the module is imported.
BY_ITSELF = ("startup", "import")
# A tree with more files than this is somebody's home directory rather than a project.
MAX_FILES = 50_000


@hookimpl
def veln_hook_signals() -> Iterable[SignalInfo]:
    """Name them."""
    return (
        SignalInfo(ORIGIN, "Holds acme-* projects that don't come from one of our own indexes."),
        SignalInfo(STARTUP, "Blocks packages that bring a sitecustomize or usercustomize module."),
        SignalInfo(NETWORK, "Holds wheels whose import reaches a host that is not on our list."),
    )


@hookimpl
def veln_hook_examine_candidates(
    candidates: Sequence[Candidate], context: CandidateContext
) -> Iterator[tuple[Candidate, Finding]]:
    """Find files that bear our name but not our address (dependency confusion).

    One of our own indexes is one that an administrator or the user has written
    into the policy, under ``[[indexes]]``; a project's file can't do that.
    """
    if not candidates[0].project.startswith(OUR_PREFIX):  # all are of one project
        return
    for candidate in candidates:
        # What lies on this disk, or is checked out from a repository that somebody named, has no index.
        if candidate.source.is_local or candidate.source is Source.VCS:
            continue
        place = candidate.index or candidate.url
        ours = context.policy.index_for(candidate.index) is not None
        if not ours or urlsplit(candidate.index).hostname in PUBLIC_HOSTS:
            yield (
                candidate,
                Finding(
                    signal=ORIGIN,
                    severity=Severity.HIGH,
                    confidence=Confidence.HIGH,
                    message=f"{candidate.project} is one of ours, and {place} is not",
                ),
            )


@hookimpl
def veln_hook_examine_archive(archive: Archive, context: ArchiveContext) -> Iterator[Finding]:
    """Find start-up modules and what imports reach, before anything of the archive is unpacked, built or run.

    An exception (a broken zip, say) needs no care: it holds the archive.
    """
    yield from _startup_modules(archive, context)
    # Facts are missing only where the archive could not be read, which is held already.
    if archive.kind is ArchiveKind.WHEEL and context.facts is not None:
        yield from _network(context.facts, context.baseline)


def _startup_modules(archive: Archive, context: ArchiveContext) -> Iterator[Finding]:
    for path in _paths(archive, context):
        if path.rpartition("/")[2] in STARTUP_MODULES:
            yield Finding(
                signal=STARTUP,
                # Critical is the only severity that blocks, and no approval lifts that.
                severity=Severity.CRITICAL,
                confidence=Confidence.HIGH,
                message="brings a module that every Python here would run when it starts",
                path=path,
                reach="startup",
            )


def _network(facts: ArchiveFacts, baseline: ArchiveFacts | None) -> Iterator[Finding]:
    """Compare the hosts that are reached without a call with our list.

    Asked without a baseline first, and once more if one is found: that answer counts.
    """
    before = None if baseline is None else _hosts(baseline)
    for host, place in _hosts(facts).items():
        if any(host == allowed or host.endswith(f".{allowed}") for allowed in ALLOWED_HOSTS):
            continue
        new = None if before is None else host not in before
        yield Finding(
            signal=NETWORK,
            # What the release before did as well is told, and no reason to hold this one.
            severity=Severity.LOW if new is False else Severity.HIGH,
            confidence=Confidence.HIGH,
            message=f"importing it reaches {host or UNNAMED}, which is not on our list",
            path=place.path,
            line=place.line,
            reach=place.reach,
            new=new,
            evidence=place.evidence,
        )


def _hosts(facts: ArchiveFacts) -> dict[str, Placed]:
    """Return each host, empty if it isn't known, with the first place that reaches it by itself."""
    found: dict[str, Placed] = {}
    for capability in facts.capabilities:
        if capability.kind == "network" and capability.reach in BY_ITSELF:
            # Where no host is known, the detail is the function's name, which has no dot.
            host = capability.detail.partition(":")[0].lower()
            found.setdefault(host if "." in host else "", capability)
    return found


def _paths(archive: Archive, context: ArchiveContext) -> Iterable[str]:
    if archive.kind is ArchiveKind.WHEEL:
        return context.members
    if archive.kind is ArchiveKind.DIRECTORY:
        return _files_below(archive.path)
    if archive.filename.endswith(".zip"):
        with zipfile.ZipFile(archive.path) as sdist:
            return sdist.namelist()
    with tarfile.open(archive.path) as sdist:
        return sdist.getnames()


def _files_below(root: str) -> Iterator[str]:
    count = 0
    for directory, below, names in os.walk(root):
        below[:] = [name for name in below if not name.startswith(".")]  # .git, .venv, .nox: not built from
        for name in names:
            count += 1
            if count > MAX_FILES:
                raise ValueError(f"{root} has more than {MAX_FILES} files")
            yield os.path.relpath(os.path.join(directory, name), root).replace(os.sep, "/")
