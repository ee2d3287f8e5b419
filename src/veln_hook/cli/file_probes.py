"""What ``status`` and ``doctor`` tell of our own files: whether they are as they were installed.

The rules of ``probes`` hold: a probe looks at one thing, changes nothing, and never raises.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import os
from importlib import metadata

from veln_hook.cli.probing import REPAIR, Machine, ProbeResult

_SHA256 = "sha256="
_START_FILE = "veln_hook_startup.pth"
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
    # Not ``distribution.files``, which leaves out what is gone.
    for name, promised, *_ in csv.reader((distribution.read_text("RECORD") or "").splitlines()):
        if not promised.startswith(_SHA256):
            continue  # RECORD itself, and what was compiled later
        if name == _START_FILE:
            continue  # its own probe tells of that
        checked += 1
        path = os.path.normpath(str(distribution.locate_file(name)))
        try:
            with open(path, "rb") as file:
                digest = hashlib.sha256(file.read()).digest()
        except OSError as error:
            wrong.append(f"{path}: {error.strerror or error}")
            continue
        if base64.urlsafe_b64encode(digest).decode().rstrip("=") != promised[len(_SHA256) :]:
            wrong.append(f"{path} was changed since it was installed")
    if not checked:
        return ProbeResult("files", ok=False, summary="RECORD promises nothing", remedy=REPAIR)
    if wrong:
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        details = tuple(wrong[:_SHOWN])
        return ProbeResult("files", ok=False, summary=f"{wrong[0]}{more}", details=details, remedy=REPAIR)
    return ProbeResult("files", ok=True, summary=f"{checked} files are as they were installed")
