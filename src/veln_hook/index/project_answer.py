"""PyPI's JSON API as poetry and others read it, less the files that are held.

poetry asks ``/pypi/<project>/<version>/json`` for ``urls`` and for what ``info`` says of dependencies; others
take ``releases`` of ``/pypi/<project>/json``. Both answers are small, so they are parsed and written anew.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from veln_hook.index.entries import names_of, resolve, same_name, sha256_of
from veln_hook.index.limits import MAX_PAGE
from veln_hook.index.simple import FileEntry, parse_upload_time
from veln_hook.index.strict_json import loads

if TYPE_CHECKING:
    from collections.abc import Collection

_OF_PROJECT = frozenset({"name", "package_url", "project_url", "version"})
"""What ``info`` says of the project, not of one release."""


class ProjectAnswer:
    """An answer of the API about a project, or about one of its releases."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data
        self._info: dict[str, Any] = data["info"]

    @classmethod
    def parse(cls, body: bytes) -> ProjectAnswer:
        """Read an answer.

        Raises:
            ValueError: It is too large, or no such answer, or one that clients could read differently.
        """
        if len(body) > MAX_PAGE:
            raise ValueError("the answer is too large")
        data = loads(body)
        if not _is_answer(data):
            raise ValueError("the answer is none about a project")
        answer = cls(data)
        answer.entries()
        return answer

    @property
    def project(self) -> str:
        """The project that the answer says it is about, normalized; empty if it doesn't say."""
        name = self._info.get("name")
        return canonicalize_name(name) if isinstance(name, str) else ""

    @property
    def version(self) -> str:
        """The release that ``info`` is about, as it is spelled there; empty if it doesn't say."""
        version = self._info.get("version")
        return version if isinstance(version, str) else ""

    def entries(self) -> dict[str, FileEntry]:
        """Return all files by name, of ``urls`` and of ``releases``; a flawed one may stand under two."""
        return same_name([_entry(file) for files in self._lists() for file in files])

    def is_empty_without(self, filenames: Collection[str]) -> bool:
        """Tell whether the answer has files, and none of them would be left."""
        wanted = frozenset(filenames)
        named = [names_of(_entry(file)) for files in self._lists() for file in files]
        return bool(named) and not any(wanted.isdisjoint(names) for names in named)

    def without(self, filenames: Collection[str]) -> bytes:
        """Return the answer less these files.

        Where the release that ``info`` is about has lost all of its files and others are left, ``info`` keeps
        what is true of the project and names the newest that is left, whose dependencies it can't know.

        Args:
            filenames: A file goes if any client could call it by one of these.
        """
        wanted = frozenset(filenames)

        def kept(files: list[Any]) -> list[Any]:
            return [file for file in files if wanted.isdisjoint(names_of(_entry(file)))]

        data = {**self._data, "urls": kept(self._data["urls"])}
        if self._data.get("releases") is not None:
            releases = {version: kept(files) for version, files in self._data["releases"].items()}
            # A release without files isn't one that was held: PyPI lists those of which all were deleted.
            data["releases"] = {
                version: files
                for version, files in releases.items()
                if files or not self._data["releases"][version]
            }
            if self._data["urls"] and not data["urls"]:
                newest = _newest([version for version, files in data["releases"].items() if files])
                data["info"] = {
                    **{key: value if key in _OF_PROJECT else None for key, value in self._info.items()},
                    "version": newest,
                }
                data["urls"] = data["releases"].get(newest, [])
                if "vulnerabilities" in data:
                    data["vulnerabilities"] = []
        return json.dumps(data).encode()

    def _lists(self) -> list[list[Any]]:
        return [self._data["urls"], *(self._data.get("releases") or {}).values()]


def _is_answer(data: object) -> bool:
    if not isinstance(data, dict) or not isinstance(data.get("info"), dict):
        return False
    releases = data.get("releases")
    releases = {} if releases is None else releases
    return (
        isinstance(data.get("urls"), list)
        and isinstance(releases, dict)
        and all(isinstance(files, list) for files in releases.values())
    )


def _entry(file: object) -> FileEntry:
    if not isinstance(file, dict):
        raise ValueError("a file of the answer is no object")  # noqa: TRY004 - callers know ValueError
    filename, url, digests = file.get("filename"), file.get("url"), file.get("digests")
    if not isinstance(filename, str) or not isinstance(url, str) or not isinstance(digests, dict):
        raise ValueError("a file of the answer has no name, no URL or no digests")  # noqa: TRY004 - as above
    size, requires = file.get("size"), file.get("requires_python")
    absolute, flaw = resolve(url, "", filename)
    return FileEntry(
        filename=filename,
        url=absolute,
        sha256=sha256_of(digests.get("sha256")),
        upload_time=parse_upload_time(file.get("upload_time_iso_8601")),
        size=size if isinstance(size, int) and not isinstance(size, bool) else None,
        requires_python=requires if isinstance(requires, str) else "",
        yanked=bool(file.get("yanked")),
        flaw=flaw,
    )


def _newest(versions: list[str]) -> str:
    """Return the version that PyPI would show: the newest final one, or else the newest."""
    parsed: list[tuple[bool, Version, str]] = []
    for text in versions:
        try:
            version = Version(text)
        except (InvalidVersion, ValueError):
            continue
        parsed.append((not version.is_prerelease, version, text))
    return max(parsed)[2] if parsed else ""
