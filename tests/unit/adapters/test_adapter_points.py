from __future__ import annotations

import ast
import importlib
import inspect
import json
import subprocess
import sys
import types
from collections import defaultdict
from pathlib import Path

import pytest

from support.pythons import find_python
from veln_hook import _startup
from veln_hook.adapters import pip as adapter
from veln_hook.adapters.pip import points, preload
from veln_hook.adapters.pip.points import POINTS, Point

HERE = Path(adapter.__file__).parent
STDLIB_ONLY = ("importlib", "importlib.machinery", "importlib.util", "runpy", "sys")


@pytest.mark.parametrize("point", POINTS, ids=lambda p: f"{p.tail}:{p.attribute}")
def test_every_handler_is_a_function_that_preload_has_loaded(point):
    module, _, name = point.handler.partition(":")
    loaded = {m.__name__.rpartition(".")[2]: m for m in preload._MODULES}
    handler = getattr(loaded[module], name)
    assert handler.__module__ == loaded[module].__name__
    parameters = list(inspect.signature(handler).parameters.values())
    assert parameters[0].name == "original"
    # These have had the same arguments in every pip there is.
    if point.handler not in ("commands:main", "finder:find_best_candidate", "finder:find_all_candidates"):
        assert any(p.kind is p.VAR_POSITIONAL for p in parameters)
        assert any(p.kind is p.VAR_KEYWORD for p in parameters)


def test_every_module_with_a_point_is_one_that_start_up_guards_and_the_other_way_round():
    assert {point.tail for point in POINTS} == set(_startup.GUARDED)
    assert not _startup.GUARDED & _startup.COMMANDS


def test_the_commands_that_are_refused_are_those_that_are_guarded():
    from veln_hook.adapters.pip.commands import INSTALLING

    assert {f"commands.{name}" for name in INSTALLING} == set(_startup.COMMANDS)


def test_a_point_is_there_once():
    places = [(point.tail, point.attribute) for point in POINTS]
    assert len(places) == len(set(places))


def test_alternatives_of_a_group_have_one_handler():
    handlers = defaultdict(set)
    for point in POINTS:
        handlers[point.group].add(point.handler)
    assert all(len(found) == 1 for found in handlers.values())


def test_preload_loads_every_module_of_the_adapter_that_pips_process_uses():
    apart = {
        "__init__",
        "points",
        "preload",
        "runner",
        "client",
        "feed_fetching",
        "fetching",
        "listing",
        "loading",
    }  # the last four are the command line's
    modules = {path.stem for path in HERE.glob("*.py")} - apart
    assert modules == {module.__name__.rpartition(".")[2] for module in preload._MODULES}


@pytest.fixture
def module():
    """A stand-in for one of pip's modules: real functions, a real class."""
    made = types.ModuleType("pip._internal.utils.unpacking")
    exec(
        "def unpack_file(filename, location): return 'unpacked'\n"
        "class Holder:\n    def method(self): return 'called'\n"
        "from posixpath import join as get_runnable_pip\n",
        made.__dict__,
    )
    return made


def test_a_replaced_function_keeps_its_face(module):
    original = module.unpack_file
    assert points._replace(module, Point(module.__name__, "unpack_file", "prepare:unpack_file", "unpack"))
    replaced = module.unpack_file
    assert replaced is not original
    assert replaced.__wrapped__ is original
    assert (replaced.__name__, replaced.__module__) == ("unpack_file", module.__name__)


def test_replacing_twice_changes_nothing(module):
    point = Point(module.__name__, "Holder.method", "prepare:unpack_file", "x")
    assert points._replace(module, point)
    once = module.Holder.__dict__["method"]
    assert points._replace(module, point)
    assert module.Holder.__dict__["method"] is once


@pytest.mark.parametrize("attribute", ["absent", "Absent.method", "Holder.absent", "get_runnable_pip"])
def test_what_is_not_defined_there_is_not_replaced(module, attribute):
    before = dict(module.__dict__)
    assert not points._replace(module, Point(module.__name__, attribute, "prepare:unpack_file", "x"))
    assert module.__dict__ == before


def test_what_a_module_borrows_is_replaced_where_that_is_meant(module):
    point = Point(module.__name__, "get_runnable_pip", "children:get_runnable_pip", "x", borrowed=True)
    assert points._replace(module, point)


# The runner, which other interpreters execute


def test_the_runner_needs_the_standard_library_alone():
    tree = ast.parse((HERE / "runner.py").read_text(), feature_version=(3, 9))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
    assert names - {"__future__", "typing"} <= set(STDLIB_ONLY)


@pytest.mark.parametrize("name", ["runner.py", "../../_startup.py", "../../__init__.py"])
def test_what_runs_in_other_interpreters_is_python_39(name):
    ast.parse((HERE / name).read_text(), feature_version=(3, 9))
    python = find_python("3.9")
    if python is None:
        pytest.skip("Python 3.9 was not found on this machine")
    code = "import sys; compile(open(sys.argv[1]).read(), sys.argv[1], 'exec')"
    subprocess.run([python, "-W", "error", "-c", code, str(HERE / name)], check=True)


def test_every_module_is_python_39():
    for path in (HERE.parents[1]).rglob("*.py"):
        ast.parse(path.read_text(), str(path), feature_version=(3, 9))


def _run(config):
    runner = str(HERE / "runner.py")
    code = f"import runpy, json, sys\nrunpy.run_path({runner!r})['main'](json.loads(sys.argv[1]))\n"
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", code, json.dumps(config)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_runner_without_fitting_dependencies_refuses_in_one_line(tmp_path):
    ran = tmp_path / "pip.py"
    ran.write_text("print('pip ran')")
    config = {"package": str(HERE.parents[2]), "dependencies": [{}], "pip": str(ran)}
    done = _run(config)
    assert done.returncode == 78
    assert "pip ran" not in done.stdout
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("ERROR: veln-hook can't guard pip in ")


def test_a_runner_whose_package_is_damaged_runs_no_pip(tmp_path):
    ran = tmp_path / "pip.py"
    ran.write_text("print('pip ran')")
    package = tmp_path / "package/veln_hook"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "_startup.py").write_text("raise RuntimeError('damaged')")
    dependencies = {name: [str(tmp_path), list(range(9, 40))] for name in ("pluggy", "packaging", "platformdirs", "tomli")}  # fmt: skip
    config = {"package": str(package.parent), "dependencies": [dependencies], "pip": str(ran)}
    done = _run(config)
    assert (done.returncode, done.stdout) == (78, "")
    assert "Traceback" not in done.stderr


def test_the_adapter_is_the_only_room_that_names_pips_internals():
    package = HERE.parents[1]
    for path in package.rglob("*.py"):
        if HERE in path.parents or path.name == "_startup.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                assert not node.module.startswith("pip."), path
            if isinstance(node, ast.Import):
                assert not any(alias.name.partition(".")[0] == "pip" for alias in node.names), path


def test_modules_of_the_adapter_can_be_imported_where_there_is_no_pip():
    names = [f"veln_hook.adapters.pip.{path.stem}" for path in HERE.glob("*.py") if path.stem != "__init__"]
    for name in names:
        importlib.import_module(name)
