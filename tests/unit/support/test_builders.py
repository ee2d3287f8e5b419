"""What the builders make must be what it says it is."""

from __future__ import annotations

import base64
import hashlib
import tarfile
import zipfile

from support.builders import LEGACY, make_sdist, make_tree, make_wheel, wheel_metadata


def test_every_member_of_a_wheel_is_in_its_record(tmp_path):
    wheel = make_wheel(
        tmp_path,
        "De.mo-x",
        "1.0",
        {"demo/__init__.py": "", "demo/data.bin": b"\0\1"},
        requires=["other>=1"],
        requires_python=">=3.9",
        data={"scripts": {"run": "#!python\n"}},
        metadata_extra="Home-page: https://example.org\n",
        entry_points="[console_scripts]\ndemo = demo:main\n",
    )
    assert wheel.name == "de_mo_x-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        record = [
            line.split(",") for line in archive.read("de_mo_x-1.0.dist-info/RECORD").decode().splitlines()
        ]
        assert sorted(path for path, *_ in record) == sorted(archive.namelist())
        for path, digest, size in record[:-1]:
            content = archive.read(path)
            expected = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            assert (digest, size) == (f"sha256={expected}", str(len(content)))
        assert "de_mo_x-1.0.data/scripts/run" in archive.namelist()
    assert wheel_metadata(wheel).decode().splitlines()[1:] == [
        "Name: De.mo-x",
        "Version: 1.0",
        "Summary: made by a test",
        "Requires-Python: >=3.9",
        "Requires-Dist: other>=1",
        "Home-page: https://example.org",
    ]


def test_a_platform_tag_makes_a_platlib_wheel(tmp_path):
    wheel = make_wheel(tmp_path, "demo", "1.0", tag="cp39-abi3-manylinux_2_17_x86_64")
    with zipfile.ZipFile(wheel) as archive:
        assert b"Root-Is-Purelib: false" in archive.read("demo-1.0.dist-info/WHEEL")
        assert archive.read("demo.py") == b'VERSION = "1.0"\n'


def test_the_same_call_makes_the_same_bytes(tmp_path):
    for make in (make_wheel, make_sdist):
        first, second = (make(tmp_path / place, "demo", "1.0") for place in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()


def test_sdists_have_one_way_to_build(tmp_path):
    def members(sdist):
        with tarfile.open(sdist) as archive:
            return sorted(archive.getnames())

    assert members(make_sdist(tmp_path, "demo", "1.0")) == [
        "demo-1.0/PKG-INFO",
        "demo-1.0/_test_backend.py",
        "demo-1.0/demo.py",
        "demo-1.0/pyproject.toml",
    ]
    assert members(make_sdist(tmp_path, "demo", "2.0", setup_py=LEGACY)) == [
        "demo-2.0/PKG-INFO",
        "demo-2.0/demo.py",
        "demo-2.0/setup.cfg",
        "demo-2.0/setup.py",
    ]


def test_a_tree_can_name_build_requirements(tmp_path):
    tree = make_tree(tmp_path, "demo", "1.0", build_requires=["helper>=1"])
    assert 'requires = ["helper>=1"]' in (tree / "pyproject.toml").read_text()
