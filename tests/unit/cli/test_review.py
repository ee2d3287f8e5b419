"""``veln-hook review`` as far as no index is asked; tests/pip/test_review_command.py has the rest."""

from __future__ import annotations

import os

import pytest

from veln_hook.archive.texts import MAX_TEXT, read_texts
from veln_hook.cli.__main__ import main


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("VELN_HOOK", "XDG_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "argv",
    [
        ["review"],
        ["review", "acme"],
        ["review", "acme==1", "--html", "."],
        ["review", "acme==1", "--file", "a", "--all-files"],
    ],
)
def test_a_user_s_mistake_is_told_in_words(argv, capsys):
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 2


def test_members_are_text_or_not(tmp_path):
    (tmp_path / "a.py").write_bytes("x = 'ä'\r\n".encode())
    (tmp_path / "latin.py").write_bytes(b"# coding: latin-1\nx = '\xe4'\n")
    (tmp_path / "b.bin").write_bytes(b"a\0b")
    (tmp_path / "c.bin").write_bytes(b"\xff\xfe")
    (tmp_path / "long.txt").write_text("x" * (MAX_TEXT + 1))
    found = read_texts(str(tmp_path)).files
    assert {name for name, entry in found.items() if entry.text is None} == {"b.bin", "c.bin", "long.txt"}
    assert "ä" in found["latin.py"].text
    assert all(entry.sha256 for entry in found.values())


def test_what_can_not_be_read_is_a_problem(tmp_path):
    (tmp_path / "x.whl").write_bytes(b"PK nothing")
    assert read_texts(str(tmp_path / "x.whl")).problem
