"""Where what a command of uv installs may come from: everything that is named, wherever it is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from veln_hook.adapters.uv.commands import classify
from veln_hook.adapters.uv.gathering import PYPI, gather
from veln_hook.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from veln_hook.adapters.uv.sources import Sources


def _sources(
    cwd: Path, words: str | list[str], environ: dict[str, str] | None = None, **more: str
) -> Sources:
    made = {"HOME": str(cwd / "home"), "XDG_CONFIG_DIRS": str(cwd / "etc"), **(environ or {})}
    line = classify(words.split() if isinstance(words, str) else words)
    return gather(line, made, str(cwd), **more).sources


def _write(path: Path, text: str = "") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_options(tmp_path: Path) -> None:
    found = _sources(
        tmp_path,
        "pip install -i https://a/simple --extra-index-url=https://u:p@b/ --index c=https://c/s/ -fhttps://d/l x",
    )
    assert list(found.indexes) == [PYPI, "https://c/s/", "https://a/simple", "https://u:p@b/"]
    assert list(found.pages) == ["https://d/l"]


def test_variables(tmp_path: Path) -> None:
    environ = {
        "UV_INDEX": "x=https://a/ https://b/",
        "UV_DEFAULT_INDEX": "https://c/",
        "UV_EXTRA_INDEX_URL": "https://d/",
        "UV_FIND_LINKS": "https://e/",
    }
    found = _sources(tmp_path, "sync", environ)
    assert set(found.indexes) == {PYPI, "https://a/", "https://b/", "https://c/", "https://d/"}
    assert set(found.pages) == {"https://e/"}


def test_requirements_on_the_command_line(tmp_path: Path) -> None:
    wheel = _write(tmp_path / "x-1.0-py3-none-any.whl")
    (tmp_path / "tree").mkdir()
    words = [
        "pip",
        "install",
        "plain",
        "plain[extra]>=1",
        "a @ https://h/a-1.0-py3-none-any.whl",
        "https://h/b-1.0.tar.gz",
        "g @ git+https://g/r@v1",
        "git+ssh://git@h/r",
        "./x-1.0-py3-none-any.whl",
        "-e",
        "./tree[extra]",
    ]
    found = _sources(tmp_path, words)
    assert set(found.files) == {"https://h/a-1.0-py3-none-any.whl", "https://h/b-1.0.tar.gz"}
    assert set(found.git) == {"https://g/r@v1", "ssh://git@h/r"}
    assert list(found.archives) == [wheel]
    assert list(found.trees) == [str(tmp_path / "tree")]


@pytest.mark.parametrize("name", ["x-1.0-py3-none-any.whl", "x-1.0.tar.gz", "x-1.0.tar.zst"])
@pytest.mark.parametrize("form", ["{name}", "./{name}", "x @ {url}", "{url}", "file:{path}"])
def test_a_local_archive_however_it_is_written(tmp_path: Path, name: str, form: str) -> None:
    path = _write(tmp_path / "a b" / name)
    text = form.format(name=name, path=path, url=f"file://{path.replace(' ', '%20')}")
    found = _sources(tmp_path / "a b", ["pip", "install", text])
    assert list(found.archives) == [path]


def test_directories_of_archives(tmp_path: Path) -> None:
    flat = _write(tmp_path / "links" / "x-1.0-py3-none-any.whl")
    nested = _write(tmp_path / "simple" / "x" / "x-2.0.tar.gz")
    _write(tmp_path / "simple" / "x" / "deeper" / "x-3.0.tar.gz")
    found = _sources(tmp_path, ["sync", "-f", "links", "--index", f"n=file://{tmp_path}/simple"])
    assert set(found.archives) == {flat, nested}


def test_too_many_archives_are_refused(tmp_path: Path) -> None:
    for number in range(501):
        _write(tmp_path / "links" / f"x-{number}.tar.gz")
    with pytest.raises(UsageError, match="more than 500"):
        _sources(tmp_path, "pip install --find-links links x")


def test_lists_of_requirements(tmp_path: Path) -> None:
    _write(tmp_path / "d" / "x-1.0.tar.gz")
    _write(
        tmp_path / "d" / "a.txt",
        "--index-url https://a/ # why\n-i=https://b/\n-r more/b.txt\n./x-1.0.tar.gz --hash=sha256:00\n"
        "y @ \\\n  https://h/y-1.0.tar.gz ; python_version > '3'\n-e git+https://g/r#egg=r\n",
    )
    _write(tmp_path / "d" / "more" / "b.txt", "-r ../a.txt\n--find-links 'https://c/l'\n-c c.txt\n")
    _write(tmp_path / "d" / "more" / "c.txt", "z @ https://h/z.zip\n")
    found = _sources(tmp_path, "pip install -r d/a.txt")
    assert set(found.indexes) == {PYPI, "https://a/", "https://b/"}
    assert set(found.pages) == {"https://c/l"}
    assert set(found.files) == {"https://h/y-1.0.tar.gz", "https://h/z.zip"}
    assert set(found.git) == {"https://g/r#egg=r"}
    assert list(found.archives) == [str(tmp_path / "d" / "x-1.0.tar.gz")]
    assert set(_sources(tmp_path, "pip sync d/a.txt").indexes) == set(found.indexes)
    assert set(_sources(tmp_path, "sync", {"UV_CONSTRAINT": "d/a.txt"}).indexes) == set(found.indexes)


PROJECT = """
[project]
name = "p"
dependencies = ["a @ https://h/a.zip"]
optional-dependencies = { more = ["b @ https://h/b.zip"] }
[dependency-groups]
dev = ["c @ https://h/c.zip", { include-group = "x" }]
[build-system]
requires = ["d @ https://h/d.zip"]
[tool.uv]
find-links = ["https://l/"]
constraint-dependencies = ["e @ https://h/e.zip"]
[[tool.uv.index]]
name = "i"
url = "https://i/simple"
[[tool.uv.index]]
url = "https://f/"
format = "flat"
[tool.uv.sources]
f = { url = "https://h/f.zip" }
g = [{ git = "https://g/r", tag = "v1" }, { path = "../other", editable = true }]
h = { path = "h-1.0.tar.gz" }
[tool.uv.workspace]
members = ["packages/*"]
"""


def test_a_project_its_workspace_and_where_it_leads(tmp_path: Path) -> None:
    root = tmp_path / "root"
    _write(root / "pyproject.toml", PROJECT)
    _write(root / "h-1.0.tar.gz")
    _write(root / "packages" / "m" / "pyproject.toml", "[tool.uv.sources]\nm = { git = 'https://g/m' }\n")
    _write(tmp_path / "other" / "pyproject.toml", "[[tool.uv.index]]\nurl = 'https://o/'\n")
    for words, cwd in (("sync", root), ("lock", root / "packages" / "m"), ("run x", root)):
        found = _sources(cwd, words)
        assert set(found.indexes) == {PYPI, "https://i/simple", "https://o/"}
        assert set(found.pages) == {"https://l/", "https://f/"}
        assert {url[10] for url in found.files} == set("abcdef")
        assert set(found.git) == {"https://g/r", "https://g/m"}
        assert list(found.archives) == [str(root / "h-1.0.tar.gz")]
        assert list(found.trees) == [str(tmp_path / "other")]
    assert not _sources(root, "tool install x").git


def test_a_lock(tmp_path: Path) -> None:
    _write(tmp_path / "root" / "pyproject.toml", "[project]\nname = 'p'\n")
    _write(tmp_path / "root" / "w.whl")
    (tmp_path / "outside").mkdir()
    _write(
        tmp_path / "root" / "uv.lock",
        'source = { registry = "https://r/simple" }\n'
        f'sdist = {{ url = "https://h/a-1.tar.gz", hash = "sha256:{"0" * 64}", size = 1 }}\n'
        '{ url = "https://files.pythonhosted.org/packages/a.whl" }\n'
        'source = { git = "https://g/r?rev=v1#abc" }\n'
        'source = { path = "w.whl" }\nsource = { editable = "." }\nsource = { directory = "../outside" }\n',
    )
    found = _sources(tmp_path / "root", "sync --frozen")
    assert set(found.indexes) == {PYPI, "https://r/simple"}
    assert list(found.files) == [f"https://h/a-1.tar.gz#sha256={'0' * 64}"]
    assert list(found.git) == ["https://g/r"]
    assert list(found.trees) == [str(tmp_path / "outside")]


def test_a_script(tmp_path: Path) -> None:
    script = _write(
        tmp_path / "d" / "s.py",
        "# /// script\n# dependencies = ['a @ https://h/a.zip', 'x']\n# [[tool.uv.index]]\n# url = 'https://i/'\n"
        "# [tool.uv.sources]\n# x = { path = 'x-1.0.tar.gz' }\n# ///\n",
    )
    _write(tmp_path / "d" / "x-1.0.tar.gz")
    for found in (
        _sources(tmp_path, "run d/s.py", script="d/s.py"),
        _sources(tmp_path, f"lock --script {script}"),
    ):
        assert set(found.indexes) == {PYPI, "https://i/"}
        assert set(found.files) == {"https://h/a.zip"}
        assert list(found.archives) == [str(tmp_path / "d" / "x-1.0.tar.gz")]


def test_what_a_tool_is_made_of(tmp_path: Path) -> None:
    found = _sources(
        tmp_path, ["tool", "run", "--with", "a @ https://h/a.zip,b[c,d]", "git+https://g/r", "x"]
    )
    assert set(found.files) == {"https://h/a.zip"}
    assert set(found.git) == {"https://g/r"}


def test_what_is_built_is_the_users_own(tmp_path: Path) -> None:
    _write(tmp_path / "p" / "pyproject.toml", "[build-system]\nrequires = ['d @ https://h/d.zip']\n")
    found = _sources(tmp_path, "build p")
    assert not found.trees
    assert set(found.files) == {"https://h/d.zip"}


def test_no_cache_in_a_file_is_told(tmp_path: Path) -> None:
    _write(tmp_path / "uv.toml", "\nno-cache = true\n")
    made = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_DIRS": str(tmp_path / "etc")}
    assert gather(classify(["run", "x"]), made, str(tmp_path)).no_cache == f"{tmp_path}/uv.toml:2"


def test_a_list_that_nobody_can_read_twice(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for text in ("pip install -r -", "pip sync -", "pip install -r pipe", "pip compile pipe"):
        with pytest.raises(UsageError):
            _sources(tmp_path, text)
    assert not _sources(tmp_path, "pip compile -").files
