from __future__ import annotations

import os

import pytest

from veln_hook.errors import PolicyError
from veln_hook.policy.files import MAX_BYTES, read_policy, read_project


def complaint(path, read=read_policy):
    with pytest.raises(PolicyError) as raised:
        read(path)
    assert str(path) in str(raised.value)
    return raised.value


def test_an_absent_file_is_no_layer(tmp_path):
    (tmp_path / "file").write_text("")
    assert read_policy(tmp_path / "none.toml") is None
    assert read_policy(tmp_path / "file" / "below.toml") is None


def test_a_directory(tmp_path):
    assert "not a regular file" in str(complaint(tmp_path))


def test_a_fifo_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pyproject.toml")
    assert "not a regular file" in str(complaint(tmp_path / "pyproject.toml", read_project))


def test_a_device_behind_a_link(tmp_path):
    path = tmp_path / "pyproject.toml"
    path.symlink_to("/dev/zero")
    assert "not a regular file" in str(complaint(path, read_project))


def test_a_link_that_leads_nowhere_is_not_absent(tmp_path):
    path = tmp_path / "policy.toml"
    path.symlink_to(tmp_path / "gone")
    assert "symbolic link" in str(complaint(path))


def test_a_link_in_a_circle(tmp_path):
    path = tmp_path / "policy.toml"
    path.symlink_to(path)
    assert "can't be read" in str(complaint(path))


def test_a_link_to_a_file_is_followed(tmp_path):
    (tmp_path / "real.toml").write_text("[cooling]\n")
    (tmp_path / "policy.toml").symlink_to(tmp_path / "real.toml")
    assert read_policy(tmp_path / "policy.toml").table == {"cooling": {}}


def test_a_huge_file(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    assert "larger than 1024 KiB" in str(complaint(path))
    path.write_bytes(b"#" * MAX_BYTES)
    assert read_policy(path).table == {}


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"a = 1\nb = '\xff'\n", 2, "not UTF-8"),
        (b"a = 1\nb = '\x00'\n", 2, "not valid TOML"),
        (b"[cooling]\nmin_age = \n", 2, "not valid TOML"),
        (b"[cooling]\nmin_age = [\n", 3, "not valid TOML"),
        (b"a = 1\nb = " + b"[" * 100_000 + b"]" * 100_000, 2, "nested too deeply"),
        (b"a = 1\n" + b"[ # ]\n" * 10_000, 102, None),
        (b"a = " + b"{a=" * 100_000, 1, "nested too deeply"),
        (b"a = " + b"1" * 100_000, None, "can't be read as TOML"),
    ],
)
def test_broken_contents_name_the_line(tmp_path, data, line, words):
    path = tmp_path / "policy.toml"
    path.write_bytes(data)
    error = complaint(path)
    if words is not None:
        assert words in str(error)
        assert error.line == line


def test_a_terminal_is_not_written_to_by_a_broken_file(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_bytes(b"a = 1\n\x1b]0;owned\x07 = 2\n")
    assert "\x1b" not in str(complaint(path))


def test_a_byte_order_mark_and_windows_lines(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_bytes(b"\xef\xbb\xbf[cooling]\r\nmin_age = '2h'\r\n")
    document = read_policy(path)
    assert document.table == {"cooling": {"min_age": "2h"}}
    assert document.line(("cooling", "min_age")) == 2


def test_a_project_that_does_not_mention_us_is_not_parsed(tmp_path):
    path = tmp_path / "pyproject.toml"
    path.write_bytes(b"[broken\n\xff")
    assert read_project(path) is None
    path.write_bytes(b"[broken\n# veln-hook\n")
    assert complaint(path, read_project).line == 1


def test_a_project_that_only_depends_on_us(tmp_path):
    path = tmp_path / "pyproject.toml"
    path.write_text('[dependency-groups]\ndev = ["veln-hook"]\n')
    assert read_project(path).table == {}


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [("\ntool = 'veln-hook'\n", "tool", 2), ("[tool]\nveln-hook = 3\n", "tool.veln-hook", 2)],
)
def test_a_project_table_that_is_none(tmp_path, text, key, line):
    path = tmp_path / "pyproject.toml"
    path.write_text(text)
    error = complaint(path, read_project)
    assert (error.key, error.line) == (key, line)
