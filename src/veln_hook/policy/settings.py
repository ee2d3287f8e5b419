"""The policy in force, as frozen records that answer what applies to a release.

Pure: a ``Policy`` is data. ``loading`` builds it from files, tests build it by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from packaging.utils import canonicalize_name

from veln_hook.model import Confidence, Decision, Severity
from veln_hook.policy.durations import iso_duration
from veln_hook.policy.matching import parse_exemption, url_key, without_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

DEFAULT_LAYER = "default"
COVERAGE = ("interpreters", "environments", "installers", "configuration")
"""What ``coverage.required`` can name."""
FIRST_SEEN, HOLD_MISSING, ALLOW_MISSING = "first-seen", "hold", "allow"
"""What ``cooling.missing_upload_time`` can say."""


@dataclass(frozen=True)
class CoolingPolicy:
    """How long a release waits."""

    min_age: timedelta = timedelta(hours=2)
    min_observations: int = 0
    on_hold: str = "fallback"
    """``fallback`` (the newest release that is not held) or ``refuse``."""
    missing_upload_time: str = FIRST_SEEN
    exempt: tuple[str, ...] = ()
    security_fixes: str = "warn"
    """What becomes of a release that is too young and repairs the installed one: ``warn`` or ``hold``."""
    projects: Mapping[str, timedelta] = field(default_factory=dict)
    """By normalized name."""
    at_least: Mapping[str, timedelta] = field(default_factory=dict)
    """By normalized name, a floor that a project's or an environment's file asks for."""


@dataclass(frozen=True)
class IndexPolicy:
    """What differs for one index."""

    url: str
    min_age: Optional[timedelta] = None
    missing_upload_time: Optional[str] = None
    upstream: str = ""
    """Where a mirror's upload times can be looked up; empty if nowhere."""
    private: tuple[str, ...] = ()
    """Globs over normalized names: projects that come from this index, or another that says so, alone."""


@dataclass(frozen=True)
class SignalPolicy:
    """What differs for one signal."""

    enabled: bool = True
    severity: Optional[Severity] = None
    """Counts instead of the finding's own; never lowers a critical one."""
    at_least: Optional[Severity] = None
    """What a project's or an environment's file asks for: a floor, whatever else is set."""


@dataclass(frozen=True)
class AuditPolicy:
    """Where it is told what was held, let pass by a person's word, or switched off."""

    file: str = ""
    """Absolute; empty for the user's own."""
    syslog: bool = False


OSV_URL = "https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip"
"""OSV's records of PyPI, as its public bucket has them."""


@dataclass(frozen=True)
class FeedPolicy:
    """What is asked of the feed of known malware."""

    url: str = OSV_URL
    required: bool = False
    """Without one nothing is known, which is told."""
    max_age: timedelta = timedelta()
    """Zero: its age isn't judged."""
    on_stale: str = "hold"
    """``warn`` or ``hold``, where it is too old, or is required and missing."""
    exempt: tuple[str, ...] = ()
    """Releases that are no malware whatever the feed says; as in ``CoolingPolicy``."""

    def exempts(self, project: str, version: str) -> bool:
        """Tell whether a release is exempt."""
        name = canonicalize_name(project)
        return any(parse_exemption(text).covers(name, version) for text in self.exempt)


@dataclass(frozen=True)
class SharingPolicy:
    """How a shared store is used."""

    timeout: timedelta = timedelta(seconds=3)
    """How long a process waits for it, in all."""
    unreachable: str = "hold"
    """``hold``, or ``local``: go on with what this machine knows."""


@dataclass(frozen=True)
class PolicyException:
    """The only way past a BLOCK: one exact file, for a reason, until a day."""

    sha256: str
    """Lower-case hex digest."""
    reason: str
    expires: Optional[datetime] = None
    """Aware UTC; ``None`` never expires (a file must name a day)."""

    def is_active(self, now: datetime) -> bool:
        """Tell whether the exception lifts anything at ``now`` (aware UTC)."""
        return self.expires is None or now < self.expires


@dataclass(frozen=True)
class SandboxPolicy:
    """How commands are confined."""

    builds: str = "auto"
    """``auto``, ``require`` or ``off``."""
    allow_hosts: tuple[str, ...] = ()


def _default_cells() -> dict[tuple[Severity, Confidence], Decision]:
    by_severity = {
        Severity.CRITICAL: Decision.BLOCK,
        Severity.HIGH: Decision.HOLD,
        Severity.MEDIUM: Decision.WARN,
        Severity.LOW: Decision.ALLOW,
    }
    cells = {
        (severity, confidence): by_severity[severity] for severity in Severity for confidence in Confidence
    }
    cells[Severity.HIGH, Confidence.LOW] = Decision.WARN
    return cells


