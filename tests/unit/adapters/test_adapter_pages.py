"""The parts of the adapter that need no pip: pages, links and their credentials, carrying along."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from veln_hook.adapters.pip import carry, install, lookups, pages
from veln_hook.errors import CarryError
from veln_hook.model import Source

ROOT = Path(__file__).parents[3]


# Which index a page belongs to


def finder(*index_urls):
    """All that these functions read of pip's ``PackageFinder``."""
    return SimpleNamespace(index_urls=list(index_urls))


@pytest.mark.parametrize(
    ("index_urls", "page", "base", "source"),
    [
        (
            ["https://pypi.org/simple"],
            "https://pypi.org/simple/demo/",
            "https://pypi.org/simple/",
            Source.INDEX,
        ),
        (
            ["https://pypi.org/simple/"],
            "https://pypi.org/simple/demo/",
            "https://pypi.org/simple/",
            Source.INDEX,
        ),
        (
            ["https://u:secret@x/simple/"],
            "https://u:secret@x/simple/demo/",
            "https://x/simple/",
            Source.INDEX,
        ),
        (
            ["https://x/simple/"],
            "https://x/simple-evil/demo/",
            "https://x/simple-evil/demo/",
            Source.FIND_LINKS,
        ),
        (["https://x/simple/"], "https://u:secret@x/links.html", "https://x/links.html/", Source.FIND_LINKS),
        ([], "https://x/links/", "https://x/links/", Source.FIND_LINKS),
        (["https://a/", "https://b/simple/"], "https://b/simple/demo/", "https://b/simple/", Source.INDEX),
    ],
)
def test_a_pages_base_has_no_credentials(index_urls, page, base, source):
    assert pages._configured(finder(*index_urls), page) == (base, source)


@pytest.mark.parametrize(
    "url",
    [
        "https://x/demo-1.0%2Blocal-py3-none-any.whl",
        "https://x/a%2Fdemo-1.0-py3-none-any.whl",
        "https://x/demo-1%252E0-py3-none-any.whl",
        "https://x/demo-1.0.tar.gz?token=/other-2.0.tar.gz",
        "https://x/demo-1.0.tar.gz/",
        "https://x/",
    ],
)
def test_where_a_url_can_be_read_in_two_ways_pips_reading_is_the_files_name(url):
    assert pages._filename(SimpleNamespace(url=url, filename="as pip has it")) == "as pip has it"


def test_a_plain_urls_last_part_is_the_files_name():
    link = SimpleNamespace(url="https://x/demo-1.0-py3-none-any.whl#sha256=ab/cd", filename="not asked")
    assert pages._filename(link) == "demo-1.0-py3-none-any.whl"


@pytest.mark.parametrize(
    ("link", "sha256"),
    [
        (SimpleNamespace(_hashes={"sha256": "AB" * 32}), "ab" * 32),
        (SimpleNamespace(_hashes={"md5": "x"}), ""),
        (SimpleNamespace(_hashes={}, hash="AB" * 32, hash_name="sha256"), "ab" * 32),
        (SimpleNamespace(hash="x", hash_name="md5"), ""),
        (SimpleNamespace(hash=None, hash_name=None), ""),
    ],
)
def test_the_hash_is_the_one_that_pip_checks(link, sha256):
    assert pages._sha256(link) == sha256


def test_side_requests_are_not_kept_by_pips_cache():
    assert "no-store" in lookups._HEADERS["Cache-Control"]
    assert not lookups._HEADERS["User-Agent"].startswith("pip/")


# Other interpreters


@pytest.mark.parametrize(
    ("args", "environ", "asked"),
    [
        (["install", "demo"], {}, ""),
        (["--python", "/x/python", "install", "demo"], {}, "/x/python"),
        (["--python=/x/python", "install"], {}, "/x/python"),
        (["install", "demo"], {"PIP_PYTHON": "/e/python"}, "/e/python"),
        (["--python", "/x/python", "install"], {"PIP_PYTHON": "/e/python"}, "/x/python"),
        (["install", "--python-version", "3.9", "demo"], {}, ""),
        (["install", "--python"], {}, ""),
    ],
)
def test_the_interpreter_that_pip_is_asked_for(args, environ, asked):
    assert carry.asked_interpreter(args, environ) == asked


def test_an_environments_directory_stands_for_its_interpreter(tmp_path):
    (tmp_path / "bin").mkdir()
    assert carry.asked_interpreter(["--python", str(tmp_path)], {}) == str(tmp_path)  # pip refuses it then
    (tmp_path / "bin/python").touch()
    assert carry.asked_interpreter(["--python", str(tmp_path)], {}) == str(tmp_path / "bin/python")


def test_an_interpreter_that_can_not_be_asked_is_a_carry_error(tmp_path):
    with pytest.raises(CarryError, match="can't be asked for its version"):
        carry._minor_version(str(tmp_path / "none"))
    liar = tmp_path / "liar"
    liar.write_text("#!/bin/sh\necho three\n")
    liar.chmod(0o755)
    with pytest.raises(CarryError):
        carry._minor_version(str(liar))


def test_this_interpreter_can_be_asked():
    assert carry._minor_version(sys.executable) == sys.version_info[1]


@pytest.mark.parametrize(
    ("specifier", "fits", "unfit"),
    [(">=3.9", [9, 13, 30], []), (">=3.10", [10], [9]), (">=3.9,<3.12", [11], [12]), ("", [9, 39], []), ("nonsense", [], [9, 13]), (">=3.9.2", [9], []), ("!=3.10.*", [9, 11], [10])],
)  # fmt: skip
def test_which_pythons_a_dependency_supports(specifier, fits, unfit):
    minors = carry._supported(specifier)
    assert set(fits) <= set(minors)
    assert not set(unfit) & set(minors)


def test_tomli_is_needed_below_311_only():
    sets = {name: ("/x", [9, 11]) for name in ("pluggy", "packaging", "platformdirs")}
    assert not carry._fits(sets, 9)
    assert carry._fits(sets, 11)
    assert carry._fits({**sets, "tomli": ("/x", [9])}, 9)
    assert not carry._fits(sets, 12)


def test_a_script_is_for_its_owner_alone_and_new_each_time(tmp_path):
    first, second = carry.script("/x/pip"), carry.script("")
    assert first != second
    assert os.stat(os.path.dirname(first)).st_mode & 0o77 == 0
    assert "/x/pip" in Path(first).read_text()
    compile(Path(first).read_text(), first, "exec")


# Our own requirements stand in three places


def _dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {requirement.name: requirement for requirement in map(Requirement, project["dependencies"])}


def test_what_must_not_be_broken_is_what_we_depend_on():
    assert {name: str(r.specifier) for name, r in _dependencies().items()} == install.NEEDED


def test_what_is_carried_is_what_we_depend_on():
    assert {r.name: str(r.specifier) for r in map(Requirement, carry._REQUIREMENTS)} == install.NEEDED
    assert set(carry.NAMES) == set(install.NEEDED)


def test_the_oldest_python_is_the_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert re.fullmatch(rf">=\s*3\.{carry.OLDEST}", project["requires-python"])
