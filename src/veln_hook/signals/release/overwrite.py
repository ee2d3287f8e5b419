"""``overwrite``: an archive of another project that would land on what protects this environment.

Protected are veln-hook, its dependencies, pip, their commands and metadata, the interpreter's own
command, the environment's own settings, the policy files and the store. pip lets a wheel write into any
directory of the scheme (the binary distribution format's ``.data`` directory), so each of them is
followed to where it ends. What RECORD names without bringing it counts like a member: pip deletes that
when the wheel goes. Of sdists and directories only those count that uv builds itself: of any other, the
wheel is judged that it is built to.
"""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from typing import TYPE_CHECKING

from veln_hook.model import Confidence, Finding, Severity
from veln_hook.signals.hookspecs import SignalInfo, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from veln_hook.model import Archive
    from veln_hook.signals.hookspecs import ArchiveContext

NAME = "overwrite"

_OWNERS = {
    "veln_hook": "veln-hook",
    "_veln_hook_fallback": "veln-hook",
    "pluggy": "pluggy",
    "packaging": "packaging",
    "platformdirs": "platformdirs",
    "tomli": "tomli",
    "pip": "pip",
}
"""Importable name -> project that may write it."""
_SITE = frozenset(("site-packages", "dist-packages"))
_COMMAND = re.compile(r"(pip|python|pypy|veln-hook)[\d.-]*[tw]?(-script\.py|\.exe|\.py)?")
_ACTIVATION = re.compile(r"(de)?activate(\.(bat|csh|fish|nu|ps1|xsh))?|activate_this\.py")
"""What a shell or a program runs to enter an environment: it could set VELN_HOOK=off."""
_COMMAND_OWNERS = ("pip", "veln-hook")
"""Projects that bring commands of their own name; the interpreter's is nobody's."""
_METADATA = re.compile(r"(.+)\.(?:dist-info|egg-info)")
_STDLIB = re.compile(r"(python|pypy)\d(\.\d+)?t?")
_DRIVE = re.compile(r"[a-z]:")
_STARTUP_FILES = ("veln_hook_startup", "veln_hook", "_veln_hook", "__editable__.veln_hook")
"""Stems of the path files that load us: installed, and as editable installs name them."""
_SETTINGS = ("pyvenv.cfg", "pip.conf", "pip.ini", "veln-hook.toml")
"""Files at an environment's root that decide what its Python and its pip do."""


@hookimpl
def veln_hook_signals() -> Iterable[SignalInfo]:
    """Name this signal."""
    return (
        SignalInfo(
            NAME, "Blocks an archive that would overwrite veln-hook, its dependencies, pip or a policy."
        ),
    )


@hookimpl
def veln_hook_examine_archive(archive: Archive, context: ArchiveContext) -> Iterator[Finding]:
    """Follow each member of a wheel to where an installer would write it."""
    policy_files = {_fold(os.path.normpath(path)) for path in context.policy_files}
    for member in context.members:
        target = _target(member, archive.project, context.prefix, policy_files)
        if target:
            yield _finding(archive, f"its member {member!r} would overwrite {target}", member)
            return  # one is enough to decide, and a wheel can hold 100,000 more
    for claim in context.claims:
        target = _claimed(claim, archive.project, policy_files)
        if target:
            yield _finding(
                archive, f"uninstalling it would delete {target}, which it lists as {claim!r}", claim
            )
            return
    for command in context.commands:
        name = _fold(command.replace("\\", "/").lstrip("["))
        # An absolute name replaces the directory it is joined to.
        path = posixpath.normpath(posixpath.join("scripts", name))
        if (
            not path.startswith("scripts/")
            or _DRIVE.match(name)
            or _is_command(path.partition("/")[2], archive.project)
        ):
            yield _finding(archive, f"it would install a command {command!r}", "entry_points.txt")
            return


