"""The examples of images and CI services: files are parsed, and their steps are executed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from support import uv_versions
from support.builders import make_wheel
from support.cache import ROOT, bare_venv, copy_venv, dependency_wheels, gate_wheels, hook_wheel
from support.envs import Home, Result
from support.lock_files import Locked, LockedFile, uv_lock
from support.pythons import newest_pair

if TYPE_CHECKING:
    from support.index_server import IndexServer

sys.path.append(str(ROOT / "tests/enable"))

EXAMPLES = ROOT / "examples"
OLD, YOUNG = timedelta(days=365), timedelta(minutes=12)


@pytest.fixture
def served(index: IndexServer, tmp_path: Path) -> IndexServer:
    """An index with veln-hook, what it needs, an old demo and a young one."""
    python = newest_pair().python
    for wheel in {*dependency_wheels(python), *dependency_wheels("3.9"), *gate_wheels(python), hook_wheel()}:
        index.add(wheel, upload_time=OLD)
    index.add(make_wheel(tmp_path / "wheels", "demo", "1.0"), upload_time=OLD)
    index.add(make_wheel(tmp_path / "wheels", "demo", "2.0"), upload_time=YOUNG)
    return index


class Job:
    """A checkout on a machine of a CI service, with a Python that has no veln-hook yet."""

    def __init__(self, home: Home, index: IndexServer, tmp_path: Path, **environ: str) -> None:
        self.prefix = tmp_path / "machine"
        copy_venv(bare_venv(newest_pair()), self.prefix)
        self.place = home.work / "checkout"
        self.place.mkdir()
        self.summary = tmp_path / "summary.md"
        self.summary.write_text("")
        self.environ = {
            **home.environ(),
            "PATH": f"{self.prefix}/bin:{os.environ['PATH']}",
            "PIP_INDEX_URL": index.url,
            "PIP_TRUSTED_HOST": "127.0.0.1",
            "CI": "true",
            **environ,
        }
        self.environ.pop("PIP_NO_INDEX")

    def needs(self, *lines: str) -> None:
        (self.place / "requirements.txt").write_text("".join(f"{line}\n" for line in lines))

    def run(self, script: str) -> Result:
        """Run one step as the services do: every command of it must succeed."""
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script],
            env=self.environ, cwd=self.place, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        return Result((script,), done.returncode, done.stdout, done.stderr)


def github_steps() -> list[str]:
    workflow: Any = yaml.safe_load((EXAMPLES / "github_actions/tests.yml").read_text())
    assert workflow["permissions"] == {"contents": "read"}
    return [step["run"] for step in workflow["jobs"]["tests"]["steps"] if "run" in step]


@pytest.mark.slow
def test_github_holds_what_is_young_and_goes_on(home: Home, served: IndexServer, tmp_path: Path) -> None:
    job = Job(home, served, tmp_path, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"))
    job.needs("# ours", "demo")
    results = [job.run(step) for step in github_steps()]
    assert [result.returncode for result in results] == [0, 0, 0], results
    (told,) = [line for line in results[1].stderr.splitlines() if line.startswith("::")]
    assert told.startswith("::warning file=requirements.txt,line=2,title=veln-hook%3A hold demo 2.0::")
    assert "| hold | " in job.summary.read_text()
    assert "| 1.0 |" in job.summary.read_text()


@pytest.mark.slow
def test_github_fails_with_75_and_says_when_to_run_again(
    home: Home, served: IndexServer, tmp_path: Path
) -> None:
    job = Job(home, served, tmp_path, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"))
    job.needs("demo==2.0")
    first, install, _ = github_steps()
    assert job.run(first).returncode == 0
    result = job.run(install)
    assert result.returncode == 75, result
    assert "::warning file=requirements.txt,line=1," in result.stderr
    assert "run this job again" in job.summary.read_text()


@pytest.mark.slow
@pytest.mark.parametrize(("wanted", "status"), [("demo==2.0", 75), ("demo", 0)])
def test_gitlab(home: Home, served: IndexServer, tmp_path: Path, wanted: str, status: int) -> None:
    pipeline: Any = yaml.safe_load((EXAMPLES / "gitlab_ci/.gitlab-ci.yml").read_text())
    job = Job(home, served, tmp_path, GITLAB_CI="true")
    job.needs(wanted)
    result = job.run("\n".join(pipeline["tests"]["script"]))
    assert result.returncode == status, result
    assert "section_start:" in result.stderr
    assert "veln_hook_demo_2_0[collapsed=false]" in result.stderr
    assert pipeline["tests"]["retry"]["exit_codes"] == [75]


def test_pre_commit(home: Home, served: IndexServer, tmp_path: Path) -> None:
    config: Any = yaml.safe_load((EXAMPLES / "pre_commit/.pre-commit-config.yaml").read_text())
    (hook,) = config["repos"][0]["hooks"]
    job = Job(home, served, tmp_path)
    assert job.run("python -m pip install -q veln-hook").returncode == 0
    for name, wanted in {"requirements.txt": "demo==1.0", "requirements-dev.txt": "demo==2.0"}.items():
        assert re.search(hook["files"], name)
        (job.place / name).write_text(f"{wanted}\n")
    assert job.run(f"{hook['entry']} requirements.txt").returncode == 0
    held = job.run(f"{hook['entry']} requirements.txt requirements-dev.txt")
    assert held.returncode == 75, held


@pytest.mark.slow
@pytest.mark.parametrize("tampered", [False, True])
def test_github_judges_a_lock(home: Home, served: IndexServer, tmp_path: Path, tampered: bool) -> None:
    workflow: Any = yaml.safe_load((EXAMPLES / "github_actions/locks.yml").read_text())
    assert workflow["permissions"] == {"contents": "read"}
    steps = [step["run"] for step in workflow["jobs"]["locks"]["steps"] if "run" in step]
    job = Job(home, served, tmp_path, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"))
    old, young = served.files["demo-1.0-py3-none-any.whl"], served.files["demo-2.0-py3-none-any.whl"]
    pins = [
        Locked("demo", one.version, [LockedFile(one.filename, one.sha256, one.url)]) for one in (old, young)
    ]
    if tampered:
        pins[0] = pins[0].tampered(old.filename)
    (job.place / "uv.lock").write_text(uv_lock(pins))
    first, judge = steps
    assert job.run(first).returncode == 0
    result = job.run(judge)
    assert result.returncode == (1 if tampered else 75), result
    summary = job.summary.read_text()
    assert summary.startswith("### veln-hook\n")
    assert "| hold | demo 2.0 | uv.lock:" in summary
    assert ("| block | demo 1.0 | uv.lock:" in summary) is tampered
    assert ("run this job again" in summary) is not tampered


NAMES_OF_LOCKS = {
    "uv.lock": True, "a/b/poetry.lock": True, "pdm.lock": True, "pylock.toml": True, "pylock.dev.toml": True,
    "requirements.txt": True, "requirements-dev.txt": True, "notes.txt": False, "Cargo.lock": False,
    "xuv.lock": False, "pyproject.toml": False,
}  # fmt: skip


def test_the_hook_that_pre_commit_finds_here(home: Home, served: IndexServer, tmp_path: Path) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert (hook["id"], hook["language"]) == ("veln-hook-check", "python")
    example: Any = yaml.safe_load((EXAMPLES / "pre_commit/.pre-commit-config.yaml").read_text())
    for files in (hook["files"], example["repos"][0]["hooks"][0]["files"]):
        assert {name: bool(re.search(files, name)) for name in NAMES_OF_LOCKS} == NAMES_OF_LOCKS
    job = Job(home, served, tmp_path)
    # As pre-commit does with "language: python".
    assert job.run("python -m pip install -q veln-hook").returncode == 0
    file = served.files["demo-2.0-py3-none-any.whl"]
    lock = uv_lock([Locked("demo", "2.0", [LockedFile(file.filename, file.sha256, file.url)])])
    (job.place / "uv.lock").write_text(lock)
    job.needs("demo==1.0")
    held = job.run(f"{hook['entry']} uv.lock requirements.txt")
    assert held.returncode == 75, held
    assert "HOLD  demo 2.0" in held.out
    assert "demo 1.0" in held.out


@pytest.mark.online
def test_pre_commit_itself(home: Home, served: IndexServer, tmp_path: Path) -> None:
    try:
        client = uv_versions.client_venv("pre-commit", ["pre-commit>=4"])
    except uv_versions.NotHereError as error:
        pytest.skip(str(error))
    repository, place = tmp_path / "repository", home.work / "checkout"
    place.mkdir()
    ignored = shutil.ignore_patterns(".git", "__pycache__", ".*_cache", "tests", "docs", "benchmarks")
    shutil.copytree(ROOT, repository, ignore=ignored)
    environ = {
        **home.environ(online=True),
        "PATH": f"{client}/bin:{os.environ['PATH']}",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@example.org",
        "GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": "x@example.org",
        "PIP_EXTRA_INDEX_URL": served.url,
        "PIP_TRUSTED_HOST": "127.0.0.1",
    }  # fmt: skip

    def do(where: Path, *words: str) -> Result:
        done = subprocess.run(
            words, env=environ, cwd=where, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        return Result(words, done.returncode, done.stdout, done.stderr)

    for where in (repository, place):
        assert do(where, "git", "init", "-q").returncode == 0
    assert do(repository, "git", "add", ".").returncode == 0
    assert do(repository, "git", "commit", "-qm", "x").returncode == 0
    file = served.files["demo-2.0-py3-none-any.whl"]
    pin = Locked("demo", "2.0", [LockedFile(file.filename, file.sha256, file.url)])
    # PyPI has another project of that name, and is asked here, too.
    lock = uv_lock([pin], registry=served.url)
    (place / "uv.lock").write_text(lock)
    (place / "notes.txt").write_text("no lock\n")
    assert do(place, "git", "add", ".").returncode == 0
    result = do(place, f"{client}/bin/pre-commit", "try-repo", str(repository), "--all-files", "--verbose")
    assert result.returncode == 1, result
    assert "HOLD  demo 2.0" in result.out, result
    assert "exit code: 75" in result.out, result


def run_lines(path: Path) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile that something can be done with, as pairs of word and rest."""
    text = re.sub(r"\\\n\s*", "", path.read_text())
    lines = [line.partition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in lines]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.nonroot"])
