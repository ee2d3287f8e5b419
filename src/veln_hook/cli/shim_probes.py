"""What ``status`` and ``doctor`` tell of uv: whether calling it by its name leads through the gate.

The rules of ``probes`` hold: a probe looks at one thing, changes nothing, and never raises.
"""

from __future__ import annotations

from veln_hook.adapters.shims import looking
from veln_hook.adapters.shims.passing import ALWAYS, TOOLS
from veln_hook.cli.probing import Machine, ProbeResult
from veln_hook.cli.shims import told

_INSTALL = "veln-hook shims install"


def shims(machine: Machine) -> ProbeResult:
    """Whether ``uv`` and its like are shims on this ``PATH``, and what stands before those."""
    path = machine.environ.get("PATH", "")
    looks = {tool: looking.look(tool, path) for tool in TOOLS}
    here = {tool: look for tool, look in looks.items() if look.first}
    lacking = {tool: looking.problem(look.shim) if look.shim else "" for tool, look in here.items()}
    details = tuple(f"{tool} {told(look, lacking[tool])}" for tool, look in here.items())
    broken = [tool for tool, lacks in lacking.items() if lacks]
    if broken:
        summary = f"broken, so nothing is installed through them: {', '.join(broken)}"
        return ProbeResult("shims", ok=False, summary=summary, details=details, remedy=_INSTALL)
    passed = [f"{look.first}" for look in here.values() if look.shim and not look.guarded]
    if passed:
        return ProbeResult(
            "shims",
            ok=False,
            summary=f"shims are on this PATH, and others stand before them: {', '.join(passed)}",
            details=details,
            remedy="Put the shims' directory first on PATH; 'veln-hook shims status' tells which it is.",
        )
    bare = [tool for tool, look in here.items() if not look.shim]
    guarded = [tool for tool, look in here.items() if look.guarded]
    if bare:
        # Whoever has uv, and never asked for shims, isn't less protected than was promised.
        ok = False if guarded and any(tool in ALWAYS for tool in bare) else None
        summary = f"not judged where called by name: {', '.join(bare)}"
        return ProbeResult("shims", ok=ok, summary=summary, details=details, remedy=_INSTALL)
    if guarded:
        return ProbeResult(
            "shims", ok=True, summary=f"{', '.join(guarded)}: through the gate", details=details
        )
    return ProbeResult("shims", ok=True, summary="not needed: no uv, poetry, pdm, pipx or hatch on this PATH")
