"""Whatever a project's or an environment's file says, the policy is at least as strict as without it."""

from __future__ import annotations

import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from veln_hook.model import Candidate, Confidence, Decision, Finding, Severity, Source
from veln_hook.policy.decide import decide
from veln_hook.policy.loading import PolicySources, load_policy

if TYPE_CHECKING:
    from veln_hook.policy.settings import Policy

PROJECTS = ("foo-bar", "acme-tools", "litellm", "other")
SPELLINGS = ("Foo_Bar", "foo.bar", "acme-tools", "LiteLLM", "litellm")
URLS = ("https://pypi.org/simple/", "https://mirror.example/simple/", "https://mirror.example/simple/x/")
MISSING = ("allow", "first-seen", "hold")
BUILDS = ("off", "auto", "require")
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)

ages = st.sampled_from(["0", "1h", "2h", "5h", "1 day", "3 days", "9 days"])
decisions = st.sampled_from([decision.word for decision in Decision])
severities = st.sampled_from([severity.word for severity in Severity])
confidences = st.sampled_from([confidence.word for confidence in Confidence])
patterns = st.lists(st.sampled_from(["acme-*", "litellm==1.0", "*", "foo-bar", "Foo_*"]), max_size=2)


def optional(strategy):
    return st.none() | strategy


cooling = st.fixed_dictionaries(
    {
        "min_age": optional(ages),
        "missing_upload_time": optional(st.sampled_from(MISSING)),
        "min_observations": optional(st.integers(0, 3)),
        "on_hold": optional(st.sampled_from(["fallback", "refuse"])),
        "exempt": optional(patterns),
        "security_fixes": optional(st.sampled_from(["warn", "hold"])),
    }
)
files = st.fixed_dictionaries(
    {
        "cooling": cooling,
        "projects": st.dictionaries(st.sampled_from(SPELLINGS), ages, max_size=3),
        "words": st.dictionaries(severities, decisions, max_size=3),
        "cells": st.dictionaries(severities, st.dictionaries(confidences, decisions, min_size=1), max_size=2),
        "enabled": optional(st.booleans()),
        "severity": optional(severities),
        "builds": optional(st.sampled_from(BUILDS)),
    }
)
index_lists = st.lists(st.tuples(st.sampled_from(URLS), optional(ages), optional(st.sampled_from(MISSING))), max_size=2,
                       unique_by=lambda entry: entry[0])  # fmt: skip


def literal(value):
    return f"{value!r}".lower() if isinstance(value, bool) else f"{value!r}"


def table(header, values):
    lines = [f"'{key}' = {literal(value)}" for key, value in values.items() if value is not None]
    return "\n".join([f"[{header}]", *lines, ""])


def as_toml(spec, prefix=""):
    projects, seen = {}, set()
    for name, age in spec["projects"].items():
        normal = name.lower().replace("_", "-").replace(".", "-")
        if normal not in seen:
            seen.add(normal)
            projects[name] = age
    text = table(f"{prefix}cooling", spec["cooling"]) + table(f"{prefix}cooling.projects", projects)
    words = {key: word for key, word in spec["words"].items() if key not in spec["cells"]}
    text += table(f"{prefix}decisions", words)
    for severity, cells in spec["cells"].items():
        text += table(f"{prefix}decisions.{severity}", cells)
    text += table(f"{prefix}signals.x", {"enabled": spec["enabled"], "severity": spec["severity"]})
    return text + table(f"{prefix}sandbox", {"builds": spec["builds"]})


def indexes_toml(entries):
    text = ""
    for url, age, missing in entries:
        text += table("[indexes]", {"url": url, "min_age": age, "missing_upload_time": missing})
    return text


def assert_at_least_as_strict(without: Policy, with_it: Policy):
    for project in PROJECTS:
        for url in URLS:
            for version in ("1.0", "2.0"):
                before = without.min_age_for(project, version, url)
                assert with_it.min_age_for(project, version, url).min_age >= before.min_age
    for url in URLS:
        before_word = MISSING.index(without.missing_upload_time_for(url).value)
        assert MISSING.index(with_it.missing_upload_time_for(url).value) >= before_word
    for severity in Severity:
        for confidence in Confidence:
            cell = without.decisions.decision(severity, confidence)
            assert with_it.decisions.decision(severity, confidence) >= cell
            for unverifiable in (False, True):
                found = [Finding("x", severity, confidence, "m", unverifiable=unverifiable)]
                subject = Candidate("p", "1", "p-1.tar.gz", "https://x/", Source.INDEX)
                was, becomes = (
                    decide(subject, found, policy=policy, approvals=(), now=NOW)
                    for policy in (without, with_it)
                )
                assert becomes.decision >= was.decision
    assert with_it.cooling.min_observations >= without.cooling.min_observations
    assert (with_it.cooling.on_hold, without.cooling.on_hold) != ("fallback", "refuse")
    assert BUILDS.index(with_it.sandbox.builds) >= BUILDS.index(without.sandbox.builds)


@settings(max_examples=150)
@given(
    user=files,
    indexes=index_lists,
    environment=optional(files),
    project=files,
    variable=optional(ages),
    word=optional(st.tuples(severities, decisions)),
)
def test_a_guest_layer_never_loosens(*, user, indexes, environment, project, variable, word):
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        (root / "user.toml").write_text(as_toml(user) + indexes_toml(indexes))
        (root / "pyproject.toml").write_text(as_toml(project, "tool.veln-hook."))
        guest = None
        if environment is not None:
            guest = root / "veln-hook.toml"
            guest.write_text(as_toml(environment))
        environ = {"VELN_HOOK_COOLING_MIN_AGE": variable} if variable is not None else {}
        overrides = {f"decisions.{word[0]}": word[1]} if word is not None else {}

        def load(environment_file, project_file):
            sources = PolicySources(None, root / "user.toml", environment_file, project_file)
            return load_policy(environ=environ, overrides=overrides, sources=sources)

        bare, one, both = load(None, None), load(guest, None), load(guest, root / "pyproject.toml")
        assert_at_least_as_strict(bare, one)
        assert_at_least_as_strict(one, both)
