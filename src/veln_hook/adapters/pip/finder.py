"""What pip's finder and resolver do under protection: held candidates are no candidates.

The finder's answer is filtered once a project; what was dropped is kept, so that
a person can be told which release would have been chosen, and only that one.
"""

from __future__ import annotations

import contextlib
import inspect
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from veln_hook.adapters.pip import pages
from veln_hook.adapters.pip.points import PREFIX
from veln_hook.adapters.pip.run import Run, Wanted, current, refusal, stopping
from veln_hook.index import strip_credentials
from veln_hook.model import Candidate, Decision, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

_STATE = "_veln_hook_judged"


class _Judged:
    """What one finder's answer for one project became."""

    def __init__(self, answer: list[Any]) -> None:
        self.answer = answer
        """pip's own list; the same object as long as pip answers from its cache."""
        self.passing: list[Any] = []
        self.held: dict[str, Verdict] = {}
        """By link URL."""


def prefix_of(instance: Any) -> str:
    """Return ``pip._internal.`` or a vendored pip's, from an object of its or of a class derived from its."""
    for kind in type(instance).__mro__:
        head, found, _ = kind.__module__.partition(PREFIX)
        if found:
            return f"{head}{PREFIX}"
    return PREFIX


def find_all_candidates(original: Callable[..., Any], finder: Any, project_name: str) -> Any:
    """Point ``PackageFinder.find_all_candidates``: drop what doesn't pass."""
    answer = original(finder, project_name)
    prefix = prefix_of(finder)
    with stopping(prefix):
        run = current(prefix)
        if run.off:
            return answer
        return list(judge_project(run, finder, canonicalize_name(project_name), answer).passing)


def find_best_candidate(
    original: Callable[..., Any], finder: Any, project_name: str, specifier: Any = None, hashes: Any = None
) -> Any:
    """Point ``PackageFinder.find_best_candidate``: note what would have been chosen."""
    result = original(finder, project_name, specifier, hashes)
    prefix = prefix_of(finder)
    with stopping(prefix):
        run = current(prefix)
        if run.off:
            return result
        project = canonicalize_name(project_name)
        judged = getattr(finder, _STATE, {}).get(project)
        if judged is None or not judged.held:
            run.wanted.pop(project, None)
            return result
        evaluator = finder.make_candidate_evaluator(
            project_name=project_name, specifier=specifier, hashes=hashes
        )
        best = evaluator.compute_best_candidate(list(judged.answer)).best_candidate
        verdict = judged.held.get(best.link.url) if best is not None else None
        if verdict is None:
            run.wanted.pop(project, None)
        else:
            instead = result.best_candidate
            run.wanted[project] = Wanted(verdict, str(instead.version) if instead else "")
            if instead is None:
                run.starved[project] = verdict
    return result


def find_requirement(original: Callable[..., Any], finder: Any, req: Any, *args: Any, **kwargs: Any) -> Any:
    """Point ``PackageFinder.find_requirement`` (the legacy resolver): give the reason for finding nothing."""
    prefix = prefix_of(finder)
    try:
        found = original(finder, req, *args, **kwargs)
    except Exception:
        with stopping(prefix):
            run = current(prefix)
            wanted = run.wanted.get(canonicalize_name(req.name)) if req.name and not run.off else None
            if wanted is not None and not wanted.instead:
                raise run.refuse([wanted.verdict]) from None
        raise
    with stopping(prefix):
        run = current(prefix)
        if not run.off and found is not None:
            project = canonicalize_name(req.name)
            _choose(run, offered_verdict(run, found.link))
            wanted = run.wanted.get(project)
            if wanted is not None:
                _settle(run, {project: wanted})
    return found


def make_candidate(original: Callable[..., Any], factory: Any, *args: Any, **kwargs: Any) -> Any:
    """Point ``Factory._make_[base_]candidate_from_link``: the last look before anything is downloaded.

    Every link passes here, also those no page offered: URLs, VCS references,
    paths, URL constraints, a lock file's entries.
    """
    prefix = prefix_of(factory)
    with stopping(prefix):
        run = current(prefix)
        if not run.off:
            bound = inspect.signature(original).bind(factory, *args, **kwargs).arguments
            verdict = judge_link(
                run,
                factory._finder,  # noqa: SLF001 - pip's, and the only way to it
                bound["link"],
                bound["template"],
                bound.get("name"),
            )
            if not verdict.passes:
                if bound["template"].link is None and link_key(bound["link"]) in run.from_finder:
                    return None  # the resolver looks for another
                raise run.refuse([verdict])
            _choose(run, verdict)
    return original(factory, *args, **kwargs)


