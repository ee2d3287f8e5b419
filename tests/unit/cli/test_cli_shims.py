"""``veln-hook shims``: what it writes, what it takes away again, what it tells."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from veln_hook.adapters.shims import installing, places
from veln_hook.adapters.shims.script import MARK
from veln_hook.cli.__main__ import main
from veln_hook.cli.probing import Machine
from veln_hook.cli.shim_probes import shims as probe


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    prefix = tmp_path_factory.mktemp("template") / "env"
    subprocess.run([sys.executable, "-I", "-m", "venv", "--without-pip", str(prefix)], check=True)
    return prefix


@pytest.fixture
def env(template: Path, tmp_path: Path) -> Path:
    """A virtualenv of the test's own."""
    prefix = tmp_path / "env"
    shutil.copytree(template, prefix, symlinks=True)
    return prefix


@pytest.fixture
def user(tmp_path, monkeypatch):
    """A home, and a ``PATH`` on which there is nothing of this machine's."""
    for name in [name for name in os.environ if name.startswith(("XDG_", "VELN_HOOK"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return tmp_path / "home"


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def snapshot(root: Path) -> dict[str, object]:
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None
        for path in sorted(root.rglob("*"))
    }


def run(capsys, *words) -> tuple[int, str, str]:
    status = main(["shims", *map(str, words)])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.usefixtures("user")
def test_install_and_remove_leave_no_trace(env, capsys):
    before = snapshot(env)
    assert run(capsys, "install", "--env", env)[0] == 0
    assert set(os.listdir(env / "veln-hook/bin")) == {"uv", "uvx", MARK}
    assert (env / "bin/activate").read_bytes().startswith(before["bin/activate"])
    assert snapshot(env).keys() - before.keys() == {
        "veln-hook", "veln-hook/bin", "veln-hook/bin/uv", "veln-hook/bin/uvx", f"veln-hook/bin/{MARK}",
    }  # fmt: skip
    assert run(capsys, "remove", "--env", env)[0] == 0
    assert snapshot(env) == before


@pytest.mark.usefixtures("user")
def test_installing_twice_changes_nothing(env, capsys):
    run(capsys, "install", "--env", env)
    before = snapshot(env)
    status, out, _ = run(capsys, "install", "--json", "--env", env)
    told = json.loads(out)
    assert status == 0
    assert {result["action"] for result in told["results"]} == {"unchanged"}
    assert snapshot(env) == before


@pytest.mark.usefixtures("user")
def test_a_dry_run_tells_and_does_nothing(env, capsys):
    before = snapshot(env)
    status, out, _ = run(capsys, "install", "--env", env, "--dry-run")
    assert status == 0
    assert f"would be written  {env}/veln-hook/bin/uv\n" in out
    assert f"would be changed  {env}/bin/activate\n" in out
    assert snapshot(env) == before
    run(capsys, "install", "--env", env)
    before = snapshot(env)
    status, out, _ = run(capsys, "remove", "--env", env, "--dry-run")
    assert f"would be removed  {env}/veln-hook/bin/uv\n" in out
    assert snapshot(env) == before


@pytest.mark.usefixtures("user")
def test_tools_that_are_there_get_theirs_too(env, capsys, tmp_path):
    program(env / "bin/poetry")
    program(tmp_path / "path/hatch")
    run(capsys, "install", "--env", env)
    assert places.shims_in(str(env / "veln-hook/bin")) == ["uv", "uvx", "poetry", "hatch"]
    run(capsys, "remove", "--env", env)
    run(capsys, "install", "--env", env, "--tool", "pdm")
    assert places.shims_in(str(env / "veln-hook/bin")) == ["pdm"]
    assert (env / "bin/poetry").read_text() == "#!/bin/sh\n"


@pytest.mark.usefixtures("user")
def test_what_is_not_ours_is_never_written_over(env, capsys):
    mine = program(env / "veln-hook/bin/uvx", "mine\n")
    before = snapshot(env)
    status, _, err = run(capsys, "install", "--env", env)
    assert status == 2
    assert f"{mine} is no shim of veln-hook's, and is left alone" in err
    assert snapshot(env) == before  # not even the one that could have been written
    mine.unlink()
    mine.symlink_to(env / "bin/python")
    assert run(capsys, "install", "--env", env)[0] == 2
    mine.unlink()
    run(capsys, "install", "--env", env)
    program(env / "veln-hook/bin/uvx", "mine\n")
    run(capsys, "remove", "--env", env)
    assert (env / "veln-hook/bin/uvx").read_text() == "mine\n"


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("link", ["veln-hook", "veln-hook/bin"])
def test_an_environment_can_not_send_us_elsewhere(env, capsys, tmp_path, link):
    (tmp_path / "outside/bin").mkdir(parents=True)
    (env / link).parent.mkdir(exist_ok=True)
    (env / link).symlink_to(tmp_path / "outside")
    for action in ("install", "remove"):
        status, _, err = run(capsys, action, "--env", env)
        assert status == 2
        assert "is a link" in err
    assert os.listdir(tmp_path / "outside") == ["bin"]
    assert os.listdir(tmp_path / "outside/bin") == []


@pytest.mark.usefixtures("user")
def test_removing_takes_those_of_find_uv_bin_too(env, capsys):
    before = snapshot(env)
    run(capsys, "install", "--env", env)
    for name in ("0123", "4567"):
        (env / "veln-hook/found" / name).mkdir(parents=True)
        places.write(str(env / "veln-hook/found" / name / "uv"), (env / "veln-hook/bin/uv").read_bytes())
    run(capsys, "remove", "--env", env)
    assert snapshot(env) == before


@pytest.mark.usefixtures("user")
def test_removing_where_there_is_nothing(env, capsys):
    before = snapshot(env)
    status, out, _ = run(capsys, "remove", "--env", env)
    assert (status, out) == (0, f"there are no shims in {env}/veln-hook/bin\n")
    assert snapshot(env) == before


@pytest.mark.usefixtures("user")
def test_where_there_is_no_virtualenv(tmp_path, capsys):
    status, _, err = run(capsys, "install", "--env", tmp_path)
    assert status == 2
    assert f"{tmp_path} is no virtualenv" in err
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("user")
def test_a_directory_that_can_not_be_made(tmp_path, capsys):
    (tmp_path / "file").touch()
    status, _, err = run(capsys, "install", "--dir", tmp_path / "file/bin")
    assert status == 2
    assert str(tmp_path / "file/bin") in err
    assert "Traceback" not in err


@pytest.mark.usefixtures("user")
def test_a_directory_that_can_not_stand_on_path(tmp_path, capsys):
    for name in ("a:b", "a\nb"):
        assert run(capsys, "install", "--dir", tmp_path / name)[0] == 2
        assert not (tmp_path / name).exists()


def test_without_a_name_it_is_this_environment_or_this_user(user, capsys):
    place = installing.where(None, None)
    if sys.prefix == sys.base_prefix:
        assert place == (user / ".local/share/veln-hook/bin", None)
    else:
        assert place == (Path(sys.prefix) / "veln-hook/bin", Path(sys.prefix))
    code = "from veln_hook.adapters.shims import installing; print(installing.where(None, None).home)"
    base = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.prefix = sys.base_prefix; {code}"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert base.stdout == f"{user}/.local/share/veln-hook/bin\n"


def status(capsys, home, monkeypatch, *path):
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, path)))
    code, out, _ = run(capsys, "status", "--json", "--dir", home)
    found = {result["tool"]: result for result in json.loads(out)["results"]}
    return code, found, probe(Machine({"PATH": os.environ["PATH"]}))


