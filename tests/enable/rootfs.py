"""This machine's file system with a layer on top: what is done there, is done for nobody else.

It stands in for an image: its interpreters are real ones, root is root there, and
what was changed can be looked up file by file.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from support.envs import Result

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLACE = "/dev/shm"
_SETUP = """
set -e
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount --rbind /proc "$1/root/proc"
mount --rbind /sys "$1/root/sys"
mount --rbind /dev "$1/root/dev"
mount -t tmpfs -o mode=1777 tmp "$1/root/tmp"
echo ready
exec sleep infinity
"""
SECONDS = 300


class NoRootfsError(Exception):
    """This machine can't have one; the text tells why."""


class Rootfs:
    """One such file system, until it is closed.

    Args:
        lower: What the layer is put on.
    """

    def __init__(self, lower: str = "/") -> None:
        if os.geteuid() != 0:
            raise NoRootfsError("only root can mount")
        self._lower = lower
        self._place = Path(tempfile.mkdtemp(prefix="veln-rootfs-", dir=_PLACE))
        self._place.chmod(0o755)
        for name in ("upper", "work", "root"):
            (self._place / name).mkdir(mode=0o755)
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", _SETUP, "sh", str(self._place), lower],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._holder.stdout is not None
        assert self._holder.stderr is not None
        if self._holder.stdout.readline().strip() != "ready":
            problem = self._holder.stderr.read().strip()
            self.close()
            raise NoRootfsError(f"no layer can be mounted: {problem}")

    def run(
        self,
        *words: str | Path,
        env: Mapping[str, str] | None = None,
        user: int = 0,
        cwd: str = "/tmp",
        given: Path | None = None,
    ) -> Result:
        """Run a command in it.

        Args:
            *words: The command.
            env: Its variables, besides PATH, HOME and such.
            user: Its uid and gid.
            cwd: Where it is started.
            given: A file of this machine's that it has as its standard input.
        """
        environ = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root" if user == 0 else f"/tmp/home-{user}",
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "200",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_ROOT_USER_ACTION": "ignore",
            **(env or {}),
        }
        enter = ["nsenter", "--mount", f"--target={self._holder.pid}", "chroot", f"{self._place}/root"]
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        there = ["sh", "-c", 'mkdir -p "$HOME"; cd "$1"; shift; exec "$@"', "sh", cwd]
        command = [*enter, *become, *there, *map(str, words)]
        with open(given or os.devnull, "rb") as stdin:
            done = subprocess.run(
                command,
                env=environ,
                stdin=stdin,
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS,
            )
        return Result(tuple(map(str, words)), done.returncode, done.stdout, done.stderr)

    def path(self, inside: str) -> Path:
        """Return where a file of it can be reached from outside, to be read."""
        return Path(f"/proc/{self._holder.pid}/root{self._place}/root{inside}")

    def changed(self) -> dict[str, str]:
        """Return each file that isn't as below, and what is different; times of directories don't count."""
        found = {}
        upper = self._place / "upper"
        for directory, _, names in os.walk(upper):
            for name in names:
                mine = Path(directory, name)
                name_inside = str(Path("/", mine.relative_to(upper)))
                difference = _difference(mine, Path(self._lower, mine.relative_to(upper)))
                if difference:
                    found[name_inside] = difference
            inside = Path(directory).relative_to(upper)
            if not Path(self._lower, inside).is_dir():
                found[str(Path("/", inside))] = "new directory"
        return found

    def close(self) -> None:
        """Be gone with all that was done."""
        self._holder.kill()
        self._holder.communicate()
        shutil.rmtree(self._place, ignore_errors=True)


def _difference(mine: Path, below: Path) -> str:
    status = mine.lstat()
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
        return "removed"
    if not os.path.lexists(below):
        return "new"
    other = below.lstat()
    if stat.S_ISLNK(status.st_mode) or stat.S_ISLNK(other.st_mode):
        same = mine.is_symlink() and below.is_symlink() and mine.readlink() == below.readlink()
        return "" if same else "another link"
    if mine.read_bytes() != below.read_bytes():
        return "other bytes"
    for what in ("st_mode", "st_uid", "st_gid", "st_mtime_ns"):
        if getattr(status, what) != getattr(other, what):
            return f"{what}: {getattr(other, what)} became {getattr(status, what)}"
    return ""
