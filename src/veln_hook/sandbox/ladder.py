"""Which rung this machine allows: found by doing, never by a version number.

Each rung is tried with a real command that attempts what the wall must stop: it connects to a socket
that listens outside, writes outside, reads a hidden file. A rung counts if the command ran and all of
that failed.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import Optional

from veln_hook.sandbox.client import Launch
from veln_hook.sandbox.interface import Confinement, Limits, Rung
from veln_hook.sandbox.short_paths import make_directory

_SECONDS = 20.0
_LINUX = (Rung.NAMESPACES, Rung.BUBBLEWRAP, Rung.NETNS_SUPERVISOR, Rung.SUPERVISOR)
_WORKS = "works"
_NO_RUNGS = {"win32": "there is none for Windows: use WSL2"}
_ADVICE_APPARMOR = (
    "'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0' allows the strongest one, "
    "and so does bubblewrap with an AppArmor profile of its own"
)
_ADVICE_KERNEL = (
    "allow user namespaces (sysctl user.max_user_namespaces), or use a kernel from 5.14 with Landlock "
    "in a container whose seccomp profile allows it"
)

# Run inside: prints what it could do of what it must not be able to do.
_ATTEMPTS = """
import _socket, os, sys
port, directory, secret, outside = sys.argv[1:]
done = []
def attempt(name, action):
    try:
        action()
    except OSError:
        return
    done.append(name)
def tcp():
    _socket.socket(_socket.AF_INET).connect(("127.0.0.1", int(port)))
def path():
    os.chdir(directory)
    _socket.socket(_socket.AF_UNIX).connect("socket")
def read():
    if open(secret).read():
        return
    raise OSError
attempt("connect to this machine", tcp)
attempt("connect to a UNIX socket", path)
attempt("read a hidden file", read)
attempt("write outside", lambda: open(outside, "a").close())
print("done:", ", ".join(done))
"""


@dataclass(frozen=True)
class Probe:
    """What came of trying one rung."""

    rung: Rung
    works: bool
    reason: str
    """Why it doesn't, in the words of what refused; "works" otherwise."""


@dataclass(frozen=True)
class Ladder:
    """The rungs that were tried, strongest first, and the one to use."""

    probes: tuple[Probe, ...]

    @property
    def rung(self) -> Optional[Rung]:
        """The strongest rung that works; ``None`` if none does, and then nothing is a sandbox here."""
        return next((probe.rung for probe in self.probes if probe.works), None)

    @property
    def advice(self) -> str:
        """One line: what would give this machine a sandbox, or a better one; empty if there is nothing."""
        if self.rung in (Rung.NAMESPACES, Rung.BUBBLEWRAP, Rung.SEATBELT):
            return ""
        if not self.probes:
            return _NO_RUNGS.get(sys.platform, f"there is none for {sys.platform}")
        if _apparmor_restricts():
            return _ADVICE_APPARMOR
        return "" if self.rung is not None else _ADVICE_KERNEL


def find(*, every: bool = False) -> Ladder:
    """Try the rungs, strongest first, until one works.

    Args:
        every: Whether to try all of them nevertheless; for a report on this machine.

    Takes about a tenth of a second for each rung tried.
    """
    probes: list[Probe] = []
    for rung in _candidates():
        if not every and any(probe.works for probe in probes):
            break
        reason = _problem(rung)
        probes.append(Probe(rung, not reason, reason or _WORKS))
    return Ladder(tuple(probes))


def _candidates() -> tuple[Rung, ...]:
    return {"linux": _LINUX, "darwin": (Rung.SEATBELT,)}.get(sys.platform, ())


def _problem(rung: Rung) -> str:
    """Return why a rung isn't one here; empty if it is."""
    try:
        directory = make_directory("veln-hook-probe-")
        try:
            return _attempted(rung, directory)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
    except OSError as error:
        return str(error)


def _attempted(rung: Rung, directory: str) -> str:
    # Readable as a whole, so that what is to be hidden by name doesn't vanish with all of /tmp.
    inside = os.path.join(directory, "inside")
    os.mkdir(inside)
    secret = os.path.join(inside, "secret")
    with open(secret, "w", encoding="ascii") as file:
        file.write("secret")
    outside = os.path.join(directory, "outside")
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as path:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        path.bind(os.path.join(directory, "socket"))
        path.listen()
        confinement = Confinement(
            cwd=inside,
            environment={"PATH": os.defpath},
            read=(directory, sys.prefix, sys.base_prefix),
            hide=(secret,),
            limits=Limits(seconds=_SECONDS),
        )
        arguments = [str(tcp.getsockname()[1]), directory, secret, outside]
        command = [os.path.realpath(sys.executable), "-I", "-S", "-c", _ATTEMPTS, *arguments]
        return _outcome(confinement, command, rung)


def _outcome(confinement: Confinement, command: list[str], rung: Rung) -> str:
    with Launch(confinement, command, rung) as launch:
        try:
            ended = subprocess.run(
                launch.argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=2 * _SECONDS,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return str(error)
    said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
    if ended.returncode:
        last = said[-1] if said else f"exit status {ended.returncode}"
        told = re.search(r"\(\S+: (.*)\); nothing runs$", last)
        return told.group(1) if told else last
    label, _, done = ended.stdout.decode("utf-8", "replace").strip().partition(":")
    if label != "done":
        return "the command said nothing"
    return f"the command could{done}" if done else ""


def _apparmor_restricts() -> bool:
    try:
        with open("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", encoding="ascii") as file:
            return file.read().strip() == "1"
    except OSError:
        return False
