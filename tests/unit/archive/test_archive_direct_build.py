"""What uv would install of a source that it builds itself; tests/uv/test_uv_direct_builds.py has real uvs do it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.builders import make_sdist, make_tree
from veln_hook.archive import direct_build
from veln_hook.archive.direct_build import direct_build_contents
from veln_hook.archive.wheel import WheelContents
from veln_hook.errors import ArchiveError

if TYPE_CHECKING:
    from pathlib import Path

SYSTEM = '[build-system]\nrequires = ["uv_build>=0.9,<0.10"]\nbuild-backend = "uv_build"\n'
PROJECT = '[project]\nname = "Evil-Demo"\nversion = "1.0"\n'
METADATA = "evil_demo-1.0.dist-info/METADATA"


def contents(tmp_path: Path, pyproject: str, files: tuple[str, ...]) -> WheelContents:
    """Read the same as an sdist and as a tree; both tell the same."""
    made = dict.fromkeys(files, "")
    sdist = make_sdist(tmp_path, "evil-demo", "1.0", pyproject=pyproject, files=made)
    tree = make_tree(tmp_path / "tree", "evil-demo", "1.0", pyproject=pyproject, files=made)
    found = direct_build_contents(str(sdist))
    assert found == direct_build_contents(str(tree))
    return found


@pytest.mark.parametrize(
    ("settings", "files", "members"),
    [
        ("", ("src/evil_demo/__init__.py", "src/pip/__init__.py", "x.py"), {"evil_demo/__init__.py"}),
        ('module-name = "pip"', ("src/pip/__init__.py", "src/evil_demo/x.py"), {"pip/__init__.py"}),
        ('module-name = ["a", "Pip"]', ("src/pip/x.py", "src/a/x.py"), {"pip/x.py", "a/x.py"}),
        ('module-name = "pip.x"\nnamespace = true', ("src/pip/x/y.py",), {"pip/x/y.py"}),
        ('module-name = "pip"\nmodule-root = ""', ("pip/x.py", "src/pip/y.py"), {"pip/x.py"}),
        ('module-name = "pip"\nmodule-root = "a/../b/./"', ("b/pip/x.py",), {"pip/x.py"}),
        (
            'data = { data = "d", scripts = "s" }',
            ("d/pyvenv.cfg", "s/pip", "evil_demo/x.py"),
            {"evil_demo-0.data/data/pyvenv.cfg", "evil_demo-0.data/scripts/pip"},
        ),
    ],
)
def test_members_are_those_of_the_wheel(
    tmp_path: Path, settings: str, files: tuple[str, ...], members: set[str]
) -> None:
    found = contents(tmp_path, f"{SYSTEM}{PROJECT}[tool.uv.build-backend]\n{settings}\n", files)
    assert set(found.members) == {METADATA, *members}


def test_commands_are_those_of_the_project(tmp_path: Path) -> None:
    text = f'{SYSTEM}{PROJECT}[project.scripts]\npip = "x:y"\n[project.gui-scripts]\nwindow = "x:y"\n'
    assert contents(tmp_path, text, ()).commands == ("pip", "window")


def test_a_backend_that_is_started_tells_nothing(tmp_path: Path) -> None:
    text = f'[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n{PROJECT}'
    assert contents(tmp_path, text, ("src/pip/x.py",)) == WheelContents()


def test_a_backend_whose_name_is_spelled_otherwise_is_the_same(tmp_path: Path) -> None:
    text = '[build-system]\n"build\\u002dbackend" = "uv\\u005fbuild"\n' + PROJECT
    assert contents(tmp_path, text, ()).members == (METADATA,)


def test_a_part_of_a_checkout_counts(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", "demo", "1.0", files={"part/src/pip/__init__.py": ""})
    (tree / "part" / "pyproject.toml").write_text(
        f'{SYSTEM}{PROJECT}[tool.uv.build-backend]\nmodule-name = "pip"\n'
    )
    assert "pip/__init__.py" in direct_build_contents(str(tree)).members


@pytest.mark.parametrize(
    "settings",
    [
        'module-root = "../x"',
        'module-root = "/x"',
        'data = { data = "a/../.." }',
        "module-name = 1",
        "data = 1",
    ],
)
def test_what_uv_would_refuse_too_is_an_error(tmp_path: Path, settings: str) -> None:
    with pytest.raises(ArchiveError, match=r"pyproject\.toml"):
        contents(tmp_path, f"{SYSTEM}{PROJECT}[tool.uv.build-backend]\n{settings}\n", ())


def test_one_that_cannot_be_parsed_is_an_error_where_it_could_matter(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="can't be understood"):
        contents(tmp_path, "[build-system", ())
    tree = make_tree(tmp_path / "tests", "demo", "1.0", files={"tests/data/x.py": ""})
    inner = tree / "tests" / "data" / "pyproject.toml"
    inner.write_text("[build-system")
    assert direct_build_contents(str(tree)) == WheelContents()
    inner.write_text("[build-system]\nbuild-backend = 'uv_build'\n[[[")
    with pytest.raises(ArchiveError, match="can't be understood"):
        direct_build_contents(str(tree))


def test_settings_that_name_directories_without_end_are_an_error(tmp_path: Path) -> None:
    many = ", ".join(f'x{number} = "z"' for number in range(60_000))
    text = f"{SYSTEM}{PROJECT}[tool.uv.build-backend]\ndata = {{ {many} }}\n"
    files = tuple(f"src/evil_demo/{number}.py" for number in range(100))
    with pytest.raises(ArchiveError, match="more directories than any honest one"):
        contents(tmp_path, text, files)


def test_more_files_than_any_wheel_has_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct_build, "MAX_MEMBERS", 100)
    many = ", ".join(f'x{number} = ""' for number in range(60))
    text = f"{SYSTEM}{PROJECT}[tool.uv.build-backend]\ndata = {{ {many} }}\n"
    with pytest.raises(ArchiveError, match="would be installed"):
        contents(tmp_path, text, ("src/evil_demo/a.py", "b.py"))


def test_a_large_one_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="limit"):
        contents(tmp_path, SYSTEM + "#" * (1 << 20), ())
