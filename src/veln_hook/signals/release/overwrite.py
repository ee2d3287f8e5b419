"""``overwrite``: a wheel of another project that would land on what protects this environment.

Protected are veln-hook, its dependencies, pip, their commands and metadata, the
interpreter's own command, and the policy files. pip lets a wheel write into any
directory of the scheme (the binary distribution format's ``.data`` directory),
so each of them is followed to where it ends.
"""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from typing import TYPE_CHECKING

from veln_hook.model import ArchiveKind, Confidence, Finding, Severity
from veln_hook.signals.hookspecs import SignalInfo, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from veln_hook.model import Archive
    from veln_hook.signals.hookspecs import ArchiveContext

NAME = "overwrite"

_OWNERS = {
    "veln_hook": "veln-hook",
    "pluggy": "pluggy",
    "packaging": "packaging",
    "platformdirs": "platformdirs",
    "tomli": "tomli",
    "pip": "pip",
}
"""Importable name -> project that may write it."""
_SITE = frozenset(("site-packages", "dist-packages"))
_COMMAND = re.compile(r"(pip|python|pypy|veln-hook)([\d.-]*)w?(-script\.py|\.exe|\.py)?")
_METADATA = re.compile(r"(.+?)(?:-[^-]*)?\.(?:dist-info|egg-info)")


@hookimpl
def veln_hook_signals() -> Iterable[SignalInfo]:
    """Name this signal."""
    return (
        SignalInfo(NAME, "Blocks a wheel that would overwrite veln-hook, its dependencies, pip or a policy."),
    )


@hookimpl
def veln_hook_examine_archive(archive: Archive, context: ArchiveContext) -> Iterator[Finding]:
    """Follow each member of a wheel to where pip would write it."""
    if archive.kind is not ArchiveKind.WHEEL:
        return
    policy_files = {_fold(os.path.normpath(path)) for path in context.policy_files}
    for member in context.members:
        target = _target(member, archive.project, context.prefix, policy_files)
        if target:
            yield _finding(archive, f"its member {member!r} would overwrite {target}", member)
            return  # one is enough to decide, and a wheel can hold 100,000 more
    for command in context.commands:
        if _is_command(_fold(command), archive.project):
            yield _finding(archive, f"it would install a command {command!r}", "entry_points.txt")
            return


def _target(member: str, project: str, prefix: str, policy_files: set[str]) -> str:
    """Return what a member would overwrite, in words; empty if nothing of ours."""
    path = posixpath.normpath(_fold(member.replace("\\", "/")))
    if path.startswith(("../", "/")) or path == ".." or re.match(r"[a-z]:", path):
        return "a file outside the directories a wheel may write to"
    parts = path.split("/")
    if len(parts) > 1 and parts[0].endswith(".data"):
        scheme, rest = parts[1], parts[2:]
        if scheme in ("purelib", "platlib"):
            return _in_site(rest, project)
        if scheme == "scripts":
            return _in_scripts(rest, project)
        if scheme == "data":
            return _in_prefix(rest, project, prefix, policy_files)
        return ""
    return _in_site(parts, project)


def _in_site(parts: list[str], project: str) -> str:
    if not parts:
        return ""
    top = parts[0]
    if top.endswith(".pth") and "veln_hook" in top:
        return "" if project == "veln-hook" else "veln-hook's start-up file"
    metadata = _METADATA.fullmatch(top)
    name = metadata.group(1) if metadata else top.partition(".")[0]
    owner = _OWNERS.get(re.sub(r"[-_.]+", "_", name))
    if owner is None or owner == project:
        return ""
    return f"files of {owner}"


def _in_scripts(parts: list[str], project: str) -> str:
    return f"the command {parts[-1]!r}" if parts and _is_command(parts[-1], project) else ""


def _in_prefix(parts: list[str], project: str, prefix: str, policy_files: set[str]) -> str:
    if _fold(os.path.normpath(os.path.join(prefix, *parts))) in policy_files:
        return "a policy file"
    for position, part in enumerate(parts):
        if part in _SITE:
            return _in_site(parts[position + 1 :], project)
    if len(parts) > 1 and parts[-2] in ("bin", "scripts"):
        return _in_scripts(parts, project)
    return ""


def _is_command(name: str, project: str) -> bool:
    match = _COMMAND.fullmatch(name)
    return match is not None and match.group(1) != project


def _fold(text: str) -> str:
    """Spell a path as the most forgiving file system would compare it."""
    return unicodedata.normalize("NFKC", text).casefold()


def _finding(archive: Archive, message: str, member: str) -> Finding:
    return Finding(
        signal=NAME,
        severity=Severity.CRITICAL,
        confidence=Confidence.HIGH,
        message=f"{message}, which belongs to another project than {archive.project or archive.filename}",
        path=member,
    )
