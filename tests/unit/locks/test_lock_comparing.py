"""A lock's word against what an index lists, file by file."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from veln_hook.locks.comparing import Indexes, compare, same_version
from veln_hook.locks.model import OriginKind, Pin, PinnedFile
from veln_hook.model import Candidate, Severity, Source

PYPI, OWN = "https://pypi.org/simple/", "https://own.example/simple/"
HOST = "https://files.example/"
A, B, C = "a" * 64, "b" * 64, "c" * 64
WHEEL, SDIST = "demo-2.0-py3-none-any.whl", "demo-2.0.tar.gz"
INDEXES = Indexes([PYPI])


def listed(filename=WHEEL, sha256=A, **changes):
    fields = {
        "project": "demo",
        "version": "2.0",
        "filename": filename,
        "url": f"{HOST}{filename}",
        "source": Source.INDEX,
        "index": PYPI,
        "sha256": sha256,
        "upload_time": datetime(2026, 1, 1, tzinfo=timezone.utc),
    }
    return Candidate(**{**fields, **changes})


def file(filename=WHEEL, sha256=A, **changes):
    hashes = (("sha256", sha256),) if sha256 else ()
    return PinnedFile(filename, **{"url": f"{HOST}{filename}", "hashes": hashes, "line": 7, **changes})


def pin(*files, **changes):
    fields = {"project": "demo", "version": "2.0", "origin": OriginKind.REGISTRY, "source": PYPI}
    return Pin(**{**fields, **changes}, files=files)


def said(pin, offered, indexes=INDEXES):
    """Return what is found: signal, severity and whether it is held as unknown, of each file."""
    return [
        [(one.signal, one.severity, one.unverifiable) for one in looked.findings]
        for looked in compare(pin, offered, indexes)
    ]


def test_the_same_bytes_say_nothing():
    both = [listed(), listed(SDIST, B)]
    looked = compare(pin(file(SDIST, B), file()), both, INDEXES)
    assert [one.candidate for one in looked] == both[::-1]
    assert not any(one.findings or one.sha256 for one in looked)


def test_other_bytes_under_a_listed_name():
    (looked,) = compare(pin(file(sha256=C)), [listed()], INDEXES)
    (finding,) = looked.findings
    assert (finding.signal, finding.severity, finding.line) == ("lock-hash", Severity.CRITICAL, 7)
    assert A in finding.message
    assert C in finding.message
    assert (looked.sha256, looked.candidate.sha256) == (C, A)  # remembered is what the index promises


def test_names_are_compared_as_the_standard_has_them():
    offered = [listed("Demo_X-2.0-py3-none-any.whl")]
    assert said(pin(file("demo_x-2.0-py3-none-any.whl"), project="demo-x"), offered) == [[]]
    (found,) = said(pin(file("demo_x-2.0-py3-none-any.whl", C), project="demo-x"), offered)
    assert found[0][1] is Severity.CRITICAL


@pytest.mark.parametrize(
    ("url", "severity"),
    [
        ("", Severity.MEDIUM),
        (f"{HOST}x/{SDIST}", Severity.HIGH),
        (f"https://evil.example/{SDIST}", Severity.HIGH),
        ("http://[", Severity.HIGH),
    ],
)
def test_a_file_that_the_index_does_not_list(url, severity):
    ((), (found,)) = said(pin(file(), file(SDIST, B, url=url)), [listed()])
    assert found == ("lock-hash", severity, False)


@pytest.mark.parametrize(
    "name",
    [
        "evil-2.0-py3-none-any.whl",
        "demo-2.1-py3-none-any.whl",
        "evil-2.0.tar.gz",
        "x.exe",
        "demo-evil-2.0.tar.gz",
        "demo-evil-1.zip",
        "evil-x.zip",
        "demo-x.zip",
    ],
)
def test_a_file_of_another_release(name):
    assert said(pin(file(), file(name)), [listed()]) == [[("lock-hash", Severity.CRITICAL, False)]]


@pytest.mark.parametrize(
    "name", ["demo-2.0.zip", "demo-2.tar.gz", "Demo-2.0-py2.py3-none-any.whl", "demo-2.0.0-py3-none-any.whl"]
)
def test_spellings_of_the_same_release_are_no_other(name):
    assert Severity.CRITICAL not in {one[1] for found in said(pin(file(name)), [listed()]) for one in found}


def test_a_file_that_was_deleted_from_pypi():
    place = "https://files.pythonhosted.org/packages/00/00/"
    more = file(SDIST, B, url=f"{place}{SDIST}")
    ((), (found,)) = said(pin(file(), more), [listed(url=f"{place}{WHEEL}")])
    assert found == ("lock-hash", Severity.MEDIUM, False)
    # Of a release of another index, it is not what is to be expected there.
    ((), (found,)) = said(pin(file(), more), [listed()])
    assert found == ("lock-hash", Severity.HIGH, False)


def test_a_name_with_two_readings():
    found = said(pin(file("demo-1-2.zip"), version="1.post2"), [listed("demo-1-2.zip", version="1.post2")])
    assert found == [[]]


def test_an_index_that_promises_nothing():
    assert said(pin(file()), [listed(sha256="")]) == [[("lock-hash", Severity.MEDIUM, False)]]
    # One that does decides, whatever else has a file of that name.
    assert said(pin(file(sha256=C)), [listed(sha256=""), listed(sha256=A)])[0][0][1] is Severity.CRITICAL


def test_a_local_file_hides_nothing():
    local = listed(sha256="", source=Source.LOCAL_FILE, index="")
    assert said(pin(file(sha256=C)), [local, listed()])[0][0][1] is Severity.CRITICAL


def test_a_hash_that_can_not_be_compared():
    assert said(pin(file(hashes=(("md5", "0" * 32),))), [listed()]) == [
        [("lock-hash", Severity.MEDIUM, True)]
    ]


def test_no_hash_at_all():
    assert said(pin(), [listed(), listed(SDIST, B)]) == [[("lock-hash", Severity.LOW, False)]] * 2
    assert said(pin(file(sha256="")), [listed()]) == [[("lock-hash", Severity.LOW, False)]]
    assert said(pin(file(sha256=""), file(SDIST, B)), [listed(), listed(SDIST, B)]) == [
        [("lock-hash", Severity.LOW, False)], [],
    ]  # fmt: skip
    elsewhere = file(sha256="", url=f"https://evil.example/{WHEEL}")
    assert said(pin(elsewhere), [listed()]) == [[("lock-hash", Severity.HIGH, True)]]


def bare(*digests, algorithm="sha256"):
    return [PinnedFile("", hashes=((algorithm, digest),), line=3) for digest in digests]


def test_hashes_that_stand_by_themselves():
    both = [listed(), listed(SDIST, B)]
    assert [one.candidate for one in compare(pin(*bare(A)), both, INDEXES)] == both[:1]
    assert said(pin(*bare(B, A)), both) == [[], []]
    assert said(pin(*bare(A, C)), both) == [[], [("lock-hash", Severity.MEDIUM, False)]]
    assert said(pin(*bare(C)), both) == [[("lock-hash", Severity.CRITICAL, False)]]
    assert said(pin(*bare(C)), [listed(sha256="")]) == [[("lock-hash", Severity.MEDIUM, False)]]
    assert (
        said(pin(*bare("0" * 128, algorithm="sha512")), both) == [[("lock-hash", Severity.MEDIUM, True)]] * 2
    )


def test_a_release_that_is_not_listed():
    assert said(pin(file()), []) == [[("lock-source", Severity.HIGH, True)]]


def test_what_the_lock_alone_knows_is_not_remembered():
    for looked in (
        *compare(pin(file()), [], INDEXES),
        compare(pin(file(), file(SDIST, B)), [listed()], INDEXES)[1],
    ):
        assert not looked.is_listed
        assert not looked.candidate.sha256
        assert not looked.candidate.index


def test_whose_index_it_is():
    offered = [listed(), listed(index=OWN)]
    assert said(pin(file(), source=OWN), offered) == [[("lock-source", Severity.HIGH, True)]]
    both = Indexes([PYPI, "https://me:secret@OWN.example/simple"])
    (looked,) = compare(pin(file(), source=OWN.rstrip("/")), offered, both)
    assert (looked.candidate.index, looked.findings) == (OWN, ())
    # A lock that names PyPI is answered by a mirror, where pip is configured with one.
    mirror = Indexes([OWN])
    assert said(pin(file()), [listed(index=OWN)], mirror) == [[]]
    assert said(pin(file(), source=""), [listed(index=OWN)], mirror) == [[]]
    assert said(pin(file(), source=""), offered, mirror) == [[("lock-source", Severity.MEDIUM, False)]]
    assert "secret" not in str(compare(pin(file(), source="https://a:secret@x/simple"), [], INDEXES))


def test_an_index_that_is_no_url():
    assert said(pin(file(), source="http://["), [listed()]) == [[("lock-source", Severity.HIGH, True)]]


def test_urls():
    direct = pin(file(), origin=OriginKind.URL, source=f"https://x:y@else.example/{WHEEL}")
    (looked,) = compare(direct, [listed()], INDEXES)
    assert (looked.candidate, looked.findings) == (listed(), ())  # the same bytes, whose age is known
    assert said(direct, [listed(sha256=B)]) == [[("lock-source", Severity.MEDIUM, False)]]
    (looked,) = compare(direct, [], INDEXES)
    assert (looked.candidate.source, looked.candidate.sha256) == (Source.DIRECT_URL, A)
    assert looked.candidate.url == f"https://else.example/{WHEEL}"
    bare = pin(origin=OriginKind.URL, source="https://else.example/x.zip")
    assert said(bare, []) == [[("lock-source", Severity.MEDIUM, False)]]


def test_repositories_and_paths():
    vcs = pin(origin=OriginKind.VCS, source="https://x/r@main")
    assert said(vcs, [listed()]) == [[("lock-source", Severity.MEDIUM, False)]]
    assert "can move" not in compare(vcs, [], INDEXES)[0].findings[0].message
    assert "can move" in compare(vcs._replace(fixed=False), [], INDEXES)[0].findings[0].message
    assert said(pin(origin=OriginKind.PATH, source="."), []) == [[]]
    assert said(pin(origin=OriginKind.PATH, source="x.whl"), []) == [
        [("lock-source", Severity.MEDIUM, False)]
    ]
    assert compare(vcs, [], INDEXES)[0].candidate.source is Source.VCS


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1.0", "1", True),
        ("1.0", "1.0.1", False),
        ("x", "x", True),
        ("x", "1", False),
        ("1" * 5000, "1", False),
    ],
)
def test_versions(one, other, same):
    assert same_version(one, other) is same
