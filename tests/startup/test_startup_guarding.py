"""However pip comes into a process, it is guarded; and what is guarded looks like what it was."""

from __future__ import annotations

from datetime import timedelta

import pytest

from support.builders import make_wheel
from support.cache import pip_wheel
from support.selection import everyday
from veln_hook import _startup
from veln_hook.adapters.pip import points

OLD, YOUNG = timedelta(days=365), timedelta(minutes=5)
OVERWRITES = {"veln_hook/__init__.py": "raise SystemExit\n"}


@pytest.fixture
def demo(index, tmp_path):
    """An index with an old and a young ``demo``, and an old wheel that would overwrite us."""
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=YOUNG)
    index.add(make_wheel(tmp_path, "grabber", "1.0", OVERWRITES), upload_time=OLD)
    return index


def assert_guarded(env, run, index):
    """Check that ``run(*pip_arguments)`` holds a young release and blocks an archive."""
    result = run("install", "demo==2.0")
    assert result.returncode == 75, result
    assert "HOLD  demo 2.0" in result.out
    before = env.files()
    result = run("install", "grabber")
    assert result.returncode == 1, result
    assert "BLOCK grabber 1.0" in result.out
    assert env.files() == before


def test_every_point_lies_in_a_module_that_is_wrapped():
    assert {point.tail for point in points.POINTS} <= _startup.GUARDED


@pytest.mark.slow
def test_pip_run_from_its_wheel(newest_env, demo):
    wheel = pip_wheel(newest_env.pair.pip)
    newest_env.run_pip("uninstall", "-y", "pip", check=True)

    def run(*arguments):
        return newest_env.run(wheel / "pip", *arguments, index=demo)

    assert_guarded(newest_env, run, demo)


@pytest.mark.slow
def test_pip_run_from_its_wheel_on_each_python(any_env, demo):
    wheel = pip_wheel(any_env.pair.pip)
    result = any_env.run(wheel / "pip", "install", "demo==2.0", index=demo)
    assert result.returncode == 75, result
    assert result.stderr.count("Traceback") == 0


LATE = """
import runpy, sys
sys.path.append({site!r})
{imports}
import veln_hook
veln_hook.install()
sys.argv[0] = "pip"
sys.exit(pip._internal.main(sys.argv[1:]))
"""
IMPORTS = {
    "nothing": "import pip._internal",
    "its command line": "import pip._internal.cli.main, pip._internal.cli.base_command",
    "its finder": "import pip._internal, pip._internal.index.package_finder",
    "its preparer": "import pip._internal, pip._internal.operations.prepare",
    "everything": "import pip._internal, pip._internal.commands.install, pip._internal.commands.wheel",
}


@pytest.mark.parametrize("what", everyday(IMPORTS, 2))
def test_pip_imported_before_us(newest_env, demo, what):
    site = newest_env.site_packages
    code = LATE.format(site=str(site), imports=IMPORTS[what])

    def run(*arguments):
        # -S, so that the hook comes when the code says so.
        return newest_env.run("-S", "-c", code, *arguments, "--prefix", newest_env.prefix, index=demo)

    assert_guarded(newest_env, run, demo)


WAYS = {
    "-m pip": ["-m", "pip"],
    "isolated": ["-I", "-m", "pip"],
    "optimised": ["-OO", "-m", "pip"],
    "strict": ["-X", "dev", "-bb", "-m", "pip"],
    "runpy": ["-c", "import runpy; runpy.run_module('pip', run_name='__main__', alter_sys=True)"],
    "main": ["-c", "import sys; from pip._internal.cli.main import main; sys.exit(main())"],
    "vendored entry": ["-c", "import sys; from pip import main; sys.exit(main(sys.argv[1:]))"],
}


@pytest.mark.parametrize("way", everyday(WAYS, 4))
def test_each_way_to_start_pip(newest_env, demo, way):
    def run(*arguments):
        return newest_env.run(*WAYS[way], *arguments, index=demo)

    assert_guarded(newest_env, run, demo)


def test_the_script(newest_env, demo):
    assert_guarded(newest_env, lambda *arguments: newest_env.run_script("pip", *arguments, index=demo), demo)


LOADERS = """
import importlib, importlib.resources, inspect, json, sys
import pip._internal.commands.install
told = {}
for tail in sys.argv[1:]:
    module = importlib.import_module("pip._internal." + tail)
    told[tail] = [
        type(module.__loader__).__name__,
        type(module.__spec__.loader).__name__,
        bool(inspect.getsource(module)),
        str(importlib.resources.files("pip._internal").joinpath("__init__.py").is_file()),
    ]
certifi = importlib.import_module("pip._vendor.certifi")
bundle = importlib.resources.files("pip._vendor.certifi").joinpath("cacert.pem").read_text()
print(json.dumps([told, "BEGIN CERTIFICATE" in bundle]))
"""


def test_guarded_modules_keep_their_loader(newest_env):
    import json

    tails = sorted(_startup.GUARDED)
    result = newest_env.run("-c", LOADERS, *tails)
    assert (result.returncode, result.stderr) == (0, ""), result
    told, certifi = json.loads(result.stdout)
    assert certifi
    assert told == {tail: ["SourceFileLoader", "SourceFileLoader", True, "True"] for tail in tails}


def test_in_a_zip_they_keep_theirs_too(any_env):
    import json

    wheel = pip_wheel(any_env.pair.pip)
    tails = sorted(_startup.GUARDED)
    code = f"import sys; sys.path.insert(0, {str(wheel)!r})\n{LOADERS}"
    result = any_env.run("-c", code, *tails)
    assert (result.returncode, result.stderr) == (0, ""), result
    told, certifi = json.loads(result.stdout)
    assert certifi
    assert {kind for loaders in told.values() for kind in loaders[:2]} == {"zipimporter"}


def test_a_replaced_function_looks_like_the_original(shared_env):
    code = (
        "import inspect; from pip._internal.operations import prepare as p; "
        "f = p._get_prepared_distribution; "
        "print(f.__name__, f.__module__, list(inspect.signature(f).parameters)[0], f.__wrapped__ is not f)"
    )
    result = shared_env.run("-c", code)
    assert result.stdout == "_get_prepared_distribution pip._internal.operations.prepare req True\n", result


def test_reloading_a_module_of_pip_leaves_one_layer(shared_env):
    code = (
        "import importlib; import pip._internal.req as r; importlib.reload(r); importlib.reload(r); "
        "f = r.install_given_reqs; print(hasattr(f, '__veln_hook__'), hasattr(f.__wrapped__, '__veln_hook__'))"
    )
    result = shared_env.run("-c", code)
    assert result.stdout == "True False\n", result
