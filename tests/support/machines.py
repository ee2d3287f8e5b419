"""Machines with less than this one has: a seccomp filter refuses what they lack, and the kernel does so for real.

Run as a script, ``machines.py NAME PROGRAM ARGUMENTS...``: it becomes that program on such a machine.
"""

from __future__ import annotations

import ctypes
import functools
import os
import struct
import sys

CONTAINER = "container"
"""No namespaces, as in Docker without further options (moby's default profile)."""
BARE = "bare"
"""Neither namespaces nor Landlock, and no further filters: nothing that could confine."""

_CALLS = {
    # unshare, mount, setns; clone; clone3; seccomp, landlock_create_ruleset
    "x86_64": ((272, 165, 308), 56, 435, (317, 444)),
    "aarch64": ((97, 40, 268), 220, 435, (277, 444)),
}
_LOAD, _EQUAL, _ANY, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_NEW_NAMESPACES = 0x7E020000  # CLONE_NEW* of clone(2)
_FIRST_ARGUMENT = 16
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _SECCOMP_MODE_FILTER = 22, 38, 2


def become(name: str) -> None:
    """Put this process, and all that it starts, on such a machine.

    Raises:
        OSError: The kernel refuses.
    """
    refused, clone, clone3, walls = _CALLS[os.uname().machine]
    program = [(_LOAD, 0, 0, 0)]
    for number in (*refused, *(walls if name == BARE else ())):
        program += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERROR | _EPERM)]
    program += [(_EQUAL, 0, 1, clone3), (_RETURN, 0, 0, _ERROR | _ENOSYS)]
    program += [(_EQUAL, 0, 3, clone), (_LOAD, 0, 0, _FIRST_ARGUMENT)]
    program += [(_ANY, 0, 1, _NEW_NAMESPACES), (_RETURN, 0, 0, _ERROR | _EPERM), (_RETURN, 0, 0, _ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    fprog = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    nothing = ctypes.c_ulong(0)
    for option, first, second in (
        (_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), nothing),
        (_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), fprog),
    ):
        if libc.prctl(option, first, second, nothing, nothing) != 0:
            raise OSError(ctypes.get_errno(), f"prctl {option}")


@functools.cache
def rung() -> str:
    """Return the name of the strongest sandbox of this machine; empty if it has none."""
    from veln_hook.sandbox import ladder  # not where this file runs as a script, in another environment

    found = ladder.find().rung
    return "" if found is None else found.value


if __name__ == "__main__":
    become(sys.argv[1])
    os.execvp(sys.argv[2], sys.argv[2:])
