"""Write src/veln_hook_startup.pth, whose one line has to hold a readable program.

``site`` executes a ``.pth`` line that starts with ``import``. A test compares
the file with what this prints.
"""

from __future__ import annotations

from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "src" / "veln_hook_startup.pth"

FALLBACK = """\
try:
 import _veln_hook_fallback
 _veln_hook_fallback.install()
except Exception:
 pass
"""
# The fallback is compiled only where it is needed; every start of Python compiles the rest.
PROGRAM = f"""\
try:
 import veln_hook
 veln_hook.install()
except Exception:
 exec({FALLBACK!r}, {{}})
"""


def line() -> str:
    """Return the one line, with its newline."""
    # In a virtualenv site runs it twice; the second time there is nothing to do, nor to compile.
    # A dict of its own: names defined by a bare exec would be left in site's locals.
    return f"import sys; 'veln_hook' in sys.modules or exec({PROGRAM!r}, {{}})\n"


if __name__ == "__main__":
    TARGET.write_text(line(), encoding="ascii")
