"""What stands on the command line for macOS, as far as it can be run elsewhere: all but ``sandbox-exec``."""

from __future__ import annotations

import os
import subprocess

import pytest

from veln_hook.sandbox import macos
from veln_hook.sandbox.client import Launch
from veln_hook.sandbox.interface import Confinement, Rung


def test_a_command_for_macos_has_its_directory_its_environment_and_its_profile(tmp_path):
    confinement = Confinement(
        cwd=str(tmp_path), environment={"PATH": os.defpath, "ODD": "a b'\n"}, hide=("/secret",)
    )
    with Launch(
        confinement, ["sh", "-c", 'pwd -P; printf "%s" "$ODD"; env; ls -d "$HOME" "$TMPDIR"'], Rung.SEATBELT
    ) as launch:
        at = launch.argv.index(macos.PROGRAM)
        assert launch.argv[at + 1] == "-p"
        assert launch.argv[at + 2].startswith("(version 1)\n(deny default)")
        assert '"/secret"' in launch.argv[at + 2]
        unconfined = [*launch.argv[:at], *launch.argv[at + 3 :]]
        ended = subprocess.run(unconfined, capture_output=True, text=True, check=True, env={"LEAK": "secret"})
        assert launch.report().confined
        directory = launch._directory
    lines = ended.stdout.splitlines()
    assert lines[0] == os.path.realpath(tmp_path)
    assert "a b'\n" in ended.stdout
    assert "LEAK" not in ended.stdout
    assert f"HOME={directory}/scratch/home" in lines
    assert not os.path.exists(directory)


def test_a_route_is_refused_on_macos(tmp_path):
    with pytest.raises(ValueError):
        Launch(Confinement(cwd="/", environment={}), ["true"], Rung.SEATBELT, route=3)
