"""What a lock pins, in one form for all of them."""

from __future__ import annotations

import enum
from typing import NamedTuple


class OriginKind(enum.Enum):
    """Where an installer would take a pinned release from."""

    REGISTRY = "registry"
    """An index."""
    URL = "url"
    """An archive at a URL that no index page has offered."""
    VCS = "vcs"
    PATH = "path"
    """A file or directory of this machine; the project itself is one, too."""


class PinnedFile(NamedTuple):
    """One distribution file that a lock allows."""

    filename: str
    """Empty where the lock has nothing but a hash."""
    url: str = ""
    """As the lock has it; empty if it has none."""
    hashes: tuple[tuple[str, str], ...] = ()
    """Algorithm and hex digest, both in lower case; empty if the lock promises nothing."""
    line: int = 0
    """Of the lock; 0 where it can't be told."""

    @property
    def sha256(self) -> str:
        """The digest that indexes promise, too; empty if the lock has none."""
        return dict(self.hashes).get("sha256", "")


class Pin(NamedTuple):
    """One release that a lock names."""

    project: str
    """Normalized."""
    version: str
    """As the lock spells it; empty where only a build would tell."""
    origin: OriginKind
    source: str = ""
    """Base URL of the index, or the URL, repository or path; empty where the installer decides."""
    files: tuple[PinnedFile, ...] = ()
    marker: str = ""
    """For which environments, as the lock spells it."""
    fixed: bool = True
    """Whether a VCS reference can't move: it is a commit."""
    path: str = ""
    """The lock."""
    line: int = 0
    """Of the lock; 0 where it can't be told."""

    @property
    def content(self) -> tuple[object, ...]:
        """Everything that decides what is installed: two pins with the same content are the same pin."""
        files = frozenset((file.filename, file.url, file.hashes) for file in self.files)
        return self.project, self.version, self.origin, self.source, files, self.marker, self.fixed


class Lock(NamedTuple):
    """A lock that was read."""

    path: str
    kind: str
    """``uv``, ``poetry``, ``pdm`` or ``pylock``."""
    pins: tuple[Pin, ...]
