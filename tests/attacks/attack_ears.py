"""What listens outside: the attacker's servers and services' sockets, in one thread, and his accomplice."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import threading
import time
from typing import Any

_TCP_FASTOPEN = 23
FRAME_TYPE = 0x88B5
"""An EtherType for experiments (IEEE 802): nothing else sends it."""
_STREAMS = (socket.SOCK_STREAM, socket.SOCK_SEQPACKET)
_UDPLITE, _SCTP, _VSOCK = 136, 132, 40


class Ears:
    """Servers that take every connection and keep every byte; a context manager."""

    def __init__(self, *, silent: bool = False) -> None:
        self._silent = silent  # as a TLS server is, until the client has spoken
        self.heard = bytearray()
        self._lock = threading.Lock()
        self._listening: dict[int, Any] = {}
        self._poll = select.epoll()
        self._wake, self._waker = os.pipe()
        self._poll.register(self._wake, select.EPOLLIN)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.ports: dict[str, int] = {}

    def __enter__(self) -> Ears:
        self.ports["tcp4"] = self.listen(socket.AF_INET, "0.0.0.0")
        with contextlib.suppress(OSError):
            self.ports["tcp6"] = self.listen(socket.AF_INET6, "::")
        udp = _bound(socket.AF_INET, socket.SOCK_DGRAM, ("0.0.0.0", 0))
        self.ports["udp"] = udp.getsockname()[1]
        self._add(udp)
        with contextlib.suppress(OSError):
            self._add(_bound(socket.AF_INET6, socket.SOCK_DGRAM, ("::", self.ports["udp"])))
        # Where this machine doesn't have them, nothing can be sent to them either.
        for name, kind, protocol in (
            ("udplite", socket.SOCK_DGRAM, _UDPLITE),
            ("sctp", socket.SOCK_STREAM, _SCTP),
        ):
            self.ports[name] = 9
            with contextlib.suppress(OSError):
                made = _bound(socket.AF_INET, kind, ("0.0.0.0", 0), protocol)
                self.ports[name] = made.getsockname()[1]
                self._add(made)
        with contextlib.suppress(OSError):
            self._add(socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
        with contextlib.suppress(OSError):
            frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(FRAME_TYPE))
            frames.bind(("lo", FRAME_TYPE))
            self._add(frames)
        self.ports["vsock"] = 50_000 + os.getpid() % 10_000
        with contextlib.suppress(OSError):
            self._add(_bound(_VSOCK, socket.SOCK_STREAM, (0xFFFFFFFF, self.ports["vsock"])))
        self.ports.setdefault("tcp6", self.ports["tcp4"])
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._waker, b"end")
        self._thread.join()
        self._poll.close()
        os.close(self._wake)
        for made in list(self._listening.values()):
            made.close()
        os.close(self._waker)

    def listen(self, family: int, host: str, port: int = 0) -> int:
        """Take connections at an address; return the port."""
        made = socket.socket(family, socket.SOCK_STREAM)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        with contextlib.suppress(OSError):
            made.setsockopt(socket.IPPROTO_TCP, _TCP_FASTOPEN, 64)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((host, port))
        except OSError:
            made.close()
            raise
        self._add(made)
        return made.getsockname()[1]

    def listen_unix(self, path: str, kind: int = socket.SOCK_STREAM) -> None:
        """Take connections or datagrams at a path, or a name without a file (a leading zero byte)."""
        self._add(_bound(socket.AF_UNIX, kind, path))
        if not path.startswith("\0"):
            os.chmod(path, 0o777)

    def listen_descriptor(self, fd: int) -> None:
        """Keep what can be read from a descriptor; it belongs to these ears now."""
        self._add(os.fdopen(fd, "rb", buffering=0))

    def hear(self, data: bytes) -> None:
        """Keep what was heard elsewhere."""
        with self._lock:
            self.heard += data

    def everything(self) -> bytes:
        """Return all that was heard; what was on its way when this was called is in it."""
        quiet, size = 0, -1
        ends = time.monotonic() + 2
        while quiet < 4 and time.monotonic() < ends:
            time.sleep(0.05)
            with self._lock:
                quiet = quiet + 1 if len(self.heard) == size else 0
                size = len(self.heard)
        return bytes(self.heard)

    def _add(self, made: Any) -> None:
        if isinstance(made, socket.socket):
            if made.type in _STREAMS:
                made.listen(512)
            made.setblocking(False)
        self._listening[made.fileno()] = made
        self._poll.register(made.fileno(), select.EPOLLIN)

    def _serve(self) -> None:
        while True:
            for fd, _ in self._poll.poll():
                if fd == self._wake:
                    return
                with contextlib.suppress(BlockingIOError):
                    self._attend(fd)

    def _attend(self, fd: int) -> None:
        made = self._listening[fd]
        if not isinstance(made, socket.socket):
            data = self._tried(lambda: made.read(1 << 16))
        elif made.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            connection = made.accept()[0]
            connection.setblocking(False)
            self._listening[connection.fileno()] = connection
            self._poll.register(connection.fileno(), select.EPOLLIN)
            return
        else:
            data = self._tried(lambda: made.recv(1 << 16))
            if not data and made.type == socket.SOCK_DGRAM:
                return
        if data:
            self.hear(data + b"\n")
            self._reply(made)
        else:
            self._poll.unregister(fd)
            del self._listening[fd]
            made.close()

    def _reply(self, made: Any) -> None:
        """Tell that something was heard: only then, since what is closed with a greeting unread loses what it sent."""
        if isinstance(made, socket.socket) and made.type in _STREAMS and not self._silent:
            with contextlib.suppress(OSError):
                made.send(b"heard you\n")

    @staticmethod
    def _tried(read: Any) -> bytes:
        try:
            return read() or b""
        except BlockingIOError:
            raise
        except OSError:
            return b""


def _bound(family: int, kind: int, address: Any, protocol: int = 0) -> socket.socket:
    made = socket.socket(family, kind, protocol)
    try:
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made


class Accomplice:
    """Does outside what an attack asks for by a file in its build directory; a context manager."""

    def __init__(self, ears: Ears, build: str) -> None:
        self._ears, self._build = ears, build
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._calls: list[threading.Thread] = []
        self.failures: list[str] = []

    def __enter__(self) -> Accomplice:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        for call in self._calls:
            call.join()

    def _watch(self) -> None:
        asks = os.path.join(self._build, "asks")
        while not self._end.wait(0.01):
            for name in os.listdir(asks):
                if name.startswith("."):
                    continue
                path = os.path.join(asks, name)
                with open(path, encoding="ascii") as file:
                    asked = json.load(file)
                os.unlink(path)
                self._answer(name, self._do(asked))

    def _answer(self, name: str, answer: str) -> None:
        path = os.path.join(self._build, "answers", name)
        with open(path + ".new", "w", encoding="ascii") as file:
            json.dump(answer, file)
        os.rename(path + ".new", path)

    def _do(self, asked: dict[str, Any]) -> str:
        try:
            return str(getattr(self, "_" + asked.pop("do").replace(" ", "_"))(**asked))
        except OSError as error:
            self.failures.append(f"{asked}: {error}")
            return repr(error)

    def _listen(self, host: str, port: int) -> int:
        return self._ears.listen(socket.AF_INET6 if ":" in host else socket.AF_INET, host, port)

    def _unix(self, path: str) -> None:
        self._ears.listen_unix(path)

    def _call(self, hosts: list[str], port: int) -> None:
        call = threading.Thread(target=self._call_later, args=(hosts, port))
        self._calls.append(call)
        call.start()

    def _call_later(self, hosts: list[str], port: int) -> None:
        time.sleep(0.1)
        for host in hosts:
            try:
                with socket.create_connection((host, port), 2) as connection:
                    self._ears.hear(connection.recv(4096))
            except OSError as error:
                self.failures.append(f"call {host} {port}: {error}")

    def _open(self, path: str, token: str) -> str:
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
        except BlockingIOError:
            self._ears.hear(token.encode("ascii"))
            return "held up"
        return "opened"

    def _touch(self, path: str) -> None:
        with open(path, "w", encoding="ascii"):
            pass
        os.unlink(path)

    def _wake_later(self, process: int) -> None:
        """Wake a process that is to be stopped when the command ends; its number inside may be another."""
        call = threading.Thread(target=self._wake, args=(process,))
        self._calls.append(call)
        call.start()

    def _wake(self, process: int) -> None:
        self._end.wait()
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{name}/status", encoding="utf-8") as file:
                text = file.read()
                inside = [line.split()[-1] for line in text.splitlines() if line.startswith("NSpid:")]
                if inside == [str(process)] and "\nState:\tT" in text:
                    os.kill(int(name), signal.SIGCONT)
