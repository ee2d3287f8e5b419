"""The audit log: what was held, blocked, let pass by a person's word, or switched off, a JSON object a line.

It is for other programs and for other people than the store's log is: one file
that only grows and is renamed when it is large, and syslog if the policy wants
it. Rules of this module: a line that can't be written stops no install, since
nothing that is decided rests on it; where it could be, it is whole.
"""

from __future__ import annotations

import getpass
import json
import logging
import logging.handlers
import os
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Optional

from veln_hook.model import Decision

if os.name == "posix":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from veln_hook.model import VerdictRecord

logger = logging.getLogger("veln_hook")

MAX_BYTES = 8 << 20
KEPT = 4
"""So many full files are kept, as ``NAME.1`` (the newest) to ``NAME.4``."""
_SYSLOG = "/dev/log"
_STAGES = {"switch": "switched-off", "approval": "approval"}


class AuditLog:
    """Where records are told besides the store.

    Args:
        path: The file; made if it isn't there.
        syslog: Whether the system's log is told, too (journald reads the same socket).
    """

    def __init__(self, path: Path, *, syslog: bool = False) -> None:
        self._path = str(path)
        self._syslog = _connected() if syslog else None
        self._who = {"host": socket.gethostname(), "user": _user(), "program": os.path.basename(sys.argv[0])}

    def tell(self, records: Iterable[VerdictRecord]) -> None:
        """Write what matters of these; plain permissions don't."""
        lines = [json.dumps({**event(record), **self._who}) for record in records if matters(record)]
        if not lines:
            return
        try:
            self._append("".join(f"{line}\n" for line in lines))
        except OSError as error:
            logger.debug("veln-hook: %s can't be written: %s", self._path, error)
        if self._syslog is not None:
            for line in lines:
                told = {"msg": f"veln-hook: {line}", "levelno": logging.WARNING, "levelname": "WARNING"}
                self._syslog.emit(logging.makeLogRecord(told))

    def _append(self, text: str) -> None:
        os.makedirs(os.path.dirname(self._path), 0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        while True:
            descriptor = os.open(self._path, flags, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                status = os.fstat(descriptor)
                if not self._is_current(status):
                    continue  # another process renamed it before we had the lock
                if status.st_size and status.st_size + len(text) > MAX_BYTES:
                    self._rotate()
                    continue
                data = text.encode("utf-8")
                while data:
                    data = data[os.write(descriptor, data) :]
                return
            finally:
                os.close(descriptor)

    def _is_current(self, status: os.stat_result) -> bool:
        with suppress(OSError):
            return os.path.samestat(status, os.stat(self._path))
        return False

    def _rotate(self) -> None:
        for number in range(KEPT, 0, -1):
            older = f"{self._path}.{number - 1}" if number > 1 else self._path
            with suppress(FileNotFoundError):
                os.replace(older, f"{self._path}.{number}")


def matters(record: VerdictRecord) -> bool:
    """Tell whether a record is of interest to others: all but what passed without anybody's word."""
    return record.decision is not Decision.ALLOW or record.approval_id is not None or record.stage in _STAGES


def event(record: VerdictRecord) -> dict[str, Any]:
    """Return a record as the log has it."""
    lifted = record.approval_id is not None and record.stage not in _STAGES
    return {
        "at": record.at.isoformat(),
        "event": _STAGES.get(record.stage) or ("passed-by-approval" if lifted else record.decision.word),
        "project": record.project,
        "version": record.version,
        "filename": record.filename,
        "sha256": record.sha256,
        "index": record.index,
        "reason": record.reason,
        "approval": record.approval_id,
        "author": record.author,
    }


class _Syslog(logging.handlers.SysLogHandler):
    """The standard handler, which prints where its socket is gone; this one is silent."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Do nothing: what couldn't be told here stands in the file."""


def _connected() -> Optional[_Syslog]:
    try:
        handler = _Syslog(_SYSLOG, _Syslog.LOG_AUTH)
    except OSError as error:
        logger.debug("veln-hook: %s can't be reached: %s", _SYSLOG, error)
        return None
    handler.append_nul = False
    return handler


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return str(os.getuid()) if os.name == "posix" else ""
