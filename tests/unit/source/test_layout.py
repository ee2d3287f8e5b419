"""Where members end, and what that makes of them."""

from __future__ import annotations

import pytest

from veln_hook.source.facts import BUILD, IMPORT, SCRIPT, STARTUP
from veln_hook.source.layout import common_root, module_name, place_of, roots_of


@pytest.mark.parametrize(
    "name, installed, script",
    [
        ("acme/x.py", "acme/x.py", False),
        ("./acme//x.py", "acme/x.py", False),
        ("acme\\x.py", "acme/x.py", False),
        ("acme-1.0.data/purelib/acme/x.py", "acme/x.py", False),
        ("acme-1.0.data/platlib/x.py", "x.py", False),
        ("acme-1.0.data/scripts/acme", "", True),
        ("acme-1.0.data/headers/x.h", "", False),
        ("acme-1.0.data/data/share/x.py", "", False),
        ("acme-1.0.data/data/bin/x.py", "", True),
        ("acme-1.0.data/data/lib/python3.12/site-packages/a.pth", "a.pth", False),
        ("src/acme/x.py", "src/acme/x.py", False),
    ],
)
def test_places_of_a_wheel(name, installed, script):
    assert place_of(name, "wheel", "") == (installed, script)


@pytest.mark.parametrize(
    "name, installed, script",
    [
        ("acme-1.0/acme/x.py", "acme/x.py", False),
        ("acme-1.0/src/acme/x.py", "acme/x.py", False),
        ("acme-1.0/lib/acme/x.py", "acme/x.py", False),
        ("acme-1.0/setup.py", "setup.py", False),
        ("acme-1.0/bin/acme", "bin/acme", True),
        ("acme-1.0/scripts/acme", "scripts/acme", True),
    ],
)
def test_places_of_an_sdist(name, installed, script):
    assert place_of(name, "sdist", "acme-1.0/") == (installed, script)


@pytest.mark.parametrize(
    "installed, name",
    [
        ("acme/x.py", "acme.x"),
        ("acme/__init__.py", "acme"),
        ("x.py", "x"),
        ("acme/x.txt", ""),
        ("acme-x/y.py", ""),
        ("1/x.py", ""),
        ("__init__.py", ""),
        ("", ""),
    ],
)
def test_names_of_modules(installed, name):
    assert module_name(installed) == name


@pytest.mark.parametrize(
    "installed, kind, script, roots",
    [
        ("acme/x.py", "wheel", False, (IMPORT,)),
        ("setup.py", "sdist", False, (BUILD,)),
        ("setup.py", "wheel", False, (IMPORT,)),
        ("acme/setup.py", "sdist", False, (IMPORT,)),
        ("sitecustomize.py", "wheel", False, (STARTUP,)),
        ("usercustomize/__init__.py", "wheel", False, (STARTUP,)),
        ("acme/sitecustomize.py", "wheel", False, (IMPORT,)),
        ("acme/__main__.py", "wheel", False, (SCRIPT,)),
        ("", "wheel", True, (SCRIPT,)),
        ("tests/test_x.py", "sdist", False, ()),
        ("acme/tests/x.py", "wheel", False, ()),
        ("acme/Tests/x.py", "wheel", False, ()),
        ("acme/tests.py", "wheel", False, (IMPORT,)),
        ("conftest.py", "sdist", False, ()),
        ("acme/test_more.py", "wheel", False, ()),
        ("acme/more_test.py", "wheel", False, ()),
        ("acme/test-examples/more.py", "wheel", False, ()),
        ("acme/testing_more.py", "wheel", False, ("import",)),
        ("docs/conf.py", "sdist", False, ()),
        ("acme/x.txt", "wheel", False, ()),
    ],
)
def test_how_a_body_comes_to_run(installed, kind, script, roots):
    assert roots_of(installed, kind=kind, script=script) == roots


def test_the_directory_that_holds_all():
    assert common_root(["a-1/x", "a-1/b/y"]) == "a-1/"
    assert common_root(["pax_global_header", "a-1/x"]) == "a-1/"
    assert common_root(["a-1/x", "b/y"]) == ""
    assert common_root(["a-1", "a-1/x"]) == ""
    assert common_root([]) == ""
