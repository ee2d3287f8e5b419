"""Members that are code in other languages: shell and PowerShell, native binaries."""

from __future__ import annotations

import re

from veln_hook.source import commands, vocabulary
from veln_hook.source.facts import CALL, Placed

NATIVE_SUFFIXES = (".so", ".pyd", ".dll", ".dylib", ".exe", ".node", ".bin")
_MAGIC = (
    b"\x7fELF",
    b"MZ",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
)
_IMPORTED = (
    b"connect\0", b"getaddrinfo\0", b"execve\0", b"system\0", b"popen\0", b"URLDownloadToFile",
    b"WinHttpOpen", b"InternetOpen", b"WinExec\0", b"ShellExecute", b"CreateProcess",
)  # fmt: skip
_SHELL = (".sh", ".bash", ".ps1", ".psm1", ".bat", ".cmd", ".vbs", ".command", ".zsh")
_PIPED = re.compile(
    r"(?:curl|wget)\b[^\n|;]*\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b|\biex\b|Invoke-Expression|"
    r"base64\s+(?:-d|--decode)[^\n|]*\|\s*(?:ba|z)?sh",
    re.IGNORECASE,
)


def is_native(head: bytes) -> bool:
    """Tell from its first bytes whether a file is native code."""
    return head.startswith(_MAGIC)


def is_shell(lowered: str) -> bool:
    """Tell from its name whether a file is a script for a shell."""
    return lowered.endswith(_SHELL)


def examine_native(name: str, head: bytes) -> list[Placed]:
    """Tell which functions a native binary imports that reach the network or start processes."""
    found = [token.rstrip(b"\0").decode() for token in _IMPORTED if token in head]
    return [Placed(vocabulary.NATIVE, CALL, name, 1, f"imports {' '.join(found)}")] if found else []


def examine_shell(name: str, data: bytes) -> list[Placed]:
    """Tell what a shell script fetches and runs."""
    text = data.decode("utf-8", "replace")
    found = []
    match = _PIPED.search(text) or commands.DOWNLOAD.search(text)
    if match:
        flags = ("download", "piped") if _PIPED.search(text) else ("download",)
        line = text.count("\n", 0, match.start()) + 1
        found.append(
            Placed(vocabulary.SHELL, CALL, name, line, match.group()[:60], match.group()[:160], (), flags)
        )
    return found
