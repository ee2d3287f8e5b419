"""The example plugin, built and installed beside veln-hook as a reader would, and plugins that go wrong."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from support.builders import make_sdist, make_tree, make_wheel
from support.code import scan as scan_code
from support.selection import everyday
from veln_hook.model import Severity

EXAMPLE = Path(__file__).parents[2] / "examples" / "custom_signal"
OLD = timedelta(days=365)
ENABLED = '[plugins]\nenable = ["acme-signals"]\n'
UNCONFINED = f'{ENABLED}[sandbox]\nbuilds = "off"\n'
"""In the sandbox, build code could leave no mark where a test can look, and that there is none would tell nothing."""
STARTUP = {"innocent.py": "", "sitecustomize.py": "raise SystemExit('it ran')\n"}
BLOCKED = "brings a module that every Python here would run when it starts [sitecustomize.py]"


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    """The example's wheel, built by the backend that it names."""
    pytest.importorskip("hatchling")
    tree = tmp_path_factory.mktemp("plugin") / "tree"
    shutil.copytree(EXAMPLE, tree, ignore=shutil.ignore_patterns("__pycache__"))
    build = "from hatchling.cli import hatchling as h; raise SystemExit(h())"
    subprocess.run([sys.executable, "-c", build, "build", "--target", "wheel"], cwd=tree, check=True)
    return next((tree / "dist").glob("*.whl"))


@pytest.fixture
def acme():
    """The example's module, loaded as it lies there."""
    spec = importlib.util.spec_from_file_location("acme_signals_as_it_lies", EXAMPLE / "acme_signals.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def acme_env(newest_env, plugin):
    """An environment with the plugin, which no policy names yet."""
    newest_env.run_pip("install", "--no-deps", "--quiet", plugin, check=True)
    return newest_env


def test_it_is_not_loaded_unless_the_policy_names_it(acme_env, index, tmp_path):
    index.add(make_wheel(tmp_path, "acme-billing", "99.0"), upload_time=OLD)
    result = acme_env.run_pip("install", "acme-billing", index=index)
    assert result.returncode == 0, result
    loaded = "import sys; print('acme_signals' in sys.modules)"
    assert acme_env.run("-c", f"import pip._internal.commands.install; {loaded}").stdout == "False\n"


def test_a_name_of_ours_from_elsewhere_is_held(acme_env, index, tmp_path):
    index.add(make_wheel(tmp_path, "acme-billing", "99.0"), upload_time=OLD)
    result = acme_env.run_pip("install", "acme-billing", index=index, policy=ENABLED)
    assert result.returncode == 77, result
    assert f"HOLD  acme-billing 99.0  acme-billing is one of ours, and {index.url} is not" in result.out
    assert "acme-billing" not in acme_env.installed()
    assert index.downloads == {}


def test_the_same_name_from_an_index_that_the_policy_names_is_not_held(acme_env, make_index, tmp_path):
    outside, ours = make_index(), make_index()
    outside.add(make_wheel(tmp_path / "outside", "acme-billing", "99.0"), upload_time=OLD)
    ours.add(make_wheel(tmp_path / "ours", "acme-billing", "1.0"), upload_time=OLD)
    ours.add(make_wheel(tmp_path, "six", "1.0"), upload_time=OLD)
    policy = f'{ENABLED}[[indexes]]\nurl = "{ours.url}"\n'
    result = acme_env.run_pip(
        "install", "acme-billing", "six", "--extra-index-url", ours.url, index=outside, policy=policy
    )
    assert result.returncode == 0, result
    assert "HOLD  acme-billing 99.0" in result.out
    assert "using acme-billing 1.0 instead" in result.out
    assert acme_env.installed()["acme-billing"] == "1.0"
    assert outside.downloads == {}


@pytest.mark.parametrize("kind", everyday(["index", "find-links page", "find-links directory", "file"], 2))
def test_a_wheel_with_a_startup_module_is_blocked(acme_env, index, make_index, tmp_path, kind):
    wheel = make_wheel(tmp_path / "links", "innocent", "1.0", STARTUP)
    arguments = {
        "index": ["innocent"],
        "find-links page": ["innocent", "--no-index", "--find-links", f"{index.url}innocent/"],
        "find-links directory": ["innocent", "--no-index", "--find-links", wheel.parent],
        "file": [wheel],
    }[kind]
    index.add(wheel, upload_time=OLD)
    before = acme_env.files()
    result = acme_env.run_pip("install", *arguments, index=index, policy=ENABLED)
    assert result.returncode == 1, result
    assert f"BLOCK innocent 1.0  {BLOCKED}" in result.out
    assert acme_env.files() == before


def test_an_sdist_is_blocked_before_its_build_runs(acme_env, index, tmp_path):
    marker = tmp_path / "ran"
    index.add(make_sdist(tmp_path, "innocent", "1.0", files=STARTUP, marker=marker), upload_time=OLD)
    result = acme_env.run_pip("install", "innocent", index=index, policy=UNCONFINED)
    assert result.returncode == 1, result
    assert "BLOCK innocent 1.0" in result.out
    assert not marker.exists()


@pytest.mark.parametrize("editable", [False, True])
def test_a_directory_is_blocked_before_its_build_runs(acme_env, tmp_path, editable):
    marker = tmp_path / "ran"
    tree = make_tree(tmp_path, "innocent", "1.0", files=STARTUP, marker=marker)
    before = acme_env.files()
    result = acme_env.run_pip("install", *(["-e"] if editable else []), tree, policy=UNCONFINED)
    assert result.returncode == 1, result
    assert BLOCKED in result.out
    assert not marker.exists()
    assert acme_env.files() == before
    # The very same tree builds and installs once nothing looks at it: the test tests what it says.
    assert acme_env.run_pip("install", tree, policy="", protected=False).returncode == 0
    assert marker.exists()


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not here")
def test_a_checkout_is_blocked_before_its_build_runs(acme_env, tmp_path):
    marker = tmp_path / "ran"
    tree = make_tree(tmp_path, "innocent", "1.0", files=STARTUP, marker=marker)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(tree)]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "all"]):
        subprocess.run([*git, *command], check=True, env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull})
    before = acme_env.files()
    result = acme_env.run_pip("install", f"git+file://{tree}", policy=UNCONFINED)
    assert result.returncode == 1, result
    assert BLOCKED in result.out
    assert not marker.exists()
    assert acme_env.files() == before


