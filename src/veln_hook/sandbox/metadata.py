"""Modes, owners, times and extended attributes of files: changed for a confined command by its supervisor.

Landlock doesn't restrict these. They are changed where the command may write, and refused elsewhere. The file
is opened once (O_PATH); what is checked then, and changed, is that open file.
"""

from __future__ import annotations

import errno
import os
import stat
import struct

from veln_hook.sandbox import system
from veln_hook.sandbox.target import AT_EMPTY_PATH, AT_FDCWD, CAP_CHOWN, CAP_FOWNER, Target

TYPE_CHECKING = False  # read by type checkers; typing isn't imported
if TYPE_CHECKING:
    from collections.abc import Callable

    from veln_hook.sandbox.notify import Notification
    from veln_hook.sandbox.places import Places

_NOFOLLOW = 0x100  # AT_SYMLINK_NOFOLLOW
_UNCHANGED = 0xFFFFFFFF  # -1 as uid_t and gid_t, chown(2)
_SET_IDS = stat.S_ISUID | stat.S_ISGID
_MAX_NAME, _MAX_VALUE = 255, 65536  # xattr(7)
_NAMESPACES = (b"user.", b"system.posix_acl_")
_TIMESPECS = struct.Struct("=qqqq")
_UTIMBUF = struct.Struct("=qq")
_NOW = _TIMESPECS.pack(0, (1 << 30) - 1, 0, (1 << 30) - 1)  # UTIME_NOW, utimensat(2)
_MICROSECONDS = 1_000_000


class _File:
    """A file that is open here, and who wants to change it."""

    def __init__(self, descriptor: int, target: Target, own_capabilities: int) -> None:
        self.path = f"/proc/self/fd/{descriptor}"
        self.found = os.stat(descriptor)
        self._target = target
        self._user = target.user()
        self._capabilities = target.capabilities()
        if self._user != os.geteuid():
            raise OSError(errno.EPERM, "user of the target")
        # The kernel goes by what this process may; if that is more than the target may, rules are kept here.
        self._kernel_decides = not own_capabilities & ~self._capabilities

    def demand_owner(self) -> None:
        """Raise EPERM unless the target owns the file, or may act as if."""
        owner = self.found.st_uid == self._user
        if not (self._kernel_decides or owner or self._capabilities >> CAP_FOWNER & 1):
            raise OSError(errno.EPERM, "owner of a file")

    def demand_chown(self, user: int, group: int) -> None:
        """Raise EPERM unless the target may give the file to a user and a group (-1: as it is)."""
        if self._kernel_decides or self._capabilities >> CAP_CHOWN & 1:
            return
        to_own_group = group in (-1, self.found.st_gid) or group in self._target.groups()
        if not (self.found.st_uid == self._user and user in (-1, self._user) and to_own_group):
            raise OSError(errno.EPERM, "owner of a file")


if TYPE_CHECKING:
    Opener = Callable[[Notification, Target], int]
    Change = Callable[[_File], None]
    Reader = Callable[[Notification, Target, int], Change]


class Metadata:
    """Changes files where the command may write."""

    def __init__(self, places: Places) -> None:
        """Take the places where files may be changed."""
        self._places = places
        self._own_capabilities = Target(os.getpid()).capabilities()

    def handle(self, name: str, call: Notification, target: Target) -> None:
        """Answer a call.

        Args:
            name: Of the system call, a key of ``CALLS``.
            call: The call.
            target: Who makes it.

        Raises:
            notify.GoneError: Nobody waits any more.
            OSError: As the call does; EPERM where the command may not write.
        """
        opener, reader, first = CALLS[name]
        opened = opener(call, target)
        try:
            change = reader(call, target, first)
            file = _File(opened, target, self._own_capabilities)
            if not self._places.writable(opened):
                raise OSError(errno.EPERM, name)
            call.check()
            change(file)
        finally:
            os.close(opened)
        call.succeed()


def _path(call: Notification, target: Target) -> int:
    return target.open_path(AT_FDCWD, target.string(call.arguments[0]), follow=True)


def _link(call: Notification, target: Target) -> int:
    return target.open_path(AT_FDCWD, target.string(call.arguments[0]), follow=False)


def _descriptor(call: Notification, target: Target) -> int:
    if call.integer(0) < 0:
        raise OSError(errno.EBADF, "descriptor of the target")
    return target.open_path(call.integer(0), b"", follow=True, empty=True)


def _at(flags_index: int | None) -> Opener:
    """Return how to open what a directory and a path mean, with the flags of that argument (AT_*)."""

    def opener(call: Notification, target: Target) -> int:
        flags = 0 if flags_index is None else call.integer(flags_index)
        if flags & ~(_NOFOLLOW | AT_EMPTY_PATH):
            raise OSError(errno.EINVAL, "flags")
        path = target.string(call.arguments[1])
        follow = not flags & _NOFOLLOW
        return target.open_path(call.integer(0), path, follow=follow, empty=bool(flags & AT_EMPTY_PATH))

    return opener


