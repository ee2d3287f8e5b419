"""``python -m uv`` and ``uv.find_uv_bin()`` lead to a shim: real uvs that a real pip installed, on each Python."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import shutil
import subprocess

import pytest

from support import cache
from support.selection import everyday
from support.uv_versions import NEWEST, UVS

OLD = "0.4.15"
"""The newest but two whose ``find_uv_bin`` stands in the package itself."""


def put_uv(env, version):
    """Install a uv with the environment's own pip, as it is published."""
    try:
        wheel = cache.download(f"uv-wheel-{version}", env.pair.python, [f"uv=={version}"])[0]
    except RuntimeError as error:
        pytest.skip(str(error).strip().splitlines()[-1])
    env.run_pip(
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        wheel,
        policy="[cooling]\nmin_age = '0'\n",
        check=True,
    )
    return env


@pytest.fixture
def uv_env(newest_env):
    return put_uv(newest_env, NEWEST)


def found(env):
    """The shims that were made, by the program that they lead to."""
    return sorted(path for path in (env.prefix / "veln-hook").rglob("*") if path.is_file())


def record_holds(env):
    """Whether every file of uv is as RECORD has it."""
    (record,) = env.site_packages.glob("uv-*.dist-info/RECORD")
    for path, promised, _ in csv.reader(record.read_text().splitlines()):
        if promised:
            digest = hashlib.sha256((env.site_packages / path).read_bytes()).digest()
            assert promised == f"sha256={base64.urlsafe_b64encode(digest).decode().rstrip('=')}", path
    return True


FIND = "import uv, sys; print(uv.find_uv_bin())"


def test_python_m_uv_on_each_python(any_env):
    put_uv(any_env, NEWEST)
    result = any_env.run("-m", "uv", "--version")
    assert result.stdout.startswith(f"uv {NEWEST}"), result
    assert result.stderr == ""
    assert [path.name for path in found(any_env)] == ["uv", "uvx"]
    assert any_env.run("-c", FIND).stdout == f"{found(any_env)[0]}\n"


@pytest.mark.parametrize("version", everyday([OLD, *UVS], (OLD, UVS[-1])))
def test_each_uv(newest_env, version):
    put_uv(newest_env, version)
    before = newest_env.files()
    result = newest_env.run("-m", "uv", "--version")
    assert result.stdout.startswith(f"uv {version}"), result
    shim, uvx = found(newest_env)
    assert f"real='{newest_env.bin}/uv'" in shim.read_text()
    assert f"real='{newest_env.bin}/uvx'" in uvx.read_text()
    for code in (
        FIND,
        "from uv import find_uv_bin as f; print(f())",
        "import uv.__main__ as m; print(m.find_uv_bin())",
    ):
        assert newest_env.run("-c", code).stdout == f"{shim}\n", code
    made = {str(path.relative_to(newest_env.prefix)) for path in (shim, uvx)}
    after = newest_env.files()
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == made
    assert record_holds(newest_env)
    assert newest_env.run_pip("check").returncode == 0


@pytest.mark.parametrize(
    "options",
    everyday([["-I"], ["-E"], ["-s"], ["-O"], ["-B"], ["-W", "error"], ["-X", "dev"]], 2),
    ids=" ".join,
)
def test_interpreter_options_change_nothing(uv_env, options):
    assert uv_env.run(*options, "-m", "uv", "--version").stdout.startswith(f"uv {NEWEST}")
    shim = found(uv_env)[0]
    assert uv_env.run(*options, "-c", FIND).stdout == f"{shim}\n"


def test_without_site_there_is_no_hook_and_no_uv(uv_env):
    assert uv_env.run("-S", "-m", "uv", "--version").returncode == 1


def test_it_is_asked_once_what_is_there_already(uv_env):
    uv_env.run("-c", FIND, check=True)
    before = [(path, path.stat().st_mtime_ns, path.stat().st_ino) for path in found(uv_env)]
    uv_env.run("-c", FIND, check=True)
    assert [(path, path.stat().st_mtime_ns, path.stat().st_ino) for path in found(uv_env)] == before


def test_a_shim_that_was_changed_is_made_again(uv_env):
    uv_env.run("-c", FIND, check=True)
    shim = found(uv_env)[0]
    text = shim.read_bytes()
    shim.write_bytes(text.replace(b"passes() {", b"passes() { return 0;"))
    uv_env.run("-c", FIND, check=True)
    assert shim.read_bytes() == text


def test_a_file_of_others_in_its_place_is_left_alone(uv_env):
    uv_env.run("-c", FIND, check=True)
    shim = found(uv_env)[0]
    shim.write_text("#!/bin/sh\necho mine\n")
    result = uv_env.run("-c", FIND)
    assert result.stdout.startswith(f"{uv_env.home.path}/.local/share/veln-hook/found/"), result
    assert shim.read_text() == "#!/bin/sh\necho mine\n"


def test_an_environment_that_can_not_be_written(uv_env):
    (uv_env.prefix / "veln-hook").write_text("a file where the directory would be\n")
    place = uv_env.home.path / ".local/share/veln-hook/found"
    result = uv_env.run("-c", FIND)
    (shim,) = place.glob("*/uv")
    assert result.stdout == f"{shim}\n", result
    assert uv_env.run("-m", "uv", "--version").stdout.startswith(f"uv {NEWEST}")


def nowhere(env):
    (env.prefix / "veln-hook").write_text("a file where the directory would be\n")
    place = env.home.path / ".local/share/veln-hook"
    place.parent.mkdir(parents=True)
    place.write_text("here, too\n")


