"""What ``status`` and ``doctor`` tell of our own files: whether they are as they were installed.

The rules of ``probes`` hold: a probe looks at one thing, changes nothing, and never raises.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import metadata

from veln_hook.cli.probing import REPAIR, Machine, ProbeResult

_SHOWN = 5


def files(machine: Machine) -> ProbeResult:
    """Whether each file of the installation has the bytes that RECORD promises."""
    del machine
    try:
        distribution = metadata.distribution("veln-hook")
    except metadata.PackageNotFoundError:
        return ProbeResult(
            "files", ok=None, summary="veln-hook is not installed here; it runs from a directory"
        )
    wrong: list[str] = []
    checked = 0
    for entry in distribution.files or ():
        if entry.hash is None or entry.hash.mode != "sha256":
            continue  # RECORD itself, and what was compiled later
        checked += 1
        path = str(distribution.locate_file(entry))
        try:
            with open(path, "rb") as file:
                digest = hashlib.sha256(file.read()).digest()
        except OSError as error:
            wrong.append(f"{path}: {error.strerror or error}")
            continue
        if base64.urlsafe_b64encode(digest).decode().rstrip("=") != entry.hash.value:
            wrong.append(f"{path} was changed since it was installed")
    if wrong:
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        details = tuple(wrong[:_SHOWN])
        return ProbeResult("files", ok=False, summary=f"{wrong[0]}{more}", details=details, remedy=REPAIR)
    return ProbeResult("files", ok=True, summary=f"{checked} files are as they were installed")