def _at_or_descriptor(flags_index: int | None) -> Opener:
    """Return how to open the same, where no path at all means the descriptor (utimensat(2))."""
    at = _at(flags_index)
    return lambda call, target: at(call, target) if call.arguments[1] else _descriptor(call, target)


def _mode(call: Notification, _: Target, first: int) -> Change:
    mode = stat.S_IMODE(call.integer(first))

    def change(file: _File) -> None:
        file.demand_owner()
        kept = stat.S_IMODE(file.found.st_mode)
        # A program that runs as its owner would be a way out for whoever starts it later.
        if mode & _SET_IDS & ~kept and not stat.S_ISDIR(file.found.st_mode):
            raise OSError(errno.EPERM, "mode of a file")
        os.chmod(file.path, mode)

    return change


def _owner(call: Notification, target: Target, first: int) -> Change:
    wanted = []
    for kind, index in (("uid", first), ("gid", first + 1)):
        number = call.arguments[index] & _UNCHANGED
        wanted.append(-1 if number == _UNCHANGED else target.own_id(kind, number))
    user, group = wanted

    def change(file: _File) -> None:
        file.demand_chown(user, group)
        os.chown(file.path, user, group)

    return change


def _times(raw: bytes) -> Change:
    def change(file: _File) -> None:
        file.demand_owner()
        system.call("utimensat", AT_FDCWD, os.fsencode(file.path), raw, 0)

    return change


def _timespecs(call: Notification, target: Target, first: int) -> Change:
    address = call.arguments[first]
    return _times(target.memory(address, _TIMESPECS.size) if address else _NOW)


def _timevals(call: Notification, target: Target, first: int) -> Change:
    address = call.arguments[first]
    if not address:
        return _times(_NOW)
    accessed, micro1, modified, micro2 = _TIMESPECS.unpack(target.memory(address, _TIMESPECS.size))
    if not (0 <= micro1 < _MICROSECONDS and 0 <= micro2 < _MICROSECONDS):
        raise OSError(errno.EINVAL, "time of a file")
    return _times(_TIMESPECS.pack(accessed, micro1 * 1000, modified, micro2 * 1000))


def _utimbuf(call: Notification, target: Target, first: int) -> Change:
    address = call.arguments[first]
    if not address:
        return _times(_NOW)
    accessed, modified = _UTIMBUF.unpack(target.memory(address, _UTIMBUF.size))
    return _times(_TIMESPECS.pack(accessed, 0, modified, 0))


def _attribute(call: Notification, target: Target, index: int) -> bytes:
    name = target.string(call.arguments[index])
    if len(name) > _MAX_NAME:
        raise OSError(errno.ERANGE, "name of an attribute")
    if not name.startswith(_NAMESPACES):  # the others are privileges, or labels of security modules
        raise OSError(errno.EOPNOTSUPP, "name of an attribute")
    return name


def _set_attribute(call: Notification, target: Target, first: int) -> Change:
    name = _attribute(call, target, first)
    size = call.arguments[first + 2]
    if size > _MAX_VALUE:
        raise OSError(errno.E2BIG, "value of an attribute")
    value = target.memory(call.arguments[first + 1], size) if size else b""
    flags = call.integer(first + 3)

    def change(file: _File) -> None:
        file.demand_owner()
        os.setxattr(file.path, name, value, flags)

    return change


def _remove_attribute(call: Notification, target: Target, first: int) -> Change:
    name = _attribute(call, target, first)

    def change(file: _File) -> None:
        file.demand_owner()
        os.removexattr(file.path, name)

    return change


def _truncate(call: Notification, _: Target, first: int) -> Change:
    length = call.arguments[first]
    if length >> 63:
        raise OSError(errno.EINVAL, "length of a file")

    def change(file: _File) -> None:
        file.demand_owner()
        os.truncate(file.path, length)

    return change


CALLS: dict[str, tuple[Opener, Reader, int]] = {
    "chmod": (_path, _mode, 1),
    "fchmod": (_descriptor, _mode, 1),
    "fchmodat": (_at(None), _mode, 2),
    "fchmodat2": (_at(3), _mode, 2),
    "chown": (_path, _owner, 1),
    "lchown": (_link, _owner, 1),
    "fchown": (_descriptor, _owner, 1),
    "fchownat": (_at(4), _owner, 2),
    "utime": (_path, _utimbuf, 1),
    "utimes": (_path, _timevals, 1),
    "futimesat": (_at_or_descriptor(None), _timevals, 2),
    "utimensat": (_at_or_descriptor(3), _timespecs, 2),
    "setxattr": (_path, _set_attribute, 1),
    "lsetxattr": (_link, _set_attribute, 1),
    "fsetxattr": (_descriptor, _set_attribute, 1),
    "removexattr": (_path, _remove_attribute, 1),
    "lremovexattr": (_link, _remove_attribute, 1),
    "fremovexattr": (_descriptor, _remove_attribute, 1),
    "truncate": (_path, _truncate, 1),
}
"""For each call: how its file is found, how its change is read, and which argument tells the change first."""
