"""One regular file of an archive, whatever the format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.archive.limits import FatalProblemError
from veln_hook.errors import ArchiveError

if TYPE_CHECKING:
    from veln_hook.archive.limits import Journal


class Member:
    """A regular file of an archive; nothing of it is read until it is asked for.

    It can be read until the iterator that gave it advances, as often as wanted.

    Attributes:
        name: Its path, with ``/`` as the archive spells it, without a leading ``./``.
        size: In bytes, as declared; `read` holds the content against it.
        executable: One of the executable bits is set, and so will pip set them.
    """

    __slots__ = ("_journal", "executable", "name", "size")

    def __init__(self, name: str, size: int, *, executable: bool, journal: Journal) -> None:
        self.name = name
        self.size = size
        self.executable = executable
        self._journal = journal

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.size})"

    def read(self, limit: int) -> bytes:
        """Return the whole content.

        Args:
            limit: In bytes; a size that is declared larger is not even begun.

        Raises:
            ArchiveError: It is larger than the limit, is not what the archive
                declares (size, CRC), can't be unpacked, or more was read of this
                archive than its limits allow. Except for the first of these a
                fatal problem is noted too, and the iteration ends.
        """
        if self.size > limit:
            raise ArchiveError(f"{self.name!r} has {self.size} bytes, the limit is {limit}")
        return self._guarded(self.size, whole=True)

    def head(self, limit: int) -> bytes:
        """Return the first bytes, at most ``limit``; the CRC is not checked.

        Raises:
            ArchiveError: They can't be unpacked, or the archive's limits are used up.
        """
        return self._guarded(max(0, min(limit, self.size)), whole=False)

    def _guarded(self, count: int, *, whole: bool) -> bytes:
        self._journal.spend(count)
        try:
            data = self._read() if whole else self._head(count)
        except FatalProblemError:
            raise ArchiveError(f"{self.name!r} can't be read: the archive is beyond its limits") from None
        except ArchiveError as error:
            self._journal.note("truncated", str(error), self.name, fatal=True)
            raise
        # What decompressors and file systems raise has no common base, and with hostile bytes is no contract.
        except Exception as error:
            self._journal.note("unreadable", f"its content can't be read: {error}", self.name, fatal=True)
            raise ArchiveError(f"{self.name!r} can't be read: {error}") from error
        if len(data) != count:
            self._journal.note("size", "its content is not of the declared size", self.name, fatal=True)
            raise ArchiveError(f"{self.name!r} is not of the declared size")
        return data

    def _read(self) -> bytes:
        """Return the whole content, checked, and never more than a byte above the declared size."""
        raise NotImplementedError

    def _head(self, count: int) -> bytes:
        """Return the first ``count`` bytes."""
        raise NotImplementedError
