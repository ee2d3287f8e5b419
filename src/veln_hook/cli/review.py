"""Show what a person needs to decide about a release: facts, findings, what is new, and the approve command.

The files are fetched and read, never built or run. It is an answer, so its exit
status is 0 whatever the verdict is, as with ``explain``.
"""

from __future__ import annotations

import itertools
import os
import shlex
import tempfile
from typing import TYPE_CHECKING

from veln_hook import clock
from veln_hook.archive.texts import read_texts
from veln_hook.cli import asking
from veln_hook.cli.examining import Examiner
from veln_hook.cli.explain import place
from veln_hook.cli.parsing import release
from veln_hook.errors import ArchiveError, IndexUnavailableError, UsageError
from veln_hook.index import strip_credentials
from veln_hook.model import Candidate, Decision, ExitStatus
from veln_hook.policy.durations import format_duration
from veln_hook.report.changes import compare
from veln_hook.report.html import review_page
from veln_hook.report.review import Review, review_lines, review_object
from veln_hook.report.text import when
from veln_hook.report.wording import approve_command, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from veln_hook.adapters.pip.fetching import FetchingClient, Offer
    from veln_hook.archive.texts import Texts
    from veln_hook.cli.invocation import Invocation
    from veln_hook.model import Archive, Verdict
    from veln_hook.source.baseline import Baseline

