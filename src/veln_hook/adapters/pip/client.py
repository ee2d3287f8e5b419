"""pip's own session and finder, asked by our commands; nothing is installed.

Indexes, credentials, proxies and certificates are pip's, because pip's own code
is what asks. Rules of this module: it works on every pip the points work on, by
feature tests; it never begins a run (``run.begin``), so that a question leaves
no run behind; verdicts come from the guard, through ``finder.judge_project``.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from veln_hook.adapters.pip import finder as pip_finder
from veln_hook.adapters.pip import pages, points, previous
from veln_hook.adapters.pip.loading import Notes, load_pip, make_command, pip_error, pip_module
from veln_hook.adapters.pip.run import Run
from veln_hook.archive import describe_archive
from veln_hook.errors import IndexUnavailableError, UsageError
from veln_hook.guard import Guard
from veln_hook.index import strip_credentials
from veln_hook.model import Candidate, Confidence, Decision, Finding, Origin, Ruling, Severity, Source
from veln_hook.names import parse_filename
from veln_hook.policy.settings import DEFAULT_LAYER
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veln_hook.model import Verdict
    from veln_hook.policy.settings import Policy
    from veln_hook.store import Store


_WHERE = re.compile(r"-[rc] (?P<file>.+) \(line (?P<line>[0-9]+)\)", re.DOTALL)


@dataclass(frozen=True)
class IndexOptions:
    """Where to look: pip's options of the same names; what is not given is pip's configuration."""

    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    pre: bool = False

    def arguments(self) -> list[str]:
        """Return them as pip's command line has them."""
        arguments = [f"--index-url={self.index_url}"] if self.index_url else []
        arguments += [f"--extra-index-url={url}" for url in self.extra_index_urls]
        arguments += [f"--find-links={place}" for place in self.find_links]
        arguments += ["--no-index"] if self.no_index else []
        return arguments + (["--pre"] if self.pre else [])


class Asked(NamedTuple):
    """One requirement, as pip read it."""

    text: str
    requirement: Any
    """pip's ``InstallRequirement``."""
    path: str = ""
    """The file that it stands in; empty for the command line."""
    line: int = 0
    """Of that file; its first, where it is continued."""


class Choice(NamedTuple):
    """What pip would do about one requirement, without and with protection."""

    text: str
    """The requirement."""
    wanted: Verdict
    """About the file that pip would choose without us."""
    instead: Optional[Verdict]
    """About the file that is used instead; ``None`` if the wanted one passes, or if nothing does."""
    matching: tuple[Verdict, ...]
    """About every file that fits the requirement and this interpreter, the newest first."""


