"""A confinement as a profile of macOS' sandbox (Seatbelt), and the command that starts under it.

**Untried on hardware.** What is here is text: it was written after published profiles (those of
sandbox-runtime, Codex and Firefox) and what their users measured, and no Mac has run it. So a Mac counts as
confined only where a live probe saw a connection refused. ``sandbox-exec`` is deprecated and still there.

The language is Scheme. Each rule allows or denies operations, and **the last one that matches wins**; hence
the order below: nothing, then reading, then what is hidden, then what is opened in it, then what is closed
for good. Paths are compared as the kernel knows them, after symbolic links, so each is resolved first. Only
``subpath`` and ``literal`` are used, never ``regex``: a path needs no escaping but that of a string.

Left out, on purpose, though programs ask for them: the sockets and services of DNS (a name is a message),
``trustd`` and ``SecurityServer`` (the former fetches URLs, the latter is the keychain), Apple events, Launch
Services (``open https://...``), and ioctl on terminals (TIOCSTI types into the shell outside).

What it can't do: other services on the machine's loopback share its port numbers, so the gate has to ask
for a token; there is no PID namespace, so whoever starts a command ends its process group.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from veln_hook.sandbox.layout import is_within

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from veln_hook.sandbox.interface import Confinement

PROGRAM = "/usr/bin/sandbox-exec"

_BASE = """\
(version 1)
(deny default)
(deny process-info* (target others))
(allow process-exec)
(allow process-fork)
(allow signal (target same-sandbox))
(allow process-info* (target same-sandbox))
(allow sysctl-read)
(deny sysctl-read (sysctl-name-prefix "kern.procargs"))
(allow ipc-posix-shm)
(allow ipc-posix-sem)
(allow user-preference-read)
(allow mach-lookup
  (global-name "com.apple.system.opendirectoryd.libinfo")
  (global-name "com.apple.system.opendirectoryd.membership")
  (global-name "com.apple.bsd.dirhelper")
  (global-name "com.apple.system.notification_center")
  (global-name "com.apple.logd"))
(allow file-read*)"""
# process-info* isn't covered by "deny default", as Firefox's profile says. KERN_PROCARGS2 hands out the
# environment of the user's other processes; the kernel compares its name with the process number after it,
# so only the prefix matches.

_HIDDEN = (
    "/Users",
    "/private/var/root",
    "/private/tmp",
    "/private/var/tmp",
    "/private/var/folders",
    "/private/var/run",
    "/dev",
)
"""What a confinement hides without being told: homes, temporary directories, sockets, devices."""
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/dtracehelper")
_UNTOLD = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_DATA = "/System/Volumes/Data"
"""The volume that ``/Users`` and ``/private`` really lie on: each of their paths has a second name below."""


def profile(confinement: Confinement, *, private: Sequence[str] = (), port: int | None = None) -> str:
    """Return the text of a profile.

    Args:
        confinement: What the command may do. Limits, environment and ``own_processes`` are no matter of it.
        private: Directories made for this command alone, which it reads and writes: its home, temporary
            directory and caches. UNIX sockets work only in them.
        port: Where the gate listens on 127.0.0.1; without one there is no network, nor is there loopback.

    Raises:
        ValueError: A path is relative or has characters that can't be told to the sandbox; the port is none.
    """
    own = _real(path for path in private if os.path.lexists(path))
    write = _real(path for path in confinement.write if os.path.lexists(path))
    read = _real(path for path in (confinement.cwd, *confinement.read) if os.path.lexists(path))
    hide = _real(confinement.hide)
    opened = [*read, *write, *own]
    return "\n".join(
        [
            _BASE,
            *_rule("deny", "file-read*", "subpath", _both(_HIDDEN)),
            # stat on the way to what is opened: realpath(3) and getcwd(3) ask for each directory above it.
            *_rule("allow", "file-read-metadata", "literal", _above(opened)),
            *_rule("allow", "file-read*", "subpath", opened),
            *_rule("allow", "file-write*", "subpath", [*write, *own]),
            *_devices(confinement.terminal),
            *_network(port, own),
            *_closed(hide, [*write, *own]),
        ]
    )


def command(text: str, cmd: Sequence[str]) -> list[str]:
    """Return what to start instead of a command.

    Args:
        text: What ``profile`` returned.
        cmd: Program and arguments.

    Raises:
        ValueError: There is no program, or its name would be taken for an option.
    """
    if not cmd or not cmd[0] or cmd[0].startswith("-"):
        raise ValueError(f"no program to confine: {list(cmd)!r}")
    return [PROGRAM, "-p", text, *cmd]


def _devices(terminal: bool) -> list[str]:
    return [
        *_rule("allow", "file-read* file-write-data file-ioctl", "literal", _DEVICES),
        *_rule("allow", "file-read*", "subpath", ["/dev/fd"]),
        *_rule("allow", "file-read* file-write-data", "literal", ["/dev/tty"] if terminal else []),
    ]


def _network(port: int | None, own: Sequence[str]) -> list[str]:
    if port is not None and not 0 < port < 1 << 16:
        raise ValueError(f"no port: {port!r}")
    gate = [] if port is None else [f'(allow network-outbound (remote ip "localhost:{port:d}"))']
    if not own:
        return gate
    # Sockets have rules of their own: those of files don't hold for them. multiprocessing needs these.
    inside = [_string(path) for path in own]
    return [
        *gate,
        "(allow system-socket (socket-domain AF_UNIX))",
        *(f"(allow network-bind network-inbound (local unix-socket (subpath {path})))" for path in inside),
        *(f"(allow network-outbound (remote unix-socket (subpath {path})))" for path in inside),
    ]


def _closed(hide: Sequence[str], write: Sequence[str]) -> list[str]:
    """Return what comes last: no rule above opens a hidden place, by its name or by another one."""
    # A hard link would be such a name, and so would a directory above that is renamed.
    above = [path for path in _above(hide) if any(is_within(path, directory) for directory in write)]
    return [
        "(deny file-link)",
        *_rule("deny", "file-write-unlink", "literal", _both(above)),
        *_rule("deny", "file-read* file-write*", "subpath", _both(hide)),
    ]


def _rule(word: str, operations: str, kind: str, places: Iterable[str]) -> list[str]:
    """Return a rule for paths, a line each; none where there are none, since without them it held for all."""
    lines = [f"  ({kind} {_string(path)})" for path in places]
    return [f"({word} {operations}", *lines, ")"] if lines else []


def _string(text: str) -> str:
    """Return a text as a string of Scheme.

    Raises:
        ValueError: It has control characters, or bytes that are no text; how those are read isn't known.
    """
    if _UNTOLD.search(text):
        raise ValueError(f"a path that can't be told to the sandbox: {text!r}")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _real(places: Iterable[str]) -> list[str]:
    """Return absolute paths without symbolic links, each once.

    Raises:
        ValueError: One is relative.
    """
    found: dict[str, None] = {}
    for path in places:
        if not os.path.isabs(path):
            raise ValueError(f"not an absolute path: {path!r}")
        found[os.path.realpath(path)] = None
    return list(found)


def _both(places: Iterable[str]) -> list[str]:
    """Return paths and their second names."""
    return [name for path in places for name in (path, _DATA + path)]


def _above(places: Iterable[str]) -> list[str]:
    """Return the directories above paths, each once, sorted."""
    found = set()
    for path in places:
        parent = os.path.dirname(path)
        while parent not in found:
            found.add(parent)
            parent = os.path.dirname(parent)
    return sorted(found)
