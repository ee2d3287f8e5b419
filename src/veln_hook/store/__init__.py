"""What this machine remembers: observations, approvals, the verdict log."""

from __future__ import annotations

from veln_hook.store.interface import ArchiveMemory, Scan, Store, StoreInfo, Team
from veln_hook.store.opening import open_policy_store, open_store

__all__ = ["ArchiveMemory", "Scan", "Store", "StoreInfo", "Team", "open_policy_store", "open_store"]
