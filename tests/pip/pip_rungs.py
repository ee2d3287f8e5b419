"""A pip whose builds are confined in a given way, rather than in the strongest that this machine has."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from veln_hook.sandbox import ladder

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROGRAM = """
import runpy, sys
from veln_hook.adapters.pip import builds
from veln_hook.sandbox.interface import Rung

wanted = Rung(sys.argv.pop(1))
found = builds.find([wanted])
assert found.rung is wanted, found
sys.argv[0] = "pip"
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


@functools.cache
def working() -> tuple[str, ...]:
    """Return the names of the rungs that this machine has, strongest first."""
    return tuple(probe.rung.value for probe in ladder.find(every=True).probes if probe.works)


def pip_on(rung: str) -> Sequence[str]:
    """Return the arguments of an interpreter that start its pip with this rung only; what follows is pip's.

    A pip that this one starts for build requirements looks for a rung itself.
    """
    return ("-c", _PROGRAM, rung)
