"""What an archive may ask of us, and how what is wrong with it is noted."""

from __future__ import annotations

from typing import NamedTuple, NoReturn

from veln_hook.errors import ArchiveError

MAX_PER_SLUG = 100
"""Problems of one kind that are kept: a reader needs no more, and each of 200,000 members can have one."""
_SHOWN_NAME = 300
"""Characters of a member's name in a problem."""


class Limits(NamedTuple):
    """More than any honest archive needs; what goes beyond is held."""

    max_members: int = 200_000
    """Entries, directories too; torch has about 10,000, and each costs time and memory."""
    max_total_bytes: int = 8 << 30
    """Of all contents as declared, and of what is really unpacked; CUDA wheels reach 4 GiB."""
    max_ratio: int = 200
    """Unpacked bytes per byte of the file; text reaches 20. zlib can't pass 1032, bzip2 and xz can."""
    ratio_free_bytes: int = 64 << 20
    """A file that unpacks to no more than this hurts nobody: a bitmap of zeros is honest."""
    max_depth: int = 64
    """Directories above a member; node_modules in an sdist reach 30. Deeper trees exhaust what walks them."""
    max_path: int = 1024
    """Characters of a name; Linux takes 4096 bytes, Windows 260 characters unless told otherwise."""
    max_header_bytes: int = 1 << 20
    """Of one tar member's headers: attributes of macOS take 64 KiB, tarfile reads all that is declared."""


LIMITS = Limits()


class Problem(NamedTuple):
    """One thing that is wrong with an archive."""

    slug: str
    """The kind, in kebab-case."""
    message: str
    """One sentence without a final full stop."""
    member: str
    """Whose; empty if the archive as a whole is meant."""
    fatal: bool
    """The archive could not be read whole, or no honest archive has this. Else it is worth telling only."""


class FatalProblemError(Exception):
    """Ends the reading of an archive; what it is about is noted already. Never leaves this package."""


class Journal:
    """Notes the problems of one archive and counts what is unpacked of it.

    Args:
        problems: Where to note them, as they are met.
        limits: For this archive.
        packed: Size of its file in bytes; 0 where there is none, and so no ratio.
    """

    def __init__(self, problems: list[Problem], limits: Limits, packed: int = 0) -> None:
        self._problems = problems
        self._counts: dict[str, int] = {}
        self.limits = limits
        self.packed = packed
        self.ended = False
        """A fatal problem was noted."""
        self._left = limits.max_total_bytes

    def note(self, slug: str, message: str, member: str = "", *, fatal: bool = False) -> None:
        """Note a problem and go on; no more than `MAX_PER_SLUG` of a kind unless fatal."""
        self.ended = self.ended or fatal
        count = self._counts[slug] = self._counts.get(slug, 0) + 1
        if fatal or count <= MAX_PER_SLUG:
            # A lone surrogate could be printed by nobody.
            shown = member[:_SHOWN_NAME].encode("utf-8", "backslashreplace").decode()
            self._problems.append(Problem(slug, message, shown, fatal))

    def fail(self, slug: str, message: str, member: str = "") -> NoReturn:
        """Note a fatal problem and end the reading.

        Raises:
            FatalProblemError: Always.
        """
        self.note(slug, message, member, fatal=True)
        raise FatalProblemError

    def check_total(self, unpacked: int) -> None:
        """Hold a number of unpacked bytes, declared or real, against the limits.

        Raises:
            FatalProblemError: They are too many, or too many for the size of the file.
        """
        limits = self.limits
        if unpacked > limits.max_total_bytes:
            self.fail("size", f"it unpacks to more than {limits.max_total_bytes} bytes")
        if self.packed and limits.ratio_free_bytes < unpacked > self.packed * limits.max_ratio:
            self.fail("ratio", f"it unpacks to more than {limits.max_ratio} times its size")

    def spend(self, count: int) -> None:
        """Take bytes that are about to be read from the archive's budget.

        Raises:
            ArchiveError: It is used up. A reader that reads every member once never meets this.
        """
        self._left -= count
        if self._left < 0:
            self.note("size", f"more than {self.limits.max_total_bytes} bytes of it were read", fatal=True)
            raise ArchiveError(f"more than {self.limits.max_total_bytes} bytes of the archive were read")
