"""What is in our distributions."""

from __future__ import annotations

import tarfile
import zipfile

from distributions import PTH, hatchling, record

from support.cache import ROOT


def test_the_wheel_holds_the_package_and_the_pth_at_its_root(wheel):
    paths = record(wheel)
    assert PTH in paths
    sources = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src" / "veln_hook").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    beside = {path for path in paths if ".dist-info/" not in path}
    assert beside == sources | {PTH, "_veln_hook_fallback.py"}
    assert wheel.name.endswith("-py3-none-any.whl")


def test_the_pth_in_the_wheel_is_the_one_in_the_tree(wheel):
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(PTH) == (ROOT / "src" / PTH).read_bytes()


def test_the_pth_sorts_after_the_path_file_of_an_editable_install(editable_wheel):
    paths = sorted(path for path in record(editable_wheel) if path.endswith(".pth"))
    # Up to Python 3.14 each file's lines run as it is read, so ours must find the package importable.
    assert len(paths) == 2
    assert paths[1] == PTH


def test_the_metadata_promises_exactly_four_dependencies(wheel):
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/METADATA"))
        lines = archive.read(name).decode().splitlines()
    requires = {line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist: ")}
    extras = {line for line in requires if "extra ==" in line}
    base = {line.partition(">")[0] for line in requires - extras}
    assert base == {"pluggy", "packaging", "platformdirs", "tomli"}
    assert {line.partition(">")[0] for line in extras} == {"h11", "cryptography", "psycopg[binary]"}
    assert not any(
        "<" in line.partition(";")[0] for line in requires
    )  # an upper bound breaks somebody's install
    assert "Requires-Python: >=3.9" in lines
    assert "License-Expression: Apache-2.0" in lines


def test_a_wheel_built_from_the_sdist_is_the_wheel_built_from_the_tree(sdist, wheel, tmp_path):
    with tarfile.open(sdist) as archive:
        # Debian 12's Python 3.11.2 has no filters yet; the archive is our own.
        archive.extractall(tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    unpacked = next(tmp_path.iterdir())
    hatchling(unpacked, "build", "--target", "wheel", "--directory", tmp_path / "dist")
    assert record(next((tmp_path / "dist").glob("*.whl"))) == record(wheel)


def test_the_sdist_brings_what_its_own_tests_need(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", f"src/{PTH}", "tests/conftest.py", "noxfile.py"} <= names
    # hatchling always adds .gitignore, which it reads what to leave out from.
    hidden = {name for name in names if name.startswith(".")} - {".gitignore", ".pre-commit-hooks.yaml"}
    assert not hidden
    assert not [name for name in names if "__pycache__" in name or name.startswith("dist/")]
    # What the tests read besides: the tool that writes the .pth file.
    assert "tools/make_pth.py" in names
