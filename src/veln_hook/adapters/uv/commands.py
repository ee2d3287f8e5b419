"""What a command line of uv does: it passes as it is, or goes through the gate.

Rules of this module: what isn't known is gated; only what was looked up in uv's own help may pass. It imports
nothing but the standard library's smallest parts, because shims ask it before every command.

Source: ``uv help`` and ``uv-cli/src/lib.rs`` of uv 0.5 to 0.13.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # as ``typing`` has it, which takes longer to import than all of this
    from collections.abc import Sequence

PASS = "pass"  # noqa: S105 - a way, and no word
"""It neither resolves nor installs: uv is run with the environment that we have."""
GATED = "gated"
"""It may resolve, build or install."""
RUN = "run"
"""It may install, and then runs a program that must not have the gate in its environment."""
SERVICE = "service"
"""It is gated, and fetches from places besides the indexes by its nature (``services``)."""

HELP_FLAGS = frozenset({"-h", "--help", "-V", "--version"})
"""uv answers these as soon as it reads them, whatever follows."""
GLOBAL_FLAGS = frozenset(
    {
        "--allow-python-downloads",
        "--isolated",
        "--managed-python",
        "--native-tls",
        "--no-cache",
        "--no-cache-dir",
        "--no-color",
        "--no-config",
        "--no-installer-metadata",
        "--no-managed-python",
        "--no-native-tls",
        "--no-offline",
        "--no-preview",
        "--no-progress",
        "--no-python-downloads",
        "--no-system-certs",
        "--offline",
        "--preview",
        "--quiet",
        "--system-certs",
        "--verbose",
        "-n",
        "-q",
        "-v",
    }
)
"""Options that stand before any command and take no value."""
GLOBAL_VALUES = frozenset(
    {
        "--allow-insecure-host",
        "--cache-dir",
        "--color",
        "--config-file",
        "--directory",
        "--preview-feature",
        "--preview-features",
        "--project",
        "--python-fetch",
        "--python-preference",
        "--trusted-host",
    }
)
"""Those that take one."""

NAMESPACES = frozenset({"auth", "build-backend", "cache", "pip", "python", "self", "tool", "workspace"})
"""Commands that are named by two words."""

WAYS = {
    ("add",): GATED,
    ("audit",): SERVICE,
    ("auth", "dir"): PASS,
    ("auth", "helper"): PASS,
    ("auth", "login"): PASS,
    ("auth", "logout"): PASS,
    ("auth", "token"): PASS,
    ("build",): GATED,
    ("cache", "clean"): PASS,
    ("cache", "dir"): PASS,
    ("cache", "prune"): PASS,
    ("cache", "size"): PASS,
    ("check",): SERVICE,  # it fetches a type checker
    ("export",): GATED,  # it locks
    ("format",): SERVICE,  # it fetches a formatter
    ("generate-shell-completion",): PASS,
    ("help",): PASS,
    ("init",): PASS,
    ("lock",): GATED,
    ("pip", "check"): PASS,
    ("pip", "compile"): GATED,
    ("pip", "freeze"): PASS,
    ("pip", "install"): GATED,
    ("pip", "list"): PASS,
    ("pip", "ls"): PASS,
    ("pip", "show"): PASS,
    ("pip", "sync"): GATED,
    ("pip", "tree"): PASS,
    ("pip", "uninstall"): PASS,
    ("publish",): SERVICE,
    ("python", "dir"): PASS,
    ("python", "find"): PASS,
    ("python", "install"): SERVICE,
    ("python", "list"): PASS,
    ("python", "pin"): PASS,
    ("python", "uninstall"): PASS,
    ("python", "update-shell"): PASS,
    ("python", "upgrade"): SERVICE,
    ("remove",): GATED,  # it locks and synchronizes
    ("run",): RUN,
    ("self", "update"): SERVICE,
    ("self", "version"): PASS,
    ("sync",): GATED,
    ("tool", "audit"): SERVICE,
    ("tool", "dir"): PASS,
    ("tool", "install"): GATED,
    ("tool", "list"): PASS,
    ("tool", "ls"): PASS,
    ("tool", "run"): RUN,
    ("tool", "uninstall"): PASS,
    ("tool", "update-shell"): PASS,
    ("tool", "upgrade"): GATED,
    ("tool", "uvx"): RUN,  # what the program uvx asks uv for
    ("tree",): GATED,  # it locks
    ("venv",): GATED,  # it fetches pip with --seed, and may fetch Python
    ("version",): GATED,  # with --bump it locks and synchronizes; see below
    ("workspace", "dir"): PASS,
    ("workspace", "list"): PASS,
    ("workspace", "metadata"): GATED,  # it locks
}
"""Every command that was looked at."""
_READS_VERSION = frozenset({"--short", "--output-format=json", "--output-format=text"})


class Line:
    """One command line of uv.

    Attributes:
        way: ``PASS``, ``GATED``, ``RUN`` or ``SERVICE``.
        command: The words that name the command, such as ``("pip", "install")``; empty if that isn't plain.
        head: Everything up to the command, the words that name it included.
        words: What follows.
    """

    __slots__ = ("command", "head", "way", "words")

    def __init__(self, way: str, command: tuple[str, ...], head: Sequence[str], words: Sequence[str]) -> None:
        self.way, self.command, self.head, self.words = way, command, tuple(head), tuple(words)


def classify(words: Sequence[str]) -> Line:
    """Read a command line of uv.

    Args:
        words: What follows ``uv``.
    """
    at, way = _skip_options(words, 0)
    if way:
        return Line(way, (), words[:at], words[at:])
    command: tuple[str, ...] = (words[at],)
    at += 1
    if command[0] in NAMESPACES:
        at, way = _skip_options(words, at)
        if way:
            return Line(way, (), words[:at], words[at:])
        command, at = (*command, words[at]), at + 1
    way = WAYS.get(command, GATED)
    if command == ("version",) and _READS_VERSION.issuperset(words[at:]):
        way = PASS
    elif way == RUN and at == len(words) and command != ("run",):
        way = PASS  # it lists the tools that there are
    elif way == RUN and words[at : at + 1] and words[at] in HELP_FLAGS:
        way = PASS
    return Line(way, command, words[:at], words[at:])


def classify_uvx(words: Sequence[str]) -> Line:
    """Read a command line of uvx.

    Args:
        words: What follows ``uvx``.
    """
    return classify(("tool", "uvx", *words))


def _skip_options(words: Sequence[str], at: int) -> tuple[int, str]:
    """Return where the options end, and a way if it is plain by then which one it is."""
    while at < len(words):
        word = words[at]
        if not word.startswith("-"):
            return at, ""
        if word in HELP_FLAGS:
            return at, PASS
        name, equals, _ = word.partition("=")
        if name in GLOBAL_VALUES:
            at += 1 if equals else 2
        elif word in GLOBAL_FLAGS or _is_cluster(word):
            at += 1
        else:
            return at, GATED
    return len(words), PASS  # without a command uv shows its help


def _is_cluster(word: str) -> bool:
    """Tell whether it is several short flags in one word, such as ``-qn``."""
    return len(word) > 1 and word[0] == "-" and all(f"-{letter}" in GLOBAL_FLAGS for letter in word[1:])
