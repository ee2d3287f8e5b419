"""Which places are hidden, readable, writable; over real directories."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veln_hook.sandbox import layout
from veln_hook.sandbox.interface import Confinement
from veln_hook.sandbox.task import Task


def planned(tmp_path, **settings) -> layout.Layout:
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    confinement = Confinement(
        cwd=str(settings.pop("cwd", tmp_path)), environment={"HOME": str(home)}, **settings
    )
    plain = {**confinement.plain(), "rung": "", "route": None, "outside": None, "report": "", "scratch": ""}
    return layout.Layout(Task(plain, ["true"]))


def test_temporary_directories_and_homes_are_hidden(tmp_path):
    plan = planned(tmp_path)
    for place in ("/tmp", "/home", "/root", str(tmp_path / "home")):
        if os.path.exists(place):
            assert layout.covers(plan.hidden, os.path.realpath(place))
    assert plan.home == str((tmp_path / "home").resolve())


@pytest.mark.parametrize("home", ["/", "/usr", "/etc", "/nonexistent/home", "relative", ""])
def test_a_home_that_cannot_be_emptied_is_replaced_by_another(home, tmp_path):
    confinement = Confinement(cwd="/", environment={"HOME": home})
    plain = {**confinement.plain(), "rung": "", "route": None, "outside": None, "report": "", "scratch": ""}
    plan = layout.Layout(Task(plain, ["true"]))
    assert not layout.covers(plan.hidden, "/usr/bin")
    assert layout.covers(plan.hidden, plan.home)


def test_the_working_directory_can_be_read(tmp_path):
    work = tmp_path / "home" / "work"
    work.mkdir(parents=True)
    assert str(work.resolve()) in planned(tmp_path, cwd=work).reads


def test_what_is_to_be_hidden_wins(tmp_path):
    secret = tmp_path / "home" / ".ssh"
    secret.mkdir(parents=True)
    inside = secret / "key"
    inside.touch()
    plan = planned(tmp_path, hide=(str(secret),), read=(str(inside), str(secret)), write=(str(inside),))
    assert plan.hides == [str(secret.resolve())]
    assert str(inside.resolve()) not in (*plan.reads, *plan.writes)
    assert str(secret.resolve()) not in (*plan.reads, *plan.writes)


def test_what_does_not_exist_is_left_out(tmp_path):
    plan = planned(tmp_path, hide=("/no/such",), read=("/no/such/thing",), write=("/no/such/other",))
    assert (plan.hides, plan.writes) == ([], [])


def test_a_link_to_something_readable_is_kept(tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "home").mkdir()
    link = tmp_path / "home" / "link"
    link.symlink_to("../real")
    plan = planned(tmp_path, read=(str(link),), cwd="/")
    assert (str(link), "../real") in plan.links


def test_a_link_that_leads_to_itself_ends(tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    planned(tmp_path, read=(str(loop / "x"),))


def test_what_remains_without_something_is_all_but_that(tmp_path):
    for name in ("a/b/c", "a/b/secret", "a/d", "e"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    found = set(layout.without(str(tmp_path), [str(tmp_path / "a/b/secret")]))
    assert found == {str(tmp_path / name) for name in ("a/b/c", "a/d", "e")}
    assert set(layout.without(str(tmp_path), [])) == {str(tmp_path)}


PATHS = st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)


@given(st.lists(PATHS))
def test_the_outermost_cover_all_and_none_covers_another(paths):
    found = layout.outermost(paths)
    assert all(layout.covers(found, path) for path in paths)
    for path in found:
        assert not layout.covers([other for other in found if other != path], path)


@given(PATHS, PATHS)
def test_a_place_covers_what_lies_in_it_only(place, path):
    lies_in = path.split("/")[: len(place.split("/"))] == place.split("/")
    assert layout.covers([place], path) == lies_in
    assert layout.covers(["/"], path)