PHONING = "import requests\nrequests.get('https://{}/ping')\n"
UNNAMED = "import os\nimport requests\nrequests.get(os.environ['WHERE'])\n"


def test_a_wheel_whose_import_reaches_a_strange_host_is_held(acme_env, index, tmp_path):
    files = {"phoning/__init__.py": PHONING.format("stats.example.org")}
    index.add(make_wheel(tmp_path, "phoning", "1.0", files), upload_time=OLD)
    result = acme_env.run_pip("install", "phoning", index=index, policy=ENABLED)
    assert result.returncode == 77, result
    assert "importing it reaches stats.example.org, which is not on our list" in result.out
    assert "phoning" not in acme_env.installed()


@pytest.mark.parametrize(
    ("code", "held"),
    [
        (PHONING.format("api.acme.example"), False),
        (PHONING.format("acme.example:8443"), False),
        (PHONING.format("notacme.example"), True),
        (UNNAMED, True),
        ("import requests\ndef ping():\n    return requests.get('https://stats.example.org/ping')\n", False),
    ],
    ids=["ours", "ours, a port", "looks like ours", "no name", "only when called"],
)
def test_what_an_import_may_reach(acme, code, held):
    findings = acme._network(scan_code({"acme/__init__.py": code}), None)
    assert [finding.severity >= Severity.HIGH for finding in findings] == ([True] if held else [])


