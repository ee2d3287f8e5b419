"""Release signals for other installers: what holds isn't on the page, what is only told passes and is told."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from support.builders import make_wheel
from veln_hook.policy.settings import IndexPolicy, Policy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from proxy_world import Gate

    from support.tls_index import TlsIndex

DAY = timedelta(days=1)


def add(
    index: TlsIndex, tmp_path: Path, version: str, days: float, *, name: str = "demo", **more: bool
) -> str:
    wheel = make_wheel(tmp_path, name, version)
    index.add(wheel, upload_time=days * DAY, **more)
    return wheel.name


def test_of_a_project_in_quarantine_nothing_passes(
    make_gate: Callable[..., Gate], make_index: Callable[..., TlsIndex], tmp_path: Path
) -> None:
    index = make_index()
    add(index, tmp_path, "1.0", 300)
    index.history["demo"] = 50
    index.statuses["demo"] = ("quarantined", "")
    gate = make_gate(index)
    assert gate.page(index).status == 451
    assert any("in quarantine" in line for line in gate.told()), gate.told()
    index.statuses["demo"] = ("archived", "")
    assert len(gate.page(index).filenames()) == 51


def test_of_a_young_project_with_a_popular_ones_name_nothing_passes(
    make_gate: Callable[..., Gate], make_index: Callable[..., TlsIndex], tmp_path: Path
) -> None:
    index = make_index()
    add(index, tmp_path, "1.0", 20, name="reqeusts")
    gate = make_gate(index)
    assert gate.page(index, "reqeusts").status == 451
    add(index, tmp_path, "0.1", 200, name="reqeusts")
    assert len(gate.page(index, "reqeusts").filenames()) == 2


def test_a_private_project_passes_from_its_own_index_alone(
    make_gate: Callable[..., Gate], make_index: Callable[..., TlsIndex], tmp_path: Path
) -> None:
    own, public = make_index(), make_index()
    (tmp_path / "public").mkdir()
    name = add(own, tmp_path, "1.0", 300)
    forged = add(public, tmp_path / "public", "99.0", 300)
    gate = make_gate(own, public, policy=Policy(indexes=(IndexPolicy(own.url, private=("demo",)),)))
    assert gate.page(own).filenames() == [name]
    assert gate.page(public).status == 451
    assert gate.get(public.file_url(forged)).status == 403
    assert public.downloads[forged] == 0
    assert gate.get(own.file_url(name)).status == 200


def test_what_is_odd_about_a_release_is_told_when_its_file_is_used(
    make_gate: Callable[..., Gate], make_index: Callable[..., TlsIndex], tmp_path: Path
) -> None:
    index = make_index()
    for number in (1, 2, 3):
        add(index, tmp_path, f"1.{number}", 300 - number, provenance=True)
    name = add(index, tmp_path, "99.0", 1)
    gate = make_gate(index)
    assert name in gate.page(index).filenames()
    assert not any("attestations" in line for line in gate.told())
    assert gate.get(index.file_url(name)).status == 200
    told = "\n".join(gate.told())
    assert "WARN  demo 99.0" in told, told
    assert "no attestations" in told or "jumps from 1.3 to 99.0" in told, told
