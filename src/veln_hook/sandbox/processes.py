"""Processes by their numbers: whose child one is, what it is called, and how all of them are ended."""

from __future__ import annotations

import _signal
import os


def end_all() -> None:
    """Kill and reap every descendant of this process, which must be their subreaper (prctl(2))."""
    while _has_children():
        for pid in _descendants():
            try:
                os.kill(pid, _signal.SIGKILL)
            except ProcessLookupError:
                pass  # it ended by itself
            except PermissionError:
                pass  # its user is another one: a program that changed it before it was confined
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def end(pid: int) -> None:
    """Kill and reap one child; what it leaves is ours then."""
    try:
        # As long as it hasn't been reaped, its number is nobody else's.
        if os.waitpid(pid, os.WNOHANG)[0] == 0:
            os.kill(pid, _signal.SIGKILL)
            os.waitpid(pid, 0)
    except ChildProcessError:
        pass  # it has been reaped


def _has_children() -> bool:
    """Reap what has ended; say whether something hasn't."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _descendants() -> list[int]:
    """Return the numbers of all processes below this one."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            children.setdefault(parent(int(name)), []).append(int(name))
    found: list[int] = []
    left = [os.getpid()]
    while left:
        for child in children.get(left.pop(), ()):
            found.append(child)
            left.append(child)
    return found


def parent(pid: int) -> int:
    """Return the number of a process' parent; 0 if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name in parentheses may hold anything, parentheses and spaces included (proc(5)).
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def name(pid: int) -> str:
    """Return a process' name, which may hold any character; empty if there is no such process."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""
