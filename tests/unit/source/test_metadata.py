"""What metadata says, whatever it looks like."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from veln_hook.source import metadata
from veln_hook.source.facts import Dependency
from veln_hook.source.startup import pth_code, start_targets

HEADERS = """\
Metadata-Version: 2.1
Name: acme
Requires-Dist: Foo.Bar_baz>=1,<2
requires-dist: colorama; sys_platform == "win32"
Requires-Dist: httpx[http2] (>=0.20) ; extra == 'async'
Requires-Dist: ???

Requires-Dist: of-the-description
"""


def test_dependencies():
    assert metadata.dependencies(HEADERS) == [
        Dependency("foo-bar-baz", "Foo.Bar_baz>=1,<2", extra=False),
        Dependency("colorama", 'colorama; sys_platform == "win32"', extra=False),
        Dependency("httpx", "httpx[http2] (>=0.20) ; extra == 'async'", extra=True),
    ]
    assert metadata.dependencies(HEADERS.replace("\n", "\r\n")) == metadata.dependencies(HEADERS)


def test_dependencies_of_an_egg():
    text = "foo>=1\n\n[:python_version < '3']\nbar\n\n[extra]\nbaz\n[extra:python_version < '3']\nqux\n"
    found = [(each.name, each.extra) for each in metadata.egg_dependencies(text)]
    assert found == [("foo", False), ("bar", False), ("baz", True), ("qux", True)]


def test_dependencies_end_somewhere():
    assert len(metadata.dependencies("Requires-Dist: a\n" * 20_000)) == 5_000


def test_entry_points():
    text = "# one\n[console_scripts]\nacme = acme.cli:main\nother=acme.cli:Main.run [extra]\n; two\n[ Acme.Plugins ]\nx = y\n"
    assert metadata.entry_points(text) == {
        "console_scripts": [("acme", "acme.cli.main"), ("other", "acme.cli.Main.run")],
        "acme.plugins": [("x", "y")],
    }


def test_the_name_of_a_project():
    assert metadata.project("Metadata-Version: 2.1\nNAME: Acme_x.Y\n\nName: no\n") == "acme-x-y"
    assert metadata.project("Version: 1\n\nName: no\n") == ""


def test_lines_that_a_pth_runs():
    assert pth_code(b"/a\nimport os\n#import x\n import y\nimportlib\nimport\tz\n") == [
        (2, "import os"),
        (6, "import\tz"),
    ]
    assert pth_code("\ufeffimport os\r\n".encode()) == [(1, "import os")]
    assert pth_code("a\x0cimport os\x0b\nimport x\x85import y".encode()) == [
        (2, "import os"),
        (4, "import x"),
        (5, "import y"),
    ]
    # In the encoding of a machine where that is no UTF-8.
    assert pth_code(b"# \xe9\x85import os\n") == [(2, "import os")]


def test_what_a_start_file_calls():
    assert start_targets("# x\nacme.x:main\n\n acme.y.z \n") == ["acme.x.main", "acme.y.z"]
    assert len(start_targets("a:b\n" * 5_000)) == 1_000


@given(st.text())
def test_nothing_is_raised(text):
    metadata.dependencies(text)
    metadata.dependencies(f"Requires-Dist:{text}")
    metadata.egg_dependencies(text)
    metadata.entry_points(f"[console_scripts]\n{text}")
    pth_code(text.encode("utf-8", "replace"))
    metadata.project(text)
    metadata.project(f"Name:{text}")
    start_targets(text)
