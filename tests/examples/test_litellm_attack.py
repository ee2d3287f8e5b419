"""The visitor's script ends as its README says."""

from __future__ import annotations

import json
import re
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


@pytest.fixture(scope="module")
def ages(played):
    return played["ages"]


@pytest.fixture(scope="module", params=["utils.py", ".pth"])
def form(played, request):
    (form,) = (form for form in played["forms"] if form["form"] == request.param)
    return form


@pytest.mark.slow
def test_without_protection_every_age_is_robbed(ages):
    assert [moment["age_minutes"] for moment in ages] == [0, 4, 12, 47, 180]
    for moment in ages:
        assert (moment["unprotected"]["version"], moment["unprotected"]["stolen"]) == ("1.82.8", 1)


def test_below_the_threshold_nothing_of_the_bad_file_is_fetched(ages):
    for moment in ages[:4]:
        assert moment["protected"]["version"] == "1.82.6"
        assert moment["protected"]["exit_status"] == 0
        assert moment["protected"]["message"][0].startswith("HOLD  litellm 1.82.8  uploaded ")
        assert moment["pinned"]["exit_status"] == 75
        assert moment["pinned"]["version"] == ""
        for way in ("protected", "pinned"):
            assert (moment[way]["bad_bytes"], moment[way]["stolen"]) == (0, 0)


def test_an_old_one_is_held_for_what_it_does(ages):
    for way in ("protected", "pinned"):
        attempt = ages[4][way]
        assert (attempt["exit_status"], attempt["version"], attempt["stolen"]) == (77, "", 0)
        assert attempt["bad_bytes"] > 0
        assert "models.litellm.example" in "\n".join(attempt["message"])


def test_the_payload_works_where_nothing_protects(form):
    assert (form["unprotected"]["version"], form["unprotected"]["stolen"]) == ("1.82.8", 1)


def test_without_cooling_source_analysis_alone_holds_each_form(form):
    # Hidden code that sends credentials is blocked; open code that does is for a person to look at.
    word, status = {"utils.py": ("HOLD ", 77), ".pth": ("BLOCK", 1)}[form["form"]]
    assert form["protected"]["message"][0].startswith(f"{word} litellm 1.82.8  ")
    assert "uploaded" not in form["protected"]["message"][0]
    attempt = form["protected"]
    assert (attempt["exit_status"], attempt["version"], attempt["stolen"]) == (status, "", 0)
    assert (form["again"]["exit_status"], form["again"]["version"], form["again"]["stolen"]) == (
        0,
        "1.82.6",
        0,
    )


def test_the_review_shows_what_is_new(form):
    payload = {
        "utils.py": r"\n +41 \+ +urllib\.request\.urlopen\(request, timeout=5\)",
        ".pth": r"\n +1 \+ import subprocess, sys; subprocess\.run\(",
    }
    ruling = {
        "utils.py": "HOLD environment-exfiltration (high/high)",
        ".pth": "BLOCK decoded-execution (critical/high)",
    }[form["form"]]
    assert re.search(payload[form["form"]], form["review"]), form["review"]
    assert f"^ {ruling}" in form["review"]


@pytest.fixture(scope="module", params=["utils.py", ".pth"])
def use(played, request):
    (use,) = (use for use in played["uses"] if use["form"] == request.param)
    return use


def test_installed_and_imported_it_robs_who_runs_it_plainly(use):
    assert use["version"] == "1.82.8"
    assert use["plain"]["stolen"] == 1
    assert use["plain"]["output"][0] == "the sink can be reached: True"


def test_under_run_nothing_arrives_and_the_program_goes_on(use):
    if use["confined"]["exit_status"] == 78:
        pytest.skip(f"no sandbox works on this machine: {use['confined']['message']}")
    assert (use["confined"]["exit_status"], use["confined"]["stolen"]) == (0, 0)
    assert use["confined"]["output"] == ["the sink can be reached: False", use["plain"]["output"][1]]
    assert use["plain"]["output"][1].startswith("the program goes on: ")


def test_it_refuses_an_interpreter_without_protection(home):
    done = run(home, "--python", envs.shared_env(envs.newest_pair(), home, hooked=False).python)
    assert done.returncode == 1
    assert "veln-hook is not at work in" in done.stderr


@pytest.mark.online
def test_a_visitor_runs_it_from_the_checkout(home):
    done = run(home, online=True)
    assert done.returncode == 0, done
    assert "\n3 h     | 1.82.8    1         | nothing   77    0 " in done.stdout
    assert "using litellm 1.82.6 instead" in done.stdout
