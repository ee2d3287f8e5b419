"""uv called by its name, as ``python -m uv`` and by others, in an environment that a real pip put it into."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from support import cache, uv_versions
from support.builders import make_wheel
from support.envs import Env, Home, Pair, Result, fresh_env
from support.gated import untouched, write_project
from support.held import OLD, YOUNG
from support.pythons import find_python, newest_pair
from support.selection import everyday

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.authorities import TestAuthority
    from support.tls_index import TlsIndex

HELD = "HOLD  demo 2.0  uploaded 12 min ago"


def uv_wheel(version: str) -> Path:
    try:
        return cache.download(f"uv-wheel-{version}", newest_pair().python, [f"uv=={version}"])[0]
    except RuntimeError as error:
        pytest.skip(str(error).strip().splitlines()[-1])


class Shimmed:
    """An environment with veln-hook, a uv, and shims; its commands run as after its activation."""

    def __init__(self, env: Env, ca_file: Path) -> None:
        self.env = env
        self.home = env.prefix / "veln-hook/bin"
        self.environ = {
            **env.environ(),
            "SSL_CERT_FILE": str(ca_file),
            "PIP_CERT": str(ca_file),
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_NO_PROGRESS": "1",
        }
        self.environ.pop("PIP_NO_INDEX")

    def run(
        self,
        *command: str | Path,
        index: TlsIndex | None = None,
        activate: bool = True,
        cwd: Path | None = None,
        **env: str,
    ) -> Result:
        """Run a command in a shell that has activated the environment, or in one that hasn't."""
        environ = {**self.environ, **env}
        if index is not None:
            environ["UV_DEFAULT_INDEX"] = index.auth_url
        words = list(map(str, command))
        line = (
            ["sh", "-c", '. "$0" && exec "$@"', str(self.env.bin / "activate"), *words] if activate else words
        )
        done = subprocess.run(
            line, env=environ, cwd=cwd or self.env.home.work, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=180, check=False,
        )  # fmt: skip
        return Result(tuple(words), done.returncode, done.stdout, done.stderr)

    def hook(self, *words: str, **more: Any) -> Result:
        return self.run(self.env.bin / "veln-hook", *words, **more)

    def demo(self) -> str | None:
        return self.env.installed().get("demo")


@pytest.fixture
def make_shimmed(tmp_path: Path, home: Home, authority: TestAuthority) -> Iterator[Callable[..., Shimmed]]:
    made = []

    def make(version: str, *, gate: bool = True, pair: Pair | None = None) -> Shimmed:
        wheel = uv_wheel(version)
        env = fresh_env(tmp_path / f"env{len(made)}", pair or newest_pair(), home)
        made.append(env)
        # The copy has no activate scripts.
        subprocess.run(
            [find_python(env.pair.python), "-I", "-m", "venv", "--without-pip", env.prefix], check=True
        )
        wheels = [wheel, *(cache.gate_wheels(env.pair.python) if gate else [])]
        env.run_pip("install", "--quiet", "--no-index", "--no-deps", *wheels, protected=False, check=True)
        shimmed = Shimmed(env, authority.file)
        installed = shimmed.hook("shims", "install")
        assert installed.returncode == 0, installed
        return shimmed

    yield make
    for env in made:
        shutil.rmtree(env.prefix, ignore_errors=True)


@pytest.fixture(params=everyday(uv_versions.UVS, [uv_versions.NEWEST]))
def shimmed(request: pytest.FixtureRequest, make_shimmed: Callable[..., Shimmed]) -> Shimmed:
    """One with each selected uv."""
    return make_shimmed(request.param)


@pytest.fixture
def newest(make_shimmed: Callable[..., Shimmed]) -> Shimmed:
    return make_shimmed(uv_versions.NEWEST)


WAYS_IN = {
    "by its name": ["uv"],
    "python -m uv": ["python", "-m", "uv"],
    "python -I -m uv": ["python", "-I", "-m", "uv"],
}


@pytest.mark.parametrize("way", everyday(WAYS_IN, 2))
def test_a_young_release_is_held(shimmed, demo, way):
    result = shimmed.run(*WAYS_IN[way], "pip", "install", "demo==2.0", index=demo)
    assert result.returncode == 75, result
    assert HELD in result.stderr, result
    result = shimmed.run(*WAYS_IN[way], "pip", "install", "demo", index=demo)
    assert result.returncode == 0, result
    assert HELD in result.stderr, result
    assert shimmed.demo() == "1.0"
    assert untouched(demo)


def test_others_that_ask_uv_where_it_is_get_a_shim(newest, demo):
    code = "import uv, subprocess, sys; sys.exit(subprocess.call([uv.find_uv_bin(), *sys.argv[1:]]))"
    result = newest.run("python", "-c", code, "pip", "install", "demo==2.0", index=demo)
    assert result.returncode == 75, result
    assert HELD in result.stderr, result
    assert newest.demo() is None
    assert untouched(demo)


