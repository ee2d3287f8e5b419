"""Builds run in the sandbox: without network, credentials or a way to write elsewhere.

``note`` remembers the source trees that pip prepares, ``find`` tells how this machine can confine them, and
``run_build`` starts the build itself at the point ``call_subprocess``.

Rules of this module: what a build could have influenced is never believed to be harmless (paths are resolved,
names are printed as such), and where a build should be confined and can't be, it doesn't start.
"""

from __future__ import annotations

import inspect
import os
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from veln_hook.adapters.building import network as build_network
from veln_hook.adapters.building.places import GIT_TRUSTS, PlaceError
from veln_hook.adapters.pip import build_command, build_places
from veln_hook.adapters.pip.build_places import SourceTree
from veln_hook.adapters.pip.build_refusals import tell_no_network, tell_refusals
from veln_hook.adapters.pip.run import Run, StoppedError, current, refusal, stopping
from veln_hook.model import Candidate, ExitStatus, Source
from veln_hook.report.wording import printable
from veln_hook.sandbox import environment, hiding, ladder
from veln_hook.sandbox.client import Launch
from veln_hook.sandbox.interface import Confinement, Rung
from veln_hook.sandbox.ladder import Ladder
from veln_hook.sandbox.layout import is_within

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from veln_hook.adapters.building.network import BuildGate
    from veln_hook.adapters.pip.build_command import BuildCommand
    from veln_hook.sandbox.interface import Report

_KEPT = ("PATH", "PYTHONPATH", "PYTHONNOUSERSITE")
"""Variables by which pip tells a build where its requirements are."""

_ladder: list[Ladder] = []
"""What this machine can do, once it was tried."""


def note(run: Run, req: Any, name: str) -> None:
    """Remember the source tree of a requirement that was judged, if it has one.

    Args:
        run: The run.
        req: pip's ``InstallRequirement``, prepared and not yet built.
        name: What it is called in messages, if that is known.
    """
    link = req.link or req.original_link
    own = link is not None and link.is_existing_dir()
    path = req.source_dir or (link.file_path if own else "")
    if path and not (link is not None and link.is_wheel):
        root = os.path.realpath(path)
        run.sources.append(SourceTree(root, name or req.name or os.path.basename(root), own))


def find(rungs: Collection[Rung] | None = None) -> Ladder:
    """Return what this machine can do, which is tried once in a process.

    Args:
        rungs: Only these are tried, now and for the rest of the process; all of them if not given.
    """
    if rungs is not None:
        probes = ladder.find(every=True).probes
        _ladder[:] = [Ladder(tuple(probe for probe in probes if probe.rung in rungs))]
    elif not _ladder:
        _ladder.append(ladder.find())
    return _ladder[0]


def run_build(
    original: Callable[..., Any], prefix: str, words: Sequence[str], *args: Any, **kwargs: Any
) -> Any:
    """Start a command of pip's, confined if it runs anybody's build code.

    Args:
        original: pip's ``call_subprocess``.
        prefix: ``pip._internal.``, or a vendored pip's.
        words: Program and arguments, secrets revealed.
        args: The arguments of ``call_subprocess``, the command first.
        kwargs: The same.
    """
    with stopping(prefix):
        build = _prepare(prefix, words, inspect.signature(original).bind(*args, **kwargs))
    if build is None:
        return original(*args, **kwargs)
    failed = True
    try:
        result = original(*build.call.args, **build.call.kwargs)
        failed = False
    except Exception as error:
        # The exit status tells nothing: a build may end with any.
        if _status(error) is not None and not build.launch.report().confined:
            raise _fallen(prefix, build) from error
        raise
    finally:
        report = build.launch.report()
        build.launch.close()
        with stopping(prefix):
            _tell(build, report, failed=failed)
    if not report.confined:
        raise _fallen(prefix, build)  # pip was told to go on whatever the status
    return result


class _Build(NamedTuple):
    """A build that is ready to start."""

    run: Run
    source: SourceTree
    rung: Rung
    launch: Launch
    gate: BuildGate | None
    call: inspect.BoundArguments
    """Of ``call_subprocess``."""


