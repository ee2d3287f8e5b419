"""Fetch or import the feed of known malware, and tell how old it is."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from veln_hook import clock, paths
from veln_hook.cli.parsing import add_common
from veln_hook.errors import FeedError, UsageError
from veln_hook.feed import Feed
from veln_hook.feed.state import feed_state, rough
from veln_hook.model import ExitStatus
from veln_hook.policy.settings import OSV_URL
from veln_hook.report.text import when
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    import argparse
    from datetime import datetime

    from veln_hook.cli.console import Console
    from veln_hook.cli.invocation import Invocation
    from veln_hook.feed import FeedInfo
    from veln_hook.feed.building import Outcome
    from veln_hook.policy.settings import Policy

HELP = "fetch, import or show the feed of known malware"
USAGE = "feed [options] update | import FILE | status"
NOTHING = "there is no feed, so nothing is known of malware; that doesn't mean that anything is clean"
_SHOWN = 5


def add(parser: argparse.ArgumentParser) -> None:
    """Add ``update``, ``import`` and ``status``."""
    actions = parser.add_subparsers(prog="veln-hook feed", dest="action", metavar="ACTION", required=True)
    update = actions.add_parser(
        "update", help="fetch it from feed.url", description="Fetch the feed, if there is a newer one."
    )
    update.add_argument("--replace", action="store_true", help="even if it knows less than what is here")
    update.set_defaults(run=run_update)
    bring = actions.add_parser(
        "import",
        help="take it from a file",
        description="Take the feed from OSV's zip, a directory of its records, or one record.",
    )
    bring.add_argument("file", metavar="FILE", help="a zip, a directory or a JSON file")
    how = bring.add_mutually_exclusive_group()
    how.add_argument("--add", action="store_true", help="keep what is here, but for older records")
    how.add_argument("--replace", action="store_true", help="even if it knows less than what is here")
    bring.set_defaults(run=run_import)
    status = actions.add_parser(
        "status", help="what is here, and how old", description="Tell what is known, and as of when."
    )
    status.set_defaults(run=run_status)
    for action in (update, bring, status):
        add_common(action)


def run_update(invocation: Invocation) -> ExitStatus:
    """Fetch the feed, if its server has a newer one."""
    # Not above: pip is loaded for it, which 'status' and 'import' can do without.
    from veln_hook.adapters.pip.feed_fetching import fetch_feed, shown_url  # noqa: PLC0415
    from veln_hook.feed.building import Origin, confirm  # noqa: PLC0415

    console, policy = invocation.console, invocation.policy()
    path, url, source = paths.feed_file(), policy.feed.url, shown_url(policy.feed.url)
    known = _known(console)
    etag = known.etag if known is not None and known.source == source else ""
    console.progress(f"fetching {source} ...")
    with tempfile.NamedTemporaryFile(prefix="veln-hook-", suffix=".zip") as file:
        answer = fetch_feed(
            url,
            cast("BinaryIO", file),
            etag=etag,
            anonymous=url == OSV_URL,
            progress=lambda size: console.progress(f"fetching {source}: {size >> 20} MiB"),
        )
        now = clock.now()
        if not answer.new:
            confirm(path, now)
            info = _info()
            console.result(feed_object(info, policy, now))
            console.note("the feed is still the newest one")
            _tell(console, info, policy, now)
            return ExitStatus.OK
        file.flush()
        origin = Origin(source, etag=answer.etag, fresh=True)
        outcome = _built(console, file.name, origin, now=now, shrink=invocation.args.replace)
    return _told(console, outcome, policy, now)


def run_import(invocation: Invocation) -> ExitStatus:
    """Take the feed from a file."""
    from veln_hook.feed.building import Origin  # noqa: PLC0415 - as above

    args, console = invocation.args, invocation.console
    if not os.path.lexists(args.file):
        raise UsageError(f"{args.file}: there is no such file or directory", advice="Check the path.")
    policy, now = invocation.policy(), clock.now()
    outcome = _built(
        console,
        args.file,
        Origin(os.path.abspath(args.file)),
        now=now,
        add=args.add,
        shrink=args.replace,
    )
    return _told(console, outcome, policy, now)


def run_status(invocation: Invocation) -> ExitStatus:
    """Tell what is known, and whether it is what the policy asks for."""
    console, policy, now = invocation.console, invocation.policy(), clock.now()
    info = _info()
    console.result(feed_object(info, policy, now))
    _tell(console, info, policy, now)
    return ExitStatus.BLOCKED if feed_state(info, policy, now).unfit else ExitStatus.OK


def _built(console: Console, path: str, origin: Any, *, now: datetime, **how: bool) -> Outcome:
    from veln_hook.feed.building import build  # noqa: PLC0415 - as above
    from veln_hook.feed.sources import raw_records  # noqa: PLC0415

    return build(
        paths.feed_file(),
        raw_records(path),
        origin,
        now=now,
        progress=lambda count: console.progress(f"{count} records read"),
        **how,
    )


def _known(console: Console) -> FeedInfo | None:
    """Return what is here now; what is damaged is fetched anew."""
    try:
        return _info()
    except FeedError as error:
        console.note(f"{error}; it is fetched anew")
        return None


def _info() -> FeedInfo | None:
    feed = Feed(paths.feed_file())
    try:
        return feed.info()
    finally:
        feed.close()


def _told(console: Console, outcome: Outcome, policy: Policy, now: datetime) -> ExitStatus:
    console.result(feed_object(outcome.info, policy, now))
    _tell(console, outcome.info, policy, now)
    return ExitStatus.OK


def _tell(console: Console, info: FeedInfo | None, policy: Policy, now: datetime) -> None:
    unfit = feed_state(info, policy, now).unfit
    if info is None:
        console.line(unfit or NOTHING)
        return
    for line in feed_lines(info, now):
        console.note(line)
    if info.unreadable:
        console.line(
            f"{info.unreadable} record{'' if info.unreadable == 1 else 's'} could not be read and "
            f"{'is' if info.unreadable == 1 else 'are'} not in it:"
        )
        for name in info.unreadable_names[:_SHOWN]:
            console.line(f"      {printable(name)}")
    if unfit:
        console.line(unfit)


def feed_lines(info: FeedInfo, now: datetime) -> list[str]:
    """Return what is known of a feed, for a person."""
    newest = f", its newest record of {when(info.newest)}" if info.newest else ""
    others = info.records - info.malware - info.withdrawn
    return [
        f"feed as of {when(info.as_of)}, {rough(now - info.as_of)} ago{newest}",
        f"{info.malware} records of malware, {others} other advisories, {info.withdrawn} withdrawn",
        f"from {printable(info.source)}",
        f"in {info.path}, {info.size} bytes",
    ]


def feed_object(info: FeedInfo | None, policy: Policy, now: datetime) -> dict[str, Any]:
    """Return what is known of a feed, for ``--json``; ``null`` for what isn't."""
    unfit = feed_state(info, policy, now).unfit
    if info is None:
        return {"present": False, "path": str(paths.feed_file()), "unfit": unfit or None}
    return {
        "present": True,
        "path": info.path,
        "unfit": unfit or None,
        "as_of": info.as_of.isoformat(),
        "age_seconds": max(int((now - info.as_of).total_seconds()), 0),
        "checked_at": info.checked_at.isoformat(),
        "imported_at": info.imported_at.isoformat(),
        "newest": info.newest.isoformat() if info.newest else None,
        "source": info.source,
        "records": info.records,
        "malware": info.malware,
        "withdrawn": info.withdrawn,
        "unreadable": info.unreadable,
        "unreadable_names": list(info.unreadable_names),
        "bytes": info.size,
    }
