"""However a wheel on this machine is named, it is found before uv starts: no gate would see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from veln_hook.adapters.uv.commands import classify
from veln_hook.adapters.uv.gathering import gather
from veln_hook.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

NAME = "x-1.0-py3-none-any.whl"
PROJECT = '[project]\nname = "p"\nversion = "1"\ndependencies = ["x"]\n'


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return _wheel(tmp_path / "work" / "links")


def _wheel(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / NAME
    path.touch()
    return path


def _found(directory: Path, words: str, **environ: str) -> set[str]:
    made = {"HOME": str(directory.parent), "XDG_CONFIG_DIRS": str(directory / "etc"), **environ}
    return set(gather(classify(words.split()), made, str(directory)).sources.archives)


LISTS = {
    "path": "./links/{name}",
    "named": "x @ ./links/{name} ; python_version > '3' # here",
    "file": "x @ {uri}",
    "quoted": "file:{percent}",
    "links": "--no-index\n-f links",
    "equals": "--find-links=links",
    "several options": "--no-index --find-links links --pre",
    "folded": "--find-links \\\n  links",
    "after a comment that seems to go on": "y # here \\\n./links/{name}",
    "comment": "# \\\n./links/{name}",
    "variable": "-f ${{HOME}}/work/links",
    "project root": "x @ file:///${{PROJECT_ROOT}}/links/{name}",
    "list by a variable": "-r ${{HOME}}/work/more.txt",
    "list by its URL": "-r file://{more}",
    "quoted list": "-r 'more.txt'",
    "in a directory like a scheme": "-r a://more.txt",
    "carriage returns": "-f links\r\nx\r\n",
    "mark": "\ufeff-f links",
}


@pytest.mark.parametrize("text", LISTS.values(), ids=LISTS)
def test_in_a_list(wheel: Path, text: str) -> None:
    work = wheel.parents[1]
    (work / "a:").mkdir()
    for place in (work, work / "a:"):
        (place / "more.txt").write_text(str(wheel))
    percent = wheel.as_uri()[7:].replace("x-1.0", "%78-1.0")
    made = text.format(name=NAME, uri=wheel.as_uri(), percent=percent, more=work / "more.txt")
    (work / "r.txt").write_bytes(made.encode())
    assert _found(work, "pip install -r r.txt") == {str(wheel)}


@pytest.mark.parametrize("text", ["y\r./links/x", "# y\r./x", "-r li\\ nks", "y\f", "y\0"])
def test_lists_that_uvs_could_read_differently(wheel: Path, text: str) -> None:
    (wheel.parents[1] / "r.txt").write_bytes(text.encode())
    with pytest.raises(UsageError, match=r"r\.txt:1: a character"):
        _found(wheel.parents[1], "pip install -r r.txt")


@pytest.mark.parametrize("name", ["UV_CACHE_DIR", "HTTPS_PROXY", "SSL_CERT_FILE", "PYTHONPATH"])
def test_variables_that_mean_something_else_behind_the_gate(wheel: Path, name: str) -> None:
    (wheel.parents[1] / "r.txt").write_text(f"x @ file://${{{name}}}/x.whl")
    with pytest.raises(UsageError, match="means something else"):
        _found(wheel.parents[1], "pip install -r r.txt", **{name: "/elsewhere"})


def test_more_lists_than_anybody_has(wheel: Path) -> None:
    work = wheel.parents[1]
    for number in range(300):
        (work / f"{number}.txt").write_text(f"-r {number + 1}.txt")
    with pytest.raises(UsageError, match="more than 200 lists"):
        _found(work, "pip install -r 0.txt")


TABLES = {
    "tilde": ('[tool.uv.sources]\nx = {{ path = "~/{name}" }}\n', "~"),
    "scheme": ('[tool.uv.sources]\nx = {{ path = "file:/{name}" }}\n', "file:"),
    "fragment": ('[tool.uv.sources]\nx = {{ path = "a#b/{name}" }}\n', "a#b"),
    "name": ('[[tool.uv.index]]\nurl = "a=b"\nformat = "flat"\n', "a=b"),
    "percent": ('[tool.uv]\nfind-links = ["%61"]\n', "%61"),
    "of pip": ('[tool.uv.pip]\nfind-links = ["links"]\n', "links"),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_in_a_project(tmp_path: Path, table: tuple[str, str]) -> None:
    text, directory = table
    path = _wheel(tmp_path / "work" / directory)
    (tmp_path / "work" / "pyproject.toml").write_text(PROJECT + text.format(name=NAME))
    assert _found(tmp_path / "work", "sync") == {str(path)}


@pytest.mark.parametrize("members", ["packages/*", "**", "packages/.hid?en", "packages/.[h]idden"])
def test_in_a_member_that_nobody_sees(wheel: Path, members: str) -> None:
    work = wheel.parents[1]
    (work / "pyproject.toml").write_text(f'{PROJECT}[tool.uv.workspace]\nmembers = ["{members}"]\n')
    inner = work / "packages" / ".hidden"
    inner.mkdir(parents=True)
    (inner / "pyproject.toml").write_text(f"{PROJECT}[tool.uv.sources]\nx = {{ path = '{wheel}' }}\n")
    assert _found(work, "lock") == {str(wheel)}


@pytest.mark.parametrize("href", ["../../links/{name}", "{uri}#sha256=00"], ids=["relative", "absolute"])
@pytest.mark.parametrize("index", ["simple", "linked", "file:simple", "n=simple"])
def test_on_the_page_of_a_local_index(wheel: Path, index: str, href: str) -> None:
    work = wheel.parents[1]
    page = work / "simple" / "x" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="{href.format(name=NAME, uri=wheel.as_uri())}">x</a>')
    (work / "linked").mkdir()
    (work / "linked" / "x").symlink_to(page.parent)
    words = f"pip install --index {index} x"
    assert _found(work, words) == {str(wheel)}


@pytest.mark.parametrize(
    "page", ["<base href='/'><a href='x.whl'>x</a>", "<a href='a\\b.whl'>x</a>", "<a href='x"]
)
def test_pages_that_uv_could_read_differently(wheel: Path, page: str) -> None:
    work = wheel.parents[1]
    (work / "page.html").write_text(page)
    with pytest.raises(UsageError, match=r"page\.html: what uv would read there"):
        _found(work, "pip install --find-links page.html x")


@pytest.mark.parametrize("before", ["# /// other\n# x = 1\n# ///\n", "# /// script\n# ///\n\n"])
def test_metadata_of_a_script_that_hides_behind_others(wheel: Path, before: str) -> None:
    work = wheel.parents[1]
    (work / "s.py").write_text(f"{before}# /// script\n# dependencies = ['x @ {wheel.as_uri()}']\n# ///\n")
    with pytest.raises(UsageError, match="metadata twice"):
        _found(work, "lock --script s.py")
