"""Routes: what is handed over is checked, and everything ends with the route or the gate."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from typing import NamedTuple

import pytest
from gate_world import SECONDS, World, echo, keep, query, read_all, wait_for

from veln_hook.gate import route
from veln_hook.gate.egress import Egress
from veln_hook.gate.limits import Limits
from veln_hook.sandbox import routing


def fds() -> int:
    return len(os.listdir("/proc/self/fd"))


_elsewhere: set[threading.Thread] = set()


@pytest.fixture(autouse=True)
def others() -> None:
    """Know the threads of gates that an earlier test of this process left behind."""
    _elsewhere.clear()
    _elsewhere.update(threading.enumerate())


def threads() -> set[str]:
    return {
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith("veln-hook-gate") and thread not in _elsewhere
    }


def tasks(world: World) -> set[object]:
    """Return what runs in the gate."""
    return world.egress._running.server._tasks


linux = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="file descriptors are counted in /proc")


def test_gate_and_sandbox_state_the_same_protocol():
    assert route.MAX_BYTES == routing.MAX_BYTES
    assert route.FAKE_NETWORK == routing.FAKE_NETWORK
    messages = [line.split('"')[1] for line in routing.__doc__.splitlines() if '"' in line]
    assert messages == [line.split('"')[1] for line in route.__doc__.splitlines() if '"' in line]
    assert len(messages) == 8


def test_the_sandbox_listens_on_the_ports_that_an_entry_stands_for():
    rules = Egress(["a.test"])._rules
    assert {port for port in range(1, 65536) if port in rules._allow.ports("a.test")} == set(
        routing.TCP_PORTS
    )


SOCKETS = {
    "device": lambda: open("/dev/null", "rb"),  # noqa: SIM115 - the test closes it
    "file": lambda: open(__file__, "rb"),  # noqa: SIM115
    "unix": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "tcp": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "listening": lambda: socket.create_server(("127.0.0.1", 0)),
}
WRONG = [
    ("listener proxy 1", "device"),
    ("listener proxy 1", "file"),
    ("listener proxy 1", "unix"),
    ("listener proxy 1", "udp"),
    ("listener proxy 1", "tcp"),
    ("listener dns 1", "listening"),
    ("listener tcp 1", "udp"),
    ("listener relay 1", "listening"),
    ("connection proxy x", "listening"),
    ("connection dns x", "udp"),
    ("connection tcp 198.18.0.1 x y", "tcp"),
    ("connection tcp 198.18.0.1", "tcp"),
    ("connection", "tcp"),
    ("listener", "listening"),
    ("is 1 x", "tcp"),
    ("who 1", "tcp"),
    ("\xff\xff", "tcp"),
    ("x" * 2000, "tcp"),
    (" ", "tcp"),
]


@linux
@pytest.mark.parametrize(("message", "kind"), WRONG, ids=range(len(WRONG)))
def test_what_is_not_as_said_is_closed_and_harms_nothing(make_world, message, kind):
    world = make_world("allowed.test")
    with world.proxy() as sock:
        wait_for(lambda: len(tasks(world)) == 1)
        before = fds()
        thing = SOCKETS[kind]()
        socket.send_fds(world.route, [message.encode("latin-1")], [thing.fileno()])
        thing.close()
        wait_for(lambda: fds() == before)
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert b" 400 " in read_all(sock)


@linux
def test_several_descriptors_at_once_are_closed(make_world):
    world = make_world("allowed.test")
    world.proxy()
    wait_for(lambda: len(tasks(world)) == 1)
    before = fds()
    things = [socket.socket() for _ in range(9)]
    for count in (2, 4, 9):
        socket.send_fds(world.route, [b"connection proxy x"], [thing.fileno() for thing in things[:count]])
    for thing in things:
        thing.close()
    wait_for(lambda: fds() == before)
    world.route.send(b"connection proxy without a socket")
    assert world.tunnel("a.test:443")[0] == 403


def test_the_process_is_asked_for_by_the_clients_port(make_world):
    world = make_world("allowed.test")
    sock = world.proxy()
    port = sock.getsockname()[1]
    sock.sendall(b"CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n")
    assert b" 403 " in read_all(sock)
    assert world.asked_for == [port]


@pytest.mark.parametrize(
    "answer", [b"is {} ", b"is {}", b"is", b"is x y", b"is 1 other", b"is 99999999999 x", b"nothing"]
)
def test_an_answer_that_says_nothing_names_nobody(names, answer):
    limits = Limits(who_seconds=0.2)
    with World("allowed.test", names=names, processes=None, limits=limits) as world:
        for _ in range(20):
            world.route.send(answer)
        assert world.tunnel("evil.test:443")[0] == 403
        assert world.egress.refusals() == (("evil.test", 443, "", 1),)


def test_what_processes_are_called_can_not_hurt_a_terminal(make_world):
    world = make_world("allowed.test", processes="x\x1b[2J\n" + "y" * 500)
    world.tunnel("evil.test:443")
    process = world.egress.refusals()[0].process
    assert process.startswith("x?[2J?yy")
    assert len(process) == 64


@linux
def test_the_end_of_a_route_ends_its_listeners_and_leaves_its_connections(make_world, serve):
    server = serve(echo, "allowed.test")
    world = make_world("allowed.test:8443")
    dns = world.listen("dns")
    tcp = world.listen("tcp")
    status, _, sock = world.tunnel("allowed.test:8443")
    assert status == 200
    wait_for(lambda: server.accepted)
    world.route.shutdown(socket.SHUT_RDWR)

    def refused() -> bool:
        try:
            socket.create_connection(tcp, SECONDS).close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:  # it was accepted by the kernel, and then the listener was gone
            pass
        return False

    wait_for(refused)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(SECONDS)
        client.connect(dns)
        client.send(query("allowed.test"))
        with pytest.raises(ConnectionRefusedError):
            client.recv(100)
    # A command may write its last bytes and end: what it was sending still arrives.
    sock.sendall(b"last words")
    sock.shutdown(socket.SHUT_WR)
    assert read_all(sock) == b"last words"


@linux
def test_a_closed_gate_leaves_neither_thread_nor_descriptor(names, serve):
    server = serve(keep, "allowed.test")
    before = fds()
    with World("allowed.test", names=names) as world:
        world.listen("dns")
        world.listen("tcp")
        tunnels = [world.tunnel("allowed.test:443") for _ in range(5)]
        idle = [world.proxy() for _ in range(5)]
        half = world.proxy()
        half.sendall(b"CONNECT allo")
        assert [status for status, _, _ in tunnels] == [200] * 5
        wait_for(lambda: server.accepted == 5)
        assert threads() == {"veln-hook-gate"}
        world.egress.close()
        assert threads() == set()
        for sock in (*idle, half, *(sock for _, _, sock in tunnels)):
            assert read_all(sock) == b""
        world.egress.close()
        with pytest.raises(ValueError, match="closed"):
            world.egress.open_route()
    wait_for(lambda: fds() == before)


@linux
def test_a_gate_without_routes_runs_nothing():
    before = fds()
    with Egress(["allowed.test"]) as egress:
        assert threads() == set()
        assert egress.refusals() == egress.reached() == egress.faults() == ()
    assert fds() == before


@linux
def test_several_commands_share_a_gate(names):
    with World("allowed.test", names=names) as world:
        world.tunnel("a.test:443")
        other = socket.socket(fileno=world.egress.open_route())
        with (
            other,
            socket.create_server(("127.0.0.1", 0)) as listener,
            socket.create_connection(listener.getsockname(), SECONDS) as near,
        ):
            far, _ = listener.accept()
            socket.send_fds(other, [b"connection proxy second"], [far.fileno()])
            far.close()
            near.sendall(b"CONNECT b.test:443 HTTP/1.1\r\nHost: b.test\r\n\r\n")
            read_all(near)
        world.tunnel("c.test:443")
        assert [row.process for row in world.egress.refusals()] == ["python", "second", "python"]
        assert threads() == {"veln-hook-gate"}


def test_a_lookup_that_hangs_keeps_nothing_else_up(names, serve):
    serve(keep, "allowed.test")
    going_on = threading.Event()
    started = threading.Event()

    def resolver(host, port, **options):
        if host == "slow.test":
            started.set()
            going_on.wait(SECONDS)
        return names(host, port, **options)

    with World("allowed.test", "slow.test", names=resolver) as world:
        sock = world.proxy()
        sock.sendall(b"CONNECT slow.test:443 HTTP/1.1\r\nHost: slow.test\r\n\r\n")
        assert started.wait(SECONDS)
        assert world.tunnel("allowed.test:443")[0] == 200
        going_on.set()
        assert b" 502 " in read_all(sock)


@pytest.mark.parametrize("error", [OSError, UnicodeError, ValueError, KeyError])
def test_a_resolver_that_raises_reaches_nobody(error):
    def resolver(host, port, **options):
        raise error("no")

    with Egress(["allowed.test"], resolver=resolver) as egress:
        ours = socket.socket(fileno=egress.open_route())
        with ours, socket.create_server(("127.0.0.1", 0)) as listener:
            near = socket.create_connection(listener.getsockname(), SECONDS)
            far, _ = listener.accept()
            socket.send_fds(ours, [b"connection proxy x"], [far.fileno()])
            far.close()
            with near:
                near.sendall(b"CONNECT allowed.test:443 HTTP/1.1\r\nHost: allowed.test\r\n\r\n")
                told = read_all(near)
        expected = issubclass(error, (OSError, UnicodeError))
        assert told.startswith(b"HTTP/1.1 502 ") if expected else told == b""
        wait_for(lambda: len(egress.faults()) == (0 if expected else 1))
        assert egress.reached() == ()


class Served(NamedTuple):
    host: str
    port: int


class Handler:
    """Answers for its host with what the client sent, in capitals."""

    def __init__(self) -> None:
        self.served: list[Served] = []

    def covers(self, target) -> bool:
        return target.host == "pypi.org"

    async def serve(self, client, target, *_) -> None:
        self.served.append(Served(*target))
        await client.write((await client.exactly(5)).upper())

    async def close(self) -> None:
        pass


def test_a_handler_serves_its_hosts_in_place_of_the_tunnel(make_world, names):
    handler = Handler()
    world = make_world(handlers=[handler])
    status, _, sock = world.tunnel("pypi.org:443")
    assert status == 200
    sock.sendall(b"hello")
    assert read_all(sock) == b"HELLO"
    assert world.tunnel("files.pythonhosted.org:443")[0] == 403
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(world.listen("dns"))
        client.settimeout(SECONDS)
        client.send(query("pypi.org"))
        address = socket.inet_ntoa(client.recv(512)[-4:])
    sock = world.handed(f"connection tcp {address} 443 uv")
    sock.sendall(b"world")
    assert read_all(sock) == b"WORLD"
    assert handler.served == [("pypi.org", 443)] * 2
    assert names.asked == []
    wait_for(lambda: len(world.egress.reached()) == 2)
    assert sorted(world.egress.reached()) == [("pypi.org", 443, "python", 1), ("pypi.org", 443, "uv", 1)]


COMMAND = """
import socket, sys
route = socket.socket(fileno=int(sys.argv[1]))
listener = socket.create_server(("127.0.0.1", 0))
socket.send_fds(route, [b"listener proxy 1"], [listener.fileno()])
sock = socket.create_connection(listener.getsockname())
listener.close()
sock.sendall(b"CONNECT evil.test:443 HTTP/1.1\\r\\nHost: evil.test:443\\r\\n\\r\\n")
print(sock.recv(4096).split(b"\\r\\n")[0].decode())
"""


@linux
def test_the_number_of_a_route_can_be_handed_to_a_process():
    before = fds()
    with Egress(["allowed.test"], limits=Limits(who_seconds=0.2)) as egress:
        number = egress.open_route()
        command = subprocess.Popen(
            [sys.executable, "-c", COMMAND, str(number)], pass_fds=[number], stdout=subprocess.PIPE, text=True
        )
        os.close(number)
        told, _ = command.communicate(timeout=SECONDS)
        assert told.startswith("HTTP/1.1 403 veln-hook: evil.test:443 is not allowed")
        # With the process its end of the route is gone, and with that the gate's.
        wait_for(lambda: not egress._running.server._listeners)
    assert fds() == before