def test_the_environment_that_was_not_activated_is_the_one_that_is_installed_into(newest, demo):
    result = newest.run(newest.env.python, "-m", "uv", "pip", "install", "demo", index=demo, activate=False)
    assert result.returncode == 0, result
    assert newest.demo() == "1.0"


def test_a_project_is_synchronized(shimmed, demo, tmp_path):
    project = write_project(tmp_path / "project", "demo")
    result = shimmed.run("uv", "sync", index=demo, cwd=project)
    assert result.returncode == 0, result
    assert HELD in result.stderr, result
    lock = (project / "uv.lock").read_text()
    assert 'version = "1.0"' in lock
    assert "127.0.0.1" not in lock or demo.auth_url in lock


def test_uvx_runs_what_passes(newest, index, tmp_path):
    files = {"demo.py": "VERSION = 1\n\ndef main():\n    print('ran', VERSION)\n"}
    for version, age in (("1.0", OLD), ("2.0", YOUNG)):
        entry = "[console_scripts]\ndemo = demo:main\n"
        index.add(make_wheel(tmp_path, "demo", version, files, entry_points=entry), upload_time=age)
    result = newest.run("uvx", "demo", index=index)
    assert (result.returncode, result.stdout) == (0, "ran 1\n"), result
    assert HELD in result.stderr
    result = newest.run("uvx", "demo@2.0", index=index)
    assert result.returncode == 75, result
    assert untouched(index)


@pytest.mark.parametrize(
    "words",
    everyday([["--version"], ["pip", "list"], ["pip", "freeze"], ["--color", "never", "tool", "list"]], 2),
)
def test_what_passes_is_as_if_we_were_not_there(shimmed, words):
    through, direct = shimmed.run("uv", *words), shimmed.run(shimmed.env.bin / "uv", *words)
    assert through.returncode == direct.returncode
    assert (through.stdout, through.stderr) == (direct.stdout, direct.stderr)


def test_it_costs_no_python_to_pass(newest):
    newest.env.python.unlink()  # what the shim would start
    result = newest.run(newest.home / "uv", "--version")
    assert result.stdout.startswith(f"uv {uv_versions.NEWEST}"), result


def test_an_approval_lets_it_through(newest, demo):
    assert newest.run("uv", "pip", "install", "demo==2.0", index=demo).returncode == 75
    approved = newest.hook("approve", "demo==2.0", "--reason", "the fix we wait for", "-i", demo.url)
    assert approved.returncode == 0, approved
    result = newest.run("uv", "pip", "install", "demo==2.0", index=demo)
    assert result.returncode == 0, result
    assert newest.demo() == "2.0"


def test_switched_off_it_is_uv_by_itself_and_said_so(newest, demo):
    result = newest.run("uv", "pip", "install", "demo", index=demo, VELN_HOOK="off")
    assert result.returncode == 0, result
    assert newest.demo() == "2.0"
    assert "VELN_HOOK=off" in result.stderr, result


def test_a_policy_that_can_not_be_read_installs_nothing(newest, demo):
    newest.env.home.write_policy("[cooling]\nmin_age = 'soon'\n")
    result = newest.run("uv", "pip", "install", "demo", index=demo)
    assert result.returncode == 78, result
    assert newest.demo() is None
    assert newest.run("uv", "pip", "list").returncode == 0


def test_without_the_extra_nothing_is_installed_and_the_command_is_named(make_shimmed, demo):
    shimmed = make_shimmed(uv_versions.NEWEST, gate=False)
    for way in WAYS_IN.values():
        result = shimmed.run(*way, "pip", "install", "demo", index=demo)
        assert result.returncode == 2, result
        assert "pip install 'veln-hook[gate]'" in result.stderr, result
        assert shimmed.run(*way, "pip", "list").returncode == 0
    assert shimmed.demo() is None
    assert demo.requests == []


@pytest.fixture
def two_uvs(index: TlsIndex, make_shimmed: Callable[..., Shimmed]) -> tuple[Shimmed, TlsIndex]:
    """The older of two uvs, and an index with both."""
    older, newer = uv_versions.UVS[-2:]
    for version in (older, newer):
        index.add(uv_wheel(version), upload_time=OLD)
    shimmed = make_shimmed(older)
    shimmed.environ["PIP_INDEX_URL"] = index.auth_url
    return shimmed, index


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [["uv", "pip", "install"], ["python", "-m", "pip", "install"]], ids=["uv", "pip"]
)
def test_an_upgrade_of_uv_leaves_the_shims_in_place(two_uvs, command, demo):
    shimmed, index = two_uvs
    before = (shimmed.home / "uv").read_bytes()
    result = shimmed.run(*command, "--upgrade", "uv", index=index)
    assert result.returncode == 0, result
    assert shimmed.env.installed()["uv"] == uv_versions.NEWEST
    assert (shimmed.home / "uv").read_bytes() == before
    assert shimmed.run("uv", "--version").stdout.startswith(f"uv {uv_versions.NEWEST}")
    assert shimmed.env.run_pip("check").returncode == 0
    for way in WAYS_IN.values():
        result = shimmed.run(*way, "pip", "install", "demo==2.0", index=demo)
        assert result.returncode == 75, result


