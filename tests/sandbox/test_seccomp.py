"""The filter for a command in an empty network namespace, in force; and both filters, on both machines, by reading."""

from __future__ import annotations

import errno
import os
import signal
import struct
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from supervised import PRELUDE, SOURCE, compiled

from veln_hook.sandbox import bpf, rules, seccomp, system

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

here = pytest.mark.skipif(
    sys.platform != "linux" or system.MACHINE not in system.MACHINES,
    reason="needs Linux on x86_64 or aarch64",
)
X86 = pytest.mark.skipif(system.MACHINE != "x86_64", reason="only x86_64 has other calling conventions")

FILTERED = """
import os, sys
from veln_hook.sandbox import seccomp, system
system.prctl(system.PR_SET_NO_NEW_PRIVS, 1)
seccomp.install(seccomp.family_filter())
os.execv(sys.argv[1], sys.argv[1:])
"""


def filtered(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", FILTERED, *command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        timeout=300,
    )


def told(code: str) -> Any:
    import json

    done = filtered([sys.executable, "-c", PRELUDE + textwrap.dedent(code)])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@here
def test_families_that_a_namespace_does_not_hold_are_refused() -> None:
    code = """
    kinds = {"vsock": (40, 1, 0), "packet": (17, 3, 0), "alg": (38, 5, 0), "bluetooth": (31, 1, 3), "can": (29, 3, 1),
             "raw": (2, 3, 1), "raw6": (10, 3, 58), "ping": (2, 2, 1), "sctp": (2, 1, 132), "mptcp": (2, 1, 262),
             "events": (16, 2, 15), "audit": (16, 3, 9),
             "tcp": (2, 1, 0), "tcp6": (10, 1, 6), "udp": (2, 2, 0), "udp6": (10, 2, 17), "unix": (1, 1, 0),
             "unix datagram": (1, 2, 0), "route": (16, 3, 0), "with flags": (2, 1 | 0o2004000, 0)}
    made = {name: error(socket.socket, *kind) for name, kind in kinds.items()}
    made["pair"] = error(socket.socketpair)
    tell(made)
    """
    made = told(code)
    assert made.pop("udp6") in ("", "EAFNOSUPPORT")  # without IPv6
    assert made.pop("tcp6") in ("", "EAFNOSUPPORT")
    assert made == {
        **dict.fromkeys(("vsock", "packet", "alg", "bluetooth", "can"), "EAFNOSUPPORT"),
        **dict.fromkeys(("raw", "raw6"), "EPERM"),
        **dict.fromkeys(("ping", "sctp", "mptcp", "events", "audit"), "EPROTONOSUPPORT"),
        **dict.fromkeys(("tcp", "udp", "unix", "unix datagram", "route", "with flags", "pair"), ""),
    }


@here
def test_ways_out_are_refused_and_ordinary_calls_are_not() -> None:
    names = (
        "unshare",
        "clone",
        "setns",
        "mount",
        "bpf",
        "ioctl",
        "keyctl",
        "clone3",
        "io_uring_setup",
        "seccomp",
    )
    code = f"""
    NUMBER = { ({name: system.number(name) for name in names})!r}
    def unshared(flags):
        return call(NUMBER["unshare"], flags)
    tell({{
        "user": unshared(0x10000000), "net": unshared(0x40000000), "time": unshared(0x80), "mount": unshared(0x20000),
        "clone": call(NUMBER["clone"], 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0),
        "setns": call(NUMBER["setns"], 0, 0), "mounting": call(NUMBER["mount"], b"none", b"/", b"tmpfs", 0, 0),
        "bpf": call(NUMBER["bpf"], 0, bytes(100), 100), "typing": call(NUMBER["ioctl"], 0, 0x5412, b"x"),
        "high bits": call(NUMBER["ioctl"], 0, 0x5412 | 7 << 32, b"x"), "keys": call(NUMBER["keyctl"], 0, -3, 0),
        "clone3": call(NUMBER["clone3"], bytes(64), 64), "io_uring": call(NUMBER["io_uring_setup"], 8, bytes(120)),
        "files": unshared(0x400), "process": subprocess.call(["true"]),
    }})
    """
    got = told(code)
    assert got == {
        **dict.fromkeys(got, "EPERM"),
        **dict.fromkeys(("keys", "clone3", "io_uring"), "ENOSYS"),
        "files": "",
        "process": 0,
    }


FOREIGN = r"""
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int count, char **arguments) {
    (void)arguments;
    if (count > 1) { printf("%ld\n", syscall(0x40000000 + 39)); return 0; }
    long result = 20; /* getpid, for i386 */
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
    printf("%d\n", result == getpid());
    return 0;
}
"""


@here
@X86
def test_other_calling_conventions_end_or_fail(tmp_path: Path) -> None:
    program = compiled(FOREIGN, tmp_path / "foreign")
    assert filtered([program]).returncode == -signal.SIGSYS
    assert filtered([program, "x32"]).stdout == "-1\n"


@here
def test_a_filter_stays_and_others_can_be_added() -> None:
    code = """
    from veln_hook.sandbox import seccomp
    seccomp.install(seccomp.family_filter())
    seccomp.install_with_listener(seccomp.notify_filter(7))
    tell(error(socket.socket, 40, 1))
    """
    assert told(code) == "EAFNOSUPPORT"


