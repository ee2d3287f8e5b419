"""What ``status`` and ``doctor`` look at: a registry of probes.

Rules of this module: a probe looks at one thing, changes nothing, and never
raises; what it finds is a result. ``ok`` is false only where protection is
missing or an install would be refused; whatever is merely worth knowing is ``None``.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import sys
from importlib import metadata
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement

from veln_hook import __version__
from veln_hook.cli.feed_probes import feed
from veln_hook.cli.file_probes import files
from veln_hook.cli.probing import REPAIR, Machine, Probe, ProbeResult, ask_child
from veln_hook.cli.sandbox_probes import gate, sandbox
from veln_hook.cli.shim_probes import shims
from veln_hook.errors import PluginError, PolicyError, StoreError
from veln_hook.policy.durations import format_duration
from veln_hook.policy.loading import load_policy
from veln_hook.policy.settings import DEFAULT_LAYER
from veln_hook.policy.switch import VARIABLE, asks_for_off, switch_state
from veln_hook.report.text import when
from veln_hook.signals import SignalManager
from veln_hook.store import open_policy_store

if TYPE_CHECKING:
    from veln_hook.policy.settings import Policy

PTH = "veln_hook_startup.pth"
_HOOK_CODE = """
import json, sys
module = sys.modules.get("veln_hook")
print(json.dumps({
    "active": module is not None and module in sys.meta_path,
    "package": getattr(module, "__file__", None),
}))
"""
_PIP_CODE = """
import json
import veln_hook
from veln_hook import _startup
veln_hook.install()
import pip
version = pip.__version__
try:
    import pip._internal.commands.install
except SystemExit:
    pass
from veln_hook.adapters.pip import points
missing = points.missing(points.PREFIX)
print(json.dumps({"version": version, "file": pip.__file__, "missing": missing, "damage": _startup.damage}))
"""


def hook(machine: Machine) -> ProbeResult:
    """Whether an interpreter that starts now has the hook."""
    found, problem = ask_child(machine, _HOOK_CODE)
    if found is None:
        return ProbeResult(
            "hook", ok=False, summary=f"a fresh interpreter can't be asked: {problem}", remedy=REPAIR
        )
    if not found["active"]:
        return ProbeResult(
            "hook",
            ok=False,
            summary=f"not active in {machine.executable}: its pip is not guarded",
            details=("A fresh interpreter was started, and veln-hook's finder is not in its sys.meta_path.",),
            remedy=REPAIR,
        )
    return ProbeResult(
        "hook",
        ok=True,
        summary=f"veln-hook {__version__} is active in {machine.executable}",
        details=(f"loaded from {os.path.dirname(found['package'] or '?')}",),
    )


def start_file(machine: Machine) -> ProbeResult:
    """Whether the ``.pth`` file is there, belongs to the installation, and has its own bytes."""
    del machine
    try:
        distribution = metadata.distribution("veln-hook")
    except metadata.PackageNotFoundError:
        return ProbeResult(
            "start-file",
            ok=False,
            summary="veln-hook is not installed here; it runs from a directory",
            remedy=f"{sys.executable} -m pip install veln-hook",
        )
    entry = next((file for file in distribution.files or () if file.name == PTH), None)
    if entry is None:
        # Newer Pythons leave out of 'files' what isn't there.
        recorded = f"{PTH}," in (distribution.read_text("RECORD") or "")
        summary = f"{PTH} is missing" if recorded else f"{PTH} is not in the RECORD of veln-hook"
        return ProbeResult("start-file", ok=False, summary=summary, remedy=REPAIR)
    path = str(distribution.locate_file(entry))
    try:
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read()).digest()
    except OSError as error:
        return ProbeResult(
            "start-file", ok=False, summary=f"{path}: {error.strerror or error}", remedy=REPAIR
        )
    promised = entry.hash
    if promised is None or promised.mode != "sha256":
        return ProbeResult("start-file", ok=None, summary=f"{path} is there; RECORD has no sha256 of it")
    if base64.urlsafe_b64encode(digest).decode().rstrip("=") != promised.value:
        return ProbeResult(
            "start-file", ok=False, summary=f"{path} was changed since it was installed", remedy=REPAIR
        )
    return ProbeResult("start-file", ok=True, summary=f"{path} is as it was installed")


def pip(machine: Machine) -> ProbeResult:
    """Whether this environment's pip has every point that must be guarded."""
    found, problem = ask_child(machine, _PIP_CODE)
    if found is None:
        if "No module named 'pip'" in problem:
            return ProbeResult(
                "pip", ok=None, summary="there is no pip in this environment, so nothing to guard"
            )
        return ProbeResult("pip", ok=False, summary=f"pip can't be loaded: {problem}", remedy=REPAIR)
    name = f"pip {found['version']}"
    place = (f"{os.path.dirname(found['file'])}",)
    if found["damage"]:
        return ProbeResult(
            "pip",
            ok=False,
            summary=f"{name} can't be guarded: {found['damage']}",
            details=place,
            remedy=REPAIR,
        )
    if found["missing"]:
        return ProbeResult(
            "pip",
            ok=False,
            summary=f"{name} can't be guarded; not found in it: {', '.join(found['missing'])}",
            details=place,
            remedy=f"Use a pip between 21.3 and 26.3, or a newer veln-hook: {REPAIR}",
        )
    return ProbeResult("pip", ok=True, summary=f"{name} can be guarded at every point", details=place)


