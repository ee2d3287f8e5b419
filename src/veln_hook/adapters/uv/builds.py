"""uv's builds run in the sandbox: without network, credentials or a way to write elsewhere.

uv is another program, and starts Python for each step of a build. ``Builds.environment`` gives it variables
by which each of these asks here first (``build_start``), and is started anew in the sandbox. One that makes a
wheel asks again before it ends (``build_waiter``): what it made is judged before uv takes it.

What uv was given for itself (the gate's proxy and certificate, the cache) is taken back from a step: it gets
what the user had. Rules of this module: as in ``adapters.pip.builds``.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import TYPE_CHECKING, NamedTuple

from veln_hook.adapters.building import network
from veln_hook.adapters.building.places import GIT_TRUSTS, PlaceError, files_to_hide
from veln_hook.adapters.building.refusals import by_host, no_network_line, refusal_line
from veln_hook.adapters.uv import build_places, build_step, build_trial
from veln_hook.adapters.uv.build_asking import Asking
from veln_hook.adapters.uv.build_door import Become, GoOn, Stop
from veln_hook.adapters.uv.build_step import NotAStepError
from veln_hook.adapters.uv.judging import Judging
from veln_hook.errors import ArchiveError, SandboxError
from veln_hook.model import ExitStatus, strictest
from veln_hook.report.wording import printable, tell
from veln_hook.sandbox import environment, hiding, ladder
from veln_hook.sandbox.client import Launch
from veln_hook.sandbox.interface import Confinement, Rung
from veln_hook.sandbox.ladder import Ladder, Probe
from veln_hook.sandbox.layout import is_within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from veln_hook.adapters.building.network import BuildGate
    from veln_hook.adapters.uv.build_door import Answer, Asked
    from veln_hook.adapters.uv.build_places import Tree
    from veln_hook.adapters.uv.build_step import Step
    from veln_hook.guard import Guard
    from veln_hook.model import Verdict
    from veln_hook.policy.settings import SandboxPolicy
    from veln_hook.sandbox.interface import Refusal, Report

_KEPT = ("PATH", "PYTHONPATH", "PYTHONNOUSERSITE", "VIRTUAL_ENV")
"""Variables by which uv tells a build where its requirements are."""
_OPEN_DOORS = ("PYTHON", "LD_", "DYLD_", "GCONV_PATH", "LOCPATH", "GLIBC_TUNABLES", "MALLOC_", "NLSPATH")
_WAITER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "build_waiter.py")
_MAX_TOLD = 5
"""Hosts that the refusals of one build are told of; the rest is counted."""


def leads_around(variable: str) -> bool:
    """Tell whether a variable for builds (``tool.uv.extra-build-variables``) would start them unconfined.

    uv lays these over the environment of a step: what says what Python or its loader loads first would take
    our own part away, or run before it.
    """
    return variable.upper().startswith(_OPEN_DOORS)


class Builds:
    """The builds of one uv; a context manager, to be left once uv has ended.

    Args:
        policy: How builds are to be confined. With ``builds = "off"`` they aren't; what they make is judged.
        environ: The user's own environment, secrets included.
        cache: The cache that uv works in; need not exist yet.
        uv: The real uv, by its absolute path.
        guard: Makes a guard with a store of its own, both of which are closed with this.
        installs: Whether uv may install what it builds; otherwise only its build requirements are judged.
        index_hosts: Tells the hosts of the indexes in use, and of their files; no build reaches them.
        find: Tells what this machine can do; asked once, when the first build comes.

    Raises:
        SandboxError: The policy requires builds to be confined, and this uv's can't be.
        OSError: There is no place for a private directory.
    """

    def __init__(
        self,
        policy: SandboxPolicy,
        environ: Mapping[str, str],
        *,
        cache: str,
        uv: str,
        guard: Callable[[], Guard],
        installs: bool = True,
        index_hosts: Callable[[], Iterable[str]] = tuple,
        find: Callable[[], Ladder] = ladder.find,
    ) -> None:
        self._policy = policy
        self._environ = dict(environ)
        self._cache, self._index_hosts, self._find = cache, index_hosts, find
        self._given: dict[str, str] = {}
        self._lock = threading.Lock()
        self._finding = threading.Lock()
        self._ladder: Ladder | None = None
        self._secrets: Mapping[str, tuple[str, ...]] | None = None
        self._gate: BuildGate | None = None
        self._running: dict[int, _Running] = {}
        self._ended: list[_Ended] = []
        self._unconfined: dict[str, None] = {}
        self._stopped: dict[str, ExitStatus] = {}
        self._judging = Judging(guard, cache, self.ladder)
        self._installs = installs
        self._asking: Asking | None = None
        self.problem = ""
        """Why this uv's builds can't be confined, whatever this machine could do; empty if they can."""
        if sys.platform != "win32":
            self.problem = build_trial.problem(uv)
            if self.problem and policy.builds == "require":
                raise SandboxError(
                    f"uv's builds can't be confined: {self.problem}",
                    advice='With sandbox.builds = "auto" in the policy, sdists are held instead.',
                )
            self._asking = Asking(uv, self._answer, self._made)

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment that uv is to have.

        Args:
            environ: What it would have otherwise: the user's, and what was made of it for the gate.
        """
        self._given = dict(environ) if self._asking is None else self._asking.environment(environ)
        return dict(self._given)

    def ladder(self) -> Ladder:
        """Return what this machine can do, which is tried once; for ``Guard.check_build``."""
        with self._finding:
            if self._ladder is None:
                # A rung that no build of this uv's is started in is none.
                untried = Ladder((Probe(Rung.NAMESPACES, works=False, reason=self.problem),))
                self._ladder = untried if self.problem else self._find()
            return self._ladder

    def verdicts(self) -> list[Verdict]:
        """Judge git checkouts that weren't built, once uv has ended; return what was said of all.

        Raises:
            VelnHookError: There is nobody who could judge them.
        """
        self._judging.look_at_the_rest()
        return self._judging.verdicts()

    def status(self) -> ExitStatus:
        """Return what uv's run should end with on account of its builds, once it has ended."""
        self._collect()
        found = set(self._stopped.values())
        if any(not ended.report.confined for ended in self._ended):
            found.add(ExitStatus.BROKEN)
        return strictest(found)

    def lines(self, *, failed: bool) -> list[str]:
        """Return what there is to tell of the builds, once uv has ended.

        Args:
            failed: Whether uv did: only then it is said how a host could be allowed.
        """
        self._collect()
        found = [
            *([f"WARN  builds were {self._unguarded()}: {printable(self.problem)}"] if self.problem else ()),
            *self._stopped,
            *(
                f"WARN  {printable(name)} was built unconfined, as no sandbox works here"
                for name in self._unconfined
            ),
        ]
        by_name: dict[str, list[Refusal]] = {}
        for ended in self._ended:
            by_name.setdefault(ended.name, []).extend(ended.report.refusals)
            if not ended.report.confined:
                found.append(
                    f"veln-hook: the sandbox of the build of {printable(ended.name)} could not be set up, or "
                    "was ended from outside; what the build printed may say why"
                )
        # Nobody can tell which build had a connection through the gate.
        if self._gate is not None:
            by_name.setdefault(" and ".join(by_name) or "something", []).extend(self._gate.refusals())
        for name, refusals in by_name.items():
            found += self._told(name, refusals, failed=failed)
        return list(dict.fromkeys(found))

    def _unguarded(self) -> str:
        return "not judged" if self._policy.builds == "off" else "neither confined nor judged"

    def _told(self, name: str, refusals: list[Refusal], *, failed: bool) -> list[str]:
        hosts = by_host(refusals)
        found = [
            refusal_line(
                name,
                hosts[host],
                allowed=self._policy.allow_hosts,
                index_hosts=self._index_hosts(),
                failed=failed,
            )
            for host in list(hosts)[:_MAX_TOLD]
        ]
        more = len(hosts) - _MAX_TOLD
        if more > 0:
            word = "host" if more == 1 else "hosts"
            found.append(printable(f"veln-hook: the build of {name} tried to reach {more} more {word}"))
        if failed and not refusals and self._ladder is not None and self._ladder.rung is Rung.BUBBLEWRAP:
            found.append(no_network_line(name))  # names are asked for in vain there, and nobody hears them
        return found

    def close(self) -> None:
        """Let no step start any more, and remove what is private. Calling it twice is harmless."""
        if self._asking is not None:
            self._asking.close()
        self._judging.close()
        self._collect()

    def __enter__(self) -> Builds:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- one step -------------------------------------------------------------------------------------------

    def _answer(self, asked: Asked) -> Answer:
        """Tell a step of a build what to do."""
        try:
            return self._placed(asked)
        except NotAStepError as error:
            return self._stop(f"HOLD  {error}, so the build was not started", ExitStatus.BROKEN)
        except PlaceError as error:
            return self._stop(f"HOLD  {error}", ExitStatus.NEEDS_REVIEW)
        except Exception as error:  # noqa: BLE001 - an error of ours stops the step
            problem = f"{type(error).__name__}: {error}"
            return self._stop(f"HOLD  the build could not be confined ({problem})", ExitStatus.BROKEN)

    def _stop(self, line: str, status: ExitStatus) -> Stop:
        with self._lock:
            self._stopped[printable(line)] = status
        return Stop(printable(line))

    def _placed(self, asked: Asked) -> Answer:
        cache = os.path.realpath(self._cache)
        if build_step.is_uv_s_own(asked.words, cache):
            return GoOn()
        step = build_step.recognise(asked.words)
        tree = build_places.tree_of(asked.cwd, cache)
        if tree.kind == "git":
            verdict = self._judging.checkout(tree.root)
            if verdict is not None and not verdict.passes:
                return _refusal("this is not built", verdict)
        rung = None if self._policy.builds == "off" else self.ladder().rung
        if rung is None:
            return self._unconfined_answer(tree) or self._unconfined_step(asked, step, tree)
        made = self._to_be_made(step, tree)
        write = build_places.writable(step, tree, asked.cwd, cache, self._environ)
        write += build_places.bytecode(asked.program, cache)
        scrubbed = environment.scrub(self._theirs(asked.environ), keep=_KEPT).environment
        hidden = self._hidden()
        confinement = Confinement(
            cwd=asked.cwd,
            environment={**({} if "GIT_CONFIG_COUNT" in scrubbed else GIT_TRUSTS), **scrubbed},
            write=write,
            read=build_places.readable(
                asked.program,
                base_prefix=asked.base_prefix,
                tree=tree,
                environ=scrubbed,
                write=write,
                secrets=hidden,
                cache=cache,
            ),
            hide=(*files_to_hide(hidden), *(() if self._asking is None else (self._asking.directory,))),
        )
        with self._lock:
            # Hosts of indexes become known one by one; a gate that was made stays for the steps that have it.
            gate = self._gate = self._gate or network.gate(self._policy.allow_hosts, self._index_hosts())
        route = None if gate is None else gate.path
        # uv, and so the step, may have a network of its own; ours has the sockets that matter.
        launch = Launch(
            confinement, [asked.program, *asked.words[1:]], rung, route=route, outside=os.getpid()
        )
        with self._lock:
            key = len(self._running) + len(self._ended)
            while key in self._running:
                key += 1
            self._running[key] = _Running(tree.name, launch)
        # The launcher needs no secret either: what it has, others could find in /proc.
        return Become([*made, *launch.argv], scrubbed, lambda: self._has_ended(key))

    def _to_be_made(self, step: Step, tree: Tree) -> list[str]:
        """Return what comes before the command of a step, to have what it makes judged before uv takes it."""
        if step.hook not in build_step.MAKES_A_WHEEL or self._asking is None:
            return []
        if not self._installs and not is_within(os.path.realpath(step.result), os.path.realpath(self._cache)):
            return []
        word = self._judging.expect(step, tree.name)
        return [sys.executable, "-I", "-S", _WAITER, self._asking.door, word]

    def _unconfined_step(self, asked: Asked, step: Step, tree: Tree) -> Answer:
        made = self._to_be_made(step, tree)
        if not made or self._asking is None:
            return GoOn()
        argv = [*made, asked.program, *asked.words[1:]]
        return Become(argv, self._asking.without(asked.environ), lambda: None)

    def _made(self, word: str) -> Answer:
        """Tell a step that has made a wheel whether uv may take it."""
        try:
            refused = self._judging.refused_of(word)
        except ArchiveError as error:
            return self._stop(f"HOLD  {error}", ExitStatus.NEEDS_REVIEW)
        except Exception as error:  # noqa: BLE001 - an error of ours refuses it
            problem = f"{type(error).__name__}: {error}"
            return self._stop(f"HOLD  what was built could not be judged ({problem})", ExitStatus.BROKEN)
        return GoOn() if refused is None else _refusal("the build made what is not installed", refused)

    def _unconfined_answer(self, tree: Tree) -> Answer | None:
        """Decide where no rung works: what came from an index, or by git, was judged with that in mind."""
        if self._policy.builds == "off" or tree.kind in ("archive", "git"):
            return None
        if self._policy.builds == "require":
            line = f"BLOCK  {tree.name} would be built unconfined, as no sandbox works here"
            return self._stop(line, ExitStatus.BLOCKED)
        with self._lock:
            self._unconfined[tree.name] = None
        return None

    def _theirs(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return a step's environment with what uv was given for itself taken back."""
        made = dict(environ)
        for name in {*self._given, *self._environ}:
            given, own = self._given.get(name), self._environ.get(name)
            if given != own and made.get(name) == given:
                if own is None:
                    made.pop(name, None)
                else:
                    made[name] = own
        return made

    def _hidden(self) -> Mapping[str, tuple[str, ...]]:
        with self._finding:
            if self._secrets is None:
                self._secrets = hiding.secrets_by_home(self._environ)
            return self._secrets

    def _has_ended(self, key: int) -> None:
        with self._lock:
            running = self._running.pop(key, None)
        if running is not None:
            report = running.launch.report()
            running.launch.close()
            with self._lock:
                self._ended.append(_Ended(running.name, report))

    def _collect(self) -> None:
        for key in list(self._running):
            with contextlib.suppress(OSError):
                self._has_ended(key)


def _refusal(what: str, verdict: Verdict) -> Stop:
    return Stop(printable(f"veln-hook: {what}: {tell(verdict)[0]}"))


class _Running(NamedTuple):
    name: str
    launch: Launch


class _Ended(NamedTuple):
    name: str
    report: Report
