"""One gate around commands: what ``veln-hook uv`` and ``veln-hook run --gate`` share.

Where this machine allows it the command gets a network of its own whose only exit is the gate; elsewhere it
is only told to use it, by a URL with a password and by trusting nobody but the gate.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import sys
import tempfile
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from veln_hook import clock, paths
from veln_hook.adapters.uv import cache as caches
from veln_hook.cli import foreground
from veln_hook.cli.late import LateJudging, LateUpstream
from veln_hook.errors import SandboxError
from veln_hook.feed import Feed
from veln_hook.feed.state import learned_since
from veln_hook.gate.allow import Rules
from veln_hook.gate.authority import Authority
from veln_hook.gate.egress import Egress
from veln_hook.gate.hosts import HTTP_PORT, HTTPS_PORT
from veln_hook.gate.intercept import Interceptor
from veln_hook.model import Candidate, Decision, ExitStatus
from veln_hook.report import ci, json_form, wording
from veln_hook.report.wording import printable, tell_lifted
from veln_hook.sandbox import net_only
from veln_hook.store import open_policy_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    from veln_hook.cli.console import Console
    from veln_hook.gate.exchange import Responder
    from veln_hook.index_proxy.ledger import Ledger
    from veln_hook.index_proxy.proxy import IndexProxy
    from veln_hook.model import Verdict
    from veln_hook.policy.settings import Policy
    from veln_hook.sandbox.ladder import Ladder

_USER = "veln-hook"
_PUBLIC = ("pypi.org", "files.pythonhosted.org")
_MAX_LINES = 5


class Openings(NamedTuple):
    """What a gate lets through, once it is judged."""

    indexes: Iterable[str]
    pages: Iterable[str] = ()
    files: Iterable[str] = ()
    allow: Iterable[str] = ()
    """Hosts that are no indexes, for everything."""


class Place(NamedTuple):
    """How a command behind the gate finds it."""

    proxy: str
    """URL, its password included."""
    certificate: str
    """A file with the gate's certificate."""


