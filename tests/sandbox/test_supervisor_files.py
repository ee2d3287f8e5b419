"""Modes, owners, times and attributes of files under a supervisor: changed where it may write, and nowhere else."""

from __future__ import annotations

import os
import stat
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from supervised import Supervised, compiled, needs_supervisor

from veln_hook.sandbox import system

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = needs_supervisor

NUMBERS = {
    name: system.number(name)
    for name in (
        *("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchown", "fchownat"),
        *("utime", "utimes", "futimesat", "utimensat", "truncate"),
        *("setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr"),
    )
}
TIMES = "struct.pack('=qqqq', 5, 0, 7, 0)"

# What each call is given for a path P, and a descriptor F of the same file.
CHANGES = {
    "chmod": "P, 0o640",
    "fchmod": "F, 0o640",
    "fchmodat": "-100, P, 0o640",
    "fchmodat2": "-100, P, 0o640, 0",
    "fchmodat2 ": "F, b'', 0o640, 0x1000",
    "chown": "P, UID, GID",
    "lchown": "P, UID, GID",
    "fchown": "F, UID, GID",
    "fchownat": "-100, P, UID, GID, 0",
    "fchownat ": "F, b'', UID, GID, 0x1000",
    "utime": "P, struct.pack('=qq', 5, 7)",
    "utimes": f"P, {TIMES}",
    "futimesat": f"-100, P, {TIMES}",
    "utimensat": f"-100, P, {TIMES}, 0",
    "utimensat ": f"F, 0, {TIMES}, 0",
    "setxattr": "P, b'user.test', b'value', 5, 0",
    "lsetxattr": "P, b'user.test', b'value', 5, 0",
    "fsetxattr": "F, b'user.test', b'value', 5, 0",
    "removexattr": "P, b'user.old'",
    "lremovexattr": "P, b'user.old'",
    "fremovexattr": "F, b'user.old'",
    "truncate": "P, 3",
}
OWNING = "UID, GID = os.getuid(), os.getgid()"


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Supervised]:
    with Supervised(tmp_path) as made:
        yield made


def made_file(path: Path) -> Path:
    path.write_text("contents")
    path.chmod(0o600)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    try:
        os.setxattr(path, "user.old", b"old")
    except OSError:
        pytest.skip("needs a file system with attributes of users")
    return path


def state(path: Path) -> tuple[Any, ...]:
    found = path.lstat()
    attributes = [
        (name, os.getxattr(path, name)) for name in sorted(os.listxattr(path)) if name.startswith("user.")
    ]
    return (
        found.st_mode,
        found.st_uid,
        found.st_gid,
        int(found.st_atime),
        int(found.st_mtime),
        found.st_size,
        attributes,
    )


def changing(name: str, path: str) -> str:
    number = NUMBERS[name.strip()]
    return f"""
    {OWNING}
    P = os.fsencode({path!r})
    F = os.open(P, os.O_RDONLY)
    tell(call({number}, {CHANGES[name]}))
    """


@pytest.mark.parametrize("name", CHANGES)
def test_files_are_changed_where_it_may_write_only(name: str, box: Supervised) -> None:
    if NUMBERS[name.strip()] is None:
        pytest.skip(f"{system.MACHINE} has no {name}")
    inside, elsewhere = made_file(box.write / "file"), made_file(box.outside / "file")
    before = state(inside)
    told = box.run(changing(name, "file"), abi=2).told
    if told == "ENOSYS":
        pytest.skip(f"this kernel has no {name}")
    assert told == ""
    changed = state(inside) != before
    assert changed != ("chown" in name)  # to the owner that it has
    before = state(elsewhere)
    assert box.run(changing(name, str(elsewhere)), abi=2).told == "EPERM"
    assert state(elsewhere) == before


def test_the_change_is_the_one_that_was_asked_for(box: Supervised) -> None:
    made_file(box.write / "file")
    code = """
    os.chmod("file", 0o751)
    os.utime("file", ns=(1_500_000_001, 2_500_000_002))
    os.setxattr("file", "user.big", b"v" * 2000, os.XATTR_CREATE)
    told = [error(os.setxattr, "file", "user.big", b"", os.XATTR_CREATE), error(os.setxattr, "file", "user.x" * 60, b"")]
    os.removexattr("file", "user.old")
    told.append(error(os.removexattr, "file", "user.old"))
    found = os.stat("file")
    told += [oct(found.st_mode), found.st_atime_ns, found.st_mtime_ns, os.listxattr("file"), len(os.getxattr("file", "user.big"))]
    os.utime("file")
    told.append(time.time() - os.stat("file").st_mtime < 1000)
    os.utime("file", (3, 4), follow_symlinks=False)
    told.append(os.stat("file").st_mtime)
    tell(told)
    """
    assert box.run(code).told == [
        *("EEXIST", "ERANGE", "ENODATA", "0o100751", 1_500_000_001, 2_500_000_002, ["user.big"], 2000),
        *(True, 4),
    ]


