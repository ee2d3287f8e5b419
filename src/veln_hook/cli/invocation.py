"""What a command is given: its arguments, a console, the policy and the store."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from veln_hook.adapters.pip.fetching import FetchingClient
from veln_hook.cli.parsing import index_options
from veln_hook.policy.loading import load_policy
from veln_hook.store import open_store

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from veln_hook.cli.console import Console
    from veln_hook.policy.settings import Policy
    from veln_hook.store import Store


@dataclass
class Invocation:
    """One command as it was typed."""

    args: argparse.Namespace
    console: Console

    def policy(self) -> Policy:
        """Read the policy in force here.

        Raises:
            PolicyError: It can't be read.
        """
        return load_policy(environ=os.environ)

    @contextlib.contextmanager
    def store(self, policy: Policy) -> Iterator[Store]:
        """Open the policy's store for the time of a block.

        Raises:
            StoreError: It can't be used.
        """
        store = open_store(policy.store_url)
        try:
            yield store
        finally:
            store.close()

    @contextlib.contextmanager
    def client(self, policy: Policy, store: Store, *, fresh: bool = False) -> Iterator[FetchingClient]:
        """Ask this interpreter's pip for the time of a block.

        Args:
            policy: The settings in force.
            store: What is remembered.
            fresh: Don't take pages from pip's cache.

        Raises:
            VelnHookError: There is no pip that can be asked.
        """
        interactive = not self.console.as_json and sys.stdin is not None and sys.stdin.isatty()
        self.console.progress("loading pip ...")
        client = FetchingClient(policy, store, index_options(self.args), fresh=fresh, interactive=interactive)
        try:
            yield client
        finally:
            self.console.clear()
            client.close()
