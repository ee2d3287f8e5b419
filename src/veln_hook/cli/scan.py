"""Judge archives or source trees that are here already, as an install would; nothing of them is run.

What is compared with is never taken on trust from the archive: it is a path or a
release that the user names, or what an earlier install here has read.
"""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from veln_hook.cli import asking
from veln_hook.cli.examining import (
    Examiner,
    add_report_options,
    begin_report,
    describe,
    finish_report,
    tell_contents,
)
from veln_hook.cli.parsing import release
from veln_hook.errors import UsageError
from veln_hook.model import Archive, ExitStatus, exit_status

if TYPE_CHECKING:
    import argparse

    from veln_hook.cli.invocation import Invocation
    from veln_hook.policy.settings import Policy
    from veln_hook.report.contents import Contents
    from veln_hook.source.baseline import Baseline
    from veln_hook.store import Store

HELP = "verdicts about archives or directories that are here"
USAGE = "scan [options] PATH..."
NONE = "none"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``scan``."""
    parser.add_argument("paths", metavar="PATH", nargs="+", help="a wheel, an sdist, or a source tree")
    parser.add_argument(
        "--baseline",
        metavar="PATH|VERSION|none",
        default="",
        help="what to compare with: an archive, a release on the index, or nothing "
        "(default: what an install here would take without fetching)",
    )
    add_report_options(parser)
    asking.add_index_options(parser)


def run(invocation: Invocation) -> ExitStatus:
    """Judge each path."""
    args, console = invocation.args, invocation.console
    begin_report(console, sarif=args.sarif)
    policy = invocation.policy()
    found: list[Contents] = []
    missing = False
    with invocation.store(policy) as store:
        examiner = Examiner(policy, store)
        try:
            against = _Against(invocation, policy, store, examiner, args.baseline)
            for number, path in enumerate(args.paths, 1):
                console.progress(f"{number} of {len(args.paths)}: {path}")
                try:
                    archive = describe(path)
                    baseline = against.baseline(archive)
                except UsageError as error:  # the others are still worth telling
                    console.error(error)
                    missing = True
                    continue
                contents, _ = examiner.examine(archive, baseline, remembered=not args.baseline)
                contents = contents._replace(place=path)
                found.append(contents)
                tell_contents(console, contents, everything=args.all)
        finally:
            examiner.close()
    status = exit_status([contents.verdict for contents in found])
    if missing and status is not ExitStatus.BLOCKED:
        status = ExitStatus.USAGE
    finish_report(console, found, status, sarif=args.sarif)
    return status


class _Against:
    """What ``--baseline`` names, read once where it is the same for every path."""

    def __init__(
        self, invocation: Invocation, policy: Policy, store: Store, examiner: Examiner, text: str
    ) -> None:
        self._invocation, self._policy, self._store, self._examiner = invocation, policy, store, examiner
        self._project = self._version = ""
        self._known: dict[tuple[str, str], Baseline] = {}
        self._fixed: Baseline | None = None
        if not text or text == NONE:
            return
        if os.path.exists(text):
            self._fixed = examiner.as_baseline(describe(text), text)
        elif "==" in text:
            self._project, self._version = release(text)
        elif _is_version(text):
            self._version = text
        else:
            raise UsageError(
                f"--baseline {text}: neither a file, nor a version, nor 'none'",
                advice="Name an archive's path, a VERSION of the same project, NAME==VERSION, or 'none'.",
            )

    def baseline(self, archive: Archive) -> Baseline | None:
        """Return what an archive is compared with; ``None`` for nothing.

        Raises:
            UsageError: There is no such release, or whose it would be can't be told.
        """
        if not self._version:
            return self._fixed
        project = self._project or archive.project
        if not project:
            raise UsageError(
                f"{archive.filename}: its project can't be told by its name",
                advice="Write --baseline NAME==VERSION.",
            )
        kind = os.path.splitext(archive.filename)[1]
        if (project, kind) not in self._known:
            self._known[project, kind] = self._fetched(project, archive)
        return self._known[project, kind]

    def _fetched(self, project: str, archive: Archive) -> Baseline:
        invocation, version = self._invocation, self._version
        with asking.client(invocation, self._policy, self._store, fresh=True) as client:
            invocation.console.progress(f"fetching {project} {version} to compare with ...")
            offer = client.like(client.offers(project), version, archive.filename, project=project)
            with tempfile.TemporaryDirectory(prefix="veln-hook-") as directory:
                return self._examiner.as_baseline(client.fetch(offer, directory), version)


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True
