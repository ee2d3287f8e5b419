from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veln_hook.index.limits import MAX_PAGE
from veln_hook.index.project_answer import ProjectAnswer


def file(name, uploaded="2026-05-01T12:00:00.123456Z", **more):
    return {
        "filename": name,
        "url": f"https://files.pythonhosted.org/packages/{name}",
        "digests": {"md5": "00", "sha256": name.encode().hex()[:64].rjust(64, "0")},
        "size": 12,
        "packagetype": "sdist",
        "requires_python": ">=3.9",
        "upload_time": "2026-05-01T12:00:00",
        "upload_time_iso_8601": uploaded,
        "yanked": False,
        "yanked_reason": None,
        **more,
    }


def info(version):
    return {"name": "Demo", "version": version, "requires_dist": ["other>=1"], "requires_python": ">=3.9", "yanked": False,
            "package_url": "https://pypi.org/project/demo/", "release_url": f"https://pypi.org/project/demo/{version}/"}  # fmt: skip


WHEEL, SDIST, OLDER, PRE = (
    file(name) for name in ("demo-2.0-py3-none-any.whl", "demo-2.0.zip", "demo-1.0.zip", "demo-3.0rc1.zip")
)
RELEASE = {"info": info("2.0"), "last_serial": 1, "urls": [WHEEL, SDIST], "vulnerabilities": [{"id": "X"}]}
PROJECT = {**RELEASE, "releases": {"0.1": [], "1.0": [OLDER], "2.0": [WHEEL, SDIST], "3.0rc1": [PRE]}}


def encoded(data):
    return json.dumps(data).encode()


def left(data, *names):
    return json.loads(ProjectAnswer.parse(encoded(data)).without(names))


def test_an_answer_tells_its_files():
    answer = ProjectAnswer.parse(encoded(PROJECT))
    assert (answer.project, answer.version) == ("demo", "2.0")
    assert answer.entries().keys() == {each["filename"] for each in (WHEEL, SDIST, OLDER, PRE)}
    entry = answer.entries()["demo-2.0.zip"]
    assert entry.upload_time == datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=timezone.utc)
    assert (entry.url, entry.sha256) == (SDIST["url"], SDIST["digests"]["sha256"])
    assert (entry.size, entry.requires_python, entry.yanked, entry.flaw) == (12, ">=3.9", False, "")
    assert ProjectAnswer.parse(encoded(RELEASE)).entries().keys() == {
        "demo-2.0-py3-none-any.whl",
        "demo-2.0.zip",
    }


def test_files_go_from_urls_and_from_releases():
    assert left(PROJECT) == PROJECT
    assert left(PROJECT, "other-1.0.zip") == PROJECT
    rest = left(PROJECT, "demo-2.0.zip")
    assert rest == {**PROJECT, "urls": [WHEEL], "releases": {**PROJECT["releases"], "2.0": [WHEEL]}}


def test_a_release_goes_with_its_last_file_and_one_that_had_none_stays():
    rest = left(PROJECT, "demo-1.0.zip")
    assert rest["releases"].keys() == {"0.1", "2.0", "3.0rc1"}
    assert rest["info"] == PROJECT["info"]


def test_where_the_newest_release_is_held_the_newest_that_is_left_is_named():
    rest = left(PROJECT, "demo-2.0.zip", "demo-2.0-py3-none-any.whl")
    assert rest["releases"] == {"0.1": [], "1.0": [OLDER], "3.0rc1": [PRE]}
    assert rest["urls"] == [OLDER]
    told = {key: value for key, value in rest["info"].items() if value is not None}
    assert told == {"name": "Demo", "version": "1.0", "package_url": "https://pypi.org/project/demo/"}
    assert rest["info"].keys() == PROJECT["info"].keys()
    assert rest["vulnerabilities"] == []
    only_pre = left(PROJECT, "demo-2.0.zip", "demo-2.0-py3-none-any.whl", "demo-1.0.zip")
    assert (only_pre["info"]["version"], only_pre["urls"]) == ("3.0rc1", [PRE])
    everything = {each["filename"] for each in (WHEEL, SDIST, OLDER, PRE)}
    nothing = left(PROJECT, *everything)
    assert (nothing["info"]["version"], nothing["urls"], nothing["releases"]) == ("", [], {"0.1": []})


