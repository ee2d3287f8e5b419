"""Sockets of a supervised command: what it can't make, can't reach, and still can do."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from supervised import Gate, Supervised, compiled, gate, needs_supervisor, outside, stranger

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


def family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


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


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", "::", "::1", "::ffff:0.0.0.0"])
def test_what_listens_inside_is_reached_inside_and_on_loopback_only(address: str, box: Supervised) -> None:
    code = f"""
    server = socket.socket({int(family(address))}, socket.SOCK_STREAM)
    server.bind(({address!r}, 0))
    server.listen()
    name = server.getsockname()
    client = socket.socket({int(family(address))}, socket.SOCK_STREAM)
    client.connect(name)
    accepted, peer = server.accept()
    client.sendall(b"there")
    accepted.sendall(b"back")
    with open("/proc/self/net/tcp6" if ":" in {address!r} else "/proc/self/net/tcp") as table:
        rows = [row.split()[1] for row in table if row.split()[9] == str(os.fstat(server.fileno()).st_ino)]
    tell([name[0], accepted.recv(9).decode(), client.recv(9).decode(), peer == client.getsockname(), rows])
    """
    name, there, back, same, rows = box.run(code).told
    assert (there, back, same) == ("there", "back", True)
    loopback = {"0.0.0.0": "127.0.0.1", "::": "::1", "::ffff:0.0.0.0": "::ffff:127.0.0.1"}
    assert name == loopback.get(address, address)
    hexadecimal = ("0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F")
    assert len(rows) == 1
    assert rows[0].split(":")[0] in hexadecimal


def test_listening_without_an_address_is_on_loopback(box: Supervised) -> None:
    code = """
    server = socket.socket()
    server.listen()
    first = server.getsockname()[0]
    server.shutdown(socket.SHUT_RDWR)  # gives the port back
    server.listen()
    tell([first, server.getsockname()[0]])
    """
    assert box.run(code).told == ["127.0.0.1", "127.0.0.1"]


def test_a_port_is_had_as_it_is_asked_for(box: Supervised) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with stranger(("127.0.0.1", 0)) as server:
        taken = server.listening.getsockname()[1]
        code = f"""
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        told = [error(made.bind, ("0.0.0.0", {port})), made.getsockname()]
        told.append(made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        told.append(error(made.bind, ("0.0.0.0", 0)))
        told.append(error(socket.socket().bind, ("127.0.0.1", {taken})))
        told.append(error(socket.socket().bind, ("192.0.2.1", 0)))
        told.append(error(socket.socket().bind, ("127.0.0.1", 79)))
        tell(told)
        """
        told = box.run(code).told
    assert told == ["", ["127.0.0.1", port], 1, "EINVAL", "EADDRINUSE", "EADDRNOTAVAIL", "EACCES"]


def test_a_socket_that_lost_its_port_is_not_bound_elsewhere(box: Supervised) -> None:
    code = """
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    client = socket.create_connection(server.getsockname())
    accepted, _ = server.accept()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()  # a reset: the accepted socket has no port any more
    error(accepted.recv, 1)
    server.shutdown(socket.SHUT_RDWR)
    told = [error(one.bind, ("0.0.0.0", 0)) for one in (accepted, server)]
    told += [error(one.connect, ("192.0.2.1", 80)) for one in (accepted, server)]
    tell(told)
    """
    assert box.run(code).told == ["EINVAL", "EINVAL", "EINVAL", "ENETUNREACH"]


def test_a_port_that_changed_hands_is_refused(box: Supervised) -> None:
    code = """
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    address = server.getsockname()
    first = error(socket.create_connection, address)
    server.close()
    tell(address)
    sys.stdin.readline()
    tell([first, error(socket.create_connection, tuple(address))])
    """
    started = box.start(code)
    host, port = json.loads(started.stdout.readline())
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()
        listening.settimeout(0)
        assert box.finish(started, "\n").told == ["", "ECONNREFUSED"]
        with pytest.raises(BlockingIOError):
            listening.accept()
        socket.create_connection((host, port)).close()
        listening.settimeout(60)
        listening.accept()[0].close()


def test_servers_and_clients_of_asyncio_meet(box: Supervised) -> None:
    code = """
    import asyncio
    async def serve(reader, writer):
        writer.write(b"heard " + await reader.readline())
        await writer.drain()
        writer.close()
    async def ask(host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"this\\n")
        answer = await reader.read()
        writer.close()
        return answer.decode()
    async def main():
        server = await asyncio.start_server(serve, "localhost", 0)
        names = [one.getsockname()[:2] for one in server.sockets]
        unix = await asyncio.start_unix_server(serve, os.path.join(os.environ["WRITE"], "socket"))
        answers = await asyncio.gather(*(ask(*name) for name in names * 20))
        reader, writer = await asyncio.open_unix_connection("socket")
        writer.write(b"unix\\n")
        return [len(answers), sorted(set(answers)), (await reader.read()).decode()]
    tell(asyncio.run(main()))
    """
    count, answers, unix = box.run(code).told
    assert count >= 20
    assert answers == ["heard this\n"]
    assert unix == "heard unix\n"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_works(method: str, box: Supervised) -> None:
    (box.write / "work.py").write_text("""
import multiprocessing
def square(shared, number):
    shared[number] = number * number
if __name__ == "__main__":
    import sys
    context = multiprocessing.get_context(sys.argv[1])
    with context.Manager() as manager:
        shared = manager.dict()
        workers = [context.Process(target=square, args=(shared, number)) for number in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        print(sorted(shared.values()))
""")
    result = box.run([sys.executable, "work.py", method])
    assert result.stdout == "[0, 1, 4, 9]\n", result.stderr


def test_flags_options_and_copies_of_a_connection_stay(box: Supervised) -> None:
    code = """
    import fcntl
    def flags(one):
        return [not os.get_blocking(one.fileno()), os.get_inheritable(one.fileno())]
    told = {}
    proxy = ("127.0.0.1", int(os.environ["PROXY_PORT"]))
    with socket.socket(type=socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        told["server"] = flags(server)
        for where, address in (("inside", server.getsockname()), ("gate", proxy)):
            for kind in (0, socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC):
                number = CALL(NUMBER, 2, 1 | kind, 0)
                made = socket.socket(fileno=number)
                made.setsockopt(6, socket.TCP_NODELAY, 1)
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 7, 0))
                copy = socket.socket(fileno=os.dup(number))
                made.connect(address)
                waits = struct.unpack("ll", made.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16))
                told[f"{where} {kind}"] = [
                    bool(fcntl.fcntl(made, fcntl.F_GETFL) & os.O_NONBLOCK),
                    bool(fcntl.fcntl(made, fcntl.F_GETFD) & fcntl.FD_CLOEXEC),
                    bool(made.getsockopt(6, socket.TCP_NODELAY)),
                    list(waits),
                ]
                made.setblocking(True)
                made.send(b"x")
    copy.setblocking(True)
    told["copy"] = copy.recv(9).decode()
    tell(told)
    """
    number = system.number("socket")
    with gate() as serving:
        told = box.run(code.replace("NUMBER", str(number)), route=serving.route).told
    assert told.pop("server")[0] is True
    assert told.pop("copy") == "gate:x"
    flags = {"0": [False, False], "2048": [True, False], str(0o2000000): [False, True]}
    assert told == {
        f"{where} {kind}": [*expected, True, [7, 0]]
        for where in ("inside", "gate")
        for kind, expected in flags.items()
    }


def test_what_waits_for_events_of_a_socket_hears_of_its_connection(box: Supervised) -> None:
    code = """
    made = socket.socket()
    made.setblocking(False)
    watch = select.epoll()
    watch.register(made.fileno(), select.EPOLLIN)
    watch.poll(0)
    made.connect(("127.0.0.1", int(os.environ["PROXY_PORT"])))
    made.send(b"hello")
    events = watch.poll(60)
    tell([len(events), made.recv(99).decode()])
    """
    with gate() as serving:
        assert box.run(code, route=serving.route).told == [1, "gate:hello"]


def test_connections_go_to_the_gate_and_say_what_they_are(box: Supervised) -> None:
    code = """
    with open("/proc/self/comm", "w") as file:
        file.write("a builder")
    def ask(host, port):
        with socket.create_connection((host, port)) as made:
            made.sendall(f"{host} {port}".encode())
            return made.recv(99).decode()
    tell([ask("127.0.0.1", int(os.environ["PROXY_PORT"])), ask("192.0.2.53", 53), ask("198.18.0.9", 5432),
          ask("::ffff:198.19.255.254", 443), error(ask, "198.20.0.1", 443), error(ask, "::1", 1)])
    """
    with gate() as serving:
        result = box.run(code, route=serving.route)
    told = result.told
    assert [answer.split(" ")[0] for answer in told[:4]] == [
        "gate:127.0.0.1",
        "gate:192.0.2.53",
        "gate:198.18.0.9",
        "gate:::ffff:198.19.255.254",
    ]
    assert told[4:] == ["ENETUNREACH", "ECONNREFUSED"]
    assert serving.lines == [
        "connection proxy a builder",
        "connection dns a builder",
        "connection tcp 198.18.0.9 5432 a builder",
        "connection tcp 198.19.255.254 443 a builder",
    ]
    assert result.refused() == {("198.20.0.1", 443), ("::1", 1)}


class WebGate(Gate):
    """A gate that is the web server, too."""

    def answer(self, said: bytes) -> bytes:  # noqa: ARG002 - every request has this answer
        return b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nfound"


def test_http_goes_through_the_proxy_that_the_environment_names(box: Supervised) -> None:
    code = """
    import urllib.request
    os.environ["http_proxy"] = f"http://127.0.0.1:{os.environ['PROXY_PORT']}"
    tell([urllib.request.urlopen(f"http://files.example.test/{number}").read().decode() for number in range(5)])
    """
    with gate(WebGate) as serving:
        assert box.run(code, route=serving.route).told == ["found"] * 5
    assert serving.heard[4].startswith(b"GET http://files.example.test/4 HTTP/1.1")


def test_a_gate_that_is_gone_is_a_refusal(box: Supervised) -> None:
    code = """
    proxy = ("127.0.0.1", int(os.environ["PROXY_PORT"]))
    tell([error(socket.create_connection, proxy), error(socket.create_connection, ("198.18.0.1", 80))])
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.close()
    with theirs:
        assert box.run(code, route=theirs).told == ["ECONNREFUSED", "ENETUNREACH"]
    assert box.run(code).told == ["ECONNREFUSED", "ENETUNREACH"]