def test_a_base_image(served: IndexServer, name: str) -> None:
    rootfs_module = pytest.importorskip("rootfs")
    try:
        rootfs = rootfs_module.Rootfs()
    except rootfs_module.NoRootfsError as error:
        pytest.skip(str(error))
    user, env, cwd = 0, {"PIP_INDEX_URL": served.url, "PIP_TRUSTED_HOST": "127.0.0.1"}, "/tmp"
    try:
        # This machine stands in for the image that it begins with.
        python = bare_venv(newest_pair()) / "bin/python"
        base = rootfs.run(
            python, "-c", "import os, sys; print(os.path.realpath(sys._base_executable))"
        ).stdout.strip()
        for place in Path(base).parents:
            rootfs.run("chmod", "a+rx", place)
        rootfs.run("sh", "-c", f"ln -sf {base} /usr/local/bin/python; ln -sf {base} /usr/local/bin/python3")
        for word, rest in run_lines(EXAMPLES / "base_image" / name):
            if word == "RUN" and "apt-get" not in rest:
                done = rootfs.run("sh", "-ec", rest, env=env, user=user, cwd=cwd)
                assert done.returncode == 0, done
                if rest.startswith("useradd"):
                    user = int(rootfs.run("id", "-u", "app").stdout)
                    env["HOME"] = "/home/app"
            elif word == "COPY":
                source, to = rest.split()
                text = (EXAMPLES / "base_image" / source).read_text()
                rootfs.run("sh", "-c", 'mkdir -p "$(dirname "$1")"; printf %s "$2" > "$1"', "sh", to, text)
            elif word == "WORKDIR":
                cwd = rest
            elif word == "ENV" and rest.startswith("PATH="):
                env["PATH"] = rest[5:].replace(
                    "$PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
                )
        held = rootfs.run(
            python if user == 0 else ".venv/bin/python",
            "-m",
            "pip",
            "download",
            "-d",
            "/tmp/d",
            "demo==2.0",
            env=env,
            user=user,
            cwd=cwd,
        )
        assert held.returncode == 75, held
        assert "policy: 1 day" in held.out
        off = rootfs.run(
            "sh",
            "-c",
            "python3 -m pip download -d /tmp/d demo==2.0",
            env={**env, "VELN_HOOK": "off"},
            user=user,
        )
        assert off.returncode == 75, off
    finally:
        rootfs.close()


