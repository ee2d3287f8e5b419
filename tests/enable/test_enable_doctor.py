"""``veln-hook doctor`` tells what is covered by trying it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from machine import USER

from support.pythons import PYTHONS, find_python, newest_pair

if TYPE_CHECKING:
    from machine import Image

    from support.envs import Result


pytestmark = pytest.mark.slow


def coverage(result: Result) -> dict[tuple[str, str], bool | None]:
    rows = [each for each in json.loads(result.stdout)["results"] if each["name"] == "coverage"]
    return {(each["place"], each["mode"]): each["ok"] for each in rows}


def test_nothing_is_covered_before(made: Image) -> None:
    found = coverage(made.hook("doctor", "--json"))
    for version in PYTHONS:
        python = find_python(version)
        if python is not None:
            real = made.run("readlink", "-f", python).stdout.strip()
            assert found[real, "python"] is False, found
            assert found[real, "python -I"] is False, found


def test_an_image_covers_every_interpreter_and_environment(image: Image) -> None:
    python = str(find_python(newest_pair().python))
    assert image.run(python, "-m", "venv", "/tmp/home-54321/.venv", user=USER).returncode == 0
    result = image.hook("doctor", "--json", user=USER, cwd="/tmp/home-54321")
    found = coverage(result)
    tried = {place: ok for place, ok in found.items() if ok is not None and place[0].startswith("/")}
    assert tried, result
    assert [place for place, ok in tried.items() if not ok and "-S" not in place[1]] == []
    assert found["/tmp/home-54321/.venv", "python -I"] is True
    shown = image.hook("doctor", user=USER)
    assert "Traceback" not in shown.out


def test_a_gap_that_the_policy_forbids_ends_with_1(image: Image) -> None:
    policy = '[coverage]\nrequired = ["environments", "interpreters"]\n'
    image.write_policy(policy)
    try:
        good = image.hook("doctor")
        assert "FAIL  coverage" not in good.out, good
        python = str(find_python(newest_pair().python))
        stdlib = image.run(python, "-c", "import os; print(os.path.dirname(os.__file__))").stdout.strip()
        image.run("mv", f"{stdlib}/sitecustomize.py", "/tmp/kept")
        try:
            bad = image.hook("doctor")
            assert bad.returncode == 1, bad
            assert "FAIL  coverage" in bad.out, bad
            assert "veln-hook enable --image" in bad.out
        finally:
            image.run("mv", "/tmp/kept", f"{stdlib}/sitecustomize.py")
    finally:
        image.run("rm", "-r", "/etc/xdg/veln-hook")


@pytest.mark.parametrize("owner", ["the interpreter", "its directory"])
def test_an_interpreter_of_somebody_else_is_not_started(image: Image, owner: str) -> None:
    script = "#!/bin/sh\ntouch /tmp/started\n"
    image.run("sh", "-c", 'mkdir -p /opt/theirs/bin; printf %s "$1" > /opt/theirs/bin/python3', "sh", script)
    image.run("chmod", "755", "/opt/theirs/bin/python3")
    image.run("chown", str(USER), "/opt/theirs/bin/python3" if "interp" in owner else "/opt/theirs/bin")
    try:
        found = coverage(image.hook("doctor", "--json"))
        assert found["/opt/theirs/bin/python3", ""] is None, found
        assert not image.rootfs.path("/tmp/started").exists()
    finally:
        image.run("rm", "-r", "/opt/theirs")
