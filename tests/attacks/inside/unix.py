"""Ways out over UNIX sockets, and what was left open for the confined program to find."""

from __future__ import annotations

import array
import os
import socket
import stat
from typing import TYPE_CHECKING, Callable

from common import attack, each, read, send, write

if TYPE_CHECKING:
    from common import World


def _stream(world: World, path: str) -> str:
    return send(path, world.token, socket.AF_UNIX)


@attack
def abstract_unix(world: World) -> object:
    """Connect to a socket without a file (unix(7): abstract)."""
    return send("\0" + world.abstract, world.token, socket.AF_UNIX)


@attack
def abstract_unix_datagram(world: World) -> object:
    """Send a datagram to a socket without a file."""
    return send("\0" + world.abstract_datagram, world.token, socket.AF_UNIX, socket.SOCK_DGRAM)


@attack
def path_unix_tmp(world: World) -> object:
    """Connect to a service's socket in a temporary directory, as ssh-agent's."""
    return _stream(world, world.sockets["tmp"])


@attack
def path_unix_run(world: World) -> object:
    """Connect to a service's socket in /run, as Docker's."""
    return _stream(world, world.sockets["run"])


@attack
def path_unix_home(world: World) -> object:
    """Connect to a service's socket in the home directory."""
    return _stream(world, world.sockets["home"])


@attack
def path_unix_visible(world: World) -> object:
    """Connect to a service's socket in a directory that can be read."""
    return _stream(world, world.sockets["visible"])


@attack
def path_unix_build(world: World) -> object:
    """Connect to a service's socket in a directory that can be written."""
    return _stream(world, world.sockets["build"])


@attack
def path_unix_late(world: World) -> object:
    """The same with sockets that appear only after the confined program has started."""
    places = [os.path.join(place, "late") for place in (world.places["visible"], world.build)]
    for path in places:
        world.ask("unix", path=path)
    return each(*(lambda path=path: _stream(world, path) for path in places))


@attack
def path_unix_through_links(world: World) -> object:
    """Connect through symbolic and hard links, a renamed copy, a descriptor and /proc."""
    own = os.path.join(world.build, "links")
    os.mkdir(own)
    said = []
    for name, path in world.sockets.items():
        said += each(
            lambda name=name, path=path: os.symlink(path, f"{own}/s-{name}"),
            lambda name=name: _stream(world, f"{own}/s-{name}"),
            lambda name=name, path=path: os.link(path, f"{own}/h-{name}"),
            lambda name=name: _stream(world, f"{own}/h-{name}"),
            lambda path=path: _stream(world, f"/proc/self/root{path}"),
            lambda path=path: _by_descriptor(world, path),
        )
    return said


