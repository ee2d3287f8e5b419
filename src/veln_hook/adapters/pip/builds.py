"""Builds run in the sandbox: without network, credentials or a way to write elsewhere.

``note`` remembers the source trees that pip prepares, ``judge`` says what becomes of those that this
machine can't confine, and ``run_build`` starts the build itself at the point ``call_subprocess``.

Rules of this module: what a build could have influenced is never believed to be harmless (paths are resolved,
names are printed as such), and where a build should be confined and can't be, it doesn't start.
"""

from __future__ import annotations

import inspect
import logging
import os
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from veln_hook.adapters.pip import build_command, build_network, build_places
from veln_hook.adapters.pip.build_places import PlaceError, SourceTree
from veln_hook.adapters.pip.run import Run, StoppedError, current, refusal, stopping
from veln_hook.model import Candidate, Confidence, ExitStatus, Finding, Severity, Source
from veln_hook.policy import values
from veln_hook.policy.decide import UNCONFINED_BUILD, decide
from veln_hook.report.wording import printable
from veln_hook.sandbox import environment, ladder
from veln_hook.sandbox.client import Launch
from veln_hook.sandbox.interface import Confinement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from veln_hook.adapters.pip.build_command import BuildCommand
    from veln_hook.adapters.pip.build_network import BuildGate
    from veln_hook.model import Verdict
    from veln_hook.sandbox.interface import Refusal
    from veln_hook.sandbox.ladder import Ladder

logger = logging.getLogger("veln_hook")

_GIT_TRUSTS = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
"""Inside, files of other users can belong to nobody, which git takes for somebody else's repository."""

_KEPT = ("PATH", "PYTHONPATH", "PYTHONNOUSERSITE")
"""Variables by which pip tells a build where its requirements are."""
_PYPI_HOSTS = frozenset(("pypi.org", "files.pythonhosted.org", "pypi.python.org"))
_HTTP_PORTS = (80, 443)
_MAX_TOLD = 5
"""Hosts that one build's refusals are told of; the rest is counted."""

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


def judge(run: Run, verdict: Verdict) -> Verdict:
    """Return the verdict about something that would be built, where its build can't be confined.

    Args:
        run: The run.
        verdict: About an sdist or a source tree, by its contents.

    Returns:
        The same verdict if the sandbox works, if the policy wants none, or if nothing will be built.
    """
    policy = run.guard.policy
    if policy.sandbox.builds == "off" or not verdict.passes:
        return verdict
    found = _find()
    if found.rung is not None:
        return verdict
    subject = verdict.subject
    finding = Finding(
        signal=UNCONFINED_BUILD,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        message="its build code would run unconfined, as no sandbox works here"
        f"{found.advice and f'; {found.advice}'}",
        reach="build",
        evidence="; ".join(f"{probe.rung.value}: {probe.reason}" for probe in found.probes),
    )
    findings = [*(ruling.finding for ruling in verdict.rulings), finding]
    approvals = run.store.approvals(subject.project) if run.store is not None and subject.project else ()
    judged = decide(subject, findings, policy=policy, approvals=approvals, now=run.guard.now())
    run.guard.log([judged], stage="archive")
    return judged


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
    try:
        return original(*build.call.args, **build.call.kwargs)
    except Exception as error:
        if _status(error) == ExitStatus.BROKEN:  # what the launcher ends with if it can't raise the wall
            message = (
                f"HOLD  {printable(build.source.name)} was not built: its sandbox could not be set up\n"
                "      a line of its output says why; 'veln-hook doctor' tells what this machine allows"
            )
            raise refusal(prefix, message, ExitStatus.BROKEN) from error
        raise
    finally:
        report = build.launch.report()
        build.launch.close()
        with stopping(prefix):
            refusals = report.refusals if build.gate is None else (*report.refusals, *build.gate.refusals())
            _tell_refusals(build.run, build.source.name, refusals)