def judge_link(run: Run, finder: Any, link: Any, req: Any, name: str | None = None) -> Verdict:
    """Return the verdict about a link, judging it now if no page offered it.

    Args:
        run: The run.
        finder: pip's ``PackageFinder``.
        link: pip's ``Link``.
        req: pip's ``InstallRequirement`` that wants it, for the hashes it asks for.
        name: Project, if the requirement names one.
    """
    verdict = offered_verdict(run, link)
    if verdict is None:
        asked = (getattr(req, "hash_options", None) or {}).get("sha256", ())
        candidate = pages.from_link(
            finder,
            link,
            canonicalize_name(name or req.name) if name or req.name else "",
            "",
            sha256=asked[0] if len(asked) == 1 else "",
        )
        verdict = run.judged[link_key(link)] = run.guard.check_candidate(candidate)
    return verdict


def get_installation_error(
    original: Callable[..., Any], factory: Any, error: Any, *args: Any, **kwargs: Any
) -> Any:
    """Point ``Factory.get_installation_error``: a release that is held is no 'no matching distribution'."""
    prefix = prefix_of(factory)
    with stopping(prefix):
        run = current(prefix)
        # pip asks its finder again below, so what was wanted is read before that.
        held = {} if run.off else _held_causes(run, error)
    if not held:
        return original(factory, error, *args, **kwargs)
    note = ""
    conflict = len(error.causes) > len(held)
    with stopping(prefix):
        _add_held_roots(run, factory._finder, held)  # noqa: SLF001 - pip's, and the only way to it
    if conflict:
        original(factory, error, *args, **kwargs)  # for what it prints: the conflict itself
        note = "without this the conflict above may not exist"
    stop = run.refuse([wanted.verdict for wanted in held.values()], note=note)
    _record(run, held)
    return refusal(prefix, str(stop), stop.status)


def resolve(original: Callable[..., Any], resolver: Any, *args: Any, **kwargs: Any) -> Any:
    """Point ``Resolver.resolve``: once it is settled what is used, tell what was held."""
    prefix = prefix_of(resolver)
    with stopping(prefix):
        run = current(prefix)
        asked = inspect.signature(original).bind(resolver, *args, **kwargs).arguments
        run.roots = list(asked.get("root_reqs", ()))
    result = original(resolver, *args, **kwargs)
    with stopping(prefix):
        if not run.off:
            outcome = getattr(resolver, "_result", None)
            mapping = {c.project_name: c for c in outcome.mapping.values()} if outcome is not None else {}
            for candidate in mapping.values():
                link = getattr(candidate, "source_link", None)
                if link is not None:
                    run.resolved.append(strip_credentials(link.url))
            settled = {}
            for project, wanted in run.wanted.items():
                used = mapping.get(project)
                if used is None or not _newer(wanted.verdict.subject.version, str(used.version)):
                    continue
                settled[project] = Wanted(wanted.verdict, str(used.version))
            for project, verdict in run.starved.items():
                settled.setdefault(project, Wanted(verdict, "", starved=True))
            installed = {p for p, c in mapping.items() if getattr(c, "source_link", None) is None}
            _settle(run, settled, installed)
    return result


