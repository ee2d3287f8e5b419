"""The activate scripts of an environment put its shims first.

``activate`` puts the environment's ``bin`` at the front of ``PATH``, and a directory that stood first before
then stands second, so that the scripts have to do it. A marked block is appended to each; the end of an
activation, for which these scripts keep the old ``PATH``, undoes both.

nushell's and xonsh's scripts return their changes rather than make them; nothing can be appended.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from veln_hook.adapters.shims.places import OURS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_BEGIN = b"\n# >>> veln-hook shims >>>\n"
_END = b"# <<< veln-hook shims <<<\n"
_NOTE = b"# Written by 'veln-hook shims install'; 'veln-hook shims remove' takes it away.\n"
_PLACE = f"VIRTUAL_ENV/{OURS}/bin"

_SH = f"""\
if [ -d "${_PLACE}" ] ; then
    PATH="${_PLACE}:$PATH"
    export PATH
    hash -r 2> /dev/null || true
fi
"""
_CSH = f"""\
if ( -d "${_PLACE}" ) then
    setenv PATH "${_PLACE}:$PATH"
    rehash
endif
"""
_FISH = f"""\
if test -d "${_PLACE}"
    set -gx PATH "${_PLACE}" $PATH
end
"""
_PS1 = f"""\
if (Test-Path -LiteralPath "$env:{_PLACE}") {{
    $env:PATH = "$env:{_PLACE}" + [System.IO.Path]::PathSeparator + $env:PATH
}}
"""
_BLOCKS: Mapping[str, str] = {
    "activate": _SH,
    "activate.csh": _CSH,
    "activate.fish": _FISH,
    "Activate.ps1": _PS1,  # by venv
    "activate.ps1": _PS1,  # by virtualenv and uv
}
UNTOUCHED = ("activate.nu", "activate.xsh", "activate_this.py")
"""What nothing is appended to."""
_MAX_BYTES = 1 << 20
"""An activate script has a few thousand bytes."""


def scripts(environment: Path) -> list[Path]:
    """Return the activate scripts that a block can be appended to.

    What is a link is left alone: it may lead out of the environment.
    """
    found = [environment / "bin" / name for name in _BLOCKS]
    return [path for path in found if path.is_file() and not path.is_symlink()]


def patched(script: Path) -> bytes:
    """Return what a script is with the block, an older block having been taken away.

    Raises:
        OSError: It can't be read.
    """
    return _without_block(_read(script)) + _block(script)


def restored(script: Path) -> bytes:
    """Return what a script was before the block was appended, byte for byte.

    Raises:
        OSError: It can't be read.
    """
    return _without_block(_read(script))


def replace(script: Path, text: bytes) -> bool:
    """Give a script another content at once, with its mode; tell whether there was anything to do.

    Raises:
        OSError: It can't be written; it is as it was.
    """
    if _read(script) == text:
        return False
    new = script.with_name(f".{script.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(text)
            os.fchmod(file.fileno(), stat.S_IMODE(script.stat().st_mode))
        os.replace(new, script)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise
    return True


def _block(script: Path) -> bytes:
    return _BEGIN + _NOTE + _BLOCKS[script.name].encode() + _END


def _without_block(text: bytes) -> bytes:
    """Take every block away; one whose end is missing isn't ours any more, and stays."""
    while True:
        begin = text.find(_BEGIN)
        end = text.find(_END, begin)
        if begin < 0 or end < 0:
            return text
        text = text[:begin] + text[end + len(_END) :]


def _read(script: Path) -> bytes:
    with open(script, "rb") as file:
        text = file.read(_MAX_BYTES + 1)
    if len(text) > _MAX_BYTES:
        raise OSError(f"{script} is too long for an activate script")
    return text
