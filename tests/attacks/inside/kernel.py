"""Changing the machine: mounts, names, clocks, interfaces, programs in the kernel; and programs with rights."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from typing import TYPE_CHECKING

from common import attack, each, libc, syscall, write

if TYPE_CHECKING:
    from common import World

_MS_BIND = 4096
_RTM_NEWADDR = 20
_SIOCSIFADDR = 0x8916
_ADJ_TAI = 0x80


@attack
def setuid_binary(world: World) -> object:
    """Start a program that runs as root (set-user-ID): it writes where only root can."""
    return world.tool("setuid_probe", world.root_only, world.token.decode())


@attack
def ambient_rights(world: World) -> object:
    """Do something as root that needs a capability which a build never needs: mount, chroot, mknod, setuid."""
    said = each(
        lambda: libc("mount", b"none\0", f"{world.build}/m".encode(), b"tmpfs\0", 0, 0),
        lambda: os.mknod(f"{world.build}/kernel-memory", 0o020600, os.makedev(1, 1)),
        lambda: os.setgroups([12345]),
        lambda: os.setresuid(12345, 12345, os.getuid()),
    )
    with open("/proc/self/status", encoding="ascii") as file:
        rights = [line for line in file if line.startswith("Cap")]
    return said + rights


@attack
def mount_over(world: World) -> object:
    """Lay a file of one's own over one outside (mount(2), and the newer calls)."""
    own = f"{world.build}/over"
    write(own, world.token, os.O_WRONLY | os.O_CREAT)
    victim = world.victim().encode()

    def newer() -> str:
        fd = syscall("open_tree", -100, own.encode(), 1)
        return f"moved {syscall('move_mount', fd, b'', -100, victim, 4)}"

    return each(lambda: libc("mount", own.encode(), victim, 0, _MS_BIND, 0), newer)


@attack
def host_name(world: World) -> object:
    """Rename the machine."""
    return syscall("sethostname", world.new_host_name.encode(), len(world.new_host_name))


@attack
def clock(world: World) -> object:
    """Set the machine's clock: here only its count of leap seconds."""
    held = ctypes.create_string_buffer(208)
    struct.pack_into("=I", held, 0, _ADJ_TAI)
    struct.pack_into("=q", held, 48, world.leap_seconds)  # struct timex: constant
    return syscall("clock_adjtime", 0, held)


@attack
def network_address(world: World) -> object:
    """Give this machine another address (rtnetlink(7), netdevice(7)): root's way to the interfaces."""
    address = socket.inet_aton(world.new_address)

    def by_netlink() -> str:
        body = struct.pack("=BBBBI", socket.AF_INET, 32, 0, 0, socket.if_nametoindex("lo"))
        body += struct.pack("=HH4s", 8, 1, address) + struct.pack("=HH4s", 8, 2, address)
        head = struct.pack("=IHHII", 16 + len(body), _RTM_NEWADDR, 0x5 | 0x400, 1, 0)
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
            link.settimeout(1)
            link.send(head + body)
            return f"error {struct.unpack_from('=i', link.recv(4096), 16)[0]}"

    def by_ioctl(family: int) -> str:
        request = struct.pack("=16sHH4s8x", b"lo:9", socket.AF_INET, 0, address)
        with socket.socket(family, socket.SOCK_STREAM) as any_socket:
            return f"done {fcntl.ioctl(any_socket.fileno(), _SIOCSIFADDR, request)!r}"

    return each(by_netlink, lambda: by_ioctl(socket.AF_INET), lambda: by_ioctl(socket.AF_UNIX))


@attack
def kernel_programs(world: World) -> object:
    """Have the kernel run a program or serve faults of its own: bpf(2), userfaultfd(2)."""
    attributes = struct.pack("=IIII", 2, 4, 4, 1).ljust(72, b"\0")  # an array of one

    def map_made() -> str:
        return f"{world.claim} bpf {syscall('bpf', 0, attributes, len(attributes))}"

    def faults() -> str:
        return f"{world.claim} userfaultfd {syscall('userfaultfd', 0)}"

    return each(map_made, faults)


@attack
def new_namespaces(world: World) -> object:
    """Make a user namespace, by each call: what runs in it may mount, and tries the kernel's less used parts."""
    said = []
    for flags in (0x10000000, 0x10000000 | 0x00020000, 0x00020000, 0x40000000):
        said += each(lambda flags=flags: _in_child(lambda: syscall("unshare", flags), world))
    held = ctypes.create_string_buffer(struct.pack("=QQQQQQQQ", 0x10000000, 0, 0, 0, 17, 0, 0, 0))
    said += each(lambda: _in_child(lambda: _clone3(held), world))
    return said


def _clone3(arguments: object) -> int:
    process = syscall("clone3", arguments, 64)
    if process == 0:
        os._exit(0)
    return os.waitpid(process, 0)[0]


def _in_child(make: object, world: World) -> str:
    """Do it in a child, so that the rest of this attack stays where it is."""
    child = os.fork()
    if child == 0:
        try:
            make()
        except OSError as error:
            os._exit(error.errno or 255)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return f"{world.claim} made one" if status == 0 else os.strerror(status)