def test_no_way_of_naming_a_file_outside_changes_it(box: Supervised) -> None:
    target = made_file(box.outside / "file")
    hidden = box.write / "hidden"
    hidden.mkdir()
    secret = made_file(hidden / "file")
    os.symlink(target, box.write / "link")
    os.symlink(box.outside, box.write / "directory")
    os.symlink("/proc/self/fd/3", box.write / "ours")
    before = state(target), state(secret)
    code = """
    outside = os.environ["OUTSIDE"]
    directory = os.open(outside, os.O_RDONLY)
    file = os.open(outside + "/file", os.O_RDONLY)
    named = os.open(outside + "/file", os.O_PATH)
    ways = {
        "path": lambda: os.chmod(outside + "/file", 0o777),
        "dots": lambda: os.chmod("../outside/file", 0o777),
        "link": lambda: os.chmod("link", 0o777),
        "link in the path": lambda: os.chmod("directory/file", 0o777),
        "descriptor": lambda: os.fchmod(file, 0o777),
        "path only": lambda: os.chmod(f"/proc/self/fd/{named}", 0o777),
        "own descriptor": lambda: os.chmod(f"/dev/fd/{file}", 0o777),
        "of a thread": lambda: os.chmod(f"/proc/thread-self/fd/{file}", 0o777),
        "directory": lambda: os.chmod("file", 0o777, dir_fd=directory),
        "current directory": lambda: [os.chdir(outside), os.chmod("file", 0o777)],
        "hidden": lambda: os.chmod(os.environ["WRITE"] + "/hidden/file", 0o777),
        "the directory itself": lambda: os.chmod(outside, 0o700),
        "root of the process": lambda: os.chmod("/proc/self/root" + outside + "/file", 0o777),
        "a supervisor's descriptor": lambda: os.chmod(os.environ["WRITE"] + "/ours", 0o777),
    }
    tell({name: error(way) for name, way in ways.items()})
    """
    told = box.run(code, hide=[str(hidden)]).told
    assert set(told.values()) == {"EPERM"}, told
    assert (state(target), state(secret)) == before


def test_descriptors_are_the_threads_own(box: Supervised) -> None:
    made_file(box.write / "file")
    code = """
    os.dup2(os.open("file", os.O_RDONLY), 50)
    told = []
    for path in ("/proc/self/fd/50", "/proc/thread-self/fd/50", "/dev/fd/50"):
        os.chmod("file", 0o600)
        os.chmod(path, 0o644)
        told.append(oct(os.stat("file").st_mode))
    told += [error(os.chmod, "/proc/self/fd/999", 0o644), error(os.fchmod, 999, 0o644), error(os.chmod, "", 0o644),
             error(os.chmod, "x" * 5000, 0o644), error(os.chmod, "file/x", 0o644), error(os.chmod, "none", 0o644)]
    tell(told)
    """
    assert box.run(code).told == [
        *["0o100644"] * 3,
        "ENOENT",
        "EBADF",
        "ENOENT",
        "ENAMETOOLONG",
        "ENOTDIR",
        "ENOENT",
    ]


def test_links_are_changed_themselves_where_asked(box: Supervised) -> None:
    target = made_file(box.outside / "file")
    before = state(target)
    os.symlink(target, box.write / "link")
    code = f"""
    {OWNING}
    os.lchown("link", UID, GID)
    os.utime("link", (3, 4), follow_symlinks=False)
    tell([os.lstat("link").st_mtime, error(os.utime, "link", (3, 4)), call({NUMBERS["fchmodat2"]}, -100, b"link", 0o600, 0x100)])
    """
    told = box.run(code).told
    assert told[:2] == [4, "EPERM"]
    assert told[2] in ("EOPNOTSUPP", "ENOSYS")
    assert state(target) == before


