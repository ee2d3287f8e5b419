"""``python -m veln_hook`` is ``veln-hook``, for the interpreter that is meant."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    # As pip does: -m puts the working directory first, and a hostile project may hold a pluggy.py.
    try:
        here = os.getcwd()
    except OSError:  # it was removed, and sys.path has it as ""
        here = ""
    if sys.path and sys.path[0] in ("", here):
        sys.path.pop(0)

    from veln_hook.cli.__main__ import main

    sys.exit(main())