def test_with_no_place_for_a_shim_uv_is_not_had(uv_env):
    nowhere(uv_env)
    for words in (["-m", "uv", "--version"], ["-c", FIND]):
        result = uv_env.run(*words)
        assert (result.returncode, result.stdout, result.stderr.count("\n")) == (78, "", 1), result
        assert result.stderr.startswith(
            "ERROR: veln-hook can't guard uv here, so nothing is installed (OSError: no shim"
        )
    result = uv_env.run("-c", FIND, protected=False)
    assert result.stdout == f"{uv_env.bin}/uv\n", result


def test_what_others_could_change_is_not_used(uv_env):
    uv_env.run("-c", FIND, check=True)
    found(uv_env)[0].parent.chmod(0o777)
    result = uv_env.run("-c", FIND)
    assert result.stdout.startswith(f"{uv_env.home.path}/.local/share/veln-hook/found/"), result


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_what_belongs_to_another_is_not_used(uv_env):
    uv_env.run("-c", FIND, check=True)
    os.chown(found(uv_env)[0], 12345, 12345)
    result = uv_env.run("-c", FIND)
    assert result.stdout.startswith(f"{uv_env.home.path}/.local/share/veln-hook/found/"), result


def test_a_umask_that_shares_with_a_group(uv_env):
    code = f"import os; os.umask(0o002); {FIND}"
    assert uv_env.run("-c", code).stdout == f"{found(uv_env)[0]}\n"


def test_where_uv_finds_a_shim_already_it_stays_that(uv_env):
    uv_env.run("-c", FIND, check=True)
    shim = found(uv_env)[0].read_bytes()
    (uv_env.bin / "uv").unlink()  # somebody put it there by hand
    (uv_env.bin / "uv").write_bytes(shim)
    assert uv_env.run("-c", FIND).stdout == f"{uv_env.bin}/uv\n"


def test_where_there_is_no_program_uv_tells_so_itself(uv_env):
    (uv_env.bin / "uv").unlink()
    result = uv_env.run("-c", FIND)
    assert "UvNotFound" in result.stderr
    assert found(uv_env) == []


def test_a_shim_outlives_its_program(uv_env):
    shim = uv_env.run("-c", FIND, check=True).stdout.strip()
    uv_env.run_pip("uninstall", "-y", "--quiet", "uv", check=True)
    done = subprocess.run(
        [shim, "--version"], env=uv_env.environ(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (
        127,
        f"error: veln-hook: there is no uv behind the shim {shim}\n",
    )


def test_little_is_loaded_for_it(uv_env):
    code = f"{FIND}; print(sorted(name for name in sys.modules if name.startswith(('veln_hook', 'platformdirs', 'pip', 'pluggy'))))"
    lines = uv_env.run("-c", code).stdout.splitlines()
    names = [
        "",
        "._startup",
        ".adapters",
        ".adapters.shims",
        ".adapters.shims.hook",
        ".adapters.shims.passing",
    ]
    names += [".adapters.shims.places", ".adapters.shims.script", ".adapters.uv", ".adapters.uv.commands"]
    assert lines[1] == str([f"veln_hook{name}" for name in names])


def test_importing_uv_alone_makes_nothing(uv_env):
    assert uv_env.run("-c", "import uv").out == ""
    assert found(uv_env) == []


def test_another_package_of_that_name_is_not_touched(newest_env):
    package = newest_env.home.work / "uv"
    package.mkdir()
    (package / "__init__.py").write_text("VALUE = 1\n")
    (package / "__main__.py").write_text("print('mine')\n")
    assert newest_env.run("-m", "uv").out == "mine\n"


def test_a_uv_that_was_imported_before_us(uv_env):
    pth = uv_env.site_packages / "veln_hook_startup.pth"
    line = pth.read_text()
    pth.write_text("# run by the test instead\n")
    code = f"import uv, uv._find_uv as m\nexec({line!r})\nprint(uv.find_uv_bin(), m.find_uv_bin())"
    shims = uv_env.run("-c", code)
    assert shims.stdout == f"{found(uv_env)[0]} {found(uv_env)[0]}\n", shims


BREAKS = {
    "hook missing": "adapters/shims/hook.py",
    "script missing": "adapters/shims/script.py",
    "classification missing": "adapters/uv/commands.py",
    "startup missing": "_startup.py",
    "package missing": "",
}


@pytest.mark.parametrize("damage", everyday(BREAKS, 2))
def test_damaged_files_of_ours_are_no_way_around(uv_env, damage):
    path = uv_env.site_packages / "veln_hook" / BREAKS[damage]
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    for words in (["-m", "uv", "pip", "install", "x"], ["-c", FIND]):
        result = uv_env.run(*words)
        assert (result.returncode, result.stdout, result.stderr.count("\n")) == (78, "", 1), result
        assert result.stderr.startswith("ERROR: veln-hook")
        assert f"Repair: {uv_env.python} -m pip install --force-reinstall veln-hook\n" in result.stderr
    assert uv_env.run("-c", "import json").out == ""
    assert uv_env.run("-c", FIND, protected=False).stdout == f"{uv_env.bin}/uv\n"
    # Without pip, as uv makes environments, that command would be none.
    shutil.rmtree(uv_env.site_packages / "pip")
    result = uv_env.run("-m", "uv", "sync")
    uv = f"{uv_env.bin}/uv pip install --python {uv_env.python} --reinstall veln-hook"
    assert (result.returncode, result.stderr.partition("Repair: ")[2]) == (78, f"{uv}\n"), result
