"""Every command of uv that resolves or installs, through the gate, with each uv: a young release is held."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from support.builders import make_sdist, make_tree, make_wheel
from support.gated import installed, releases, untouched, write_project
from support.held import OLD, YOUNG
from support.selection import everyday

if TYPE_CHECKING:
    from pathlib import Path

    from uv_world import Uv

    from support.envs import Home
    from support.tls_index import TlsIndex

HELD = "HOLD  demo 2.0  uploaded 12 min ago"
INSTEAD = "using demo 1.0 instead"
TOOL = {"entry_points": "[console_scripts]\ndemo = demo:main\n"}
TELL = "import json, os, sys\nVERSION = {version!r}\n\ndef main():\n    print(json.dumps([VERSION, *sys.argv[1:], dict(os.environ)]))\n"


def _tools(index: TlsIndex, directory: Path) -> TlsIndex:
    for version, age in (("1.0", OLD), ("2.0", YOUNG)):
        files = {"demo.py": TELL.format(version=version)}
        index.add(make_wheel(directory, "demo", version, files, **TOOL), upload_time=age)
    return index


def _locked(project: Path) -> str:
    return (project / "uv.lock").read_text()


def test_pip_install_takes_the_release_before(uv: Uv, demo: TlsIndex, tmp_path: Path) -> None:
    venv = uv.venv(tmp_path / "venv")
    result = uv.gated("pip", "install", "--python", venv, "demo", index=demo)
    assert result.returncode == 0, result
    assert HELD in result.stderr, result
    assert INSTEAD in result.stderr, result
    assert "veln-hook approve demo==2.0" in result.stderr, result
    assert result.stderr.count("HOLD") == 1, result
    assert installed(venv) == {"demo": "1.0"}
    assert untouched(demo)


def test_pip_install_of_a_pin_is_refused(uv: Uv, demo: TlsIndex, tmp_path: Path) -> None:
    venv = uv.venv(tmp_path / "venv")
    result = uv.gated("pip", "install", "--python", venv, "demo==2.0", index=demo)
    assert result.returncode == 75, result
    assert HELD in result.stderr, result
    assert INSTEAD not in result.stderr, result
    assert installed(venv) == {}
    assert untouched(demo)


def test_an_approval_lets_it_pass(uv: Uv, demo: TlsIndex, tmp_path: Path) -> None:
    venv = uv.venv(tmp_path / "venv")
    words = ("pip", "install", "--python", venv, "demo==2.0")
    assert uv.gated(*words, index=demo).returncode == 75
    approve = ("approve", "demo==2.0", "--reason", "the fix we wait for", "-i", demo.url)
    uv.veln_hook(*approve, check=True)
    result = uv.gated(*words, index=demo)
    assert result.returncode == 0, result
    assert "demo 2.0 passes by approval 1: the fix we wait for" in result.stderr, result
    assert "HOLD" not in result.stderr, result
    assert installed(venv) == {"demo": "2.0"}


def test_an_old_release_is_no_word_worth(uv: Uv, demo: TlsIndex, tmp_path: Path) -> None:
    demo.remove("demo-2.0-py3-none-any.whl")
    venv = uv.venv(tmp_path / "venv")
    result = uv.gated("pip", "install", "--python", venv, "demo", index=demo)
    assert result.returncode == 0, result
    assert "veln-hook" not in result.out
    assert "HOLD" not in result.out
    assert installed(venv) == {"demo": "1.0"}


def test_pip_compile_and_sync(uv: Uv, demo: TlsIndex, tmp_path: Path) -> None:
    wanted, locked = tmp_path / "in.txt", tmp_path / "out.txt"
    wanted.write_text("demo\n")
    compiled = uv.gated("pip", "compile", "--generate-hashes", wanted, "-o", locked, index=demo)
    assert compiled.returncode == 0, compiled
    assert HELD in compiled.stderr, compiled
    assert "demo==1.0" in locked.read_text()
    venv = uv.venv(tmp_path / "venv")
    synced = uv.gated("pip", "sync", "--python", venv, locked, index=demo)
    assert synced.returncode == 0, synced
    assert installed(venv) == {"demo": "1.0"}
    locked.write_text("demo==2.0\n")
    refused = uv.gated("pip", "sync", "--python", venv, locked, index=demo)
    assert refused.returncode == 75, refused
    assert HELD in refused.stderr, refused
    assert installed(venv) == {"demo": "1.0"}
    assert untouched(demo)


def test_lock_and_sync_take_the_release_before(uv: Uv, demo: TlsIndex, project: Path) -> None:
    locked = uv.gated("lock", index=demo, cwd=project)
    assert locked.returncode == 0, locked
    assert HELD in locked.stderr, locked
    assert INSTEAD in locked.stderr, locked
    assert 'version = "1.0"' in _locked(project)
    assert "2.0-py3" not in _locked(project)
    for words in (("sync",), ("sync", "--locked"), ("sync", "--frozen")):
        synced = uv.gated(*words, index=demo, cwd=project)
        assert synced.returncode == 0, synced
        assert installed(project / ".venv") == {"demo": "1.0"}
    assert untouched(demo)


def test_a_lock_is_what_it_is_without_us(uv: Uv, index: TlsIndex, tmp_path: Path, home: Home) -> None:
    project = write_project(home.work / "proj", "demo", "other>=1")
    for name, needs in (("demo", ()), ("other", ("third",)), ("third", ())):
        releases(index, tmp_path, name, requires=needs)
        index.add(make_sdist(tmp_path, name, "1.0"))
    for file in index.files.values():
        file.upload_time = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=timezone.utc)
    uv.direct("lock", index=index, cwd=project, check=True)
    expected = (project / "uv.lock").read_bytes()
    (project / "uv.lock").unlink()
    result = uv.gated("lock", index=index, cwd=project)
    assert result.returncode == 0, result
    assert (project / "uv.lock").read_bytes() == expected
    assert b"third-2.0-py3-none-any.whl" in expected
    for words in (("lock", "--locked"), ("sync", "--locked")):
        assert uv.gated(*words, index=index, cwd=project).returncode == 0
    assert (project / "uv.lock").read_bytes() == expected
    assert uv.direct("sync", "--locked", index=index, cwd=project).returncode == 0


@pytest.mark.parametrize(
    "words", everyday([["sync"], ["sync", "--frozen"], ["sync", "--locked"]], 2), ids=" ".join
)
def test_a_lock_that_names_a_young_file_is_refused(
    uv: Uv, demo: TlsIndex, project: Path, words: list[str]
) -> None:
    uv.direct("lock", index=demo, cwd=project, check=True)
    assert 'version = "2.0"' in _locked(project)
    before = _locked(project)
    demo.bytes_sent.clear()
    result = uv.gated(*words, index=demo, cwd=project)
    assert result.returncode == 75, result
    assert HELD in result.stderr, result
    assert installed(project / ".venv") == {}
    assert _locked(project) == before
    assert untouched(demo)


def test_add(uv: Uv, demo: TlsIndex, home: Home) -> None:
    project = write_project(home.work / "empty")
    before = (project / "pyproject.toml").read_text()
    refused = uv.gated("add", "demo==2.0", index=demo, cwd=project)
    assert refused.returncode == 75, refused
    assert HELD in refused.stderr, refused
    assert (project / "pyproject.toml").read_text() == before
    added = uv.gated("add", "demo", index=demo, cwd=project)
    assert added.returncode == 0, added
    assert INSTEAD in added.stderr, added
    assert "demo>=1.0" in (project / "pyproject.toml").read_text()
    assert installed(project / ".venv") == {"demo": "1.0"}
    assert untouched(demo)


def test_run_installs_through_the_gate_and_runs_outside_it(uv: Uv, demo: TlsIndex, project: Path) -> None:
    code = "import demo, json, os; print(json.dumps([demo.VERSION, dict(os.environ)]))"
    result = uv.gated("run", "python", "-c", code, index=demo, cwd=project, env={"HTTPS_PROXY": ""})
    assert result.returncode == 0, result
    assert HELD in result.stderr, result
    version, environ = json.loads(result.stdout)
    assert version == "1.0"
    _assert_users_own(uv, environ)
    assert untouched(demo)


def test_run_passes_on_what_its_child_ends_with(uv: Uv, demo: TlsIndex, project: Path) -> None:
    demo.remove("demo-2.0-py3-none-any.whl")
    result = uv.gated("run", "python", "-c", "import sys; sys.exit(3)", index=demo, cwd=project)
    assert result.returncode == 3, result


def test_run_with_a_young_pin_runs_nothing(uv: Uv, demo: TlsIndex, project: Path, tmp_path: Path) -> None:
    write_project(project, "demo==2.0")
    mark = tmp_path / "ran"
    code = f"open({str(mark)!r}, 'w')"
    for words in (("run",), ("run", "--with", "demo==2.0", "--no-project")):
        result = uv.gated(*words, "python", "-c", code, index=demo, cwd=project)
        assert result.returncode == 75, result
        assert HELD in result.stderr, result
        assert not mark.exists()
    assert untouched(demo)


def test_run_with(uv: Uv, demo: TlsIndex, home: Home) -> None:
    code = "import demo, json, os; print(json.dumps([demo.VERSION, dict(os.environ)]))"
    result = uv.gated("run", "--no-project", "--with", "demo", "python", "-c", code, index=demo)
    assert result.returncode == 0, result
    version, environ = json.loads(result.stdout)
    assert version == "1.0"
    _assert_users_own(uv, environ)


def test_tool_run(uv: Uv, index: TlsIndex, tmp_path: Path) -> None:
    _tools(index, tmp_path)
    result = uv.gated("tool", "run", "demo", "an argument", index=index)
    assert result.returncode == 0, result
    assert HELD in result.stderr, result
    version, argument, environ = json.loads(result.stdout)
    assert (version, argument) == ("1.0", "an argument")
    _assert_users_own(uv, environ)
    refused = uv.gated("tool", "run", "demo@2.0", index=index)
    assert refused.returncode == 75, refused
    assert HELD in refused.stderr, refused
    assert not refused.stdout
    assert untouched(index)


def test_tool_install(uv: Uv, index: TlsIndex, tmp_path: Path) -> None:
    _tools(index, tmp_path)
    refused = uv.gated("tool", "install", "demo==2.0", index=index)
    assert refused.returncode == 75, refused
    assert not (uv.home.path / ".local/bin/demo").exists()
    result = uv.gated("tool", "install", "demo", index=index)
    assert result.returncode == 0, result
    assert INSTEAD in result.stderr, result
    assert installed(uv.home.path / ".local/share/uv/tools/demo") == {"demo": "1.0"}
    assert (uv.home.path / ".local/bin/demo").exists()
    assert untouched(index)


def test_build_requirements(uv: Uv, index: TlsIndex, tmp_path: Path, home: Home) -> None:
    releases(index, tmp_path, "helper")
    for wanted, status in (("helper", 0), ("helper==2.0", 75)):
        tree = make_tree(home.work / str(status), "built", "0.1", build_requires=[wanted])
        result = uv.gated("build", "--wheel", tree, index=index)
        assert result.returncode == status, result
        assert "HOLD  helper 2.0" in result.stderr, result
        assert len(list((tree / "dist").glob("*.whl"))) == (status == 0)
        assert untouched(index, name="helper")


def test_what_neither_resolves_nor_installs_passes_on(uv: Uv, demo: TlsIndex, tmp_path: Path) -> None:
    venv = uv.venv(tmp_path / "venv")
    uv.gated("pip", "install", "--python", venv, "demo==1.0", index=demo, check=True)
    listed = uv.gated("pip", "list", "--python", venv, "--format", "json")
    assert listed.returncode == 0, listed
    assert [each["name"] for each in json.loads(listed.stdout)] == ["demo"]
    assert uv.gated("--version").stdout == uv.direct("--version").stdout
    assert uv.gated("pip", "nonsense").returncode == uv.direct("pip", "nonsense").returncode == 2


def test_venv_seed(uv: Uv, index: TlsIndex, tmp_path: Path) -> None:
    releases(index, tmp_path, "pip")
    result = uv.gated("venv", "--seed", tmp_path / "venv", index=index)
    assert result.returncode == 0, result
    assert installed(tmp_path / "venv") == {"pip": "1.0"}


def _assert_users_own(uv: Uv, environ: dict[str, str]) -> None:
    """What uv starts talks to the world as the user does, not through us."""
    assert environ["SSL_CERT_FILE"] == str(uv.ca_file)
    proxies = [name for name in environ if name.lower() in ("https_proxy", "http_proxy", "all_proxy")]
    assert not "".join(environ[name] for name in proxies)
    assert not {"UV_CACHE_DIR", "UV_HTTP_TIMEOUT", "GIT_SSL_CAINFO", "GIT_ALLOW_PROTOCOL"} & environ.keys()
