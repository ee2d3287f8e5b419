"""Answers about files: redirected, of other bytes or lengths than was promised, broken off, slow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.authorities import TestAuthority
from support.builders import make_wheel
from support.gated import releases, untouched
from support.tls_index import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from uv_world import Target

    from support.tls_index import TlsIndex

    MakeIndex = Callable[..., TlsIndex]

OLD_FILE, YOUNG_FILE = "/files/demo-1.0-py3-none-any.whl", "/files/demo-2.0-py3-none-any.whl"
NO_RETRY = {"UV_HTTP_RETRIES": "0"}


def _other(directory: Path) -> Path:
    return make_wheel(directory / "other", "demo", "1.0", {"demo.py": "VERSION = 'other'\n"})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"], ids=["port", "host"])
def test_a_redirect_to_another_place(
    target: Target, demo: TlsIndex, make_index: MakeIndex, tmp_path: Path, host: str
) -> None:
    other = releases(make_index(host=host), tmp_path)
    for path in (OLD_FILE, YOUNG_FILE):
        demo.faults[path] = Fault(redirect=f"{other.root}{path}")
    target.falls_back(demo)
    assert other.downloads["demo-1.0-py3-none-any.whl"]
    pinned = target.install(demo, "demo==2.0")
    assert pinned.returncode == 75, pinned
    assert untouched(other)


def test_a_redirect_to_other_bytes(
    targets: Target, demo: TlsIndex, make_index: MakeIndex, tmp_path: Path
) -> None:
    other = make_index(host="127.0.0.2")
    other.add(_other(tmp_path))
    demo.faults[OLD_FILE] = Fault(redirect=f"{other.root}{OLD_FILE}")
    targets.fails(demo, "demo==1.0")


def test_a_redirect_round_and_round(target: Target, demo: TlsIndex) -> None:
    demo.faults[OLD_FILE] = Fault(redirect=f"{demo.root}{OLD_FILE}")
    # A newer uv tries that four times, and waits longer each time.
    target.fails(demo, "demo==1.0", env={"UV_HTTP_RETRIES": "0"})


def test_a_redirect_out_of_tls(target: Target, demo: TlsIndex, make_index: MakeIndex, tmp_path: Path) -> None:
    """Whoever is on the way may read it then, but bytes that were promised are what they are."""
    plain = make_index(tls=False, host="127.0.0.2")
    plain.add(_other(tmp_path))
    demo.faults[OLD_FILE] = Fault(redirect=f"{plain.root}{OLD_FILE}")
    target.fails(demo, "demo==1.0")


def test_other_bytes_than_the_page_promises(targets: Target, demo: TlsIndex, tmp_path: Path) -> None:
    """Old uvs don't compare them by themselves."""
    demo.replace("demo-1.0-py3-none-any.whl", _other(tmp_path).read_bytes(), sha256=False)
    result = targets.fails(demo, "demo==1.0")
    assert "sha256" in result.stderr, result


@pytest.mark.parametrize("more", [-1, 1, 10**9])
def test_a_size_that_the_file_does_not_have(target: Target, demo: TlsIndex, more: int) -> None:
    """Where a page promises a hash, the size says nothing; where it promises nothing else, it counts."""
    file = demo.files["demo-1.0-py3-none-any.whl"]
    file.size = len(file.content) + more
    file.sha256 = ""
    target.fails(demo, "demo==1.0")


@pytest.mark.parametrize("promised", [-10, 10], ids=["shorter", "longer"])
def test_a_length_that_is_wrong(target: Target, demo: TlsIndex, promised: int) -> None:
    demo.faults[OLD_FILE] = Fault(promised=promised)
    target.fails(demo, "demo==1.0", env=NO_RETRY)


def test_a_file_in_chunks(target: Target, demo: TlsIndex) -> None:
    demo.faults[OLD_FILE] = Fault(chunked=True)
    target.falls_back(demo)


def test_a_file_that_comes_in_drops(target: Target, demo: TlsIndex) -> None:
    demo.faults[OLD_FILE] = Fault(drip=0.01)
    target.falls_back(demo)


def test_a_reset(target: Target, demo: TlsIndex) -> None:
    demo.faults[OLD_FILE] = Fault(reset_after=100)
    target.fails(demo, "demo==1.0", env=NO_RETRY)


@pytest.mark.parametrize("status", [403, 404, 410, 500])
def test_what_the_index_refuses_itself(target: Target, demo: TlsIndex, status: int) -> None:
    demo.fail[OLD_FILE] = status
    result = target.fails(demo, "demo==1.0", env=NO_RETRY)
    assert str(status) in result.stderr, result


def test_an_index_that_is_not_there(target: Target) -> None:
    url = "https://127.0.0.3:1/simple/"
    ours = target.fails(url, "demo", env=NO_RETRY)
    uvs = target.uv.direct("pip", "install", "--python", target.prefix, "demo", index=url, env=NO_RETRY)
    assert ours.returncode == uvs.returncode, ours


def test_a_certificate_that_the_user_does_not_trust(
    target: Target, demo: TlsIndex, tmp_path_factory: pytest.TempPathFactory
) -> None:
    strangers = TestAuthority(tmp_path_factory.mktemp("strangers")).file
    result = target.fails(demo, "demo", env={**NO_RETRY, "SSL_CERT_FILE": str(strangers)})
    assert not demo.requests
    assert "certificate" in result.stderr.lower(), result
