from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from veln_hook.model import Decision, Severity
from veln_hook.policy import schema
from veln_hook.policy.durations import parse_duration
from veln_hook.policy.loading import PolicySources, load_policy
from veln_hook.policy.settings import Policy

DOC = Path(__file__).parents[3] / "docs" / "policy.md"


def test_the_document_holds_exactly_the_table():
    text = DOC.read_text(encoding="utf-8")
    tables = [block for block in text.split("\n\n") if block.startswith("| key |")]
    assert [table.strip() + "\n" for table in tables] == [schema.markdown_table()]


def test_no_variable_can_touch_a_signal():
    assert not [name for name in schema.BY_VARIABLE if "SIGNAL" in name or "DECISION" in name]


def test_keys_without_an_order_never_stand_in_a_guest_file():
    for key in schema.KEYS:
        if key.stricter == "no order":
            assert not key.where & schema.GUEST_LAYERS, key.name


def test_the_policy_without_layers_is_the_default_one():
    nowhere = PolicySources(system=None, user=None, environment=None, project=None)
    loaded = load_policy(environ={}, sources=nowhere)
    assert loaded.to_dict() == {**Policy().to_dict(), "files": loaded.to_dict()["files"]}


@pytest.mark.parametrize(
    ("name", "old", "new", "looser"),
    [
        ("cooling.min_age", timedelta(hours=2), timedelta(hours=1), True),
        ("cooling.min_age", timedelta(hours=2), timedelta(hours=2), False),
        ("cooling.min_age", timedelta(hours=2), timedelta(hours=3), False),
        ("cooling.min_observations", 2, 1, True),
        ("cooling.min_observations", 1, 2, False),
        ("cooling.on_hold", "refuse", "fallback", True),
        ("cooling.on_hold", "fallback", "refuse", False),
        ("cooling.missing_upload_time", "first-seen", "allow", True),
        ("cooling.missing_upload_time", "hold", "first-seen", True),
        ("cooling.missing_upload_time", "first-seen", "hold", False),
        ("cooling.exempt", ("a",), ("a", "b"), True),
        ("cooling.exempt", ("a", "b"), ("b",), False),
        ("cooling.security_fixes", "hold", "warn", True),
        ("cooling.security_fixes", "warn", "hold", False),
        ("feed.required", True, False, True),
        ("feed.required", False, True, False),
        ("feed.max_age", timedelta(days=2), timedelta(days=3), True),
        ("feed.max_age", timedelta(days=2), timedelta(), True),
        ("feed.max_age", timedelta(days=2), timedelta(days=1), False),
        ("feed.max_age", timedelta(), timedelta(days=900), False),
        ("feed.max_age", timedelta(), timedelta(), False),
        ("feed.on_stale", "hold", "warn", True),
        ("feed.exempt", (), ("acme-*",), True),
        ("feed.exempt", ("acme-*",), (), False),
        ("feed.url", "https://a/", "https://b/", True),
        ("decisions.<severity>.<confidence>", Decision.HOLD, Decision.WARN, True),
        ("decisions.<severity>.<confidence>", Decision.WARN, Decision.HOLD, False),
        ("signals.<signal>.enabled", True, False, True),
        ("signals.<signal>.enabled", False, True, False),
        ("signals.<signal>.severity", None, Severity.MEDIUM, True),
        ("signals.<signal>.severity", None, Severity.HIGH, False),
        ("signals.<signal>.severity", Severity.LOW, Severity.MEDIUM, False),
        ("signals.<signal>.severity", Severity.MEDIUM, Severity.LOW, True),
        ("approvals.accept", "none", "shared", True),
        ("approvals.accept", "shared", "local", True),
        ("approvals.accept", "local", "none", False),
        ("sandbox.builds", "require", "auto", True),
        ("sandbox.builds", "auto", "off", True),
        ("sandbox.builds", "off", "require", False),
        ("sandbox.allow_hosts", (), ("x.example",), True),
        ("store.url", "", "postgresql://x", True),
        ("store.unreachable", "hold", "local", True),
        ("store.unreachable", "local", "hold", False),
        ("plugins.enable", ("a",), (), True),
    ],
)
def test_which_way_is_looser(name, old, new, looser):
    assert schema.BY_NAME[name].is_loosening(old, new) is looser


