"""Environments, homes and builders, with pip alone: what fails here would fail everywhere else, and less clearly."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from pathlib import Path

import pytest

from support.builders import LEGACY, make_sdist, make_tree, make_wheel
from support.cache import legacy_build_wheels
from support.pythons import PAIRS, PYTHONS, newest_pair, selected_pairs

pytestmark = pytest.mark.pip


@pytest.mark.parametrize(
    "options", [{}, {"json": False}, {"auth": ("user", "p@ss")}, {"prefix": "/root/pypi"}]
)
def test_pip_installs_from_the_index(make_index, bare_env, tmp_path, options):
    index = make_index(**options)
    wheel = make_wheel(tmp_path, "demo", "1.0", requires=["other"])
    index.add(wheel, upload_time=timedelta(minutes=5), core_metadata=True)
    index.add(make_wheel(tmp_path, "other", "2.0"))

    bare_env.run_pip("install", "demo", index=index, check=True)

    assert bare_env.installed() == {"pip": bare_env.pair.pip, "demo": "1.0", "other": "2.0"}
    assert index.downloads[wheel.name] == 1
    assert bare_env.run("-c", "import demo; print(demo.VERSION)").stdout == "1.0\n"
    assert all(request.user_agent.startswith("pip/") for request in index.requests)


def test_an_sdist_builds_without_any_index_and_leaves_its_mark(bare_env, tmp_path):
    marker = tmp_path / "ran"
    sdist = make_sdist(tmp_path, "demo", "1.0", marker=marker)
    assert not marker.exists()
    bare_env.run_pip("install", sdist, check=True)
    assert marker.exists()
    assert bare_env.run("-c", "import demo").returncode == 0


def test_a_tree_installs_editably(bare_env, tmp_path):
    tree = make_tree(tmp_path, "demo", "1.0")
    bare_env.run_pip("install", "-e", tree, check=True)
    assert bare_env.run("-c", "import demo; print(demo.__file__)").stdout == f"{tree / 'demo.py'}\n"


def test_a_legacy_sdist_builds_with_setuptools_from_the_index(index, bare_env, tmp_path):
    for wheel in legacy_build_wheels():
        index.add(wheel, upload_time=timedelta(days=400))
    marker = tmp_path / "ran"
    index.add(make_sdist(tmp_path, "demo", "1.0", setup_py=LEGACY, marker=marker))
    bare_env.run_pip("install", "demo", index=index, check=True)
    assert marker.exists()
    assert bare_env.run("-c", "import demo").returncode == 0


def test_a_copy_is_an_environment_of_its_own(make_env):
    first, second = make_env(hooked=False), make_env(hooked=False, setuptools=True)
    assert first.run("-c", "import sys; print(sys.prefix)").stdout == f"{first.prefix}\n"
    assert str(first.site_packages) in first.run_script("pip", "--version", check=True).stdout
    assert set(second.installed()) - set(first.installed()) == {"setuptools", "wheel"}
    (first.site_packages / "pip/__init__.py").write_text("broken")
    assert second.run_pip("--version").returncode == 0


def test_veln_hook_is_installed_from_the_tree(newest_env, hook_wheel):
    assert newest_env.installed()["veln-hook"] == hook_wheel.name.split("-")[1]
    located = newest_env.run("-c", "import veln_hook; print(veln_hook.__file__)")
    assert located.stdout == f"{newest_env.site_packages / 'veln_hook/__init__.py'}\n"
    script = newest_env.bin / "veln-hook"
    assert str(newest_env.python) in script.read_text()
    digest = base64.urlsafe_b64encode(hashlib.sha256(script.read_bytes()).digest()).rstrip(b"=").decode()
    record = next(newest_env.site_packages.glob("veln_hook-*.dist-info")) / "RECORD"
    assert (
        f"../../../bin/veln-hook,sha256={digest},{script.stat().st_size}" in record.read_text().splitlines()
    )


def test_files_tell_what_changed(bare_env, tmp_path):
    before = bare_env.files()
    wheel = make_wheel(tmp_path, "demo", "1.0", data={"scripts": {"run-demo": "#!python\n"}})
    bare_env.run_pip("install", wheel, check=True)
    new = {path.rpartition("/")[2] for path in set(bare_env.files()) - set(before)}
    assert {"run-demo", "METADATA", "RECORD"} <= new
    bare_env.run_pip("uninstall", "-y", "demo", check=True)
    assert bare_env.files() == before


@pytest.mark.online
def test_online_pip_has_this_machines_index(bare_env, tmp_path):
    bare_env.run_pip("download", "--no-deps", "-d", tmp_path / "got", "iniconfig", online=True, check=True)
    assert len(list((tmp_path / "got").iterdir())) == 1


def test_nothing_of_this_machine_reaches_pip(bare_env, home):
    result = bare_env.run_pip("config", "debug", check=True)
    assert f"{Path.home()}/" not in result.stdout
    listed = bare_env.run_pip("config", "list", check=True).stdout
    assert {line.split("=")[0] for line in listed.splitlines()} <= {
        ":env:.cache-dir",
        ":env:.config-file",
        ":env:.default-timeout",
        ":env:.disable-pip-version-check",
        ":env:.no-index",
        ":env:.no-input",
        ":env:.retries",
    }
    assert bare_env.run_pip("cache", "dir").stdout.strip() == str(home.pip_cache)
    assert bare_env.run_pip("install", "pip-is-offline").returncode == 1


def test_a_failed_check_shows_the_output(bare_env):
    with pytest.raises(AssertionError, match="no-such-project"):
        bare_env.run_pip("install", "no-such-project", check=True)


def test_the_matrix_holds_only_what_can_run(monkeypatch):
    assert len(PAIRS) == 62
    assert {pair.python for pair in PAIRS} == set(PYTHONS)
    monkeypatch.setenv("VELN_HOOK_FULL", "1")
    assert selected_pairs() == list(PAIRS)
    monkeypatch.delenv("VELN_HOOK_FULL")
    assert len(selected_pairs()) == 6
    assert newest_pair() in PAIRS
