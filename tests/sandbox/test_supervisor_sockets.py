"""Sockets of a supervised command: which it can't make, set or use to reach what is outside, whatever it calls."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from supervised import Supervised, compiled, family, needs_supervisor, outside, stranger

from veln_hook.sandbox import system

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = needs_supervisor


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Supervised]:
    with Supervised(tmp_path) as made:
        yield made


KINDS = {
    "udp": ("socket.socket(socket.AF_INET, socket.SOCK_DGRAM)", "EACCES"),
    "udp over IPv6": ("socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)", "EACCES"),
    "udp, with flags": ("socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)", "EACCES"),
    "raw": ("socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)", "EACCES"),
    "ping": ("socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1)", "EACCES"),
    "mptcp": ("socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)", "EPROTONOSUPPORT"),
    "sctp": ("socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)", "EPROTONOSUPPORT"),
    "packet": ("socket.socket(17, socket.SOCK_RAW, 3)", "EAFNOSUPPORT"),
    "vsock": ("socket.socket(40, socket.SOCK_STREAM)", "EAFNOSUPPORT"),
    "alg": ("socket.socket(38, socket.SOCK_SEQPACKET)", "EAFNOSUPPORT"),
    "bluetooth": ("socket.socket(31, socket.SOCK_STREAM, 3)", "EAFNOSUPPORT"),
    "smc": ("socket.socket(43, socket.SOCK_STREAM)", "EAFNOSUPPORT"),
    "unix datagram": ("socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)", "EACCES"),
    "unix raw, which is datagram": ("socket.socket(socket.AF_UNIX, socket.SOCK_RAW)", "EACCES"),
    "unix datagram pair": ("socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)", "EACCES"),
    "netlink of the kernel's events": ("socket.socket(16, socket.SOCK_RAW, 15)", "EPROTONOSUPPORT"),
    "tcp, family with high bits": (
        "call(41 if os.uname().machine == 'x86_64' else 198, 1 << 32 | 2, 2, 0)",
        "",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_sockets_without_connections_are_not_made(kind: str, box: Supervised) -> None:
    expression, error = KINDS[kind]
    if expression.startswith("call("):
        assert box.run(f"tell({expression})").told == "EACCES"
    else:
        assert box.run(f"tell(error(lambda: {expression}))").told == error


def test_the_kinds_exist_without_a_supervisor() -> None:
    usual = [expression for name, (expression, _) in KINDS.items() if name.startswith(("udp", "unix"))]
    assert outside(f"tell([error(lambda: eval(text)) for text in {usual!r}])") == [""] * len(usual)


ADDRESSES = ["127.0.0.1", "::1", "::ffff:127.0.0.1"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_listens_outside_is_not_reached(address: str, box: Supervised) -> None:
    with stranger((address, 0), family(address)) as server:
        port = server.listening.getsockname()[1]
        code = f"""
        made = socket.socket({int(family(address))}, socket.SOCK_STREAM)
        tell(error(made.connect, ({address!r}, {port})))
        """
        result = box.run(code)
        assert result.told == "ECONNREFUSED"
        assert server.reached == 0
        assert (address.rpartition("ffff:")[2], port) in result.refused()
        assert outside(code) == ""
    assert server.reached == 1


def test_another_machine_is_not_reached_and_the_attempt_is_noted_with_the_process(box: Supervised) -> None:
    code = """
    with open("/proc/self/comm", "w") as file:
        file.write("exfiltrator")
    tell([error(socket.create_connection, ("192.0.2.7", 443)), error(socket.create_connection, ("2001:db8::7", 80))])
    """
    result = box.run(code)
    assert result.told == ["ENETUNREACH", "ENETUNREACH"]
    assert sorted(result.refusals) == [
        ("192.0.2.7", 443, "exfiltrator", 1),
        ("2001:db8::7", 80, "exfiltrator", 1),
    ]


def test_data_does_not_leave_with_the_handshake(box: Supervised) -> None:
    with stranger(("127.0.0.1", 0)) as server:
        code = f"""
        address = ("127.0.0.1", {server.listening.getsockname()[1]})
        told = [error(socket.socket().sendto, b"secret", socket.MSG_FASTOPEN, address)]
        told.append(error(socket.socket().sendmsg, [b"secret"], [], socket.MSG_FASTOPEN, address))
        later = socket.socket()
        told.append(error(later.setsockopt, socket.IPPROTO_TCP, 30, 1))
        told.append(error(later.sendto, b"secret", address))
        tell(told)
        """
        told = box.run(code).told
    assert told == ["EOPNOTSUPP", "EOPNOTSUPP", "ENOPROTOOPT", "EPIPE"]
    assert server.reached == 0


def test_options_that_choose_a_way_out_are_not_set(box: Supervised) -> None:
    code = """
    made = socket.socket()
    made6 = socket.socket(socket.AF_INET6)
    tell({
        "reuseport": error(made.setsockopt, socket.SOL_SOCKET, socket.SO_REUSEPORT, 1),
        "device": error(made.setsockopt, socket.SOL_SOCKET, 25, b"lo"),
        "mark": error(made.setsockopt, socket.SOL_SOCKET, 36, 1),
        "source route": error(made.setsockopt, 0, 4, bytes.fromhex("8307 04 c0000207".replace(" ", ""))),
        "transparent": error(made.setsockopt, 0, 19, 1),
        "routing header": error(made6.setsockopt, 41, 57, bytes(8)),
        "another protocol": error(made.setsockopt, 6, 31, b"tls"),
        "nodelay": error(made.setsockopt, 6, 1, 1),
        "keepalive": error(made.setsockopt, socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        "v6only": error(made6.setsockopt, 41, 26, 1),
    })
    """
    told = box.run(code).told
    assert {name for name, error in told.items() if not error} == {"nodelay", "keepalive", "v6only"}
    assert set(told.values()) == {"", "ENOPROTOOPT"}


CALLS = {
    "io_uring": "call(425, 8, bytes(120))",
    "clone3": "call(435, bytes(64), 64)",
    "openat2": "call(437, -100, b'/etc', bytes(24), 24)",
    "a listener of its own": "call(NUMBER['seccomp'], 1, 8, PROGRAM)",
    "ptrace": "call(NUMBER['ptrace'], 16, os.getppid(), 0, 0)",
    "memory of others": "call(NUMBER['process_vm_readv'], os.getppid(), 0, 0, 0, 0, 0)",
    "a user namespace": "call(NUMBER['unshare'], 0x10000000)",
    "a network namespace": "call(NUMBER['unshare'], 0x40000000)",
    "input for the terminal": "call(NUMBER['ioctl'], 0, 0x5412, b'x')",
    "the same with high bits": "call(NUMBER['ioctl'], 0, 0x5412 | 1 << 32, b'x')",
    "shared memory of others": "call(NUMBER['shmget'], 0, 4096, 0o600)",
    "a keyring": "call(NUMBER['keyctl'], 0, -3, 0)",
}


def test_calls_that_lead_elsewhere_are_refused(box: Supervised) -> None:
    names = ("seccomp", "ptrace", "process_vm_readv", "unshare", "ioctl", "shmget", "keyctl")
    code = f"""
    NUMBER = { ({name: system.number(name) for name in names})!r}
    filters = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000))
    PROGRAM = struct.pack("=HxxxxxxQ", 1, ctypes.addressof(filters))
    tell({{name: eval(text) for name, text in {CALLS!r}.items()}})
    """
    missing = "ENOSYS"
    expected = {
        **dict.fromkeys(CALLS, "EPERM"),
        **dict.fromkeys(("io_uring", "clone3", "openat2", "shared memory of others", "a keyring"), missing),
        "a listener of its own": "EBUSY",
    }
    assert box.run(code).told == expected


FOREIGN = """
#include <stdio.h>
#include <unistd.h>
#include <sys/syscall.h>
int main(int count, char **arguments) {
    (void)arguments;
    if (count > 1) { /* x32: the same numbers with another bit */
        long made = syscall(0x40000000 + 41, 2, 1, 0);
        printf("%ld\\n", made);
        return 0;
    }
    long made = 359; /* socket, for i386 */
    __asm__ volatile("int $0x80" : "+a"(made) : "b"(2), "c"(1), "d"(0) : "memory");
    printf("%ld\\n", made);
    return 0;
}
"""


@pytest.mark.skipif(system.MACHINE != "x86_64", reason="only x86_64 has other calling conventions")
def test_other_calling_conventions_make_no_socket(box: Supervised, tmp_path: Path) -> None:
    program = compiled(FOREIGN, tmp_path / "foreign")
    assert box.run([program]).status == 128 + signal.SIGSYS
    assert box.run([program, "x32"]).stdout == "-1\n"


def test_nothing_works_without_the_supervisor(box: Supervised) -> None:
    code = f"""
    before = socket.socket()
    bound = socket.socket(socket.AF_UNIX)
    told = [error(before.connect, ("192.0.2.1", 80))]
    os.kill(int(os.environ["SUPERVISOR"]), signal.SIGKILL)
    while os.getppid() == int(os.environ["SUPERVISOR"]):
        time.sleep(0.01)
    told += [error(before.connect, ("192.0.2.1", 80)), error(socket.socket), error(bound.bind, "\\0x")]
    told.append(error(os.chmod, os.environ["WRITE"], 0o700))
    filters = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0x7FC00000))
    program = struct.pack("=HxxxxxxQ", 1, ctypes.addressof(filters))
    told.append(call({system.number("seccomp")}, 1, 8, program))
    with open("told", "w") as file:
        json.dump(told, file)
    os.rename("told", "done")
    """
    started = box.start(code)
    assert started.wait(60) == -signal.SIGKILL
    started.communicate(timeout=60)  # until the orphan has closed its end, too
    assert (
        box.write / "done"
    ).read_text() == '["ENETUNREACH", "ENOSYS", "ENOSYS", "ENOSYS", "ENOSYS", "EBUSY"]'


def test_addresses_of_interfaces_can_be_listed(box: Supervised) -> None:
    code = """
    made = socket.socket(16, socket.SOCK_RAW, 0)
    made.bind((0, 0))
    made.send(struct.pack("=IHHIIB3xII", 24, 22, 0x301, 1, 0, 0, 0, 0)[:24])
    tell([made.getsockname()[0] != 0, len(made.recv(65536)) > 16, error(made.connect, (0, 0))])
    """
    assert box.run(code).told == [True, True, "EOPNOTSUPP"]


def test_what_is_no_socket_is_said_to_be_none(box: Supervised) -> None:
    code = f"""
    address = struct.pack("=HH4s8x", 2, 0x5000, bytes([192, 0, 2, 1]))
    number = {system.number("connect")}
    pair, _ = socket.socketpair()
    made = socket.socket()
    tell([call(number, 99, address, 16), call(number, os.open("/", 0), address, 16), call(number, -1, address, 16),
          call(number, made.fileno(), address, 1), call(number, made.fileno(), address, 129),
          call(number, made.fileno(), address, -1), call(number, made.fileno(), 8, 16),
          call(number, made.fileno(), 0xffffffffff600000, 16), call(number, made.fileno(), b"\\0\\0" * 8, 16),
          call(number, pair.fileno(), address, 16), call(number, made.fileno(), address, 8)])
    """
    assert box.run(code).told == [
        *("EBADF", "ENOTSOCK", "EBADF", "EINVAL", "EINVAL", "EINVAL", "EFAULT"),
        *("EFAULT", "EAFNOSUPPORT", "EINVAL", "EINVAL"),
    ]