@pytest.mark.parametrize(
    ("entry", "locks", "spares"),
    [
        (
            "cooling.min_age",
            {
                "cooling.exempt",
                "cooling.projects",
                "cooling.security_fixes",
                "indexes.min_age",
                "indexes.upstream",
            },
            {"cooling.on_hold"},
        ),
        ("cooling", {"cooling", "indexes.min_age", "indexes.missing_upload_time"}, {"signals"}),
        ("cooling.projects.foo", {"cooling.exempt"}, {"cooling.min_age"}),
        ("decisions", {"decisions", "signals"}, {"cooling"}),
        ("decisions.high", {"signals"}, set()),
        ("decisions.high.low", {"signals"}, set()),
        ("decisions.critical", {"decisions.critical"}, {"signals"}),
        ("feed.max_age", {"feed.max_age", "feed.on_stale"}, {"feed"}),
        ("feed.required", {"feed.required", "feed.on_stale"}, {"feed.exempt"}),
        ("store.url", {"store.url", "store.unreachable", "store.timeout"}, {"store"}),
        ("approvals.accept", {"store.url", "store.unreachable"}, {"approvals.people"}),
        ("approvals.people", {"approvals.accept", "store.url", "store.unreachable"}, set()),
        ("approvals", {"approvals", "store.url"}, {"cooling"}),
        ("cooling.min_observations", {"store.url", "store.unreachable"}, {"cooling.min_age"}),
        ("*", {"*"}, set()),
    ],
)
def test_a_lock_closes_the_ways_around_it(entry, locks, spares):
    closure = schema.lock_closure(entry)
    assert locks <= closure
    assert not spares & closure


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("*", "*"),
        ("switch", "switch"),
        ("cooling", "cooling"),
        ("cooling.*", "cooling"),
        ("cooling.projects.Zope.Interface", "cooling.projects.zope-interface"),
        ("decisions.high", "decisions.high"),
        ("signals.hash-mutation", "signals.hash-mutation"),
        ("indexes.min_age", "indexes.min_age"),
        ("exceptions", "exceptions"),
    ],
)
def test_lock_names(text, name):
    assert schema.lock_name(text) == name


@pytest.mark.parametrize(
    "text", ["coolin", "cooling.min_ages", "decisions.awful", "signals.cooling.enabled", "*.x", "."]
)
def test_a_lock_of_nothing_is_refused(text):
    with pytest.raises(ValueError, match=r"unknown key|no matter of"):
        schema.lock_name(text)


def test_near_misses_are_told():
    with pytest.raises(schema.UnknownKeyError, match='did you mean "min_age"'):
        schema.find(("cooling", "min-ages"))
    with pytest.raises(schema.UnknownKeyError, match='did you mean "cooling"'):
        schema.find(("coolin",))
    with pytest.raises(schema.UnknownKeyError, match='did you mean "critical"'):
        schema.find(("decisions", "critcal"))
    with pytest.raises(schema.UnknownKeyError, match=r"unknown key$"):
        schema.find(("cooling", "zzzz"))


def test_the_default_in_the_table_can_be_read():
    default = schema.BY_NAME["cooling.min_age"].default.strip('`"')
    assert parse_duration(default) == Policy().cooling.min_age


def test_the_examples_of_the_document_load(machine):
    blocks = [block.split("```")[0] for block in DOC.read_text(encoding="utf-8").split("```toml\n")[1:]]
    layers = {"~/.config": "user", "/etc/xdg": "system", "pyproject.toml": "project"}
    assert len(blocks) == 4
    for block in blocks:
        place = block.split("\n")[0][2:]
        layer = next(layer for start, layer in layers.items() if place.startswith(start))
        policy = machine.write(**{layer: block}).load()
        assert layer in policy.origins.values()
        assert policy.ignored == ()
        getattr(machine.sources, layer).unlink()
