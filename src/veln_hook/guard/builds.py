"""Builds: what a machine without a sandbox means for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.model import Confidence, Finding, Severity
from veln_hook.policy.decide import UNCONFINED_BUILD

if TYPE_CHECKING:
    from veln_hook.sandbox.ladder import Ladder


def unconfined_build(ladder: Ladder) -> Finding:
    """Return the finding that build code would run unconfined; ``decide`` rules it by ``sandbox.builds``.

    Args:
        ladder: What was tried, of which nothing works.
    """
    advice = f"; {ladder.advice}" if ladder.advice else ""
    return Finding(
        signal=UNCONFINED_BUILD,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        message=f"its build code would run unconfined, as no sandbox works here{advice}",
        reach="build",
        evidence="; ".join(f"{probe.rung.value}: {probe.reason}" for probe in ladder.probes),
    )
