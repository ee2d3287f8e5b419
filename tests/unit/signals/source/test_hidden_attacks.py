"""Code that hides what it runs, or runs what nobody can read: held in a package of any size."""

from __future__ import annotations

import pytest
from client_library import BASE, changed

from support.code import held, scan

ESCAPED = "\\x17\\x1c" * 1_100
"""A literal of a payload, as the source has it."""

HIDDEN = {
    "code spelled by map(chr, ...)": "exec(''.join(map(chr, [int(each) for each in open('x').read().split()])))\n",
    "code spelled by chr": "exec(''.join(chr(each ^ 7) for each in numbers))\n",
    "names spelled by chr": "_ = ''.join\nrun = globals()[_([chr(each) for each in numbers])]\n",
    "a file that is opened": "import os\nos.startfile(os.environ['appdata'] + '/cache.pyw')\n",
    "a program that is opened": "import os\nos.system('start cache.exe')\n",
    "code in an archive": "import zipimport\nloader = zipimport.zipimporter('cache.zip')\n",
    "what an obfuscator left": (
        "from pytransform import pyarmor_runtime\npyarmor_runtime()\n"
        f"__pyarmor__(__name__, __file__, b'{ESCAPED}')\n"
    ),
}
HONEST = {
    "chr in a table": "TABLE = ''.join(chr(code) for code in range(32, 127))\nopen('x', 'w').write(TABLE)\n",
    "names of the module": "def f():\n    return globals()['BASE']\n",
    "what obfuscators leave, told apart": "MARKS = ('pyarmor_runtime', '__pyarmor__')\n",
    "a file that is opened when asked for": "import os\n\ndef show(path):\n    os.startfile(path)\n",
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_is_hidden_is_held(name):
    assert held(scan(changed({"acme/hidden.py": HIDDEN[name]}, BASE)))


@pytest.mark.parametrize("name", HONEST)
def test_what_is_not_hidden_passes(name):
    assert not held(scan(changed({"acme/plain.py": HONEST[name]}, BASE)))


def test_no_setup_needs_a_literal_of_a_payload():
    def found(data, modules):
        setup = f"import {modules}\nfrom setuptools import setup\n\nDATA = '{data}'\nsetup(name='acme')\n"
        return held(scan({"acme-1.0/setup.py": setup}))

    assert "obfuscated-code" not in found("", "os")
    assert "obfuscated-code" in found(ESCAPED, "os, socket")


def test_code_that_nobody_can_read_is_held():
    armoured = "from acme_runtime import __pyarmor__\n__pyarmor__(__name__, __file__, b'PY000000\\x00')\n"
    assert held(scan({"acme/__init__.py": armoured})) == {"obfuscated-code"}
    assert not held(scan({"acme/__init__.py": "", "acme/notes.py": "TOOL = '__pyarmor__'\n"}))