@dataclass(frozen=True)
class DecisionTable:
    """What a finding about a release or its contents leads to, by severity and confidence."""

    cells: Mapping[tuple[Severity, Confidence], Decision] = field(default_factory=_default_cells)
    """Every pair has its cell."""

    def decision(self, severity: Severity, confidence: Confidence) -> Decision:
        """Return the decision of one cell."""
        return self.cells[severity, confidence]

    def to_dict(self) -> dict[str, dict[str, str]]:
        """Return the table by words, severity before confidence, the worst first."""
        return {
            severity.word: {
                confidence.word: self.cells[severity, confidence].word
                for confidence in sorted(Confidence, reverse=True)
            }
            for severity in sorted(Severity, reverse=True)
        }


class PolicyLayer(NamedTuple):
    """A file the policy was, or would be, read from."""

    name: str
    """``system``, ``user``, ``environment`` or ``project``."""
    path: str
    """Empty if there is nowhere to look."""
    present: bool


class IgnoredSetting(NamedTuple):
    """What a project's or an environment's file asks for in vain, as it would loosen the policy."""

    key: str
    value: str
    layer: str
    path: str
    line: Optional[int]
    reason: str


class AppliedAge(NamedTuple):
    """The age a release must reach, the key that says so and the layer that set it."""

    min_age: timedelta
    key: str
    layer: str


class AppliedWord(NamedTuple):
    """The word that applies, the key that says so and the layer that set it."""

    value: str
    key: str
    layer: str


