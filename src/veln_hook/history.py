"""What one index's page says of a project as a whole: its status, and what was uploaded when.

Pure, and lazy: a page can list fifteen thousand files, and most runs need none of this. Whoever has the page
hands over functions; each is called once, when a signal asks for the first time. Everything here is linear in
the number of files but for one sort by upload time.

Names of files are split where almost all have their version, not by the standards: reading thousands of names
by the standards would take longer than all the rest.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, Optional, Union

from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

Time = Union[datetime, str]
"""An upload time: aware, or as PEP 700 spells it (``2026-11-22T16:00:00Z``, with a fraction or without)."""

QUARANTINED = "quarantined"
"""PEP 792's marker of a project that its index has locked away."""
MAX_RELEASES = 20
"""Earlier releases that are looked at: more say nothing about the habits of today."""
_ENOUGH = 6
_A_WHILE = timedelta(days=400)
_FIRST = datetime.min.replace(tzinfo=timezone.utc)
_LENGTHS = (20, 27)
"""Of times as PyPI spells them, without a fraction and with it."""
_NUMBERS = re.compile(r"\d+(?:\.\d+)+")
_NO_ZEROS = re.compile(r"(?:\.0+)+$")
_time = itemgetter(1)
_ENDINGS = (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar", ".tbz", ".txz")


class ListedFile(NamedTuple):
    """A file of a page, whatever interpreter it is for."""

    filename: str
    uploaded: datetime
    """Aware, UTC, to the second."""


class Release(NamedTuple):
    """The files of one version."""

    version: Union[Version, str]
    """A text where it is no version of PEP 440."""
    files: tuple[ListedFile, ...]
    """At least one; in the order of their upload."""

    @property
    def has_wheels(self) -> bool:
        """Whether one of them is a wheel."""
        return any(file.filename.endswith(".whl") for file in self.files)


class ProjectPage:
    """A project on an index, as its page tells it.

    Args:
        files: Gives filename and upload time of every file; what is no ``Time`` counts as unknown.
        name_of: Makes a filename of what ``files`` gives in its place, such as a URL that has it: of
            thousands of files few are looked at.
        attested: Gives the names of the files for which the index has attestations (PEP 740).
        status: Gives PEP 792's status marker and its reason; both empty where the page has none.
        first: Gives the upload time of any file, where that is quicker than all of them: most projects are
            old by whichever file of theirs is looked at.

    .. versionadded:: 0.2
    """

    def __init__(
        self,
        files: Callable[[], Iterable[tuple[str, object]]],
        attested: Callable[[], Collection[str]] = tuple,
        status: Callable[[], tuple[str, str]] = lambda: ("", ""),
        first: Callable[[], object] = lambda: None,
        name_of: Callable[[str], str] = str,
    ) -> None:
        self._get_files, self._get_attested, self._get_status = files, attested, status
        self._first, self._name_of = first, name_of

    def __repr__(self) -> str:
        return "<ProjectPage>"

    @property
    def is_quarantined(self) -> bool:
        """Whether the index says that nothing of the project should be installed (PEP 792)."""
        return self.status[0] == QUARANTINED

    @cached_property
    def status(self) -> tuple[str, str]:
        """PEP 792's marker, as the page spells it, and the reason; empty texts where there is none."""
        return self._get_status()

    @cached_property
    def attested(self) -> frozenset[str]:
        """Names of the files for which the index has attestations."""
        return frozenset(self._get_attested())

    def is_younger_than(self, moment: datetime) -> bool:
        """Tell whether every file was uploaded at ``moment`` (aware) or later, and there is one.

        A file of unknown age makes it old: who tells no times can't be told to be young by them.
        """
        some = _aware(self._first())
        if some is not None and some < moment:
            return False
        listed = self._listed
        if not listed.files or listed.unknown:
            return False
        first = listed.key(moment)
        return not any(time < first for _, time in listed.files)  # type: ignore[operator] # all of one kind

    def release(self, filename: str) -> Release | None:
        """Return the release that a file belongs to; ``None`` if no time of it is known.

        Args:
            filename: Of a file of the page.
        """
        version = version_of_file(filename)
        if version not in self._releases:
            # 2.0 and 2.0.0 are one release, so what all spellings have in common is looked for first.
            common = version
            if not isinstance(common, str):
                before = "" if common.epoch else "-"  # a URL may quote the mark between
                common = f"{before}{_NO_ZEROS.sub('', common.base_version.rpartition('!')[2])}"
            self._releases[version] = _release(
                version,
                [
                    (name, time)
                    for place, time in self._listed.files
                    if common in place
                    for name in [self._name_of(place)]
                    if version_of_file(name) == version
                ],
            )
        return self._releases[version]

    def before(self, release: Release) -> list[Release]:
        """Return the releases whose first files were here before another's, the newest first.

        Args:
            release: The other; it isn't among them, whenever its files came.

        Returns:
            The last ones by their newest file of that time, ``MAX_RELEASES`` at most, each with the files
            that it had then.
        """
        if release.version in self._before:
            return self._before[release.version]
        listed, came = self._listed, release.files[0].uploaded
        end, begin = listed.key(came), listed.key(came - min(_A_WHILE, came - _FIRST))
        # Of most projects the last year is enough, and to sort it costs a tenth.
        found = self._grouped([file for file in listed.files if begin < file[1] < end], release)  # type: ignore[operator]
        if len(found) < _ENOUGH:
            found = self._grouped([file for file in listed.files if file[1] < end], release)  # type: ignore[operator]
        self._before[release.version] = found
        return found

    def _grouped(self, files: list[tuple[str, Time]], other: Release) -> list[Release]:
        files.sort(key=_time, reverse=True)
        found: dict[Union[Version, str], list[tuple[str, Time]]] = {}
        for place, time in files:
            name = self._name_of(place)
            version = version_of_file(name)
            if version not in found:
                if version == other.version:
                    continue
                if len(found) >= MAX_RELEASES:
                    break
            found.setdefault(version, []).append((name, time))
        releases = [_release(version, own) for version, own in found.items()]
        return [release for release in releases if release is not None]

    def last_of_series(self, release: Release) -> datetime | None:
        """Return when the last file was uploaded before a release, of those with its major version.

        Args:
            release: One with a version of PEP 440.

        Returns:
            Aware, UTC; ``None`` if there was none, or its time isn't known.
        """
        if isinstance(release.version, str):
            return None
        if release.version not in self._series:
            end, start = self._listed.key(release.files[0].uploaded), f"-{release.version.major}."
            times = [time for place, time in self._listed.files if start in place and time < end]  # type: ignore[operator]
            self._series[release.version] = _moment(max(times)) if times else None
        return self._series[release.version]

    @cached_property
    def _series(self) -> dict[Version, Optional[datetime]]:
        return {}

    @cached_property
    def _before(self) -> dict[Union[Version, str], list[Release]]:
        return {}

    @cached_property
    def _releases(self) -> dict[Union[Version, str], Optional[Release]]:
        return {}

    @cached_property
    def _listed(self) -> _Listed:
        files = list(self._get_files())
        if all(isinstance(time, str) and is_plain_time(time) for _, time in files):
            return _Listed(files, 0, texts=True)  # type: ignore[arg-type]
        if not all(isinstance(time, datetime) and time.tzinfo is not None for _, time in files):
            known = [(name, _aware(time)) for name, time in files]
            files = [file for file in known if file[1] is not None]
            return _Listed(files, len(known) - len(files), texts=False)  # type: ignore[arg-type]
        return _Listed(files, 0, texts=False)  # type: ignore[arg-type]


class _Listed(NamedTuple):
    files: list[tuple[str, Time]]
    unknown: int
    """Files whose time isn't known, and which aren't in the list."""
    texts: bool

    def key(self, moment: datetime) -> Time:
        """Return what compares with the times."""
        if not self.texts:
            return moment
        return f"{moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def is_plain_time(text: str) -> bool:
    """Tell whether an upload time is spelled as PyPI does it, so that texts compare like times."""
    return len(text) in _LENGTHS and text[10] == "T" and text[-1] == "Z"


def _release(version: Union[Version, str], files: Iterable[tuple[str, Time]]) -> Release | None:
    listed = [ListedFile(name, moment) for name, time in files for moment in [_moment(time)] if moment]
    listed.sort(key=lambda file: file.uploaded)
    return Release(version, tuple(listed)) if listed else None


def version_of_file(filename: str) -> Union[Version, str]:
    """Return the version in a file's name; the text itself where it is none of PEP 440."""
    return _version(_version_text(filename))


def _version_text(filename: str) -> str:
    if filename.endswith(".whl"):
        parts = filename.split("-", 2)
        return parts[1] if len(parts) > 1 else ""
    for ending in _ENDINGS:
        if filename.endswith(ending):
            rest, _, last = filename[: -len(ending)].rpartition("-")
            if not rest:
                return ""
            # Old source archives are called demo-1.0-1: a post-release (PEP 440).
            if last.isdigit() and _NUMBERS.fullmatch(rest.rpartition("-")[2]):
                return f"{rest.rpartition('-')[2]}-{last}"
            return last
    return ""


@lru_cache(maxsize=8192)
def _version(text: str) -> Union[Version, str]:
    try:
        return Version(text)
    except (InvalidVersion, ValueError):  # a number of 5,000 digits is a ValueError
        return text


def _moment(time: Time) -> datetime | None:
    if isinstance(time, datetime):
        return time
    try:
        return datetime.fromisoformat(time[:19]).replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def _aware(time: object) -> datetime | None:
    if isinstance(time, str):
        return _moment(time) if is_plain_time(time) else None
    if not isinstance(time, datetime):
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=timezone.utc)
