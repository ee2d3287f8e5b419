"""One thing of each kind in a shared store."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from typing import Any

from veln_hook.model import Decision, Observation, VerdictRecord
from veln_hook.store.postgres_server import Outgoing


def observed_and_logged(fleet: Any) -> None:
    now = datetime.now(timezone.utc)
    server = fleet.server(machine="m1")
    server.observe([Observation("demo", "1.0", "demo-1.0.tar.gz", "ab" * 32, "https://x/", now, "m1")])
    held = VerdictRecord(now, Decision.HOLD, "candidate", "demo", "1.0", "demo-1.0.tar.gz", "", "", "held")
    server.append([Outgoing(str(uuid.uuid4()), held)])
