"""``veln-hook enable --user``: the user site of each interpreter, and what is made from then on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from machine import ACTIVE, TOOL, USER

from support import uv_versions
from support.pythons import PYTHONS, find_python, newest_pair

if TYPE_CHECKING:
    from machine import Image

pytestmark = pytest.mark.slow

HOME = f"/tmp/home-{USER}"
UV = f"{HOME}/.config/uv/uv.toml"


def on_path() -> dict[str, str]:
    """Return a PATH with every Python of this machine."""
    pythons = filter(None, map(find_python, PYTHONS))
    return {
        "PATH": ":".join(
            [*(os.path.dirname(each) for each in pythons), "/usr/local/bin:/usr/sbin:/usr/bin:/bin"]
        )
    }


@pytest.fixture(scope="module")
def user(made: Image) -> Image:
    done = made.hook("enable", "--user", "--uv-exclude-newer", user=USER, env=on_path())
    assert done.returncode == 0, done
    assert "not covered: python -I" in done.out
    return made


@pytest.mark.parametrize(
    ("options", "active"), [((), True), (("-E",), True), (("-s",), False), (("-I",), False)], ids=str
)
def test_the_start_modes_that_it_says(
    user: Image, python: str, options: tuple[str, ...], active: bool
) -> None:
    assert user.run(python, *options, "-c", ACTIVE, user=USER).stdout.strip() == str(active)


def test_another_user_is_not_concerned(user: Image, python: str) -> None:
    assert user.run(python, "-c", ACTIVE, user=USER + 1).stdout.strip() == "False"


def test_environments_made_from_then_on_are_covered_in_each_mode(user: Image, python: str) -> None:
    made = f"/tmp/of-{python.replace('/', '-')}"
    assert user.run(python, "-m", "venv", made, user=USER).returncode == 0
    for options in ((), ("-I",), ("-E", "-s")):
        user.holds(f"{made}/bin/python", *options, user=USER)


def test_uv_past_its_shim_passes_over_what_is_young(user: Image) -> None:
    uv = str(uv_versions.uv_bin(uv_versions.NEWEST) / "uv")
    python = str(find_python(newest_pair().python))
    words = [
        uv,
        "pip",
        "install",
        "--python",
        python,
        "--target",
        "/tmp/uv-target",
        "--index-url",
        user.index.url,
    ]
    result = user.run(*words, "demo", user=USER)
    assert result.returncode == 0, result
    assert "demo==1.0" in result.out, result


def test_a_configuration_of_the_user_s_own_is_left_and_the_line_told(made: Image) -> None:
    other = USER + 2
    home = f"/tmp/home-{other}"
    made.run(
        "sh",
        "-c",
        f"mkdir -p {home}/.config/uv && echo 'offline = false' > {home}/.config/uv/uv.toml",
        user=other,
    )
    done = made.hook("enable", "--user", "--uv-exclude-newer", user=other)
    assert done.returncode == 0, done
    assert f'by hand: {home}/.config/uv/uv.toml is there already, so add to it: exclude-newer = "' in done.out
    assert made.run("cat", f"{home}/.config/uv/uv.toml", user=other).stdout == "offline = false\n"


def test_disable_takes_it_back(user: Image, python: str) -> None:
    other = USER + 3
    assert user.hook("enable", "--user", user=other, env=on_path()).returncode == 0
    assert user.run(python, "-c", ACTIVE, user=other).stdout.strip() == "True"
    assert user.hook("disable", "--user", user=other).returncode == 0
    assert user.run(python, "-c", ACTIVE, user=other).stdout.strip() == "False"
    left = user.run("find", f"/tmp/home-{other}", "-name", "*veln_hook.pth", user=other)
    assert left.stdout == "", left


def test_where_the_policy_locks_the_switch_a_user_cannot_disable(user: Image) -> None:
    policy = '[lock]\nkeys = ["switch"]\n'
    user.write_policy(policy)
    try:
        refused = user.run(f"{TOOL}/bin/veln-hook", "disable", "--user", user=USER)
        assert refused.returncode == 78, refused
        assert "locks it" in refused.stderr
    finally:
        user.run("rm", "-r", "/etc/xdg/veln-hook")
