"""What the attack tests share: the rungs that can be tried here, worlds, and a gate."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attack_world
import pytest
from attack_ears import Ears

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

sys.path.append(str(Path(__file__).parent / "inside"))

_NEEDS = {
    "namespaces": "unshare user, mount",
    "bubblewrap": "bubblewrap",
    "netns-supervisor": "unshare user, network",
    "supervisor": "",
}
# unshare(2) of namespaces, with what makes them useful; Landlock's version: landlock(7).
_TRY = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
landlock = libc.syscall(ctypes.c_long(444), None, ctypes.c_size_t(0), ctypes.c_uint(1))
flags = int(sys.argv[1])
if flags and libc.unshare(flags):
    sys.exit("the kernel gives this user no namespaces")
if sys.argv[2] == "mount" and libc.mount(b"none", b"/", None, 0x44000, None):
    sys.exit("namespaces come without rights here")
if sys.argv[2] != "mount" and landlock < 1:
    sys.exit("the kernel has no Landlock")
"""
_NEW_USER, _NEW_MOUNTS, _NEW_NETWORK = 0x10000000, 0x00020000, 0x40000000


def _why_not(rung: str, user: attack_world.User, python: str) -> str:
    """Return why this machine can't have a rung, whatever the sandbox does; empty if it can."""
    if rung == "bubblewrap":
        command = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    else:
        flags = {"namespaces": _NEW_USER | _NEW_MOUNTS, "netns-supervisor": _NEW_USER | _NEW_NETWORK}.get(
            rung, 0
        )
        command = [python, "-I", "-c", _TRY, str(flags), "mount" if rung == "namespaces" else ""]
    try:
        tried = subprocess.run(command, check=False, capture_output=True, cwd="/", **user.options())
    except OSError as error:
        return str(error)
    return (
        "" if tried.returncode == 0 else tried.stderr.decode("utf-8", "replace").strip() or "it can't be had"
    )


@pytest.fixture
def make_world() -> Iterator[Callable[[attack_world.User], attack_world.World]]:
    """Make worlds that live as long as the test: ``make_world(user)``."""
    with contextlib.ExitStack() as stack:

        def make(user: attack_world.User, rung: str = "") -> attack_world.World:
            if sys.platform != "linux":
                pytest.skip("these attacks are made for Linux")
            python = attack_world.python_for(user)
            if python is None:
                pytest.skip(f"{user.name} can run no Python 3.9 or newer here")
            reason = _why_not(rung, user, python) if rung else ""
            if reason:
                pytest.skip(f"{rung}: {reason}")
            return stack.enter_context(attack_world.World(user, python))

        yield make


class Gate:
    """An ``Egress`` whose names are resolved here, one allowed host and ears for it; a context manager."""

    def __init__(self, world: attack_world.World) -> None:
        self._world = world
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Gate:
        egress = pytest.importorskip("veln_hook.gate.egress", reason="the gate needs h11")
        self.front = self._stack.enter_context(Ears(silent=True))
        self.port = self.front.ports["tcp4"]
        entry = f"allowed.example:{self.port}"
        made = egress.Egress([entry], private=[entry], resolver=self._resolve)
        self.egress = self._stack.enter_context(made)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _resolve(self, host: str, port: int, *_: object, **__: object) -> list[Any]:
        """Look a name up: a name server sees each question, and answers with this machine's address."""
        self._world.ears.hear(f"{host}\n".encode())
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]


@pytest.fixture
def make_gate() -> Iterator[Callable[[attack_world.World], Gate]]:
    """Make gates that live as long as the test: ``make_gate(world)``."""
    with contextlib.ExitStack() as stack:
        yield lambda world: stack.enter_context(Gate(world))
