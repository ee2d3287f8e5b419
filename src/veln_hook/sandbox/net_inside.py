"""A process puts itself into an empty network and becomes a program (``net_only`` says what for)."""

from __future__ import annotations

import _signal
import _socket
import errno
import os

from veln_hook.sandbox import confine, descriptors, namespaces, network, system

TYPE_CHECKING = False  # read by type checkers; typing is not imported
if TYPE_CHECKING:
    from collections.abc import Iterator

Socket = _socket.socket

CANNOT_CONFINE = 78
_BACKLOG = 128
_DNS_PORT = 53
_RESOLVER = "/etc/resolv.conf"
_MAX_RESOLVERS = 3  # MAXNS of resolv.conf(5)
_MAX_RESOLVER_BYTES = 1 << 16
_MAX_ENVIRONMENT = 1 << 26
# By these root could join the network outside again, or look into and change processes there
# (capabilities(7), the low word): NET_ADMIN, SYS_MODULE, SYS_RAWIO, SYS_PTRACE, SYS_ADMIN, SYS_BOOT.
_LEAD_OUT = (12, 16, 17, 19, 21, 22)
_LOW_WORD = 0xFFFFFFFF


def run(route: int, ports: list[int], words: list[str]) -> int:
    """Do it; return only where the program can't be started, and then an exit status.

    Args:
        route: The descriptor of the connected socket to the gate.
        ports: The proxy's port, and those on which fake addresses are connected to.
        words: The program, with a slash in its path, and its arguments.
    """
    try:
        _leave_the_network()
        connection = Socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0, route)
        for line, made in _listeners(ports):
            descriptors.send(connection, line, made.fileno())
            made.close()
        # Nobody stays to say which process has a socket; so the gate needn't wait for an answer.
        connection.shutdown(_socket.SHUT_RD)
        if os.geteuid() == 0:
            confine.drop_capabilities(_LOW_WORD & ~sum(1 << number for number in _LEAD_OUT))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        line = f"veln-hook: there is no network of its own for this ({why}); nothing runs\n"
        os.write(2, line.encode(errors="replace"))
        return CANNOT_CONFINE
    # The program and all that it starts hold the route open, and so the gate's door.
    os.set_inheritable(connection.detach(), True)
    return _become(words)


def _leave_the_network() -> None:
    """Get an empty network, with loopback only; as the user's own where it takes a namespace of users.

    Raises:
        OSError: The kernel refuses.
    """
    if os.geteuid() != 0 or not _may_leave():
        _leave_users_too()
    network.raise_loopback()


def _may_leave() -> bool:
    """Unshare the network alone, as root may; say whether it did."""
    try:
        system.call("unshare", namespaces.CLONE_NEWNET)
    except PermissionError:
        return False
    return True


def _leave_users_too() -> None:
    """Unshare users and network, with a child outside that maps this user to itself; it ends at once."""
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    child = os.fork()
    if child == 0:
        status = errno.EPERM
        try:
            ours.close()
            if theirs.recv(1):
                namespaces.map_user(os.getppid())
            status = 0
        except OSError as error:
            status = (error.errno or status) & 0xFF
        finally:
            os._exit(status)
    theirs.close()
    try:
        system.call("unshare", namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWNET)
        ours.send(b"!")
    finally:
        ours.close()
        _, status = os.waitpid(child, 0)
    if status:
        number = os.WEXITSTATUS(status) if os.WIFEXITED(status) else errno.EPERM
        raise OSError(number, f"user namespace: {os.strerror(number)}")


def _listeners(ports: list[int]) -> Iterator[tuple[str, Socket]]:
    """Yield what the gate is to serve, each with what is said of it on the route."""
    proxy, *others = ports
    yield f"listener proxy {proxy}", _listening("127.0.0.1", proxy)
    for address in _resolvers():
        # Each by its own address: an answer from another one would not be taken.
        yield f"listener dns {_DNS_PORT}", network.bound(_socket.SOCK_DGRAM, address, _DNS_PORT)
    for port in others:
        yield f"listener tcp {port}", _listening("0.0.0.0", port)  # noqa: S104 - a namespace of its own


def _listening(address: str, port: int) -> Socket:
    made = network.bound(_socket.SOCK_STREAM, address, port)
    made.listen(_BACKLOG)
    return made


def _resolvers() -> list[str]:
    """Return the IPv4 addresses that names are asked of here, loopback first; IPv6 leads nowhere at all."""
    found = ["127.0.0.1"]
    try:
        with open(_RESOLVER, encoding="utf-8", errors="replace") as file:
            lines = file.read(_MAX_RESOLVER_BYTES).split("\n")
    except OSError:
        return found
    for line in lines:
        word, *rest = line.split() or [""]
        if word == "nameserver" and rest and len(found) <= _MAX_RESOLVERS:
            try:
                address = _socket.inet_ntoa(_socket.inet_aton(rest[0]))
            except OSError:
                continue
            if address not in found and address != "0.0.0.0":  # noqa: S104 - it stands for loopback
                found.append(address)
    return found


def _become(words: list[str]) -> int:
    for name in ("SIGPIPE", "SIGXFSZ"):  # the interpreter ignores these two
        _signal.signal(getattr(_signal, name), _signal.SIG_DFL)
    try:
        os.execve(words[0], words, _environment())  # noqa: S606 - it was asked for
    except OSError as error:
        os.write(2, f"veln-hook: {words[0]}: {error.strerror}\n".encode(errors="replace"))
        missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
        return confine.NOT_FOUND if missing else confine.NOT_EXECUTABLE


def _environment() -> dict[bytes, bytes]:
    """Return the environment as it came: the interpreter adds LC_CTYPE to it where there is no locale."""
    try:
        with open("/proc/self/environ", "rb") as file:
            block = file.read(_MAX_ENVIRONMENT)
    except OSError:
        return dict(os.environb)
    pairs = [entry.partition(b"=") for entry in block.split(b"\0") if b"=" in entry]
    return {name: value for name, _, value in pairs}
