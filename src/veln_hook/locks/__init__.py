"""Lock files as data: which releases and bytes they pin, where that stands, and what an index says of it.

A lock comes with other people's changes, so it is read like anything hostile: bounded, typed, and refused as
a whole, with file and line, where it can't be understood. Nothing here asks a network.
"""

from __future__ import annotations
