"""A pin against what indexes list now: which files are meant, and what is wrong with the lock's word.

PURE: pins and candidates go in, candidates and findings come out; the guard judges both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from veln_hook.locks.model import OriginKind
from veln_hook.model import Candidate, Confidence, Finding, Severity, Source
from veln_hook.names import SDIST_SUFFIXES, parse_filename
from veln_hook.report.wording import printable
from veln_hook.source.baseline import version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from veln_hook.locks.model import Pin, PinnedFile

HASH, SOURCE = "lock-hash", "lock-source"
_PYPI = frozenset({"https://pypi.org/simple/", "https://pypi.python.org/simple/", "https://pypi.org/pypi/"})
"""As locks spell the one index that every installer knows by itself."""
_PYPI_FILES = "files.pythonhosted.org"
_CREDENTIALS = re.compile(r"(?<=://)[^/?#]*@")
_ARCHIVES = (".whl", ".tar.gz", ".zip", ".tgz", ".tar.bz2", ".tar.xz")


class Looked(NamedTuple):
    """One file that a pin means."""

    candidate: Candidate
    """As its index lists it; where none does, as little as can be said."""
    findings: tuple[Finding, ...] = ()
    sha256: str = ""
    """What the lock allows, where that is something else than the index promises."""
    is_listed: bool = True


class Indexes:
    """Which indexes the user or the policy has named: only those are asked, whatever a lock says.

    Args:
        urls: Theirs.
    """

    def __init__(self, urls: Iterable[str]) -> None:
        self._known = {normalized(url) for url in urls}

    def is_known(self, source: str) -> bool:
        """Tell whether a lock's index is one of them, or PyPI, or the installer's own, whichever that is."""
        return not source or self.is_named(source) or normalized(source) in _PYPI

    def is_named(self, source: str) -> bool:
        """Tell whether a lock's index is one of them itself."""
        return bool(source) and normalized(source) in self._known


def normalized(url: str) -> str:
    """Return an index' URL as all of them are compared."""
    scheme, mark, rest = without_credentials(url).partition("#")[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}{mark}{host.lower()}{slash}{path}".rstrip("/") + "/"


def same_version(one: str, other: str) -> bool:
    """Tell whether two texts mean the same release (PEP 440)."""
    if one == other:
        return True
    version = version_of(one)
    return version is not None and version == version_of(other)


def compare(pin: Pin, listed: Sequence[Candidate], indexes: Indexes) -> list[Looked]:
    """Find the files that a pin means, and what is wrong with its word about them.

    Args:
        pin: Of a lock.
        listed: Every file that the indexes list of this release; empty if they list none, or weren't asked.
        indexes: Those that may be asked.

    Returns:
        At least one.
    """
    if pin.origin is OriginKind.URL:
        return _direct(pin, listed)
    if pin.origin is not OriginKind.REGISTRY:
        return [Looked(_blank(pin, _LOCAL[pin.origin]), tuple(_elsewhere(pin)), is_listed=False)]
    if not indexes.is_known(pin.source):
        message = (
            f"comes from {_shown(pin.source)}, which neither pip's configuration nor the policy names; "
            f"name it with --extra-index-url if it may be asked"
        )
        return [_unlisted(pin, _finding(SOURCE, Severity.HIGH, message, unverifiable=True))]
    if indexes.is_named(pin.source):
        listed = [one for one in listed if normalized(one.index) == normalized(pin.source)]
    # A directory of files has no say where an index has one.
    listed = [one for one in listed if not one.source.is_local] or listed
    foreign = [_foreign(file) for file in pin.files if _is_foreign(pin, file)]
    if foreign:
        return [_unlisted(pin, *foreign)]
    if not listed:
        message = "no index lists this release: it was removed, or has never been there"
        return [_unlisted(pin, _finding(SOURCE, Severity.HIGH, message, unverifiable=True))]
    if not any(file.hashes for file in pin.files):
        # What is left is the word of the index, when the installer comes.
        named = {_squeezed(file.filename): file for file in pin.files if file.filename}
        looked = [_unhashed(one, named.get(_squeezed(one.filename))) for one in listed]
    else:
        looked = [*_named(pin, listed), *_bare(pin, listed)]
    return [_from_whom(one, indexes) for one in looked]


