"""The layers of the policy, read and merged.

A lower layer can always make the policy stricter. It can loosen only what no
layer above locked, and the files that arrive with other people's code or wheels
(the project's, the environment's) can't loosen at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Optional

from veln_hook import paths
from veln_hook.errors import PolicyError
from veln_hook.model import Confidence, Decision, Severity
from veln_hook.policy import schema
from veln_hook.policy.durations import format_duration
from veln_hook.policy.files import read_policy, read_project
from veln_hook.policy.layers import Setting, read_document, read_overrides, read_variables
from veln_hook.policy.matching import url_key
from veln_hook.policy.settings import (
    AuditPolicy,
    CoolingPolicy,
    DecisionTable,
    FeedPolicy,
    IgnoredSetting,
    IndexPolicy,
    Policy,
    PolicyLayer,
    SandboxPolicy,
    SharingPolicy,
    SignalPolicy,
    lock_entry,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from veln_hook.policy.files import Document

_NO_OVERRIDES: Mapping[str, str] = {}


@dataclass(frozen=True)
class PolicySources:
    """Where the files of the layers lie; ``None`` leaves a layer out."""

    system: Optional[Path] = field(default_factory=paths.system_policy)
    user: Optional[Path] = field(default_factory=paths.user_policy)
    environment: Optional[Path] = field(default_factory=paths.environment_policy)
    project: Optional[Path] = field(default_factory=paths.project_policy)

    def by_layer(self) -> tuple[tuple[str, Optional[Path]], ...]:
        """Return the layers' names and files, from the top down."""
        return (
            (schema.SYSTEM, self.system),
            (schema.USER, self.user),
            (schema.ENVIRONMENT, self.environment),
            (schema.PROJECT, self.project),
        )


def load_policy(
    *,
    environ: Mapping[str, str],
    overrides: Mapping[str, str] = _NO_OVERRIDES,
    sources: Optional[PolicySources] = None,
) -> Policy:
    """Read every layer and merge them.

    Args:
        environ: Variables; those that start with ``VELN_HOOK_`` are looked at.
        overrides: What the command line sets, by dotted key.
        sources: Where the files lie; by default where they lie on this machine.

    Returns:
        The policy in force.

    Raises:
        PolicyError: A file can't be read or says what it may not say; a layer loosens what one above locked.
    """
    merge = _Merge()
    files: list[PolicyLayer] = []
    for layer, path in (sources or PolicySources()).by_layer():
        document = None if path is None else _read(path, layer)
        files.append(PolicyLayer(layer, "" if path is None else str(path), document is not None))
        if document is not None:
            settings, problems = read_document(document, layer)
            if problems:
                raise problems[0]
            merge.add(settings, layer)
    merge.add(read_variables(environ), schema.VARIABLE)
    merge.add(read_overrides(overrides), schema.COMMAND_LINE)
    return merge.policy(tuple(files))


def validate_file(path: Path, layer: str) -> list[PolicyError]:
    """Return everything that is wrong with one file of a layer, by line; nothing if it is absent."""
    try:
        document = _read(path, layer)
    except PolicyError as error:
        return [error]
    return [] if document is None else read_document(document, layer)[1]


def _read(path: Path, layer: str) -> Document | None:
    return read_project(path) if layer == schema.PROJECT else read_policy(path)


