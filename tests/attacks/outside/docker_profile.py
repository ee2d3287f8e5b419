"""Runs a command under what Docker's default profile allows: its capabilities and its filter of system calls.

    python docker_profile.py UID GID COMMAND...

Written from the list that moby documents for its default seccomp profile (x86_64): a call that isn't on it
fails with EPERM, clone3 with ENOSYS. As in a container, no_new_privs isn't set; the namespaces and the
AppArmor profile of a container are not imitated.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

_C = ctypes.CDLL(None, use_errno=True)

# CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP
_CAPABILITIES = (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31)
_PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_KEEPCAPS = 22, 24, 8
_CAPABILITY_VERSION_3 = 0x20080522

# What isn't on the list without further capabilities; numbers of syscall_64.tbl.
_NOT_LISTED = {
    "_sysctl": 156,
    "acct": 163,
    "add_key": 248,
    "afs_syscall": 183,
    "bpf": 321,
    "clock_settime": 227,
    "create_module": 174,
    "delete_module": 176,
    "fanotify_init": 300,
    "finit_module": 313,
    "fsconfig": 431,
    "fsmount": 432,
    "fsopen": 430,
    "fspick": 433,
    "get_kernel_syms": 177,
    "get_mempolicy": 239,
    "getpmsg": 181,
    "init_module": 175,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "io_uring_setup": 425,
    "ioperm": 173,
    "iopl": 172,
    "kcmp": 312,
    "kexec_file_load": 320,
    "kexec_load": 246,
    "keyctl": 250,
    "lookup_dcookie": 212,
    "mbind": 237,
    "migrate_pages": 256,
    "mount": 165,
    "mount_setattr": 442,
    "move_mount": 429,
    "move_pages": 279,
    "nfsservctl": 180,
    "open_by_handle_at": 304,
    "open_tree": 428,
    "perf_event_open": 298,
    "pidfd_getfd": 438,
    "pivot_root": 155,
    "process_madvise": 440,
    "putpmsg": 182,
    "query_module": 178,
    "quotactl": 179,
    "quotactl_fd": 443,
    "reboot": 169,
    "request_key": 249,
    "security": 185,
    "set_mempolicy": 238,
    "setdomainname": 171,
    "sethostname": 170,
    "setns": 308,
    "settimeofday": 164,
    "swapoff": 168,
    "swapon": 167,
    "sysfs": 139,
    "syslog": 103,
    "tuxcall": 184,
    "umount2": 166,
    "unshare": 272,
    "uselib": 134,
    "userfaultfd": 323,
    "ustat": 136,
    "vhangup": 153,
    "vserver": 236,
}
_NEWEST_LISTED = 462
_CLONE, _CLONE3, _SOCKET, _PERSONALITY = 56, 435, 41, 135
_NAMESPACES = 0x7E020000
_AF_ALG, _AF_VSOCK = 38, 40
_PERSONALITIES = (0, 8, 0x20000, 0x20008, 0xFFFFFFFF)
_ARCHITECTURE = 0xC000003E
_ALLOW, _EPERM, _ENOSYS = 0x7FFF0000, 0x00050001, 0x00050026
_LOAD, _EQUAL, _ABOVE, _BITS, _GIVE = 0x20, 0x15, 0x25, 0x45, 0x06


def _filter() -> bytes:
    program: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, _ARCHITECTURE),
        (_GIVE, 0, 0, _ALLOW),  # the profile lists the 32-bit calls, too
        (_LOAD, 0, 0, 0),
        (_EQUAL, 0, 1, _CLONE3),
        (_GIVE, 0, 0, _ENOSYS),
    ]
    for number in _NOT_LISTED.values():
        program += [(_EQUAL, 0, 1, number), (_GIVE, 0, 0, _EPERM)]
    program += [(_ABOVE, 0, 1, _NEWEST_LISTED), (_GIVE, 0, 0, _EPERM)]
    program += [(_EQUAL, 0, 4, _CLONE), (_LOAD, 0, 0, 16), (_BITS, 0, 1, _NAMESPACES)]
    program += [(_GIVE, 0, 0, _EPERM), (_GIVE, 0, 0, _ALLOW)]
    program += [
        (_EQUAL, 0, 5, _SOCKET),
        (_LOAD, 0, 0, 16),
        (_EQUAL, 1, 0, _AF_ALG),
        (_EQUAL, 0, 1, _AF_VSOCK),
    ]
    program += [(_GIVE, 0, 0, _EPERM), (_GIVE, 0, 0, _ALLOW)]
    program += [(_EQUAL, 0, 2 + 2 * len(_PERSONALITIES), _PERSONALITY), (_LOAD, 0, 0, 16)]
    for value in _PERSONALITIES:
        program += [(_EQUAL, 0, 1, value), (_GIVE, 0, 0, _ALLOW)]
    program += [(_GIVE, 0, 0, _EPERM), (_GIVE, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _set_capabilities(kept: int) -> None:
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _check(_C.capset(header, struct.pack("=6I", kept, kept, 0, 0, 0, 0)))


def main() -> None:
    user, group, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    text = _filter()
    program = _Program(len(text) // 8, text)
    _check(_C.prctl(_PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0))
    for number in range(64):
        if number not in _CAPABILITIES and _C.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0):
            break
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    if user == 0:
        _set_capabilities(sum(1 << number for number in _CAPABILITIES))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
