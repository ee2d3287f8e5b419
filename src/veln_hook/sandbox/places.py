"""Where a confined command may make and change files, asked about files that are open already."""

from __future__ import annotations

import errno
import os

from veln_hook.sandbox import landlock, system
from veln_hook.sandbox.layout import covers, without

TYPE_CHECKING = False  # read by type checkers; typing isn't imported
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_MAX_ERROR = 255  # of an exit status; all error numbers are below


class Places:
    """Directories and files that can be written, and what is hidden even there."""

    def __init__(self, write: Iterable[str], hide: Iterable[str]) -> None:
        """Take paths; symbolic links in them are followed now, once."""
        self._write = tuple(map(os.path.realpath, write))
        self._hide = list(map(os.path.realpath, hide))
        self._rules: landlock.Ruleset | None = None

    def writable(self, descriptor: int, name: bytes | None = None) -> bool:
        """Say whether what is open here lies where the command may write.

        It is asked by the path that the kernel knows for the open file, so no link can mislead it, and what
        is not there now can't get there: Landlock lets the command move nothing in from elsewhere.

        Args:
            descriptor: An open file of this process (O_PATH is enough).
            name: If given, a name in that directory is meant.
        """
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if name is not None:
            path = os.path.join(path, os.fsdecode(name))
        return covers(self._write, path) and not covers(self._hide, path)

    def confined(self, action: Callable[[], object]) -> None:
        """Do something in a child process that can make and change files in these places only.

        It is for what can be given a path alone, which may lead elsewhere from one moment to the next.

        Raises:
            OSError: What the action raised, or EACCES if the child can't be confined.
        """
        if self._rules is None:
            self._rules = self._ruleset()
        child = os.fork()
        if child == 0:
            error = errno.EACCES
            try:
                system.prctl(system.PR_SET_NO_NEW_PRIVS, 1)
                self._rules.restrict()
                action()
                error = 0
            except OSError as problem:
                error = min(problem.errno or error, _MAX_ERROR)
            finally:
                os._exit(error)
        _, status = os.waitpid(child, 0)
        if status:
            raise OSError(os.WEXITSTATUS(status) if os.WIFEXITED(status) else errno.EACCES, "confined")

    def _ruleset(self) -> landlock.Ruleset:
        rules = landlock.Ruleset()
        for root in self._write:
            for path in without(root, self._hide):
                rules.allow(path, landlock.READ_WRITE)
        return rules
