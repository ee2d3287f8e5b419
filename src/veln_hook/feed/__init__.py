"""The feed room: what the world already knows of a release, looked up here without asking anybody.

A feed is OSV's records of PyPI (https://ossf.github.io/osv-schema/), turned into an index file of our own.
``reading`` is what an install uses; the rest makes that file, in a process of its own.
"""

from __future__ import annotations

from veln_hook.feed.advisories import Advisory
from veln_hook.feed.reading import Feed, FeedInfo

__all__ = ["Advisory", "Feed", "FeedInfo"]
