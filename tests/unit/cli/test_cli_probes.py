from __future__ import annotations

import os
import sys

import pytest

from veln_hook.cli import probes, probing
from veln_hook.cli.probing import Machine, ProbeResult


@pytest.fixture
def environ(tmp_path):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VELN_HOOK", "XDG_"))}
    return {**kept, "HOME": str(tmp_path), "PATH": str(tmp_path)}


def test_a_bug_in_a_probe_is_a_result(environ):
    def broken(machine):
        raise ZeroDivisionError("oh")

    result = probing.run_one("mine", broken, Machine(environ))
    assert (result.name, result.ok) == ("mine", False)
    assert "ZeroDivisionError: oh" in result.summary
    assert result.error is not None


def test_an_interpreter_without_the_hook_is_not_protected(environ):
    result = probes.hook(Machine(environ))  # the tests' own Python has none
    assert result.ok is False
    assert "--force-reinstall veln-hook" in result.remedy


def test_an_interpreter_that_can_not_be_started(environ, tmp_path):
    result = probes.hook(Machine(environ, executable=str(tmp_path / "absent")))
    assert result.ok is False
    assert probes.pip(Machine(environ, executable=str(tmp_path / "absent"))).ok is False


def test_an_interpreter_that_says_nonsense(environ, tmp_path):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho nonsense\nexit 3\n")
    fake.chmod(0o755)
    result = probes.hook(Machine(environ, executable=str(fake)))
    assert result.ok is False
    assert "exit status 3" in result.summary


def test_the_switch(environ):
    assert probes.switch(Machine(environ)).ok is True
    result = probes.switch(Machine({**environ, "VELN_HOOK": "off"}))
    assert result.ok is False
    assert "VELN_HOOK=off" in result.summary


def test_a_variable_that_can_not_be_read_breaks_the_policy(environ):
    machine = Machine({**environ, "VELN_HOOK_COOLING_MIN_AGE": "soon"})
    result = probes.policy(machine)
    assert result.ok is False
    assert result.error is not None
    assert probes.switch(machine).ok is True
    assert probes.store(machine).ok is None


def test_the_policy_tells_who_set_what(environ):
    result = probes.policy(Machine({**environ, "VELN_HOOK_COOLING_MIN_AGE": "3 days"}))
    assert result.ok is True
    assert "cooling 3 days (variable)" in result.summary
    assert "cooling.min_age is set by variable" in result.details


def test_other_installers_on_the_path_are_named(environ, tmp_path):
    (tmp_path / "uv").write_text("#!/bin/sh\n")
    (tmp_path / "uv").chmod(0o755)
    result = probes.gaps(Machine(environ))
    assert result.ok is None
    assert "on this PATH: uv" in result.summary


def test_every_probe_has_a_result(environ):
    for name, probe in probes.PROBES:
        result = probing.run_one(name, probe, Machine(environ))
        assert isinstance(result, ProbeResult)
        assert result.name == name
        assert result.summary
        assert set(result.to_dict()) == {"name", "ok", "summary", "details", "remedy"}


def test_a_directory_with_a_pip_in_it_is_not_asked(environ, tmp_path, monkeypatch):
    (tmp_path / "pip.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    assert "exit status 9" not in probes.pip(Machine(environ, executable=sys.executable)).summary
