"""Approvals of a team: asked for on one machine, granted on another, counted everywhere and nowhere else.

Every machine here has files of its own; the store that they share is a real PostgreSQL.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from support.builders import make_wheel
from support.cache import cache_directory, machine_environ, making
from support.cache import run as run_command
from support.pythons import find_python, newest_pair

if TYPE_CHECKING:
    from pathlib import Path

    from support.envs import Env, Home, Result
    from support.index_server import IndexServer
    from support.shared_store import Fleet

OLD, YOUNG = timedelta(days=30), timedelta(minutes=5)
POLICY = '[approvals]\naccept = "shared"\n'
TWO = f"{POLICY}people = 2\n"


@pytest.fixture(scope="module")
def psycopg() -> Path:
    """A directory with the client for the newest Python, as the extra brings it."""
    python = newest_pair().python
    place = cache_directory() / f"psycopg-{python}"
    words = ["-m", "pip", "install", "--quiet", "--target", str(place), "psycopg[binary]>=3.1.8"]
    try:
        with making(place) as missing:
            if missing:
                run_command([str(find_python(python)), *words], machine_environ())
    except RuntimeError as error:
        pytest.skip(f"it can't be had here: {error}")
    return place


class Machine:
    """One of the team's machines, and who works there."""

    def __init__(self, team: Team, name: str, login: str) -> None:
        self.team, self.name, self.login = team, name, login

    def run(self, *words: Any) -> Result:
        place = self.team.home.path / self.name
        environ = {
            "VELN_HOOK_STORE_URL": self.team.fleet.url(self.login),
            "VELN_HOOK_STORE_TIMEOUT": "30 s",
            "PYTHONPATH": str(self.team.psycopg),
            "XDG_STATE_HOME": str(place),
        }
        return self.team.env.run_script(*words, index=self.team.index, env=environ)

    def hook(self, *words: Any) -> Result:
        return self.run("veln-hook", *words)

    def told(self, *words: Any) -> list[dict[str, Any]]:
        result = self.hook(*words, "--json")
        assert result.returncode == 0, result
        found: list[dict[str, Any]] = json.loads(result.stdout)["results"]
        return found

    def install(self, requirement: str = "demo==2.0") -> Result:
        target = self.team.home.path / f"target-{self.name}"
        return self.run("pip", "install", "--no-cache-dir", "--upgrade", "--target", target, requirement)

    def is_held(self) -> Result:
        result = self.install()
        assert result.returncode == 75, result
        assert "HOLD  demo 2.0" in result.out
        return result


class Team:
    """A shared store, an index with a young release, and machines."""

    def __init__(self, env: Env, home: Home, fleet: Fleet, index: IndexServer, psycopg: Path) -> None:
        self.env, self.home, self.fleet, self.index, self.psycopg = env, home, fleet, index, psycopg

    def policy(self, text: str) -> None:
        self.home.write_policy(text)

    def machine(self, name: str) -> Machine:
        """Return a developer's."""
        return Machine(self, name, self.fleet.machine_login)

    def approver(self, name: str, *roles: str) -> Machine:
        """Return one of somebody who may approve, by a login of their own."""
        return Machine(self, name, self.fleet.cluster.make_login("veln_hook_approver", *roles))


@pytest.fixture
def team(newest_env: Env, home: Home, fleet: Fleet, index: IndexServer, psycopg: Path) -> Team:
    index.add(make_wheel(home.path / "wheels", "demo", "1.0"), upload_time=OLD)
    index.add(make_wheel(home.path / "wheels", "demo", "2.0"), upload_time=YOUNG)
    made = Team(newest_env, home, fleet, index, psycopg)
    made.policy(POLICY)
    return made


@pytest.mark.slow
def test_a_grant_on_one_machine_counts_on_all_and_nobody_else_s_does(team: Team) -> None:
    developer, ada = team.machine("developer"), team.approver("ada")
    assert 'request  veln-hook request demo==2.0 --reason "..."' in developer.is_held().out
    asked = developer.hook("request", "demo==2.0", "--reason", "the release train")
    assert asked.returncode == 0, asked
    assert "demo 2.0 is asked for: request 1" in asked.out

    again = developer.hook("request", "demo==2.0", "--reason", "still")
    assert "already: request 1" in again.out
    for words in (("--request", "1"), ("demo==2.0", "--reason", "I say so")):
        refused = developer.hook("approve", *words)
        assert refused.returncode == 78, refused
        assert "the shared store refuses that to this login" in refused.stderr
    developer.is_held()

    (request,) = ada.told("requests", "list")
    assert (request["id"], request["state"], request["reason"]) == (1, "open", "the release train")
    assert [each["filename"] for each in request["files"]] == ["demo-2.0-py3-none-any.whl"]
    granted = ada.hook("approve", "--request", "1")
    assert granted.returncode == 0, granted

    for name in ("developer", "another"):
        passes = team.machine(name).install()
        assert passes.returncode == 0, passes
    assert [each["state"] for each in ada.told("requests", "list", "--all")] == ["granted"]
    assert ada.told("requests", "list") == []

    (approval,) = ada.told("approvals", "list")
    assert approval["reason"] == "request 1: the release train"
    assert ada.hook("approvals", "revoke", approval["id"]).returncode == 0
    team.machine("another").is_held()


