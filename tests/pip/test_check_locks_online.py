"""Real locks against the real index: what known projects pin is there, and old; what is changed in them is told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.envs import Env, Result

pytestmark = pytest.mark.online

REAL = Path(__file__).parents[1] / "unit/locks/real"
NAMES = ["fastapi.uv.lock", "poetry.poetry.lock", "pdm.pdm.lock", "warehouse.requirements.txt"]


def check(env: Env, *words: str, cwd: Path) -> Result:
    return env.run_script("veln-hook", "check", *words, online=True, cwd=cwd, timeout=300)


@pytest.mark.parametrize("name", NAMES)
def test_locks_of_known_projects(newest_env: Env, tmp_path: Path, name: str) -> None:
    known = name.partition(".")[2]
    text = (REAL / name).read_text()
    (tmp_path / known).write_text(text)
    good = check(newest_env, known, "--json", cwd=tmp_path)
    assert good.returncode == 0, good
    for one in json.loads(good.stdout)["results"]:  # poetry has its core from a repository
        assert one["verdict"] == ("warn" if one["origin"] == "vcs" else "allow"), one
    # Every hash of one release, or a list of requirements would only have one more than there are files.
    start = text.index("markupsafe" if "markupsafe" in text else "tomlkit")
    changed = text[:start] + re.sub(r"sha256:[0-9a-f]{8}", "sha256:00000000", text[start:])
    (tmp_path / known).write_text(changed)
    bad = check(newest_env, known, "--json", cwd=tmp_path)
    assert bad.returncode == 1, bad
    found = {one["project"]: one for one in json.loads(bad.stdout)["results"] if one["verdict"] == "block"}
    assert set(found) in ({"markupsafe"}, {"tomlkit"})
    assert {finding["signal"] for one in found.values() for finding in one["findings"]} == {"lock-hash"}


def test_a_lock_that_pip_makes(newest_env: Env, tmp_path: Path) -> None:
    made = newest_env.run_pip(
        "lock", "-o", "pylock.toml", "idna==3.10", "six==1.17.0", online=True, cwd=tmp_path
    )
    assert made.returncode == 0, made
    good = check(newest_env, "pylock.toml", "--json", cwd=tmp_path)
    assert good.returncode == 0, good
    results = json.loads(good.stdout)["results"]
    assert {(one["project"], one["version"], one["verdict"]) for one in results} == {
        ("idna", "3.10", "allow"),
        ("six", "1.17.0", "allow"),
    }
    assert not any(one["findings"] for one in results)
