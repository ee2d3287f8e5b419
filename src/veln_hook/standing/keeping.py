"""A certificate authority that is kept in a directory, so that clients can go on trusting it.

Whoever reads its key can be any server for every client of the gate, so nobody but its owner may: what others
could read or write is refused, not repaired.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from datetime import timedelta
from typing import Callable

from veln_hook import clock
from veln_hook.errors import UsageError
from veln_hook.gate.authority import Authority
from veln_hook.gate.refusing import shown

LIFE = timedelta(days=5 * 365)
"""How long a standing gate's authority is to be trusted."""
CERTIFICATE = "ca.pem"
KEY = "authority.pem"
"""Its key, and its certificate once more: they are read together or not at all."""
_MAX_BYTES = 1 << 16
_OTHERS = 0o077
_ADVICE = "Name a directory of your own that nobody else can look into, or one that isn't there yet."


def kept_authority(directory: str) -> Authority:
    """Return the authority that a directory has; it gets one if it has none.

    Raises:
        UsageError: Others can read it, or it can't be read or made, or its time is over.
    """
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        _check(os.stat(directory), directory)
        path = os.path.join(directory, KEY)
        if not os.path.lexists(path):
            _keep(path, Authority(life=LIFE).secret())
        authority = Authority(kept=_secret(path))
        write_public(os.path.join(directory, CERTIFICATE), authority.certificate)
    except OSError as error:
        raise UsageError(
            f"the authority in {shown(directory)} can't be used: {error.strerror or error}", advice=_ADVICE
        ) from None
    except UsageError:
        raise
    except ValueError:
        raise UsageError(
            f"{shown(os.path.join(directory, KEY))} has no key and certificate that belong together",
            advice="Remove it to get a new authority, which clients then have to trust.",
        ) from None
    if authority.until <= clock.now():
        raise UsageError(
            f"the authority in {shown(directory)} was to be trusted until {authority.until:%Y-%m-%d}",
            advice=f"Remove {KEY} there to get a new one, which clients then have to trust.",
        )
    return authority


def write_public(path: str, data: bytes) -> None:
    """Write a file that anybody may read, in one step.

    Raises:
        OSError: It can't be written.
    """
    _write(path, data, 0o644, os.replace)


def _keep(path: str, secret: bytes) -> None:
    # Another gate may be doing the same at this moment: the first one's stays.
    with suppress(FileExistsError):
        _write(path, secret, 0o600, os.link)


def _write(path: str, data: bytes, mode: int, put: Callable[[str, str], object]) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=".new-", dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)  # whatever the umask
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        put(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)


def _secret(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{shown(path)} is no file", advice=_ADVICE)
        _check(status, path)
        return file.read(_MAX_BYTES)


def _check(status: os.stat_result, path: str) -> None:
    if stat.S_IMODE(status.st_mode) & _OTHERS:
        raise UsageError(
            f"others can get at the gate's key: {shown(path)} is open to them",
            advice=f"Run: chmod go= {shown(path)}; if anybody can have read it, remove it and start anew.",
        )
    if status.st_uid != os.geteuid():
        raise UsageError(f"{shown(path)} belongs to somebody else", advice=_ADVICE)
