"""A user, without root: the interpreters' user sites, so that new environments inherit.

What it misses is told: ``-I``, ``-s`` and PYTHONNOUSERSITE read no user site, and
environments that are there already have none.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from veln_hook.adapters.venv import inherit, pointers
from veln_hook.enable import code, environment, interpreters, nets
from veln_hook.enable.changes import Change, Record, Step
from veln_hook.enable.interpreters import Interpreter
from veln_hook.errors import EnableError

if TYPE_CHECKING:
    from collections.abc import Mapping

MISSED = (
    "python -I and -s, and PYTHONNOUSERSITE: they read no user site",
    "environments that are there already: 'veln-hook enable --env DIR' for each",
    "uv called by its absolute path: 'veln-hook shims install' covers its name",
)
"""What this can't cover, for whoever switches it on."""
_REPAIR = "veln-hook enable --user"


class Plan(NamedTuple):
    """What enabling a user would do."""

    record: Record
    changes: tuple[Change, ...]
    by_hand: tuple[str, ...]
    """What has to be done by hand, as a file of the user's own is in the way."""


def plan(environ: Mapping[str, str], second_net: nets.Asked) -> Plan:
    """Look at what this user has.

    Args:
        environ: For HOME, and where interpreters are looked for.
        second_net: What pip's and uv's configuration is to say.

    Raises:
        EnableError: The user has no home, or there is no interpreter.
    """
    home = environ.get("HOME", "")
    if not os.path.isabs(home):
        raise EnableError("there is no home directory", advice="Set HOME to yours.")
    found = [each for each in interpreters.find(environ) if isinstance(each, Interpreter)]
    if not found:
        raise EnableError("no Python interpreter was found that others can't change")
    target = code.target(environment.home(), range(9, 40), _REPAIR)
    base = environ.get("PYTHONUSERBASE") or os.path.join(home, ".local")
    versions = sorted({each.version[:2] for each in found})
    changes = [
        Change(
            os.path.join(base, "lib", f"python{major}.{minor}", "site-packages", inherit.PTH),
            pointers.pth(target),
        )
        for major, minor in versions
    ]
    record = _record()
    net = nets.for_user(record, second_net, environ)
    return Plan(record, (*changes, *net.changes), net.by_hand)


def steps(plan: Plan) -> list[Step]:
    """Tell what ``enable`` would do."""
    made = list(plan.record.plan(plan.changes))
    return [Step("write", environment.home(), "the code, and what it needs"), *made] if made else made


def enable(plan: Plan) -> None:
    """Write the code, then what leads to it.

    Raises:
        EnableError: A file that is to be made is there, and isn't ours.
        CarryError: What the code needs can't be fetched.
        OSError: A file can't be written.
    """
    code.install(environment.home(), [9])
    plan.record.apply(plan.changes)


def disable(*, dry: bool = False) -> list[Step]:
    """Take everything back; the copy of the code stays for environments that are led to it.

    Raises:
        OSError: A file can't be written or removed.
    """
    return _record().undo(dry=dry)


def _record() -> Record:
    return Record(os.path.join(os.path.dirname(environment.home()), "user", "user.json"))
