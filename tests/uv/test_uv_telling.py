"""What a user of ``veln-hook uv`` reads, what a program reads, and how it uv."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from support import cache
from support.builders import make_wheel
from support.gated import installed, untouched, write_project
from support.held import EVIL, OLD, YOUNG
from support.pythons import newest_pair

if TYPE_CHECKING:
    from pathlib import Path

    from uv_world import Target, Uv

    from support.tls_index import TlsIndex


def test_several_pins_are_told_at_once(target: Target, demo: TlsIndex, tmp_path: Path) -> None:
    for name in ("other", "third"):
        demo.add(make_wheel(tmp_path, name, "1.0"), upload_time=YOUNG)
    result = target.fails(demo, "demo==2.0", "other==1.0", "third==1.0")
    assert result.returncode == 75, result
    lines = [line for line in result.stderr.splitlines() if line.startswith("HOLD ")]
    for name in ("demo 2.0", "other 1.0", "third 1.0"):
        assert len([line for line in lines if line.startswith(f"HOLD  {name}")]) == 1, result
    assert len(lines) == 3, result


def test_the_approve_command_of_the_message_works(target: Target, demo: TlsIndex) -> None:
    held = target.fails(demo, "demo==2.0")
    line = next(line for line in held.stderr.splitlines() if "approve  veln-hook" in line)
    words = [word.replace("...", "we know it") for word in shlex.split(line.partition("veln-hook ")[2])]
    target.uv.veln_hook(*words, check=True)
    passed = target.install(demo, "demo==2.0")
    assert (passed.returncode, target.installed()) == (0, {"demo": "2.0"}), passed


def test_quiet(target: Target, demo: TlsIndex) -> None:
    silent = target.install(demo, "-q", "demo")
    assert silent.returncode == 0, silent
    assert "HOLD  demo 2.0" in silent.stderr, silent
    if target.uv.version.startswith("0.5."):
        return  # it takes no second -q
    quieter = target.install(demo, "-qq", "--reinstall", "demo")
    assert (quieter.returncode, quieter.out) == (0, ""), quieter


def test_json(target: Target, demo: TlsIndex) -> None:
    words = ("pip", "install", "--python", target.prefix, "demo==2.0")
    result = target.uv.gated(*words, options=("--json",), index=demo)
    assert result.returncode == 75, result
    assert not result.stdout, result
    start = result.stderr.index('{"')
    told = json.JSONDecoder().raw_decode(result.stderr[start:])[0]
    assert told["command"] == "uv"
    [held] = told["results"]
    assert (held["project"], held["version"], held["verdict"]) == ("demo", "2.0", "hold")
    assert held["opens_at"]


def test_uvs_own_output_is_left_alone(target: Target, demo: TlsIndex) -> None:
    result = target.uv.gated("pip", "compile", "-", "--no-header", index=demo, cwd=target.uv.home.work)
    direct = target.uv.direct("pip", "compile", "-", "--no-header", index=demo, cwd=target.uv.home.work)
    assert result.stdout == direct.stdout


def test_statuses(target: Target, demo: TlsIndex, tmp_path: Path) -> None:
    demo.add(make_wheel(tmp_path, "evil", "1.0", EVIL), upload_time=OLD)
    blocked = target.fails(demo, "evil")
    assert blocked.returncode == 1, blocked
    assert "BLOCK evil 1.0" in blocked.stderr, blocked
    assert target.fails(demo, "demo", policy="[cooling\n").returncode == 78
    target.uv.home.write_policy("")
    uvs = target.uv.direct("pip", "install", "--python", target.prefix, "nowhere-to-be-found", index=demo)
    ours = target.fails(demo, "nowhere-to-be-found")
    assert ours.returncode == uvs.returncode, ours
    assert "veln-hook" not in ours.stderr, ours


def test_no_command_of_uv(newest: Uv) -> None:
    assert newest.gated().returncode == newest.direct().returncode


def test_on_hold_refuse(target: Target, demo: TlsIndex) -> None:
    result = target.fails(demo, "demo", policy='[cooling]\non_hold = "refuse"\n')
    assert result.returncode == 75, result
    assert "HOLD  demo 2.0" in result.stderr, result


def test_the_switch_is_shown_and_logged(target: Target, demo: TlsIndex) -> None:
    result = target.install(demo, "demo", env={"VELN_HOOK": "off"})
    assert (result.returncode, target.installed()) == (0, {"demo": "2.0"}), result
    assert "switched off by VELN_HOOK=off" in result.stderr, result
    log = target.uv.veln_hook("log", "--json", check=True)
    assert any("VELN_HOOK=off" in json.dumps(line) for line in json.loads(log.stdout)["results"]), log


def test_what_was_held_is_in_the_log(target: Target, demo: TlsIndex) -> None:
    target.falls_back(demo)
    log = json.loads(target.uv.veln_hook("log", "--json", check=True).stdout)["results"]
    assert [(each["project"], each["version"]) for each in log if each["verdict"] == "hold"] == [
        ("demo", "2.0")
    ]


def test_without_the_extra(newest: Uv, demo: TlsIndex, project: Path) -> None:
    newest.hook = cache.hooked_venv(newest_pair()) / "bin" / "veln-hook"
    result = newest.gated("sync", index=demo, cwd=project)
    assert result.returncode == 2, result
    assert "veln-hook[gate]" in result.stderr, result
    assert not demo.requests
    assert installed(project / ".venv") == {}


def test_without_a_uv(newest: Uv, demo: TlsIndex, tmp_path: Path) -> None:
    newest.bins = [tmp_path]
    result = newest.gated("pip", "install", "demo", index=demo)
    assert result.returncode not in (0, 75, 77), result
    assert "uv" in result.stderr, result


def test_a_project_file_loosens_nothing(newest: Uv, demo: TlsIndex, project: Path) -> None:
    write_project(project, "demo==2.0", more='[tool.veln-hook.cooling]\nmin_age = "0"\nexempt = ["demo"]\n')
    result = newest.gated("sync", index=demo, cwd=project)
    assert result.returncode == 75, result
    assert untouched(demo)


def test_a_downgrade_is_told(newest: Uv, demo: TlsIndex, project: Path, tmp_path: Path) -> None:
    """uv takes a young release of its lock back without a word."""
    demo.add(make_wheel(tmp_path, "other", "1.0"), upload_time=OLD)
    newest.direct("lock", index=demo, cwd=project, check=True)
    assert 'version = "2.0"' in (project / "uv.lock").read_text()
    demo.bytes_sent.clear()
    result = newest.gated("add", "other", index=demo, cwd=project)
    assert "HOLD  demo 2.0" in result.stderr, result
    assert result.returncode in (0, 75), result
    assert installed(project / ".venv").get("demo") != "2.0"
    assert untouched(demo)
