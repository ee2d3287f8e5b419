"""What tests of commands in this process share: a home of their own, and ``main`` with what it prints."""

from __future__ import annotations

import os

import pytest

from veln_hook.cli.__main__ import main


@pytest.fixture
def own_home(tmp_path, monkeypatch):
    """Give the test's process a home, with no variable of ours, pip's or XDG's from outside."""
    for name in [name for name in os.environ if name.startswith(("VELN_HOOK", "XDG_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys):
    """Run a command line; return its status and what it printed to each stream."""

    def call(*argv):
        status = main([str(word) for word in argv])
        out, err = capsys.readouterr()
        return status, out, err

    return call