HELP = "what is in a release, and what is new in it"
USAGE = "review [options] NAME==VERSION"
NONE = "none"
_LOOKED_AT = 20
"""Older releases that are judged by what their index tells before it is given up."""
_FETCHED = 3
"""Of those, how many are fetched to find one that passes."""
_MB = 1_000_000


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``review``."""
    parser.add_argument("release", metavar="NAME==VERSION", help="the release")
    parser.add_argument("--html", metavar="FILE", default="", help="write one self-contained HTML file, too")
    parser.add_argument(
        "--baseline",
        metavar="VERSION|none",
        default="",
        help="the release to compare with (default: the newest before it that passes)",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--file", metavar="FILENAME", default="", help="this file of the release")
    which.add_argument(
        "--all-files", action="store_true", help="every file of it (default: the one that pip would choose)"
    )
    parser.add_argument(
        "--all", action="store_true", help="tell every finding, not only what is WARN or worse"
    )
    asking.add_index_options(parser)


def run(invocation: Invocation) -> ExitStatus:
    """Review the files of a release."""
    args, console = invocation.args, invocation.console
    project, version = release(args.release)
    if args.html and os.path.isdir(args.html):
        raise UsageError(f"--html {args.html} is a directory", advice="Name the file to write.")
    policy = invocation.policy()
    reviews = []
    with invocation.store(policy) as store, asking.client(invocation, policy, store, fresh=True) as client:
        examiner = Examiner(policy, store)
        try:
            console.progress(f"asking for {project} {version} ...")
            reviewer = _Reviewer(invocation, client, examiner, project)
            for offer in _chosen(args, client, reviewer.offers, project, version):
                review = reviewer.review(offer)
                reviews.append(review)
                console.result(review_object(review))
                head, *lines = review_lines(review, everything=args.all)
                console.line(console.palette.decision(head, review.decision))
                for line in lines:
                    console.line(line)
        finally:
            examiner.close()
    if args.html:
        _write(args.html, review_page(reviews))
        console.note(f"written to {printable(args.html)}")
    return ExitStatus.OK


def _chosen(
    args: argparse.Namespace, client: FetchingClient, offers: Sequence[Offer], project: str, version: str
) -> list[Offer]:
    chosen = client.chosen(offers, project, version)
    own = [offer for offer in offers if offer.version == chosen.version]
    if args.all_files:
        return own
    if not args.file:
        return [chosen]
    named = [offer for offer in own if offer.filename == args.file]
    if not named:
        raise UsageError(
            f"{project} {version} has no file {args.file}",
            advice=f"It has: {', '.join(sorted(offer.filename for offer in own))}.",
        )
    return named


class _Reviewer:
    """Reviews files of one project."""

    def __init__(
        self, invocation: Invocation, client: FetchingClient, examiner: Examiner, project: str
    ) -> None:
        self._args, self._console = invocation.args, invocation.console
        self._client, self._examiner, self._project = client, examiner, project
        self.offers = client.offers(project)

    def review(self, offer: Offer) -> Review:
        """Fetch a file and what it is compared with, and judge it.

        Raises:
            VelnHookError: It can't be fetched.
        """
        (candidate,) = self._client.judged(self._project, [offer])
        with tempfile.TemporaryDirectory(prefix="veln-hook-") as directory:
            archive = self._fetch(offer, directory)
            baseline, old, told = self._baseline(offer, candidate)
            self._console.progress(f"reading {offer.filename} ...")
            contents, _ = self._examiner.examine(archive, baseline)
            new = read_texts(archive.path)
        old_files = None if old is None else old.files
        problem = new.problem or ("" if old is None else old.problem)
        changes = compare(new.files, old_files, contents.verdict.rulings, problem=problem)
        made = Review(candidate, contents, changes, (), told, "")
        held = made.decision is Decision.HOLD
        return made._replace(
            facts=tuple(self._facts(offer, candidate, archive, made.decision)),
            approve=self._approve(archive, candidate) if held else "",
        )

    def _fetch(self, offer: Offer, directory: str) -> Archive:
        def progress(size: int) -> None:
            self._console.progress(f"fetching {offer.filename}: {size / _MB:.1f} MB")

        return self._client.fetch(offer, directory, progress)

    def _baseline(self, offer: Offer, own: Verdict) -> tuple[Baseline | None, Texts | None, str]:
        """Return what it is compared with, its members, and the words for it."""
        wanted = self._args.baseline
        if wanted == NONE:
            return None, None, "compared with nothing, as was asked; all of it counts"
        if wanted:
            other = self._client.like(self.offers, wanted, offer.filename, project=self._project)
            with tempfile.TemporaryDirectory(prefix="veln-hook-") as directory:
                archive = self._fetch(other, directory)
                baseline = self._examiner.as_baseline(archive, archive.version)
                return baseline, read_texts(archive.path), _against(archive, offer)
        fetched = 0
        for other in self._passing(offer, own):
            fetched += 1
            with tempfile.TemporaryDirectory(prefix="veln-hook-") as directory:
                try:
                    archive = self._fetch(other, directory)
                    contents, _ = self._examiner.examine(archive)
                    if not contents.verdict.passes:
                        continue
                    baseline = self._examiner.as_baseline(archive, archive.version)
                except (ArchiveError, IndexUnavailableError, UsageError):  # the one before may do
                    continue
                return baseline, read_texts(archive.path), _against(archive, offer)
        if fetched:
            return None, None, "the releases before it don't pass by themselves, so all of it counts"
        return None, None, "there is no release before it that passes, so all of it counts"

    def _passing(self, offer: Offer, own: Verdict) -> Iterator[Offer]:
        """Yield older files that pass by what the same index tells of them."""
        index = own.subject.index if isinstance(own.subject, Candidate) else ""
        older = list(itertools.islice(self._client.before(self.offers, offer), _LOOKED_AT))
        passing = []
        for other, verdict in zip(older, self._client.judged(self._project, older)):
            candidate = verdict.subject
            same_place = isinstance(candidate, Candidate) and candidate.index == index
            same_bytes = bool(candidate.sha256) and candidate.sha256 == own.subject.sha256
            if verdict.passes and same_place and not same_bytes:
                passing.append(other)
        return iter(passing[:_FETCHED])

    def _facts(
        self, offer: Offer, candidate: Verdict, archive: Archive, decision: Decision
    ) -> Iterator[tuple[str, str]]:
        told, policy, now = candidate.subject, self._examiner.policy, clock.now()
        by_index, by_contents = candidate.decision.name, decision.name
        yield (
            "verdict",
            by_contents if by_index == by_contents else f"{decision.name} (by its index {by_index})",
        )
        yield "sha256", f"{archive.sha256} ({'as its index promises' if told.sha256 else _UNPROMISED})"
        yield "size", f"{archive.size} bytes"
        if not isinstance(told, Candidate):
            return
        yield "index", told.index or told.source.value
        applied = policy.min_age_for(told.project, told.version, told.index)
        wait = format_duration(applied.min_age) if applied.min_age else "none"
        uploaded = "its index tells no upload time"
        if told.upload_time is not None:
            uploaded = when(told.upload_time)
            if told.upload_time <= now:
                uploaded += f" ({format_duration(now - told.upload_time)} ago)"
        yield "uploaded", uploaded
        yield "cooling", f"{wait} ({applied.key}, {place(policy, applied.layer)})"
        if candidate.opens_at is not None:
            yield "opens", f"{when(candidate.opens_at)} by itself, if nothing else holds it"
        if told.requires_python:
            yield "python", told.requires_python
        yield "yanked", f"yes: {offer.link.yanked_reason or 'no reason given'}" if told.yanked else "no"
        approval = candidate.approval
        if approval is not None:
            yield "approval", f"{approval.id} of {approval.author}: {approval.reason}"

    def _approve(self, archive: Archive, candidate: Verdict) -> str:
        if not self._examiner.policy.approvals_count:
            return ""
        command = approve_command(archive)
        if not command or "--sha256" in command:
            return command
        siblings = [offer for offer in self.offers if str(offer.version) == archive.version]
        if len(siblings) > 1:  # what was not looked at is not approved
            command += f" --file {shlex.quote(candidate.subject.filename)}"
        return " ".join([command, *map(shlex.quote, self._typed())])

    def _typed(self) -> Iterator[str]:
        """Yield the options that find the same index, without credentials."""
        args = self._args
        if args.index_url:
            yield from ("-i", strip_credentials(args.index_url))
        for url in args.extra_index_url:
            yield from ("--extra-index-url", strip_credentials(url))
        for url in args.find_links:
            yield from ("-f", strip_credentials(url) if "://" in url else url)
        if args.no_index:
            yield "--no-index"


_UNPROMISED = "of what was fetched; its index promises none"


def _against(archive: Archive, offer: Offer) -> str:
    told = f"against {archive.release}, {archive.filename}"
    if archive.filename.endswith(".whl") != offer.filename.endswith(".whl"):
        told += "; one is a wheel and the other an sdist, so their files lie differently"
    return told


def _write(path: str, page: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(page)
    except OSError as error:
        raise UsageError(
            f"--html {path} can't be written: {error.strerror or error}", advice="Name another file."
        ) from error
