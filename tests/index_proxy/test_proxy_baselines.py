"""What an archive does counts if it is new: the release before it is fetched through the same gate."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from support.builders import make_wheel
from support.held import OLD, YOUNG
from support.tls_index import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from proxy_world import Gate

    from support.tls_index import TlsIndex

ASKS = {
    "demo.py": (
        "import urllib.request\n\n\ndef _newest():\n"
        '    return urllib.request.urlopen("https://api.example.test/newest").read()\n\n\nNEWEST = _newest()\n'
    ),
    "demo_rows.py": "ROWS = [\n" + "    1,\n" * 6000 + "]\n",
}
"""Passes by itself, and would not if it were new."""
PLAIN = {"demo.py": "VERSION = 1\n"}
NEW = "demo-3.0-py3-none-any.whl"


@pytest.fixture
def upgraded(index: TlsIndex, tmp_path: Path) -> Callable[..., TlsIndex]:
    """Serve demo 3.0, which asks the network, and the releases before it."""

    def serve(**before: dict[str, str]) -> TlsIndex:
        index.add(make_wheel(tmp_path, "demo", "3.0", ASKS), upload_time=OLD)
        for version, files in before.items():
            wheel = make_wheel(tmp_path, "demo", version.strip("v").replace("_", "."), files)
            index.add(wheel, upload_time=OLD)
        return index

    return serve


def test_what_is_new_is_held_and_what_is_old_is_not(
    upgraded: Callable[..., TlsIndex], make_gate: Callable[..., Gate]
) -> None:
    index = upgraded(v2_0=ASKS, v1_0=PLAIN)
    gate = make_gate(index)
    gate.page(index)
    assert gate.get(index.file_url(NEW)).status == 200
    assert index.downloads["demo-2.0-py3-none-any.whl"] == 1
    assert index.downloads["demo-1.0-py3-none-any.whl"] == 0
    assert [path.name for path in gate.spool.rglob("*.whl")] == ["1.whl"]


def test_what_the_release_before_did_not_do_is_held(
    upgraded: Callable[..., TlsIndex], make_gate: Callable[..., Gate]
) -> None:
    index = upgraded(v2_0=PLAIN)
    gate = make_gate(index)
    gate.page(index)
    assert gate.get(index.file_url(NEW)).problem["title"] == "veln-hook: HOLD demo 3.0"


def test_a_release_before_that_is_too_young_or_yanked_is_no_example(
    upgraded: Callable[..., TlsIndex], make_gate: Callable[..., Gate]
) -> None:
    index = upgraded(v2_1=PLAIN, v2_0=PLAIN, v1_0=ASKS)
    index.files["demo-2.1-py3-none-any.whl"].upload_time = YOUNG
    index.files["demo-2.0-py3-none-any.whl"].yanked = True
    gate = make_gate(index)
    gate.page(index)
    assert gate.get(index.file_url(NEW)).status == 200
    assert index.downloads["demo-2.1-py3-none-any.whl"] == 0


@pytest.mark.parametrize(
    "fault",
    [Fault(body=b"PK other bytes"), Fault(redirect="https://127.0.0.1:1/x"), Fault(reset_after=100)],
)
def test_a_release_before_that_cannot_be_had_is_none(
    upgraded: Callable[..., TlsIndex],
    make_gate: Callable[..., Gate],
    fault: Fault,
    caplog: pytest.LogCaptureFixture,
) -> None:
    index = upgraded(v2_0=PLAIN)
    index.faults["/files/demo-2.0-py3-none-any.whl"] = fault
    gate = make_gate(index)
    gate.page(index)
    with caplog.at_level(logging.DEBUG, "veln_hook"):
        assert gate.get(index.file_url(NEW)).status == 200  # it passes by itself
    assert "fetching" in caplog.text
    assert [path.name for path in gate.spool.rglob("*.whl")] == ["1.whl"]


def test_what_is_installed_comes_first(
    upgraded: Callable[..., TlsIndex], make_gate: Callable[..., Gate]
) -> None:
    index = upgraded(v2_0=PLAIN, v1_0=ASKS)
    asked: list[str] = []

    def installed(project: str) -> str:
        asked.append(project)
        return "1.0"

    gate = make_gate(index, installed=installed)
    gate.page(index)
    assert gate.get(index.file_url("demo-1.0-py3-none-any.whl")).status == 200
    assert gate.get(index.file_url(NEW)).status == 200
    assert asked == ["demo", "demo"]
    assert index.downloads["demo-2.0-py3-none-any.whl"] == 0
