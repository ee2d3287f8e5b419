"""What activate scripts get, and that real shells then find the shims, until the environment is left."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support import shells
from veln_hook.adapters.shims import activation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCRIPTS = ("activate", "activate.csh", "activate.fish", "Activate.ps1", "activate.ps1")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtualenv as the standard library makes it."""
    prefix = tmp_path_factory.mktemp("template") / "it's an env"
    command = [sys.executable, "-I", "-m", "venv", "--without-pip", str(prefix)]
    subprocess.run(command, check=True)
    for directory in (prefix / "bin", prefix / "veln-hook/bin"):
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "uv").write_text("#!/bin/sh\nprintf '%s\\n' \"$0\"\n")
        (directory / "uv").chmod(0o755)
    return prefix


@pytest.fixture
def environment(template: Path) -> Iterator[Path]:
    """The same, its scripts patched; restored afterwards."""
    before = {path: path.read_bytes() for path in activation.scripts(template)}
    for script in before:
        activation.replace(script, activation.patched(script))
    yield template
    for path, content in before.items():
        path.write_bytes(content)


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize(
    "text", [b"one\ntwo\n", b"no newline at the end", b"", b"crlf\r\n", b"\xff\x00\n\n\n"]
)
def test_the_block_comes_and_goes_byte_for_byte(tmp_path, name, text):
    script = tmp_path / name
    script.write_bytes(text)
    script.chmod(0o640)
    assert activation.patched(script) != script.read_bytes()
    assert activation.replace(script, activation.patched(script))
    assert activation.patched(script) == script.read_bytes()
    assert script.read_bytes().startswith(text)
    once = script.read_bytes()
    assert not activation.replace(script, activation.patched(script))
    assert script.read_bytes() == once
    assert activation.replace(script, activation.restored(script))
    assert script.read_bytes() == text
    assert stat.S_IMODE(script.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == [name]


def test_an_older_block_is_replaced_and_what_follows_it_is_kept(tmp_path):
    script = tmp_path / "activate"
    script.write_bytes(b"before\n\n# >>> veln-hook shims >>>\nold\n# <<< veln-hook shims <<<\nafter\n")
    assert activation.restored(script) == b"before\nafter\n"
    assert activation.patched(script).startswith(b"before\nafter\n\n# >>> veln-hook shims >>>\n")
    assert b"old" not in activation.patched(script)


def test_a_block_without_an_end_is_left_alone(tmp_path):
    script = tmp_path / "activate"
    text = b"before\n\n# >>> veln-hook shims >>>\nsomebody's own\n"
    script.write_bytes(text)
    assert activation.restored(script) == text


def test_only_files_of_the_environment_itself_are_looked_at(tmp_path):
    (tmp_path / "env/bin").mkdir(parents=True)
    (tmp_path / "outside").write_text("mine\n")
    (tmp_path / "env/bin/activate").symlink_to(tmp_path / "outside")
    (tmp_path / "env/bin/activate.fish").mkdir()
    (tmp_path / "env/bin/activate.csh").touch()
    assert activation.scripts(tmp_path / "env") == [tmp_path / "env/bin/activate.csh"]


def test_what_is_too_long_is_no_activate_script(tmp_path):
    script = tmp_path / "activate"
    with script.open("wb") as file:
        file.truncate((1 << 20) + 1)
    with pytest.raises(OSError, match="too long"):
        activation.patched(script)


def test_every_shell_of_venv_has_its_block(environment):
    names = {path.name for path in activation.scripts(environment)}
    assert names >= {"activate", "activate.csh", "activate.fish", "Activate.ps1"}


def sourced(command: list[str], code: str) -> list[str]:
    done = subprocess.run(
        [*command, "-c", code],
        # Python 3.12.1 has a script that asks for OSTYPE where no shell but bash has set it.
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/", "TERM": "dumb", "OSTYPE": "linux-gnu"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout.splitlines()


@pytest.mark.parametrize("options", ["", "set -eu; "], ids=["plain", "strict"])
@pytest.mark.parametrize("command", shells.here().values(), ids=shells.here())
def test_in_shells_like_sh(environment, command, options):
    script = str(environment / "bin/activate").replace("'", "'\"'\"'")
    code = f"{options}. '{script}'; uv; printf '%s\\n' \"$PATH\"; deactivate; printf '%s\\n' \"$PATH\""
    uv, path, after = sourced(command, code)
    assert uv == f"{environment}/veln-hook/bin/uv"
    assert path.startswith(f"{environment}/veln-hook/bin:{environment}/bin:")
    assert after == "/usr/local/bin:/usr/bin:/bin"


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish here")
def test_in_fish(environment):
    script = str(environment / "bin/activate.fish").replace("'", "\\'")
    code = f"source '{script}'; uv; deactivate; echo (string join : $PATH)"
    uv, after = sourced([shutil.which("fish"), "--no-config"], code)
    assert uv == f"{environment}/veln-hook/bin/uv"
    assert after == "/usr/local/bin:/usr/bin:/bin"


@pytest.mark.skipif(shutil.which("tcsh") is None, reason="there is no tcsh here")
def test_in_csh(environment):
    script = str(environment / "bin/activate.csh").replace("'", "'\"'\"'")
    # An alias counts from the next line on.
    code = f"set prompt='%'; source '{script}'; uv; echo $PATH"
    uv, path = sourced([shutil.which("tcsh"), "-f"], code)
    assert uv == f"{environment}/veln-hook/bin/uv"
    assert path.startswith(f"{environment}/veln-hook/bin:{environment}/bin:")


@pytest.mark.skipif(shutil.which("pwsh") is None, reason="there is no PowerShell here")
def test_in_powershell(environment):
    script = str(environment / "bin/Activate.ps1").replace("'", "''")
    code = f". '{script}'; uv; deactivate; $env:PATH"
    uv, after = sourced([shutil.which("pwsh"), "-NoProfile"], code)
    assert uv == f"{environment}/veln-hook/bin/uv"
    assert after == "/usr/local/bin:/usr/bin:/bin"


def test_without_the_directory_nothing_is_put_first(environment):
    hidden = environment / "veln-hook-hidden"
    (environment / "veln-hook").rename(hidden)
    try:
        script = str(environment / "bin/activate").replace("'", "'\"'\"'")
        (uv,) = sourced(["/bin/sh"], f". '{script}'; uv")
        assert uv == f"{environment}/bin/uv"
    finally:
        hidden.rename(environment / "veln-hook")
