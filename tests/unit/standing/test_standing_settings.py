"""What is read from the gate's command line."""

from __future__ import annotations

import socket

import pytest

from veln_hook.errors import UsageError
from veln_hook.standing import notify
from veln_hook.standing.settings import Endpoint, read_endpoint, read_password


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8480", "127.0.0.1", 8480),
        ("[::1]:1", "::1", 1),
        ("0.0.0.0:0", "0.0.0.0", 0),
        ("localhost:80", "localhost", 80),
    ],
)
def test_places_to_listen_at(text, host, port):
    endpoint = read_endpoint(text, "--listen")
    assert endpoint == (host, port)
    assert str(endpoint) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "8480",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:70000",
        "127.0.0.1:-1",
        "::1:80",
        "a b:1",
        "x:1\n",
    ],
)
def test_what_is_no_place(text):
    with pytest.raises(UsageError, match="--listen"):
        read_endpoint(text, "--listen")


def test_an_address_has_its_brackets():
    assert str(Endpoint("::", 443)) == "[::]:443"


def test_the_password_is_the_first_line(tmp_path):
    file = tmp_path / "password"
    file.write_text("  correct horse \nand a remark\n")
    file.chmod(0o400)
    assert read_password(str(file)) == "correct horse"


@pytest.mark.parametrize("data", [b"", b"\n", b"  \nsecond", b"\xff\xfe\n", b"x" * 5000])
def test_what_is_no_password(tmp_path, data):
    file = tmp_path / "password"
    file.write_bytes(data)
    file.chmod(0o600)
    with pytest.raises(UsageError, match="no password"):
        read_password(str(file))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_password_that_others_can_read_is_none(tmp_path, mode):
    file = tmp_path / "password"
    file.write_text("secret\n")
    file.chmod(mode)
    with pytest.raises(UsageError, match="others") as caught:
        read_password(str(file))
    assert "secret" not in str(caught.value)


def test_systemd_s_credentials_look_as_if_a_group_could_read_them(tmp_path, monkeypatch):
    file = tmp_path / "password"
    file.write_text("secret\n")
    file.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_password(str(file)) == "secret"
    file.chmod(0o444)
    with pytest.raises(UsageError, match="others"):
        read_password(str(file))


def test_a_directory_is_no_password(tmp_path):
    with pytest.raises(UsageError):
        read_password(str(tmp_path))


def test_systemd_is_told_by_a_datagram(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "s"))
        heard.settimeout(10)
        notify.notify({"NOTIFY_SOCKET": str(tmp_path / "s")}, "READY=1", "STATUS=x")
        assert heard.recv(100) == b"READY=1\nSTATUS=x"


def test_systemd_s_socket_can_have_no_file():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind("\0veln-hook-test-notify")
        heard.settimeout(10)
        notify.notify({"NOTIFY_SOCKET": "@veln-hook-test-notify"}, "READY=1")
        assert heard.recv(100) == b"READY=1"


@pytest.mark.parametrize(
    "environ",
    [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/at/all"}, {"NOTIFY_SOCKET": "relative"}],
)
def test_it_is_no_error_if_nobody_hears(environ):
    notify.notify(environ, "READY=1")
