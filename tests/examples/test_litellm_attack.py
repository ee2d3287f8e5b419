"""The visitor's script ends as its README says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support import envs

EXAMPLE = Path(__file__).parents[2] / "examples" / "litellm_attack"


def run(home, *options, online=False):
    return subprocess.run(
        [sys.executable, EXAMPLE / "run.py", *map(str, options)],
        env=home.environ(online=online),
        cwd=home.work,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """One run of the script, for all that is asked about it here."""
    home = envs.Home(tmp_path_factory.mktemp("visitor") / "home")
    done = run(home, "--python", envs.shared_env(envs.newest_pair(), home).python, "--json")
    assert done.returncode == 0, done
    told = json.loads(done.stdout)
    assert told["errors"] == []
    return told["results"]


def test_without_protection_every_age_is_robbed(played):
    assert [moment["age_minutes"] for moment in played] == [0, 4, 12, 47, 180]
    for moment in played:
        assert (moment["unprotected"]["version"], moment["unprotected"]["stolen"]) == ("1.82.8", 1)


def test_below_the_threshold_nothing_of_the_bad_file_is_fetched(played):
    for moment in played[:4]:
        assert moment["protected"]["version"] == "1.82.6"
        assert moment["protected"]["exit_status"] == 0
        assert moment["protected"]["message"][0].startswith("HOLD  litellm 1.82.8  uploaded ")
        assert moment["pinned"]["exit_status"] == 75
        assert moment["pinned"]["version"] == ""
        for way in ("protected", "pinned"):
            assert (moment[way]["bad_bytes"], moment[way]["stolen"]) == (0, 0)


def test_cooling_alone_lets_an_old_one_through_and_the_example_says_so(played):
    assert (played[4]["protected"]["version"], played[4]["protected"]["stolen"]) == ("1.82.8", 1)
    assert "The last row is no mistake" in (EXAMPLE / "README.md").read_text()


def test_it_refuses_an_interpreter_without_protection(home):
    done = run(home, "--python", envs.shared_env(envs.newest_pair(), home, hooked=False).python)
    assert done.returncode == 1
    assert "veln-hook is not at work in" in done.stderr


@pytest.mark.online
def test_a_visitor_runs_it_from_the_checkout(home):
    done = run(home, online=True)
    assert done.returncode == 0, done
    assert "\n3 h     | 1.82.8    1         | 1.82.8    0     1 " in done.stdout
    assert "using litellm 1.82.6 instead" in done.stdout
