"""Seccomp user notification: what a supervisor hears and answers through its listener (seccomp_unotify(2)).

Nothing here ever lets a call go on in the confined process (SECCOMP_USER_NOTIF_FLAG_CONTINUE): its arguments
could change in between.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import struct

# linux/seccomp.h: struct seccomp_notif, seccomp_notif_resp, seccomp_notif_addfd, and requests of ioctl(2).
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_RESPONSE = struct.Struct("=QqiI")
_ADD = struct.Struct("=QIIII")
_RECEIVE = 0xC0502100
_SEND = 0xC0182101
_ID_VALID = 0x40082102
_ADD_DESCRIPTOR = 0x40182103
_AT_NUMBER = 1  # SECCOMP_ADDFD_FLAG_SETFD
_AND_ANSWER = 2  # SECCOMP_ADDFD_FLAG_SEND, Linux 5.14


class Notification:
    """One system call that waits for its answer."""

    __slots__ = ("_listener", "arguments", "number", "thread")

    def __init__(self, listener: int, raw: bytes) -> None:
        values = _NOTIFICATION.unpack(raw)
        self._listener = (listener, values[0])
        self.thread: int = values[1]
        """Which thread waits: a thread ID, as the supervisor sees it."""
        self.number: int = values[3]
        self.arguments: tuple[int, ...] = values[6:]
        """The six registers, unsigned."""

    def integer(self, index: int) -> int:
        """Return an argument that the kernel takes as an ``int``: its low 32 bits, signed."""
        low = self.arguments[index] & 0xFFFFFFFF
        return low - (1 << 32) if low >> 31 else low

    def check(self) -> None:
        """Make sure that the thread still waits, so that what was read of it is its own.

        Raises:
            GoneError: It doesn't.
        """
        listener, number = self._listener
        try:
            fcntl.ioctl(listener, _ID_VALID, struct.pack("=Q", number))
        except OSError:
            raise GoneError from None

    def succeed(self, value: int = 0) -> None:
        """Let the call return a value.

        Raises:
            GoneError: Nobody waits for it any more.
        """
        self._send(value, 0)

    def fail(self, error: int) -> None:
        """Let the call fail with an error number.

        Raises:
            GoneError: Nobody waits for it any more.
        """
        self._send(0, -error)

    def hand_over(self, descriptor: int, *, close_on_exec: bool) -> None:
        """Give the process a copy of an open file, and let the call return its number.

        Raises:
            GoneError: Nobody waits for it any more.
            OSError: The process can't have more.
        """
        self._add(descriptor, _AND_ANSWER, 0, close_on_exec=close_on_exec)

    def replace(self, number: int, descriptor: int, *, close_on_exec: bool) -> None:
        """Give the process a copy of an open file in place of what it has at a number.

        Raises:
            GoneError: Nobody waits for it any more.
            OSError: The process can't have it there.
        """
        self._add(descriptor, _AT_NUMBER, number, close_on_exec=close_on_exec)

    def _add(self, descriptor: int, flags: int, number: int, *, close_on_exec: bool) -> None:
        listener, notification = self._listener
        new_flags = os.O_CLOEXEC if close_on_exec else 0
        try:
            fcntl.ioctl(
                listener, _ADD_DESCRIPTOR, _ADD.pack(notification, flags, descriptor, number, new_flags)
            )
        except FileNotFoundError:
            raise GoneError from None

    def _send(self, value: int, error: int) -> None:
        listener, number = self._listener
        try:
            fcntl.ioctl(listener, _SEND, _RESPONSE.pack(number, value, error, 0))
        except OSError:
            raise GoneError from None


class GoneError(Exception):
    """The thread that made the call was killed or took a signal; there is nobody to answer."""


def receive(listener: int) -> Notification | None:
    """Return the next call that waits, or ``None`` where none does.

    Raises:
        EOFError: No process has the filter any more.
        OSError: It is no listener.
    """
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    for _, events in poll.poll(0):
        if events & select.POLLIN:
            raw = bytearray(_NOTIFICATION.size)
            try:
                fcntl.ioctl(listener, _RECEIVE, raw)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.EINTR):  # it was killed in between
                    return None
                raise
            return Notification(listener, bytes(raw))
        if events & (select.POLLHUP | select.POLLERR | select.POLLNVAL):
            raise EOFError
    return None
