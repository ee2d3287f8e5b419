"""The documents name what the code has; docs/cli.md and docs/policy.md are held by their own rooms' tests."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from veln_hook.signals import SignalManager, hookspecs
from veln_hook.signals.source import SIGNALS

DOCS = Path(__file__).parents[2] / "docs"
HOOKS = [name for name in vars(hookspecs) if name.startswith("veln_hook_")]


def test_every_built_in_signal_has_its_page():
    signals = {*SignalManager().signals, *(info.name for info in SIGNALS)}
    assert {path.stem for path in (DOCS / "signals").glob("*.md")} == {"README", *signals}


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_and_its_arguments_are_documented(hook):
    row = re.search(rf"^\| `{hook}` \|(.*)$", (DOCS / "plugins.md").read_text(), re.MULTILINE)
    assert row is not None
    for argument in inspect.signature(getattr(hookspecs, hook)).parameters:
        assert f"`{argument}`" in row.group(1)


def test_links_between_documents_lead_somewhere():
    root = DOCS.parent
    documents = [
        root / "README.md",
        root / "CHANGELOG.md",
        *DOCS.rglob("*.md"),
        *(root / "examples").rglob("*.md"),
    ]
    missing = [
        f"{document.relative_to(root)}: {target}"
        for document in documents
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
        if not (document.parent / target).exists()
    ]
    assert missing == []