def dependencies(machine: Machine) -> ProbeResult:
    """Whether what veln-hook needs is here, in versions that it works with."""
    del machine
    try:
        wanted = metadata.requires("veln-hook") or []
    except metadata.PackageNotFoundError:
        return ProbeResult("dependencies", ok=None, summary="unknown, as veln-hook is not installed here")
    wrong: list[str] = []
    good: list[str] = []
    for text in wanted:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        fits = requirement.specifier.contains(version, prereleases=True)
        (good if fits else wrong).append(
            f"{requirement.name} {version}" + ("" if fits else f" is not {requirement.specifier}")
        )
    if wrong:
        return ProbeResult("dependencies", ok=False, summary="; ".join(wrong), remedy=REPAIR)
    return ProbeResult("dependencies", ok=True, summary=", ".join(good))


def policy(machine: Machine) -> ProbeResult:
    """Which policy is in force, and who set it."""
    try:
        found = load_policy(environ=machine.environ)
    except PolicyError as error:
        summary = f"broken, so nothing is installed: {error}"
        return ProbeResult("policy", ok=False, summary=summary, remedy=error.advice, error=error)
    try:
        SignalManager().load_plugins(found.plugins)
    except PluginError as error:
        summary = f"can't be kept, so nothing is installed: {error}"
        return ProbeResult("policy", ok=False, summary=summary, remedy=error.advice, error=error)
    return ProbeResult(
        "policy", ok=True, summary=_policy_summary(found), details=tuple(_policy_details(found))
    )


def _policy_summary(found: Policy) -> str:
    cooling = found.cooling
    age = format_duration(cooling.min_age) if cooling.min_age else "off"
    parts = [
        f"cooling {age} ({found.origin('cooling.min_age')})",
        f"on hold {cooling.on_hold} ({found.origin('cooling.on_hold')})",
    ]
    layers = [layer.name for layer in found.files if layer.present]
    parts.append(f"read from: {', '.join(layers) or 'no file, the defaults'}")
    if found.ignored:
        count = len(found.ignored)
        files = sorted({setting.path for setting in found.ignored})
        parts.append(
            f"{count} setting{'' if count == 1 else 's'} of {', '.join(files)} ignored, as it may not loosen"
        )
    return "; ".join(parts)


def _policy_details(found: Policy) -> list[str]:
    details = [f"{layer.name}: {layer.path}" for layer in found.files if layer.present]
    details += [
        f"{key} is set by {layer}" for key, layer in sorted(found.origins.items()) if layer != DEFAULT_LAYER
    ]
    for setting in found.ignored:
        place = setting.path if setting.line is None else f"{setting.path}:{setting.line}"
        details.append(f"ignored: {setting.key} = {setting.value} in {place}: {setting.reason}")
    details += [f"locked: {entry} (by {found.locked_by(entry)})" for entry in sorted(found.locked)]
    return details