class _Merge:
    """The values so far, and which layer set each."""

    def __init__(self) -> None:
        self._values = schema.default_values()
        self._origins: dict[str, str] = {}
        self._floors: dict[str, Any] = {}
        self._locks: dict[str, str] = {}
        self._ignored: list[IgnoredSetting] = []

    def add(self, settings: list[Setting], layer: str) -> None:
        """Merge one layer; its locks hold for those below it."""
        locks: list[str] = []
        for setting in settings:
            if setting.name == "lock.keys":
                locks += setting.value
            elif layer in schema.GUEST_LAYERS:
                self._tighten(setting, layer)
            else:
                self._set(setting, layer)
        for entry in locks:
            for name in sorted(schema.lock_closure(entry)):
                self._locks.setdefault(name, layer)

    def _tighten(self, setting: Setting, layer: str) -> None:
        """Take a value from a file that came with other people's code, if it is the stricter one.

        For a family (a project's cooling, a signal's severity) it becomes a floor beside the
        value, not the value: a layer below that raises the value it would have come from (the
        global ``min_age``) must not be undercut by it.
        """
        name = setting.name
        if self._loosened(setting, guest=True):
            reason = f"the {layer}'s file can't loosen the policy"
            value = _told(setting.value)
            self._ignored.append(IgnoredSetting(name, value, layer, setting.path, setting.line, reason))
            return
        if setting.value == self._effective(name, guest=True):
            return
        if _has_floor(name):
            self._floors[name] = setting.value
        else:
            self._values[name] = setting.value
        self._origins[name] = layer

    def _set(self, setting: Setting, layer: str) -> None:
        name = setting.name
        for loosened in self._loosened(setting):
            entry = lock_entry(loosened, frozenset(self._locks))
            if entry is not None:
                raise PolicyError(
                    f"is locked by the {self._locks[entry]} policy and can only be made stricter"
                    f" (in force: {_told(self._effective(name))})",
                    path=setting.path,
                    line=setting.line,
                    key=name,
                    advice="Take the setting away, or ask whoever keeps that policy.",
                )
        if name == "indexes":
            self._merge_list(name, setting.value, layer, _index_identity)
        elif name == "exceptions":
            self._merge_list(name, setting.value, layer, _exception_identity)
        else:
            self._values[name] = setting.value
            self._floors.pop(name, None)
        self._origins[name] = layer

    def _merge_list(self, name: str, entries: tuple[Any, ...], layer: str, identity: Any) -> None:
        kept = {identity(entry): entry for entry in self._values[name]}
        for entry in entries:
            old = kept.pop(identity(entry), None)
            if isinstance(old, IndexPolicy):
                self._origins.pop(f"{name}.{old.url}", None)
            kept[identity(entry)] = entry
            self._origins[f"{name}.{entry.url if isinstance(entry, IndexPolicy) else entry.sha256}"] = layer
        self._values[name] = tuple(kept.values())

    def _effective(self, name: str, *, guest: bool = False) -> Any:
        """Return what a setting is compared with: the value in force, floors and families included."""
        value = self._values.get(name)
        if name.startswith("cooling.projects.") and value is None:
            value = self._values["cooling.min_age"]
            if not guest:  # a project's own entry wins over its index's, so it must reach the longest of them
                ages = [index.min_age for index in self._values["indexes"] if index.min_age is not None]
                value = max([value, *ages])
        elif name.endswith(".enabled") and value is None:
            value = True
        floor = self._floors.get(name)
        if floor is not None and (value is None or floor > value):
            return floor
        return value

    def _loosened(self, setting: Setting, *, guest: bool = False) -> tuple[str, ...]:
        """Return the keys that a setting loosens: its own, or those of an index's entry."""
        if setting.name == "indexes":
            return tuple(key for index in setting.value for key in self._loosened_by_index(index))
        old = self._effective(setting.name, guest=guest)
        return (setting.name,) if setting.key.is_loosening(old, setting.value) else ()

    def _loosened_by_index(self, index: IndexPolicy) -> list[str]:
        before = Policy(
            cooling=CoolingPolicy(
                min_age=self._values["cooling.min_age"],
                missing_upload_time=self._values["cooling.missing_upload_time"],
            ),
            indexes=self._values["indexes"],
        )
        old = before.index_for(index.url)
        if old == index:
            return []
        after = replace(before, indexes=(index,))
        loosened = ["indexes.url"]
        for key, was, becomes in (
            ("indexes.min_age", _age_at(before, index.url), _age_at(after, index.url)),
            (
                "indexes.missing_upload_time",
                before.missing_upload_time_for(index.url).value,
                after.missing_upload_time_for(index.url).value,
            ),
            ("indexes.upstream", old.upstream if old else "", index.upstream),
        ):
            if schema.BY_NAME[key].is_loosening(was, becomes):
                loosened.append(key)
        # What one index gains another loses, so any change of what is private already may let more through.
        same = next(
            (each for each in before.indexes if _index_identity(each) == _index_identity(index)), None
        )
        private = same.private if same is not None else ()
        if index.private != private and any(each.private for each in before.indexes):
            loosened.append("indexes.private")
        return loosened

    def policy(self, files: tuple[PolicyLayer, ...]) -> Policy:
        """Return the merged policy."""
        value = self._values
        return Policy(
            cooling=CoolingPolicy(
                min_age=value["cooling.min_age"],
                min_observations=value["cooling.min_observations"],
                on_hold=value["cooling.on_hold"],
                missing_upload_time=value["cooling.missing_upload_time"],
                exempt=value["cooling.exempt"],
                security_fixes=value["cooling.security_fixes"],
                projects=_family(value, "cooling.projects."),
                at_least=_family(self._floors, "cooling.projects."),
            ),
            decisions=DecisionTable(
                {
                    (severity, confidence): value[schema.cell_name(severity, confidence)]
                    for severity in Severity
                    for confidence in Confidence
                }
            ),
            signals=self._signals(),
            approvals_accept=value["approvals.accept"],
            approvals_people=value["approvals.people"],
            indexes=value["indexes"],
            exceptions=value["exceptions"],
            audit=AuditPolicy(file=value["audit.file"], syslog=value["audit.syslog"]),
            feed=FeedPolicy(
                url=value["feed.url"],
                required=value["feed.required"],
                max_age=value["feed.max_age"],
                on_stale=value["feed.on_stale"],
                exempt=value["feed.exempt"],
            ),
            coverage_required=value["coverage.required"],
            sandbox=SandboxPolicy(builds=value["sandbox.builds"], allow_hosts=value["sandbox.allow_hosts"]),
            store_url=value["store.url"],
            sharing=SharingPolicy(timeout=value["store.timeout"], unreachable=value["store.unreachable"]),
            plugins=value["plugins.enable"],
            popular_file=value["names.popular_file"],
            origins=self._origins,
            locked=frozenset(self._locks),
            lock_layers=self._locks,
            files=files,
            ignored=tuple(self._ignored),
        )

    def _signals(self) -> dict[str, SignalPolicy]:
        signals: dict[str, SignalPolicy] = {}
        for name in {**_family(self._values, "signals."), **_family(self._floors, "signals.")}:
            signal = name.rpartition(".")[0]
            signals[signal] = SignalPolicy(
                enabled=self._values.get(f"signals.{signal}.enabled", True),
                severity=self._values.get(f"signals.{signal}.severity"),
                at_least=self._floors.get(f"signals.{signal}.severity"),
            )
        return signals


def _family(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name[len(prefix) :]: value for name, value in values.items() if name.startswith(prefix)}


def _has_floor(name: str) -> bool:
    return name.startswith("cooling.projects.") or (
        name.startswith("signals.") and name.endswith(".severity")
    )


def _index_identity(index: IndexPolicy) -> object:
    return url_key(index.url)


def _exception_identity(exception: Any) -> object:
    return exception.sha256


def _age_at(policy: Policy, url: str) -> timedelta:
    return policy.min_age_for("", "", url).min_age


def _told(value: object) -> str:
    """Return a value as a message shows it."""
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, (Decision, Severity)):
        return value.word
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return (
            ", ".join(_told(item) for item in value)
            if all(isinstance(item, str) for item in value)
            else "a list"
        )
    return str(value)
