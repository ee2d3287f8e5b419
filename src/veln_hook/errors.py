"""Every error this program raises on purpose.

Each has a ``slug`` that is a heading of docs/errors.md, and ``advice``: what the
reader can do about it, in one line. Code of ours raises these only; errors of
others are turned into them where they enter.
"""

from __future__ import annotations

from typing import ClassVar


class VelnHookError(Exception):
    """Base of all; its text is one line for the user, without a trailing full stop."""

    slug: ClassVar[str] = "internal"
    advice: str = "This is a bug in veln-hook; please report it with the command you ran."

    def __init__(self, message: str, *, advice: str | None = None) -> None:
        super().__init__(message)
        if advice is not None:
            self.advice = advice


class UsageError(VelnHookError, ValueError):
    """The command line asks for something that can't be done; exit status 2."""

    slug = "usage"
    advice = "See 'veln-hook --help'."


class PolicyError(VelnHookError, ValueError):
    """A policy file can't be read, or says something it may not say.

    Attributes:
        path: The file, or ``environment`` / ``command line``.
        line: 1-based line of the key, or ``None`` if the line can't be told.
        key: Dotted key, such as ``cooling.min_age``; empty if the file as a whole is at fault.
    """

    slug = "policy"
    advice = "Mend the policy file, then run 'veln-hook policy validate'."

    def __init__(
        self, message: str, *, path: str, line: int | None = None, key: str = "", advice: str | None = None
    ) -> None:
        self.path, self.line, self.key = path, line, key
        place = path if line is None else f"{path}:{line}"
        super().__init__(f"{place}: {key + ': ' if key else ''}{message}", advice=advice)


class StoreError(VelnHookError):
    """The store of observations and approvals does not answer, is corrupt, or is newer than this program."""

    slug = "store"
    advice = "Run 'veln-hook status' to see where the store lies and what is wrong with it."


class FeedError(VelnHookError):
    """The feed of known malware can't be read, made or fetched."""

    slug = "feed"
    advice = "Run 'veln-hook feed update', or 'veln-hook feed import FILE' where no server can be reached."


class IndexUnavailableError(VelnHookError):
    """An index did not answer, or not with a page of the Simple API (PEP 503, PEP 691)."""

    slug = "index"
    advice = "Check the index URL and the network, then try again."


class ArchiveError(VelnHookError):
    """An archive can't be read safely.

    Attributes:
        issues: Everything that is wrong with it, each one sentence.
    """

    slug = "archive"
    advice = "Don't install this file; tell the index or the project about it."

    def __init__(self, message: str, *, issues: tuple[str, ...] = ()) -> None:
        self.issues = issues
        super().__init__(message)


class SignalError(VelnHookError):
    """A signal raised; its findings are unknown, so what it looked at is held."""

    slug = "signal"
    advice = "Report it to whoever wrote the signal; 'veln-hook policy show' names the plugins in force."

    def __init__(self, signal: str, message: str) -> None:
        self.signal = signal
        super().__init__(message)


class PluginError(VelnHookError):
    """A plugin that the policy enables can't be loaded."""

    slug = "plugin"
    advice = "Install the plugin in this environment, or take it out of 'plugins.enable' in the policy."


class UnsupportedPipError(VelnHookError):
    """This pip lacks a point that must be guarded, so nothing could be promised about it."""

    slug = "unsupported-pip"
    advice = "Use a pip between 21.3 and 26.3, or upgrade veln-hook."


class CarryError(VelnHookError):
    """The protection can't be carried into another interpreter that pip is about to start."""

    slug = "carry"
    advice = "Install veln-hook in that interpreter's environment, or run its own pip there."


class SandboxError(VelnHookError):
    """This machine can't confine a command, so it isn't run."""

    slug = "sandbox"
    advice = "'veln-hook doctor' tells what this machine allows, and what would help."


class GateError(VelnHookError):
    """The gate can't do its work: it is closing, has lost a process, or has no room for a file."""

    slug = "gate"
    advice = "Run the command again."


class EnableError(VelnHookError):
    """Protection can't be switched on or off there."""

    slug = "enable"
    advice = "Nothing is changed where that isn't told; 'veln-hook doctor' tells what is protected."