def _prepare(prefix: str, words: Sequence[str], call: inspect.BoundArguments) -> _Build | None:
    """Return what to start instead; ``None`` if the command is to run as it is."""
    given = call.arguments
    command = build_command.recognise(words, given.get("cwd") or os.getcwd())
    if command is None:
        return None
    run = current(prefix)
    if run.off or run.guard.policy.sandbox.builds == "off":
        return None
    source = _source_of(run, command)
    rung = find().rung
    if rung is None:
        if source is None:
            raise StoppedError(
                f"HOLD  nobody judged whether {command.cwd} may be built without a sandbox", ExitStatus.BROKEN
            )
        return None  # it was judged with that in mind: a person said so, or it is the user's own
    source = source or SourceTree(os.path.realpath(command.cwd), os.path.basename(command.cwd), own=True)
    asked_for = {name: str(value) for name, value in (given.get("extra_environ") or {}).items()}
    environ = {**os.environ, **asked_for}
    for name in given.get("unset_environ") or ():
        environ.pop(name, None)
    scrubbed = environment.scrub(environ, keep=(*_KEPT, *asked_for)).environment
    confinement = _confinement(command, source, scrubbed)
    gate = build_network.gate(run.guard.policy.sandbox.allow_hosts, _index_hosts(run))
    launch = Launch(confinement, command.words, rung, route=None if gate is None else gate.path)
    # The launcher needs no secret either: what it has, others could find in /proc.
    given["extra_environ"] = scrubbed
    given["unset_environ"] = [name for name in {**os.environ, **environ} if name not in scrubbed]
    if "command_desc" in call.signature.parameters:
        given.setdefault("command_desc", shlex.join(command.words))
    given[next(iter(call.signature.parameters))] = launch.argv
    return _Build(run, source, rung, launch, gate, call)


def _confinement(command: BuildCommand, source: SourceTree, environ: dict[str, str]) -> Confinement:
    try:
        write = build_places.writable(command, source, os.environ)
    except PlaceError as error:
        raise StoppedError(f"HOLD  {error}", ExitStatus.NEEDS_REVIEW) from error
    secrets = hiding.secrets_by_home(os.environ)
    return Confinement(
        cwd=command.cwd,
        environment={**({} if "GIT_CONFIG_COUNT" in environ else GIT_TRUSTS), **environ},
        write=write,
        read=build_places.readable(command, source, environ, write, secrets),
        hide=build_places.hidden(os.environ, secrets),
    )


def _fallen(prefix: str, build: _Build) -> Exception:
    """Return the error for a build whose wall could not be raised, or fell while it ran."""
    name = printable(build.source.name)
    # Said at once, too: where pip builds a wheel, it keeps what an error says to itself.
    build.run.notice(
        f"veln-hook: the sandbox of the build of {name} could not be set up, or was ended from outside; "
        "what the build printed may say why"
    )
    message = (
        f"HOLD  {name} was not built: its sandbox failed\n"
        "      try again; 'veln-hook doctor' tells what this machine allows"
    )
    return refusal(prefix, message, ExitStatus.BROKEN)


def _tell(build: _Build, report: Report, *, failed: bool) -> None:
    refusals = report.refusals if build.gate is None else (*report.refusals, *build.gate.refusals())
    if failed and report.confined and build.rung is Rung.BUBBLEWRAP and not refusals:
        tell_no_network(
            build.run, build.source.name
        )  # names are asked for in vain there, and nobody hears them
    tell_refusals(
        build.run,
        build.source.name,
        refusals,
        allowed=build.run.guard.policy.sandbox.allow_hosts,
        index_hosts=_index_hosts(build.run),
        failed=failed,
    )


def _source_of(run: Run, command: BuildCommand) -> SourceTree | None:
    """Return the prepared tree that a command was told to build in, the innermost if several hold it."""
    known = [
        source
        for source in run.sources
        # By the path as it was given: where a link in the tree leads is looked at later.
        if is_within(command.cwd, source.root) or is_within(os.path.realpath(command.cwd), source.root)
    ]
    return max(known, key=lambda source: len(source.root), default=None)


def _index_hosts(run: Run) -> set[str]:
    """Return the hosts of the indexes of this run, and of their files: builds must not fetch from them."""
    subjects = [verdict.subject for verdict in run.judged.values()]
    urls = [
        url
        for subject in subjects
        # A URL that was asked for is of no index: its host may be allowed like any other.
        if isinstance(subject, Candidate) and subject.source in (Source.INDEX, Source.FIND_LINKS)
        for url in (subject.index, subject.url)
    ]
    return {host for host in (urlsplit(url).hostname for url in urls) if host}


def _status(error: Exception) -> object:
    """Return the exit status that pip's error tells of."""
    return getattr(error, "exit_code", getattr(error, "returncode", None))
