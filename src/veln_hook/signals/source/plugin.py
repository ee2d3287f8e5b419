"""The rules as a plugin, registered like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.hookspecs import hookimpl
from veln_hook.signals.source.judging import SIGNALS, examine

if TYPE_CHECKING:
    from collections.abc import Iterable

    from veln_hook.model import Archive, Finding
    from veln_hook.signals.hookspecs import ArchiveContext, SignalInfo


@hookimpl
def veln_hook_signals() -> Iterable[SignalInfo]:
    """Name every rule."""
    return SIGNALS


@hookimpl
def veln_hook_examine_archive(archive: Archive, context: ArchiveContext) -> Iterable[Finding]:
    """Report what the code of an archive does."""
    return examine(archive, context)
