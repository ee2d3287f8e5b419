"""pip forbids any first import once installing starts: a gate that has been imported imports nothing more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

WORK = """
import socket, sys, threading
from veln_hook.gate.egress import Egress
from veln_hook.gate.limits import Limits
imported = set(sys.modules)
egress = Egress(["localhost", "unknown.invalid", "*.wild.test"], private=["localhost"], limits=Limits(who_seconds=0.1))
ours = socket.socket(fileno=egress.open_route())
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
place = listener.getsockname()
socket.send_fds(ours, [b"listener proxy 1"], [listener.fileno()])
told = []
for request in (
    b"CONNECT evil.test:443 HTTP/1.1\\r\\nHost: evil.test\\r\\n\\r\\n",
    b"CONNECT unknown.invalid:443 HTTP/1.1\\r\\nHost: unknown.invalid\\r\\n\\r\\n",
    b"GET http://localhost/ HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n",
    b"nonsense\\r\\n\\r\\n",
):
    sock = socket.socket()
    sock.connect(place)
    sock.sendall(request)
    told.append(sock.recv(4096).split()[1].decode())
    sock.close()
egress.close()
print(*told, *sorted(set(sys.modules) - imported))
"""


def test_everything_is_imported_with_the_gate():
    # `localhost` has nobody on port 80 or somebody; both are answers.
    path = os.pathsep.join(
        [str(Path(__file__).parents[2] / "src"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    )
    told = subprocess.run(
        [sys.executable, "-c", WORK],
        check=True, capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": path},
    ).stdout.split()  # fmt: skip
    assert told[:2] == ["403", "502"]
    assert told[3:] == ["400"]


WITHOUT = """
import sys
sys.modules["cryptography"] = None
from veln_hook.gate.egress import Egress
with Egress(["allowed.test"]) as egress:
    print(egress.listen(password="x") > 0)
"""


def test_allowed_hosts_are_reached_without_cryptography():
    path = os.pathsep.join(
        [str(Path(__file__).parents[2] / "src"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    )
    told = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        check=True, capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": path},
    ).stdout  # fmt: skip
    assert told == "True\n"
