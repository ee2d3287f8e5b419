"""^C while archives begin to be read ahead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

INTERRUPTED = """
import signal, threading, time
from veln_hook.source.ahead import Ahead

errors = []
threading.excepthook = lambda hook: errors.append(hook.exc_value)
signal.signal(signal.SIGALRM, signal.default_int_handler)
came = 0
for number in range(200):
    ahead = Ahead(lambda path, size: time.sleep(0.0005), 2)
    try:
        signal.setitimer(signal.ITIMER_REAL, (5 + number % 100) * 1e-6)
        ahead.begin(__file__, "a")
        ahead.begin(__file__, "b")
        time.sleep(0.01)
    except KeyboardInterrupt:
        came += 1
    ahead.drop()
    ahead.join()
print(came, errors)
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a clock that signals")
def test_an_interrupt_while_a_thread_starts_leaves_it_known(tmp_path):
    script = tmp_path / "interrupted.py"
    script.write_text(INTERRUPTED)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run([sys.executable, script], env=environ, capture_output=True, text=True, check=True)
    came, _, errors = result.stdout.strip().partition(" ")
    assert int(came) > 150, result
    assert errors == "[]", result