@dataclass(frozen=True)
class Policy:
    """The merged settings in force; ``Policy()`` is the defaults."""

    cooling: CoolingPolicy = field(default_factory=CoolingPolicy)
    decisions: DecisionTable = field(default_factory=DecisionTable)
    signals: Mapping[str, SignalPolicy] = field(default_factory=dict)
    approvals_accept: str = "local"
    approvals_people: int = 1
    """So many people have to approve a file before that counts."""
    indexes: tuple[IndexPolicy, ...] = ()
    exceptions: tuple[PolicyException, ...] = ()
    sandbox: SandboxPolicy = field(default_factory=SandboxPolicy)
    audit: AuditPolicy = field(default_factory=AuditPolicy)
    feed: FeedPolicy = field(default_factory=FeedPolicy)
    coverage_required: tuple[str, ...] = ()
    """Words of ``COVERAGE``: of what nothing on this machine may be uncovered."""
    store_url: str = ""
    sharing: SharingPolicy = field(default_factory=SharingPolicy)
    plugins: tuple[str, ...] = ()
    popular_file: str = ""
    """Absolute path of a list of popular names; empty for the shipped one."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """Dotted key to the layer that set the value in force; a key that is absent has its default."""
    locked: frozenset[str] = frozenset()
    """Keys and sections, or ``*``; what a lock implies is spelled out."""
    lock_layers: Mapping[str, str] = field(default_factory=dict)
    """Which layer put an entry of ``locked`` there."""
    files: tuple[PolicyLayer, ...] = ()
    ignored: tuple[IgnoredSetting, ...] = ()

    def origin(self, key: str) -> str:
        """Return the layer that set ``key``, or ``default``."""
        return self.origins.get(key, DEFAULT_LAYER)

    def is_locked(self, key: str) -> bool:
        """Tell whether layers below may not loosen ``key``."""
        return lock_entry(key, self.locked) is not None

    def locked_by(self, key: str) -> str:
        """Return the layer that locked ``key``; empty if none did."""
        entry = lock_entry(key, self.locked)
        return "" if entry is None else self.lock_layers.get(entry, "a policy file")

    @property
    def approvals_count(self) -> bool:
        """Whether an approval that is made from here can lift anything."""
        return self.approvals_accept == "local" or (
            self.approvals_accept == "shared" and self.store_url != ""
        )

    def signal(self, name: str) -> SignalPolicy:
        """Return what applies to one signal."""
        return self.signals.get(name, _PLAIN_SIGNAL)

    def index_for(self, url: str) -> Optional[IndexPolicy]:
        """Return the most specific configured index that ``url`` lies under, or ``None``."""
        if not self.indexes or not url:
            return None
        try:
            place = url_key(url)
        except ValueError:
            return None
        found: Optional[IndexPolicy] = None
        length = -1
        for index in self.indexes:
            key = url_key(index.url)
            if len(key.path) > length and place.is_under(key):
                found, length = index, len(key.path)
        return found

    def min_age_for(self, project: str, version: str, index_url: str) -> AppliedAge:
        """Return how old a release must be, and who says so.

        An exemption wins over the project's own entry, that over its index's,
        that over the global one; a floor (``CoolingPolicy.at_least``) lifts all but an exemption.
        """
        cooling = self.cooling
        name = canonicalize_name(project)
        for text in cooling.exempt:
            if parse_exemption(text).covers(name, version):
                return AppliedAge(timedelta(), "cooling.exempt", self.origin("cooling.exempt"))
        index = self.index_for(index_url)
        key = f"cooling.projects.{name}"
        if name in cooling.projects:
            applied = AppliedAge(cooling.projects[name], key, self.origin(key))
        elif index is not None and index.min_age is not None:
            applied = AppliedAge(index.min_age, "indexes.min_age", self.origin(f"indexes.{index.url}"))
        else:
            applied = AppliedAge(cooling.min_age, "cooling.min_age", self.origin("cooling.min_age"))
        floor = cooling.at_least.get(name)
        if floor is not None and floor > applied.min_age:
            return AppliedAge(floor, key, self.origin(key))
        return applied

    def missing_upload_time_for(self, index_url: str) -> AppliedWord:
        """Return what happens to a file whose index tells no upload time, and who says so."""
        index = self.index_for(index_url)
        if index is not None and index.missing_upload_time is not None:
            layer = self.origin(f"indexes.{index.url}")
            return AppliedWord(index.missing_upload_time, "indexes.missing_upload_time", layer)
        key = "cooling.missing_upload_time"
        return AppliedWord(self.cooling.missing_upload_time, key, self.origin(key))

    def to_dict(self) -> dict[str, Any]:
        """Return the effective policy for JSON: durations in ISO 8601, passwords left out."""
        cooling = self.cooling
        return {
            "cooling": {
                "min_age": iso_duration(cooling.min_age),
                "min_observations": cooling.min_observations,
                "on_hold": cooling.on_hold,
                "missing_upload_time": cooling.missing_upload_time,
                "exempt": list(cooling.exempt),
                "security_fixes": cooling.security_fixes,
                "projects": {name: iso_duration(age) for name, age in sorted(cooling.projects.items())},
                "at_least": {name: iso_duration(age) for name, age in sorted(cooling.at_least.items())},
            },
            "decisions": self.decisions.to_dict(),
            "signals": {
                name: {
                    "enabled": signal.enabled,
                    "severity": None if signal.severity is None else signal.severity.word,
                    "at_least": None if signal.at_least is None else signal.at_least.word,
                }
                for name, signal in sorted(self.signals.items())
            },
            "approvals": {"accept": self.approvals_accept, "people": self.approvals_people},
            "indexes": [
                {
                    "url": without_secrets(index.url),
                    "min_age": None if index.min_age is None else iso_duration(index.min_age),
                    "missing_upload_time": index.missing_upload_time,
                    "upstream": without_secrets(index.upstream),
                    "private": list(index.private),
                }
                for index in self.indexes
            ],
            "exceptions": [
                {
                    "sha256": exception.sha256,
                    "reason": exception.reason,
                    "expires": None if exception.expires is None else exception.expires.isoformat(),
                }
                for exception in self.exceptions
            ],
            "audit": {"file": self.audit.file, "syslog": self.audit.syslog},
            "feed": {
                "url": without_secrets(self.feed.url),
                "required": self.feed.required,
                "max_age": iso_duration(self.feed.max_age),
                "on_stale": self.feed.on_stale,
                "exempt": list(self.feed.exempt),
            },
            "coverage": {"required": list(self.coverage_required)},
            "sandbox": {"builds": self.sandbox.builds, "allow_hosts": list(self.sandbox.allow_hosts)},
            "store": {
                "url": without_secrets(self.store_url),
                "timeout": iso_duration(self.sharing.timeout),
                "unreachable": self.sharing.unreachable,
            },
            "plugins": {"enable": list(self.plugins)},
            "names": {"popular_file": self.popular_file},
            "lock": {"keys": sorted(self.locked)},
            "origins": {without_secrets(key): layer for key, layer in sorted(self.origins.items())},
            "files": [layer._asdict() for layer in self.files],
            "ignored": [setting._asdict() for setting in self.ignored],
        }


_PLAIN_SIGNAL = SignalPolicy()


def lock_entry(key: str, entries: frozenset[str]) -> Optional[str]:
    """Return the entry that locks ``key``: the key, a section it lies in, or ``*``; ``None`` if none does."""
    while key:
        if key in entries:
            return key
        key = key.rpartition(".")[0]
    return "*" if "*" in entries else None
