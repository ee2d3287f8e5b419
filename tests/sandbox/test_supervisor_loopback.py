"""Servers and clients inside a supervised command: they meet, on loopback only, and each port is their own."""

from __future__ import annotations

import json
import socket
import sys
from typing import TYPE_CHECKING

import pytest
from supervised import Supervised, family, needs_supervisor, stranger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = needs_supervisor


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Supervised]:
    with Supervised(tmp_path) as made:
        yield made


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
