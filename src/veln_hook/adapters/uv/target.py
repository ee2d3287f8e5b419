"""Which environment uv installs into, as far as that can be told before it does."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veln_hook.adapters.uv.commands import Line
    from veln_hook.adapters.uv.configuration import Places
    from veln_hook.adapters.uv.words import Words

_DIST_INFO = re.compile(r"(?P<name>[A-Za-z0-9._]+)-(?P<version>[^-]+)\.dist-info")


def prefix_of(words: Words, environ: Mapping[str, str], where: Places) -> str:
    """Return the prefix of the environment that a command means; our own where that isn't plain."""
    named = words.values("--python", "-p")[-1:] or [""]
    places = [
        os.path.join(where.directory, named[0]) if named[0] else "",
        os.path.join(where.project, environ.get("UV_PROJECT_ENVIRONMENT", "") or ".venv"),
        environ.get("VIRTUAL_ENV", ""),
    ]
    for place in places:
        if place and os.path.isfile(os.path.join(place, "pyvenv.cfg")):
            return place
        above = os.path.dirname(os.path.dirname(place))  # of bin/python
        if place == places[0] and place and os.path.isfile(os.path.join(above, "pyvenv.cfg")):
            return above
    return sys.prefix


def may_make(line: Line, words: Words, environ: Mapping[str, str], where: Places) -> list[str]:
    """Return the directories in which a command may make an environment.

    Args:
        line: Which command it is.
        words: Its words.
        environ: The user's environment.
        where: Its directories.
    """
    project = os.path.join(where.project, environ.get("UV_PROJECT_ENVIRONMENT", "") or ".venv")
    if line.command != ("venv",):
        return [project]
    named = words.plain()[:1]
    return (
        [os.path.join(where.directory, named[0])]
        if named
        else [os.path.join(where.directory, ".venv"), project]
    )


def installed_version(prefix: str, project: str) -> str:
    """Return the version of a project that is installed in an environment; empty if none is.

    Args:
        prefix: Of the environment.
        project: Normalized name.
    """
    try:
        with os.scandir(os.path.join(prefix, "lib")) as entries:
            places = [entry.path for entry in entries if entry.name.startswith("python")]
        for place in places:
            for name in os.listdir(os.path.join(place, "site-packages")):
                found = _DIST_INFO.fullmatch(name)
                if found and re.sub(r"[-_.]+", "-", found["name"]).lower() == project:
                    return found["version"]
    except OSError:
        pass
    return ""
