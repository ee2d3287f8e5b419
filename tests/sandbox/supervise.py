"""Start a command under a supervisor as the launcher does, with nothing else around it: no Landlock, no limits.

Usage: supervise.py SETTINGS COMMAND...

SETTINGS is JSON: write, scratch and hide as in a task; route, a descriptor or null; report, a path; abi, the version
of Landlock that the filter is told; drop, whether root gives up its capabilities; namespaces, whether it gets user and
network namespaces of its own first.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import types

from veln_hook.sandbox import refusals, seccomp, supervisor, system

CAPABILITIES_VERSION_3 = b"\x22\x05\x08\x20\0\0\0\0"


def main(settings: dict, command: list[str]) -> int:
    system.prctl(system.PR_SET_CHILD_SUBREAPER, 1)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    child = os.fork()
    if child == 0:
        try:
            ours.close()
            become(settings, command, theirs)
        finally:
            os._exit(99)
    theirs.close()
    if settings["namespaces"]:
        ours.recv(100)
        for kind, number in (("uid", os.getuid()), ("gid", os.getgid())):
            if kind == "gid":
                with open(f"/proc/{child}/setgroups", "w", encoding="ascii") as file:
                    file.write("deny")
            with open(f"/proc/{child}/{kind}_map", "w", encoding="ascii") as file:
                file.write(f"7 {number} 1")
        ours.send(b"mapped")
    _, descriptors, _, _ = socket.recv_fds(ours, 100, 1)
    route = None if settings["route"] is None else socket.socket(fileno=settings["route"])
    noted = refusals.Refusals()
    served = supervisor.Supervisor(
        descriptors[0], types.SimpleNamespace(**settings), route, noted, os.getpid()
    )
    lines = [
        f"PROXY_PORT={served.proxy_port}",
        *(f"{name}={value}" for name, value in served.variables.items()),
    ]
    ours.send("\n".join(lines).encode())
    status = serve(served, child)
    with open(settings["report"], "w", encoding="ascii") as file:
        json.dump(noted.rows(), file)
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def become(settings: dict, command: list[str], theirs: socket.socket) -> None:
    if settings["namespaces"]:
        system.call("unshare", 0x10000000 | 0x40000000)
        theirs.send(b"unshared")
        theirs.recv(100)
    if settings["drop"] and os.geteuid() == 0:
        system.call("capset", CAPABILITIES_VERSION_3, bytes(24))
    system.prctl(system.PR_SET_NO_NEW_PRIVS, 1)
    listener = seccomp.install_with_listener(seccomp.notify_filter(settings["abi"]))
    socket.send_fds(theirs, [b"listener"], [listener])
    os.close(listener)
    environment = dict(os.environ, SUPERVISOR=str(os.getppid()))
    environment.update(line.split("=", 1) for line in theirs.recv(1000).decode().split("\n"))
    theirs.close()
    os.execvpe(command[0], command, environment)


def serve(served: supervisor.Supervisor, child: int) -> int:
    """Answer until the command ends; return its status."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    poll = select.poll()
    poll.register(read, select.POLLIN)
    for descriptor in served.filenos():
        poll.register(descriptor, select.POLLIN)
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        for descriptor, _ in poll.poll(1000):
            if descriptor == read:
                os.read(read, 1000)
            elif not served.handle(descriptor):
                poll.unregister(descriptor)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1]), sys.argv[2:]))