def test_what_would_run_as_its_owner_is_not_made(box: Supervised) -> None:
    code = """
    open("file", "w").close()
    os.mkdir("directory")
    told = {
        "chmod": error(os.chmod, "file", 0o4755),
        "group": error(os.chmod, "file", 0o2755),
        "open": error(os.open, "new", os.O_CREAT | os.O_WRONLY, 0o4755),
        "node": error(os.mknod, "node", stat.S_IFREG | 0o4755),
        "unnamed": error(os.open, ".", os.O_TMPFILE | os.O_RDWR, 0o4755),
        "directory": error(os.chmod, "directory", 0o2755),
        "sticky": error(os.chmod, "directory", 0o1777),
        "capability": error(os.setxattr, "file", "security.capability", bytes(20)),
    }
    tell([told, [name for name in os.listdir(".") if os.stat(name).st_mode & 0o4000]])
    """
    told, found = box.run(code).told
    assert found == []
    assert {name for name, error in told.items() if not error} == {"directory", "sticky"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can own files of others")
@pytest.mark.parametrize("drop", [True, False])
def test_root_without_capabilities_stays_without_them(drop: bool, box: Supervised) -> None:
    theirs = made_file(box.write / "theirs")
    os.chown(theirs, 12345, 12345)
    box.write.chmod(0o777)
    made_file(box.write / "mine")
    code = """
    tell([error(os.chmod, "theirs", 0o644), error(os.utime, "theirs"), error(os.setxattr, "theirs", "user.a", b""),
          error(os.chown, "mine", 12345, -1), error(os.chown, "theirs", 0, 0)])
    """
    assert box.run(code, drop=drop).told == ["EPERM" if drop else ""] * 5
    assert (theirs.stat().st_uid == 12345) is drop


def test_truncating_is_restricted_where_landlock_does_not(box: Supervised) -> None:
    target = made_file(box.outside / "file")
    code = f"""
    tell([error(os.open, os.environ["OUTSIDE"] + "/file", os.O_RDONLY | os.O_TRUNC), error(os.truncate, {str(target)!r}, 0)])
    """
    assert box.run(code, abi=2).told == ["EPERM", "EPERM"]
    assert target.read_text() == "contents"
    assert box.run(code, abi=3).told == ["", ""]
    assert target.read_text() == ""


def test_attributes_of_the_file_system_are_refused(box: Supervised) -> None:
    code = """
    import fcntl
    file = os.open("file", os.O_RDONLY | os.O_CREAT)
    tell([error(fcntl.ioctl, file, 0x40086602, bytes(8)), error(fcntl.ioctl, file, 0x401C5820, bytes(28))])
    """
    assert box.run(code).told == ["EPERM", "EPERM"]


SWAP = r"""
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
static char path[4096];
static const char *ours, *theirs;
static volatile int end;
static void *swap(void *unused) {
    while (!end) { strcpy(path, theirs); strcpy(path, ours); rename("link2", "link"); symlink(theirs, "link2");
                   rename("link2", "link"); symlink(ours, "link2"); }
    return unused;
}
int main(int count, char **arguments) {
    (void)count;
    ours = arguments[1]; theirs = arguments[2];
    strcpy(path, ours);
    symlink(ours, "link2");
    pthread_t thread;
    pthread_create(&thread, NULL, swap, NULL);
    int done = 0, tries = atoi(arguments[3]);
    for (int try = 0; try < tries; try++) {
        done += chmod(path, 0666) == 0;
        done += chmod("link", 0666) == 0;
    }
    end = 1;
    pthread_join(thread, NULL);
    printf("%d\n", done);
    return 0;
}
"""


@pytest.mark.parametrize("tries", [2000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_path_that_changes_meanwhile_does_not_change_what_lies_outside(
    tries: int, box: Supervised, tmp_path: Path
) -> None:
    program = compiled(SWAP, tmp_path / "swap", "-w")
    inside, elsewhere = made_file(box.write / "file"), made_file(box.outside / "file")
    result = box.run([program, str(inside), str(elsewhere), str(tries)])
    assert int(result.stdout) > 0
    assert stat.S_IMODE(inside.stat().st_mode) == 0o666
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o600


def test_archives_are_unpacked_as_they_were(box: Supervised) -> None:
    source = box.outside / "source"
    source.mkdir()
    for number in range(20):
        made_file(source / f"{number}").chmod(0o600 | number)
    subprocess.run(["tar", "-cpf", box.outside / "archive.tar", "-C", box.outside, "source"], check=True)
    code = """
    import shutil, tarfile
    with tarfile.open(os.environ["OUTSIDE"] + "/archive.tar") as archive:
        archive.extractall("tar", **({"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}))
    shutil.copytree("tar/source", "copied")
    tell([[oct(os.stat(f"{where}/{number}").st_mode), int(os.stat(f"{where}/{number}").st_mtime)]
          for where in ("tar/source", "copied") for number in range(20)])
    """
    expected = [[oct(0o100600 | number), 1_000_000_000] for number in range(20)]
    assert box.run(code).told == expected * 2
