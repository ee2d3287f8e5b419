"""What an interpreter that is not pip's notices of veln-hook: one module, and nothing else."""

from __future__ import annotations

import json
import runpy
import sys

import pytest

from support.cache import ROOT

OURS = {"veln_hook"}
MODULES = "import sys; names = sorted(sys.modules); import json; print(json.dumps(names))"
FINDERS = "import sys; print([getattr(f, '__name__', '') for f in sys.meta_path].count('veln_hook'))"


def modules(env, *options):
    result = env.run(*options, "-c", MODULES)
    assert (result.returncode, result.stderr) == (0, ""), result
    return set(json.loads(result.stdout))


def test_the_pth_is_what_the_tool_writes():
    line = runpy.run_path(str(ROOT / "tools" / "make_pth.py"))["line"]()
    assert (ROOT / "src" / "veln_hook_startup.pth").read_text() == line
    assert line.count("\n") == 1  # the rest would run without being guarded


def test_one_module_is_loaded(any_env):
    with_hook = modules(any_env)
    # A comment only: reading any .pth file imports a codec on Python 3.13.
    (any_env.site_packages / "veln_hook_startup.pth").write_text("# nothing\n")
    assert with_hook - modules(any_env) == OURS


def test_importtime_lists_only_that_one(any_env):
    told = any_env.run("-X", "importtime", "-c", "pass").stderr
    imported = [line.rpartition("|")[2].strip() for line in told.splitlines()]
    assert {name for name in imported if "veln" in name} == OURS
    assert not {name.partition(".")[0] for name in imported} & {"pip", "pluggy", "packaging", "platformdirs"}


@pytest.mark.parametrize(
    "options",
    [["-I"], ["-E"], ["-s"], ["-O"], ["-OO"], ["-B"], ["-W", "error"], ["-X", "dev"], ["-bb"], ["-q", "-u"]],
    ids=" ".join,
)
def test_interpreter_options_change_nothing(shared_env, options):
    assert modules(shared_env, *options) >= OURS


def test_with_every_warning_an_error_on_each_python(any_env):
    assert modules(any_env, "-X", "dev", "-W", "error") >= OURS


def test_without_site_there_is_no_hook_and_no_pip(shared_env):
    assert not modules(shared_env, "-S") & OURS
    assert shared_env.run("-S", "-m", "pip", "--version").returncode == 1


@pytest.mark.parametrize(
    "name", ["PYTHONOPTIMIZE", "PYTHONDONTWRITEBYTECODE", "PYTHONSAFEPATH", "PYTHONWARNINGS"]
)
def test_variables_change_nothing(newest_env, name):
    value = "error" if name == "PYTHONWARNINGS" else "2"
    result = newest_env.run("-c", FINDERS, env={name: value})
    assert (result.returncode, result.out) == (0, "1\n"), result


def test_bytecode_is_not_needed(newest_env):
    for path in newest_env.site_packages.glob("veln_hook/__pycache__/*"):
        path.unlink()
    result = newest_env.run("-c", FINDERS, env={"PYTHONDONTWRITEBYTECODE": "1"})
    assert (result.returncode, result.out) == (0, "1\n"), result
    assert not list(newest_env.site_packages.glob("veln_hook/__pycache__/*"))


def test_the_line_may_run_any_number_of_times(any_env):
    line = any_env.site_packages / "veln_hook_startup.pth"
    code = f"""
import sys
line = open({str(line)!r}).read()
for _ in range(4):
    exec(line)
sys.path[:] = []  # as in the processes that pip builds in
exec(line)
{FINDERS}
print(sum('veln' in f"{{type(f)}} {{f}}" for f in sys.meta_path))
"""
    result = any_env.run("-c", code)
    assert (result.returncode, result.out) == (0, "1\n1\n"), result


def test_on_an_empty_path_the_first_run_is_silent(newest_env, pth):
    line = pth.read_text()
    pth.write_text("# run by the test instead\n")
    result = newest_env.run("-c", f"import sys\nsys.path[:] = []\nexec({line!r})\nimport sys")
    assert (result.returncode, result.out) == (0, ""), result


@pytest.mark.parametrize("code", ["pass", "import json, email, http.client", "import asyncio, sqlite3"])
def test_nothing_is_printed(any_env, code):
    result = any_env.run("-c", code)
    assert (result.returncode, result.out) == (0, ""), result


def test_importing_pip_for_its_version_loads_nothing_more(shared_env):
    code = "import pip, sys; print(sorted(name for name in sys.modules if name.startswith('veln_hook')))"
    assert shared_env.run("-c", code).stdout == f"{sorted(OURS)}\n"


def test_other_modules_are_found_as_before(shared_env):
    # The finder stands before all others: what isn't its business must be told apart by the name alone.
    code = (
        "import sys; f = sys.meta_path[0]; assert f.__name__ == 'veln_hook'; "
        "names = ['json', 'pip', 'pip._internal', 'pip._internal.reqs', 'notpip._internal.req', '', "
        "'pip._internal.', 'x.pip._internal', 'piptools', 'veln_hook.guard']; "
        "print([f.find_spec(name) for name in names] == [None] * len(names))"
    )
    result = shared_env.run("-c", code)
    assert (result.returncode, result.out) == (0, "True\n"), result


def test_a_process_that_changes_the_finders_while_searching_is_not_disturbed(shared_env):
    code = (
        "import sys\n"
        "class Other:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        return sys.meta_path[1].find_spec(name, path, target) if name.endswith('req') else None\n"
        "sys.meta_path.insert(0, Other())\n"
        "import pip._internal.req as req\n"
        "print(req.install_given_reqs.__veln_hook__)\n"
    )
    result = shared_env.run("-c", code)
    assert (result.returncode, result.out) == (0, "install:install_given_reqs\n"), result


def test_this_very_process_has_no_hook():
    # Or every other test here would be about two hooks.
    assert not [finder for finder in sys.meta_path if "veln" in f"{type(finder)} {finder}"]
