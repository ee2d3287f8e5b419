"""TCP for a confined command: what it connects to and binds, done by its supervisor.

It reaches two things: what listens inside the same confinement, on loopback, and the gate, by the route. A
connection to the gate is a pair of sockets that the supervisor connects to each other over loopback; so the
command sees a loopback address as its peer.
"""

from __future__ import annotations

import _socket
import errno

from veln_hook.sandbox import sockets
from veln_hook.sandbox.addresses import Internet
from veln_hook.sandbox.listening import Listening, inode_by_table
from veln_hook.sandbox.target import CAP_NET_BIND_SERVICE

TYPE_CHECKING = False  # read by type checkers; typing isn't imported
if TYPE_CHECKING:
    from veln_hook.sandbox.gate_end import GateEnd
    from veln_hook.sandbox.refusals import Refusals
    from veln_hook.sandbox.refused_names import RefusedNames
    from veln_hook.sandbox.sockets import Call, Known, Socket, Sockets

_DNS = 53
_FIRST_UNPRIVILEGED = 1024
_PATIENCE = 0.5  # seconds, for a connection on loopback: only a full queue makes it wait
_MAX_STRANGERS = 64


class Internet4And6:
    """Connects and binds. A method answers its call, or raises the error that the call fails with."""

    def __init__(self, known: Sockets, gate: GateEnd, names: RefusedNames, refusals: Refusals) -> None:
        """Take what it shares with the rest of the supervisor.

        Args:
            known: All sockets of the command.
            gate: To the gate, if there is one.
            names: Who answers questions for addresses if there is none.
            refusals: Where attempts to reach anything else are noted.
        """
        self._known = known
        self._gate = gate
        self._names = names
        self._refusals = refusals
        self._own: dict[tuple[bytes, int], int] = {}
        self._listeners: dict[int, Socket] = {}
        self._listening = Listening()
        # Bound, and never listening: nobody else can have the port that the command takes for its proxy's.
        self._proxy = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        self._proxy.bind((sockets.LOOPBACK[_socket.AF_INET], 0))
        self.proxy_port: int = self._proxy.getsockname()[1]

    def add(self, made: Socket, known: Known) -> None:
        """Remember the address of a new socket: it may come to listen there."""
        host, port = made.getsockname()[:2]
        own = Internet(_socket.inet_pton(made.family, host), port)
        self._own[own.packed, port] = known.inode

    def connect(self, call: Call, wanted: Internet) -> None:
        """Connect a socket to what listens inside or to the gate, as the address says.

        Raises:
            notify.GoneError: Nobody waits any more.
            OSError: ENETUNREACH for an address that isn't offered; ECONNREFUSED where nothing listens inside;
                EISCONN.
        """
        if call.known.connected:
            raise OSError(errno.EISCONN, "connect")
        local = wanted.local()
        if local is not None and local.port == self.proxy_port:
            self._to_gate(call, "connection proxy")
        elif local is not None and (local.packed, local.port) in self._own:
            self._inside(call, local)
        elif wanted.port == _DNS:
            self._to_resolver(call)
        elif wanted.fake() and self._gate.there():
            self._to_gate(call, f"connection tcp {wanted.host} {wanted.port}")
        else:
            self._refusals.add(wanted.host, wanted.port, call.target.name())
            raise OSError(errno.ENETUNREACH if local is None else errno.ECONNREFUSED, "connect")

    def bind(self, call: Call, wanted: Internet) -> None:
        """Give a socket a loopback address and the port that is asked for.

        Raises:
            notify.GoneError: Nobody waits any more.
            OSError: EADDRNOTAVAIL for an address of another interface; EINVAL if it has one; EADDRINUSE;
                EACCES.
        """
        if call.known.named or call.known.connected:
            raise OSError(errno.EINVAL, "bind")
        local = wanted.local()
        if local is None:
            raise OSError(errno.EADDRNOTAVAIL, "bind")
        may = call.target.capabilities() >> CAP_NET_BIND_SERVICE & 1
        if 0 < local.port < _FIRST_UNPRIVILEGED and not may:
            raise OSError(errno.EACCES, "bind")
        if local.port == 0 and not local.mapped and local.host == sockets.LOOPBACK[call.known.family]:
            self._known.release(call.known)  # as it was made
            call.known.named = True
            call.done(call.known)
            return
        made = sockets.make(call.known.family, call.known.kind, local.for_family(call.known.family))
        try:
            call.notification.check()
            known = self._known.substitute(call, made)
            known.named = True
            self.add(made, known)
        finally:
            made.close()
        call.done(known)

    def _inside(self, call: Call, wanted: Internet) -> None:
        """Connect to a socket of this confinement: as it listens before and after, it was that one."""
        inode = self._own[wanted.packed, wanted.port]
        source = ("::ffff:127.0.0.1", 0) if wanted.mapped else None
        made = sockets.make(call.known.family, call.known.kind, source)
        try:
            call.notification.check()
            self._demand_listening(inode, wanted)
            sockets.connect(made, wanted.for_family(call.known.family), _PATIENCE)
            self._demand_listening(inode, wanted)
            known = self._known.substitute(call, made)
            known.connected = True
        finally:
            made.close()
        call.done(known)

    def _demand_listening(self, inode: int, wanted: Internet) -> None:
        """Raise ECONNREFUSED unless it is this socket that listens at an address."""
        try:
            found = self._listening.inode(wanted.packed, wanted.port)
        except OSError:
            found = inode_by_table(wanted.packed, wanted.port)
        if found != inode:
            raise OSError(errno.ECONNREFUSED, "connect")

    def _to_gate(self, call: Call, line: str) -> None:
        if not self._gate.there():
            raise OSError(errno.ECONNREFUSED, "connect")
        name = call.target.name()
        known, other = self._pair(call)
        try:
            self._gate.send(f"{line} {name}", other)
        finally:
            other.close()
        call.done(known)

    def _to_resolver(self, call: Call) -> None:
        if self._gate.there():
            self._to_gate(call, "connection dns")
            return
        name = call.target.name()
        known, other = self._pair(call)
        self._names.serve(other, name)
        call.done(known)

    def _pair(self, call: Call) -> tuple[Known, Socket]:
        """Connect the command's socket to a new one; return what is known of the first, and the other one."""
        listener = self._listener(call.known.family)
        call.notification.check()
        known, made = call.known, call.known.held
        if made is not None:
            sockets.connect(made, listener.getsockname(), _PATIENCE)
            other = _accepted(listener, made.getsockname()[:2])
            self._known.release(known)
        else:
            made = sockets.make(known.family, known.kind)
            try:
                sockets.connect(made, listener.getsockname(), _PATIENCE)
                other = _accepted(listener, made.getsockname()[:2])
                known = self._known.substitute(call, made)
            finally:
                made.close()
        known.connected = True
        return known, other

    def _listener(self, family: int) -> Socket:
        """Return the socket at which this process meets itself."""
        if family not in self._listeners:
            made = sockets.make(family, _socket.SOCK_STREAM)
            made.listen(_MAX_STRANGERS)
            made.setblocking(False)
            self._listeners[family] = made
        return self._listeners[family]


def _accepted(listener: Socket, peer: tuple[str, int]) -> Socket:
    """Accept the connection from an address, and drop others: anybody on this machine can make them.

    Raises:
        OSError: It isn't there.
    """
    for _ in range(_MAX_STRANGERS + 1):
        descriptor, address = listener._accept()  # type: ignore[attr-defined]  # noqa: SLF001 - what socket.accept uses
        made = _socket.socket(listener.family, listener.type, 0, descriptor)
        if address[:2] == peer:
            made.setblocking(True)
            return made
        made.close()
    raise OSError(errno.ECONNREFUSED, "connect")
