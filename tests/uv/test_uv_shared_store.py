"""A uv through the gate, with a store that many machines share in a real PostgreSQL."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from support.cache import postgres_wheels
from support.pythons import newest_pair

if TYPE_CHECKING:
    from pathlib import Path

    from uv_world import Target

    from support.shared_store import Fleet
    from support.tls_index import TlsIndex


@pytest.fixture
def with_psycopg(tmp_path: Path) -> dict[str, str]:
    """Variables with which veln-hook finds what its extra would have installed."""
    directory = tmp_path / "extra"
    for wheel in postgres_wheels(newest_pair().python):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(directory)
    return {"PYTHONPATH": str(directory)}


def test_an_approval_of_the_shared_store_lets_a_held_release_pass(
    target: Target, demo: TlsIndex, fleet: Fleet, with_psycopg: dict[str, str]
) -> None:
    target.uv.home.write_policy(f'[store]\nurl = "{fleet.url()}"\n[approvals]\naccept = "shared"\n')
    held = target.install(demo, "demo==2.0", env=with_psycopg)
    assert held.returncode == 75, held
    assert ("hold", "demo", "2.0") in {
        (each.decision.word, each.project, each.version) for each in fleet.server().log()
    }
    words = ("approve", "demo==2.0", "--reason", "read it", "-i", demo.auth_url)
    refused = target.uv.veln_hook(*words, env=with_psycopg)
    assert refused.returncode == 78, refused
    approver = {**with_psycopg, "VELN_HOOK_STORE_URL": fleet.approver_url}
    given = target.uv.veln_hook(*words, env=approver)
    assert given.returncode == 0, given
    passed = target.install(demo, "demo==2.0", env=with_psycopg)
    assert passed.returncode == 0, passed
    assert target.installed() == {"demo": "2.0"}


@pytest.mark.parametrize(("word", "status"), [("hold", 78), ("local", 0)])
def test_a_store_that_does_not_answer(
    target: Target, demo: TlsIndex, with_psycopg: dict[str, str], word: str, status: int
) -> None:
    target.uv.home.write_policy(
        f'[store]\nurl = "postgresql://m:s3cret@127.0.0.1:1/veln"\nunreachable = "{word}"\n'
    )
    result = target.install(demo, "demo==1.0", env=with_psycopg)
    assert result.returncode == status, result
    assert "the shared store does not answer" in result.stderr
    assert "s3cret" not in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert target.installed() == ({"demo": "1.0"} if word == "local" else {})
