"""pip's adapter: candidates and archives are judged in pip's own process.

``points`` replaces pip's functions, ``preload`` imports all that may ever be
needed, ``run`` holds one command's state; ``finder``, ``prepare``, ``install``
and ``commands`` are what the replaced functions do. pip's internals carry no
promise, so every one is looked for and a missing one refuses the command.
"""

from __future__ import annotations
