"""Our own distributions, built by the backend that pyproject.toml names, from a copy of the tree."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from distributions import hatchling

from support.cache import ROOT


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """A copy of what is built from."""
    pytest.importorskip("hatchling")
    copy = tmp_path_factory.mktemp("tree") / "veln-hook"
    copy.mkdir()
    for path in ROOT.iterdir():
        if path.is_dir() and path.name in {"src", "tests", "docs", "examples", "benchmarks", "tools"}:
            shutil.copytree(path, copy / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.is_file():
            shutil.copy(path, copy / path.name)
    return copy


@pytest.fixture(scope="session")
def sdist(tree, tmp_path_factory):
    """Our sdist."""
    directory = tmp_path_factory.mktemp("sdist")
    hatchling(tree, "build", "--target", "sdist", "--directory", directory)
    return next(directory.glob("*.tar.gz"))


@pytest.fixture(scope="session")
def wheel(tree, tmp_path_factory):
    """Our wheel, from the tree."""
    directory = tmp_path_factory.mktemp("wheel")
    hatchling(tree, "build", "--target", "wheel", "--directory", directory)
    return next(directory.glob("*.whl"))


@pytest.fixture(scope="session")
def editable_wheel(tree, tmp_path_factory):
    """Our editable wheel, made by the hook that pip calls (PEP 660)."""
    directory = tmp_path_factory.mktemp("editable")
    code = f"import hatchling.build as b; b.build_editable({str(directory)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=tree, check=True)
    return next(directory.glob("*.whl"))