def _from_whom(one: Looked, indexes: Indexes) -> Looked:
    """Say so where an index has been asked only because the list of requirements names it."""
    index = one.candidate.index
    if one.candidate.source is not Source.INDEX or not index or indexes.is_named(index):
        return one
    message = f"from {_shown(index)}, which nobody but the file itself names"
    return one._replace(findings=(*one.findings, _finding(SOURCE, Severity.MEDIUM, message)))


def _named(pin: Pin, listed: Sequence[Candidate]) -> Iterable[Looked]:
    """Yield what is known of files that the lock has by name."""
    # Some tools write a name as the standard has it, not as its index does: "markupsafe" for "MarkupSafe".
    by_name: dict[str, list[Candidate]] = {}
    for one in listed:
        by_name.setdefault(_squeezed(one.filename), []).append(one)
    for file in pin.files:
        if not file.filename:
            continue
        offered = by_name.get(_squeezed(file.filename))
        if not offered:
            unlisted = _unlisted(pin, _gone(file, listed), sha256=file.sha256)
            yield unlisted._replace(candidate=unlisted.candidate._replace(filename=file.filename))
        elif not file.hashes:
            yield _unhashed(offered[0], file)
        else:
            yield _hashed(file, offered)


def _gone(file: PinnedFile, listed: Sequence[Candidate]) -> Finding:
    """Return that an index has the release, but not this file of it.

    Files of old releases are deleted to make room, so that alone is no alarm: without the index, nobody gets
    them. One with a URL is, as an installer takes it from there. On PyPI's own host a file keeps its URL when
    it is deleted, and nobody but its project can have put it there under this name.
    """
    host = _host(file.url)
    if file.url and not (host == _PYPI_FILES and host in {_host(one.url) for one in listed}):
        message = f"no index lists {file.filename}, which the lock takes from {_shown(file.url)}"
        return _finding(HASH, Severity.HIGH, message, file)
    message = f"no index lists {file.filename}: it was removed, or has never been there"
    return _finding(HASH, Severity.MEDIUM, message, file)


def _hashed(file: PinnedFile, offered: Sequence[Candidate]) -> Looked:
    if not file.sha256:
        kinds = ", ".join(algorithm for algorithm, _ in file.hashes)
        message = f"{file.filename}: the lock has {kinds}, which can't be compared with the index's sha256"
        return Looked(offered[0], (_finding(HASH, Severity.MEDIUM, message, file, unverifiable=True),))
    for one in offered:
        if one.sha256 == file.sha256:
            return Looked(one)
    first = next((one for one in offered if one.sha256), None)
    if first is None:
        message = f"{file.filename}: its index promises no sha256 that the lock's could be compared with"
        return Looked(offered[0], (_finding(HASH, Severity.MEDIUM, message, file),))
    message = (
        f"the lock has other bytes than the index: of {file.filename}, sha256 {file.sha256} in the lock, "
        f"{first.sha256} on {_shown(first.index)}"
    )
    finding = _finding(HASH, Severity.CRITICAL, message, file)
    return Looked(first, (finding,), sha256=file.sha256)


def _bare(pin: Pin, listed: Sequence[Candidate]) -> Iterable[Looked]:
    """Yield what is known of hashes that stand by themselves, as in a list of requirements."""
    bare = [file for file in pin.files if not file.filename]
    digests = {file.sha256: file for file in bare if file.sha256}
    found = [one for one in listed if one.sha256 in digests]
    yield from (Looked(one) for one in found)
    unknown = sorted(set(digests) - {one.sha256 for one in found})
    if unknown:
        known = all(one.sha256 for one in listed)
        told = f"sha256 {unknown[0]}{f' and {len(unknown) - 1} more' if len(unknown) > 1 else ''}"
        if found or not known:
            message = f"no index lists a file of this release with {told}"
            yield _unlisted(pin, _finding(HASH, Severity.MEDIUM, message), sha256=unknown[0])
        else:
            message = f"none of the hashes is of a file that an index lists for this release: {told}"
            yield Looked(listed[0], (_finding(HASH, Severity.CRITICAL, message),), sha256=unknown[0])
    if bare and not digests:
        message = "no sha256 among its hashes, so that they can't be compared with the index's"
        finding = _finding(HASH, Severity.MEDIUM, message, unverifiable=True)
        yield from (Looked(one, (finding,)) for one in listed)


