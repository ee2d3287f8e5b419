"""Lead an environment that was just made to the protection of whoever made it.

Rules of this module: an environment is never spoilt and its making never fails
because of us; where its site-packages can't be written, it is as it would have
been, and that is told.
"""

from __future__ import annotations

import glob
import os
import re

import veln_hook
from veln_hook import paths
from veln_hook.adapters.pip import carry
from veln_hook.adapters.venv import pointers
from veln_hook.errors import CarryError

PTH = "_veln_hook.pth"
FALLBACK = "_veln_hook_fallback.py"
_OWN = "veln_hook_startup.pth"
_MINOR = re.compile(r"/python3\.(\d+)t?/site-packages$")


def lead(prefix: str) -> str:
    """Write the line that leads a new environment to this process' protection.

    Args:
        prefix: Of the environment.

    Returns:
        Why that couldn't be; empty if it could, or if it is protected already.
    """
    directory = str(paths.PACKAGE_DIR.parent)
    problem = ""
    try:
        with open(os.path.join(directory, FALLBACK), encoding="utf-8") as file:
            fallback = file.read()
        for site in glob.glob(os.path.join(glob.escape(prefix), "lib*", "python3*", "site-packages")):
            if os.path.islink(os.path.dirname(os.path.dirname(site))):  # lib64
                continue
            if os.path.exists(os.path.join(site, _OWN)):
                continue
            minor = _MINOR.search(site)
            if minor is None:  # of no Python that pip could be guarded in
                continue
            try:
                carried = carry.for_minors([int(minor[1])])
            except CarryError as error:
                # Its pip will say so, rather than install what nobody judged.
                carried, problem = carry.of_this_environment(), str(error)
            target = pointers.Target(directory, carried, veln_hook.repair, fallback)
            _write(os.path.join(site, PTH), pointers.pth(target))
    except OSError as error:
        return f"{error.filename or prefix}: {error.strerror or error}"
    return problem


def _write(path: str, text: str) -> None:
    new = f"{path}.{os.getpid()}"
    with open(new, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(new, path)
