"""One command of uv behind the gate: looked at, run, and told of."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple, Optional

from veln_hook.adapters.uv import cache as caches
from veln_hook.adapters.uv import environment, local, services, target
from veln_hook.adapters.uv.builds import Builds
from veln_hook.adapters.uv.commands import RUN
from veln_hook.adapters.uv.files import MAX_TEXT
from veln_hook.adapters.uv.gathering import gather
from veln_hook.adapters.uv.runs import Plan, RunLine
from veln_hook.cli import foreground
from veln_hook.cli.gated import Gate, Openings, Story, cache_in, story, tell
from veln_hook.errors import UsageError
from veln_hook.gate.hosts import hosts_of
from veln_hook.model import ExitStatus, exit_status, strictest
from veln_hook.report.wording import printable, tell_slow
from veln_hook.sandbox import ladder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from veln_hook.adapters.uv.commands import Line
    from veln_hook.adapters.uv.gathering import Gathered
    from veln_hook.cli.console import Console
    from veln_hook.cli.gated import Place
    from veln_hook.gate.exchange import Responder
    from veln_hook.guard import Guard
    from veln_hook.model import Archive, Verdict
    from veln_hook.policy.settings import Policy

_SILENT = 2
"""So many ``-q`` tell uv to say nothing at all."""
_KEEPS = ("build",)
"""What builds for the user, and installs nothing but build requirements."""


class Ended(NamedTuple):
    """What came of it, and what is left to do."""

    status: int = 0
    killed: Optional[int] = None
    """The wait status of a uv that died by a signal."""
    second: tuple[str, ...] = ()
    """What uv is to be run with now, without the gate."""
    environ: Mapping[str, str] = os.environ
    stdin: Optional[int] = None
    """What that has as its standard input, if it is another."""


class Guarded:
    """One command.

    Args:
        line: What it is.
        uv: The real one.
        policy: The settings in force.
        console: For what is told.
        allow: Hosts that may be reached besides those of the policy.
        environ: The user's environment.
    """

    def __init__(
        self,
        line: Line,
        uv: str,
        policy: Policy,
        console: Console,
        *,
        allow: Sequence[str] = (),
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._line, self._uv, self._policy, self._console = line, uv, policy, console
        self._allow = tuple(dict.fromkeys((*policy.sandbox.allow_hosts, *allow)))
        self._environ = environ
        self._stdin: int | None = None
        self._stdin_path = ""

    def run(self) -> Ended:
        """Do it.

        Raises:
            UsageError: It would lead around the gate, or can't be looked at.
            VelnHookError: It can't be guarded.
        """
        try:
            return self._run()
        finally:
            self._forget_stdin()

    def _run(self) -> Ended:
        runs = RunLine(self._line) if self._line.way == RUN else None
        script = runs.script() if runs is not None else None
        stdin = self._read_stdin() if script is not None and script.path == "-" else None
        cwd = _cwd()
        known = gather(
            self._line, self._environ, cwd, script=script.path if script is not None else "", stdin=stdin
        )
        if runs is not None and known.no_cache:
            raise UsageError(
                f"{printable(known.no_cache)}: without a cache, nothing can be handed on to the program",
                advice="Take it out, or run uv with --no-config.",
            )
        prefix = target.prefix_of(known.words, self._environ, known.where)
        verdicts = self._local(known, prefix)
        silent = known.words.has("-q", "--quiet") and _quietness(known) >= _SILENT
        refused = [verdict for verdict in verdicts if not verdict.passes]
        if refused:
            tell(self._console, self._policy, Story([(verdict, "") for verdict in refused]), silent=silent)
            return Ended(exit_status(refused))
        base = environment.cache_dir(self._environ)
        cache = cache_in(base, self._policy, needs="uv needs")
        plan = self._plan(runs, known, cache, script.path if script is not None else "")
        ended = self._guarded(known, plan, cache, prefix, verdicts, silent=silent)
        caches.remove_unused(base, but=cache)
        return ended

    def _plan(self, runs: RunLine | None, known: Gathered, cache: str, script: str) -> Plan:
        if runs is None:
            return Plan(((*self._line.head, *self._line.words),), ())
        inline, requires = "", ""
        if known.script is not None:
            inline = self._stdin_path or script
            wanted = known.script.table.get("requires-python")
            requires = wanted if isinstance(wanted, str) else ""
        return runs.plan(cache=cache, inline=inline, requires_python=requires, environ=self._environ)

    def _guarded(
        self,
        known: Gathered,
        plan: Plan,
        cache: str,
        prefix: str,
        verdicts: list[Verdict],
        *,
        silent: bool,
    ) -> Ended:
        sources = known.sources
        urls = services.prefixes(self._line, known.words, self._environ, known.settings)
        openings = Openings(sources.indexes, sources.pages, sources.files, self._allow)
        new = [each for each in self._may_make(known) if not _is_environment(each)]
        with foreground.signals_held() as blocked, ExitStack() as stack:
            builds = stack.enter_context(
                Builds(
                    self._policy.sandbox,
                    self._environ,
                    cache=cache,
                    uv=self._uv,
                    guard=lambda: self._guard(prefix),
                    installs=self._line.command != _KEEPS,
                    index_hosts=lambda: hosts_of(sources.indexes),
                )
            )
            gate = Gate(
                self._policy,
                self._environ,
                openings,
                ladder=builds.ladder,
                prefix=prefix,
                installed=lambda project: target.installed_version(prefix, project),
                around=_serving(urls),
            )
            stack.enter_context(gate)
            status = 0
            for step in plan.first:
                status = gate.run([self._uv, *step], self._environment(builds, cache), blocked=blocked)
                if status:
                    break
            failed = status != 0
            verdicts += builds.verdicts()
            gate.close()
            lines = [*builds.lines(failed=failed), *(gate.lines() if failed else ())]
        lines += _led(new)
        told = story(gate.ledger, lines, verdicts)
        tell(self._console, self._policy, told, silent=silent)
        return self._ended(status, gate.exit_status(), (builds.status(), exit_status(verdicts)), plan)

    def _ended(self, status: int, held: ExitStatus, beside: Sequence[ExitStatus], plan: Plan) -> Ended:
        """Return what came of it.

        Args:
            status: The wait status of uv.
            held: What the gate asks for, which only counts where uv failed.
            beside: What asks to end otherwise even where it didn't.
            plan: For what is left to do.
        """
        if os.WIFSIGNALED(status):
            return Ended(killed=status)
        ours = strictest({*beside, held if status else ExitStatus.OK})
        code = int(ours) or os.WEXITSTATUS(status)
        if code or not plan.second:
            return Ended(code)
        environ = {name: value for name, value in self._environ.items() if name != "UV_NO_CACHE"}
        if self._stdin is not None:
            os.lseek(self._stdin, 0, os.SEEK_SET)
        return Ended(second=plan.second, environ=environ, stdin=self._stdin)

    def _may_make(self, known: Gathered) -> list[str]:
        return target.may_make(self._line, known.words, self._environ, known.where)

    def _environment(self, builds: Builds, cache: str) -> Callable[[Place], Mapping[str, str]]:
        def make(place: Place) -> Mapping[str, str]:
            return builds.environment(
                environment.for_uv(
                    self._environ,
                    proxy=place.proxy,
                    certificate=place.certificate,
                    cache=cache,
                    allow=self._allow,
                )
            )

        return make

    def _local(self, known: Gathered, prefix: str) -> list[Verdict]:
        """Judge what lies on this machine already."""
        if not known.sources.archives and not known.sources.trees:
            return []
        return self._judged(prefix, lambda guard: local.judge_local(guard, known.sources, ladder.find))

    def _judged(self, prefix: str, judge: Callable[[Guard], list[Verdict]]) -> list[Verdict]:
        guard = self._guard(prefix)
        try:
            return judge(guard)
        finally:
            guard.close()
            guard.store.close()

    def _guard(self, prefix: str) -> Guard:
        """Return a guard with a store of its own; both are to be closed."""
        from veln_hook.guard import open_guard  # noqa: PLC0415 - as cli.late has it

        return open_guard(self._policy, prefix=prefix, on_slow=self._on_slow)

    def _read_stdin(self) -> str:
        """Keep a script that comes on standard input in a file, for it is needed twice."""
        self._stdin, self._stdin_path = tempfile.mkstemp(prefix="veln-hook-", suffix=".py")
        pieces: list[bytes] = []
        while piece := os.read(0, 1 << 16):
            pieces.append(piece)
            os.write(self._stdin, piece)
            if len(pieces) > MAX_TEXT >> 16:
                raise UsageError("the script on standard input is too long", advice="Put it in a file.")
        return b"".join(pieces).decode("utf-8", "replace")

    def _forget_stdin(self) -> None:
        if self._stdin_path:
            os.unlink(self._stdin_path)
            self._stdin_path = ""

    def _on_slow(self, archive: Archive) -> None:
        self._console.progress(tell_slow(archive))


def _serving(urls: Sequence[str]) -> Callable[[Responder], Responder]:
    return lambda inner: services.Services(inner, urls)


def _is_environment(path: str) -> bool:
    return os.path.isfile(os.path.join(path, "pyvenv.cfg"))


def _led(new: Sequence[str]) -> list[str]:
    """Lead the environments that uv made to our protection; return why one couldn't be."""
    made = [each for each in new if _is_environment(each)]
    if not made:
        return []
    from veln_hook.adapters.venv import inherit  # noqa: PLC0415 - most commands make none

    problems = {each: inherit.lead(each) for each in made}
    return [f"{each} is not protected: {problem}" for each, problem in problems.items() if problem]


def _quietness(known: Gathered) -> int:
    return sum(word.name in ("-q", "--quiet") for word in known.words.own)


def _cwd() -> str:
    try:
        return os.getcwd()
    except OSError as error:
        raise UsageError(
            f"the working directory can't be told: {error.strerror}",
            advice="Change into a directory that is there.",
        ) from error