def judge_project(run: Run, finder: Any, project: str, answer: list[Any]) -> _Judged:
    """Judge all that pip's finder found for a project, once.

    Args:
        run: The run; every verdict is kept in it.
        finder: pip's ``PackageFinder``.
        project: Normalized name.
        answer: pip's own list of ``InstallationCandidate``.
    """
    state = finder.__dict__.setdefault(_STATE, {})
    known = state.get(project)
    if known is not None and known.answer is answer:
        return known  # type: ignore[no-any-return]
    judged = state[project] = _Judged(answer)
    run.answers[project] = finder, answer
    looked_at = pages.open_items(answer, run.guard.settled(project, pages.facts_of(answer)))
    if len(looked_at) < len(answer):
        run.offered.append((finder, project, answer))
    candidates = pages.index_candidates(finder, project, looked_at, run.guard.policy)
    verdicts = dict(zip(map(id, looked_at), run.guard.check_candidates(candidates)))
    if not verdicts:
        judged.passing = list(answer)
        return judged
    # A held wheel must not make pip build the sdist of the same release instead.
    # By pip's own version objects: 2.0 and 2.0.0 are one release.
    wheels = {
        item.version: verdicts[id(item)]
        for item in looked_at
        if item.link.is_wheel and not verdicts[id(item)].passes
    }
    for item in answer:
        verdict = verdicts.get(id(item))
        if wheels and (verdict is None or verdict.passes) and not item.link.is_wheel:
            verdict = wheels.get(item.version, verdict)
        if verdict is not None:
            key = link_key(item.link)
            run.judged[key] = verdict
            run.from_finder.add(key)
        if verdict is None or verdict.passes:
            judged.passing.append(item)
        else:
            judged.held[item.link.url] = verdict
    return judged


def offered_verdict(run: Run, link: Any) -> Verdict | None:
    """Return the verdict about a link that pip's finder offered, judging it now if it needed no look then.

    ``None`` if the finder never offered it.
    """
    key = link_key(link)
    verdict = run.judged.get(key)
    if verdict is not None:
        return verdict
    for finder, project, answer in run.offered:
        for item in answer:
            if item.link is link:
                candidates = pages.index_candidates(finder, project, [item], run.guard.policy)
                verdict = run.judged[key] = run.guard.check_candidates(candidates)[0]
                run.from_finder.add(key)
                return verdict
    return None


def _settle(run: Run, settled: dict[str, Wanted], installed: set[str] | None = None) -> None:
    if not settled:
        return
    _record(run, settled)
    if run.guard.policy.cooling.on_hold == "refuse":
        raise run.refuse(
            [wanted.verdict for wanted in settled.values()],
            note='the policy says cooling.on_hold = "refuse", so no older release is used instead',
        )
    for project, wanted in settled.items():
        run.tell(
            wanted.verdict,
            instead=wanted.instead,
            kept=project in (installed or ()),
            starved=wanted.starved,
        )


def _record(run: Run, settled: dict[str, Wanted]) -> None:
    """Log what was held and observe it: this machine wanted it and saw it."""
    verdicts = [wanted.verdict for wanted in settled.values()]
    run.guard.log(verdicts, stage="candidate")
    run.guard.observe([v.subject for v in verdicts if isinstance(v.subject, Candidate)])


def _choose(run: Run, verdict: Verdict | None) -> None:
    """Note a candidate that the resolver looks into; tell its warning or the approval it passes by, once."""
    if verdict is None or not isinstance(verdict.subject, Candidate) or verdict.subject.url in run.chosen:
        return
    run.chosen[verdict.subject.url] = verdict.subject
    if verdict.decision is Decision.WARN:
        run.tell(verdict)
    run.tell_lifted(verdict)
    if verdict.decision is Decision.WARN or verdict.approval or verdict.exception:
        run.guard.log([verdict], stage="candidate")


def _held_causes(run: Run, error: Any) -> dict[str, Wanted]:
    held: dict[str, Wanted] = {}
    for cause in error.causes:
        project = canonicalize_name(cause.requirement.project_name)
        wanted = run.wanted.get(project)
        if wanted is not None:
            held[project] = wanted
    return held


def _add_held_roots(run: Run, finder: Any, held: dict[str, Wanted]) -> None:
    """Add what was asked for and is held too: pip stops at the first, and its reader would meet the next."""
    for req in run.roots:
        project = canonicalize_name(req.name) if req.name else ""
        if not project or project in held or req.link is not None or req.constraint:
            continue
        if not req.match_markers():
            continue
        # An index that fails now is no news: the run has failed already.
        with contextlib.suppress(Exception):
            finder.find_best_candidate(req.name, req.specifier, req.hashes(trust_internet=False))
            wanted = run.wanted.get(project)
            if wanted is not None and not wanted.instead:
                held[project] = wanted


def link_key(link: Any) -> str:
    """Return what a verdict about a link is kept under: its URL without fragment."""
    return str(link.url).partition("#")[0]


def _newer(version: str, than: str) -> bool:
    try:
        return Version(version) > Version(than)
    except InvalidVersion:
        return version != than
