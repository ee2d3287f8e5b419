"""One pip command under protection: its policy, its guard, and what it has seen so far.

A *run* is one pip process. Everything here is plain state and bookkeeping;
decisions are the guard's.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import shlex
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from veln_hook.adapters.pip import previous
from veln_hook.errors import VelnHookError
from veln_hook.guard import Guard
from veln_hook.index import strip_credentials
from veln_hook.model import Candidate, ExitStatus, Verdict, exit_status, strictest
from veln_hook.policy.switch import policy_and_switch
from veln_hook.report import ci
from veln_hook.report.switching import switched_off
from veln_hook.report.wording import printable, tell, tell_lifted, tell_slow
from veln_hook.store import open_policy_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from veln_hook.adapters.pip.build_places import SourceTree
    from veln_hook.model import Archive
    from veln_hook.policy.settings import Policy
    from veln_hook.store import Store

logger = logging.getLogger("veln_hook")


class StoppedError(VelnHookError):
    """pip must not go on; ``refusal`` turns it into an error that pip prints."""

    def __init__(self, message: str, status: ExitStatus) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Wanted:
    """A release that pip would have chosen, had it passed."""

    verdict: Verdict
    instead: str
    """Version that the finder offers instead; empty if none."""
    starved: bool = False
    """Some requirement had nothing left, and what is used is what doesn't have it."""


