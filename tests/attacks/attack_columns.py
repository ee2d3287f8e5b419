"""Runs all attacks in one column of the matrix, and judges by what was observed outside which of them got through."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import secrets
import signal
import socket
import struct
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attack_ears import Accomplice
from attack_state import names_with

if TYPE_CHECKING:
    from attack_world import World

BATCH_SECONDS = 60
_DAEMON_SECONDS = 0.8
_CORE_PATTERN = "/proc/sys/kernel/core_pattern"
_KERNEL_FILES = ("/sys/kernel/mm/ksm/sleep_millisecs", "/proc/sys/kernel/printk_ratelimit_burst")
_ADJ_TAI = 0x80


@dataclass
class Column:
    """How the attacks are run."""

    rung: str = ""
    """A value of ``Rung``; empty for the control, which confines nothing."""
    own_processes: bool = False
    terminal: bool = False
    docker: bool = False
    """Whether all of it runs under Docker's default profile; needs root."""


@dataclass
class Outcome:
    """What came of one column."""

    said: dict[str, str]
    """What each attack that ran said of itself."""
    opened: dict[str, str]
    """The attacks that got through, and how that was seen."""
    told: dict[str, Any]
    errors: str
    leftovers: list[str] = field(default_factory=list)

    def describe(self, names: list[str]) -> str:
        """Return lines about some attacks, for an assertion's message."""
        lines = [f"{name}: {self.opened.get(name)}\n    said {self.said.get(name)}" for name in names]
        return "\n".join([*lines, f"errors: {self.errors[-2000:]}"])


def run(
    world: World,
    column: Column,
    *,
    gate: Any = None,
    attacks: tuple[str, ...] = (),
    seconds: float = BATCH_SECONDS,
    extra: dict[str, Any] | None = None,
) -> Outcome:
    """Run attacks, all or those named, in one column.

    Args:
        world: Where; each run leaves it as it was, but for what got through.
        column: How.
        gate: An ``Egress`` that serves the command's route; without one it has no network.
        attacks: Their names.
        seconds: After how long it is ended.
        extra: More for the attacks to know.
    """
    world.prepare_build()
    world.start_sitters()
    machine = _Machine(world)
    setup = {**world.setup(), **machine.setup(), "batch_seconds": 0, **(extra or {})}
    before = world.snapshot()
    heard_before = len(world.ears.heard)
    route = gate.open_route() if gate is not None and column.rung else None
    with Accomplice(world.ears, world.build) as accomplice:
        told = _start(world, column, setup, route, attacks=attacks, seconds=seconds)
    time.sleep(_DAEMON_SECONDS)
    said = _said(world)
    heard = bytes(world.ears.everything()[heard_before:]) + told.get("typed", "").encode("latin-1")
    heard = heard.replace(world.secrets["typed"].encode("ascii"), b"")
    heard += told.get("pair", "").encode("latin-1")
    if f"{world.nonce}:write_report" in json.dumps(told.get("refusals")):
        heard += f"{world.nonce}:write_report:".encode("ascii")
    heard += world.ask_canary(f"{world.nonce}-keyring_write").encode("latin-1")
    opened: dict[str, str] = {}
    _judge_tokens(world, heard, opened)
    _judge_secrets(world, said, opened)
    after = world.snapshot()
    for name in before:
        if before[name] != after[name]:
            opened.setdefault(name, f"{before[name]!r} became {after[name]!r}")
    machine.judge(opened)
    _judge_files(world, opened)
    _judge_daemons(world, opened)
    os.rename(f"{world.build}/heartbeats", f"{world.build}/no-heartbeats")
    leftovers = end_processes(world.nonce)
    errors = Path(world.aside, "err").read_text("utf-8", "replace") + f"\naccomplice: {accomplice.failures}"
    return Outcome(said, opened, told, errors, leftovers)


