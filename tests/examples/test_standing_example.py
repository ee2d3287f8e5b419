"""The example of a team's gate: its unit is one that systemd takes, and its files are what the program takes."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.cache import ROOT
from veln_hook.cli import gate
from veln_hook.cli.parsing import make_parser
from veln_hook.policy.loading import validate_file
from veln_hook.policy.schema import SYSTEM

EXAMPLE = ROOT / "examples" / "standing_gate"
UNIT = EXAMPLE / "veln-hook-gate.service"


class _Unit(configparser.RawConfigParser):
    """A unit's sections; a key that stands twice has both values, a line each."""

    def __init__(self) -> None:
        super().__init__(strict=False, delimiters="=", comment_prefixes="#", dict_type=_Several)

    def optionxform(self, optionstr: str) -> str:
        return optionstr


class _Several(dict):
    def __setitem__(self, key, value):
        if isinstance(value, list) and key in self and isinstance(self[key], list):
            value = [*self[key], *value]
        super().__setitem__(key, value)


def unit() -> _Unit:
    parsed = _Unit()
    parsed.read_string(UNIT.read_text())
    return parsed


def test_the_gate_takes_its_command_line():
    words = shlex.split(unit()["Service"]["ExecStart"])
    assert Path(words[0]).name == "veln-hook"
    args = make_parser([("gate", gate)]).parse_args(words[1:])
    assert args.command == "gate"
    assert args.authority.startswith("${STATE_DIRECTORY}/")
    assert args.password_file == "${CREDENTIALS_DIRECTORY}/password"
    assert args.grace < float(unit()["Service"]["TimeoutStopSec"])


def test_it_is_shut_in():
    service = unit()["Service"]
    for key in ("NoNewPrivileges", "PrivateDevices", "PrivateTmp", "DynamicUser", "MemoryDenyWriteExecute"):
        assert service[key] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert service["Type"] == "notify"
    assert service["ExecReload"].endswith("kill -HUP $MAINPID")
    assert service["KillMode"] == "mixed"


@pytest.fixture
def installed_unit(tmp_path):
    """The unit with programs that are here."""
    text = UNIT.read_text()
    text = text.replace("/opt/veln-hook/bin/veln-hook", sys.executable)
    path = tmp_path / UNIT.name
    path.write_text(text)
    return path


def _analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("there is no systemd-analyze here")
    environ = {**os.environ, "SYSTEMD_LOG_LEVEL": "warning", "LC_ALL": "C"}
    return subprocess.run([tool, *map(str, words)], env=environ, capture_output=True, text=True, check=False)


def test_systemd_takes_it(installed_unit):
    done = _analyze("verify", "--man=no", installed_unit)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if UNIT.name in line]
    assert ours == []
    assert done.returncode == 0, done.stderr


def test_systemd_finds_what_is_wrong_with_another(installed_unit):
    installed_unit.write_text(installed_unit.read_text().replace("Type=notify", "Type=nothing"))
    done = _analyze("verify", "--man=no", installed_unit)
    assert UNIT.name in done.stdout + done.stderr


def test_systemd_finds_little_that_it_could_do(installed_unit):
    done = _analyze("security", "--offline=yes", "--no-pager", installed_unit)
    if "unrecognized option" in done.stderr or "Unknown command" in done.stderr:
        pytest.skip("this systemd-analyze can't judge a file")
    told = re.search(r"exposure level.*?: ([0-9.]+)", done.stdout)
    assert told is not None, done.stdout + done.stderr
    assert float(told[1]) < 2.0, done.stdout


def test_its_policy_is_one():
    assert validate_file(EXAMPLE / "policy.toml", SYSTEM) == []


@pytest.mark.slow
def test_clients_get_what_the_gate_gives():
    lines = [line for line in (EXAMPLE / "client.env").read_text().splitlines() if line and line[0] != "#"]
    variables = dict(line.split("=", 1) for line in lines)
    port = re.search(r"--listen \S+:(\d+)", unit()["Service"]["ExecStart"])[1]
    assert variables["HTTPS_PROXY"] == variables["HTTP_PROXY"]
    assert variables["HTTPS_PROXY"].endswith(f":{port}")
    assert variables["NO_PROXY"] == ""
    assert {variables[name] for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")} == {
        "/etc/veln-hook-gate/ca.pem"
    }
    readme = (EXAMPLE / "README.md").read_text()
    assert "/etc/veln-hook-gate/ca.pem" in readme
    for file in EXAMPLE.iterdir():
        assert file.name == "README.md" or f"`{file.name}`" in readme
