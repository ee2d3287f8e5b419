"""A typed face over pluggy; nobody else touches a plugin manager.

pluggy's own call would stop at the first plugin that raises and lose what the
others found, so implementations are called one by one here.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pluggy

from veln_hook.errors import PluginError
from veln_hook.model import Confidence, Finding, Severity
from veln_hook.signals import hookspecs
from veln_hook.signals.hookspecs import SignalInfo
from veln_hook.signals.release import (
    cooling,
    dependency_confusion,
    hash_mutation,
    known_malware,
    late_file,
    project_status,
    provenance_downgrade,
    revival,
    sdist_only,
    similar_name,
    version_order,
    yanked,
)
from veln_hook.signals.release import overwrite as overwrite_signal
from veln_hook.signals.source import plugin as source_plugin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from veln_hook.model import Archive, Candidate
    from veln_hook.signals.hookspecs import ArchiveContext, CandidateContext

BUILT_IN = (
    ("cooling", cooling),
    ("hash-mutation", hash_mutation),
    ("known-malware", known_malware),
    ("overwrite", overwrite_signal),
    ("provenance-downgrade", provenance_downgrade),
    ("project-status", project_status),
    ("yanked", yanked),
    ("late-file", late_file),
    ("sdist-only", sdist_only),
    ("version-order", version_order),
    ("revival", revival),
    ("similar-name", similar_name),
    ("dependency-confusion", dependency_confusion),
    ("source", source_plugin),
)

_NONE = type(None)
_FIELDS: dict[str, tuple[type, ...]] = {
    "signal": (str,),
    "severity": (Severity,),
    "confidence": (Confidence,),
    "message": (str,),
    "opens_at": (datetime, _NONE),
    "unverifiable": (bool,),
    "path": (str,),
    "line": (int, _NONE),
    "reach": (str,),
    "new": (bool, _NONE),
    "evidence": (str,),
}
"""What the fields of a finding may be: a third party's code isn't type-checked by us."""


class SignalManager:
    """The signals in force."""

    def __init__(self) -> None:
        self._pluggy = pluggy.PluginManager(hookspecs.PROJECT)
        self._pluggy.add_hookspecs(hookspecs)
        self.signals: dict[str, SignalInfo] = {}
        for name, plugin in BUILT_IN:
            self.register(plugin, name)

    def register(self, plugin: object, name: str) -> None:
        """Add a plugin under a name.

        Raises:
            PluginError: A hook it implements doesn't exist or takes other
                arguments, or one of its signals' names is taken.
        """
        try:
            self._pluggy.register(plugin, name)
            self._pluggy.check_pending()
        except (ValueError, pluggy.PluginValidationError) as error:
            raise PluginError(f"plugin {name!r} can't be used: {error}") from error
        for caller in self._pluggy.get_hookcallers(plugin) or ():
            for impl in caller.get_hookimpls():
                if impl.plugin is plugin and (impl.hookwrapper or getattr(impl, "wrapper", False)):
                    raise PluginError(f"plugin {name!r} can't be used: {caller.name} is a wrapper of nothing")
        try:
            infos = [
                info
                for impl in self._pluggy.hook.veln_hook_signals.get_hookimpls()
                if impl.plugin is plugin
                for info in _call(impl)
            ]
        except Exception as error:
            raise PluginError(f"plugin {name!r} can't name its signals: {error!r}") from error
        for info in infos:
            if not isinstance(info, SignalInfo):
                raise PluginError(f"plugin {name!r} names a signal with {info!r}, which is no SignalInfo")
            if info.name in self.signals:
                raise PluginError(f"plugin {name!r} names a signal {info.name!r}, which exists already")
            self.signals[info.name] = info

    def load_plugins(self, names: Sequence[str]) -> None:
        """Load third-party plugins by entry point name (group ``veln_hook``).

        Raises:
            PluginError: One isn't installed, or can't be loaded.
        """
        if not names:
            return
        found = {point.name: point for point in _entry_points() if point.name in names}
        for name in names:
            if name not in found:
                raise PluginError(f"the policy enables the plugin {name!r}, which is not installed here")
            try:
                plugin = found[name].load()
            except Exception as error:
                raise PluginError(f"plugin {name!r} can't be loaded: {error!r}") from error
            self.register(plugin, name)

    @property
    def only_built_in(self) -> bool:
        """Whether no third party's signal looks at candidates."""
        names = {name for name, _ in BUILT_IN}
        return all(
            impl.plugin_name in names
            for impl in self._pluggy.hook.veln_hook_examine_candidates.get_hookimpls()
        )

    def examine_candidates(
        self, candidates: Sequence[Candidate], context: CandidateContext
    ) -> Iterator[tuple[Candidate, Finding]]:
        """Yield what all signals find; see ``veln_hook_examine_candidates``."""
        asked = {id(candidate) for candidate in candidates}
        for impl in self._pluggy.hook.veln_hook_examine_candidates.get_hookimpls():
            try:
                pairs = [
                    _checked_pair(pair, asked, candidates)
                    for pair in _call(impl, candidates=candidates, context=context) or ()
                ]
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a third party's bug must hold, not crash or end pip
                for candidate in candidates:
                    yield candidate, _unverifiable(impl.plugin_name, error)
            else:
                yield from pairs

    def examine_archive(self, archive: Archive, context: ArchiveContext) -> Iterator[Finding]:
        """Yield what all signals find; see ``veln_hook_examine_archive``."""
        for impl in self._pluggy.hook.veln_hook_examine_archive.get_hookimpls():
            try:
                findings = [
                    _checked(finding) for finding in _call(impl, archive=archive, context=context) or ()
                ]
            except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
                yield _unverifiable(impl.plugin_name, error)
            else:
                yield from findings


def _call(impl: pluggy.HookImpl, **arguments: object) -> Any:
    """Call one implementation with the arguments it takes; pluggy lets it leave some out."""
    function: Any = impl.function
    return function(*(arguments[name] for name in impl.argnames))


def _checked_pair(pair: Any, asked: set[int], candidates: Sequence[Candidate]) -> tuple[Candidate, Finding]:
    """Return the pair if it can be decided about; whatever else came is as bad as an exception."""
    candidate, finding = pair
    # By identity first: a page can hold thousands, and a signal gives back what it was given.
    if id(candidate) not in asked and candidate not in candidates:
        raise TypeError(f"it returned a finding about {candidate!r}, which it was not asked about")
    return candidate, _checked(finding)


def _checked(finding: Any) -> Finding:
    if not isinstance(finding, Finding):
        raise TypeError(f"it returned {finding!r}, which is no Finding")
    for name, kinds in _FIELDS.items():
        if not isinstance(getattr(finding, name), kinds):
            raise TypeError(f"it returned a finding whose {name!r} is {getattr(finding, name)!r}")
    if finding.opens_at is not None and finding.opens_at.utcoffset() is None:
        raise TypeError("it returned a finding whose 'opens_at' has no time zone")
    return finding


def _unverifiable(plugin: str, error: BaseException) -> Finding:
    return Finding(
        signal=plugin,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        message=f"the signal {plugin!r} failed and could not judge this: {type(error).__name__}: {error}",
        unverifiable=True,
    )


def _entry_points() -> Iterable[Any]:
    # Imported here because it costs 30 ms and only machines with plugins need it;
    # that is before installing starts, when pip still allows imports.
    from importlib import metadata  # noqa: PLC0415

    points: Any = metadata.entry_points()
    if hasattr(points, "select"):
        return list(points.select(group=hookspecs.PROJECT))
    return list(points.get(hookspecs.PROJECT, ()))  # Python 3.9
