"""The state of files and processes, so that any change can be told."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable

_FS_IOC_GETFLAGS = 0x80086601
_FS_IOC_GETVERSION = 0x80087601


def generation(path: str) -> int:
    """Return the number that tells a file from an earlier one with the same inode; zero if it can't be told."""
    with open(path, "rb") as file, contextlib.suppress(OSError):
        held = fcntl.ioctl(file, _FS_IOC_GETVERSION, b"\0" * 8)
        return struct.unpack("=I", held[:4])[0]
    return 0


def file_state(path: str) -> Any:
    """Return all of a file but when it was read."""
    try:
        found = os.lstat(path)
        with open(path, "rb") as file:
            content = file.read()
            flags: Any = None
            with contextlib.suppress(OSError):
                flags = fcntl.ioctl(file, _FS_IOC_GETFLAGS, b"\0" * 8)
        names = os.listxattr(path)
        attributes = {name: os.getxattr(path, name) for name in names}
    except OSError as error:
        return repr(error)
    fields = ("st_mode", "st_uid", "st_gid", "st_size", "st_mtime_ns", "st_ctime_ns", "st_nlink", "st_ino")
    return [*(getattr(found, field) for field in fields), content, flags, attributes]


def process_state(process: subprocess.Popen[bytes]) -> Any:
    """Return what others can change of a process: that it runs, how, and with which limits."""
    if process.poll() is not None:
        return f"ended {process.returncode}"
    base = f"/proc/{process.pid}"
    try:
        state = [Path(base, name).read_text("latin-1") for name in ("limits", "comm", "cgroup")]
        state += [Path(base, name).read_text("latin-1") for name in ("oom_score_adj", "coredump_filter")]
        with contextlib.suppress(OSError):
            state.append(Path(base, "timerslack_ns").read_text("latin-1"))
    except OSError as error:
        return repr(error)
    scheduled = [os.getpriority(os.PRIO_PROCESS, process.pid), os.sched_getscheduler(process.pid)]
    return [state, scheduled, os.sched_getaffinity(process.pid)]


def names_with(nonce: str, places: Iterable[str]) -> list[str]:
    """Return the paths of files in these directories that have the nonce in their names."""
    found = []
    for place in places:
        with contextlib.suppress(OSError):
            found += [os.path.join(place, name) for name in os.listdir(place) if nonce in name]
    return found
