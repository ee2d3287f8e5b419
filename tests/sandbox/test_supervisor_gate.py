"""Connections of a supervised command that go to the gate, and the names it asks for where there is none."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest
from supervised import Gate, Supervised, gate, needs_supervisor

from veln_hook.sandbox import system

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = needs_supervisor


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Supervised]:
    with Supervised(tmp_path) as made:
        yield made


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