def test_an_answer_about_one_release_keeps_its_info():
    names = {"demo-2.0.zip", "demo-2.0-py3-none-any.whl"}
    assert left(RELEASE, "demo-2.0.zip") == {**RELEASE, "urls": [WHEEL]}
    assert left(RELEASE, *names) == {**RELEASE, "urls": []}
    answer = ProjectAnswer.parse(encoded(RELEASE))
    assert not answer.is_empty_without({"demo-2.0.zip"})
    assert answer.is_empty_without(names)
    assert not ProjectAnswer.parse(encoded({**RELEASE, "urls": []})).is_empty_without(names)


@pytest.mark.parametrize(
    "odd",
    [
        file("demo-2.0.zip", url="https://files.pythonhosted.org/packages/demo-9.0.zip"),
        file("demo-2.0.zip", url="file:///demo-2.0.zip"),
        file("demo-2.0.zip", url="/packages/demo-2.0.zip"),
        file("demo-2.0.zip", uploaded="2026-05-02T00:00:00Z"),
        file("demo-2.0.zip", digests={"sha256": "cd" * 32}),
    ],
)
def test_a_file_of_which_two_things_are_told_is_flawed(odd):
    found = ProjectAnswer.parse(encoded({**PROJECT, "urls": [WHEEL, odd]})).entries()
    assert found["demo-2.0.zip"].flaw
    rest = left({**PROJECT, "urls": [WHEEL, odd]}, *(name for name, entry in found.items() if entry.flaw))
    assert rest["urls"] == [WHEEL]
    assert rest["releases"]["2.0"] == [WHEEL]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"{}", b"<html>", b"\xff", b" " * (MAX_PAGE + 1), b"[" * 200_000,
        encoded({**RELEASE, "info": None}), encoded({**RELEASE, "urls": {}}), encoded({**RELEASE, "urls": [None]}),
        encoded({**RELEASE, "urls": [{}]}), encoded({**RELEASE, "urls": [{**SDIST, "filename": 1}]}),
        encoded({**RELEASE, "urls": [{**SDIST, "digests": None}]}), encoded({**RELEASE, "releases": []}),
        encoded({**RELEASE, "releases": {"1.0": {}}}), encoded({**RELEASE, "releases": {"1.0": ["x"]}}),
        encoded({"message": "Not Found"}), encoded(RELEASE)[:-1] + b', "urls": []}', encoded(RELEASE) + b"x",
        encoded({**RELEASE, "x": float("nan")}), json.dumps(RELEASE).encode("utf-16"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_a_value_error(body):
    with pytest.raises(ValueError):
        ProjectAnswer.parse(body).without({"demo-1.0.zip"})


_versions = st.sampled_from(["0.1", "1.0", "2.0", "3.0rc1", "4.0.dev1", "odd"])
_releases = st.dictionaries(_versions, st.sets(st.sampled_from(["zip", "tar.gz", "tar.bz2"])), max_size=6)


@settings(max_examples=150)
@given(_releases, _versions, st.data())
def test_whatever_is_dropped_none_of_it_is_left_and_all_else_is(releases, current, data):
    files = {
        version: [file(f"demo-{version}.{ending}") for ending in sorted(endings)]
        for version, endings in releases.items()
    }
    body = encoded({"info": info(current), "urls": files.get(current, []), "releases": files})
    names = {each["filename"] for group in files.values() for each in group}
    dropped = data.draw(st.sets(st.sampled_from(sorted(names)))) if names else set()
    rest = json.loads(ProjectAnswer.parse(body).without(dropped))
    assert {each["filename"] for group in rest["releases"].values() for each in group} == names - dropped
    assert {each["filename"] for each in rest["urls"]} <= names - dropped
    assert rest["urls"] == rest["releases"].get(rest["info"]["version"], [])
    if not files.get(current) or rest["info"]["version"] == current:
        assert rest["info"] == info(current)
    else:
        assert rest["info"]["requires_dist"] is None
