"""Our dependencies from a directory of our own, for us alone.

Where veln-hook isn't installed but was brought along (another interpreter's
``pip --python``, an environment enabled from outside, an image), the
environment knows nothing of what we need, or has versions of it that we can't
use. So our modules are imported with a finder before all others, and afterwards
the dependencies leave ``sys.modules`` again: everyone else finds the
environment's own.

Rules of this module: it imports what every pip has imported long before.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:  # as ``typing`` has it, which takes longer to import than all of this
    from collections.abc import Mapping
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any, Optional


class _Finder:
    """Finds our dependencies where they were brought to, and nothing else."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Optional[ModuleSpec]:
        """Return a spec for one of them (PEP 451)."""
        if path is None and fullname in self._places:
            return PathFinder.find_spec(fullname, [self._places[fullname]], target)
        return None


def importing(name: str) -> ModuleType:
    """Import one of our modules, with our own dependencies if they were brought along.

    Args:
        name: Dotted; all that it ever needs of them it has to import by itself, now.

    Raises:
        ImportError: It, or one of them, can't be imported.
    """
    carried = sys.modules["veln_hook"].carried
    if carried is None:
        return importlib.import_module(name)
    places = {each: directory for each, (directory, _) in carried.items()}
    before = set(sys.modules)
    # A dependency that the environment already imported stays as it is, for everyone but us.
    aside = {each: sys.modules.pop(each) for each in before if each.partition(".")[0] in places}
    finder: Any = _Finder(places)
    sys.meta_path.insert(0, finder)
    try:
        return importlib.import_module(name)
    finally:
        sys.meta_path.remove(finder)
        for each in set(sys.modules) - before:
            if each.partition(".")[0] in places:
                del sys.modules[each]
        sys.modules.update(aside)
