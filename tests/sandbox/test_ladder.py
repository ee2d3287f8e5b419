"""The ladder finds what this machine can do; whether it can is asked of other programs."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from confined import LINUX, probes

from veln_hook.sandbox import ladder, landlock
from veln_hook.sandbox.interface import Rung

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the rungs of Linux")


def grants(*command: str) -> bool:
    return (
        shutil.which(command[0]) is not None
        and not subprocess.run(command, capture_output=True, check=False).returncode
    )


def test_where_namespaces_are_granted_their_rung_works():
    if not grants(
        "unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--mount-proc", "true"
    ):
        pytest.skip("this user is granted no namespaces")
    assert probes()[Rung.NAMESPACES].works, probes()[Rung.NAMESPACES].reason


def test_where_bubblewrap_works_its_rung_does():
    if not grants("bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "true"):
        pytest.skip("no bubblewrap that works")
    assert probes()[Rung.BUBBLEWRAP].works, probes()[Rung.BUBBLEWRAP].reason


def test_where_landlock_is_there_the_supervisor_works():
    if not landlock.abi():
        pytest.skip("no Landlock")
    assert probes()[Rung.SUPERVISOR].works, probes()[Rung.SUPERVISOR].reason


def test_the_strongest_is_taken_and_no_more_are_tried():
    found = ladder.find()
    assert found.rung == next(rung for rung in LINUX if probes()[rung].works)
    assert [probe.works for probe in found.probes].count(True) == 1


def test_a_rung_that_lets_something_through_does_not_count(monkeypatch):
    """The probe's command is real; here it runs with no wall at all."""
    import veln_hook.sandbox.ladder as module

    class Unconfined(module.Launch):
        def __init__(self, confinement, command, rung, **more):
            super().__init__(confinement, command, rung, **more)
            self.argv = list(command)

    monkeypatch.setattr(module, "Launch", Unconfined)
    reason = module._problem(Rung.NAMESPACES)
    assert reason == (
        "the command could connect to this machine, connect to a UNIX socket, read a hidden file, write outside"
    )
