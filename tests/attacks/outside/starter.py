"""Starts the attacks as the user whom they are to harm: confined, or not at all; prints what came of it.

    python starter.py JOB.json

It holds a terminal of its own, secrets in its environment, and leaves descriptors open, as callers do.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import termios
import time
import tty


def _terminal(path: str) -> int:
    os.setsid()
    fd = os.open(path, os.O_RDWR)
    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)
    tty.setraw(fd)
    return fd


def _typed(fd: int) -> str:
    """Return what waits in the terminal to be read: nobody typed anything."""
    os.set_blocking(fd, False)
    try:
        return os.read(fd, 4096).decode("latin-1")
    except BlockingIOError:
        return ""
    finally:
        os.set_blocking(fd, True)


def _left_open(job: dict) -> list[int]:
    """Open what a caller may have open: a connection, a pair of sockets, a directory, files."""
    connection = socket.create_connection(tuple(job["attacker"]))
    one, other = socket.socketpair()
    kept = [connection.detach(), one.detach(), os.open(job["home"], os.O_RDONLY)]
    kept += [os.open(job["leaked_file"], os.O_RDONLY), os.open(job["leaked_file"], os.O_RDWR | os.O_APPEND)]
    job["pair"] = other.detach()
    return kept


def _heard_in_pair(fd: int) -> str:
    os.set_blocking(fd, False)
    try:
        return os.read(fd, 1 << 16).decode("latin-1")
    except BlockingIOError:
        return ""


def _finish(job: dict, process: subprocess.Popen) -> int:
    try:
        return process.wait(job["seconds"])
    except subprocess.TimeoutExpired:
        process.terminate()
        try:
            return process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    terminal = _terminal(job["terminal"])
    kept = _left_open(job)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    setup = {**job["setup"], "starter": os.getpid(), "report_path": ""}
    command, environment, launch = job["command"], job["environment"], None
    told: dict = {}
    if job["rung"]:
        launch, environment = _confined(job, told)
        setup["report_path"] = launch._report
        command = launch.argv
    if job["route"] is not None:
        kept.append(job["route"])
    with open(job["setup_file"], "w", encoding="utf-8") as file:
        json.dump(setup, file)
    start = time.monotonic()
    with open(job["out"], "wb") as out, open(job["err"], "wb") as err:
        process = subprocess.Popen(
            command,
            env=environment if launch is None else None,
            cwd=job["build"],
            stdin=terminal if job["stdin_is_terminal"] else subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            pass_fds=kept,
        )
        with open(job["pids"], "w", encoding="ascii") as file:
            file.write(str(process.pid))
        told["status"] = _finish(job, process)
    told["seconds"] = time.monotonic() - start
    told["typed"] = _typed(terminal)
    told["pair"] = _heard_in_pair(job["pair"])
    if launch is not None:
        report = launch.report()
        told["refusals"] = [[row.host, row.port, row.process, row.count] for row in report.refusals]
        told["timed_out"] = report.timed_out
        launch.close()
    with open(job["told"], "w", encoding="utf-8") as file:
        json.dump(told, file)


def _confined(job: dict, told: dict) -> tuple:
    sys.path.insert(0, job["source"])
    from veln_hook.sandbox import environment, hiding
    from veln_hook.sandbox.client import Launch
    from veln_hook.sandbox.interface import Confinement, Limits, Rung

    scrubbed = environment.scrub(job["environment"])
    hidden = hiding.secrets(job["home"], job["environment"])
    confinement = Confinement(
        cwd=job["build"],
        environment=scrubbed.environment,
        write=tuple(job["write"]),
        read=(*job["read"], sys.prefix, sys.base_prefix),
        hide=(*hidden, *job["hide"]),
        terminal=job["with_terminal"],
        own_processes=job["own_processes"],
        limits=Limits(processes=8192, seconds=job["seconds"]),
    )
    launch = Launch(confinement, job["command"], Rung(job["rung"]), route=job["route"])
    return launch, scrubbed.environment


if __name__ == "__main__":
    main()
