"""Real pips of several machines, which share a store in a real PostgreSQL."""

from __future__ import annotations

import socket
from datetime import timedelta

import pytest

from support.builders import make_wheel
from support.cache import postgres_wheels
from support.envs import Home, fresh_env, newest_pair

OLD, YOUNG = timedelta(days=30), timedelta(minutes=5)


@pytest.fixture
def machine(tmp_path, fleet):
    """Make machines: homes and environments of their own, with ``veln-hook[postgres]``."""

    def make(name, *, url="", more=""):
        home = Home(tmp_path / name)
        env = fresh_env(tmp_path / f"{name}-env", newest_pair(), home)
        wheels = map(str, postgres_wheels(env.pair.python))
        env.run_pip("install", "--no-deps", *wheels, protected=False, check=True)
        home.write_policy(f'[store]\nurl = "{url or fleet.url()}"\n{more}')
        return env

    return make


@pytest.mark.slow
@pytest.mark.pip
def test_an_approvers_grant_lets_a_held_install_pass_on_another_machine_and_nobody_elses_does(
    machine, fleet, index, tmp_path
):
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=YOUNG)
    developer = machine("developer", more='[approvals]\naccept = "shared"\n')
    held = developer.run_pip("install", "demo", index=index)
    assert held.returncode == 75, held
    assert "HOLD  demo 1.0" in held.out

    # Not by the developer, whose login may not.
    words = ("approve", "demo==1.0", "--reason", "read it", "-i", index.url)
    refused = developer.run_script("veln-hook", *words, index=index)
    assert refused.returncode == 78, refused
    assert "veln_hook_approver" in refused.out
    assert developer.run_pip("install", "demo", index=index).returncode == 75

    # Nor by the developer's own file.
    developer.home.write_policy("")
    own = developer.run_script("veln-hook", *words, index=index)
    assert own.returncode == 0, own
    developer.home.write_policy(f'[store]\nurl = "{fleet.url()}"\n[approvals]\naccept = "shared"\n')
    assert developer.run_pip("install", "demo", index=index).returncode == 75

    approver = machine("approver", url=fleet.approver_url)
    given = approver.run_script("veln-hook", *words, index=index)
    assert given.returncode == 0, given
    passed = developer.run_pip("install", "demo", index=index)
    assert passed.returncode == 0, passed
    assert developer.installed()["demo"] == "1.0"

    told = [(each.stage, each.decision.word, each.approval_id) for each in fleet.server().log()]
    assert ("candidate", "hold", None) in told
    assert ("candidate", "allow", 1) in told
    assert ("approval", "allow", 1) in told
    assert fleet.server().verify_log().problem == ""


@pytest.mark.slow
@pytest.mark.pip
def test_a_release_passes_when_enough_machines_have_seen_it(machine, index, tmp_path):
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    rules = "[cooling]\nmin_observations = 2\n"
    one, two = machine("one", more=rules), machine("two", more=rules)
    for _ in range(2):
        held = one.run_pip("install", "demo", index=index)
        assert held.returncode == 77, held
        assert "seen by 1 of the 2 machines" in held.out
    passed = two.run_pip("install", "demo", index=index)
    assert passed.returncode == 0, passed
    assert one.run_pip("install", "demo", index=index).returncode == 0


@pytest.fixture(params=["nobody listens", "never says a word"])
def unreachable(request):
    """A URL whose server gives no answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        if request.param == "never says a word":
            yield f"postgresql://m:s3cret@127.0.0.1:{port}/veln"
            return
    yield f"postgresql://m:s3cret@127.0.0.1:{port}/veln"


@pytest.mark.pip
def test_a_store_that_does_not_answer_holds_or_not_as_the_policy_says(machine, index, tmp_path, unreachable):
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    env = machine("one", url=unreachable, more='timeout = "1s"\n')
    held = env.run_pip("install", "demo", index=index)
    assert held.returncode == 78, held
    assert "the shared store d" in held.out  # does not, did not
    assert "Traceback" not in held.out
    assert "s3cret" not in held.out
    assert "demo" not in env.installed()

    env.home.write_policy(f'[store]\nurl = "{unreachable}"\ntimeout = "1s"\nunreachable = "local"\n')
    passed = env.run_pip("install", "-v", "demo", index=index)
    assert passed.returncode == 0, passed
    assert "goes on with what it knows" in passed.out
    assert "s3cret" not in passed.out


@pytest.mark.pip
def test_without_psycopg_nothing_is_installed_and_the_extra_is_named(newest_env, index, tmp_path):
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    result = newest_env.run_pip(
        "install", "demo", index=index, policy='[store]\nurl = "postgresql://m:s3cret@127.0.0.1:1/veln"\n'
    )
    assert result.returncode == 78, result
    assert "veln-hook[postgres]" in result.out
    assert "s3cret" not in result.out


@pytest.mark.slow
@pytest.mark.pip
def test_pip_replaces_psycopg_itself_while_the_store_is_open(machine, fleet, index):
    """What pip installs may be what we use: everything was loaded before."""
    env = machine("one")
    for wheel in postgres_wheels(env.pair.python):
        index.add(wheel, upload_time=OLD)
    again = env.run_pip("install", "--force-reinstall", "--no-deps", "psycopg", "psycopg-binary", index=index)
    assert again.returncode == 0, again
    assert "Traceback" not in again.out
    assert fleet.server().info().observations > 0
