"""Landlock: the kernel's own list of what a process and all its children may open (landlock(7)).

It has no "except": what is not granted is refused, and a grant covers everything below.
"""

from __future__ import annotations

import ctypes
import fcntl
import os

from veln_hook.sandbox import system

_EXECUTE = 1 << 0
_WRITE_FILE = 1 << 1
_READ_FILE = 1 << 2
_READ_DIR = 1 << 3
_TRUNCATE = 1 << 14
_IOCTL_DEV = 1 << 15
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
# How many of the rights a kernel knows, by ABI: 2 added REFER, 3 TRUNCATE, 5 IOCTL_DEV.
_RIGHTS_OF_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_ALL_RIGHTS = (1 << 16) - 1
READ = _EXECUTE | _READ_FILE | _READ_DIR
READ_WRITE = _ALL_RIGHTS
DEVICE = _READ_FILE | _WRITE_FILE | _IOCTL_DEV | _TRUNCATE
"""Read, write and control of one device file."""

_SCOPE_ABI = 6
_SCOPE_ABSTRACT_UNIX_AND_SIGNALS = 3
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_DIRECTORY = 0o040000
_TYPE = 0o170000
_SYMLINK, _REGULAR, _CHARACTER_DEVICE = 0o120000, 0o100000, 0o020000


class _Attributes(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def abi() -> int:
    """Return the version of Landlock that the kernel speaks; 0 where it speaks none."""
    try:
        return system.call("landlock_create_ruleset", None, 0, _CREATE_RULESET_VERSION)
    except OSError:
        return 0


class Ruleset:
    """What may be opened from now on; made while still free, put in force with ``restrict``."""

    def __init__(self) -> None:
        """Make one that allows nothing.

        Raises:
            OSError: The kernel has no Landlock.
        """
        version = abi()
        self._rights = _RIGHTS_OF_ABI.get(version, _ALL_RIGHTS)
        scoped = _SCOPE_ABSTRACT_UNIX_AND_SIGNALS if version >= _SCOPE_ABI else 0
        attributes = _Attributes(self._rights, 0, scoped)
        # An old kernel takes the longer struct as long as what it doesn't know is zero.
        size = ctypes.sizeof(attributes)
        self._descriptor = system.call("landlock_create_ruleset", ctypes.byref(attributes), size, 0)

    def allow(self, path: str, rights: int) -> None:
        """Grant rights on a file or on everything below a directory; a path that isn't there is left out.

        Raises:
            OSError: The kernel refuses the rule.
        """
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return
        try:
            kind = os.fstat(descriptor).st_mode & _TYPE
            if kind != _SYMLINK:  # what one leads to is granted or not by itself
                self._add(descriptor, rights if kind == _DIRECTORY else rights & _ON_FILES)
        finally:
            os.close(descriptor)

    def allow_open_file(self, number: int) -> None:
        """Let the file behind an open descriptor be opened once more, as it is open now (``/dev/stderr``).

        One that is a directory, or not open, is left out.

        Raises:
            OSError: The kernel refuses the rule.
        """
        try:
            if os.fstat(number).st_mode & _TYPE not in (_REGULAR, _CHARACTER_DEVICE):
                return
            mode = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE
            descriptor = os.open(f"/proc/self/fd/{number}", os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return
        try:
            rights = {os.O_RDONLY: _READ_FILE, os.O_WRONLY: _WRITE_FILE | _TRUNCATE}
            self._add(descriptor, rights.get(mode, _READ_FILE | _WRITE_FILE | _TRUNCATE) | _IOCTL_DEV)
        finally:
            os.close(descriptor)

    def _add(self, descriptor: int, rights: int) -> None:
        rule = _PathBeneath(rights & self._rights, descriptor)
        system.call("landlock_add_rule", self._descriptor, _RULE_PATH_BENEATH, ctypes.byref(rule), 0)

    def restrict(self) -> None:
        """Put it in force for this thread and its children, for ever.

        ``PR_SET_NO_NEW_PRIVS`` must be set.

        Raises:
            OSError: The kernel refuses.
        """
        system.call("landlock_restrict_self", self._descriptor, 0)
        os.close(self._descriptor)
