"""Which files of a project need a look because of what its page or the policy says of all of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from guard_records import INDEX, START, candidate

from veln_hook.errors import PolicyError
from veln_hook.history import ProjectPage
from veln_hook.model import Decision
from veln_hook.policy.settings import IndexPolicy, Policy

if TYPE_CHECKING:
    from guard_records import Machine


def page(*ages: int) -> ProjectPage:
    return ProjectPage(lambda: [(f"x-1.{age}.tar.gz", START - timedelta(days=age)) for age in ages])


def test_most_projects_have_files_that_need_no_look(machine: Machine) -> None:
    guard = machine.guard()
    assert guard.settled("demo", [page(1, 300)]) is not None
    assert guard.settled("reqeusts", [page(1, 300)]) is not None
    assert guard.settled("requests", [page(1)]) is not None


def test_of_a_young_project_with_a_popular_ones_name_none_is_passed_over(machine: Machine) -> None:
    assert machine.guard().settled("reqeusts", [page(1, 80)]) is None
    assert machine.guard().settled("reqeusts", [page(300), page(1)]) is None


def test_of_a_private_project_none_is_passed_over(machine: Machine) -> None:
    policy = Policy(indexes=(IndexPolicy("https://pypi.acme.example/simple/", private=("acme-*",)),))
    assert machine.guard(policy).settled("acme-core", [page(300)]) is None
    assert machine.guard(policy).settled("demo", [page(300)]) is not None


def test_the_list_that_the_policy_names_counts(machine: Machine, tmp_path) -> None:
    names = tmp_path / "names"
    names.write_text("acme-core\n")
    policy = Policy(popular_file=str(names))
    assert machine.guard(policy).settled("acmecore", [page(1)]) is None
    assert machine.guard(policy).settled("reqeusts", [page(1)]) is not None


def test_a_list_that_can_not_be_read_stops_what_needs_it(machine: Machine) -> None:
    guard = machine.guard(Policy(popular_file="/nowhere/names"))
    assert guard.settled("demo", [page(300)]) is not None
    with pytest.raises(PolicyError):
        guard.settled("demo", [page(1)])


def test_a_verdict_names_the_rule_and_the_popular_project(machine: Machine) -> None:
    young = candidate("1.1", project="reqeusts", age=timedelta(days=1), page=page(1))
    verdict = machine.guard().check_candidate(young)
    assert verdict.decision is Decision.HOLD
    (ruling,) = verdict.rulings
    assert (ruling.rule, ruling.finding.evidence) == ("decisions.high.medium", "requests")


def test_a_private_projects_forgery_is_blocked_and_no_approval_counts(machine: Machine) -> None:
    policy = Policy(indexes=(IndexPolicy("https://pypi.acme.example/simple/", private=("demo",)),))
    assert machine.guard(policy).check_candidate(candidate(index=INDEX)).decision is Decision.BLOCK
    own = candidate(index="https://pypi.acme.example/simple/")
    assert machine.guard(policy).check_candidate(own).decision is Decision.ALLOW
