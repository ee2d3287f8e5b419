"""``indexes.private`` and ``names.popular_file``: how they are read, merged and locked."""

from __future__ import annotations

import pytest

from veln_hook.errors import PolicyError

OWN = '[[indexes]]\nurl = "https://pypi.acme.example/simple/"\nprivate = ["Acme_*", "billing"]\n'
LOCK = '[lock]\nkeys = ["indexes.private"]\n'


def test_patterns_are_normalized(machine):
    policy = machine.write(user=OWN).load()
    assert [index.private for index in policy.indexes] == [("acme-*", "billing")]
    assert policy.to_dict()["indexes"][0]["private"] == ["acme-*", "billing"]


@pytest.mark.parametrize(
    "value", ['"acme"', "[7]", '[""]', '["acme core"]', '["https://x/"]', '["-acme"]', '["acme>=2"]']
)
def test_what_is_no_pattern_is_an_error(machine, value):
    text = f'[[indexes]]\nurl = "https://x/"\nprivate = {value}\n'
    with pytest.raises(PolicyError, match="private"):
        machine.write(user=text).load()


@pytest.mark.parametrize(
    "user",
    [
        '[[indexes]]\nurl = "https://pypi.acme.example/simple/"\n',
        '[[indexes]]\nurl = "https://pypi.acme.example/simple"\nprivate = ["acme-*"]\n',
        '[[indexes]]\nurl = "https://pypi.org/simple/"\nprivate = ["acme-*"]\n',
        '[[indexes]]\nurl = "https://pypi.acme.example/simple/sub/"\nprivate = ["other"]\n',
    ],
)
def test_a_lock_keeps_what_is_private(machine, user):
    machine.write(system=OWN + LOCK, user=user)
    with pytest.raises(PolicyError, match="locked by the system policy"):
        machine.load()


def test_what_changes_nothing_private_is_allowed_under_a_lock(machine):
    user = '[[indexes]]\nurl = "https://pypi.org/simple/"\nmin_age = "3 days"\n'
    policy = machine.write(system=OWN + LOCK, user=user).load()
    assert {index.url: index.private for index in policy.indexes}["https://pypi.acme.example/simple/"]


def test_the_first_to_call_something_private_is_stricter(machine):
    system = '[[indexes]]\nurl = "https://pypi.org/simple/"\n' + LOCK
    policy = machine.write(system=system, user=OWN).load()
    assert any(index.private for index in policy.indexes)


def test_a_guest_may_say_nothing_of_either(machine):
    for text in (OWN, '[names]\npopular_file = "/x"\n'):
        with pytest.raises(PolicyError, match="may not stand in the environment's file"):
            machine.write(environment=text).load()


def test_a_list_of_names_is_an_absolute_path(machine):
    assert machine.write(user='[names]\npopular_file = "/etc/names"\n').load().popular_file == "/etc/names"
    with pytest.raises(PolicyError, match="popular_file"):
        machine.write(user='[names]\npopular_file = "names"\n').load()