def _by_descriptor(world: World, path: str) -> str:
    fd = os.open(path, os.O_PATH)
    try:
        return _stream(world, f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


@attack
def path_unix_datagram(world: World) -> object:
    """Send datagrams to services' sockets, as to the system log's."""

    def out(path: str) -> str:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            return f"sent {sender.sendto(world.token, path)}"

    paths = list(world.datagram_sockets.values())
    return each(
        *(lambda path=path: out(path) for path in paths),
        *(lambda path=path: send(path, world.token, socket.AF_UNIX, socket.SOCK_DGRAM) for path in paths),
    )


@attack
def path_unix_datagram_pair(world: World) -> object:
    """The same with one of a pair of sockets, which socket() did not make."""
    said = []
    for path in world.datagram_sockets.values():
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with one, other:
            said += each(
                lambda one=one, path=path: one.sendto(world.token, path),
                lambda one=one, path=path: one.sendmsg([world.token], [], 0, path),
                lambda one=one, path=path: one.connect(path),
                lambda one=one: one.send(world.token),
            )
    return said


@attack
def path_unix_seqpacket(world: World) -> object:
    """The same with a socket of type SOCK_SEQPACKET."""
    return send(world.seqpacket_socket, world.token, socket.AF_UNIX, socket.SOCK_SEQPACKET)


@attack
def inherited_descriptor(world: World) -> object:
    """Use whatever descriptor was left open: a connection, a pair, a directory, a file."""
    said = []
    for number in range(3, 1024):
        try:
            kind = os.fstat(number).st_mode
        except OSError:
            continue
        said.append(each(lambda number=number: os.readlink(f"/proc/self/fd/{number}")))
        if stat.S_ISDIR(kind):
            said += each(lambda number=number: _below(number))
        elif stat.S_ISSOCK(kind):
            said += each(
                lambda number=number: os.write(number, world.token),
                lambda number=number: _pass_on(number, world.token),
            )
        else:
            said += each(
                lambda number=number: os.pread(number, 512, 0),
                lambda number=number: os.write(number, world.token),
                lambda number=number: write(f"/proc/self/fd/{number}", world.token),
            )
    return said


def _below(directory: int) -> str:
    """Read the secret below a directory that was left open."""
    fd = os.open(".aws/credentials", os.O_RDONLY, dir_fd=directory)
    try:
        return os.read(fd, 4096).decode()
    finally:
        os.close(fd)


def _pass_on(number: int, token: bytes) -> str:
    """Send a descriptor of one's own over a socket that was left open (SCM_RIGHTS)."""
    with socket.socket(fileno=os.dup(number)) as connection, open(os.devnull, "rb") as null:
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [null.fileno()]))
        return f"sent {connection.sendmsg([token], [rights])}"


@attack
def descriptors_of_parents(world: World) -> object:
    """Open what the processes above have open: /proc/PID/fd of each up to the one that started all."""
    said, process = [], os.getppid()
    while process > 0:
        said += each(lambda process=process: _all_descriptors(world, process))
        if process == world.starter:
            break
        try:
            process = int(read(f"/proc/{process}/stat").rsplit(")", 1)[1].split()[1])
        except OSError as error:
            said.append(repr(error))
            break
    return said


def _all_descriptors(world: World, process: int) -> str:
    said = []
    for name in os.listdir(f"/proc/{process}/fd"):
        path = f"/proc/{process}/fd/{name}"
        target = os.readlink(path)
        if target.startswith("/") and not target.startswith((world.build, "/dev")):
            said += each(lambda path=path: read(path), lambda path=path: read(f"{path}/.aws/credentials"))
    return str(said)


@attack
def bind_outside(world: World) -> object:
    """Have a socket's file appear outside: whoever makes sockets for others may write where they can't."""

    def bound(path: str) -> str:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            return f"bound {path}"

    said = []
    for number, place in enumerate(world.places.values()):
        link = os.path.join(world.build, f"directory-{number}")
        os.symlink(place, link)
        os.symlink(os.path.join(place, f"{world.new_name}-dangling"), f"{link}-dangling")
        said += each(
            lambda place=place: bound(os.path.join(place, world.new_name)),
            lambda link=link: bound(os.path.join(link, f"{world.new_name}-link")),
            lambda link=link: bound(f"{link}-dangling"),
            lambda place=place: bound(f"{world.build}/../..{place}/{world.new_name}-up"),
            lambda place=place: bound(f"/proc/self/root{place}/{world.new_name}-root"),
            lambda place=place: _bound_from(place, bound, f"{world.new_name}-relative"),
            lambda place=place: _bound_by_descriptor(place, bound, f"{world.new_name}-descriptor"),
        )
    return said


def _bound_from(place: str, bound: Callable[[str], str], name: str) -> str:
    os.chdir(place)
    return bound(name)


def _bound_by_descriptor(place: str, bound: Callable[[str], str], name: str) -> str:
    fd = os.open(place, os.O_PATH)
    try:
        return bound(f"/proc/self/fd/{fd}/{name}")
    finally:
        os.close(fd)