def _target(member: str, project: str, prefix: str, policy_files: set[str]) -> str:
    """Return what a member would overwrite, in words; empty if nothing of ours."""
    path = posixpath.normpath(_fold(member.replace("\\", "/")))
    if path.startswith(("../", "/")) or path == ".." or _DRIVE.match(path):
        return "a file outside the directories a wheel may write to"
    parts = path.split("/")
    if len(parts) > 1 and parts[0].endswith(".data"):
        scheme, rest = parts[1], parts[2:]
        if scheme in ("purelib", "platlib"):
            return _in_site(rest, project)
        if scheme == "scripts":
            return _in_scripts(rest, project)
        if scheme == "data":
            # pip moves what lies there into the directory of --target, which can be site-packages itself.
            return _in_prefix(rest, project, prefix, policy_files) or _in_site(rest, project)
        return ""
    return _in_site(parts, project)


def _claimed(path: str, project: str, policy_files: set[str]) -> str:
    """Return what of ours a line of RECORD names; lines that name nothing of ours are pip's to judge."""
    path = posixpath.normpath(_fold(path.replace("\\", "/")))
    if path in policy_files:
        return "a policy file"
    parts = path.split("/")
    if not path.startswith(("../", "/")):
        return _in_site(parts, project)
    parts = [part for part in parts if part not in ("..", "")]
    # How far up site-packages lies differs; what is named from the prefix down is the same.
    return next(
        filter(None, (_in_prefix(parts[start:], project, "", set()) for start in range(len(parts)))), ""
    )


def _in_site(parts: list[str], project: str) -> str:
    if not parts:
        return ""
    top = parts[0]
    own = project.replace("-", "_")
    # A .start file of the same name, even an empty one, silences the .pth beside it (PEP 829).
    if top.endswith((".pth", ".start")) and "veln_hook" in top and own != "veln_hook":
        stem = top.rpartition(".")[0]
        # A plugin's editable install has such a name too, with the plugin's own in it.
        if not own.startswith("veln_hook") or own not in stem.replace("-", "_") or stem in _STARTUP_FILES:
            return "veln-hook's start-up file"
    metadata = _METADATA.fullmatch(top)
    if metadata is None:
        names = [top.partition(".")[0]]
    else:
        # importlib.metadata takes the name up to the first dash, pip up to the version.
        whole = metadata.group(1)
        names = [whole.rpartition("-")[0] or whole, whole.partition("-")[0]]
        if re.match(rf"{re.escape(own)}_\d", _importable(whole)):  # name and version, however they are joined
            return ""
    for name in names:
        owner = _OWNERS.get(_importable(name))
        if owner is not None and owner != project:
            return f"files of {owner}"
    return ""


def _importable(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name)


def _in_scripts(parts: list[str], project: str) -> str:
    return f"the command {parts[-1]!r}" if parts and _is_command(parts[-1], project) else ""


def _in_prefix(parts: list[str], project: str, prefix: str, policy_files: set[str]) -> str:
    if _fold(os.path.normpath(os.path.join(prefix, *parts))) in policy_files:
        return "a policy file"
    if len(parts) == 1 and parts[0] in _SETTINGS:
        return "the environment's own settings"
    # The prefix of a user install is ~/.local, and the store lies in ~/.local/state/veln-hook.
    if "veln-hook" in parts[:-1] and project != "veln-hook":
        return "veln-hook's own files"
    for position, part in enumerate(parts):
        if part in _SITE:
            return _in_site(parts[position + 1 :], project)
    if len(parts) > 1 and parts[-2] in ("bin", "scripts"):
        return _in_scripts(parts, project)
    # Of an interpreter that is no virtual environment's.
    in_stdlib = len(parts) > 2 and parts[0] in ("lib", "lib64") and _STDLIB.fullmatch(parts[1])  # noqa: PLR2004
    return "the standard library" if in_stdlib else ""


def _is_command(name: str, project: str) -> bool:
    if _ACTIVATION.fullmatch(name):
        return True
    match = _COMMAND.fullmatch(name)
    return match is not None and not (match.group(1) == project and project in _COMMAND_OWNERS)


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
        # Whose file it is decides, so the finding says nothing about the same bytes under another name.
        evidence=archive.project,
    )
