"""What of the file system a confined command sees: which places are empty for it, and what stays in them.

A *hidden place* (home directories, temporary directories, ``/run``) is replaced by an empty private one, but
for what ``read`` and ``write`` name in it. What ``hide`` names is gone, whatever else names it.
Everything here is worked out before anything is changed, with the real paths of what exists.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # read by type checkers; typing is not imported
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from veln_hook.sandbox.task import Task

PRIVATE_PLACES = ("/home", "/root", "/run", "/var/run", "/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - hidden, not used
# A home directory that holds one of these is no place to be emptied (daemons have such homes).
_NEEDED = ("/bin", "/etc", "/lib", "/usr", "/dev", "/proc", "/sys")
DEVICES = ("null", "zero", "full", "random", "urandom")
_MAX_LINKS = 40


class Layout:
    """The places of one task; all paths are real ones, parents before what lies in them."""

    def __init__(self, task: Task) -> None:
        home = task.environment.get("HOME", "")
        home = os.path.realpath(home) if os.path.isabs(home) else ""
        self.hidden = outermost(_existing([*PRIVATE_PLACES, *_homes(home)]))
        """Places that are empty but for what ``reads`` and ``writes`` name."""
        self.home = home if home and covers(self.hidden, home) else f"{os.path.realpath('/tmp')}/home"  # noqa: S108
        """The private home directory, where it stands in for the real one; it need not exist."""
        self.hides = outermost(_existing(task.hide))
        """Files and directories that can't be read at all."""
        self.writes = sorted(self._shown(task.write))
        """Files and directories that can be written."""
        reads = self._shown(task.read)
        reads.update(path for path in self._shown([task.cwd]) if not covers(self.writes, path))
        shut = [*self.hidden, *self.writes]
        self.reads = sorted(path for path in reads if covers(shut, path) and path not in self.writes)
        """What lies in a hidden place and can be read, or in a writable one and can't be written."""
        self.links = sorted(set(self._links([*task.read, *task.write, task.cwd])))
        """Symbolic links in hidden places that lead to something readable, and what they say."""

    def _shown(self, paths: Iterable[str]) -> set[str]:
        """Return the real paths of what exists and isn't to be hidden."""
        return {path for path in _existing(paths) if not covers(self.hides, path)}

    def _links(self, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
        for path in paths:
            for link, target in _passed_links(path):
                if covers(self.hidden, link) and not covers([*self.reads, *self.writes], link):
                    yield link, target


def outermost(paths: Iterable[str]) -> list[str]:
    """Return sorted paths without those that lie in another one."""
    found: list[str] = []
    # Part by part, so that what lies in a path comes right after it.
    for path in sorted(set(paths), key=lambda path: path.split(os.sep)):
        if not found or not is_within(path, found[-1]):
            found.append(path)
    return sorted(found)


def is_within(path: str, directory: str) -> bool:
    """Say whether a path is a directory or lies below it; both real paths."""
    return path == directory or path.startswith(directory.rstrip(os.sep) + os.sep)


def covers(places: Iterable[str], path: str) -> bool:
    """Say whether a path is one of these places or lies in one."""
    return any(is_within(path, place) for place in places)


def without(root: str, excluded: list[str]) -> Iterator[str]:
    """Yield files and directories that together hold everything below ``root`` but what is excluded.

    What is made later beside something excluded is not among them.

    Args:
        root: A directory or file.
        excluded: Real paths, none of them ``root`` or above it.
    """
    start = len(root.rstrip("/")) + 1
    deeper: dict[str, list[str]] = {}
    for path in excluded:
        if covers([root], path):
            deeper.setdefault(path[start:].partition("/")[0], []).append(path)
    if not deeper:
        yield root
        return
    try:
        entries = list(os.scandir(root))
    except OSError:
        return  # what can't be listed can't be told apart from what is excluded
    for entry in entries:
        inside = deeper.get(entry.name)
        if entry.is_symlink() or (inside and entry.path in inside):
            continue
        if inside:
            yield from without(entry.path, inside)
        else:
            yield entry.path


def socket_paths(outside: int | None = None) -> list[str]:
    """Return the paths of all UNIX sockets that exist and belong to this network namespace.

    A socket can be connected to through a read-only mount (unix(7)), from another network namespace, too, so
    each one must be covered. The kernel tells names as they were bound; those that don't begin at the root do
    so in some process' directory.

    Args:
        outside: A process in another network namespace whose sockets are to be covered as well.

    Raises:
        OSError: One of the namespaces can't be asked.
    """
    found = set()
    relative = set()
    for process in ("self", *(() if outside is None else (outside,))):
        with open(f"/proc/{process}/net/unix", encoding="utf-8", errors="surrogateescape") as table:
            for line in table:
                columns = line.rstrip("\n").split(None, 7)
                if len(columns) == 8 and columns[7].startswith("/"):  # noqa: PLR2004 - the columns of proc(5)
                    found.add(os.path.realpath(columns[7]))
                elif len(columns) == 8 and not columns[7].startswith("@"):  # noqa: PLR2004
                    relative.add(columns[7])
    if relative:
        found.update(os.path.realpath(os.path.join(cwd, name)) for cwd in _directories() for name in relative)
    return sorted(path for path in found if os.path.exists(path))


def _directories() -> set[str]:
    """Return the working directories of all processes that let themselves be asked."""
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                found.add(os.readlink(f"/proc/{name}/cwd"))
            except OSError:
                pass  # another user's, or it ended
    return found


def _homes(home: str) -> Iterator[str]:
    """Yield the home directories of this user that can be replaced by empty ones."""
    import pwd  # noqa: PLC0415 - built in, and not needed before

    candidates = [home]
    try:
        candidates.append(os.path.realpath(pwd.getpwuid(os.getuid()).pw_dir))
    except KeyError:
        pass  # a user without an entry, as in many containers
    for path in candidates:
        if path and path != "/" and not any(covers([path], needed) for needed in _NEEDED):
            yield path


def _existing(paths: Iterable[str]) -> list[str]:
    return [real for real in map(os.path.realpath, paths) if os.path.lexists(real)]


def _passed_links(path: str) -> Iterator[tuple[str, str]]:
    """Yield each symbolic link, and what it says, that the resolution of an absolute path passes."""
    left = [part for part in path.split("/") if part]
    at = "/"
    passed = 0
    while left:
        part = left.pop(0)
        if part == "..":
            at = os.path.dirname(at)
            continue
        if part == ".":
            continue
        step = os.path.join(at, part)
        try:
            target = os.readlink(step)
        except OSError:
            at = step
            continue
        passed += 1
        if passed > _MAX_LINKS:
            return
        yield step, target
        if target.startswith("/"):
            at = "/"
        left[:0] = [part for part in target.split("/") if part]
