"""UNIX sockets for a confined command: what it connects to and binds, done by its supervisor.

It connects to what was bound in the same confinement, and to nothing else: a socket of the desktop, of Docker
or of an SSH agent is a way to have others do what it may not.
"""

from __future__ import annotations

import _socket
import errno
import os
import select
import stat
import struct
import time

from veln_hook.sandbox import sockets
from veln_hook.sandbox.target import AT_FDCWD, descends

TYPE_CHECKING = False  # read by type checkers; typing isn't imported
if TYPE_CHECKING:
    from veln_hook.sandbox.places import Places
    from veln_hook.sandbox.refusals import Refusals
    from veln_hook.sandbox.sockets import Call, Socket, Sockets

_PATIENCE = 2.0  # seconds, for a server whose queue is full
_PAUSE = 0.002
_MAX_OWN = 4096
_CREDENTIALS = struct.Struct("=iII")  # struct ucred
_SO_PEERPIDFD = 77  # Linux 6.5
# The C library asks these for every name, and goes on without them: nothing to tell anybody.
_NAME_SERVICES = ("/run/nscd/", "/run/systemd/", "/var/run/nscd/")


class Unix:
    """Connects and binds. A method answers its call, or raises the error that the call fails with."""

    def __init__(self, known: Sockets, places: Places, refusals: Refusals, root: int) -> None:
        """Take what it shares with the rest of the supervisor.

        Args:
            known: All sockets of the command.
            places: Where the command may make and use files.
            refusals: Where attempts to reach anything else are noted.
            root: The process of the command. What it leaves behind as an orphan becomes a child of this one.
        """
        self._known = known
        self._places = places
        self._refusals = refusals
        self._roots = (root, os.getpid())
        # Abstract names, and the device and inode numbers of socket files.
        self._own: dict[object, None] = {}

    def connect(self, call: Call, name: bytes) -> None:
        """Connect a socket to one that was bound in this confinement, and is listened at in it.

        Raises:
            notify.GoneError: Nobody waits any more.
            OSError: As connect(2) does; EACCES for a socket of others.
        """
        if call.known.connected:
            raise OSError(errno.EISCONN, "connect")
        if name.startswith(b"\0"):
            self._reach(call, name, name if name in self._own else None)
            return
        opened = call.target.open_path(AT_FDCWD, name, follow=True)
        try:
            found = os.fstat(opened)
            if not stat.S_ISSOCK(found.st_mode):
                raise OSError(errno.ECONNREFUSED, "connect")
            own = (found.st_dev, found.st_ino) in self._own and self._places.writable(opened)
            self._reach(call, name, f"/proc/self/fd/{opened}".encode() if own else None)
        finally:
            os.close(opened)

    def _reach(self, call: Call, name: bytes, address: bytes | None) -> None:
        """Connect to an address; ``None`` if it is none of the command's own."""
        if address is None:
            raise self._refused(call, name)
        made = sockets.make(call.known.family, call.known.kind)
        try:
            call.notification.check()
            _connect(made, address)
            if not self._inside(made):
                raise self._refused(call, name)
            known = self._known.substitute(call, made)
            known.connected = True
        finally:
            made.close()
        call.done(known)

    def _inside(self, made: Socket) -> bool:
        """Say whether the process that began to listen at the other end belongs to this confinement.

        One that has ended can't be placed any more: a server whose first process is gone isn't reached.
        """
        process, _, _ = _CREDENTIALS.unpack(
            made.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, _CREDENTIALS.size)
        )
        if process <= 0 or process == os.getpid() or not descends(process, self._roots):
            return False
        try:
            pidfd = made.getsockopt(_socket.SOL_SOCKET, _SO_PEERPIDFD)
        except OSError as error:
            # An older kernel; the number may be another process' by now, but the socket was bound in here.
            return error.errno == errno.ENOPROTOOPT
        try:
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            return not poll.poll(0)  # readable once it has ended
        finally:
            os.close(pidfd)

    def _refused(self, call: Call, name: bytes) -> OSError:
        text = name.decode("utf-8", "replace").replace("\0", "@")
        if not text.startswith(_NAME_SERVICES):
            self._refusals.add(text, None, call.target.name())
        return OSError(errno.EACCES, "connect")

    def bind(self, call: Call, name: bytes) -> None:
        """Give a socket a name: an abstract one, or that of a new file where the command may make files.

        Raises:
            notify.GoneError: Nobody waits any more.
            OSError: As bind(2) does; EACCES where it may not make files.
        """
        if call.known.named or call.known.connected:
            raise OSError(errno.EINVAL, "bind")
        made, known = call.known.held, call.known
        fresh = None
        if made is None:
            made = fresh = sockets.make(known.family, known.kind)
        try:
            call.notification.check()
            if name and not name.startswith(b"\0"):
                self._remember(self._bind_file(call, made, name))
            else:
                made.bind(name)  # where it is empty, the kernel chooses one
                self._remember(bytes(made.getsockname()))
            if fresh is not None:
                known = self._known.substitute(call, fresh)
        finally:
            if fresh is not None:
                fresh.close()
        self._known.release(known)
        known.named = True
        call.done(known)

    def _bind_file(self, call: Call, made: Socket, name: bytes) -> tuple[int, int]:
        """Make a socket file, by the very name that was given: the socket tells it to whoever asks.

        Returns:
            Device and inode number of the file.
        """
        directory, _, last = name.rpartition(b"/")
        where = directory or (b"/" if name.startswith(b"/") else b".")
        parent = call.target.open_path(AT_FDCWD, where, follow=True)
        start = -1
        try:
            if not self._places.writable(parent, last):
                raise OSError(errno.EACCES, "bind")
            start = call.target.open_path(AT_FDCWD, b"", follow=True, empty=True)
            umask = call.target.umask()
            call.notification.check()
            self._places.confined(lambda: _bind_from(start, umask, made, name))
            found = os.stat(last, dir_fd=parent, follow_symlinks=False)
            return found.st_dev, found.st_ino
        finally:
            os.close(parent)
            if start >= 0:
                os.close(start)

    def _remember(self, own: object) -> None:
        self._own.pop(own, None)
        self._own[own] = None
        if len(self._own) > _MAX_OWN:
            del self._own[next(iter(self._own))]


def _bind_from(directory: int, umask: int, made: Socket, name: bytes) -> None:
    os.umask(umask)
    os.fchdir(directory)
    made.bind(name)


def _connect(made: Socket, address: bytes) -> None:
    """Connect, and wait a while if the server's queue is full.

    Raises:
        OSError: As connect(2) does; EAGAIN after that while.
    """
    made.setblocking(False)
    deadline = time.monotonic() + _PATIENCE
    while True:
        error = made.connect_ex(address)
        if error == errno.EAGAIN and time.monotonic() < deadline:
            time.sleep(_PAUSE)
            continue
        if error:
            raise OSError(error, "connect")
        return
