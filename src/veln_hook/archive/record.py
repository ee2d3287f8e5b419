"""A wheel's RECORD against what was read of the wheel."""

from __future__ import annotations

import base64
import csv
from typing import TYPE_CHECKING

from veln_hook.archive.limits import LIMITS, Journal, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_RECORD_BYTES = 64 << 20
"""A line for each of 200,000 long paths; torch's has one megabyte."""
_MAX_LINES = 2 * LIMITS.max_members
_SLUG = "record-mismatch"
_UNLISTED = ("", ".jws", ".p7s")
"""RECORD and its signatures, which it can't hash (PyPA's specification of binary distributions)."""
_OTHER_HASHES = ("sha384", "sha512")


def check_record(members: Mapping[str, tuple[str, int]], record: bytes, record_name: str) -> list[Problem]:
    """Hold RECORD against the members of its wheel.

    pip installs without looking at these hashes; PyPI refuses wheels whose RECORD
    lists other files than they have.

    Args:
        members: By name, (lower-case hex sha256, size in bytes) of every regular
            file that was read.
        record: Content of RECORD.
        record_name: Name of that member, such as ``demo-1.0.dist-info/RECORD``.

    Returns:
        Fatal problems where a content differs, or RECORD can't be read; others
        where RECORD and the archive list different files.
    """
    problems: list[Problem] = []
    journal = Journal(problems, LIMITS)
    if len(record) > _MAX_RECORD_BYTES:
        journal.note(_SLUG, f"RECORD is larger than {_MAX_RECORD_BYTES} bytes", record_name, fatal=True)
        return problems
    own = {record_name + suffix for suffix in _UNLISTED}
    seen: dict[str, tuple[str, str]] = {}
    try:
        for count, row in enumerate(csv.reader(record.decode("utf-8").splitlines())):
            if count > _MAX_LINES:
                journal.note(_SLUG, f"RECORD has more than {_MAX_LINES} lines", record_name, fatal=True)
                return problems
            if row:
                _check_row(row, members, own, seen, journal)
    except (UnicodeDecodeError, csv.Error) as error:
        journal.note(_SLUG, f"RECORD can't be read: {error}", record_name, fatal=True)
        return problems
    for name in members:
        if name not in seen and name not in own:
            journal.note(_SLUG, "it is not in RECORD", name)
    return problems


def _check_row(  # noqa: C901 - one row, one column after the other
    row: list[str],
    members: Mapping[str, tuple[str, int]],
    own: set[str],
    seen: dict[str, tuple[str, str]],
    journal: Journal,
) -> None:
    name, digest, size = [*row, "", ""][:3]
    name = name.removeprefix("./")
    if name not in members and "\\" in name:
        name = name.replace("\\", "/")  # as wheels that were built on Windows once had it
    if seen.setdefault(name, (digest, size)) != (digest, size):
        journal.note(_SLUG, "RECORD has two lines for it that differ", name, fatal=True)
    if name not in members:
        if not name.endswith("/") and name not in own:
            journal.note(_SLUG, "RECORD lists it, but the wheel has no such file", name)
        return
    sha256, length = members[name]
    algorithm, _, value = digest.partition("=")
    if algorithm.lower() == "sha256":
        expected = base64.urlsafe_b64encode(bytes.fromhex(sha256)).rstrip(b"=").decode()
        if value.rstrip("=") != expected:
            journal.note(_SLUG, "its content is not what RECORD says", name, fatal=True)
    elif digest and algorithm.lower() not in _OTHER_HASHES:
        journal.note(_SLUG, f"RECORD has a hash that is not secure: {algorithm[:20]!a}", name)
    elif digest:
        journal.note(_SLUG, "RECORD has a hash that is not looked at, only sha256 is", name)
    elif name not in own:
        journal.note(_SLUG, "RECORD has no hash of it", name)
    if size and size != str(length):
        journal.note(_SLUG, "its size is not what RECORD says", name, fatal=True)
