"""Run a command as ``veln-hook run`` does, in a way of confining it that the test names.

Usage: drive_run.py SETTINGS ARGUMENT...; SETTINGS is JSON: rung; names (what the gate's resolver finds: name to
address and port), or nothing for the gate that is made otherwise. The arguments are those of ``veln-hook run``.
"""

from __future__ import annotations

import json
import os
import socket
import sys

from veln_hook.cli import run
from veln_hook.cli.console import Console
from veln_hook.cli.parsing import make_parser
from veln_hook.gate.egress import Egress
from veln_hook.policy.loading import load_policy
from veln_hook.sandbox.interface import Rung


def main(settings: dict, arguments: list[str]) -> int:
    args = make_parser((("run", run),)).parse_args(["run", *arguments])
    console = Console("run", out=sys.stderr, shared=True, as_json=args.json, quiet=args.quiet)
    gate = None
    if settings.get("names"):
        gate = Egress(args.allow, resolver=resolver(settings["names"]), private=args.allow)
    policy = load_policy(environ=os.environ)
    status = run.run_on(Rung(settings["rung"]), run.wishes_of(args), policy, console, gate=gate)
    console.finish()
    return status


def resolver(names: dict[str, tuple[str, int]]):
    def resolve(host, port, *, type):  # noqa: A002 - as getaddrinfo has it
        if host not in names:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, type, 6, "", tuple(names[host]))]

    return resolve


if __name__ == "__main__":
    raise SystemExit(main(json.loads(sys.argv[1]), sys.argv[2:]))