def test_nobody_else_can_have_the_port_of_the_proxy(box: Supervised) -> None:
    started = box.start('tell(os.environ["PROXY_PORT"]); sys.stdin.readline(); tell(1)')
    port = int(json.loads(started.stdout.readline()))
    for address in ("127.0.0.1", "0.0.0.0"):
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            with pytest.raises(OSError, match="in use"):
                other.bind((address, port))
    assert box.finish(started, "\n").told == 1


def _uses_resolv_conf() -> bool:
    """Whether the C library here is glibc, which can ask for names by TCP."""
    return bool(os.confstr("CS_GNU_LIBC_VERSION")) if "CS_GNU_LIBC_VERSION" in os.confstr_names else False


def test_names_are_noted_where_there_is_no_gate(box: Supervised) -> None:
    code = """
    with open("/proc/self/comm", "w") as file:
        file.write("asker")
    made = socket.create_connection(("192.0.2.1", 53))
    question = bytes.fromhex("beef01000001000000000000") + b"\\x04leak\\x07example\\0" + bytes.fromhex("00010001")
    made.sendall(struct.pack(">H", len(question)) + question[:9])
    made.sendall(question[9:] + struct.pack(">H", len(question)) + question)
    answers = b""
    while len(answers) < 2 * (2 + len(question)):
        answers += made.recv(4096)
    made.sendall(b"\\0\\4none")  # no question
    end = made.recv(4096)
    tell([answers[:14].hex(), end.decode()])
    """
    result = box.run(code)
    start, end = result.told
    assert start == "001e" + "beef" + "8183" + "0001000000000000"
    assert end == ""
    assert [row for row in result.refusals if row[1] is None] == [("leak.example", None, "asker", 1)]


