"""The commands against real indexes and real pips: what they tell is what pip does."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pty
import subprocess
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from support.builders import make_sdist, make_tree, make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from support.envs import Env, Result
    from support.index_server import IndexServer

OLD, YOUNG = timedelta(days=30), timedelta(minutes=5)
WHEEL = "demo-2.0-py3-none-any.whl"


@pytest.fixture
def demo(index: IndexServer, tmp_path: Path) -> IndexServer:
    """An index with demo 1.0, a month old, and 2.0, five minutes old."""
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=OLD)
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=YOUNG)
    return index


def hook(environment: Env, *args: Any, **options: Any) -> Result:
    return environment.run_script("veln-hook", *args, **options)


def told(result: Result) -> dict[str, Any]:
    assert result.stdout.startswith("{"), result
    answer: dict[str, Any] = json.loads(result.stdout)
    assert answer["schema"] == 1
    return answer


def test_a_held_release_is_told_and_approved_and_then_installed(env, demo, tmp_path):  # on every pip
    held = hook(env, "check", "demo", index=demo)
    assert held.returncode == 75, held
    assert "HOLD  demo 2.0  uploaded 5 min ago" in held.out
    assert "using demo 1.0 instead" in held.out
    assert not demo.downloads

    (tmp_path / "requirements.txt").write_text("-c constraints.txt\ndemo\n")
    (tmp_path / "constraints.txt").write_text("demo<2\n")
    assert hook(env, "check", "-r", tmp_path / "requirements.txt", index=demo).returncode == 0
    assert "hold by cooling.min_age (default)" in hook(env, "explain", "demo==2.0", index=demo).out

    approved = hook(env, "approve", "demo==2.0", "--reason", "looked at it", "--expires", "7d", index=demo)
    assert approved.returncode == 0, approved
    assert demo.files[WHEEL].sha256 in approved.out

    passes = hook(env, "check", "demo", index=demo)
    assert passes.returncode == 0, passes
    assert "passes by approval 1" in passes.out

    assert not demo.downloads  # none of this fetched a file
    assert env.run_pip("install", "demo", index=demo).returncode == 0
    assert env.installed()["demo"] == "2.0"
    log = told(hook(env, "log", "demo", "--json"))["results"]
    used = [line for line in log if line["stage"] == "candidate" and line["approval"] == 1]
    assert [line["verdict"] for line in used] == ["allow"]
    assert used[0]["author"]


@pytest.mark.slow
def test_a_revoked_approval_lifts_nothing(newest_env, demo):
    hook(newest_env, "approve", "demo==2.0", "--reason", "x", index=demo)
    assert hook(newest_env, "check", "demo==2.0", index=demo).returncode == 0
    assert hook(newest_env, "approvals", "revoke", "1").returncode == 0
    assert hook(newest_env, "check", "demo==2.0", index=demo).returncode == 75
    assert newest_env.run_pip("install", "demo==2.0", index=demo).returncode == 75
    assert "demo" not in newest_env.installed()
    explained = hook(newest_env, "explain", "demo==2.0", index=demo)
    assert "revoked" in explained.out


def test_an_expired_approval_lifts_nothing(newest_env, demo):
    hook(newest_env, "approve", "demo==2.0", "--reason", "x", "--expires", "1s", index=demo)
    result = newest_env.run_pip("install", "demo==2.0", index=demo)  # pip alone takes most of a second
    if result.returncode == 0:  # a very fast machine: it was still in force
        newest_env.run_pip("uninstall", "-y", "demo")
        result = newest_env.run_pip("install", "demo==2.0", index=demo)
    assert result.returncode == 75, result
    assert "no approvals in force" in hook(newest_env, "approvals", "list").out


def test_an_approval_is_of_the_bytes_not_of_the_name(newest_env, demo, tmp_path):
    hook(newest_env, "approve", "demo==2.0", "--reason", "x", index=demo)
    demo.replace(
        WHEEL, make_wheel(tmp_path / "other", "demo", "2.0", {"demo/__init__.py": "X = 1"}).read_bytes()
    )
    assert hook(newest_env, "check", "demo==2.0", index=demo).returncode == 75
    assert newest_env.run_pip("install", "demo==2.0", index=demo).returncode == 75
    assert "it is for other bytes" in hook(newest_env, "explain", "demo==2.0", index=demo).out


def test_changed_bytes_are_blocked_and_can_not_be_approved(newest_env, demo, tmp_path):
    assert newest_env.run_pip("install", "demo==2.0", index=demo).returncode == 75  # seen, and observed
    demo.replace(
        WHEEL, make_wheel(tmp_path / "other", "demo", "2.0", {"demo/__init__.py": "X = 1"}).read_bytes()
    )
    blocked = hook(newest_env, "check", "demo==2.0", index=demo)
    assert blocked.returncode == 1, blocked
    assert "bytes changed under a known filename" in blocked.out
    refused = hook(newest_env, "approve", "demo==2.0", "--reason", "x", index=demo)
    assert refused.returncode == 1, refused
    assert "no approvals" in hook(newest_env, "approvals", "list").out


def test_every_file_of_the_release_is_approved_whichever_platform_it_is_for(newest_env, demo, tmp_path):
    demo.add(make_sdist(tmp_path, "demo", "2.0"), upload_time=YOUNG)
    demo.add(make_wheel(tmp_path, "demo", "2.0", tag="cp310-cp310-win_amd64"), upload_time=YOUNG)
    demo.add(make_wheel(tmp_path / "py2", "demo", "2.0", tag="py2-none-any"), requires_python="<3")
    result = hook(newest_env, "approve", "demo==2", "--reason", "x", "--json", index=demo)
    approved = {one["filename"]: one["sha256"] for one in told(result)["results"]}
    assert approved == {name: file.sha256 for name, file in demo.files.items() if file.version == "2.0"}
    assert len(approved) == 4


def test_one_file_of_a_release_is_approved(newest_env, demo, tmp_path):
    sdist = demo.add(make_sdist(tmp_path, "demo", "2.0"), upload_time=YOUNG)
    result = hook(newest_env, "approve", "demo==2.0", "--reason", "x", "--file", sdist.filename, index=demo)
    assert result.returncode == 0
    assert sdist.sha256 in result.out
    assert demo.files[WHEEL].sha256 not in result.out
    # The wheel of the release is still held, and a held wheel never makes pip build the sdist.
    assert hook(newest_env, "check", "demo==2.0", index=demo).returncode == 75
    wrong = hook(newest_env, "approve", "demo==2.0", "--reason", "x", "--file", "demo-2.0.zip", index=demo)
    assert wrong.returncode == 2
    assert WHEEL in wrong.stderr


def test_what_does_not_exist_is_a_usage_error(newest_env, demo):
    for command in (
        ("approve", "demo==3.0", "--reason", "x"),
        ("approve", "nosuch==1.0", "--reason", "x"),
        ("explain", "demo==3.0"),
        ("check", "nosuch"),
        ("check", "demo==3.0"),
        ("check", "demo @@ 1"),
        ("check", "-r", "absent.txt"),
    ):
        result = hook(newest_env, *command, index=demo)
        assert result.returncode == 2, result
        assert "Traceback" not in result.out
        assert result.stderr.startswith("error: ")


def test_a_file_without_a_hash_can_not_be_approved_by_its_name(newest_env, index, tmp_path):
    index.add(make_wheel(tmp_path, "demo", "2.0"), upload_time=YOUNG, sha256=False)
    result = hook(newest_env, "approve", "demo==2.0", "--reason", "x", index=index)
    assert result.returncode == 2
    assert "promises no sha256" in result.stderr
    assert "--sha256" in result.stderr


def test_a_file_that_no_index_lists_is_approved_by_its_hash(newest_env, demo, tmp_path):
    wheel = make_wheel(tmp_path / "elsewhere", "demo", "3.0")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    served = demo.add(wheel, upload_time=None)
    url = served.url
    demo.json = demo.html = False  # the file is there, but no index lists it
    held = newest_env.run_pip("install", url, index=demo)
    assert held.returncode == 75, held
    hook(newest_env, "approve", "demo==3.0", "--reason", "x", "--sha256", digest, "--filename", wheel.name)
    installed = newest_env.run_pip("install", url, index=demo)
    assert installed.returncode == 0, installed


def test_the_worst_of_the_chosen_decides(newest_env, demo, tmp_path):
    demo.add(make_wheel(tmp_path, "fine", "1.0"), upload_time=OLD)
    assert hook(newest_env, "check", "fine", index=demo).returncode == 0
    assert hook(newest_env, "check", "fine", "demo", index=demo).returncode == 75
    both = hook(newest_env, "check", "demo", "nosuch", "fine", "--json", index=demo)
    assert both.returncode == 2
    answer = told(both)
    assert [(one["project"], one["role"]) for one in answer["results"]] == [
        ("demo", "chosen"),
        ("demo", "instead"),
        ("fine", "chosen"),
    ]
    assert [error["slug"] for error in answer["errors"]] == ["usage"]


def test_a_hold_that_needs_a_person(newest_env, index, tmp_path):
    index.add(make_wheel(tmp_path, "demo", "1.0"), upload_time=None)
    result = hook(
        newest_env, "check", "demo", index=index, policy='[cooling]\nmissing_upload_time = "hold"\n'
    )
    assert result.returncode == 77, result
    assert "nothing else fits" in result.out


def test_refusing_instead_of_falling_back(newest_env, demo):
    result = hook(newest_env, "check", "demo", index=demo, policy='[cooling]\non_hold = "refuse"\n')
    assert result.returncode == 75
    assert "instead" not in result.out
    assert 'cooling.on_hold = "refuse"' in result.out


def test_the_shape_of_the_json(newest_env, demo):
    answer = told(hook(newest_env, "check", "demo", "--json", index=demo))
    assert (answer["command"], answer["errors"]) == ("check", [])
    chosen, instead = answer["results"]
    assert (chosen["project"], chosen["version"], chosen["filename"]) == ("demo", "2.0", WHEEL)
    assert (chosen["sha256"], chosen["index"]) == (demo.files[WHEEL].sha256, demo.url)
    assert chosen["verdict"] == "hold"
    assert datetime.fromisoformat(chosen["opens_at"]).utcoffset() == timedelta(0)
    (finding,) = chosen["findings"]
    assert {"signal", "severity", "confidence", "message", "path", "line", "reach", "new", "evidence"} <= set(
        finding
    )
    assert (instead["version"], instead["verdict"], instead["opens_at"], instead["findings"]) == (
        "1.0",
        "allow",
        None,
        [],
    )
    every = told(hook(newest_env, "check", "demo", "--all", "--json", index=demo))["results"]
    assert len(every) == 2


def test_a_broken_policy_is_told_as_json(newest_env, demo):
    for command in (("check", "demo"), ("explain", "demo==2.0"), ("status",)):
        result = hook(newest_env, *command, "--json", index=demo, policy='[cooling]\nmin_age = "soon"\n')
        assert result.returncode == 78, result
        (error,) = told(result)["errors"]
        assert (error["slug"], error["line"], error["key"]) == ("policy", 2, "cooling.min_age")
        assert result.stderr == ""


def test_requirements_are_read_as_pip_reads_them(newest_env, demo, tmp_path):
    demo.add(make_wheel(tmp_path, "other", "1.0"), upload_time=OLD)
    demo.add(make_wheel(tmp_path, "other", "2.0"), upload_time=OLD)
    (tmp_path / "constraints.txt").write_text("other<2\nunused==7\n")
    (tmp_path / "more.txt").write_text("other\n")
    sha256 = demo.files["demo-1.0-py3-none-any.whl"].sha256
    (tmp_path / "requirements.txt").write_text(
        f"# comment\n-c constraints.txt\n-r more.txt\ndemo --hash=sha256:{sha256}\nabsent; python_version < '3'\n"
    )
    answer = told(hook(newest_env, "check", "-r", tmp_path / "requirements.txt", "--json", index=demo))
    assert {(one["project"], one["version"], one["verdict"]) for one in answer["results"]} == {
        ("other", "1.0", "allow"),
        ("demo", "1.0", "allow"),
    }


def test_pre_and_yanked_releases_count_as_with_pip(newest_env, demo, tmp_path):
    demo.add(make_wheel(tmp_path, "demo", "3.0rc1"), upload_time=OLD)
    demo.add(make_wheel(tmp_path, "demo", "4.0"), upload_time=OLD, yanked="broken")
    versions = {}
    for arguments in (("demo",), ("demo", "--pre"), ("demo==4.0",)):
        answer = told(hook(newest_env, "check", *arguments, "--json", index=demo))
        versions[arguments] = answer["results"][0]["version"]
    assert versions == {("demo",): "2.0", ("demo", "--pre"): "3.0rc1", ("demo==4.0",): "4.0"}
    assert hook(newest_env, "check", "demo>=4", index=demo).returncode == 2


def test_where_to_look_is_pip_s(newest_env, demo, make_index, tmp_path):
    private = make_index(auth=("ada", "secret"))
    private.add(make_wheel(tmp_path, "ours", "1.0"), upload_time=YOUNG)
    result = hook(newest_env, "check", "ours", "--json", "--extra-index-url", private.auth_url, index=demo)
    assert result.returncode == 75, result
    (one,) = told(result)["results"]
    assert one["index"] == private.url
    assert "secret" not in result.out
    denied = hook(newest_env, "check", "ours", "-i", private.url, index=demo)
    assert denied.returncode == 78, denied
    assert "docs/errors.md#index" in denied.stderr

    local = hook(newest_env, "check", "ours", "--no-index", "-f", tmp_path)
    assert local.returncode == 0, local  # a file that is here already has no age


@pytest.mark.parametrize("ci", ["", "true"])
def test_a_ci_job_with_a_terminal_is_asked_for_no_password(newest_env, make_index, ci):
    private = make_index(auth=("ada", "secret"))
    terminal, inner = pty.openpty()
    environ = {**newest_env.environ(index=private.url), "CI": ci, "PIP_NO_INPUT": "0"}
    command = [newest_env.bin / "veln-hook", "check", "ours"]
    with subprocess.Popen(command, env=environ, stdin=inner, stdout=inner, stderr=inner) as process:
        os.close(inner)
        told = b""
        with suppress(OSError):  # the other end is closed
            while b"User for " not in told:
                told += os.read(terminal, 1 << 16)
        assert (b"User for " in told) is (not ci), told
        if not ci:
            process.kill()
    os.close(terminal)
    assert not ci or process.returncode == 78


def test_an_index_that_does_not_answer_is_no_missing_project(newest_env, demo):
    demo.fail["/simple/demo/"] = 503
    result = hook(newest_env, "check", "demo", index=demo)
    assert result.returncode == 78, result
    assert "503" in result.stderr


def test_urls_and_directories(newest_env, demo, tmp_path):
    result = hook(newest_env, "check", f"demo @ {demo.file_url(WHEEL)}", index=demo)
    assert result.returncode == 75, result  # its age is looked up on the index
    tree = make_tree(tmp_path / "tree", "mine", "1.0")
    result = hook(newest_env, "check", tree, index=demo)
    assert result.returncode == 0, result
    assert not demo.downloads


def test_explain_tells_findings_rules_layers(newest_env, demo):
    policy = '[cooling.projects]\ndemo = "3 days"\n'
    result = hook(newest_env, "explain", "Demo==2.0", index=demo, policy=policy)
    assert result.returncode == 0, result
    assert "HOLD  demo-2.0-py3-none-any.whl" in result.out
    assert f"hold by cooling.projects.demo (user: {newest_env.home.user_policy})" in result.out
    hook(newest_env, "approve", "demo==2.0", "--reason", "because", index=demo)
    (one,) = told(hook(newest_env, "explain", "demo==2.0", "--json", index=demo))["results"]
    (finding,) = one["findings"]
    assert (finding["rule"], finding["layer"]) == ("cooling.projects.demo", "user")
    assert (finding["decision"], finding["counts_as"]) == ("hold", "allow")
    assert (one["verdict"], one["approval"]) == ("allow", 1)
    assert [approval["reason"] for approval in one["approvals"]] == ["because"]


def test_explain_tells_exceptions(newest_env, demo):
    sha256 = demo.files[WHEEL].sha256
    policy = f'[[exceptions]]\nsha256 = "{sha256}"\nreason = "audited"\nexpires = 2099-01-01\n'
    result = hook(newest_env, "explain", "demo==2.0", index=demo, policy=policy)
    assert result.out.startswith("ALLOW"), result
    assert "exception audited" in result.out
    assert "until 2099-01-01 00:00 UTC, in force" in result.out


def test_a_page_can_not_drive_the_terminal(newest_env, demo):
    result = hook(newest_env, "check", "evil\x1b[2J", index=demo)
    assert result.returncode == 2
    assert "\x1b" not in result.out


def test_asking_begins_no_run_and_counts_no_clock_for_known_ages(newest_env, demo):
    hook(newest_env, "check", "demo", index=demo)
    hook(newest_env, "explain", "demo==2.0", index=demo)
    assert told(hook(newest_env, "log", "--json"))["results"] == []


def test_it_judges_without_the_start_up_file(newest_env, demo):
    (newest_env.site_packages / "veln_hook_startup.pth").unlink()
    result = hook(newest_env, "check", "demo", index=demo)
    assert result.returncode == 75, result
    assert "using demo 1.0 instead" in result.out


def test_pip_s_own_configuration_can_be_broken(newest_env, demo):
    result = hook(newest_env, "check", "demo", "--json", index=demo, env={"PIP_TIMEOUT": "soon"})
    assert result.returncode == 2, result
    assert told(result)["errors"][0]["slug"] == "usage"


# status and doctor


def test_status_of_a_protected_environment(env):  # on every pip
    result = hook(env, "status")
    assert result.returncode == 0, result
    assert f"pip {env.pair.pip} can be guarded at every point" in result.out
    assert "cooling 2 h (default)" in result.out
    assert "not-covered" in result.out
    assert "FAIL" not in result.out
    module = env.run("-m", "veln_hook", "status", "--json")
    assert module.returncode == 0
    assert {one["name"] for one in told(module)["results"] if one["ok"] is False} == set()


def test_status_without_the_start_up_file(newest_env):
    (newest_env.site_packages / "veln_hook_startup.pth").unlink()
    result = hook(newest_env, "status")
    assert result.returncode == 1, result
    assert "not protected" in result.out
    failed = {
        one["name"] for one in told(hook(newest_env, "status", "--json"))["results"] if one["ok"] is False
    }
    assert failed == {"hook", "start-file"}
    doctor = hook(newest_env, "doctor")
    assert doctor.returncode == 1
    assert f"remedy: {newest_env.python} -m pip install --force-reinstall veln-hook" in doctor.out


def test_status_sees_a_start_up_file_that_was_changed(newest_env):
    path = newest_env.site_packages / "veln_hook_startup.pth"
    path.write_text(path.read_text() + "import os\n")
    result = hook(newest_env, "status", "-q")
    assert result.returncode == 1
    assert result.stdout.count("\n") == 1
    assert "start-file" in result.out


def test_status_sees_that_it_is_switched_off(newest_env):
    result = hook(newest_env, "status", protected=False)
    assert result.returncode == 1
    assert "VELN_HOOK=off switches protection off" in result.out


def test_status_sees_a_dependency_that_is_too_old(newest_env):
    (info,) = newest_env.site_packages.glob("platformdirs-*.dist-info")
    metadata = info / "METADATA"
    lines = metadata.read_text().splitlines()
    metadata.write_text("\n".join("Version: 2.0" if x.startswith("Version:") else x for x in lines))
    result = hook(newest_env, "status")
    assert result.returncode == 1
    assert "platformdirs 2.0 is not >=2.5" in result.out


def test_status_sees_a_pip_that_lacks_a_point(newest_env):
    module = newest_env.site_packages / "pip/_internal/operations/install/wheel.py"
    module.write_text(module.read_text().replace("def install_wheel(", "def put_wheel("))
    result = hook(newest_env, "status")
    assert result.returncode == 1, result
    assert "can't be guarded" in result.out


def test_status_of_an_environment_without_pip(newest_env):
    newest_env.run("-m", "pip", "uninstall", "-y", "pip", check=True)
    result = hook(newest_env, "status")
    assert result.returncode == 0, result
    assert "there is no pip in this environment" in result.out
    check = hook(newest_env, "check", "demo")
    assert check.returncode == 78, check
    assert "docs/errors.md#unsupported-pip" in check.stderr


def test_a_damaged_installation_is_told_in_words(newest_env):
    for file in newest_env.site_packages.glob("pluggy/*.py"):
        file.unlink()
    result = hook(newest_env, "status")
    assert result.returncode == 78, result
    assert "Traceback" not in result.out
    assert f"Repair: {newest_env.python} -m pip install --force-reinstall veln-hook" in result.stderr
    assert told(hook(newest_env, "status", "--json"))["errors"][0]["slug"] == "damaged"


def test_status_tells_a_project_that_wants_to_loosen(newest_env):
    (newest_env.home.work / "pyproject.toml").write_text('[tool.veln-hook.cooling]\nmin_age = "0"\n')
    result = hook(newest_env, "status")
    assert result.returncode == 0
    assert "1 setting of" in result.out
    assert "cooling 2 h" in result.out
    assert "ignored: cooling.min_age = " in hook(newest_env, "doctor").out


def test_the_start_up_file_is_compared_with_record(newest_env):
    (record,) = newest_env.site_packages.glob("veln_hook-*.dist-info/RECORD")
    path = newest_env.site_packages / "veln_hook_startup.pth"
    digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).decode().rstrip("=")
    assert f"veln_hook_startup.pth,sha256={digest}," in record.read_text()
    record.write_text("\n".join(x for x in record.read_text().splitlines() if "startup.pth" not in x) + "\n")
    result = hook(newest_env, "status")
    assert result.returncode == 1
    assert "not in the RECORD" in result.out


def test_doctor_holds_our_files_against_record(make_env):
    env = make_env()

    def files() -> dict[str, Any]:
        (row,) = [each for each in told(hook(env, "doctor", "--json"))["results"] if each["name"] == "files"]
        return row

    assert files()["ok"] is True
    changed, gone = (env.site_packages / "veln_hook" / "cli" / name for name in ("log.py", "late.py"))
    changed.write_text(changed.read_text() + "# changed\n")
    gone.unlink()
    row = files()
    assert row["ok"] is False
    assert {f"{changed} was changed since it was installed", f"{gone}: No such file or directory"} == set(
        row["details"]
    )
    assert "--force-reinstall veln-hook" in row["remedy"]
