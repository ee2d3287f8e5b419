"""The files of a release as an index lists them now: what can be approved, or asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.cli import asking
from veln_hook.errors import UsageError
from veln_hook.model import Decision
from veln_hook.report.json_form import verdict_object
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veln_hook.cli.console import Console
    from veln_hook.cli.invocation import Invocation
    from veln_hook.model import Verdict
    from veln_hook.policy.settings import Policy
    from veln_hook.store import Store


def judge(invocation: Invocation, policy: Policy, store: Store, project: str, version: str) -> list[Verdict]:
    """Judge the files of a release that the index promises a hash of, or of them those that are named.

    Args:
        invocation: The command, with the arguments of ``asking.add_index_options`` and ``--file``.
        policy: The settings in force.
        store: What is remembered.
        project: Normalized.
        version: As it was given.

    Raises:
        UsageError: A file isn't there, or there is none with a hash.
        VelnHookError: The index can't be asked.
    """
    args, console = invocation.args, invocation.console
    with asking.client(invocation, policy, store, fresh=True) as client:
        console.progress(f"asking for {project} {version} ...")
        verdicts = client.release(project, version)
    if args.file:
        listed = {verdict.subject.filename for verdict in verdicts}
        absent = [name for name in args.file if name not in listed]
        if absent:
            raise UsageError(
                f"{project} {version} has no file {printable(absent[0])}",
                advice=f"It has: {printable(', '.join(sorted(listed)))}.",
            )
        verdicts = [verdict for verdict in verdicts if verdict.subject.filename in args.file]
    bare = [verdict.subject.filename for verdict in verdicts if not verdict.subject.sha256]
    if len(bare) == len(verdicts):
        raise UsageError(
            f"the index promises no sha256 for {printable(', '.join(bare))}, so it can't be approved",
            advice="Download the file, look at it, and approve it with --sha256 HEX --filename NAME.",
        )
    for filename in bare:
        console.line(f"not approved, as the index promises no sha256 for it: {printable(filename)}")
    return [verdict for verdict in verdicts if verdict.subject.sha256]


def tell_blocked(console: Console, verdicts: Sequence[Verdict]) -> bool:
    """Tell which of these are blocked, so that nobody can let them pass; return whether any is."""
    blocked = [verdict for verdict in verdicts if verdict.decision is Decision.BLOCK]
    for verdict in blocked:
        console.verdict(verdict)
        console.result(verdict_object(verdict))
    return bool(blocked)
