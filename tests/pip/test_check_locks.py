"""``check`` of locks, against real indexes, through real pips."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from support.builders import make_sdist, make_wheel
from support.feeds import write_real_feed
from support.held import OLD, YOUNG
from support.lock_files import WRITERS, Locked, LockedFile, hashed_requirements, uv_lock
from support.selection import everyday

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.envs import Env, Result
    from support.index_server import IndexServer

WHEEL = "demo-2.0-py3-none-any.whl"
NAMES = everyday(WRITERS, ("uv.lock", "requirements.txt"))


@pytest.fixture
def served(index: IndexServer, tmp_path: Path) -> IndexServer:
    """An index with old releases of four projects, one of them with an sdist, and a young one."""
    for name in ("demo", "acme", "other"):
        index.add(make_wheel(tmp_path, name, "1.0"), upload_time=OLD)
        index.add(make_wheel(tmp_path, name, "2.0"), upload_time=OLD)
    index.add(make_sdist(tmp_path, "demo", "2.0"), upload_time=OLD)
    index.add(make_wheel(tmp_path, "fresh", "1.0"), upload_time=YOUNG)
    return index


def locked(index: IndexServer, name: str, version: str) -> Locked:
    """What a lock says of a release that an index has."""
    files = [file for file in index.files.values() if (file.project, file.version) == (name, version)]
    assert files
    return Locked(name, version, [LockedFile(one.filename, one.sha256, one.url) for one in files])


def check(env: Env, *args: Any, **options: Any) -> Result:
    return env.run_script("veln-hook", "check", *args, **options)


def told(result: Result) -> list[dict[str, Any]]:
    answer = json.loads(result.stdout)
    assert (answer["schema"], answer["command"]) == (1, "check")
    results: list[dict[str, Any]] = answer["results"]
    return results


def test_every_lock_on_every_pip(env, served, tmp_path):
    for name, write in WRITERS.items():
        good = [locked(served, "demo", "2.0"), locked(served, "acme", "1.0")]
        (tmp_path / name).write_text(write(good))
    passes = check(env, *WRITERS, index=served, cwd=tmp_path)
    assert passes.returncode == 0, passes
    assert "poetry.lock: 2 pins: 2 passing" in passes.out
    for name, write in WRITERS.items():
        (tmp_path / name).write_text(write([locked(served, "demo", "2.0").tampered(WHEEL, "1" * 64)]))
        blocked = check(env, name, index=served, cwd=tmp_path)
        assert blocked.returncode == (0 if name == "requirements.txt" else 1), blocked
        assert "1" * 64 in blocked.out
    assert not served.downloads


@pytest.mark.parametrize("name", NAMES)
def test_what_is_young_is_held_at_its_line(newest_env, served, tmp_path, name):
    pins = [locked(served, "demo", "2.0"), locked(served, "fresh", "1.0"), locked(served, "acme", "1.0")]
    (tmp_path / name).write_text(WRITERS[name](pins))
    held = check(newest_env, name, index=served, cwd=tmp_path)
    assert held.returncode == 75, held
    assert "HOLD  fresh 1.0  uploaded 12 min ago" in held.out
    lines = (tmp_path / name).read_text().splitlines()
    (place,) = [line.split()[-1] for line in held.out.splitlines() if line.startswith("      at ")]
    path, _, line = place.rpartition(":")
    assert path == name
    assert lines[int(line) - 1].startswith(("[[package", "fresh=="))
    assert "fresh" in "".join(lines[int(line) - 1 : int(line) + 1])


@pytest.mark.parametrize("name", NAMES)
def test_bytes_that_no_index_promises_are_blocked(newest_env, served, tmp_path, name):
    bad = locked(served, "acme", "2.0").tampered("acme-2.0-py3-none-any.whl")
    (tmp_path / name).write_text(WRITERS[name]([locked(served, "demo", "2.0"), bad]))
    blocked = check(newest_env, name, "--json", index=served, cwd=tmp_path)
    assert blocked.returncode == 1, blocked
    verdicts = {one["project"]: one for one in told(blocked) if one["project"] != "own"}
    assert {project: one["verdict"] for project, one in verdicts.items()} == {
        "demo": "allow",
        "acme": "block",
    }
    (finding,) = verdicts["acme"]["findings"]
    assert (finding["signal"], finding["severity"]) == ("lock-hash", "critical")
    assert "0" * 64 in finding["message"]
    # What the lock claims is remembered nowhere: the real file still installs.
    target = tmp_path / "target"
    installed = newest_env.run_pip("install", "--target", target, "acme==2.0", index=served)
    assert installed.returncode == 0, installed


def test_an_approval_does_not_lift_a_tampered_hash(newest_env, served, tmp_path):
    (tmp_path / "uv.lock").write_text(uv_lock([locked(served, "demo", "2.0").tampered(WHEEL)]))
    newest_env.run_script("veln-hook", "approve", "demo==2.0", "--reason", "x", index=served, check=True)
    assert check(newest_env, "uv.lock", index=served, cwd=tmp_path).returncode == 1


def test_an_approval_lifts_a_young_pin(newest_env, served, tmp_path):
    (tmp_path / "uv.lock").write_text(uv_lock([locked(served, "fresh", "1.0")]))
    newest_env.run_script("veln-hook", "approve", "fresh==1.0", "--reason", "x", index=served, check=True)
    passes = check(newest_env, "uv.lock", index=served, cwd=tmp_path)
    assert passes.returncode == 0, passes


def test_each_project_is_asked_for_once(newest_env, served, tmp_path):
    pins = [locked(served, "demo", "1.0"), locked(served, "demo", "2.0"), locked(served, "acme", "1.0")]
    (tmp_path / "uv.lock").write_text(uv_lock(pins))
    assert check(newest_env, "uv.lock", index=served, cwd=tmp_path).returncode == 0
    assert sorted(served.paths("/simple/")) == ["/simple/acme/", "/simple/demo/"]


def test_many_projects_at_once(newest_env, index, tmp_path):
    pins = []
    for number in range(60):
        index.add(make_wheel(tmp_path, f"many{number}", "1.0"), upload_time=YOUNG if number == 41 else OLD)
        pins.append(locked(index, f"many{number}", "1.0"))
    pins[17] = pins[17].tampered("many17-1.0-py3-none-any.whl")
    (tmp_path / "poetry.lock").write_text(WRITERS["poetry.lock"](pins))
    result = check(newest_env, "poetry.lock", "--json", index=index, cwd=tmp_path)
    assert result.returncode == 1, result
    assert [one["project"] for one in told(result)] == [pin.name for pin in pins]
    wrong = {one["project"]: one["verdict"] for one in told(result) if one["verdict"] != "allow"}
    assert wrong == {"many17": "block", "many41": "hold"}
    assert len(index.paths("/simple/")) == 60


def test_a_release_that_no_index_lists(newest_env, served, tmp_path):
    pin = Locked(
        "demo",
        "9.0",
        [LockedFile("demo-9.0-py3-none-any.whl", "1" * 64, "https://x/demo-9.0-py3-none-any.whl")],
    )
    gone = Locked(
        "gone",
        "1.0",
        [LockedFile("gone-1.0-py3-none-any.whl", "2" * 64, "https://x/gone-1.0-py3-none-any.whl")],
    )
    (tmp_path / "uv.lock").write_text(uv_lock([pin, gone]))
    held = check(newest_env, "uv.lock", index=served, cwd=tmp_path)
    assert held.returncode == 77, held
    assert held.out.count("no index lists this release") == 2


def test_an_index_that_only_the_lock_names_is_not_asked(newest_env, served, make_index, tmp_path):
    other = make_index()
    other.add(make_wheel(tmp_path / "x", "demo", "2.0", {"evil.py": "1"}), upload_time=OLD)
    (tmp_path / "uv.lock").write_text(uv_lock([locked(other, "demo", "2.0")], registry=other.url))
    held = check(newest_env, "uv.lock", index=served, cwd=tmp_path)
    assert held.returncode == 77, held
    assert "neither pip's configuration nor the policy names" in held.out
    assert not other.requests
    named = check(newest_env, "uv.lock", "--extra-index-url", other.url, index=served, cwd=tmp_path)
    assert named.returncode == 0, named
    policy = f'[[indexes]]\nurl = "{other.url}"\n'
    known = check(newest_env, "uv.lock", index=served, cwd=tmp_path, policy=policy)
    assert known.returncode == 0, known


def test_a_file_from_elsewhere_that_no_index_lists(newest_env, served, tmp_path):
    good = locked(served, "demo", "2.0")
    more = LockedFile(
        "demo-2.0-cp312-cp312-linux_x86_64.whl",
        "1" * 64,
        "https://evil.example/demo-2.0-cp312-cp312-linux_x86_64.whl",
    )
    (tmp_path / "uv.lock").write_text(uv_lock([Locked("demo", "2.0", [*good.files, more])]))
    held = check(newest_env, "uv.lock", index=served, cwd=tmp_path)
    assert held.returncode == 77, held
    assert "evil.example" in held.out


def test_changed_from(newest_env, served, tmp_path):
    before = [locked(served, "demo", "1.0"), locked(served, "fresh", "1.0")]
    (tmp_path / "old.lock").write_text(uv_lock(before))
    (tmp_path / "uv.lock").write_text(uv_lock([*before[1:], locked(served, "demo", "2.0")]))
    result = check(newest_env, "uv.lock", "--changed-from", "old.lock", "--json", index=served, cwd=tmp_path)
    assert result.returncode == 0, result
    assert [(one["project"], one["version"]) for one in told(result)] == [("demo", "2.0")]
    assert served.paths("/simple/") == ["/simple/demo/"]


def test_sarif_names_file_and_line(newest_env, served, tmp_path):
    pins = [locked(served, "fresh", "1.0"), locked(served, "demo", "2.0").tampered(WHEEL)]
    (tmp_path / "uv.lock").write_text(uv_lock(pins))
    result = check(newest_env, "uv.lock", "--sarif", index=served, cwd=tmp_path)
    assert result.returncode == 1, result
    (run,) = json.loads(result.stdout)["runs"]
    lines = (tmp_path / "uv.lock").read_text().splitlines()
    found = {}
    for one in run["results"]:
        place = one["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "uv.lock"
        found[one["ruleId"]] = lines[place["region"]["startLine"] - 1]
        assert one["level"] == "error"
    assert found["cooling"] == "[[package]]"
    assert "0" * 64 in found["lock-hash"]  # the very line
    assert run["invocations"][0]["exitCode"] == 1


def test_markdown_for_a_pull_request(newest_env, served, tmp_path):
    pins = [locked(served, "fresh", "1.0"), locked(served, "demo", "2.0").tampered(WHEEL)]
    (tmp_path / "uv.lock").write_text(uv_lock(pins))
    result = check(newest_env, "uv.lock", "--markdown", index=served, cwd=tmp_path)
    assert result.returncode == 1, result
    assert result.stdout.startswith("### veln-hook\n\n3 releases: 1 blocked, 1 held, 1 passing.\n")
    rows = [line for line in result.stdout.splitlines() if line.startswith(("| block", "| hold"))]
    assert [row.split(" | ")[:3] for row in rows] == [
        ["| block", "demo 2.0", "uv.lock:24"],
        ["| hold", "fresh 1.0", "uv.lock:10"],
    ]


def test_a_broken_lock_is_one_error(newest_env, served, tmp_path):
    (tmp_path / "uv.lock").write_text("version = 1\n[[package]]\nname = 3\n")
    result = check(newest_env, "uv.lock", index=served, cwd=tmp_path)
    assert result.returncode == 2, result
    assert "uv.lock:2" in result.stderr
    assert "Traceback" not in result.out
    for words in (["absent/uv.lock"], ["--lock", "absent"], ["uv.lock", "--sarif", "--json"]):
        assert check(newest_env, *words, index=served, cwd=tmp_path).returncode == 2


def test_an_index_that_fails_is_no_verdict(newest_env, served, tmp_path):
    (tmp_path / "uv.lock").write_text(uv_lock([locked(served, "demo", "2.0"), locked(served, "acme", "1.0")]))
    served.fail["/simple/acme/"] = 503
    result = check(newest_env, "uv.lock", index=served, cwd=tmp_path)
    assert result.returncode == 78, result
    assert "Traceback" not in result.out


def test_an_index_without_json(newest_env, make_index: Callable[..., IndexServer], tmp_path):
    html = make_index(json=False)
    html.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=OLD)
    (tmp_path / "pdm.lock").write_text(WRITERS["pdm.lock"]([locked(html, "demo", "2.0")]))
    first = check(newest_env, "pdm.lock", index=html, cwd=tmp_path)
    assert first.returncode == 75, first  # no upload time: its clock starts now
    bad = locked(html, "demo", "2.0").tampered(WHEEL)
    (tmp_path / "pdm.lock").write_text(WRITERS["pdm.lock"]([bad]))
    assert check(newest_env, "pdm.lock", index=html, cwd=tmp_path).returncode == 1


def test_nested_lists_markers_and_an_index_of_their_own(newest_env, served, make_index, tmp_path):
    other = make_index()
    other.add(make_wheel(tmp_path / "x", "extra", "1.0"), upload_time=timedelta(days=9))
    (tmp_path / "requirements.txt").write_text(
        f"-r more.txt\n--extra-index-url {other.url}\n" + hashed_requirements([locked(served, "demo", "2.0")])
    )
    (tmp_path / "more.txt").write_text(
        "# a comment\n"
        + hashed_requirements([locked(other, "extra", "1.0")])
        + f"fresh==1.0 ; python_version < '3' \\\n    --hash=sha256:{'0' * 64}\n"
    )
    result = check(newest_env, "requirements.txt", "--json", index=served, cwd=tmp_path)
    assert result.returncode == 0, result
    found = {one["project"]: one for one in told(result)}
    assert set(found) == {"demo", "extra"}
    assert (found["extra"]["lock"], found["extra"]["lock_line"]) == ("more.txt", 2)
    assert (found["extra"]["verdict"], found["demo"]["verdict"]) == ("warn", "allow")
    assert "which nobody but the file itself names" in json.dumps(found["extra"]["findings"])


def test_pages_are_asked_for_at_once(newest_env, index, tmp_path):
    pins = []
    for number in range(9):
        index.add(make_wheel(tmp_path, f"many{number}", "1.0"), upload_time=OLD)
        pins.append(locked(index, f"many{number}", "1.0"))
    # After the first, each page is answered only when three more are being asked for.
    together = threading.Barrier(4, timeout=30)
    answer, asked = index._answer, []

    def meet(method: str, path: str, headers: Any) -> Any:
        asked.append(path)
        if len(asked) > 1:
            together.wait()
        return answer(method, path, headers)

    index._answer = meet
    (tmp_path / "pdm.lock").write_text(WRITERS["pdm.lock"](pins))
    result = check(newest_env, "pdm.lock", index=index, cwd=tmp_path)
    assert result.returncode == 0, result
    assert "9 pins: 9 passing" in result.out
    assert len(asked) == 9


def test_a_requirement_of_the_same_project_has_the_whole_page(newest_env, served, tmp_path):
    (tmp_path / "uv.lock").write_text(uv_lock([locked(served, "demo", "1.0")]))
    result = check(newest_env, "uv.lock", "demo", "--all", "--json", index=served, cwd=tmp_path)
    assert result.returncode == 0, result
    found = {(one["role"], one["version"]) for one in told(result) if one["project"] == "demo"}
    assert found == {("pin", "1.0"), ("chosen", "2.0"), ("other", "2.0"), ("other", "1.0")}


def test_names_that_are_quoted_or_old(newest_env, index, tmp_path):
    for version, name in (("1.0+cpu.1", "demo"), ("2.0", "old_name")):
        index.add(make_wheel(tmp_path, name, version), upload_time=OLD)
        index.add(make_sdist(tmp_path, name, version), upload_time=OLD)
    old = index.files.pop("old_name-2.0.tar.gz")
    old.filename = "old-name-2.0.tar.gz"
    old.url = index.file_url(old.filename)
    index.files[old.filename] = old
    quoted = index.files["demo-1.0+cpu.1-py3-none-any.whl"]
    quoted.url = quoted.url.replace("+", "%2B")
    (tmp_path / "poetry.lock").write_text(
        WRITERS["poetry.lock"]([locked(index, "demo", "1.0+cpu.1"), locked(index, "old-name", "2.0")])
    )
    result = check(newest_env, "poetry.lock", "--json", index=index, cwd=tmp_path)
    assert result.returncode == 0, result
    assert [(one["verdict"], one["files"], one["findings"]) for one in told(result)] == [("allow", 2, [])] * 2


def test_the_policy_has_a_say(newest_env, served, tmp_path):
    bare = [Locked("demo", "2.0", [LockedFile(WHEEL, "", served.files[WHEEL].url)])]
    (tmp_path / "uv.lock").write_text(uv_lock(bare).replace(', hash = "sha256:"', ""))
    passes = check(newest_env, "uv.lock", index=served, cwd=tmp_path)
    assert passes.returncode == 0, passes
    assert "without a hash: 1" in passes.out
    strict = '[signals.lock-hash]\nseverity = "high"\n'
    held = check(newest_env, "uv.lock", index=served, cwd=tmp_path, policy=strict)
    assert held.returncode == 77, held


def test_a_pin_that_is_known_malware_is_blocked_though_no_index_lists_it_any_more(
    newest_env, served, tmp_path
):
    write_real_feed(newest_env.home.state_dir / "feed.sqlite")
    gone = Locked("litellm", "1.82.8", [LockedFile("litellm-1.82.8-py3-none-any.whl", "a" * 64, "")])
    (tmp_path / "uv.lock").write_text(uv_lock([locked(served, "demo", "2.0"), gone]))
    blocked = check(newest_env, "uv.lock", index=served, cwd=tmp_path)
    assert blocked.returncode == 1, blocked
    assert "BLOCK litellm 1.82.8  known malware, MAL-2026-2144" in blocked.out


def test_what_a_page_tells_of_a_release_is_told_of_its_pin(newest_env, index, tmp_path):
    for number, age in ((1, 200), (2, 100), (3, 50)):
        wheel = make_wheel(tmp_path, "demo", f"1.{number}")
        index.add(wheel, upload_time=timedelta(days=age), provenance=True)
    index.add(make_wheel(tmp_path, "demo", "1.4"), upload_time=timedelta(hours=5))
    (tmp_path / "uv.lock").write_text(uv_lock([locked(index, "demo", "1.4")]))
    warned = check(newest_env, "uv.lock", index=index, cwd=tmp_path)
    assert warned.returncode == 0, warned
    assert "WARN  demo 1.4  it has no attestations (PEP 740)" in warned.out
