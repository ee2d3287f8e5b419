"""Judge what is installed in an environment, as an install would: start-up files, then each distribution.

The environment is read as files; nothing of it is imported or run.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING

from veln_hook import clock, paths
from veln_hook.archive.installed import installed_in, pack, site_directories
from veln_hook.cli.examining import Examiner, add_report_options, begin_report, finish_report, tell_contents
from veln_hook.cli.feed import NOTHING, feed_lines
from veln_hook.errors import FeedError, UsageError
from veln_hook.feed import Feed
from veln_hook.feed.state import feed_state
from veln_hook.model import Archive, ArchiveKind, ExitStatus, Origin, exit_status
from veln_hook.report.contents import StartUp
from veln_hook.report.wording import printable
from veln_hook.source.startup import pth_code, start_targets

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from veln_hook.archive.installed import Installed
    from veln_hook.cli.console import Console
    from veln_hook.cli.invocation import Invocation
    from veln_hook.policy.settings import Policy
    from veln_hook.report.contents import Contents

HELP = "verdicts about everything that is installed"
USAGE = "audit [options]"
NOBODY = "files of no distribution"
_CUSTOMIZE = ("sitecustomize", "usercustomize")
_MAX_TEXT = 1 << 20


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``audit``."""
    parser.add_argument(
        "--env",
        metavar="DIR",
        default="",
        help="the prefix of an environment, or its site-packages (default: this interpreter's)",
    )
    add_report_options(parser)


def run(invocation: Invocation) -> ExitStatus:
    """Judge each distribution."""
    args, console = invocation.args, invocation.console
    begin_report(console, sarif=args.sarif)
    prefix, places = _environment(args.env)
    console.progress(f"looking at {prefix} ...")
    try:
        everything = [each for place in places for each in installed_in(place, prefix)]
    except OSError as error:
        raise UsageError(
            f"{error.filename or prefix} can't be listed: {error.strerror or error}",
            advice="Run it as somebody who may read the environment.",
        ) from error
    started = [tuple(_start_up(each)) for each in everything]
    _tell_start_up(console, everything, started)
    found: list[Contents] = []
    policy = invocation.policy()
    with invocation.store(policy) as store:
        examiner = Examiner(policy, store)
        try:
            for number, (each, start_up) in enumerate(zip(everything, started), 1):
                console.progress(f"{number} of {len(everything)}: {_name(each)}")
                contents = _examined(examiner, each)._replace(
                    start_up=start_up,
                    advisories=examiner.weaknesses(each.project, each.version),
                    seen=examiner.seen(each.project, each.version),
                )
                found.append(contents)
                tell_contents(console, contents, everything=args.all)
        finally:
            examiner.close()
    _tell_feed(console, policy)
    status = exit_status([contents.verdict for contents in found])
    finish_report(console, found, status, sarif=args.sarif)
    return status


def _environment(given: str) -> tuple[str, list[str]]:
    if not given:
        paths = [sysconfig.get_path(name) for name in ("purelib", "platlib")]
        paths += [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
        return sys.prefix, sorted({os.path.realpath(path) for path in paths if os.path.isdir(path)})
    if not os.path.isdir(given):
        raise UsageError(f"--env {given}: there is no such directory", advice="Name an environment's prefix.")
    places = site_directories(given)
    if not places:
        raise UsageError(
            f"--env {given}: nothing is installed there, it has no site-packages",
            advice="Name an environment's prefix, such as .venv.",
        )
    return given, places


def _examined(examiner: Examiner, installed: Installed) -> Contents:
    with tempfile.TemporaryDirectory(prefix="veln-hook-") as directory:
        path = os.path.join(directory, "installed.zip")
        pack(installed, path)
        archive = Archive(
            path=path,
            # No wheel: what a wheel would overwrite is no question any more. A tree: it has no hash.
            kind=ArchiveKind.DIRECTORY,
            origin=Origin.TREE,
            filename=installed.info or NOBODY,
            project=installed.project,
            version=installed.version,
            size=os.path.getsize(path),
        )
        baseline = None
        if installed.project and installed.version:
            baseline = examiner.same_release(installed.project, installed.version)
        contents, _ = examiner.examine(archive, baseline)
    verdict = contents.verdict
    rulings = tuple(
        replace(ruling, finding=replace(ruling.finding, path=_shown(installed, ruling.finding.path)))
        for ruling in verdict.rulings
    )
    return contents._replace(
        place=_name(installed),
        root=installed.site,
        verdict=replace(verdict, rulings=rulings, subject=replace(archive, path=installed.site)),
    )


def _shown(installed: Installed, member: str) -> str:
    return installed.shown(member) if member else ""


def _name(installed: Installed) -> str:
    if not installed.project:
        return f"{NOBODY} in {installed.site}"
    return f"{installed.project} {installed.version}".rstrip()


def _start_up(installed: Installed) -> Iterator[StartUp]:
    """Yield what the interpreter runs whenever it starts."""
    for member, path in installed.files.items():
        stem, _, suffix = member.partition(".")
        if suffix in ("py", "pyc", "so") and stem in (
            *_CUSTOMIZE,
            *(f"{name}/__init__" for name in _CUSTOMIZE),
        ):
            yield StartUp(member, 1, "the whole file")
        if "/" in member or not member.endswith((".pth", ".start")):
            continue
        try:
            with open(path, "rb") as file:
                data = file.read(_MAX_TEXT)
        except OSError:
            continue
        if member.endswith(".pth"):
            for line, code in pth_code(data):
                yield StartUp(member, line, code.strip())
        else:
            for target in start_targets(data.decode("utf-8", "replace")):
                yield StartUp(member, 1, target)


def _tell_feed(console: Console, policy: Policy) -> None:
    """Tell what the verdicts know of malware; what is wrong with the feed stands in each of them."""
    feed, now = Feed(paths.feed_file()), clock.now()
    try:
        info = feed.info()
    except FeedError:
        return
    finally:
        feed.close()
    if info is not None:
        console.note(feed_lines(info, now)[0])
    elif not feed_state(info, policy, now).unfit:
        console.note(NOTHING)


def _tell_start_up(console: Console, everything: list[Installed], started: list[tuple[StartUp, ...]]) -> None:
    if not any(started):
        console.note("no start-up code")
        return
    console.note("start-up code, which any interpreter of this environment runs when it starts:")
    for each, start_up in zip(everything, started):
        for one in start_up:
            owner = _name(each) if each.project else NOBODY
            console.note(f"      {printable(one.path)}:{one.line}  {printable(owner)}")
            console.note(f"          {printable(one.code, limit=160)}")