def test_what_the_release_before_reached_is_told_only(acme):
    before = scan_code({"acme/__init__.py": PHONING.format("stats.example.org")})
    files = {
        "acme/__init__.py": PHONING.format("stats.example.org"),
        "acme/more.py": PHONING.format("more.example.org"),
    }
    found = {finding.message.split()[3]: finding for finding in acme._network(scan_code(files), before)}
    old, new = found["stats.example.org,"], found["more.example.org,"]
    assert (old.severity, old.new) == (Severity.LOW, False)
    assert (new.severity, new.new, new.path, new.line) == (Severity.HIGH, True, "acme/more.py", 2)


def test_enabled_and_not_installed_stops_every_install(newest_env, index, tmp_path):
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    result = newest_env.run_pip("install", "demo", index=index, policy=ENABLED)
    assert result.returncode == 78, result
    assert result.out.count("'acme-signals'") == 1
    assert "Traceback" not in result.out
    assert "which is not installed here" in result.stderr
    assert "take it out of 'plugins.enable'" in result.stderr
    assert "demo" not in newest_env.installed()
    assert index.downloads == {}


IMPORTS = "from veln_hook.signals import SignalInfo, hookimpl\n"
NAMES = f"{IMPORTS}@hookimpl\ndef veln_hook_signals():\n    return [SignalInfo('clumsy', 'Fails.')]\n"
ON_CANDIDATES = f"{NAMES}@hookimpl\ndef veln_hook_examine_candidates(candidates):\n    return 1 / 0\n"
ON_ARCHIVES = f"{NAMES}@hookimpl\ndef veln_hook_examine_archive(archive):\n    raise KeyError('lost')\n"
LATE = f"{NAMES}@hookimpl\ndef veln_hook_examine_archive(archive):\n    yield 'no finding'\n"


def clumsy(env, directory, code):
    """Install a plugin ``clumsy`` with that code."""
    wheel = make_wheel(
        directory / "plugin",
        "clumsy",
        "1.0",
        {"clumsy.py": code},
        entry_points="[veln_hook]\nclumsy = clumsy\n",
    )
    env.run_pip("install", "--quiet", wheel, check=True)


@pytest.mark.parametrize(
    ("code", "error"),
    [(ON_CANDIDATES, "ZeroDivisionError"), (ON_ARCHIVES, "KeyError: 'lost'")],
    ids=["candidates", "archive"],
)
def test_a_signal_that_raises_holds(newest_env, index, tmp_path, code, error):
    clumsy(newest_env, tmp_path, code)
    filename = index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD).filename
    result = newest_env.run_pip("install", "demo", index=index, policy='[plugins]\nenable = ["clumsy"]\n')
    assert result.returncode == 77, result
    assert "HOLD  demo 1.0  the signal 'clumsy' failed and could not judge this: " in result.out
    assert error in result.out
    assert "Traceback" not in result.out
    assert "demo" not in newest_env.installed()
    assert index.downloads[filename] == (1 if code == ON_ARCHIVES else 0)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import nothing_of_that_name\n", "can't be loaded: ModuleNotFoundError"),
        (f"{IMPORTS}@hookimpl\ndef veln_hook_examine_everything():\n    pass\n", "can't be used"),
        (NAMES.replace("clumsy", "cooling"), "names a signal 'cooling', which exists already"),
        (f"{IMPORTS}@hookimpl\ndef veln_hook_signals():\n    return 3\n", "can't name its signals"),
    ],
    ids=["import", "unknown hook", "taken name", "no names"],
)
def test_a_plugin_that_cannot_be_used_stops_every_install(newest_env, index, tmp_path, code, told):
    clumsy(newest_env, tmp_path, code)
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    result = newest_env.run_pip("install", "demo", index=index, policy='[plugins]\nenable = ["clumsy"]\n')
    assert result.returncode == 78, result
    assert told in result.stderr
    assert "Traceback" not in result.out
    assert index.downloads == {}


def test_a_signal_that_reports_no_finding_holds(newest_env, index, tmp_path):
    clumsy(newest_env, tmp_path, LATE)
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    result = newest_env.run_pip("install", "demo", index=index, policy='[plugins]\nenable = ["clumsy"]\n')
    assert result.returncode in (77, 78), result
    assert "HOLD" in result.out
    assert "Traceback" not in result.out
    assert "demo" not in newest_env.installed()
