"""Locks of every kind in one form; what can't be understood is one error that names file and line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.lock_files import WRITERS, Locked, LockedFile
from veln_hook.errors import UsageError
from veln_hook.locks import fields, reading
from veln_hook.locks.model import OriginKind, Pin, PinnedFile
from veln_hook.locks.reading import is_lock_name, read_lock

A, B = "ab" * 32, "cd" * 32
COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOML = [name for name in WRITERS if name != "requirements.txt"]
DEMO = Locked(
    "demo",
    "2.0",
    [
        LockedFile("demo-2.0.tar.gz", A, "https://files.example/a/demo-2.0.tar.gz"),
        LockedFile("demo-2.0-py3-none-any.whl", B, "https://files.example/b/demo-2.0-py3-none-any.whl"),
    ],
)


@pytest.fixture
def read(tmp_path):
    def read(text, name="uv.lock"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_lock(str(path)).pins

    return read


def uv(rest, source='{ registry = "https://pypi.org/simple" }'):
    return f'version = 1\n[[package]]\nname = "demo"\nversion = "2.0"\nsource = {source}\n{rest}\n'


def pylock(rest):
    return f'lock-version = "1.0"\n[[packages]]\nname = "demo"\n{rest}\n'


@pytest.mark.parametrize("name", TOML)
def test_the_same_releases_from_every_lock(read, name):
    pins = [pin for pin in read(WRITERS[name]([DEMO]), name) if pin.project != "own"]
    (pin,) = pins
    assert (pin.project, pin.version, pin.origin) == ("demo", "2.0", OriginKind.REGISTRY)
    assert {(file.filename, file.sha256) for file in pin.files} == {
        ("demo-2.0.tar.gz", A),
        ("demo-2.0-py3-none-any.whl", B),
    }
    lines = WRITERS[name]([DEMO]).splitlines()
    assert lines[pin.line - 1].startswith("[[package")
    assert lines[pin.line] == 'name = "demo"'
    for file in pin.files:
        assert file.sha256 in lines[file.line - 1]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("uv.lock", True), ("a/b/poetry.lock", True), ("pdm.lock", True), ("pylock.toml", True),
        ("pylock.dev.toml", True), ("script.py.lock", True),
        ("Pipfile.lock", False), ("pylock..toml", False), ("pylock.a.b.toml", False), ("pyproject.toml", False),
        ("requirements.txt", False), ("uv.lock/x", False), ("", False),
    ],
)  # fmt: skip
def test_names(name, is_one):
    assert is_lock_name(name) is is_one


@pytest.mark.parametrize("name", TOML)
def test_a_lock_of_another_name_is_known_by_its_content(read, name):
    assert [pin.project for pin in read(WRITERS[name]([DEMO]), "some.lock")][-1] == "demo"


@pytest.mark.parametrize(
    ("source", "origin", "place", "fixed"),
    [
        ('{ registry = "https://x/simple" }', OriginKind.REGISTRY, "https://x/simple", True),
        ('{ registry = "wheels" }', OriginKind.PATH, "wheels", True),
        ('{ git = "https://x/r?rev=main#' + COMMIT + '" }', OriginKind.VCS, f"https://x/r?rev=main#{COMMIT}", True),
        ('{ git = "https://x/r?rev=main" }', OriginKind.VCS, "https://x/r?rev=main", False),
        ('{ url = "https://x/demo-2.0.zip" }', OriginKind.URL, "https://x/demo-2.0.zip", True),
        ('{ path = "d/demo-2.0.zip" }', OriginKind.PATH, "d/demo-2.0.zip", True),
        ('{ virtual = "." }', OriginKind.PATH, ".", True),
        ('{ editable = "x" }', OriginKind.PATH, "x", True),
        ('{ directory = "x" }', OriginKind.PATH, "x", True),
    ],
)  # fmt: skip
def test_sources_of_uv(read, source, origin, place, fixed):
    (pin,) = read(uv("", source))
    assert (pin.origin, pin.source, pin.fixed) == (origin, place, fixed)


def test_a_url_of_uv_has_its_hash_only(read):
    (pin,) = read(uv(f'sdist = {{ hash = "sha256:{A}" }}', '{ url = "https://x/demo-2.0.zip" }'))
    assert pin.files == (PinnedFile("demo-2.0.zip", "https://x/demo-2.0.zip", (("sha256", A),), 6),)


def test_quoted_filenames(read):
    (pin,) = read(
        uv(f'wheels = [{{ url = "https://x/demo-2.0%2Bcpu-py3-none-any.whl", hash = "sha256:{A}" }}]')
    )
    assert pin.files[0].filename == "demo-2.0+cpu-py3-none-any.whl"


@pytest.mark.parametrize(
    ("source", "origin", "place", "fixed"),
    [
        ("", OriginKind.REGISTRY, "https://pypi.org/simple/", True),
        ('type = "legacy"\nurl = "https://x/simple"\nreference = "x"', OriginKind.REGISTRY, "https://x/simple", True),
        (f'type = "git"\nurl = "https://x/r"\nreference = "main"\nresolved_reference = "{COMMIT}"', OriginKind.VCS,
         f"https://x/r@{COMMIT}", True),
        ('type = "git"\nurl = "https://x/r"\nreference = "main"', OriginKind.VCS, "https://x/r@main", False),
        ('type = "url"\nurl = "https://x/demo-2.0.zip"', OriginKind.URL, "https://x/demo-2.0.zip", True),
        ('type = "directory"\nurl = "../x"', OriginKind.PATH, "../x", True),
        ('type = "file"\nurl = "x.whl"', OriginKind.PATH, "x.whl", True),
    ],
)  # fmt: skip
def test_sources_of_poetry(read, source, origin, place, fixed):
    table = f"[package.source]\n{source}\n" if source else ""
    text = f'[[package]]\nname = "demo"\nversion = "2.0"\nfiles = []\n{table}[metadata]\ncontent-hash = "x"\n'
    (pin,) = read(text, "poetry.lock")
    assert (pin.origin, pin.source, pin.fixed) == (origin, place, fixed)


def test_files_of_old_poetry(read):
    head = '[[package]]\nname = "Demo"\nversion = "2.0"\n'
    files = f'[metadata.files]\ndemo = [{{file = "demo-2.0.tar.gz", hash = "sha256:{A}"}}]\n'
    (pin,) = read(f"{head}[metadata]\ncontent-hash = 'x'\n{files}", "poetry.lock")
    assert [(file.filename, file.sha256) for file in pin.files] == [("demo-2.0.tar.gz", A)]
    (pin,) = read(f'{head}[metadata]\ncontent-hash = "x"\n[metadata.hashes]\nDemo = ["{A}"]\n', "poetry.lock")
    assert pin.files == (PinnedFile("", "", (("sha256", A),), 7),)


@pytest.mark.parametrize(
    ("rest", "origin", "place", "fixed"),
    [
        ("", OriginKind.REGISTRY, "", True),
        (f'git = "https://x/r"\nref = "main"\nrevision = "{COMMIT}"', OriginKind.VCS, f"https://x/r@{COMMIT}", True),
        ('git = "https://x/r"\nref = "main"', OriginKind.VCS, "https://x/r@main", False),
        ('url = "https://x/demo-2.0.zip"', OriginKind.URL, "https://x/demo-2.0.zip", True),
        ('path = "./x"\neditable = true', OriginKind.PATH, "./x", True),
    ],
)  # fmt: skip
def test_sources_of_pdm(read, rest, origin, place, fixed):
    text = f'[metadata]\nlock_version = "4.5"\n[[package]]\nname = "demo"\nversion = "2.0"\n{rest}\n'
    (pin,) = read(text, "pdm.lock")
    assert (pin.origin, pin.source, pin.fixed) == (origin, place, fixed)


def test_pdm_names_a_release_again_for_its_extras(read):
    one = f'[[package]]\nname = "demo"\nversion = "2.0"\nfiles = [{{file = "demo-2.0.zip", hash = "sha256:{A}"}}]\n'
    pins = read(f'[metadata]\nlock_version = "4.5"\n{one}extras = ["x"]\n{one}', "pdm.lock")
    assert len(pins) == 1


def test_files_of_old_pdm(read):
    text = f"""[metadata]