def test_without_uv_the_shims_say_so(newest):
    newest.env.run_pip("uninstall", "--yes", "--quiet", "uv", check=True)
    for name in ("uv", "uvx"):
        result = newest.run(name, "--version")
        assert result.returncode == 127, result
        assert result.stderr == f"error: veln-hook: there is no {name} behind the shim {newest.home}/{name}\n"
    assert newest.hook("shims", "status").stdout.startswith(f"uv      {newest.home}/uv leads nowhere yet\n")


def test_without_veln_hook_the_shims_refuse_and_are_easily_gone(newest, demo):
    newest.env.run_pip("uninstall", "--yes", "--quiet", "veln-hook", check=True)
    result = newest.run("uv", "pip", "install", "demo", index=demo)
    assert result.returncode == 78, result
    assert f"Repair: '{newest.env.python}' -m pip install --force-reinstall veln-hook; " in result.stderr
    assert newest.run("uv", "pip", "list").returncode == 0
    assert demo.requests == []
    shutil.rmtree(newest.env.prefix / "veln-hook")  # as the message says
    result = newest.run("uv", "pip", "install", "demo", index=demo)
    assert result.returncode == 0, result
    assert newest.demo() == "2.0"


@pytest.mark.slow
def test_a_users_own_shims_serve_an_environment_without_veln_hook(newest, demo, tmp_path):
    place = tmp_path / "shims"
    assert newest.hook("shims", "install", "--dir", str(place)).returncode == 0
    path = f"{place}:{newest.env.bin}:{newest.environ['PATH']}"
    other = tmp_path / "other"
    result = newest.run(newest.env.bin / "uv", "venv", "--python", sys.executable, other, activate=False)
    assert result.returncode == 0, result
    more = {"activate": False, "PATH": path, "VIRTUAL_ENV": str(other)}
    result = newest.run(place / "uv", "pip", "install", "demo", index=demo, **more)
    assert result.returncode == 0, result
    assert HELD in result.stderr, result
    assert [path.name for path in other.glob("lib/*/site-packages/demo-*")] == ["demo-1.0.dist-info"]


@pytest.mark.slow
@pytest.mark.parametrize("name", everyday(["activate", "activate.csh", "activate.fish"], 1))
def test_environments_that_uv_makes_can_have_shims(newest, tmp_path, name):
    other = tmp_path / "other"
    newest.run(newest.env.bin / "uv", "venv", "--python", sys.executable, other, activate=False)
    before = (other / "bin" / name).read_bytes()
    assert newest.hook("shims", "install", "--env", str(other)).returncode == 0
    assert (other / "bin" / name).read_bytes().startswith(before)
    shell = {"activate": "sh", "activate.csh": "tcsh", "activate.fish": "fish"}[name]
    if shutil.which(shell) is not None:
        source = "." if shell == "sh" else "source"
        code = f"{source} {other}/bin/{name}; uv --version; uv pip install"
        result = newest.run(
            shutil.which(shell),
            "-c",
            code,
            activate=False,
            PATH=f"{newest.env.bin}:/usr/bin:/bin",
            prompt="%",
        )
        assert result.stdout.startswith("uv "), result
        assert "requirement" in result.stderr or "required" in result.stderr, result
    assert newest.hook("shims", "remove", "--env", str(other)).returncode == 0
    assert (other / "bin" / name).read_bytes() == before
    assert not (other / "veln-hook").exists()


@pytest.mark.slow
def test_nested_calls_go_through_the_gate_again(newest, demo, tmp_path):
    project = write_project(tmp_path / "project")
    target = tmp_path / "target"
    command = ["uv", "run", "--no-sync", "sh", "-c", f"uv pip install --target {target} demo==2.0"]
    result = newest.run(*command, index=demo, cwd=project)
    assert result.returncode == 75, result
    assert not list(target.glob("demo*"))
    assert untouched(demo)


@pytest.mark.parametrize("path", everyday(["veln-hook/bin/uv", "veln-hook/found/0/uv", "bin/activate"], 2))
@pytest.mark.parametrize(
    "command", everyday([["uv", "pip", "install"], ["python", "-m", "pip", "install"]], 1), ids=["uv", "pip"]
)
def test_no_wheel_writes_over_a_shim_or_over_what_puts_it_first(newest, index, tmp_path, command, path):
    index.add(make_wheel(tmp_path, "evil", "1.0", data={"data": {path: "#!/bin/sh\n"}}), upload_time=OLD)
    before = (newest.home / "uv").read_bytes(), (newest.env.bin / "activate").read_bytes()
    result = newest.run(*command, "evil", index=index, PIP_INDEX_URL=index.auth_url)
    assert result.returncode == 1, result
    assert "BLOCK evil 1.0" in result.out, result
    assert "evil" not in newest.env.installed()
    assert ((newest.home / "uv").read_bytes(), (newest.env.bin / "activate").read_bytes()) == before
