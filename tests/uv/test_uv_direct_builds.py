"""Sources that uv builds itself, without a program that could be watched: judged by what it would install of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from support.builders import make_sdist, make_tree
from support.held import OLD

if TYPE_CHECKING:
    from pathlib import Path

    from uv_world import Target, Uv

    from support.tls_index import TlsIndex


def pyproject(uv: Uv, module: str) -> str:
    major, minor = uv.version.split(".")[:2]
    return (
        f'[build-system]\nrequires = ["uv_build>={major}.{minor},<{major}.{int(minor) + 1}"]\n'
        'build-backend = "uv_build"\n'
        '[project]\nname = "evil"\nversion = "1.0"\n'
        f'[tool.uv.build-backend]\nmodule-name = "{module}"\n'
    )


def serve(index: TlsIndex, directory: Path, uv: Uv, module: str) -> None:
    """Put a source on the index that has one module in it."""
    files = {f"src/{module}/__init__.py": ""}
    index.add(
        make_sdist(directory, "evil", "1.0", pyproject=pyproject(uv, module), files=files), upload_time=OLD
    )


@pytest.fixture(autouse=True)
def with_a_backend(newest: Uv) -> None:
    """Go on with a uv that has the backend in it."""
    if Version(newest.version) < Version("0.8"):
        pytest.skip("its build backend was a preview")


def test_an_honest_one_is_installed_without_a_build(target: Target, index: TlsIndex, tmp_path: Path) -> None:
    serve(index, tmp_path, target.uv, "evil")
    result = target.install(index, "evil")
    assert (result.returncode, target.installed()) == (0, {"evil": "1.0"}), result


def test_an_sdist_that_would_land_on_ours_is_not(target: Target, index: TlsIndex, tmp_path: Path) -> None:
    serve(index, tmp_path, target.uv, "veln_hook")
    result = target.fails(index, "evil")
    assert result.returncode in (1, 77), result
    assert "files of veln-hook" in result.stderr, result
    assert not list(target.prefix.rglob("veln_hook"))


def test_a_directory_that_would_land_on_ours_is_not(target: Target, index: TlsIndex, tmp_path: Path) -> None:
    text = pyproject(target.uv, "pip")
    tree = make_tree(
        tmp_path / "tree", "evil", "1.0", pyproject=text, files={"src/pip/__init__.py": "HERE = 1\n"}
    )
    result = target.fails(index, str(tree))
    assert result.returncode in (1, 77), result
    assert "files of pip" in result.stderr, result
    assert not list(target.prefix.rglob("evil*"))
