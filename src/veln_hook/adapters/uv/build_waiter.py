"""What a step becomes that makes a wheel: ``python -I -S build_waiter.py DOOR WORD COMMAND...``.

It has the command run in its place and behaves towards uv as that would. If the command succeeded, uv would
take the wheel as soon as this process ends, so we are asked first whether it may (``build_door``): the word
tells which step asks. Whatever goes wrong then ends it with status 78, by which the build has failed for uv.

Rules of this module: as in ``sandbox.launcher``; it runs cold.
"""

from __future__ import annotations

import _signal
import os
import sys

_CANNOT_JUDGE = 78
_MAX_BYTES = 1 << 16
# Signals of a program's own faults: blocked, the kernel would kill with them all the same (signal(7)).
_OWN = ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS")
_FROM_TERMINAL = ("SIGINT", "SIGQUIT", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGWINCH", "SIGHUP")


def main() -> int:
    """Run; return the exit status, or die by the signal that the command died by."""
    door, word, *command = sys.argv[1:]
    held = set(_signal.valid_signals()) - _numbers(_OWN)
    before = _signal.pthread_sigmask(_signal.SIG_BLOCK, held)
    status = _wait(_start(command, before), held)
    # From here on each signal ends us, as it would have ended the step.
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    if os.WIFSIGNALED(status):
        return _die_by(os.WTERMSIG(status))
    _signal.pthread_sigmask(_signal.SIG_SETMASK, before)
    return os.WEXITSTATUS(status) or _asked(door, word)


def _start(command: list[str], blocked: set[int]) -> int:
    """Start the command in our process group, with our standard streams; return its number."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        if sys.platform == "linux":
            # The last place to look, as in the launcher.
            sys.path.append(os.path.abspath(__file__ + "/../../../.."))
            from veln_hook.sandbox import system  # noqa: PLC0415 - the path is known only now

            system.prctl(system.PR_SET_PDEATHSIG, _signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)  # it was too late
        for name in ("SIGPIPE", "SIGXFSZ"):  # which Python ignores
            _signal.signal(getattr(_signal, name), _signal.SIG_DFL)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, blocked)
        os.execv(command[0], command)  # noqa: S606 - there is no shell
    except BaseException as error:  # noqa: BLE001 - whatever happens, this is no second one of us
        _say(f"veln-hook: the build was not started: {type(error).__name__}: {error}")
    finally:
        os._exit(_CANNOT_JUDGE)


def _wait(child: int, held: set[int]) -> int:
    """Pass signals on until it ends, stopping when it stops; return its wait status."""
    while True:
        pid, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
        if pid and not os.WIFSTOPPED(status):
            return status
        if pid:
            os.kill(os.getpid(), _signal.SIGSTOP)
            continue
        if sys.platform == "linux":
            told = _signal.sigwaitinfo(held)
            # A key's signal has reached the child already; what users send has a code of 0 or below.
            number, passed_on = told.si_signo, told.si_code <= 0
        else:
            number = _signal.sigwait(held)
            passed_on = number not in _numbers(_FROM_TERMINAL)
        if passed_on and number != _signal.SIGCHLD:
            os.kill(child, number)  # which is there until it is waited for


def _asked(door: str, word: str) -> int:
    """Ask whether what was made may be taken; return the exit status."""
    import _socket  # noqa: PLC0415 - only what succeeded has to ask

    try:
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        connection.connect(door)
        connection.sendall(b"made\0" + os.fsencode(word))
        connection.shutdown(_socket.SHUT_WR)
        answer = b""
        while len(answer) <= _MAX_BYTES and (more := connection.recv(1 << 12)):
            answer += more
    except OSError as error:
        _say(f"HOLD  nobody tells whether what was built may be installed ({error})")
        return _CANNOT_JUDGE
    if answer == b"go\0":
        return 0
    why = answer.partition(b"\0")[2].decode("utf-8", "replace")
    _say(why or "HOLD  nobody tells whether what was built may be installed")
    return _CANNOT_JUDGE


def _say(line: str) -> None:
    os.write(2, f"{line}\n".encode("utf-8", "replace"))


def _numbers(names: tuple[str, ...]) -> set[int]:
    return {int(getattr(_signal, name)) for name in names}


def _die_by(number: int) -> int:
    import resource  # noqa: PLC0415 - rarely needed

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # one of us would tell nothing
    if number not in (_signal.SIGKILL, _signal.SIGSTOP):
        _signal.signal(number, _signal.SIG_DFL)
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    return 128 + number  # as shells tell it; not reached but for a signal that kills nobody


if __name__ == "__main__":
    # No clean-up of the interpreter: there is nothing left to clean up, and it takes milliseconds.
    try:
        ended = main()
    except BaseException as error:  # noqa: BLE001 - it must not look like success
        _say(f"veln-hook: the build was not finished: {type(error).__name__}: {error}")
        ended = _CANNOT_JUDGE
    os._exit(ended)
