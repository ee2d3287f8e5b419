"""The variables by which each Python that uv starts asks before it does anything, and whom it asks."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from veln_hook.adapters.uv.build_door import Door, Stop
from veln_hook.sandbox.short_paths import make_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from veln_hook.adapters.uv.build_door import Answer, Asked

START = os.path.join(os.path.dirname(os.path.abspath(__file__)), "build_start")
FILES = ("_veln_hook_build.py", "site.py", "sitecustomize.py")
_WARNING = "ignore::_veln_hook_build.Asked"


def _nothing(_word: str) -> Answer:
    return Stop("HOLD  nothing was to be made here")


class Asking:
    """A private directory with what such a Python loads (``build_start``), and a door to ask at.

    Args:
        uv: The real uv, by its absolute path.
        answer: What ``build_door.Door`` calls for a step that wants to start.
        made: What it calls for one that has made something; by default nothing is taken.

    Raises:
        OSError: There is no place for a private directory.
    """

    def __init__(
        self, uv: str, answer: Callable[[Asked], Answer], made: Callable[[str], Answer] = _nothing
    ) -> None:
        self.directory = make_directory("veln-hook-uv-")
        """Of mode 0700; it goes when this is closed."""
        try:
            # Copies: what an upgrade replaces while uv runs would else be missing, and nobody asked.
            self._start = os.path.join(self.directory, "start")
            os.mkdir(self._start)
            for name in FILES:
                shutil.copyfile(os.path.join(START, name), os.path.join(self._start, name))
            os.symlink(uv, os.path.join(self.directory, "uv"))
            self.door = os.path.join(self.directory, "door")
            self._door = Door(self.door, answer, made)
        except OSError:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return an environment with these variables.

        Args:
            environ: What uv would have otherwise.
        """
        made = dict(environ)
        theirs = made.get("PYTHONPATH")
        made["PYTHONPATH"] = f"{self._start}{os.pathsep}{theirs}" if theirs else self._start
        # Last: a later option of warnings comes before an earlier one, and none of theirs names our category.
        warnings = made.get("PYTHONWARNINGS")
        made["PYTHONWARNINGS"] = f"{warnings},{_WARNING}" if warnings else _WARNING
        return made

    def without(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return a step's environment without them, as ``build_start`` leaves it to a step that goes on."""
        left = dict(environ)
        for name, separator, ours in (
            ("PYTHONPATH", os.pathsep, self._start),
            ("PYTHONWARNINGS", ",", _WARNING),
        ):
            theirs = [entry for entry in left.pop(name, ours).split(separator) if entry != ours]
            if theirs:
                left[name] = separator.join(theirs)
        return left

    def close(self) -> None:
        """Answer nobody any more, and remove the directory. Calling it twice is harmless."""
        self._door.close()
        shutil.rmtree(self.directory, ignore_errors=True)
