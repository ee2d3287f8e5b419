"""A fresh Debian: two commands make an image of it, and one takes that back."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from machine import OLD, USER, YOUNG, Image
from rootfs import NoRootfsError, Rootfs

from support import cache, uv_versions
from support.builders import make_wheel
from support.index_server import IndexServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.online]

SUITE, PYTHON = "bookworm", "3.11"
PACKAGES = "python3,python3-venv,ca-certificates"
COMMANDS = (
    "python3 -m venv /opt/tool && /opt/tool/bin/pip install --quiet 'veln-hook[gate]'",
    "/opt/tool/bin/veln-hook enable --image",
)


@pytest.fixture(scope="module")
def debian() -> Path:
    """A minimal Debian with Python, fetched once."""
    if shutil.which("debootstrap") is None:
        pytest.skip("debootstrap is not installed")
    place = cache.cache_directory() / f"debian-{SUITE}"
    with cache.making(place) as missing:
        if missing:
            words = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(place)]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                shutil.rmtree(place, ignore_errors=True)
                pytest.skip(f"no Debian can be had here: {done.stdout.strip().splitlines()[-1:]}")
    return place


@pytest.fixture(scope="module")
def fresh(debian: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    try:
        rootfs = Rootfs(str(debian))
    except NoRootfsError as error:
        pytest.skip(str(error))
    wheels = tmp_path_factory.mktemp("wheels")
    with IndexServer() as index:
        needed = {*cache.dependency_wheels(PYTHON), *cache.gate_wheels(PYTHON), cache.hook_wheel()}
        for wheel in {*needed, *cache.download("virtualenv", PYTHON, ["virtualenv"], deps=True)}:
            index.add(wheel, upload_time=OLD)
        index.add(make_wheel(wheels, "demo", "1.0"), upload_time=OLD)
        index.add(make_wheel(wheels, "demo", "2.0"), upload_time=YOUNG)
        image = Image(rootfs, index)
        uv = uv_versions.uv_bin(uv_versions.NEWEST)
        for name in ("uv", "uvx"):
            put = rootfs.run(
                "sh", "-c", f"cat > /usr/local/bin/{name} && chmod 755 /usr/local/bin/{name}", given=uv / name
            )
            assert put.returncode == 0, put
        yield image
    rootfs.close()


def test_two_commands_and_back(fresh: Image) -> None:
    first, second = COMMANDS
    assert fresh.run("sh", "-c", first).returncode == 0
    before = fresh.rootfs.changed()
    enabled = fresh.run("sh", "-c", second)
    assert enabled.returncode == 0, enabled

    ways = {
        "venv": ["python3", "-m", "venv", "/tmp/e1"],
        "virtualenv": ["/tmp/tools/bin/virtualenv", "-q", "--no-download", "/tmp/e2"],
        "uv venv": ["uv", "venv", "--quiet", "/tmp/e3"],
    }
    env = {"UV_DEFAULT_INDEX": fresh.index.url}
    assert fresh.run("python3", "-m", "venv", "/tmp/tools", user=USER).returncode == 0
    assert fresh.run("/tmp/tools/bin/pip", "install", "-q", "virtualenv", user=USER).returncode == 0
    for number, (way, words) in enumerate(ways.items(), start=1):
        made = fresh.run(*words, user=USER, env=env)
        assert made.returncode == 0, (way, made)
        if way != "uv venv":  # which has no pip
            fresh.holds(f"/tmp/e{number}/bin/python", user=USER)
        held = fresh.run(
            "uv", "pip", "install", "--python", f"/tmp/e{number}", "demo==2.0", user=USER, env=env
        )
        assert held.returncode == 75, (way, held)

    disabled = fresh.run("/opt/tool/bin/veln-hook", "disable", "--image")
    assert disabled.returncode == 0, disabled
    after = fresh.rootfs.changed()
    assert {
        path: what for path, what in after.items() if before.get(path) != what and "/tmp" not in path
    } == {}
    assert set(before) <= set(after)