def test_a_development_container() -> None:
    settings = json.loads((EXAMPLES / "devcontainer/devcontainer.json").read_text())
    place = EXAMPLES / "devcontainer"
    assert (place / settings["build"]["dockerfile"]).resolve() == EXAMPLES / "base_image/Dockerfile"
    assert (place / settings["build"]["context"]).resolve() == EXAMPLES / "base_image"


@pytest.mark.online
@pytest.mark.parametrize(("wanted", "status"), [("demo", 0), ("demo==2.0", 1)])
def test_tox(home: Home, served: IndexServer, tmp_path: Path, wanted: str, status: int) -> None:
    try:
        tox = uv_versions.client_venv("tox", ["tox>=4"])
    except uv_versions.NotHereError as error:
        pytest.skip(str(error))
    place = home.work / "checkout"
    place.mkdir()
    text = (EXAMPLES / "tox/tox.ini").read_text().replace("deps = demo", f"deps = {wanted}")
    (place / "tox.ini").write_text(text)
    shutil.copy(EXAMPLES / "tox/README.md", place)
    environ = {
        **home.environ(online=True),
        "PIP_EXTRA_INDEX_URL": served.url,
        "PIP_TRUSTED_HOST": "127.0.0.1",
    }
    done = subprocess.run(
        [tox / "bin/tox", "-v"], env=environ, cwd=place, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    result = Result(("tox",), done.returncode, done.stdout, done.stderr)
    assert bool(done.returncode) is bool(status), result
    assert ("HOLD  demo 2.0" if status else "tested 1.0") in result.out, result
