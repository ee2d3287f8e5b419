from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from veln_hook.policy.loading import PolicySources, load_policy

if TYPE_CHECKING:
    from pathlib import Path

    from veln_hook.policy.settings import Policy


@dataclass
class Machine:
    """A machine's policy files, in a directory of their own."""

    root: Path

    @property
    def sources(self) -> PolicySources:
        return PolicySources(
            system=self.root / "system.toml",
            user=self.root / "user.toml",
            environment=self.root / "veln-hook.toml",
            project=self.root / "pyproject.toml",
        )

    def write(self, **layers: str) -> Machine:
        for layer, text in layers.items():
            path = getattr(self.sources, layer)
            path.write_text(text, encoding="utf-8")
        return self

    def load(self, environ: dict[str, str] | None = None, overrides: dict[str, str] | None = None) -> Policy:
        return load_policy(environ=environ or {}, overrides=overrides or {}, sources=self.sources)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)
