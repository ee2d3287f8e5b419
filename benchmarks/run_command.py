"""What `veln-hook run -- COMMAND` costs beside COMMAND itself.

    python benchmarks/run_command.py                 the command is true
    python benchmarks/run_command.py -- make test    any other; it should take the same time each time

A virtualenv with veln-hook runs the command by turns as it is, started confined without anything around it,
and with `veln-hook run`, which also reads the policy, looks for secrets and tries whether the sandbox holds.
The try is a confined start, too, so that two of them are taken off from what counts as veln-hook's own.

Your own home and your own policy count: who has much in the home has more that is looked through.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import measuring

sys.path.insert(0, str(measuring.CHECKOUT / "src"))

from veln_hook.sandbox import hiding, ladder
from veln_hook.sandbox.client import Launch
from veln_hook.sandbox.interface import Confinement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PLAIN, PYTHON, CONFINED, RUN = "plain", "python -c pass", "confined start", "veln-hook run"
LIMIT_SECONDS = 0.110
"""CPU time of `veln-hook run` itself, the start of Python (10 ms) included: what we promise to stay below."""


def prepare(
    python: str, command: Sequence[str], work: Path, environ: Mapping[str, str], stack: ExitStack
) -> dict[str, list[str]]:
    """Make the virtualenv; return what each arm runs."""
    own = measuring.make_venv(python, work / "venv", environ, with_pip=True)
    measuring.run([own, "-m", "pip", "install", "--quiet", str(measuring.CHECKOUT)], environ)
    found = ladder.find()
    if found.rung is None:
        raise SystemExit("; ".join(f"{probe.rung.value}: {probe.reason}" for probe in found.probes))
    confinement = Confinement(
        cwd=os.getcwd(),
        environment=environ,
        write=(os.getcwd(),),
        read=(*hiding.toolchains(environ["HOME"], environ), str(work / "venv")),
        hide=hiding.secrets(environ["HOME"], environ),
        own_processes=True,
    )
    return {
        PLAIN: list(command),
        PYTHON: [own, "-c", "pass"],
        CONFINED: stack.enter_context(Launch(confinement, command, found.rung)).argv,
        RUN: [str(work / "venv" / "bin" / "veln-hook"), "run", "--", *command],
    }


def own_cost(costs: Mapping[str, Sequence[measuring.Cost]], kind: str) -> measuring.Estimate:
    """Estimate what `veln-hook run` takes besides the command and two confined starts, in seconds."""
    rounds = zip(*([getattr(cost, kind) for cost in costs[name]] for name in (PLAIN, CONFINED, RUN)))
    return measuring.estimate([run - plain - 2 * (confined - plain) for plain, confined, run in rounds])


def main() -> int:
    """Measure and print; return 1 only if the promise is broken beyond doubt."""
    parser = argparse.ArgumentParser(description="The cost of a command under veln-hook run.")
    parser.add_argument("--python", default=sys.executable, help="interpreter to measure with")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("command", nargs="*", default=["true"])
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="veln-hook-benchmark-") as temporary, ExitStack() as stack:
        work = Path(temporary)
        environ = measuring.plain_environ(Path.home())
        (work / "project").mkdir()
        stack.callback(os.chdir, os.getcwd())
        os.chdir(work / "project")
        commands = prepare(options.python, options.command, work, environ, stack)
        around = measuring.surroundings(options.python)
        arms = {
            name: lambda argv=argv: measuring.run(argv, environ)  # type: ignore[misc]
            for name, argv in commands.items()
        }
        costs = measuring.alternate(arms, options.rounds, warm_up=3, shown="round")

    results = [
        {
            "variant": name,
            "cpu_added": measuring.differences(costs[name], costs[PLAIN], "cpu"),
            "wall_added": measuring.differences(costs[name], costs[PLAIN], "wall"),
        }
        for name in (PYTHON, CONFINED, RUN)
    ]
    own = own_cost(costs, "cpu")
    results.append({"variant": "its own", "cpu_added": own, "wall_added": own_cost(costs, "wall")})
    verdict = own.against(LIMIT_SECONDS)
    if options.json:
        extra = [*results, {"promise": f"{1000 * LIMIT_SECONDS:.0f} ms", "verdict": verdict}]
        print(measuring.report("run_command", {**around, "rounds": options.rounds}, extra))
    else:
        print(f"{measuring.describe(around)}, {options.rounds} rounds of {' '.join(options.command)}\n")
        rows = [("added by", "CPU ms", "wall ms")]
        rows += [(str(row["variant"]), text(row["cpu_added"]), text(row["wall_added"])) for row in results]
        print(measuring.table(rows))
        print(f"\nits own CPU time is less than {1000 * LIMIT_SECONDS:.0f} ms: {verdict}")
    return 1 if verdict == "exceeded" else 0


def text(seconds: object) -> str:
    """Return an estimate in milliseconds."""
    assert isinstance(seconds, measuring.Estimate)
    return measuring.Estimate(seconds.value * 1e3, seconds.low * 1e3, seconds.high * 1e3).text(digits=1)


if __name__ == "__main__":
    raise SystemExit(main())
