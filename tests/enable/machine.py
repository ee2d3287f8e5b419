"""A machine with veln-hook in a directory of its own, and what is done there."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rootfs import NoRootfsError, Rootfs

from support import uv_versions
from support.builders import make_wheel
from support.cache import dependency_wheels, gate_wheels, hook_wheel
from support.index_server import IndexServer
from support.pythons import PYTHONS, find_python, newest_pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.envs import Result

OLD, YOUNG = timedelta(days=365), timedelta(minutes=12)
TOOL = "/opt/tool"
ACTIVE = "import sys; m = sys.modules.get('veln_hook'); print(m is not None and m in sys.meta_path)"
USER = 54321


class Image:
    """A file system, and what is done in it."""

    def __init__(self, rootfs: Rootfs, index: IndexServer) -> None:
        self.rootfs = rootfs
        self.index = index
        self.env = {"PIP_INDEX_URL": index.url, "PIP_TRUSTED_HOST": "127.0.0.1"}

    def run(self, *words: str, user: int = 0, env: dict[str, str] | None = None, cwd: str = "/tmp") -> Result:
        return self.rootfs.run(*words, user=user, env={**self.env, **(env or {})}, cwd=cwd)

    def hook(self, *words: str, **more) -> Result:
        return self.run(f"{TOOL}/bin/veln-hook", *words, **more)

    def write_policy(self, text: str) -> None:
        """Write the machine's policy file."""
        script = 'mkdir -p /etc/xdg/veln-hook; printf %s "$1" > /etc/xdg/veln-hook/policy.toml'
        self.run("sh", "-c", script, "sh", text)

    def holds(self, python: str, *options: str, **more) -> Result:
        """Have a pip try to install the young release into a directory; it must be held."""
        result = self.run(python, *options, "-m", "pip", "install", "--target", "/tmp/t", "demo==2.0", **more)
        assert result.returncode == 75, result
        assert "HOLD  demo 2.0" in result.out, result
        return result


def make(wheels: Path) -> Iterator[Image]:
    """Yield a machine where nothing is enabled yet.

    Args:
        wheels: A directory for what its index serves.
    """
    try:
        rootfs = Rootfs()
    except NoRootfsError as error:
        pytest.skip(str(error))
    pair = newest_pair()
    with IndexServer() as index:
        needed = {*dependency_wheels(PYTHONS[0]), *dependency_wheels(pair.python), *gate_wheels(pair.python)}
        for wheel in {*needed, hook_wheel()}:
            index.add(wheel, upload_time=OLD)
        index.add(make_wheel(wheels, "demo", "1.0"), upload_time=OLD)
        index.add(make_wheel(wheels, "demo", "2.0"), upload_time=YOUNG)
        image = Image(rootfs, index)
        # What lies in root's home here, lies elsewhere on other machines; users can run it there.
        uv = uv_versions.uv_bin(uv_versions.NEWEST)
        pythons = [str(find_python(version)) for version in PYTHONS if find_python(version)]
        for place in {str(above) for path in (str(uv), *pythons) for above in Path(path).parents}:
            image.run("chmod", "a+rx", place)
        image.run("cp", str(uv / "uv"), str(uv / "uvx"), "/usr/local/bin")
        image.run(str(find_python(pair.python)), "-m", "venv", TOOL)
        done = image.run(f"{TOOL}/bin/pip", "install", "--quiet", "veln-hook[gate]")
        assert done.returncode == 0, done
        yield image
    rootfs.close()