def _unhashed(one: Candidate, file: PinnedFile | None) -> Looked:
    if file is not None and file.url and _plain(file.url) != _plain(one.url):
        message = (
            f"{one.filename}: the lock has no hash, and takes it from {_shown(file.url)}, "
            f"which isn't where its index has it"
        )
        return Looked(one, (_finding(HASH, Severity.HIGH, message, file, unverifiable=True),))
    return Looked(one, (_finding(HASH, Severity.LOW, "the lock has no hash of it", file),))


def _direct(pin: Pin, listed: Sequence[Candidate]) -> list[Looked]:
    """Return what is known of an archive at a URL: its age counts where an index lists the same bytes."""
    looked = []
    for file in pin.files or (None,):
        sha256 = file.sha256 if file else ""
        same = next((one for one in listed if sha256 and one.sha256 == sha256), None)
        if same is not None:
            looked.append(Looked(same))
            continue
        candidate = _blank(pin, Source.DIRECT_URL)._replace(
            url=_plain(pin.source), sha256=sha256, filename=file.filename if file else ""
        )
        # The index of the same name vouches for nothing of this.
        why = "no index lists its bytes" if sha256 else "the lock has no sha256"
        message = f"comes from {_shown(pin.source)}, and {why}: they are judged once they are here"
        looked.append(Looked(candidate, (_finding(SOURCE, Severity.MEDIUM, message),), is_listed=False))
    return looked


def _elsewhere(pin: Pin) -> Iterable[Finding]:
    if pin.origin is OriginKind.VCS:
        moves = "" if pin.fixed else ", a reference that can move"
        message = f"comes from {_shown(pin.source)}{moves}, and no index: its code is judged once it is here"
        yield _finding(SOURCE, Severity.MEDIUM, message)
    elif pin.source.endswith(_ARCHIVES):
        message = f"{_shown(pin.source)} is a file of this machine; 'veln-hook scan' looks at it"
        yield _finding(SOURCE, Severity.MEDIUM, message)


_LOCAL = {OriginKind.VCS: Source.VCS, OriginKind.PATH: Source.LOCAL_DIRECTORY}


def _is_foreign(pin: Pin, file: PinnedFile) -> bool:
    """Tell whether a file's name says that it is of another project or release than the pin."""
    if not file.filename:
        return False
    named = parse_filename(file.filename)
    if named is None:
        return True
    if named.project == pin.project:
        return bool(named.version) and not same_version(named.version, pin.version)
    # The name of an sdist can be split in more than one place: "a-1-2.zip" is 2 of "a-1", or 1-2 of "a".
    stem = next((file.filename[: -len(end)] for end in SDIST_SUFFIXES if file.filename.endswith(end)), "")
    before, rest = stem[: len(pin.project) + 1], stem[len(pin.project) + 1 :]
    return _squeezed(before) != f"{pin.project}-" or not same_version(rest, pin.version)


def _squeezed(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _foreign(file: PinnedFile) -> Finding:
    message = f"{file.filename} is no file of this release, but the lock has it there"
    return _finding(HASH, Severity.CRITICAL, message, file)


def _blank(pin: Pin, source: Source) -> Candidate:
    return Candidate(project=pin.project, version=pin.version, filename="", url="", source=source)


def _unlisted(pin: Pin, *findings: Finding, sha256: str = "") -> Looked:
    """Return a file that the lock alone knows: whatever it says of it is not remembered."""
    return Looked(_blank(pin, Source.LOCK), findings, sha256, is_listed=False)


def _finding(
    signal: str,
    severity: Severity,
    message: str,
    file: PinnedFile | None = None,
    *,
    unverifiable: bool = False,
) -> Finding:
    line = file.line if file is not None and file.line else None
    return Finding(signal, severity, Confidence.HIGH, message, unverifiable=unverifiable, line=line)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _plain(url: str) -> str:
    return without_credentials(url).partition("#")[0]


def without_credentials(text: str) -> str:
    """Return a URL less user and password, whatever else is wrong with it."""
    return _CREDENTIALS.sub("", text)


def _shown(url: str) -> str:
    return printable(without_credentials(url))
