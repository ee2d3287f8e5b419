"""Where no start-up file of ours is read, pip's and uv's own configuration leads them to a gate."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import machine
import pytest
from machine import ACTIVE, TOOL, USER

from support.pythons import find_python, newest_pair

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from machine import Image

    from support.envs import Result

# As OpenTelemetry's: it stands before an image's, and doesn't run the next.
HIDING = {"PYTHONPATH": "/opt/hiding", "PIP_CONFIG_FILE": ""}
PYTHON = str(find_python(newest_pair().python))


@pytest.fixture(scope="module")
def netted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """A machine with a standing gate, enabled with a second net that leads to it."""
    for image in machine.make(tmp_path_factory.mktemp("wheels")):
        start = (
            f"mkdir -p /opt/hiding && touch /opt/hiding/sitecustomize.py && {TOOL}/bin/veln-hook --json gate"
            f" --listen 127.0.0.1:0 --no-password --workers 1 --authority /opt/authority --index {image.index.url}"
            " > /tmp/gate.log 2>&1 & echo $! > /tmp/gate.pid"
        )
        image.run("rm", "-f", "/etc/pip.conf", "/etc/uv/uv.toml")  # of the machine below
        image.run("sh", "-c", start)
        told = listening(image.rootfs.path("/tmp/gate.log"))
        image.run("cp", told["certificate"], "/opt/gate.pem")
        words = ("--gate", f"http://{told['address']}", "--gate-certificate", "/opt/gate.pem")
        done = image.hook("enable", "--image", *words)
        assert done.returncode == 0, done
        yield image
        image.run("sh", "-c", "kill $(cat /tmp/gate.pid)")


def listening(log: Path) -> dict[str, str]:
    """Wait until a gate says where it listens."""
    for _ in range(600):
        for line in log.read_text().splitlines() if log.exists() else ():
            if '"listening"' in line:
                return json.loads(line)
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def pip(netted: Image, *words: str, **env: str) -> Result:
    target = ("--target", "/tmp/second", "--no-cache-dir")
    return netted.run(PYTHON, "-m", "pip", "install", *target, *words, user=USER, env={**HIDING, **env})


@pytest.mark.slow
def test_pip_is_held_by_the_gate_where_the_hook_is_hidden(netted: Image) -> None:
    assert netted.run(PYTHON, "-c", ACTIVE, env=HIDING).stdout.strip() == "False"
    held = pip(netted, "demo==2.0")
    assert held.returncode != 0, held
    assert not [each for each in netted.index.downloads if "demo-2.0" in each]
    older = pip(netted, "demo")
    assert older.returncode == 0, older
    assert "demo-1.0" in older.out
    without = pip(netted, "demo==2.0", PIP_CONFIG_FILE="/dev/null")
    assert without.returncode == 0, "without the second net nothing holds it"


@pytest.mark.slow
def test_so_is_a_uv_past_its_shim(netted: Image) -> None:
    words = (
        "/usr/local/bin/uv",
        "pip",
        "install",
        "--no-cache",
        "--target",
        "/tmp/uv-second",
        "--python",
        PYTHON,
    )
    index = ("--index-url", netted.index.url)
    held = netted.run(*words, *index, "demo==2.0", user=USER)
    assert held.returncode != 0, held
    assert netted.run(*words, *index, "demo", user=USER).returncode == 0
    without = netted.run(*words, *index, "--no-config", "demo==2.0", user=USER)
    assert without.returncode == 0, "without the second net nothing holds it"


@pytest.mark.slow
def test_doctor_says_what_is_hidden_and_what_holds(netted: Image) -> None:
    told = netted.hook("doctor", "--json", env=HIDING)
    rows = [each for each in json.loads(told.stdout)["results"] if each["name"] == "coverage"]
    (hidden,) = [
        each for each in rows if each["place"] == os.path.realpath(PYTHON) and each["mode"] == "python"
    ]
    assert hidden["ok"] is False
    nets = {each["place"]: each["ok"] for each in rows if each["kind"] == "configuration"}
    assert nets == {"/etc/pip.conf": True, "/etc/uv/uv.toml": True}


def test_it_is_taken_back(netted: Image) -> None:
    done = netted.hook("disable", "--image")
    assert done.returncode == 0, done
    assert not netted.rootfs.path("/etc/pip.conf").exists()
    assert not netted.rootfs.path("/etc/uv/uv.toml").exists()
    rows = json.loads(netted.hook("doctor", "--json").stdout)["results"]
    (of_pip, of_uv) = [each for each in rows if each.get("kind") == "configuration"]
    assert of_pip["ok"] is of_uv["ok"] is False
    assert "--gate URL" in of_pip["remedy"]


def test_a_file_that_is_there_is_left_and_the_lines_told(netted: Image) -> None:
    netted.hook("disable", "--image")  # if no other test of this worker has taken it back
    netted.run("sh", "-c", "echo '[global]' > /etc/pip.conf")
    words = ("--gate", "http://127.0.0.1:8480", "--gate-certificate", "/opt/gate.pem")
    done = netted.hook("enable", "--image", "--dry-run", *words)
    assert done.returncode == 0, done
    assert "by hand: /etc/pip.conf is there already, so add to it: [global]; proxy = http://127" in done.out
    assert "would create /etc/uv/uv.toml" in done.out


@pytest.mark.parametrize(
    "words",
    [
        ("--image", "--gate", "http://127.0.0.1:8480"),
        ("--image", "--gate-certificate", "/opt/gate.pem"),
        ("--image", "--gate", "gate:8480", "--gate-certificate", "/opt/gate.pem"),
        ("--image", "--gate", 'http://a"b:8480', "--gate-certificate", "/opt/gate.pem"),
        ("--image", "--gate", "http://127.0.0.1:8480", "--gate-certificate", "/opt/none.pem"),
        ("--env", TOOL, "--gate", "http://127.0.0.1:8480", "--gate-certificate", "/opt/gate.pem"),
    ],
    ids=str,
)
def test_what_cannot_be_is_a_usage_error(netted: Image, words: tuple[str, ...]) -> None:
    done = netted.hook("enable", *words)
    assert done.returncode == 2, done
    assert "Traceback" not in done.out
