# ruff: noqa: INP001
"""What a Python loads first of all when uv starts it for a step of a build, which then starts anew.

uv hands its environment to these steps, and to hardly anything else (its questions to an interpreter are
asked with ``-I``). ``build_asking`` puts a directory with this file first into PYTHONPATH and names ``Asked``
in PYTHONWARNINGS: CPython imports a warning's category before it imports ``site``, so this runs before any
``.pth`` file of the build environment, which holds other people's code. PyPy imports ``site`` first, and
finds ours. Any other Python comes here by ``sitecustomize``, which is too late: there nothing is built.

It runs in any Python that uv builds with, from 3.7 on, without veln-hook: it imports what is built in, ``os``
isn't there yet. Whatever goes wrong ends the process with status 78.
"""

from __future__ import annotations

import posix
import sys

_HERE = __file__.rpartition("/")[0]
_OURS = "ignore::_veln_hook_build.Asked"
_MAX_BYTES = 1 << 23
_CANNOT_CONFINE = 78


class Asked(Warning):
    """What PYTHONWARNINGS names; it is never given."""


def _begin() -> None:
    try:
        if not _uv_is_the_parent():
            _leave()
            return
        late = "sitecustomize" in sys.modules
        word, rest = (b"stop", b"HOLD  this Python can't be confined") if late else _ask()
        if word == b"go":
            _leave()
            return
        if word == b"run":
            count, rest = rest.partition(b"\0")[::2]
            fields = rest.split(b"\0")
            words, variables = fields[: int(count)], fields[int(count) :]
            environment = {}
            for variable in variables:
                name, _, value = variable.partition(b"=")
                environment[name] = value
            posix.execve(words[0], words, environment)
        why = rest.decode("utf-8", "replace") or "HOLD  nobody tells whether this may be built"
    except BaseException as error:  # noqa: BLE001 - it must not go on
        why = "HOLD  the build can't be confined (%s: %s)" % (type(error).__name__, error)  # noqa: UP031 - as it begins
    try:
        posix.write(2, (why + "\n").encode("utf-8", "replace"))
    finally:
        posix._exit(_CANNOT_CONFINE)  # noqa: SLF001 - nothing may run on the way out


def _uv_is_the_parent() -> bool:
    """Say whether uv started this process; where that can't be told, it counts as if it had."""
    try:
        place = "/proc/%d/exe" % posix.getppid()  # noqa: UP031
        found, uv = posix.stat(place), posix.stat(_HERE + "/../uv")
        name = posix.readlink(place).rpartition("/")[2]
    except OSError:
        return True
    same = (found.st_dev, found.st_ino) == (uv.st_dev, uv.st_ino)
    # A uv that replaced itself meanwhile is "/path/uv (deleted)".
    return same or name.startswith("uv") or name.endswith(" (deleted)")


def _ask() -> tuple[bytes, bytes]:
    """Return what ``build_door`` answers: a word, and what follows it."""
    import _socket  # noqa: PLC0415 - not every process here has to ask

    fields = [posix.getcwdb(), _encoded(sys.executable), _encoded(getattr(sys, "base_prefix", sys.prefix))]
    words = _command_line()
    fields.append(b"%d" % len(words))
    fields += words
    fields += [_encoded(name) + b"=" + _encoded(value) for name, value in posix.environ.items()]
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.connect(_HERE + "/../door")
    connection.sendall(b"\0".join(fields))
    connection.shutdown(_socket.SHUT_WR)
    answer = b""
    while len(answer) <= _MAX_BYTES:
        more = connection.recv(1 << 16)
        if not more:
            word, _, rest = answer.partition(b"\0")
            return word, rest
        answer += more
    raise ValueError("the answer is too long")


def _command_line() -> list[bytes]:
    try:
        descriptor = posix.open("/proc/self/cmdline", posix.O_RDONLY)
    except OSError:
        return [_encoded(word) for word in sys.orig_argv]  # from 3.10 on
    found = b""
    while True:
        more = posix.read(descriptor, 1 << 16)
        if not more:
            break
        found += more
    posix.close(descriptor)
    return found.split(b"\0")[:-1]


def _encoded(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def _leave() -> None:
    """Take ourselves out of this process, and of what it starts, as if we had never been here."""
    _replace("PYTHONPATH", b":", _HERE)
    _replace("PYTHONWARNINGS", b",", _OURS)
    sys.path[:] = [entry for entry in sys.path if entry != _HERE]
    # Another list: this one may be gone through at the moment.
    sys.warnoptions = [option for option in sys.warnoptions if option != _OURS]


def _replace(name: str, separator: bytes, ours: str) -> None:
    started = sys.modules.get("os")
    # ``os.environ`` is made of this table when ``os`` is imported, which comes later.
    environ: dict[bytes, bytes] = posix.environ if started is None else started.environb
    key = _encoded(name)
    value = environ.get(key)
    if value is None:
        return
    left = separator.join(entry for entry in value.split(separator) if entry != _encoded(ours))
    if left:
        environ[key] = left
        posix.putenv(key, left)
    else:
        del environ[key]
        posix.unsetenv(key)


_begin()