@dataclass
class Run:
    """State of one run; made by ``begin``."""

    prefix: str
    """``pip._internal.``, or a vendored pip's."""
    off: bool = False
    policy: Policy | None = None
    store: Store | None = None
    the_guard: Guard | None = None
    judged: dict[str, Verdict] = field(default_factory=dict)
    """Verdicts by URL without fragment."""
    offered: list[tuple[Any, str, list[Any]]] = field(default_factory=list)
    """Finder, project and pip's answer for it: in it are files that need no look until pip wants one."""
    answers: dict[str, tuple[Any, list[Any]]] = field(default_factory=dict)
    """By project: the finder and its answer, before anything was taken out of it."""
    from_finder: set[str] = field(default_factory=set)
    """URLs that pip's finder offered: where one is refused, another may be taken."""
    roots: list[Any] = field(default_factory=list)
    """pip's ``InstallRequirement`` objects for what the user asked for."""
    wanted: dict[str, Wanted] = field(default_factory=dict)
    """By project: what the last question to the finder would have answered."""
    starved: dict[str, Verdict] = field(default_factory=dict)
    """By project: a held release without which a requirement had nothing left; pip looked elsewhere."""
    chosen: dict[str, Candidate] = field(default_factory=dict)
    """By URL: the candidates that the resolver looked into."""
    archives: dict[str, tuple[tuple[int, ...], Verdict]] = field(default_factory=dict)
    """By real path: identity of the file when it was judged, and its verdict."""
    resolved: list[str] = field(default_factory=list)
    """URLs of what the resolver settled on."""
    unpacked: set[str] = field(default_factory=set)
    """URLs whose contents were judged."""
    sources: list[SourceTree] = field(default_factory=list)
    """Source trees that were prepared, and that builds may run in."""
    told: set[tuple[str, str]] = field(default_factory=set)
    refusals: list[Verdict] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    """What was refused, as it was told."""
    notices: list[str] = field(default_factory=list)
    """What else a person should know although the run goes on; a pip that started this one tells it."""
    status: ExitStatus = ExitStatus.OK
    """What a refusal asks for beyond its verdicts: our own failures, and a child's statuses."""

    @property
    def guard(self) -> Guard:
        """The guard; only asked for while protection is on."""
        if self.the_guard is None:
            raise StoppedError("protection is switched off, so nothing can be judged", ExitStatus.BROKEN)
        return self.the_guard

    def tell(self, verdict: Verdict, *, instead: str = "", kept: bool = False, starved: bool = False) -> None:
        """Print a verdict, once a release, the way pip prints."""
        key = (verdict.decision.word, f"{verdict.subject.release} {instead}")
        if key not in self.told:
            self.told.add(key)
            lines = self._lines(verdict, instead=instead, kept=kept, starved=starved)
            before, after = ci.markers(verdict, lines, os.environ, comes_from=self._comes_from(verdict))
            sys.stderr.write(before)
            logger.warning("%s", "\n".join(lines))
            sys.stderr.write(after)
            ci.summarize(verdict, os.environ, instead=instead)

    def tell_ci_of_refusals(self) -> None:
        """Tell a CI service of what stopped the run, which pip has printed as its own error."""
        for verdict in self.refusals:
            lines = self._lines(verdict)
            before, after = ci.markers(verdict, lines, os.environ, comes_from=self._comes_from(verdict))
            sys.stderr.write(f"{before}{lines[0]}\n{after}" if after else before)
            ci.summarize(verdict, os.environ)

    def _comes_from(self, verdict: Verdict) -> str:
        """Return where the user's own requirement stands, as pip says it; empty if there is none."""
        project = verdict.subject.project
        for root in self.roots:
            if canonicalize_name(root.name or "") == project:
                return str(root.comes_from or "")
        return ""

    def notice(self, line: str) -> None:
        """Print a line that '-q' doesn't silence, here and in the pip that started this one."""
        self.notices.append(line)
        logger.warning("%s", line)

    def tell_lifted(self, verdict: Verdict) -> None:
        """Print that a release passes because a person or the policy said so, once."""
        line = tell_lifted(verdict)
        if line and ("lifted", verdict.subject.release) not in self.told:
            self.told.add(("lifted", verdict.subject.release))
            logger.info("%s", line)

    def refuse(self, verdicts: Sequence[Verdict], *, note: str = "") -> StoppedError:
        """Return the error that ends this run because of ``verdicts``; the caller raises it."""
        self.refusals.extend(verdicts)
        lines = [line for verdict in verdicts for line in self._lines(verdict)]
        if note:
            lines.append(f"      {note}")
        return StoppedError("\n".join(lines), exit_status(list(verdicts)))

    def _lines(self, verdict: Verdict, **more: Any) -> list[str]:
        ask = self.policy is not None and bool(self.policy.store_url)
        return tell(verdict, approve=self.approve_options(verdict), ask=ask, **more)

    def approve_options(self, verdict: Verdict) -> str | None:
        """Return what ``approve`` needs to find the same index; ``None`` if no approval would count."""
        if self.policy is not None and not self.policy.approvals_count:
            return None
        subject = verdict.subject
        candidate = subject if isinstance(subject, Candidate) else subject.candidate
        index = candidate.index if candidate is not None else ""
        # What pip's configuration names is found without being told; what was typed isn't.
        typed = [word.partition("=")[2] if word.startswith("--") else word for word in sys.argv[1:]]
        if index and index in [f"{strip_credentials(word).rstrip('/')}/" for word in typed if "://" in word]:
            return f"-i {shlex.quote(index)}"
        return ""

    def exit_status(self) -> ExitStatus:
        """Return the exit status of a run that failed; OK if it failed for pip's own reasons."""
        return strictest({self.status, exit_status(self.refusals)})

    def tell_slow(self, archive: Archive) -> None:
        """Print what is being read, the way pip prints, where it takes a while."""
        logger.info("%s", tell_slow(archive))

    def close(self) -> None:
        """Release the store, and end the process that reads code."""
        if self.the_guard is not None:
            self.the_guard.close()
        if self.store is not None:
            with contextlib.suppress(VelnHookError):
                self.store.close()
            self.store = None
        self.the_guard = None


_current: Run | None = None
_beginning = threading.RLock()
"""Old pips ask their finder from several threads ('pip list --outdated' of 21.3)."""


def current(prefix: str) -> Run:
    """Return this process's run, beginning one where pip's functions are used without a command (pip-tools).

    Raises:
        VelnHookError: The policy, a plugin or the store can't be used.
    """
    with _beginning:
        if _current is None or _current.prefix != prefix:
            return begin(prefix)
        return _current


