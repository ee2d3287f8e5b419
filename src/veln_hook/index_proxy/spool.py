"""Files on their way: whole and unchanged on this disk before their first byte goes on."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import threading
from typing import TYPE_CHECKING, BinaryIO

from veln_hook.errors import GateError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

FILE_BYTES = 4 << 30
"""Of one file; the largest on PyPI have a tenth of it, those of CUDA on other indexes come near."""
TOTAL_BYTES = 8 << 30


class SpoolError(GateError):
    """A file can't be kept until it is judged."""

    advice = "See that there is room in the temporary directory, or set TMPDIR to one that has it."


class TooLongError(SpoolError):
    """A file is longer than any that is taken, or than all of the room there is."""


class Spooled:
    """A file that is here whole.

    Attributes:
        path: Where it lies; nobody else may write there.
        sha256: Of its bytes, lower-case hex.
        size: In bytes.
        gone: Whether it had to make room.
    """

    def __init__(self, path: str, sha256: str, size: int) -> None:
        self.path, self.sha256, self.size = path, sha256, size
        self.gone = False
        self.users = 0
        self._identity = _identity(os.stat(path))

    def opened(self) -> BinaryIO:
        """Open it for reading.

        Raises:
            SpoolError: It isn't there any more, or somebody has written to it since it was judged.
        """
        try:
            file = open(self.path, "rb")  # noqa: SIM115 - the caller closes it
        except OSError as error:
            raise SpoolError(f"a file that was judged can't be read: {error.strerror or error}") from error
        if _identity(os.fstat(file.fileno())) != self._identity:
            file.close()
            raise SpoolError("a file that was judged has been changed since")
        return file


class Spool:
    """A directory of files on their way. Usable from several threads; close it after use.

    Args:
        directory: Where to make it; by default where temporary files go.
        file_bytes: The longest file that is taken.
        total_bytes: Room for all of them; those that nobody uses make room for new ones, the oldest first.
    """

    def __init__(
        self, directory: str | None = None, *, file_bytes: int = FILE_BYTES, total_bytes: int = TOTAL_BYTES
    ) -> None:
        self._parent, self._file_bytes, self._total_bytes = directory, file_bytes, total_bytes
        self._lock = threading.Lock()
        self._directory = ""
        self._used = 0
        self._number = 0
        self._files: dict[str, Spooled] = {}
        """By path, the oldest first."""
        self._closed = False

    def writer(self, suffix: str = "") -> SpoolWriter:
        """Return what writes a new file.

        Args:
            suffix: End of its name; readers of archives go by it.

        Raises:
            SpoolError: The directory can't be made.
        """
        with self._lock:
            if self._closed:
                raise SpoolError("the gate is closing")
            try:
                if not self._directory:
                    self._directory = tempfile.mkdtemp(prefix="veln-hook-", dir=self._parent)
            except OSError as error:
                raise SpoolError(f"files can't be kept: {error.strerror or error}") from error
            self._number += 1
            return SpoolWriter(self, os.path.join(self._directory, f"{self._number}{suffix}"))

    @contextlib.contextmanager
    def using(self, spooled: Spooled) -> Iterator[Spooled]:
        """Keep a file from making room."""
        with self._lock:
            spooled.users += 1
            if self._files.pop(spooled.path, None) is not None:
                self._files[spooled.path] = spooled
        try:
            yield spooled
        finally:
            with self._lock:
                spooled.users -= 1

    def drop(self, spooled: Spooled) -> None:
        """Delete a file. Does nothing the second time."""
        with self._lock:
            self._drop(spooled)

    def close(self) -> None:
        """Delete everything. Does nothing the second time; nothing can be kept afterwards."""
        with self._lock:
            self._closed = True
            self._files.clear()
            directory, self._directory = self._directory, ""
        if directory:
            shutil.rmtree(directory, ignore_errors=True)

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, size: int, written: int) -> None:
        """Take room for some more bytes of a file."""
        if written + size > self._file_bytes:
            raise TooLongError(f"it is longer than {self._file_bytes} bytes")
        with self._lock:
            if self._closed:
                raise SpoolError("the gate is closing")
            for old in list(self._files.values()):
                if self._used + size <= self._total_bytes:
                    break
                if not old.users:
                    self._drop(old)
            if self._used + size > self._total_bytes:
                raise TooLongError("there is no room for it beside the files that are being fetched")
            self._used += size

    def _keep(self, spooled: Spooled) -> None:
        with self._lock:
            self._files[spooled.path] = spooled

    def _give(self, size: int, path: str) -> None:
        with self._lock:
            self._used -= size
        with contextlib.suppress(OSError):
            os.unlink(path)

    def _drop(self, spooled: Spooled) -> None:
        if not spooled.gone:
            spooled.gone = True
            self._files.pop(spooled.path, None)
            self._used -= spooled.size
            with contextlib.suppress(OSError):
                os.unlink(spooled.path)


class SpoolWriter:
    """Writes one file and takes its hash. A context manager: what isn't `done` when it is left is deleted."""

    def __init__(self, spool: Spool, path: str) -> None:
        self._spool, self._path = spool, path
        self._digest, self._size = hashlib.sha256(), 0
        self._done = False
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise SpoolError(f"a file can't be kept: {error.strerror or error}") from error
        self._file = os.fdopen(descriptor, "wb", buffering=0)

    def write(self, data: bytes) -> None:
        """Add to it.

        Raises:
            TooLongError: It is longer than any file that is taken.
            SpoolError: It can't be written.
        """
        self._spool._take(len(data), self._size)  # noqa: SLF001 - of the same module
        self._size += len(data)
        self._digest.update(data)
        view = memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise SpoolError(f"a file can't be kept: {error.strerror or error}") from error

    def done(self) -> Spooled:
        """Return the file, whole.

        Raises:
            SpoolError: It can't be written.
        """
        try:
            self._file.close()
            spooled = Spooled(self._path, self._digest.hexdigest(), self._size)
        except OSError as error:
            raise SpoolError(f"a file can't be kept: {error.strerror or error}") from error
        self._done = True
        self._spool._keep(spooled)  # noqa: SLF001 - of the same module
        return spooled

    def __enter__(self) -> SpoolWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._done:
            self._file.close()
            self._spool._give(self._size, self._path)  # noqa: SLF001 - of the same module


def _identity(status: os.stat_result) -> tuple[int, ...]:
    """Return what changes whenever a file's bytes do; no program can set the change time."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
