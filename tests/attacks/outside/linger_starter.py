"""Starts `linger.py` confined, as the user; prints the launcher's number, and its exit status at the end.

python linger_starter.py JOB.json
"""

from __future__ import annotations

import json
import os
import subprocess
import sys


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    sys.path.insert(0, job["source"])
    from veln_hook.sandbox.client import Launch
    from veln_hook.sandbox.interface import Confinement, Limits, Rung

    confinement = Confinement(
        cwd=job["build"],
        environment=job["environment"],
        write=(job["build"],),
        read=(*job["read"], sys.prefix, sys.base_prefix),
        limits=Limits(seconds=job["seconds"]),
    )
    kept = [] if job["route"] is None else [job["route"]]
    with Launch(confinement, job["command"], Rung(job["rung"]), route=job["route"]) as launch:
        process = subprocess.Popen(
            launch.argv, stdin=subprocess.DEVNULL, pass_fds=kept, start_new_session=True
        )
        for descriptor in kept:
            os.close(descriptor)
        print(process.pid, flush=True)
        print(process.wait(), flush=True)


if __name__ == "__main__":
    main()
