"""A real uv whose builds are confined as ``veln-hook uv`` has them confined, without the rest of that command."""

from __future__ import annotations

import functools
import os
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from support.pythons import find_python, newest_pair
from veln_hook.adapters.uv.builds import Builds
from veln_hook.gate.egress import Egress
from veln_hook.guard import Guard
from veln_hook.model import Decision, Severity
from veln_hook.policy.settings import DecisionTable, Policy, SandboxPolicy
from veln_hook.sandbox import ladder, net_only
from veln_hook.sandbox.interface import Rung
from veln_hook.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.envs import Home
    from support.index_server import IndexServer
    from veln_hook.model import ExitStatus, Verdict

SECONDS = 240
_LENIENT = DecisionTable(
    {
        cell: min(decision, Decision.WARN) if cell[0] < Severity.CRITICAL else decision
        for cell, decision in DecisionTable().cells.items()
    }
)


@functools.cache
def probes() -> dict[str, ladder.Probe]:
    """Return what this machine's rungs do, by name."""
    return {probe.rung.value: probe for probe in ladder.find(every=True).probes}


def only(rung: str) -> ladder.Ladder:
    """Return a machine that has one rung, or with an empty name none."""
    if not rung:
        return ladder.Ladder(tuple(ladder.Probe(each, False, "not on this machine") for each in Rung))
    return ladder.Ladder((probes()[rung],))


def guards(home: Home, policy: SandboxPolicy | None = None) -> Callable[[], Guard]:
    """Return what makes a guard whose store is that user's, and that minds nothing but what is critical.

    So what it makes of code holds nothing back, and the sandbox is all there is.
    """

    def make() -> Guard:
        store = open_store(path=home.state_dir / "store.sqlite3")
        settings = Policy(decisions=_LENIENT, sandbox=policy or SandboxPolicy())
        return Guard(settings, store, prefix=str(home.path / "venv"))

    return make


class Ran(NamedTuple):
    """What came of it."""

    returncode: int
    out: str
    lines: tuple[str, ...]
    """What the builds have to tell."""
    status: ExitStatus
    """What they want the run to end with."""
    verdicts: tuple[Verdict, ...]
    """What was judged of what was built."""

    def __str__(self) -> str:
        return "\n".join([f"ended with {self.returncode}, {self.status!r}", self.out, *self.lines])


class Builder:
    """A user with a uv, an environment to install into, and no network but an index."""

    def __init__(self, uv: Path, home: Home, rung: str) -> None:
        self.uv = uv
        self.home = home
        self.rung = rung
        self.cache = home.path / ".cache/ours"
        self.target = home.path / "venv"
        self.python = find_python(newest_pair().python)

    def environ(self, **more: str) -> dict[str, str]:
        """Return the user's environment."""
        return {**self.home.environ(), "UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never", **more}

    def run(
        self,
        *args: str | Path,
        index: IndexServer | None = None,
        policy: SandboxPolicy | None = None,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        given: dict[str, str] | None = None,
        walled: bool = False,
        online: bool = False,
    ) -> Ran:
        """Run uv.

        Args:
            args: Its arguments.
            index: The only index.
            policy: How builds are confined.
            env: Further variables of the user's.
            cwd: Where it is started.
            given: What it gets besides, as for the gate.
            online: Whether it has this machine's network and index.
            walled: Whether it has a network of its own, whose gate lets it to the index.
        """
        environ = {**self.home.environ(online=online), **self.environ(**(env or {}))}
        given = {"UV_CACHE_DIR": str(self.cache), **(given or {})}
        if index is None and not online:
            given["UV_OFFLINE"] = "1"
        elif index is not None:
            given["UV_DEFAULT_INDEX"] = index.url
        words = [str(self.uv), *map(str, args)]
        with ExitStack() as stack:
            builds = stack.enter_context(
                Builds(
                    policy or SandboxPolicy(),
                    environ,
                    cache=str(self.cache),
                    uv=str(self.uv),
                    guard=guards(self.home, policy),
                    find=lambda: only(self.rung),
                )
            )
            route = -1
            if walled:
                assert index is not None
                gate = stack.enter_context(Egress([f"127.0.0.1:{index.port}"]))
                route = gate.open_route()
                stack.callback(os.close, route)
                words = net_only.command(words, route)
                given.update(dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), net_only.PROXY_URL))
            environment = builds.environment({**environ, **given})
            done = subprocess.run(
                words,
                env=environment,
                cwd=cwd or self.home.work,
                pass_fds=() if route < 0 else (route,),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            lines = builds.lines(failed=done.returncode != 0)
            return Ran(done.returncode, done.stdout, tuple(lines), builds.status(), tuple(builds.verdicts()))

    def install(self, *words: str | Path, **more) -> Ran:
        """Install into the target."""
        if not self.target.exists():
            self.make_venv(self.target)
        return self.run("pip", "install", "--python", self.target, *words, **more)

    def make_venv(self, prefix: Path, python: str | None = None) -> None:
        """Make an empty environment."""
        subprocess.run(
            [self.uv, "venv", "-q", "--python", python or self.python, prefix],
            env={**self.environ(), "UV_CACHE_DIR": str(self.cache)},
            check=True,
        )

    def installed(self, filename: str) -> Path:
        """Return a file in the target's site-packages."""
        return next(self.target.glob("lib/*/site-packages")) / filename