lock_version = "4.1"
[[package]]
name = "demo"
version = "2.0"
[metadata.files]
"demo 2.0" = [{{url = "https://x/demo-2.0.zip", hash = "sha256:{A}"}}]
"""
    (pin,) = read(text, "pdm.lock")
    assert pin.files == (PinnedFile("demo-2.0.zip", "https://x/demo-2.0.zip", (("sha256", A),), 7),)


@pytest.mark.parametrize(
    ("rest", "origin", "place", "fixed"),
    [
        (f'vcs = {{ type = "git", url = "https://x/r", commit-id = "{COMMIT}" }}', OriginKind.VCS,
         f"https://x/r@{COMMIT}", True),
        ('vcs = { type = "git", url = "https://x/r", commit-id = "main" }', OriginKind.VCS, "https://x/r@main", False),
        ('directory = { path = ".", editable = true }', OriginKind.PATH, ".", True),
        (f'archive = {{ url = "https://x/demo-2.0.zip", hashes = {{ sha256 = "{A}" }} }}', OriginKind.URL,
         "https://x/demo-2.0.zip", True),
        (f'archive = {{ path = "demo-2.0.zip", hashes = {{ sha256 = "{A}" }} }}', OriginKind.PATH, "demo-2.0.zip", True),
    ],
)  # fmt: skip
def test_sources_of_pep_751(read, rest, origin, place, fixed):
    (pin,) = read(pylock(rest), "pylock.toml")
    assert (pin.origin, pin.source, pin.fixed) == (origin, place, fixed)


def test_pep_751_may_leave_the_version_to_the_file(read):
    (pin,) = read(
        pylock(f'sdist = {{ name = "demo-2.0.tar.gz", hashes = {{ sha256 = "{A}" }} }}'), "pylock.x.toml"
    )
    assert pin.version == "2.0"


def test_an_empty_lock_pins_nothing(read):
    assert read("version = 1\n") == ()
    assert read('lock-version = "1.0"\npackages = []\n', "pylock.toml") == ()


UV = '{ registry = "https://pypi.org/simple" }'
HOSTILE = {
    "not toml": ("uv.lock", "version = 1\n[[package\n", ":2"),
    "no utf-8": ("uv.lock", b"version = 1\n# \xff\n", ":2"),
    "nothing": ("uv.lock", "", ""),
    "another version": ("uv.lock", "version = 2\n", ""),
    "no version": ("uv.lock", "[[package]]\n", ""),
    "true": ("uv.lock", "version = true\n", ""),
    "nested": ("uv.lock", f"version = 1\nx = {'[' * 5000}", ":2"),
    "packages that are none": ("uv.lock", "version = 1\npackage = 3\n", ""),
    "packages of numbers": ("uv.lock", "version = 1\npackage = [1, 2]\n", ""),
    "a name that is none": ("uv.lock", "version = 1\n[[package]]\nname = 3\n", ":2"),
    "a name with a slash": ("uv.lock", 'version = 1\n[[package]]\nname = "../x"\n', ":2"),
    "a name with a control": ("uv.lock", 'version = 1\n[[package]]\nname = "a\\u001b[2J"\n', ":2"),
    "a name with an end": ("uv.lock", 'version = 1\n[[package]]\nname = "a\\n"\n', ":2"),
    "no name": ("uv.lock", f"version = 1\n[[package]]\nsource = {UV}\n", ":2"),
    "a version with a blank": ("uv.lock", 'version = 1\n[[package]]\nname = "a"\nversion = "1 2"\n', ":2"),
    "a long version": ("uv.lock", f'version = 1\n[[package]]\nname = "a"\nversion = "{"1" * 500}"\n', ":2"),
    "no source": ("uv.lock", 'version = 1\n[[package]]\nname = "a"\nversion = "1"\n', ":2"),
    "two sources": ("uv.lock", uv("", '{ path = "x", registry = "https://pypi.org/simple" }'), ":2"),
    "a source that is a text": ("uv.lock", uv("", '"x"'), ":2"),
    "wheels that are a table": ("uv.lock", uv('wheels = { url = "x" }'), ":2"),
    "no url": ("uv.lock", uv('wheels = [{ hash = "sha256:00" }]'), ":2"),
    "a url of a directory": ("uv.lock", uv('wheels = [{ url = "https://x/y/" }]'), ":2"),
    "a url that is none": ("uv.lock", uv('wheels = [{ url = "http://[" }]'), ":2"),
    "a quoted slash": ("uv.lock", uv('wheels = [{ url = "https://x/a%2Fb.whl" }]'), ":2"),
    "a quoted control": ("uv.lock", uv('wheels = [{ url = "https://x/a%0Ab.whl" }]'), ":2"),
    "a short hash": ("uv.lock", uv('sdist = { url = "https://x/a.zip", hash = "sha256:00112233" }'), ":2"),
    "a hash of nothing": ("uv.lock", uv('sdist = { url = "https://x/a.zip", hash = "sha256:" }'), ":2"),
    "a hash that is a list": ("uv.lock", uv('sdist = { url = "https://x/a.zip", hash = [] }'), ":2"),
    "a registry without a version": (
        "uv.lock", f'version = 1\n[[package]]\nname = "a"\nsource = {UV}\n', ":2",
    ),
    "poetry with an odd source": (
        "poetry.lock", '[[package]]\nname = "a"\nversion = "1"\nsource = { type = "ftp" }\n', ":1",
    ),
    "poetry with files of numbers": ("poetry.lock", '[[package]]\nname = "a"\nversion = "1"\nfiles = [1]\n', ":1"),
    "poetry of tomorrow": ("poetry.lock", '[metadata]\nlock-version = "3.0"\n', ""),
    "pdm of tomorrow": ("pdm.lock", '[metadata]\nlock_version = "5.0"\n', ""),
    "pdm of no version": ("pdm.lock", "[metadata]\n", ""),
    "poetry with odd metadata": ("poetry.lock", "metadata = 3\n", ""),
    "poetry with odd old hashes": (
        "poetry.lock", '[[package]]\nname = "a"\nversion = "1"\n[metadata.hashes]\na = [3]\n', ":1",
    ),
    "pdm without a version": ("pdm.lock", 'metadata.lock_version = "4.5"\n[[package]]\nname = "a"\n', ":2"),
    "pdm with odd files": ("pdm.lock", 'metadata.lock_version = "4.5"\n[[package]]\nname = "a"\nversion = "1"\nfiles = "x"\n', ":2"),
    "pylock of another version": ("pylock.toml", 'lock-version = "2.0"\n', ""),
    "pylock without one": ("pylock.toml", 'created-by = "x"\n', ""),
    "pylock without files": ("pylock.toml", pylock('version = "1"'), ":2"),
    "pylock from two places": ("pylock.toml", pylock('directory = { path = "." }\nvcs = { url = "x" }'), ":2"),
    "pylock with odd hashes": ("pylock.toml", pylock('sdist = { name = "a.zip", hashes = { sha256 = 3 } }'), ":2"),
    "pylock with a file in another place": ("pylock.toml", pylock('sdist = { name = "../a.zip" }'), ":2"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "text", "line"), HOSTILE.values(), ids=HOSTILE)
def test_what_is_not_understood_is_one_error_with_its_place(read, tmp_path, name, text, line):
    with pytest.raises(UsageError) as caught:
        read(text, name)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / name}{line}")
    assert message.isprintable()
    assert caught.value.advice


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "uv.lock")
    (tmp_path / "d").mkdir()
    for name in ("uv.lock", "d", "absent", "d/uv.lock", "a\0b"):
        with pytest.raises(UsageError):
            read_lock(str(tmp_path / name))


def test_what_is_too_large(read, monkeypatch):
    text = uv("wheels = [" + "{ url = 'https://x/a.whl' }, " * 20 + "]")
    assert len(read(text)[0].files) == 20
    monkeypatch.setattr(fields, "MAX_FILES", 19)
    with pytest.raises(UsageError, match="more than 19"):
        read(text)
    monkeypatch.setattr(fields, "MAX_PINS", 2)
    with pytest.raises(UsageError, match="more than 2"):
        read("version = 1\n" + '[[package]]\nname = "a"\nsource = { virtual = "." }\n' * 3)
    monkeypatch.setattr(reading, "MAX_BYTES", 10)
    with pytest.raises(UsageError, match="larger than"):
        read("version = 1\n")


def test_lines_are_left_out_where_they_can_not_be_told(read):
    text = f'version = 1\nx = """\n[[package]]\n"""\n[[package]]\nname = "a"\nversion = "1"\nsource = {UV}\n'
    (pin,) = read(text)
    assert pin.line == 0
    inline = f'version = 1\npackage = [{{ name = "a", version = "1", source = {UV} }}]\n'
    assert read(inline)[0].line == 0


def test_what_changes_an_install_changes_a_pin():
    pin = Pin(
        "demo", "1.0", OriginKind.REGISTRY, "https://x/", (PinnedFile("a.whl", "u", (("sha256", A),), 3),)
    )
    assert pin.content == pin._replace(line=9, path="other").content
    assert pin.content == pin._replace(files=(pin.files[0]._replace(line=9),)).content
    for other in (
        pin._replace(version="1.1"),
        pin._replace(source="https://y/"),
        pin._replace(files=(pin.files[0]._replace(hashes=(("sha256", B),)),)),
        pin._replace(files=(pin.files[0]._replace(url="v"),)),
        pin._replace(origin=OriginKind.URL),
        pin._replace(marker="x"),
    ):
        assert other.content != pin.content


REAL = Path(__file__).parent / "real"


@pytest.mark.parametrize(
    ("name", "pins"),
    [
        ("fastapi.uv.lock", {"annotated-types": (2, "registry"), "fastapi": (0, "path"), "markupsafe": (78, "registry")}),
        ("poetry.poetry.lock", {"certifi": (2, "registry"), "poetry-core": (0, "vcs"), "tomlkit": (2, "registry")}),
        ("pdm.pdm.lock", {"arpeggio": (2, "registry"), "certifi": (2, "registry"), "tomlkit": (2, "registry")}),
    ],
)  # fmt: skip
def test_locks_of_known_projects(name, pins):
    lock = read_lock(str(REAL / name))
    assert {pin.project: (len(pin.files), pin.origin.value) for pin in lock.pins} == pins
    lines = (REAL / name).read_text().splitlines()
    for pin in lock.pins:
        assert lines[pin.line - 1] == "[[package]]"
        assert all(len(file.sha256) == 64 and file.sha256 in lines[file.line - 1] for file in pin.files)