def test_status_tells_what_path_leads_to(user, tmp_path, capsys, monkeypatch):
    home, real = tmp_path / "shims", program(tmp_path / "real/uv")
    program(tmp_path / "real/uvx")

    code, found, probed = status(capsys, home, monkeypatch, real.parent)
    assert (code, found["uv"]["guarded"], found["uv"]["first"]) == (1, False, str(real))
    assert probed.ok is None  # nobody asked for shims, and nothing is said to be protected by them
    assert "not judged where called by name: uv, uvx" in probed.summary

    run(capsys, "install", "--dir", home)
    code, found, probed = status(capsys, home, monkeypatch, home, real.parent)
    assert (code, found["uv"]["guarded"], found["uv"]["real"]) == (0, True, str(real))
    assert (probed.ok, probed.summary) == (True, "uv, uvx: through the gate")

    code, found, probed = status(capsys, home, monkeypatch, real.parent, home)
    assert (code, found["uv"]["guarded"], found["uv"]["in_front"]) == (1, False, [str(real)])
    assert probed.ok is False
    assert str(real) in probed.summary

    code, found, probed = status(capsys, home, monkeypatch, real.parent)
    assert (code, found["uv"]["guarded"], found["uv"]["shim"]) == (1, False, "")

    code, found, probed = status(capsys, home, monkeypatch, home)
    assert (code, found["uv"]["guarded"], found["uv"]["real"]) == (0, True, "")
    assert probed.ok is True


def test_status_tells_a_tool_that_has_no_shim(user, tmp_path, capsys, monkeypatch):
    home, real = tmp_path / "shims", program(tmp_path / "real/uv").parent
    program(real / "pdm")
    run(capsys, "install", "--dir", home, "--tool", "uv", "--tool", "uvx")
    code, found, probed = status(capsys, home, monkeypatch, home, real)
    assert code == 0
    assert (found["pdm"]["guarded"], found["pdm"]["first"]) == (False, str(real / "pdm"))
    assert probed.ok is None
    assert "not judged where called by name: pdm" in probed.summary


LACKS = {b"python": "its Python, /nowhere, is gone", b"package": "veln-hook is gone from /nowhere"}


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("variable", LACKS)
def test_status_tells_a_shim_that_can_not_work(tmp_path, capsys, monkeypatch, variable):
    told = LACKS[variable]
    home = tmp_path / "shims"
    run(capsys, "install", "--dir", home)
    text = (home / "uv").read_bytes().splitlines(keepends=True)
    text = [b"%b='/nowhere'\n" % variable if line.startswith(variable + b"=") else line for line in text]
    (home / "uv").write_bytes(b"".join(text))
    code, found, probed = status(capsys, home, monkeypatch, home)
    assert (code, found["uv"]["guarded"], found["uv"]["problem"]) == (1, False, told)
    assert (probed.ok, probed.remedy) == (False, "veln-hook shims install")
    assert probed.details[0] == f"uv {home}/uv is a shim, and {told}"


def test_without_any_tool_there_is_nothing_to_tell(user):
    assert probe(Machine({"PATH": ""})).ok is True
    assert probe(Machine({})).ok is True
