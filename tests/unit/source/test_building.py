"""What files of configuration name, whatever way of TOML they are written in."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veln_hook.source.building import ALL, backend_targets, scripts_in, targets
from veln_hook.source.facts import BUILD
from veln_hook.source.toml import texts

_ALWAYS = [(f"/hatch_build.py{ALL}", BUILD), (f"/pdm_build.py{ALL}", BUILD)]


def _named(pyproject: str, setup_cfg: str = "") -> list[str]:
    found = targets([*texts(pyproject), ("", "")], setup_cfg)
    assert found[: len(_ALWAYS)] == _ALWAYS
    assert {reach for _, reach in found} == {BUILD}
    return [target for target, _ in found[len(_ALWAYS) :]]


FORMS = [
    "[tool.x.build]\nhook = 'a/b.py'",
    '[tool.x.build]\nhook = "a/b.py"  # why',
    '[tool.x.build]\nhook = """a/b.py"""',
    "[tool.x.build]\nhook = '''a/b.py'''",
    '[tool.x.build]\nhook = "\\u0061/\\U00000062.py"',
    "[ tool . x . build ]\nhook='a/b.py'",
    "['tool'.\"x\".build]\n'hook' = 'a/b.py'",
    "[tool]\nx.build.hook = 'a/b.py'",
    "tool.x.build.hook = 'a/b.py'",
    "[[tool.x.hooks]]\npath = 'a/b.py'",
    "[tool.x]\nbuild = { hooks = [{ path = 'a/b.py' }] }",
    "tool = { x = { build = { hook = 'a/b.py' } } }",
    "[tool]\nx = { include = ['c.py'], build.'ho\tok' = 'a/b.py' }",
    '["to\\u006fl".x]\nhook = "a/b.py"',
    '[tool.x]\nhook = """\\\n   a/b.\\\n  py"""',
    "[tool.x.build]\nhooks = [\n    # 'c.py'\n    './a/b.py',\n]",
    "[tool.pytest]\nx = 'c.py'\n[tool.x]\nhook = 'a\\b.py'",
    "[tool.pytest_builder]\nhook = 'a/b.py'",
    "[tool.x]\ninclude = ['c.py']\n\"hook\" = 'a/b.py'",
    "[tool.x]\ninclude = ['c.py']\n  x.'hook' = 'a/b.py'",
    "[tool.x]\ninclude = ['c.py']\n  a . hook = 'a/b.py'",
]


BACKENDS = [
    "[build-system]\nrequires = ['y']\nbuild-backend = 'b.c:hook'\nbackend-path = ['.', '../x/']\n[tool.x]\nbuild-backend = 'no'",
    "build-system.build-backend = 'b.c'\nbuild-system.backend-path = [\n  '.', # one\n  '../x'\n]",
    "build-system = { 'build-backend' = \"\"\"b.c\"\"\", backend-path = ['.', '../x'] }",
    "[ \"build-system\" ]\n\"build\\u002dbackend\" = '''b.c:d.e'''\n'backend-path' = ['./', '../x']",
]


@pytest.mark.parametrize("text", FORMS)
def test_a_file_is_named(text):
    assert _named(text) == [f"/a/b.py{ALL}"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="there is no tomllib")
@pytest.mark.parametrize("text", [*FORMS, *BACKENDS])
def test_such_forms_are_toml(text):
    import tomllib

    assert tomllib.loads(text)


@pytest.mark.parametrize("text", ["getter = 'a.b:f'", "getter = 'a.b.f'"])
def test_a_function_is_named(text):
    assert _named(f"[tool.x]\n{text}") == ["a.b.f"]


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "[tool.x]\nname = 'acme'", "[tool.ruff]\nx = 'a/b.py'", "[tool.hatch.envs.docs]\nx = 'a.b:f'",
        "[project.scripts]\nx = 'a.b:f'", "[tool.x]\ninclude = ['a/b.py']", "[tool.x]\n# hook = 'a/b.py'",
        "[tool.poetry.scripts]\nx = 'a.b:f'", "[tool.x]\nversion = '1.2.3'",
    ],
)  # fmt: skip
def test_nothing_is_named(text):
    assert not _named(text or "\n")


def test_without_a_pyproject_no_hook_is_run():
    assert targets([], "") == []


def test_words_of_setup_cfg():
    text = "[metadata]\nversion = attr: a.b.V\n[options]\ncmdclass =\n  x = a.c.C\n[tool:pytest]\nx = d.e\n[options.entry_points]\ny = f.g\n"
    assert targets([], text) == [("a.b.V", BUILD), ("a.c.C", BUILD)]


@pytest.mark.parametrize("text", BACKENDS)
def test_a_backend_of_its_own(text):
    assert [target for target, _ in backend_targets(texts(text))] == [
        f"/b/c.py{ALL}", f"/b/c/__init__.py{ALL}", f"/x/b/c.py{ALL}", f"/x/b/c/__init__.py{ALL}",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "[build-system]\nbuild-backend = 'b.c'", "[x]\nbuild-backend = 'b'\nbackend-path = ['.']"]
)
def test_no_backend_of_its_own(text):
    assert backend_targets(texts(text)) == []


def test_scripts_of_other_builds():
    text = (
        "run_command('python3', files('tools/a.py'))\nadd_custom_command(COMMAND ${PY} ${CMAKE_SOURCE_DIR}/b.py)\n"
        "\tpython ./c/d.py --x\npy.install_sources(['e.py'])\nsources = ['f.py']\n"
    )
    assert scripts_in(text) == ["/tools/a.py", "/b.py", "/c/d.py"]


@pytest.mark.parametrize(
    "text", ["." * 50_000, " . " * 20_000, "a" * 50_000, "'a'." * 10_000, "[" * 50_000, '"""' * 9_999]
)
def test_long_lines_take_no_time_worth_telling(text):
    assert _named(f"[tool.x]\n{text}\n") == []


@given(st.text("[]tol.x='\"\\u0061#\n{},ab/py: ", max_size=80), st.text(max_size=80))
def test_whatever_stands_there_nothing_is_raised(pyproject, setup_cfg):
    named = list(texts(pyproject))
    targets(named, setup_cfg)
    backend_targets(named)
    scripts_in(setup_cfg)
