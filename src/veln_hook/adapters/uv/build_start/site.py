# ruff: noqa: INP001
"""For PyPy, which imports ``site`` before anything of warnings; then for the one that is meant."""

from __future__ import annotations

import sys

# It asks and doesn't come back, or takes this directory out of the path.
__import__("_veln_hook_build")
sys.modules.pop("site", None)
__import__("site")