@pytest.mark.skipif(not _uses_resolv_conf(), reason="only glibc can be told to ask for names by TCP")
def test_the_library_asks_by_tcp(box: Supervised) -> None:
    result = box.run("tell(error(socket.getaddrinfo, 'host.evil.test', 443))")
    assert result.told
    assert "host.evil.test" in {host for host, _ in result.refused()}


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


def test_many_sockets_at_once_all_work(box: Supervised) -> None:
    code = """
    import resource
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(300)
    waiting = [socket.socket() for _ in range(200)]  # more than the supervisor holds
    told = {error(one.connect, server.getsockname()) for one in waiting}
    proxy = ("127.0.0.1", int(os.environ["PROXY_PORT"]))
    others = [socket.socket() for _ in range(100)]
    told |= {error(one.connect, proxy) for one in others}
    for one in others:
        one.sendall(b"x")
        told.add(one.recv(99).decode())
    told.add(error(others[0].connect, proxy))
    tell(sorted(told))
    """
    with gate() as serving:
        assert box.run(code, route=serving.route).told == ["", "EISCONN", "gate:x"]


def test_closing_ends_what_listens(box: Supervised) -> None:
    code = """
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    unix = socket.socket(socket.AF_UNIX)
    unix.bind("socket")
    unix.listen()
    port = server.getsockname()
    server.close()
    unix.close()
    tell([error(socket.create_connection, port), error(socket.socket(socket.AF_UNIX).connect, "socket"),
          error(socket.socket().bind, port)])
    """
    assert box.run(code).told == ["ECONNREFUSED", "ECONNREFUSED", ""]


def test_all_of_it_works_from_an_empty_network_namespace(box: Supervised) -> None:
    code = """
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    client = socket.create_connection(server.getsockname())
    client.sendall(b"inside")
    told = [server.accept()[0].recv(99).decode()]
    with socket.create_connection(("127.0.0.1", int(os.environ["PROXY_PORT"]))) as proxy:
        proxy.sendall(b"hello")
        told.append(proxy.recv(99).decode())
    unix = socket.socket(socket.AF_UNIX)
    unix.bind("socket")
    unix.listen()
    told.append(error(socket.socket(socket.AF_UNIX).connect, "socket"))
    told.append(error(socket.create_connection, ("192.0.2.1", 80)))
    open("file", "w").close()
    os.chmod("file", 0o640)
    told += [oct(os.stat("file").st_mode), os.getuid(), error(os.chown, "file", 7, 7), error(os.chown, "file", 8, 8)]
    tell(told)
    """
    if not _can_unshare():
        pytest.skip("user and network namespaces can't be made here")
    with gate() as serving:
        told = box.run(code, route=serving.route, namespaces=True).told
    assert told == ["inside", "gate:hello", "", "ENETUNREACH", "0o100640", 7, "", "EINVAL"]


def _can_unshare() -> bool:
    tried = subprocess.run(["unshare", "-rn", "true"], stderr=subprocess.DEVNULL, check=False)
    return tried.returncode == 0
