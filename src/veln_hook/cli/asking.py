"""What commands that ask an index share: pip's options for where to look, and this interpreter's pip."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from veln_hook.adapters.pip.client import IndexOptions
from veln_hook.adapters.pip.listing import ListingClient
from veln_hook.report import ci

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from veln_hook.cli.invocation import Invocation
    from veln_hook.policy.settings import Policy
    from veln_hook.store import Store


def add_index_options(parser: argparse.ArgumentParser) -> None:
    """Add pip's options for where to look; without them, pip's own configuration counts."""
    group = parser.add_argument_group("where to look (as pip's options; default: pip's configuration)")
    group.add_argument("-i", "--index-url", metavar="URL", default="", help="the index")
    group.add_argument("--extra-index-url", metavar="URL", action="append", default=[], help="one more index")
    group.add_argument(
        "-f",
        "--find-links",
        metavar="PLACE",
        action="append",
        default=[],
        help="a page or directory of files",
    )
    group.add_argument("--no-index", action="store_true", help="only --find-links")


def index_options(args: argparse.Namespace) -> IndexOptions:
    """Return what ``add_index_options`` added."""
    return IndexOptions(
        index_url=args.index_url,
        extra_index_urls=tuple(args.extra_index_url),
        find_links=tuple(args.find_links),
        no_index=args.no_index,
        pre=getattr(args, "pre", False),
    )


@contextlib.contextmanager
def client(
    invocation: Invocation,
    policy: Policy,
    store: Store,
    *,
    fresh: bool = False,
    further: Sequence[str] = (),
) -> Iterator[ListingClient]:
    """Ask this interpreter's pip for the time of a block.

    Args:
        invocation: The command, with the arguments of ``add_index_options``.
        policy: The settings in force.
        store: What is remembered.
        fresh: Don't take pages from pip's cache.
        further: Indexes that are asked, too.

    Raises:
        VelnHookError: There is no pip that can be asked.
    """
    console = invocation.console
    interactive = (
        not console.as_json and not ci.is_ci(os.environ) and sys.stdin is not None and sys.stdin.isatty()
    )
    console.progress("loading pip ...")
    options = index_options(invocation.args)
    options = replace(options, extra_index_urls=(*options.extra_index_urls, *further))
    asked = ListingClient(policy, store, options, fresh=fresh, interactive=interactive)
    try:
        yield asked
    finally:
        console.clear()
        asked.close()
