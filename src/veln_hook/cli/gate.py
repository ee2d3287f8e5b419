"""Run a standing gate: a proxy for many clients that gives none of them what is held.

It serves uv, pip, poetry and pdm, here and on other machines, that have its URL in HTTPS_PROXY and trust its
certificate. It runs until it is told to stop; SIGHUP makes it read the policy again.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from veln_hook.errors import UsageError
from veln_hook.gate import extra
from veln_hook.model import ExitStatus

if TYPE_CHECKING:
    from veln_hook.cli.invocation import Invocation

HELP = "serve a team's installers as a proxy that holds releases back"
USAGE = "gate --listen HOST:PORT [options]"
_PYPI = "https://pypi.org/simple/"
_CLIENT_CONNECTIONS = 256
_GRACE = 30.0


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``gate``."""
    several: dict[str, Any] = {"action": "append", "default": []}
    parser.add_argument("--listen", metavar="HOST:PORT", required=True, help="where clients come in")
    parser.add_argument("--workers", metavar="N", type=_count, help="processes (default: one per CPU)")
    parser.add_argument("--authority", metavar="DIR", help="keep the gate's certificate authority there")
    parser.add_argument("--index", metavar="URL", **several, help="an index (default: PyPI)")
    parser.add_argument("--allow", metavar="HOST[:PORT]", **several, help="a host that is no index")
    parser.add_argument("--password-file", metavar="FILE", help="what clients have to bring")
    parser.add_argument("--no-password", action="store_true", help="whoever can connect is a client")
    parser.add_argument("--metrics", metavar="HOST:PORT", help="where /healthz and /metrics are answered")
    parser.add_argument(
        "--client-connections",
        metavar="N",
        type=_count,
        default=_CLIENT_CONNECTIONS,
        help=f"at most so many of one address, for each worker (default: {_CLIENT_CONNECTIONS})",
    )
    parser.add_argument(
        "--grace",
        metavar="SECONDS",
        type=_seconds,
        default=_GRACE,
        help=f"what running requests have to finish at the end (default: {_GRACE:g})",
    )


def run(invocation: Invocation) -> ExitStatus:
    """Serve until told to stop.

    Raises:
        UsageError: It can't be served in this way.
        PolicyError: The policy can't be read.
    """
    args = invocation.args
    if os.name != "posix":
        raise UsageError("a standing gate needs a POSIX system")
    if bool(args.password_file) == args.no_password:
        raise UsageError(
            "say who may use the gate",
            advice="Name a --password-file that has what clients must bring, or give --no-password.",
        )
    extra.require("a standing gate")
    from veln_hook.gate.allow import Allowlist  # noqa: PLC0415
    from veln_hook.standing.settings import (  # noqa: PLC0415 - they need the extra
        MAX_WORKERS,
        Settings,
        read_endpoint,
        read_password,
    )
    from veln_hook.standing.supervisor import Supervisor  # noqa: PLC0415

    Allowlist(args.allow, ())
    workers = args.workers or os.cpu_count() or 1
    settings = Settings(
        listen=read_endpoint(args.listen, "--listen"),
        workers=min(workers, MAX_WORKERS),
        indexes=tuple(args.index) or (_PYPI,),
        allow=tuple(args.allow),
        authority=args.authority,
        metrics=read_endpoint(args.metrics, "--metrics") if args.metrics else None,
        client_connections=args.client_connections,
        grace=args.grace,
        as_json=invocation.console.as_json,
    )
    password = read_password(args.password_file) if args.password_file else None
    Supervisor(settings, password, invocation.policy).run()
    return ExitStatus.OK


def _count(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not number:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds
