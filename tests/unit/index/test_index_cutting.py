from __future__ import annotations

import json

import pytest

from support.simple_pages import OLD, STYLES, encoded, file_of, opened, page_of, view


def test_nothing_to_cut_is_the_very_same_page():
    body = encoded(page_of(*OLD, versions=["1.0"]), indent=3)
    assert view(body).without(()) is body
    assert view(body).without({"other-1.0.zip"}) is body


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "dropped", [[0], [15], [3], [0, 1, 2], [14, 15], [0, 15], [4, 6], list(range(16)), list(range(1, 16))]
)
def test_of_every_other_byte_none_changes(style, dropped):
    body = encoded(page_of(*OLD), **style)
    names = {OLD[number]["filename"] for number in dropped}
    left = [file for file in OLD if file["filename"] not in names]
    if left or not style.get("indent"):  # json.dumps writes an empty list without a line break
        assert view(body).without(names) == encoded(page_of(*left), **style)
    assert json.loads(view(body).without(names)) == page_of(*left)
    assert view(body).is_empty_without(names) is (not left)


def test_a_page_without_files_has_lost_none():
    body = encoded(page_of(versions=["1.0"]))
    assert opened(body) == {}
    assert not view(body).is_empty_without({"demo-1.0.zip"})
    assert view(body).without({"demo-1.0.zip"}) == body


def test_versions_go_with_their_last_file():
    files = [
        file_of("demo-1.0.zip"), file_of("demo-1.0-py3-none-any.whl"), file_of("demo-1.10.zip"), file_of("demo-2.0rc1.zip"),
        file_of("demo-2.0.zip"), file_of("demo-2020.01.02.zip"), file_of("demo-3.0.post1.zip"), file_of("nonsense"),
    ]  # fmt: skip
    versions = ["1.0", "1.10", "1.1", "2.0rc1", "2.0", "2020.1.2", "3.post1", "9.9", "weird"]
    body = encoded(page_of(*files, versions=versions))

    def left(*names):
        return json.loads(view(body).without(names))["versions"]

    assert left("demo-1.0.zip") == versions
    assert left("demo-1.0.zip", "demo-1.0-py3-none-any.whl") == versions[1:]
    assert left("demo-2.0.zip") == [text for text in versions if text != "2.0"]
    assert left("demo-2020.01.02.zip", "demo-3.0.post1.zip") == [*versions[:5], "9.9", "weird"]
    assert left("nonsense") == versions
    assert left(*(file["filename"] for file in files)) == ["1.1", "9.9", "weird"]


def test_versions_that_are_no_list_of_texts_stay():
    for versions in (None, {}, "1.0", [1.0, "1.0"], [["1.0"]]):
        body = encoded(page_of(*OLD, file_of("demo-1.0.zip"), versions=versions))
        assert json.loads(view(body).without({"demo-1.0.zip"})) == page_of(*OLD, versions=versions)


def test_very_many_files_are_cut():
    files = [file_of(f"demo-{number}.0.zip") for number in range(500)]
    body = encoded(page_of(*files, versions=[f"{number}" for number in range(500)]))
    names = {file["filename"] for file in files[::2]}
    rest = json.loads(view(body).without(names))
    assert rest["files"] == files[1::2]
    assert rest["versions"] == [f"{number}" for number in range(1, 500, 2)]