@pytest.mark.slow
def test_where_two_people_have_to(team: Team) -> None:
    team.policy(TWO)
    developer, ada, bob = team.machine("developer"), team.approver("ada"), team.approver("bob")
    assert developer.hook("request", "demo==2.0", "--reason", "needed").returncode == 0
    first = ada.hook("approve", "--request", "1")
    assert "1 of the 2 people that the policy asks for have approved" in first.out
    told = developer.is_held()
    assert f"approved by {ada.login}; more people have to" in told.out
    # The same person once more, by another name or not, is one person.
    assert ada.hook("approve", "demo==2.0", "--reason", "really").returncode == 0
    developer.is_held()
    (request,) = developer.told("requests", "list")
    assert request["approved_by"] == [ada.login]
    second = bob.hook("approve", "--request", "1")
    assert "people that the policy asks for" not in second.out, second
    assert developer.install().returncode == 0


def test_who_asks_cannot_grant(team: Team) -> None:
    carol = team.approver("carol")
    assert carol.hook("request", "demo==2.0", "--reason", "mine").returncode == 0
    for words in (("--request", "1"), ("demo==2.0", "--reason", "mine")):
        own = carol.hook("approve", *words)
        assert own.returncode == 78, own
        assert "who asked for an approval can not give it" in own.stderr
    carol.is_held()


@pytest.mark.slow
def test_a_refusal(team: Team) -> None:
    developer, ada = team.machine("developer"), team.approver("ada")
    assert developer.hook("request", "demo==2.0", "--reason", "needed").returncode == 0
    assert developer.hook("requests", "refuse", "1", "--reason", "no").returncode == 78
    assert ada.hook("requests", "refuse", "1", "--reason", "wait a day").returncode == 0
    (request,) = developer.told("requests", "list", "--all")
    assert (request["state"], request["refusal"], request["refused_by"]) == (
        "refused",
        "wait a day",
        ada.login,
    )
    late = ada.hook("approve", "--request", "1")
    assert late.returncode == 2, late
    assert "no open request 1" in late.stderr
    assert ada.hook("requests", "refuse", "1", "--reason", "again").returncode == 2
    developer.is_held()


@pytest.mark.slow
def test_what_the_index_no_longer_lists_so_is_not_granted(team: Team, tmp_path: Path) -> None:
    developer, ada = team.machine("developer"), team.approver("ada")
    assert developer.hook("request", "demo==2.0", "--reason", "needed").returncode == 0
    team.index.files.clear()
    other = make_wheel(tmp_path / "others", "demo", "2.0", {"demo_other.py": "x = 1\n"})
    team.index.add(other, upload_time=YOUNG)
    granted = ada.hook("approve", "--request", "1")
    assert granted.returncode == 2, granted
    assert "no index that is asked here lists demo-2.0-py3-none-any.whl with the sha256" in granted.stderr


@pytest.mark.slow
def test_every_step_is_in_the_chained_log(team: Team) -> None:
    developer, ada = team.machine("developer"), team.approver("ada")
    for words in (("demo==2.0", "first"), ("demo==2.0", "second")):
        assert developer.hook("request", words[0], "--reason", words[1]).returncode == 0
        assert ada.hook("requests", "refuse", "1", "--reason", "no").returncode in (0, 2)
    assert ada.hook("approve", "--request", "2").returncode == 0
    assert ada.hook("approvals", "revoke", "1").returncode == 0
    log = [each["reason"] for each in ada.told("log", "--shared") if each["stage"] == "approval"]
    assert log[::-1] == [
        "request 1: first",
        "request 1 refused: no",
        "request 2: second",
        "approved: request 2: second",
        "approval revoked",
    ]
    assert ada.hook("log", "--verify").returncode == 0
    team.fleet.sql(
        "ALTER TABLE veln_hook.verdict_log DISABLE TRIGGER only_grows",
        "UPDATE veln_hook.verdict_log SET reason = 'request 1: another' WHERE reason = 'request 1: first'",
    )
    spoilt = ada.hook("log", "--verify")
    assert spoilt.returncode == 78, spoilt
    assert "is not what was written" in spoilt.stderr


def test_where_nothing_is_shared_there_is_nobody_to_ask(newest_env: Env, index: IndexServer) -> None:
    for words in (
        ("request", "demo==2.0", "--reason", "needed"),
        ("requests", "list"),
        ("approve", "--request", "1"),
    ):
        result = newest_env.run_script("veln-hook", *words, index=index)
        assert result.returncode == 2, result
        assert "this machine's store is shared with nobody" in result.stderr