class Gate:
    """A gate, and commands that run behind it one after the other; a context manager.

    Args:
        policy: The settings in force.
        environ: The user's own: the gate goes through the proxies and trusts the certificates named there.
        openings: What it lets through.
        ladder: Tells how this machine confines builds.
        prefix: ``sys.prefix`` of the environment installed into.
        installed: Tells the version of a project that is installed there.
        around: Makes another responder of the index proxy, one that is asked first.

    Raises:
        UsageError: A host that is to be allowed can't be read, or a certificate, or a proxy.
    """

    def __init__(
        self,
        policy: Policy,
        environ: Mapping[str, str],
        openings: Openings,
        *,
        ladder: Callable[[], Ladder] | None = None,
        prefix: str = sys.prefix,
        installed: Callable[[str], str] | None = None,
        around: Callable[[Responder], Responder] | None = None,
    ) -> None:
        self._stack = ExitStack()
        self._walls: net_only.Found | None = None
        self._looking = threading.Thread(target=self._look_for_walls, daemon=True)
        self._looking.start()
        rules = Rules(openings.allow, ports=(HTTP_PORT, HTTPS_PORT))

        def make() -> IndexProxy:
            from veln_hook.index_proxy.opening import open_index_proxy  # noqa: PLC0415 - see LateJudging

            return open_index_proxy(
                policy,
                indexes=openings.indexes,
                find_links=openings.pages,
                files=openings.files,
                rules=rules,
                ladder=ladder,
                prefix=prefix,
                installed=installed,
            )

        self._judging = LateJudging(make)
        upstream = LateUpstream(environ)
        self._authority = Authority()
        responder: Responder = self._judging if around is None else around(self._judging)
        handler = Interceptor(responder, self._authority, upstream, covers=lambda _target: True)
        self._interceptor = handler
        self._egress = Egress((), handlers=[handler])

    def __enter__(self) -> Gate:
        """Open it; signals must be held by then (``foreground.signals_held``)."""
        with self._stack as stack:
            directory = tempfile.mkdtemp(prefix="veln-hook-gate-")
            stack.callback(shutil.rmtree, directory, ignore_errors=True)
            self._certificate = os.path.join(directory, "certificate.pem")
            with open(self._certificate, "xb") as file:
                file.write(self._authority.certificate)
            stack.callback(self._egress.close)
            stack.callback(self._judging.close)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write down what was held, and close everything. Does nothing the second time."""
        self._looking.join()
        self._stack.close()

    @property
    def ledger(self) -> Ledger | None:
        """What was held, refused and used; ``None`` if nothing was asked for."""
        return self._judging.ledger

    def exit_status(self) -> ExitStatus:
        """Return the exit status of a command that failed; OK if it failed for its own reasons."""
        return ExitStatus.OK if self.ledger is None else self.ledger.exit_status()

    def run(
        self,
        argv: Sequence[str],
        environment: Callable[[Place], Mapping[str, str]],
        *,
        blocked: Iterable[int],
    ) -> int:
        """Run a command behind the gate and wait for it; return its wait status.

        Args:
            argv: The program, with its path, and its arguments.
            environment: Makes its environment.
            blocked: The signals that are blocked in it.

        Raises:
            SandboxError: The gate can't be opened to it.
        """
        self._looking.join()
        try:
            if self._walls is not None and self._walls.works:
                return self._run_walled(argv, environment, set(blocked))
            password = secrets.token_urlsafe(32)
            port = self._egress.listen(password=password)
            place = Place(f"http://{_USER}:{password}@127.0.0.1:{port}", self._certificate)
            child = foreground.Child(
                argv, environment=environment(place), descriptors=(), blocked=set(blocked)
            )
        except OSError as error:
            message = f"{argv[0]} can't be run behind the gate: {error.strerror or error}"
            raise SandboxError(message) from error
        return child.wait()

    def _run_walled(
        self, argv: Sequence[str], environment: Callable[[Place], Mapping[str, str]], blocked: set[int]
    ) -> int:
        route = self._egress.open_route()
        try:
            child = foreground.Child(
                net_only.command(argv, route),
                environment=environment(Place(net_only.PROXY_URL, self._certificate)),
                descriptors=(route,),
                blocked=blocked,
            )
        finally:
            os.close(route)
        return child.wait()

    def lines(self) -> list[str]:
        """Return what else there is to tell: what was refused, our own failures, who distrusts the gate."""
        found = [] if self.ledger is None else self.ledger.notes()
        for attempt in self._interceptor.distrusted():
            found.append(
                f"{attempt.host}: {attempt.process or 'a program'} doesn't trust the gate's certificate, and "
                "reached nothing"
            )
        found += [
            f"{row.host} was not reached"
            for row in self._egress.refusals()
            if not any(row.host in line for line in found)
        ]
        found += [fault.strip().rpartition("\n")[2] for fault in self._egress.faults()]
        return [f"veln-hook: {printable(line)}" for line in dict.fromkeys(found)]

    def _look_for_walls(self) -> None:
        self._walls = net_only.find()


def cache_in(base: str, policy: Policy, *, needs: str) -> str:
    """Return the cache for what the policy lets pass now; see ``adapters.uv.cache``.

    Args:
        base: Directory of all our caches.
        policy: The settings in force.
        needs: Who needs it, with the verb, for the advice where it can't be made.

    Raises:
        SandboxError: It can't be made.
        StoreError: The store can't be used.
    """
    store = open_policy_store(policy, audited=False)
    try:
        now = clock.now()
        learned = learned_since(Feed(paths.feed_file()), store, policy, now)
        return caches.cache_for(base, policy, store.approvals(), now, learned=learned)
    except OSError as error:
        raise SandboxError(
            f"{printable(base)}: the cache can't be made: {error.strerror or error}",
            advice=f"{needs} a cache that holds only what was judged; make that directory writable.",
        ) from error
    finally:
        store.close()


class Story(NamedTuple):
    """What there is to tell of a command."""

    told: Sequence[tuple[Verdict, str]]
    """Verdicts, and the version that was used instead."""
    lifted: Sequence[Verdict] = ()
    """What passed because a person or the policy said so."""
    lines: Sequence[str] = ()
    """What else was refused."""


def story(ledger: Ledger | None, lines: Sequence[str], more: Sequence[Verdict] = ()) -> Story:
    """Return what a gate has to tell.

    Args:
        ledger: What happened.
        lines: What else was refused.
        more: Verdicts that were made beside the gate.
    """
    told = [(verdict, "") for verdict in more if verdict.decision is not Decision.ALLOW]
    lifted = [verdict for verdict in more if verdict.passes]
    if ledger is not None:
        told += [(each.verdict, each.instead) for each in ledger.told()]
        lifted = [*ledger.lifted(), *lifted]
    return Story(told, lifted, lines)


def tell(console: Console, policy: Policy, what: Story, *, silent: bool = False) -> None:
    """Tell what was held, and what was used instead.

    Args:
        console: Where it is told.
        policy: Whether approvals count.
        what: There is to tell.
        silent: Whether nothing but the JSON is wanted.
    """
    for verdict, instead in what.told:
        console.result({**json_form.verdict_object(verdict), "instead": instead or None})
        if not silent:
            approve = _approve(verdict, policy)
            ask = bool(policy.store_url)
            lines = wording.tell(verdict, instead=instead, approve=approve, ask=ask)
            before, after = ci.markers(verdict, lines, os.environ)
            sys.stderr.write(before)
            console.verdict(verdict, instead=instead, approve=approve, ask=ask)
            sys.stderr.write(after)
        ci.summarize(verdict, os.environ, instead=instead)
    if silent:
        return
    for line in filter(None, map(tell_lifted, what.lifted)):
        console.note(line)
    for line in what.lines[:_MAX_LINES]:
        console.line(line)
    if len(what.lines) > _MAX_LINES:
        console.line(f"veln-hook: and {len(what.lines) - _MAX_LINES} more of the kind")


def _approve(verdict: Verdict, policy: Policy) -> str | None:
    """Return what ``approve`` needs to find the same index, which pip's configuration needn't name."""
    if not policy.approvals_count:
        return None
    subject = verdict.subject
    candidate = subject if isinstance(subject, Candidate) else subject.candidate
    index = candidate.index if candidate is not None else ""
    host = ""
    with suppress(ValueError):
        host = urlsplit(index).hostname or ""
    return f"-i {shlex.quote(index)}" if index and host not in _PUBLIC else ""
