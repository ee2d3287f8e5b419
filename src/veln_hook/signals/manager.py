"""A typed face over pluggy; nobody else touches a plugin manager.

pluggy's own call would stop at the first plugin that raises and lose what the
others found, so implementations are called one by one here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

from veln_hook.errors import PluginError
from veln_hook.model import Confidence, Finding, Severity
from veln_hook.signals import hookspecs
from veln_hook.signals.release import cooling, hash_mutation
from veln_hook.signals.release import overwrite as overwrite_signal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from veln_hook.model import Archive, Candidate
    from veln_hook.signals.hookspecs import ArchiveContext, CandidateContext, SignalInfo

BUILT_IN = (("cooling", cooling), ("hash-mutation", hash_mutation), ("overwrite", overwrite_signal))


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

    def examine_candidates(
        self, candidates: Sequence[Candidate], context: CandidateContext
    ) -> Iterator[tuple[Candidate, Finding]]:
        """Yield what all signals find; see ``veln_hook_examine_candidates``."""
        for impl in self._pluggy.hook.veln_hook_examine_candidates.get_hookimpls():
            try:
                pairs = list(_call(impl, candidates=candidates, context=context) or ())
            except Exception as error:  # noqa: BLE001 - a third party's bug must hold, not crash pip
                for candidate in candidates:
                    yield candidate, _unverifiable(impl.plugin_name, error)
            else:
                yield from pairs

    def examine_archive(self, archive: Archive, context: ArchiveContext) -> Iterator[Finding]:
        """Yield what all signals find; see ``veln_hook_examine_archive``."""
        for impl in self._pluggy.hook.veln_hook_examine_archive.get_hookimpls():
            try:
                findings: Iterable[Finding] = list(_call(impl, archive=archive, context=context) or ())
            except Exception as error:  # noqa: BLE001 - as above
                yield _unverifiable(impl.plugin_name, error)
            else:
                yield from findings


def _call(impl: pluggy.HookImpl, **arguments: object) -> Any:
    """Call one implementation with the arguments it takes; pluggy lets it leave some out."""
    function: Any = impl.function
    return function(*(arguments[name] for name in impl.argnames))


def _unverifiable(plugin: str, error: Exception) -> Finding:
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
