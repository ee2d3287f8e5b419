"""What the log has of a command that ran while protection was switched off."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from veln_hook import clock
from veln_hook.model import Decision, VerdictRecord
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

_HARMLESS = re.compile(
    r"--?[a-zA-Z-]+|[a-zA-Z0-9._-]+(\[[a-zA-Z0-9._,-]*\])?([=<>!~]=[0-9a-zA-Z.,*+!=<>~]*)?"
)
"""An option without its value, or a project with extras and versions."""


def switched_off(words: Sequence[str]) -> VerdictRecord:
    """Return the record of a command that nothing was judged in, as of now.

    Args:
        words: The command. Names and versions of it are kept only: URLs and the values of options can hold
            passwords.
    """
    told = " ".join(word if _HARMLESS.fullmatch(word) else "..." for word in words)
    return VerdictRecord(
        at=clock.now(),
        decision=Decision.ALLOW,
        stage="switch",
        project="",
        version="",
        filename="",
        sha256="",
        index="",
        reason=f"VELN_HOOK=off: {printable(told)}",
        author=os.environ.get("USER", "") or str(os.getuid() if hasattr(os, "getuid") else ""),
    )
