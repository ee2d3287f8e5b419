"""A project's page as a whole: what was uploaded when, in whatever form its index tells times."""

from __future__ import annotations

import ast
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from packaging.version import Version

from veln_hook import history
from veln_hook.history import MAX_RELEASES, ProjectPage, version_of_file

NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
DAY = timedelta(days=1)


def as_text(moment: datetime) -> str:
    return f"{moment.replace(tzinfo=None).isoformat()}Z"


@pytest.fixture(params=[lambda moment: moment, as_text], ids=["datetimes", "texts"])
def form(request):
    """How an index, or a pip, has its times."""
    return request.param


def page(form, *files: tuple[str, float]) -> ProjectPage:
    return ProjectPage(lambda: [(name, form(NOW - age * DAY)) for name, age in files])


@pytest.mark.parametrize(
    ("filename", "version"),
    [
        ("demo-1.0-py3-none-any.whl", Version("1.0")),
        ("demo-1.0-1-py3-none-any.whl", Version("1")),
        ("demo-1.0.tar.gz", Version("1")),
        ("demo-1.0-2.tar.gz", Version("1.0.post2")),
        ("demo-2-1.0.zip", Version("1.0")),
        ("a-b-1.0rc1.tar.bz2", Version("1.0rc1")),
        ("demo-latest.tar.gz", "latest"),
        ("demo.tar.gz", ""),
        ("demo.whl", ""),
        ("readme.txt", ""),
        (f"demo-{'9' * 5000}.tar.gz", "9" * 5000),
    ],
)
def test_where_a_name_has_its_version(filename, version):
    assert version_of_file(filename) == version


def test_the_files_of_a_release_whatever_their_spelling_and_place(form):
    told = page(
        form,
        ("demo-2.0.0-py3-none-any.whl", 3),
        ("demo-1.0.tar.gz", 50),
        ("demo-2.0.tar.gz", 10),
        ("demo-2.0.1.tar.gz", 1),
        ("demo-12.0.tar.gz", 2),
    )
    release = told.release("demo-2.0.tar.gz")
    assert release is not None
    assert [file.filename for file in release.files] == ["demo-2.0.tar.gz", "demo-2.0.0-py3-none-any.whl"]
    assert release.files[0].uploaded == NOW - 10 * DAY
    assert release.has_wheels
    assert told.release("demo-3.0.tar.gz") is None


def test_the_releases_before_one_are_those_that_were_there_then(form):
    told = page(
        form,
        ("demo-1.0.tar.gz", 900),
        ("demo-1.1.tar.gz", 800),
        ("demo-1.1-py3-none-any.whl", 1),
        ("demo-2.0.tar.gz", 20),
        ("demo-1.2.tar.gz", 10),
    )
    release = told.release("demo-2.0.tar.gz")
    assert release is not None
    before = told.before(release)
    assert [str(each.version) for each in before] == ["1.1", "1.0"]
    assert not before[0].has_wheels  # its wheel came later


def test_of_many_releases_the_last_ones_count(form):
    told = page(form, *((f"demo-1.{number}.tar.gz", 1000 - number) for number in range(100)))
    release = told.release("demo-1.99.tar.gz")
    assert release is not None
    before = told.before(release)
    assert len(before) == MAX_RELEASES
    assert [str(each.version) for each in before[:2]] == ["1.98", "1.97"]


def test_a_few_releases_of_the_last_year_are_joined_by_older_ones(form):
    told = page(form, *((f"demo-{number}.0.tar.gz", 4000 - 100 * number) for number in range(1, 21)))
    release = told.release("demo-20.0.tar.gz")
    assert release is not None
    assert len(told.before(release)) == 19


@pytest.mark.parametrize(("ages", "young"), [([5], True), ([5, 89], True), ([5, 91], False), ([], False)])
def test_a_project_is_as_old_as_its_first_file(form, ages, young):
    told = page(form, *((f"demo-1.{age}.tar.gz", age) for age in ages))
    assert told.is_younger_than(NOW - 90 * DAY) is young


@pytest.mark.parametrize(
    "time", [None, 7, "yesterday", "2026-13-01T00:00:00Z", "x" * 20, b"2026-04-30T00:00:00Z"]
)
def test_a_file_of_unknown_age_is_no_proof_of_youth_and_no_error(time):
    told = ProjectPage(lambda: [("demo-1.0.tar.gz", NOW - DAY), ("demo-0.9.tar.gz", time)])
    assert not told.is_younger_than(NOW - 90 * DAY)
    assert told.release("demo-0.9.tar.gz") is None
    release = told.release("demo-1.0.tar.gz")
    assert release is not None
    assert told.before(release) == []


def test_texts_and_times_on_one_page_are_compared():
    told = ProjectPage(
        lambda: [
            ("demo-1.0.tar.gz", as_text(NOW - 9 * DAY)),
            ("demo-2.0.tar.gz", (NOW - DAY).replace(tzinfo=None)),
        ]
    )
    release = told.release("demo-2.0.tar.gz")
    assert release is not None
    assert [str(each.version) for each in told.before(release)] == ["1.0"]


def test_when_a_series_had_its_last_file(form):
    told = page(form, ("demo-1.0.tar.gz", 900), ("demo-11.0.tar.gz", 400), ("demo-1.1.tar.gz", 2))
    release = told.release("demo-1.1.tar.gz")
    assert release is not None
    assert told.last_of_series(release) == NOW - 900 * DAY


def test_nothing_is_read_before_it_is_asked_for_and_all_of_it_once():
    asked = []

    def files():
        asked.append("files")
        return [("demo-1.0.tar.gz", NOW - DAY)]

    def attested():
        asked.append("attested")
        return ["demo-1.0.tar.gz"]

    def status():
        asked.append("status")
        return "quarantined", "malware"

    told = ProjectPage(files, attested, status)
    assert not asked
    for _ in range(2):
        assert told.is_quarantined
        assert told.attested == {"demo-1.0.tar.gz"}
        assert told.release("demo-1.0.tar.gz") is not None
    assert sorted(asked) == ["attested", "files", "status"]


def test_the_module_reads_no_clock_disk_network_or_environment():
    tree = ast.parse(Path(history.__file__).read_text())
    imported = {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    } | {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    allowed = {
        "__future__",
        "collections.abc",
        "datetime",
        "functools",
        "operator",
        "packaging.version",
        "re",
        "typing",
    }
    assert imported <= allowed
