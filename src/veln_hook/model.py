"""The records every room speaks in.

Rules of this module: records are immutable; nothing here reads a clock, a disk,
a network or an environment, so that a verdict built from these records can be
replayed anywhere. Times are aware UTC ``datetime``; durations are ``timedelta``.

The words are the packaging field's own (docs/architecture.md, "The words").
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Optional, Union

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from veln_hook.history import ProjectPage


class Decision(enum.IntEnum):
    """What happens to a candidate or an archive; the strictest one wins, so the order is the meaning."""

    ALLOW = 0
    WARN = 1
    HOLD = 2
    BLOCK = 3

    @property
    def word(self) -> str:
        """The decision as ``--json`` writes it: ``allow``, ``warn``, ``hold`` or ``block``."""
        return self.name.lower()


class Severity(enum.IntEnum):
    """How bad it is if the finding is true."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        """The severity as the policy file and ``--json`` write it."""
        return self.name.lower()


class Confidence(enum.IntEnum):
    """How sure the signal is that the finding is true."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2

    @property
    def word(self) -> str:
        """The confidence as the policy file and ``--json`` write it."""
        return self.name.lower()


class Source(enum.Enum):
    """Where an installer learned of a candidate; it decides whether the candidate has an age at all."""

    INDEX = "index"
    FIND_LINKS = "find-links"
    LOCK = "lock"
    DIRECT_URL = "direct-url"
    VCS = "vcs"
    LOCAL_FILE = "local-file"
    LOCAL_DIRECTORY = "local-directory"

    @property
    def is_local(self) -> bool:
        """Whether the bytes were already on this machine; such sources are not cooled."""
        return self in (Source.LOCAL_FILE, Source.LOCAL_DIRECTORY)


class Candidate(NamedTuple):
    """A distribution file that an installer is considering, with what its index says of it.

    A ``NamedTuple`` rather than a dataclass because a project page can hold
    thousands of them and each is built while pip waits.
    """

    project: str
    """Normalized project name (PEP 503); empty if an unnamed URL has not told it yet."""
    version: str
    """As the filename spells it; empty where only the built metadata will tell (VCS, directories)."""
    filename: str
    """Unquoted last path component of the URL."""
    url: str
    """Without credentials and without fragment."""
    source: Source
    index: str = ""  # type: ignore[assignment] # the field's word; nobody asks a candidate for tuple.index()
    """Base URL of the index or page that named the file, ending in ``/``, without credentials; or empty."""
    sha256: str = ""
    """Lower-case hex digest the index promises; empty if it promises none."""
    size: Optional[int] = None
    """Bytes, as the index states it."""
    upload_time: Optional[datetime] = None
    """PEP 700 ``upload-time``; ``None`` if the index gave none: that is unknown, never old."""
    requires_python: str = ""
    yanked: bool = False
    page: Optional[ProjectPage] = None
    """What the index's page says of the whole project, if a page of this project alone named the file.

    .. versionadded:: 0.2
    """

    @property
    def release(self) -> str:
        """``project version`` for messages."""
        return f"{self.project or self.filename} {self.version}".rstrip()

    @property
    def is_wheel(self) -> bool:
        """Whether the file is a wheel, by its name."""
        return self.filename.endswith(".whl")


class ArchiveKind(enum.Enum):
    """What the bytes on disk are."""

    WHEEL = "wheel"
    SDIST = "sdist"
    DIRECTORY = "directory"


class Origin(enum.Enum):
    """How the bytes of an archive came to be on this machine."""

    FETCHED = "fetched"
    """Downloaded, or given as a local file."""
    CACHED_BUILD = "cached-build"
    """A wheel that was built here in an earlier run, from pip's wheel cache."""
    BUILT = "built"
    """A wheel built in this run."""
    TREE = "tree"
    """A directory: the user's own, or a VCS checkout."""


@dataclass(frozen=True)
class Archive:
    """The bytes of a distribution file, on disk, not yet unpacked; or a source tree not yet built."""

    path: str
    """Absolute path of the file or directory."""
    kind: ArchiveKind
    origin: Origin
    filename: str
    project: str = ""
    """Normalized; empty for a tree whose metadata has not been built."""
    version: str = ""
    sha256: str = ""
    """Of the bytes on disk; empty for a directory."""
    size: Optional[int] = None
    """Bytes; ``None`` for a directory."""
    candidate: Optional[Candidate] = None
    """What pip was told about the file before it was fetched, if anything."""

    @property
    def release(self) -> str:
        """``project version`` for messages."""
        return f"{self.project or self.filename} {self.version}".rstrip()


Subject = Union[Candidate, Archive]


@dataclass(frozen=True)
class Finding:
    """One statement of one signal about one candidate or archive."""

    signal: str
    """Name of the signal, kebab-case: ``cooling``, ``hash-mutation``."""
    severity: Severity
    confidence: Confidence
    message: str
    """One sentence without a final full stop, readable without knowing the signal."""
    opens_at: Optional[datetime] = None
    """When the finding stops holding by itself; ``None`` if only a person or a change of policy lifts it."""
    unverifiable: bool = False
    """The signal could not know. Never the same as clean: it is decided as a HOLD."""
    path: str = ""
    """Member of the archive, ``/``-separated; empty if the finding is about the release."""
    line: Optional[int] = None
    reach: str = ""
    """How the code runs: ``startup``, ``build``, ``import``, ``script``, ``call``; or empty."""
    new: Optional[bool] = None
    """Whether the release before had it too; ``None`` if nothing was compared."""
    evidence: str = ""