def switch(machine: Machine) -> ProbeResult:
    """Whether protection is switched off here."""
    try:
        state = switch_state(machine.environ, load_policy(environ=machine.environ))
    except PolicyError:
        wanted = asks_for_off(machine.environ)
        return ProbeResult(
            "switch", ok=None if wanted else True, summary=f"{VARIABLE} is {'off' if wanted else 'not off'}"
        )
    if state.off:
        return ProbeResult(
            "switch",
            ok=False,
            summary=f"{VARIABLE}={machine.environ.get(VARIABLE)} switches protection off",
            remedy=f"Unset the variable {VARIABLE}.",
        )
    if state.refused:
        return ProbeResult(
            "switch", ok=True, summary=f"on; {VARIABLE}=off is not honoured, locked by {state.locked_by}"
        )
    return ProbeResult("switch", ok=True, summary="on")


def store(machine: Machine) -> ProbeResult:
    """Whether what is seen and approved is remembered."""
    try:
        found = load_policy(environ=machine.environ)
    except PolicyError:
        return ProbeResult("store", ok=None, summary="unknown, as the policy names it and is broken")
    try:
        opened = open_policy_store(found, audited=False)
        try:
            info = opened.info()
        finally:
            opened.close()
    except StoreError as error:
        summary = f"can't be used, so nothing is installed: {error}"
        remedy = (
            "Move the file away, or name another store in the policy."
            if error.advice == StoreError.advice and not found.store_url
            else error.advice
        )
        return ProbeResult("store", ok=False, summary=summary, remedy=remedy, error=error)
    summary = (
        f"{info.location}, since {when(info.started_at)}, "
        f"{info.observations} observations, {info.approvals} approvals"
    )
    details = [f"schema {info.schema}"]
    if info.set_aside:
        details.append(f"a corrupt store was set aside as {info.set_aside}; approvals in it do not count")
    if not info.persistent:
        return ProbeResult(
            "store",
            ok=None,
            summary=f"nothing is remembered: {info.problem or 'the store is in memory'}",
            details=(summary, *details),
            remedy="Make the file writable; for an index without upload times, set its 'upstream' too.",
        )
    if info.problem:
        return ProbeResult("store", ok=None, summary=f"{info.problem} ({summary})", details=tuple(details))
    if info.set_aside:
        return ProbeResult(
            "store",
            ok=None,
            summary=f"{summary}; {details[-1]}",
            details=tuple(details),
            remedy=f"Approve again what is still wanted, then delete {info.set_aside}.",
        )
    return ProbeResult("store", ok=True, summary=summary, details=tuple(details))


_OTHERS = ("uv", "poetry", "pdm", "conda", "mamba", "pipenv", "pipx")
_GAPS = (
    "python -S, and pip run with it: no start-up file is read",
    "other interpreters without a veln-hook of their own, when their pip is started directly",
    "environments that an interpreter without veln-hook makes: their pip is not guarded",
    "with a --user installation: python -I or -s, and every virtual environment",
    "installers that are not pip: uv, poetry's and pdm's own, conda",
    "whoever may write to this environment: they can remove the start-up file",
)


def gaps(machine: Machine) -> ProbeResult:
    """What veln-hook in this interpreter can't see; docs/threat-model.md tells more."""
    there = [name for name in _OTHERS if shutil.which(name, path=machine.environ.get("PATH"))]
    found = f"; on this PATH: {', '.join(there)}" if there else ""
    return ProbeResult(
        "not-covered",
        ok=None,
        summary=f"python -S, other interpreters and what they make, other installers{found}",
        details=_GAPS,
    )


PROBES: tuple[tuple[str, Probe], ...] = (
    ("hook", hook),
    ("start-file", start_file),
    ("files", files),
    ("pip", pip),
    ("dependencies", dependencies),
    ("policy", policy),
    ("switch", switch),
    ("store", store),
    ("feed", feed),
    ("sandbox", sandbox),
    ("gate", gate),
    ("shims", shims),
    ("not-covered", gaps),
)
"""In the order they are told; later parts of veln-hook add theirs here."""
