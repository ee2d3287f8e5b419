"""A sandbox behind a network of its own: it closes the sockets of the network outside, too."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
from confined import LINUX, Box, probes
from netted import Netted, open_directory

from veln_hook.gate.egress import Egress
from veln_hook.sandbox import net_only
from veln_hook.sandbox.client import Launch

CONNECT = """
import _socket, sys
try:
    _socket.socket(_socket.AF_UNIX).connect(sys.argv[1])
    print("connected")
except OSError:
    print("refused")
"""


@pytest.mark.parametrize("rung", LINUX, ids=lambda rung: rung.value)
def test_a_unix_socket_outside_is_refused(rung, tmp_path):
    if not net_only.find().works:
        pytest.skip("this machine gives nobody a network of its own")
    probe = probes().get(rung)
    if probe is None or not probe.works:
        pytest.skip("not on this machine")
    with open_directory() as directory, Egress([]) as gate, socket.socket(socket.AF_UNIX) as outside:
        path = str(directory / "socket")
        outside.bind(path)
        outside.listen()
        netted = Netted(None, sys.executable, gate)
        assert netted.code(CONNECT, path) == "connected", "it is there, and open to who isn't confined"
        box = Box(rung, tmp_path)
        # Readable, so that it doesn't vanish with the temporary directory.
        confinement = box.confinement(read=(sys.prefix, sys.base_prefix, str(directory)))
        command = [sys.executable, "-I", "-S", "-c", CONNECT, path]
        with Launch(confinement, command, rung, outside=os.getpid()) as launch:
            done = netted.run(*launch.argv, stderr=subprocess.PIPE)
            assert launch.report().confined, done
    assert done.stdout == b"refused\n", done