def _start(
    world: World,
    column: Column,
    setup: dict[str, Any],
    route: int | None,
    *,
    attacks: tuple[str, ...],
    seconds: float,
) -> dict[str, Any]:
    place = world.aside
    read = [place, os.path.dirname(world.root_only)]
    if world.visible.startswith(world.home):
        read.append(world.visible)
    job = {
        "setup": setup,
        "setup_file": f"{place}/setup/setup.json",
        "rung": column.rung,
        "route": route,
        "with_terminal": column.terminal,
        "stdin_is_terminal": column.terminal or not column.rung,
        "own_processes": column.own_processes,
        "command": [
            world.python,
            "-E",
            "-s",
            f"{place}/inside/run.py",
            f"{place}/setup/setup.json",
            *attacks,
        ],
        "environment": {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": world.home,
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_SECRET_ACCESS_KEY": world.secret("environment"),
            "VELN_ATTACK": world.nonce,
        },
        "build": world.build,
        "write": [world.build, world.project],
        "home": world.home,
        "read": read,
        "hide": [*(os.path.dirname(path) for path in world.hidden.values()), *world.hidden_visible.values()],
        "source": f"{place}/src",
        "terminal": setup["terminal"],
        "attacker": ["127.0.0.1", world.ears.ports["tcp4"]],
        "leaked_file": world.leaked,
        "seconds": seconds,
        **{name: f"{place}/setup/{name}" for name in ("told", "pids")},
        "out": f"{place}/setup/out",
        "err": f"{place}/setup/err",
    }
    os.makedirs(f"{place}/setup", exist_ok=True)
    world.give(f"{place}/setup")
    for name in os.listdir(f"{place}/setup"):
        os.unlink(f"{place}/setup/{name}")
    world.write(f"{place}/setup/job.json", json.dumps(job))
    command = [world.python, "-I", f"{place}/outside/starter.py", f"{place}/setup/job.json"]
    starter = subprocess.Popen(
        [*world.docker_profile(), *command] if column.docker else command,
        env={
            "CANARY": world.secret("caller"),
            "TMPDIR": world.caller,
            "HOME": world.home,
            "PATH": "/usr/bin:/bin",
            "VELN_ATTACK": f"starter-{world.nonce[::-1]}",
        },
        cwd=place,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[] if route is None else [route],
        **({} if column.docker else world.user.options()),
    )
    if route is not None:
        os.close(route)
    output = starter.communicate()[0].decode("utf-8", "replace")
    Path(world.aside, "err").write_text(_text(f"{place}/setup/err") + output, "utf-8")
    try:
        told: dict[str, Any] = json.loads(_text(f"{place}/setup/told"))
    except ValueError:
        raise RuntimeError(f"the starter failed: {output}") from None
    return told


def _text(path: str) -> str:
    with contextlib.suppress(OSError):
        return Path(path).read_text("utf-8", "replace")
    return ""


def _said(world: World) -> dict[str, str]:
    said = {}
    for line in _text(f"{world.aside}/setup/out").splitlines():
        with contextlib.suppress(ValueError):
            told = json.loads(line)
            said[told["attack"]] = told["said"]
    return said


def _judge_tokens(world: World, heard: bytes, opened: dict[str, str]) -> None:
    """Find the marks of attacks in what arrived outside; names of hosts have them with other separators."""
    plain = heard.replace(b"-", b":").replace(b"\x00", b"")
    mark = world.nonce.encode("ascii") + b":"
    for part in plain.split(mark)[1:]:
        name = part.split(b":")[0].decode("latin-1")
        opened.setdefault(name, f"arrived outside: {part[:60]!r}")


def _judge_secrets(world: World, said: dict[str, str], opened: dict[str, str]) -> None:
    wanted = {**world.secrets, "own word": f"claim-{world.nonce}"}
    for name, text in said.items():
        for kind, secret in wanted.items():
            if secret in text:
                place = text.index(secret)
                opened.setdefault(name, f"told secret {kind}: {text[max(0, place - 80) : place + 160]!r}")


def _judge_files(world: World, opened: dict[str, str]) -> None:
    """Find and remove the files with the attacks' names."""
    places = [world.home, world.visible, world.tmp, "/dev/shm", "/tmp", *world.system_places()]
    places += ["/sys/fs/cgroup", *(str(path) for path in Path("/sys/fs/cgroup").glob("*") if path.is_dir())]
    places += [str(path) for path in Path("/sys/fs/cgroup").glob("*/*") if path.is_dir()]
    for path in names_with(f"{world.nonce}-", places):
        name = os.path.basename(path).split("-", 1)[1].split("-")[0]
        opened.setdefault(name, f"made {path}")
        with contextlib.suppress(OSError):
            os.rmdir(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)


def _judge_daemons(world: World, opened: dict[str, str]) -> None:
    """Look whether anything still writes although the command has ended."""
    beats = Path(world.build, "heartbeats")
    before = {path.name: path.stat().st_size for path in beats.iterdir()}
    time.sleep(0.5)
    for path in beats.iterdir():
        if path.stat().st_size != before.get(path.name):
            opened[path.name] = "it goes on after the end of the command"


