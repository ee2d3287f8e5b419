"""A whole machine: every interpreter of it, with one copy of the code that only root can change."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, NamedTuple

from veln_hook import paths
from veln_hook.adapters.shims import looking
from veln_hook.adapters.shims.passing import TOOLS
from veln_hook.adapters.shims.script import MARK, quoted, shim
from veln_hook.adapters.venv import pointers
from veln_hook.enable import code, interpreters, nets
from veln_hook.enable.changes import Change, Record, Step, read
from veln_hook.enable.interpreters import Interpreter, PassedOver
from veln_hook.errors import EnableError, UsageError
from veln_hook.gate import extra

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HOME = "/opt/veln-hook"
"""What is written by ``enable --image``, but for the pointers."""
_CODE = f"{HOME}/hook"
_RECORD = f"{HOME}/image.json"
_COMMAND = "/usr/local/bin/veln-hook"
_SHIMS = "/usr/local/sbin"
"""The first on PATH in Docker's images, for every user; elsewhere ``_PROFILE`` puts it there."""
_PROFILE = "/etc/profile.d/veln-hook.sh"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_REPAIR = "veln-hook enable --image, as root"


class Plan(NamedTuple):
    """What enabling a machine would do."""

    record: Record
    found: tuple[Interpreter, ...]
    passed_over: tuple[PassedOver, ...]
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()
    """What is not covered, and why; what has to be done by hand."""


def plan(environ: Mapping[str, str], second_net: nets.Asked) -> Plan:
    """Look at the machine.

    Args:
        environ: For where interpreters are looked for.
        second_net: What pip's and uv's configuration is to say.

    Raises:
        EnableError: There is no interpreter, or what runs this could be changed by others.
    """
    record = Record(_RECORD)
    everything = interpreters.find(environ)
    found = tuple(each for each in everything if isinstance(each, Interpreter))
    passed_over = tuple(each for each in everything if isinstance(each, PassedOver))
    if not found:
        raise EnableError("no Python interpreter was found that only root can change")
    target = code.target(_CODE, [each.version[1] for each in found], _REPAIR)
    changes = [_pointer(each, target, record) for each in found]
    command = _command()
    if command is not None:
        changes.append(command)
    tools = [tool for tool in TOOLS if looking.look(tool, _PATH).first]
    notes = []
    try:
        if tools:
            extra.require("guarding uv and its like")
            changes += _shims(tools)
    except UsageError as error:
        notes.append(f"not covered: {', '.join(tools)}: {error}. {error.advice}")
    net = nets.for_machine(record, second_net)
    notes += [f"by hand: {line}" for line in net.by_hand]
    return Plan(record, found, passed_over, (*changes, *net.changes), tuple(notes))


def steps(plan: Plan) -> list[Step]:
    """Tell what ``enable`` would do."""
    made = plan.record.plan(plan.changes)
    return [Step("write", _CODE, "the code, and what it needs"), *made, Step("write", _RECORD)]


def enable(plan: Plan) -> None:
    """Write the code, then the pointers to it.

    Raises:
        EnableError: Not as root, or a file that is to be made isn't ours.
        CarryError: What it needs can't be fetched.
        OSError: A file can't be written.
    """
    _require_root()
    problem = interpreters.changeable(os.path.realpath(sys.executable))
    if problem:
        raise EnableError(f"whoever runs here could be somebody else: {problem}")
    record = plan.record
    if _CODE not in record.trees:
        record.trees.append(_CODE)
    record.save()
    code.install(_CODE, sorted({each.version[1] for each in plan.found}), leaving_nothing=True)
    code.compile_for(_CODE, [each.executable for each in plan.found])
    record.apply(plan.changes)


def disable(*, dry: bool = False) -> list[Step]:
    """Take everything back.

    Args:
        dry: Only tell.

    Raises:
        EnableError: Not as root.
        OSError: A file can't be written or removed.
    """
    record = Record(_RECORD)
    if not dry:
        _require_root()
    return record.undo(dry=dry)


def _pointer(interpreter: Interpreter, target: pointers.Target, record: Record) -> Change:
    path = os.path.join(interpreter.stdlib, "sitecustomize.py")
    there = read(path)
    known = next((each for each in record.files if each["path"] == path), None)
    if there is None or (known is not None and not known["adds"]):
        return Change(path, pointers.sitecustomize(target))
    return Change(path, pointers.block(target), adds=True)


def _shims(tools: Sequence[str]) -> list[Change]:
    """Return shims for a directory that comes before those that installers' programs are put into."""
    texts = {
        tool: shim(tool, python=sys.executable, package=str(paths.PACKAGE_DIR), home=_SHIMS) for tool in tools
    }
    return [
        Change(os.path.join(_SHIMS, MARK), ""),
        *(
            Change(os.path.join(_SHIMS, tool), text.decode("utf-8", "surrogateescape"), mode=0o755)
            for tool, text in texts.items()
        ),
        Change(_PROFILE, f'case ":$PATH:" in *:{_SHIMS}:*) ;; *) PATH={_SHIMS}:$PATH ;; esac\n'),
    ]


def _command() -> Change | None:
    """Return the command for everybody, unless one is found there that is the same or another's."""
    words = shutil.which("veln-hook", path=_PATH)
    if words is not None and os.path.realpath(words) != _COMMAND:
        return None
    return Change(_COMMAND, f'#!/bin/sh\nexec {quoted(sys.executable)} -I -m veln_hook "$@"\n', mode=0o755)


def _require_root() -> None:
    if os.geteuid() != 0:
        raise EnableError("an image is root's", advice="Run it as root, or enable an environment: --env DIR.")
