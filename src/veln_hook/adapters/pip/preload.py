"""Import everything a run may need, while pip still allows imports.

pip 26.3 raises on any first import once installing starts, the standard library
included, and pip may be replacing our own files by then. Rules: every module of
ours that pip's process uses is imported here; nothing of ours imports lazily
afterwards, nor calls what imports lazily (``strptime``, unusual codecs).
"""

from __future__ import annotations

# Imported for their effect: these are loaded lazily by modules we or pip use.
import encodings.idna  # noqa: F401 - socket.getaddrinfo, in a side request of a new host
import json.decoder  # noqa: F401
import sys
from typing import TYPE_CHECKING, Any

from veln_hook.adapters.pip import (
    build_command,
    build_places,
    build_refusals,
    builds,
    carry,
    children,
    commands,
    finder,
    install,
    lookups,
    pages,
    prepare,
    previous,
    run,
)

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["load"]

_MODULES = (
    *(build_command, build_places, build_refusals, builds, carry, children, commands, finder),
    *(install, lookups, pages, prepare, previous, run),
)


def load(prefix: str) -> None:
    """Make ready for one pip: patch what is no plain function, and tell 26.3 which imports are ours.

    Args:
        prefix: ``pip._internal.``, or a vendored pip's; its index modules are imported already.
    """
    link_module: Any = sys.modules[f"{prefix}models.link"]
    pages.capture_upload_times(link_module.Link)
    pip: ModuleType | None = sys.modules.get(prefix.rpartition("._internal.")[0])
    eager: Any = getattr(pip, "_EAGER_IMPORTS", None)
    if isinstance(eager, set):  # 26.3: the place pip names for tools like this one
        eager.update(name for name in sys.modules if name.partition(".")[0] in _OURS)


_OURS = frozenset(("veln_hook", "pluggy", "packaging", "platformdirs", "tomli", "tomllib"))