def processes_of(nonce: str) -> list[tuple[int, str]]:
    """Return the processes that have an attack's mark in their environment: number and command line."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if f"VELN_ATTACK={nonce}".encode() in Path("/proc", name, "environ").read_bytes():
                command = Path("/proc", name, "cmdline").read_bytes().replace(b"\0", b" ").decode("latin-1")
                found.append((int(name), command))
    return found


def end_processes(nonce: str) -> list[str]:
    """Kill what is left of a run, until nothing is; return what it was."""
    left: list[str] = []
    quiet = 0
    for _ in range(2000):
        found = processes_of(nonce)
        quiet = 0 if found else quiet + 1
        if quiet == 3:
            return left
        left += [f"{number} {command}" for number, command in found]
        for number, _ in found:
            with contextlib.suppress(OSError):
                os.kill(number, signal.SIGSTOP)
        for number, _ in found:
            with contextlib.suppress(OSError):
                os.kill(number, signal.SIGKILL)
    raise RuntimeError("what an attack left behind can't be killed")


class _Machine:
    """Settings of the whole machine that attacks by root would change; put back afterwards.

    Each run has values of its own, since other runs may go on at the same time.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._core = _text(_CORE_PATTERN)
        self._files = {path: _text(path) for path in _KERNEL_FILES if _text(path)}
        self._own_files = {path: str(10_000 + secrets.randbelow(10_000)) for path in self._files}
        self._name = socket.gethostname()
        self._leap = _leap_seconds()
        self._own_leap = 1_000 + secrets.randbelow(10_000)
        self._address = f"127.77.{secrets.randbelow(250)}.{1 + secrets.randbelow(250)}"
        self._root_only = os.stat(world.root_only).st_size

    def setup(self) -> dict[str, Any]:
        return {
            "kernel_files": self._own_files,
            "leap_seconds": self._own_leap,
            "new_address": self._address,
            "new_host_name": f"host-{self._world.nonce}",
        }

    def judge(self, opened: dict[str, str]) -> None:
        """Say what was changed, and change it back."""
        if self._world.nonce in _text(_CORE_PATTERN):
            opened["core_pattern"] = _text(_CORE_PATTERN)
            Path(_CORE_PATTERN).write_text(self._core, "ascii")
        for path, text in self._own_files.items():
            if _text(path).strip() == text:
                opened["sysfs"] = f"{path} changed"
                Path(path).write_text(self._files[path], "ascii")
        if self._world.nonce in socket.gethostname():
            opened["host_name"] = socket.gethostname()
            socket.sethostname(self._name)
        if _leap_seconds() == self._own_leap:
            opened["clock"] = f"{self._leap} became {self._own_leap}"
            _leap_seconds(self._leap)
        with open(self._world.root_only, "rb") if os.geteuid() == 0 else open(os.devnull, "rb") as file:
            file.seek(self._root_only)
            if file.read() and self._world.user.uid:
                opened["setuid_binary"] = "wrote as root"
        if f"{self._world.nonce}:kernel_log".encode() in _kernel_log():
            opened["kernel_log"] = "in the log"
        if f"-- {self._address}\n" in _text("/proc/net/fib_trie"):
            opened["network_address"] = f"the machine has the address {self._address}"
            for size in ("32", "8"):
                command = ["ip", "address", "del", f"{self._address}/{size}", "dev", "lo"]
                subprocess.run(command, check=False, capture_output=True)
        self._mounts(opened)

    def _mounts(self, opened: dict[str, str]) -> None:
        for line in reversed(_text("/proc/self/mountinfo").splitlines()):
            place = line.split()[4]
            if place.startswith((self._world.visible, self._world.build, self._world.home, "/tmp/unmask")):
                name = "mount_over" if "/victims" in place else "ambient_rights"
                opened[name] = f"mounted {place}"
                ctypes.CDLL(None).umount2(place.encode(), 2)


def _leap_seconds(new: int | None = None) -> int:
    """Return, or set, the kernel's count of seconds between TAI and UTC (adjtimex(2))."""
    held = ctypes.create_string_buffer(208)
    if new is not None:
        struct.pack_into("=I", held, 0, _ADJ_TAI)
        struct.pack_into("=q", held, 48, new)
    ctypes.CDLL(None).adjtimex(held)
    return int(struct.unpack_from("=i", held, 160)[0])


def _kernel_log() -> bytes:
    """Return the whole log of the kernel, where this user may read it."""
    said = b""
    try:
        log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return said
    try:
        while True:
            with contextlib.suppress(BrokenPipeError):  # older records were overwritten meanwhile
                said += os.read(log, 8192)
    except OSError:
        return said
    finally:
        os.close(log)
