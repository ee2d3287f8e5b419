"""Safe reading of wheels, sdists and source trees. Nothing of what is read is ever run."""

from __future__ import annotations

from veln_hook.archive.reading import describe_archive, describe_tree, hash_file, identify
from veln_hook.archive.wheel import WheelContents, wheel_contents

__all__ = ["WheelContents", "describe_archive", "describe_tree", "hash_file", "identify", "wheel_contents"]