def decide(program: bytes, data: bytes) -> int:
    """Run a filter as the kernel would (linux/filter.h), for the instructions that ours consist of."""
    code = list(struct.iter_unpack("=HBBI", program))
    at, loaded = 0, 0
    while True:
        operation, if_true, if_false, value = code[at]
        at += 1
        if operation == 0x20:
            loaded = struct.unpack_from("=I", data, value)[0]
        elif operation == 0x54:
            loaded &= value
        elif operation == 0x05:
            at += value
        elif operation == 0x06:
            return value
        else:
            passed = {
                bpf.EQUAL: loaded == value,
                bpf.AT_LEAST: loaded >= value,
                bpf.ANY_BIT: bool(loaded & value),
            }
            at += if_true if passed[operation] else if_false


ALLOWED, ASKED, KILLED = 0x7FFF0000, 0x7FC00000, 0x80000000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def refused(name: str) -> int:
    return 0x00050000 | getattr(errno, name)


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_both_machines_are_known(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "MACHINE", machine)
    families, notifying, old = seccomp.family_filter(), seccomp.notify_filter(3), seccomp.notify_filter(2)

    def decided(program: bytes, name: str, *arguments: int) -> int:
        number = system.number(name)
        assert number is not None
        data = struct.pack(
            "=iIQ6Q", number, ARCHITECTURES[machine], 0, *arguments, *[0] * (6 - len(arguments))
        )
        return decide(program, data)

    assert decided(families, "socket", 2, 2, 0) == ALLOWED
    assert decided(families, "socket", 40, 1, 0) == refused("EAFNOSUPPORT")
    assert decided(families, "connect", 3) == ALLOWED
    assert decided(families, "seccomp", 1, 8) == ALLOWED
    assert decided(notifying, "socket", 2, 1, 0) == ASKED
    assert decided(notifying, "socket", 1 << 32 | 2, 1 << 32 | 1, 1 << 32) == ASKED
    assert decided(notifying, "socket", 2, 2, 0) == refused("EACCES")
    assert decided(notifying, "socketpair", 1, 1, 0) == ALLOWED
    assert decided(notifying, "connect", 3) == ASKED
    assert decided(notifying, "bind", 3) == ASKED
    assert decided(notifying, "sendto", 3, 0, 0, 1 << 32 | 0x20000000) == refused("EOPNOTSUPP")
    assert decided(notifying, "sendto", 3, 0, 0, 0x4000) == ALLOWED
    assert decided(notifying, "sendmsg", 3, 0, 0x20000000) == refused("EOPNOTSUPP")
    assert decided(notifying, "setsockopt", 3, 1, 15) == refused("ENOPROTOOPT")
    assert decided(notifying, "setsockopt", 3, 41, 26) == 0x00050000
    assert decided(notifying, "fchmodat", -100 & (1 << 64) - 1) == ASKED
    assert decided(notifying, "openat", 0, 0, 0x41, 0o4755) == refused("EPERM")
    assert decided(notifying, "openat", 0, 0, 0x1, 0o4755) == ALLOWED
    assert decided(notifying, "openat", 0, 0, 0x200, 0) == ALLOWED
    assert decided(old, "openat", 0, 0, 0x200, 0) == refused("EPERM")
    assert decided(old, "openat", 0, 0, 0x201, 0) == ALLOWED
    assert decided(old, "truncate") == ASKED
    assert decided(notifying, "truncate") == ALLOWED
    assert decided(notifying, "seccomp", 1, 8 | 1 << 5) == refused("EBUSY")
    for program in (families, notifying, old):
        for name, error in {
            **dict.fromkeys(rules._FORBIDDEN, "EPERM"),
            **dict.fromkeys(rules._MISSING, "ENOSYS"),
        }.items():
            if system.number(name) is not None:
                assert decided(program, name) == refused(error), name
        other = next(value for value in ARCHITECTURES.values() if value != ARCHITECTURES[machine])
        assert decide(program, struct.pack("=iIQ6Q", 1, other, 0, *[0] * 6)) == KILLED
        assert decide(program, struct.pack("=iIQ6Q", 500, ARCHITECTURES[machine], 0, *[0] * 6)) == ALLOWED


@here
def test_a_filter_is_made_without_reading_a_file() -> None:
    """It is made by a process that Landlock keeps out of where veln-hook may lie."""
    code = """
    from veln_hook.sandbox import seccomp
    def no_file(event, arguments):
        if event in ("open", "import"):
            raise PermissionError(str(arguments))
    sys.addaudithook(no_file)
    seccomp.notify_filter(7)
    seccomp.install(seccomp.family_filter())
    tell("made")
    """
    assert told(code) == "made"


def test_the_assembler_refuses_what_a_kernel_would() -> None:
    program = bpf.Program()
    program.label("start")
    program.load(bpf.NUMBER)
    program.jump("start")
    with pytest.raises(ValueError, match="back"):
        program.assemble()
    with pytest.raises(ValueError, match="twice"):
        program.label("start")
    program = bpf.Program()
    program.jump("nowhere")
    with pytest.raises(KeyError, match="nowhere"):
        program.assemble()
    program = bpf.Program()
    for _ in range(5000):
        program.give(0)
    with pytest.raises(ValueError, match="5000"):
        program.assemble()


def test_a_switch_finds_each_case() -> None:
    program = bpf.Program()
    program.load(bpf.NUMBER)
    cases = {number * 7: f"case {number}" for number in range(50)}
    program.switch(cases, "other")
    for number in range(50):
        program.label(f"case {number}")
        program.give(number + 1)
    program.label("other")
    program.give(0)
    assembled = program.assemble()
    for number in range(400):
        expected = number // 7 + 1 if number in cases else 0
        assert decide(assembled, struct.pack("=i", number)) == expected


def test_an_unknown_machine_has_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "MACHINE", "riscv64")
    with pytest.raises(OSError, match="riscv64"):
        seccomp.family_filter()