@dataclass(frozen=True)
class Ruling:
    """A finding and what the policy made of it, so that a verdict can always be explained."""

    finding: Finding
    decision: Decision
    rule: str
    """The policy key that mapped it, such as ``decisions.high.medium``."""
    layer: str
    """Where that key was set: ``default``, ``system``, ``user``, a file's path ..."""


@dataclass(frozen=True)
class Approval:
    """A person's recorded word that one exact file may pass a HOLD."""

    project: str
    version: str
    filename: str
    sha256: str
    reason: str
    author: str
    created_at: datetime
    expires_at: Optional[datetime] = None
    revoked_at: Optional[datetime] = None
    shared: bool = False
    """From a store that many machines share, rather than this machine's own."""
    id: int = 0
    """The store's number for it; 0 before it is stored."""
    login: str = ""
    """As whom a shared store knows its author, who can't choose that; empty for this machine's own."""

    @property
    def person(self) -> str:
        """Who counts as having given it."""
        return self.login or self.author

    def is_active(self, now: datetime) -> bool:
        """Tell whether the approval lifts anything at ``now`` (aware UTC)."""
        if self.revoked_at is not None and self.revoked_at <= now:
            return False
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True)
class ApprovalRequest:
    """Somebody's wish that the files of a release may pass a HOLD; an approver grants or refuses it."""

    project: str
    """Normalized."""
    version: str
    files: tuple[tuple[str, str], ...]
    """Filename and sha256 of each, as the index listed them when it was asked for."""
    index: str
    reason: str
    author: str
    """Who asks."""
    created_at: datetime
    refused_at: Optional[datetime] = None
    refused_by: str = ""
    refusal: str = ""
    """Why it was refused."""
    id: int = 0
    """The store's number for it; 0 before it is stored."""
    login: str = ""
    """As whom a shared store knows who asks; empty for this machine's own."""

    @property
    def person(self) -> str:
        """Who counts as asking."""
        return self.login or self.author


@dataclass(frozen=True)
class Verdict:
    """The decision about one candidate or archive, with everything that led to it."""

    decision: Decision
    subject: Subject
    rulings: tuple[Ruling, ...] = ()
    """The strictest first."""
    opens_at: Optional[datetime] = None
    """When a HOLD opens by itself: set only if every ruling that holds has such a time."""
    approval: Optional[Approval] = None
    """What lifted a HOLD, if one was lifted; the newest, where several people had to."""
    pending: tuple[Approval, ...] = ()
    """Approvals of this file that lift nothing yet, as more people have to give one."""
    exception: str = ""
    """Reason of the policy exception that lifted a BLOCK, if one did."""

    @property
    def passes(self) -> bool:
        """Whether an installer may go on with the subject."""
        return self.decision <= Decision.WARN

    @property
    def holding(self) -> tuple[Ruling, ...]:
        """The rulings as strict as the verdict itself: the reason to give first."""
        return tuple(ruling for ruling in self.rulings if ruling.decision == self.decision)


class Observation(NamedTuple):
    """That a machine saw a file on an index at a time."""

    project: str
    version: str
    filename: str
    sha256: str
    """Empty if the index promised none."""
    index: str  # type: ignore[assignment] # as in Candidate
    first_seen: datetime
    machine: str
    """Opaque stable id of the machine; counted, never interpreted."""


@dataclass(frozen=True)
class VerdictRecord:
    """One line of the verdict log."""

    at: datetime
    decision: Decision
    stage: str
    """``candidate``, ``archive``, ``switch`` (protection switched off) or ``approval``."""
    project: str
    version: str
    filename: str
    sha256: str
    index: str
    reason: str
    """The message that was shown, in one line."""
    opens_at: Optional[datetime] = None
    approval_id: Optional[int] = None
    author: str = ""
    """Who approved, or who switched off; empty otherwise."""
    findings: tuple[Finding, ...] = field(default=())
    id: int = 0


class ExitStatus(enum.IntEnum):
    """Exit statuses of every command, after ``sysexits.h``; docs/cli.md explains each."""

    OK = 0
    BLOCKED = 1
    USAGE = 2
    HELD = 75
    """EX_TEMPFAIL: every HOLD opens by itself at a known time, so retrying later is right."""
    NEEDS_REVIEW = 77
    """EX_NOPERM: a HOLD that only a person lifts."""
    BROKEN = 78
    """EX_CONFIG: our own failure, or a policy that can't be read."""


_STRICTEST_FIRST = (ExitStatus.BROKEN, ExitStatus.BLOCKED, ExitStatus.NEEDS_REVIEW, ExitStatus.HELD)


def strictest(statuses: Collection[ExitStatus]) -> ExitStatus:
    """Return the exit status that counts where several apply: 78, 1, 77, 75; OK if there is none."""
    return next((status for status in _STRICTEST_FIRST if status in statuses), ExitStatus.OK)


def exit_status(verdicts: list[Verdict]) -> ExitStatus:
    """Return the exit status that these verdicts ask for; the order where several apply is 78, 1, 77, 75.

    A failure of our own (78) is not a verdict: whoever catches the error returns it.
    """
    status = ExitStatus.OK
    for verdict in verdicts:
        if verdict.decision is Decision.BLOCK:
            return ExitStatus.BLOCKED
        if verdict.decision is Decision.HOLD:
            if verdict.opens_at is None:
                status = ExitStatus.NEEDS_REVIEW
            elif status is ExitStatus.OK:
                status = ExitStatus.HELD
    return status
