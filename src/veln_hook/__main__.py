"""``python -m veln_hook`` is ``veln-hook``, for the interpreter that is meant."""

from __future__ import annotations

import sys

from veln_hook.cli.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