class _Build(NamedTuple):
    """A build that is ready to start."""

    run: Run
    source: SourceTree
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
    rung = _find().rung
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
    return _Build(run, source, launch, gate, call)


def _confinement(command: BuildCommand, source: SourceTree, environ: dict[str, str]) -> Confinement:
    try:
        write = build_places.writable(command, source, os.environ)
    except PlaceError as error:
        raise StoppedError(f"HOLD  {error}", ExitStatus.NEEDS_REVIEW) from error
    return Confinement(
        cwd=command.cwd,
        environment={**({} if "GIT_CONFIG_COUNT" in environ else _GIT_TRUSTS), **environ},
        write=write,
        read=build_places.readable(command, source, environ, write),
        hide=build_places.hidden(os.environ),
    )


def _source_of(run: Run, command: BuildCommand) -> SourceTree | None:
    """Return the prepared tree that a command was told to build in, the innermost if several hold it."""
    known = [
        source
        for source in run.sources
        # By the path as it was given: where a link in the tree leads is looked at later.
        if build_places.is_within(command.cwd, source.root)
        or build_places.is_within(os.path.realpath(command.cwd), source.root)
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


def _tell_refusals(run: Run, name: str, refusals: Sequence[Refusal]) -> None:
    """Print what a build tried to reach, a line for each host, once a run: a build is several commands."""
    hosts = by_host(refusals)
    fresh = [host for host in hosts if ("refused", f"{name} {host}") not in run.told]
    run.told.update(("refused", f"{name} {host}") for host in fresh)
    for host in fresh[:_MAX_TOLD]:
        run.notice(refusal_line(name, hosts[host], _index_hosts(run)))
    if len(fresh) > _MAX_TOLD:
        count = len(fresh) - _MAX_TOLD
        run.notice(printable(f"veln-hook: the build of {name} tried to reach {count} more hosts"))


def by_host(refusals: Sequence[Refusal]) -> dict[str, list[Refusal]]:
    """Sort what was refused by host, in the order of the first attempts."""
    hosts: dict[str, list[Refusal]] = {}
    for refused in refusals:
        hosts.setdefault(refused.host, []).append(refused)
    return hosts


def refusal_line(name: str, refusals: Sequence[Refusal], index_hosts: Iterable[str] = ()) -> str:
    """Return the line that tells of a host that the build of a release tried to reach.

    Args:
        name: What was built.
        refusals: At least one, all of one host; their words are the build's own.
        index_hosts: Hosts that no policy opens to a build, besides PyPI's.
    """
    host = refusals[0].host
    ports = {refused.port for refused in refusals if refused.port is not None}
    place = f"{_bracketed(host)}:{next(iter(ports))}" if len(ports) == 1 else host
    processes = dict.fromkeys(refused.process for refused in refusals if refused.process)
    who = ", ".join([*processes, f"{sum(refused.count for refused in refusals)}x"])
    if host in _PYPI_HOSTS.union(index_hosts):
        advice = "; what it needs to be built belongs into build-system.requires of its pyproject.toml"
    else:
        advice = _advice(host, ports)
    return printable(f"veln-hook: the build of {name} tried to reach {place} ({who}) and was refused{advice}")


def _advice(host: str, ports: set[int]) -> str:
    name = _bracketed(host)
    entries = {name if port in _HTTP_PORTS else f"{name}:{port}" for port in ports} or {name}
    try:
        allowed = ", ".join(f'"{values.host(entry)}"' for entry in sorted(entries))
    except values.InvalidValueError:
        return ""  # no host that a policy could name
    return f"; allow it with sandbox.allow_hosts = [{allowed}] in the policy"


def _bracketed(host: str) -> str:
    """Return a host as it stands before a port (RFC 3986, 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def _find() -> Ladder:
    if not _ladder:
        _ladder.append(ladder.find())
    return _ladder[0]


def _status(error: Exception) -> object:
    """Return the exit status that pip's error tells of."""
    return getattr(error, "exit_code", getattr(error, "returncode", None))