def active() -> Run | None:
    """Return this process's run if one was begun."""
    return _current


def begin(prefix: str) -> Run:
    """Begin a run: read the policy, open the store, load the signals.

    Raises:
        VelnHookError: The policy, a plugin or the store can't be used.
    """
    global _current  # noqa: PLW0603 - a run is a process
    with _beginning:
        if _current is not None:
            _current.close()
        else:
            atexit.register(_close)  # for who uses pip's functions without a command, which would close it
        run = Run(prefix)
        try:
            _prepare(run)
        finally:
            # Not before it is whole, or another thread would judge with half of it; one that failed
            # keeps what is told and the exit status.
            _current = run
    return run


def _prepare(run: Run) -> None:
    policy, switch = policy_and_switch(os.environ)
    run.policy = policy
    store = run.store = open_policy_store(policy)
    if switch.refused:
        logger.warning("veln-hook: VELN_HOOK=off is not honoured here: locked by %s", switch.locked_by)
    if switch.off:
        run.off = True
        logger.warning("veln-hook: switched off by VELN_HOOK=off; nothing of this run is judged")
        # A store that fails is no reason to refuse what was switched off.
        with contextlib.suppress(VelnHookError):
            store.record([switched_off(["pip", *sys.argv[1:]])])
        return
    for setting in policy.ignored:
        logger.warning(
            "veln-hook: %s = %s in %s is ignored: %s",
            setting.key,
            printable(setting.value),
            printable(setting.path),
            setting.reason,
        )
    info = store.info()
    if info.set_aside:
        logger.warning(
            "veln-hook: the store was corrupt and is set aside as %s; approvals in it no longer count",
            info.set_aside,
        )
    run.the_guard = Guard(
        policy, store, prefix=sys.prefix, baselines=previous.Previous(run), on_slow=run.tell_slow
    )


def _close() -> None:
    if _current is not None:
        _current.close()


@contextlib.contextmanager
def stopping(prefix: str) -> Iterator[None]:
    """Turn whatever goes wrong in our own code into a refusal that pip prints in its own way.

    Only our own work belongs inside, never a call of pip's original function:
    pip's errors are pip's.
    """
    try:
        yield
    except StoppedError as stop:
        raise refusal(prefix, str(stop), stop.status) from stop
    except VelnHookError as error:
        raise refusal(prefix, f"HOLD  veln-hook: {error}\n      {error.advice}", ExitStatus.BROKEN) from error
    except Exception as error:
        if isinstance(error, _pip_error(prefix)):
            raise
        message = f"HOLD  veln-hook failed and could not judge this: {type(error).__name__}: {error}"
        raise refusal(prefix, f"{message}\n      {VelnHookError.advice}", ExitStatus.BROKEN) from error


def refusal(prefix: str, message: str, status: ExitStatus) -> Exception:
    """Return an error of pip's own kind.

    pip prints an ``InstallationError`` as one ``ERROR:`` and returns 1; pip-tools
    tries again without its old pins on ``DistributionNotFound``, which is one.
    """
    # Paths and names in it can come from anybody.
    message = "\n".join(printable(line, limit=None) for line in message.split("\n"))
    if _current is not None:
        _current.status = strictest({_current.status, status})
        _current.messages.append(message)
    error: Exception = _refusal_type(prefix)(message)
    return error


_types: dict[str, type[Exception]] = {}


def _refusal_type(prefix: str) -> type[Exception]:
    if prefix not in _types:
        bases: list[Any] = [sys.modules[f"{prefix}exceptions"].DistributionNotFound]
        if "piptools.exceptions" in sys.modules:
            # pip-compile prints its own errors in a line and everything else as a traceback.
            bases.append(sys.modules["piptools.exceptions"].PipToolsError)
        _types[prefix] = type("RefusedByVelnHook", tuple(bases), {"__module__": __name__})
    return _types[prefix]


def _pip_error(prefix: str) -> type[Exception]:
    error: type[Exception] = sys.modules[f"{prefix}exceptions"].PipError
    return error