class PipClient:
    """One pip, one policy, one store; close it after use.

    Args:
        policy: The settings in force.
        store: What is remembered; not closed here.
        options: Where to look.
        fresh: Don't take pages from pip's cache, which may be minutes old.
        interactive: Whether pip may ask for a password.

    Raises:
        UnsupportedPipError: There is no pip here, or it lacks a point.
        PluginError: The policy enables a plugin that can't be loaded.
        UsageError: pip's own configuration can't be read.
    """

    def __init__(
        self,
        policy: Policy,
        store: Store,
        options: IndexOptions,
        *,
        fresh: bool = False,
        interactive: bool = False,
    ) -> None:
        self._run = Run(points.PREFIX, policy=policy, store=store)
        self.guard = Guard(policy, store, baselines=previous.Previous(self._run), on_slow=self._run.tell_slow)
        self._run.the_guard = self.guard
        load_pip()
        self._notes = Notes()
        arguments = options.arguments()
        arguments += ["--no-cache-dir"] if fresh else []
        arguments += [] if interactive else ["--no-input"]
        self._command, self._options = make_command(arguments)
        self._session = self._command._build_session(self._options)  # noqa: SLF001 - pip's, and how its commands do it
        self._finder = self._make_finder()
        self._constraints: dict[str, Any] = {}
        """pip's own ``SpecifierSet`` by project, from constraint files."""

    def close(self) -> None:
        """Close pip's session, and end the process that reads code."""
        self.guard.close()
        self._notes.remove()
        self._session.close()

    def read(self, requirements: Sequence[str], files: Sequence[str]) -> list[Asked]:
        """Read requirements and requirement files as pip reads them; those for other platforms are left out.

        Raises:
            UsageError: One can't be read.
        """
        constructors = pip_module("req.constructors")
        req_file = pip_module("req.req_file")
        try:
            asked = [Asked(text, constructors.install_req_from_line(text)) for text in requirements]
            for file in files:
                for parsed in req_file.parse_requirements(
                    file, session=self._session, finder=self._finder, options=self._options
                ):
                    made = constructors.install_req_from_parsed_requirement(parsed)
                    if parsed.constraint:
                        self._constrain(made)
                    else:
                        asked.append(Asked(parsed.requirement, made, *_place(parsed.comes_from)))
        except (pip_error(), ValueError) as error:
            raise UsageError(
                printable(" ".join(str(error).split())),
                advice='Write it as pip takes it: "name", "name==1.2", "name @ URL", a path, or -r FILE.',
            ) from error
        return [one for one in asked if one.requirement.match_markers()]

    def choose(self, asked: Asked) -> Choice:
        """Tell what pip would choose for a requirement, and what the guard says of it.

        Raises:
            IndexUnavailableError: An index didn't answer, and nothing was found without it.
            UsageError: There is no such release.
        """
        requirement = asked.requirement
        if requirement.link is not None:
            verdict = self._direct(requirement)
            return Choice(asked.text, verdict, None, (verdict,))
        project = canonicalize_name(requirement.name)
        answer = self._find(self._finder, requirement.name)
        judged = pip_finder.judge_project(self._run, self._finder, project, answer)
        specifier = self._specifier(requirement)
        evaluator = self._finder.make_candidate_evaluator(
            project_name=requirement.name,
            specifier=specifier,
            hashes=requirement.hashes(trust_internet=False),
        )
        matching = evaluator.get_applicable_candidates(list(answer))
        wanted = _best(evaluator, matching, specifier)
        if wanted is None:
            found = sorted({item.version for item in answer})
            known = f"; the newest is {found[-1]}" if found else ""
            raise UsageError(
                f"no release of {project} fits {printable(asked.text)} here{known}", advice=_FIND_ADVICE
            )
        verdict = self._verdict(wanted)
        instead = None
        if not verdict.passes and self.guard.policy.cooling.on_hold == "fallback":
            passing = evaluator.get_applicable_candidates(list(judged.passing))
            best = _best(evaluator, passing, specifier)
            instead = self._verdict(best) if best is not None else None
        return Choice(asked.text, verdict, instead, self._all(project, matching))

    def _direct(self, requirement: Any) -> Verdict:
        """Judge what a requirement names itself: a URL by what is known of it, a file by its bytes."""
        link = requirement.link
        verdict = pip_finder.judge_link(self._run, self._finder, link, requirement, requirement.name)
        candidate = verdict.subject
        if not isinstance(candidate, Candidate) or not verdict.passes:
            return verdict
        if candidate.source is Source.LOCAL_FILE and os.path.isfile(link.file_path):
            archive = describe_archive(link.file_path, origin=Origin.FETCHED, candidate=candidate)
            return self.guard.check_archive(archive)
        hashes = requirement.hashes(trust_internet=True).digest_count
        if candidate.source is Source.DIRECT_URL and not hashes:
            # That the index lists the name says nothing of what this URL serves.
            finding = Finding(
                signal="direct-url",
                severity=Severity.MEDIUM,
                confidence=Confidence.HIGH,
                message="its bytes are known, and judged, only once they are downloaded",
            )
            ruling = Ruling(finding, Decision.WARN, "check", DEFAULT_LAYER)
            return replace(
                verdict,
                decision=Decision.WARN,
                subject=candidate._replace(sha256="", upload_time=None),
                rulings=(ruling, *verdict.rulings),
            )
        return verdict

    def release(self, project: str, version: str) -> list[Verdict]:
        """Judge every file that the indexes list for a release now, for whichever platform.

        Raises:
            IndexUnavailableError: An index didn't answer, and nothing was found without it.
            UsageError: There is no such release.
        """
        finder = self._make_finder()
        finder.make_link_evaluator = _AnyFile
        name = canonicalize_name(project)
        found = [item for item in self._find(finder, project) if _same_version(str(item.version), version)]
        if not found:
            raise UsageError(f"no index lists {name} {version}", advice=_FIND_ADVICE)
        return self.guard.check_candidates(pages.index_candidates(finder, name, found, self.guard.policy))

    def _find(self, finder: Any, project: str) -> Any:
        """Return pip's answer before anything is taken out of it."""
        del self._notes.failures[:]
        # Looked up through the type: on the instance it would be bound to the filtering one.
        original = type(finder).find_all_candidates.__wrapped__
        found = original(finder, project)
        if not found:
            failures = [text for text in self._notes.failures if " 404 " not in text]
            if failures:
                raise IndexUnavailableError(printable(failures[0]))
            place = ", ".join(_plain(url) for url in finder.index_urls) or "any place that was given"
            raise UsageError(f"no project {canonicalize_name(project)} on {place}", advice=_FIND_ADVICE)
        return found

    def _make_finder(self) -> Any:
        return self._command._build_package_finder(self._options, self._session)  # noqa: SLF001 - as above

    def _constrain(self, requirement: Any) -> None:
        if requirement.name and requirement.link is None and requirement.match_markers():
            self._constraints[canonicalize_name(requirement.name)] = self._specifier(requirement)

    def _specifier(self, requirement: Any) -> Any:
        known = self._constraints.get(canonicalize_name(requirement.name))
        return requirement.specifier if known is None else known & requirement.specifier

    def _verdict(self, item: Any) -> Verdict:
        verdict = pip_finder.offered_verdict(self._run, item.link)
        if verdict is None:
            raise IndexUnavailableError(f"{item.link.filename} was never offered by an index")
        return verdict

    def _all(self, project: str, found: Sequence[Any]) -> tuple[Verdict, ...]:
        """Give each file its own verdict; an sdist that a held wheel takes along has that wheel's."""
        newest = sorted(found, key=lambda item: item.version, reverse=True)
        candidates = pages.index_candidates(self._finder, project, newest, self.guard.policy)
        return tuple(
            replace(self._verdict(item), subject=candidate) for item, candidate in zip(newest, candidates)
        )


