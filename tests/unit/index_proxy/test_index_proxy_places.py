from __future__ import annotations

import pytest

from veln_hook.gate.hosts import Target
from veln_hook.index_proxy.places import Asked, Kind, Places, identity

PYPI = "https://pypi.org/simple/"
NESTED = "https://user:secret@example.org/api/pypi/simple"
WHEEL = "demo-1.0-py3-none-any.whl"


@pytest.fixture
def places() -> Places:
    return Places(
        [PYPI, NESTED, "https://example.org/wheels/"],
        find_links=["https://example.org/links.html"],
        files=[
            f"https://example.com/a/{WHEEL}#sha256={'A' * 64}&x=1",
            "https://example.com/archive/main.zip",
            "https://example.com/requirements.txt",
        ],
    )


@pytest.mark.parametrize(
    ("url", "index", "project"),
    [
        (f"{PYPI}Demo_X/", PYPI, "demo-x"),
        (f"{PYPI}demo", PYPI, "demo"),
        (f"{PYPI}demo/?format=json", PYPI, "demo"),
        (f"{PYPI}demo.zip/", PYPI, "demo-zip"),
        ("https://example.org/api/pypi/simple/demo/", "https://example.org/api/pypi/simple/", "demo"),
        ("https://PYPI.org:443/simple/demo/", PYPI, "demo"),
    ],
)
def test_pages_of_indexes_are_known(places: Places, url: str, index: str, project: str) -> None:
    asked = places.asked(url)
    assert asked is not None
    assert (asked.kind, asked.index, asked.project) == (Kind.PAGE, index, project)


@pytest.mark.parametrize(
    "url",
    [
        PYPI,
        "https://pypi.org/",
        "http://pypi.org/simple/demo/",
        "https://pypi.org:8443/simple/demo/",
        "https://evil.org/simple/demo/",
        f"{PYPI}../legacy/",
        f"{PYPI}..%2flegacy",
        f"{PYPI}de%6do/",
        f"{PYPI}demo//",
        f"{PYPI}demo/x/",
        f"{PYPI}-demo/",
        "https://pypi.org/pypi/demo/json/x",
        "https://pypi.org/pypi//json",
        "https://example.com/requirements.txt",
        f"{PYPI}{'a' * 20_000}/",
    ],
)
def test_what_is_nothing_of_an_index_is_nothing(places: Places, url: str) -> None:
    assert places.asked(url) is None


@pytest.mark.parametrize("path", ["demo/json", "demo/1.0/json"])
def test_the_project_api_is_known(places: Places, path: str) -> None:
    asked = places.asked(f"https://pypi.org/pypi/{path}")
    assert asked is not None
    assert (asked.kind, asked.index, asked.project) == (Kind.API, PYPI, "demo")


@pytest.mark.parametrize(
    ("url", "kind", "filename"),
    [
        (f"https://files.pythonhosted.org/packages/{WHEEL}", Kind.FILE, WHEEL),
        (f"https://files.pythonhosted.org/packages/{WHEEL}.metadata", Kind.METADATA, WHEEL),
        (f"https://x/{WHEEL}?signature=abc", Kind.FILE, WHEEL),
        ("https://x/demo%2D1.0.tar.gz", Kind.FILE, "demo-1.0.tar.gz"),
        ("https://x/demo-1.0.tar.gz/", Kind.FILE, "demo-1.0.tar.gz"),
        ("https://example.org/wheels/demo-1.0.tar.gz", Kind.FILE, "demo-1.0.tar.gz"),
    ],
)
def test_files_are_known_by_their_names_wherever_they_are(
    places: Places, url: str, kind: Kind, filename: str
) -> None:
    asked = places.asked(url)
    assert asked is not None
    assert (asked.kind, asked.filename, asked.direct) == (kind, filename, False)


def test_what_the_user_named_is_known_exactly(places: Places) -> None:
    asked = places.asked("https://example.com/a/demo%2d1.0-py3-none-any.whl")
    assert asked == Asked(
        Kind.FILE, f"https://example.com/a/{WHEEL}", filename=WHEEL, direct=True, sha256="a" * 64
    )
    metadata = places.asked(f"https://example.com/a/{WHEEL}.metadata")
    assert metadata is not None
    assert (metadata.kind, metadata.direct) == (Kind.METADATA, True)
    other = places.asked(f"https://example.com/b/{WHEEL}")
    assert other is not None
    assert not other.direct
    links = places.asked("https://example.org/links.html")
    assert links is not None
    assert (links.kind, links.several) == (Kind.PAGE, True)


def test_redirections_keep_what_they_are(places: Places) -> None:
    page = places.asked(f"{PYPI}demo/")
    assert page is not None
    assert places.redirect(page, f"{PYPI}demo/", "https://mirror.org/x/demo/index.html?a=b")
    assert places.asked("https://mirror.org/x/demo/index.html?a=b") == page
    assert places.asked("https://mirror.org/x/demo/index.html") is None
    own = places.asked("https://example.org/api/pypi/simple/demo/")
    assert places.redirect(page, f"{PYPI}demo/", "https://example.org/api/pypi/simple/demo/")
    assert places.asked("https://example.org/api/pypi/simple/demo/") == own


@pytest.mark.parametrize(
    "location", ["http://pypi.org/simple/demo/", "file:///etc/passwd", "https://[", "https://u:p@x/"]
)
def test_redirections_that_lead_nowhere_are_refused(places: Places, location: str) -> None:
    page = places.asked(f"{PYPI}demo/")
    assert page is not None
    assert not places.redirect(page, f"{PYPI}demo/", location)


def test_files_of_pypi_are_looked_up_on_pypi(places: Places) -> None:
    assert places.indexes_for(f"https://files.pythonhosted.org/x/{WHEEL}") == [PYPI]
    assert places.indexes_for(f"{PYPI}{WHEEL}") == [PYPI]
    assert set(places.indexes_for(f"https://elsewhere.org/{WHEEL}")) == {
        PYPI,
        "https://example.org/api/pypi/simple/",
        "https://example.org/wheels/",
    }
    assert places.index_at(Target("files.pythonhosted.org", 443))
    assert not places.index_at(Target("example.org", 8443))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://X.org/a%2Db", "https://x.org:443/a-b#c", True),
        ("https://u:p@x.org/a", "https://x.org/a", True),
        ("https://x.org/a%2Fb", "https://x.org/a/b", False),
        ("https://x.org/a?b=%2D", "https://x.org/a?b=-", False),
        ("http://x.org/a", "https://x.org/a", False),
    ],
)
def test_one_place_has_one_identity(one: str, other: str, same: bool) -> None:
    assert (identity(one) == identity(other)) is same
