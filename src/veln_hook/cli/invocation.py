"""What a command is given: its arguments, a console, the policy and the store."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from veln_hook.policy.loading import load_policy

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
        from veln_hook.store import open_policy_store  # noqa: PLC0415 - ``run`` needs none

        store = open_policy_store(policy)
        try:
            yield store
        finally:
            store.close()