def _place(comes_from: object) -> tuple[str, int]:
    """Return where a requirement stands, which pip tells in words: ``-r FILE (line N)``."""
    found = _WHERE.fullmatch(str(comes_from))
    if found is None:
        return "", 0
    path, here = found["file"], os.path.join(os.getcwd(), "")
    # Some pips make the names of nested lists absolute.
    return path.removeprefix(here), int(found["line"])


_FIND_ADVICE = (
    "Check the name and the version, and the index that pip is configured with ('pip config list')."
)


class _AnyFile:
    """Stands in for pip's ``LinkEvaluator``: any file of the project counts, for whichever platform."""

    def __init__(self, project_name: str) -> None:
        self.project_name = project_name
        self._project = canonicalize_name(project_name)
        kinds = getattr(pip_module("index.package_finder"), "LinkType", None)
        self._yes: Any = True if kinds is None else kinds.candidate
        self._no: Any = False if kinds is None else kinds.different_project

    def evaluate_link(self, link: Any) -> tuple[Any, str]:
        """Return whether the file belongs to the project, and its version or why not."""
        named = parse_filename(link.filename)
        if named is None or named.project != self._project or not named.version:
            return self._no, "no file of this project"
        return self._yes, named.version


def _best(evaluator: Any, found: Sequence[Any], specifier: Any) -> Any:
    """Choose as pip's resolver does: yanked files count only where all are, and one is pinned."""
    kept = [item for item in found if not item.link.is_yanked]
    if not kept and any(
        part.operator == "===" or (part.operator == "==" and not part.version.endswith(".*"))
        for part in specifier
    ):
        kept = list(found)
    return evaluator.sort_best_candidate(kept)


def _same_version(one: str, other: str) -> bool:
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other


def _plain(url: str) -> str:
    return printable(strip_credentials(url))


__all__ = ["Asked", "Choice", "IndexOptions", "PipClient"]
