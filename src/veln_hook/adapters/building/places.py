"""What the places of builds have in common, whichever installer starts them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from veln_hook import paths
from veln_hook.sandbox.layout import is_within
from veln_hook.sandbox.surroundings import is_wide

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_PARTS = ("bin", "lib", "lib64", "include", "share", "pyvenv.cfg")
"""What Python needs of an environment whose directory is a home as well."""

GIT_TRUSTS = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
"""Inside, files of other users can belong to nobody, which git takes for somebody else's repository."""


class PlaceError(Exception):
    """A place that the build would have to write can't be given to it; the text is for the user."""


def environment_parts(prefixes: Iterable[str]) -> list[str]:
    """Return what an interpreter reads of its prefixes: all of each, and its parts where that is too much."""
    prefixes = list(prefixes)
    return [*prefixes, *(os.path.join(prefix, part) for prefix in prefixes for part in _PARTS)]


def existing(wanted: Iterable[str], environ: Mapping[str, str], write: Sequence[str]) -> tuple[str, ...]:
    """Leave out what doesn't exist, what holds too much, and what another path covers already.

    Args:
        wanted: Paths that a build should be able to read.
        environ: For HOME.
        write: What it may write; what lies in there and is wanted should not be written.
    """
    kept: dict[str, str] = {}
    for path in wanted:
        real = os.path.realpath(path)
        if os.path.isabs(path) and os.path.exists(path) and not is_wide(real, environ):
            kept.setdefault(path, real)
    reals = set(kept.values())
    return tuple(
        path
        for path, real in kept.items()
        # A link is kept: what leads to it must be there, too.
        if path != real
        or any(is_within(real, place) for place in write)
        or not any(is_within(real, other) for other in reals - {real})
    )


def files_to_hide(secrets: Mapping[str, tuple[str, ...]], more: Iterable[str] = ()) -> tuple[str, ...]:
    """Return what a build must not read wherever it lies: secrets, our own state, and more.

    Args:
        secrets: What `hiding.secrets_by_home` tells.
        more: Further files, as the installer's configuration.
    """
    found = [str(paths.state_dir()), *more]
    for places in secrets.values():
        found += places
    # No device: PIP_CONFIG_FILE=/dev/null is how a configuration is switched off.
    return tuple(dict.fromkeys(path for path in found if os.path.isfile(path) or os.path.isdir(path)))
