from __future__ import annotations

import importlib
import sys
import types
from dataclasses import replace
from datetime import datetime, timezone
from importlib import metadata

import pytest

from veln_hook.errors import PluginError
from veln_hook.guard import Guard
from veln_hook.model import (
    Archive,
    ArchiveKind,
    Candidate,
    Confidence,
    Decision,
    Finding,
    Origin,
    Severity,
    Source,
)
from veln_hook.policy.settings import CoolingPolicy, Policy, SignalPolicy
from veln_hook.signals import ArchiveContext, CandidateContext, SignalInfo, SignalManager, hookimpl
from veln_hook.signals.source import SIGNALS
from veln_hook.source.client import Scanner
from veln_hook.source.facts import ArchiveFacts
from veln_hook.store.sqlite import SqliteStore

NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
OLD = datetime(2020, 1, 1, tzinfo=timezone.utc)


def candidate(version="1.0"):
    name = f"demo-{version}-py3-none-any.whl"
    return Candidate("demo", version, name, f"https://x/{name}", Source.INDEX, "https://x/", upload_time=OLD)


ONE, TWO = candidate("1.0"), candidate("2.0")
CONTEXT = CandidateContext(NOW, Policy(), {}, "m", NOW, True)
ARCHIVE = Archive("/x", ArchiveKind.SDIST, Origin.FETCHED, "demo-1.0.tar.gz", "demo", "1.0", "a" * 64)
ARCHIVE_CONTEXT = ArchiveContext(
    now=NOW, policy=Policy(), observations=(), members=(), commands=(), prefix="/p", policy_files=(),
    store_started_at=NOW, store_persistent=True,
)  # fmt: skip
FINDING = Finding("acme", Severity.MEDIUM, Confidence.HIGH, "seen")


class Plugin:
    """A third party's, whose answers are whatever the test says; an exception is raised."""

    def __init__(self, candidates=None, archive=None, names=()):
        self.answers = {"candidates": candidates, "archive": archive}
        self.names = names

    def _answer(self, what):
        answer = self.answers[what]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    @hookimpl
    def veln_hook_signals(self):
        return self.names

    @hookimpl
    def veln_hook_examine_candidates(self):
        return self._answer("candidates")

    @hookimpl
    def veln_hook_examine_archive(self):
        return self._answer("archive")


def manager(*plugins):
    made = SignalManager()
    for number, plugin in enumerate(plugins):
        made.register(plugin, f"acme{number or ''}")
    return made


_stores: list[SqliteStore] = []


@pytest.fixture(autouse=True)
def _close_stores():
    yield
    while _stores:
        _stores.pop().close()


def store():
    _stores.append(SqliteStore(":memory:"))
    return _stores[-1]


class Nothing(Scanner):
    """Reads no code: the archives here are no files."""

    def scan(self, path, **_):  # noqa: ARG002 - the scanner's own face
        return ArchiveFacts()


def guard(*plugins):
    return Guard(Policy(), store(), signals=manager(*plugins), now=lambda: NOW, scanner=Nothing())


def raising(*before):
    yield from before
    raise RuntimeError("half way")


# Registering


def test_built_in_signals_are_registered_like_any_other():
    source = [info.name for info in SIGNALS]
    release = [
        *("provenance-downgrade", "project-status", "yanked", "late-file", "sdist-only", "version-order"),
        *("revival", "similar-name", "dependency-confusion"),
    ]
    assert list(SignalManager().signals) == [
        "cooling",
        "hash-mutation",
        "known-malware",
        "overwrite",
        *release,
        *source,
    ]
    assert all(info.description for info in SignalManager().signals.values())


def test_a_plugin_adds_its_signals():
    assert manager(Plugin(names=[SignalInfo("acme", "Acme's.")])).signals["acme"].description == "Acme's."


def test_a_module_is_a_plugin():
    module = types.ModuleType("acme")

    @hookimpl
    def veln_hook_examine_archive(archive):
        return [FINDING]

    module.veln_hook_examine_archive = veln_hook_examine_archive
    assert list(manager(module).examine_archive(ARCHIVE, ARCHIVE_CONTEXT)) == [FINDING]


@pytest.mark.parametrize(
    "names", [[SignalInfo("cooling", "Mine.")], [SignalInfo("x", "1"), SignalInfo("x", "2")]]
)
def test_a_signals_name_is_taken_once(names):
    with pytest.raises(PluginError, match="exists already"):
        manager(Plugin(names=names))


@pytest.mark.parametrize("names", [None, 5, ["acme"], [None], raising(), RuntimeError("no")])
def test_a_plugin_that_can_not_name_its_signals_is_refused(names):
    plugin = Plugin()
    plugin.names = names
    with pytest.raises(PluginError, match="acme"):
        manager(plugin)


def test_a_plugin_is_registered_once():
    plugin = Plugin()
    with pytest.raises(PluginError):
        manager(plugin, plugin)


def test_an_unknown_hook_is_refused():
    class Unknown:
        @hookimpl
        def veln_hook_examine_candidate(self, candidate):
            """Singular: nobody would ever call it."""

    with pytest.raises(PluginError, match="veln_hook_examine_candidate"):
        manager(Unknown())


def test_an_unknown_argument_is_refused():
    class Unknown:
        @hookimpl
        def veln_hook_examine_archive(self, archive, network):
            """There is no network."""

    with pytest.raises(PluginError, match="network"):
        manager(Unknown())


def test_a_wrapper_would_never_run_so_it_is_refused():
    class Wrapper:
        @hookimpl(hookwrapper=True)
        def veln_hook_examine_archive(self):
            yield

    with pytest.raises(PluginError, match="wrapper"):
        manager(Wrapper())


def test_a_plugin_the_policy_names_must_be_installed():
    with pytest.raises(PluginError, match=r"'acme'.*not installed"):
        SignalManager().load_plugins(["acme"])
    assert SignalManager().load_plugins([]) is None


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a distribution with an entry point of our group."""

    def install(source):
        info = tmp_path / "acme-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            "[veln_hook]\nacme = acme_signals_of_a_test\nother = no_such_module\n"
        )
        (tmp_path / "acme_signals_of_a_test.py").write_text(source)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "acme_signals_of_a_test", raising=False)
        importlib.invalidate_caches()
        assert metadata.version("acme") == "1.0"

    yield install
    sys.modules.pop("acme_signals_of_a_test", None)


SOURCE = """
from veln_hook.model import Confidence, Finding, Severity
from veln_hook.signals import SignalInfo, hookimpl
@hookimpl
def veln_hook_signals():
    return [SignalInfo("acme", "Acme's.")]
@hookimpl
def veln_hook_examine_archive(archive):
    return [Finding("acme", Severity.HIGH, Confidence.HIGH, "seen")]
"""


def test_a_third_partys_plugin_is_loaded_only_if_the_policy_names_it(installed):
    installed(SOURCE)
    assert "acme" not in Guard(Policy(), store()).signals.signals
    made = Guard(Policy(plugins=("acme",)), store(), now=lambda: NOW, scanner=Nothing())
    assert "acme" in made.signals.signals
    assert made.check_archive(ARCHIVE).decision is Decision.HOLD
    off = Policy(plugins=("acme",), signals={"acme": SignalPolicy(enabled=False)})
    assert Guard(off, store(), scanner=Nothing()).check_archive(ARCHIVE).decision is Decision.ALLOW


def test_a_plugin_that_can_not_be_imported_is_refused(installed):
    installed("raise RuntimeError('broken')")
    for name in ("acme", "other"):
        with pytest.raises(PluginError, match="can't be loaded"):
            SignalManager().load_plugins([name])


# Calling


def test_a_hook_may_take_fewer_arguments():
    class Few:
        @hookimpl
        def veln_hook_examine_candidates(self, candidates):
            return [(candidates[0], FINDING)]

        @hookimpl
        def veln_hook_examine_archive(self):
            return [FINDING]

    made = manager(Few())
    assert (ONE, FINDING) in list(made.examine_candidates([ONE, TWO], CONTEXT))
    assert list(made.examine_archive(ARCHIVE, ARCHIVE_CONTEXT)) == [FINDING]


@pytest.mark.parametrize("nothing", [None, [], (), iter(())])
def test_nothing_found_is_nothing(nothing):
    made = guard(Plugin(nothing, nothing))
    assert [v.decision for v in made.check_candidates([ONE, TWO])] == [Decision.ALLOW] * 2
    assert made.check_archive(ARCHIVE).decision is Decision.ALLOW


@pytest.mark.parametrize(
    "candidate_answer",
    [
        RuntimeError("bug"),
        SystemExit(0),
        RecursionError(),
        5,
        "text",
        [None],
        [FINDING],
        [ONE],
        [(ONE,)],
        [(ONE, FINDING, 1)],
        [(ONE, None)],
        [(ONE, "finding")],
        [("demo 1.0", FINDING)],
        [(None, FINDING)],
        [(candidate("3.0"), FINDING)],
        [([], FINDING)],
        [(ONE, replace(FINDING, severity="high"))],
        [(ONE, replace(FINDING, severity=1))],
        [(ONE, replace(FINDING, confidence=None))],
        [(ONE, replace(FINDING, message=None))],
        [(ONE, replace(FINDING, signal=b"acme"))],
        [(ONE, replace(FINDING, opens_at=NOW.replace(tzinfo=None)))],
        [(ONE, replace(FINDING, opens_at="tomorrow"))],
        [(ONE, replace(FINDING, path=None))],
    ],
    ids=repr,
)  # fmt: skip
def test_nonsense_holds_every_candidate_and_never_crashes(candidate_answer):
    verdicts = guard(Plugin(candidate_answer)).check_candidates([ONE, TWO])
    assert [v.decision for v in verdicts] == [Decision.HOLD] * 2
    for verdict in verdicts:
        (ruling,) = verdict.rulings
        assert ruling.finding.unverifiable
        assert "'acme' failed and could not judge this" in ruling.finding.message
        assert verdict.opens_at is None


@pytest.mark.parametrize(
    "archive_answer",
    [RuntimeError("bug"), SystemExit(0), 5, [None], ["x"], [(ARCHIVE, FINDING)], [replace(FINDING, severity=9)], FINDING],
    ids=repr,
)  # fmt: skip
def test_nonsense_holds_the_archive(archive_answer):
    verdict = guard(Plugin(archive=archive_answer)).check_archive(ARCHIVE)
    assert verdict.decision is Decision.HOLD
    assert verdict.rulings[0].finding.unverifiable


def test_a_generator_that_raises_midway_holds_all_of_them():
    verdicts = guard(Plugin(raising((ONE, FINDING)))).check_candidates([ONE, TWO])
    assert [v.decision for v in verdicts] == [Decision.HOLD] * 2
    assert guard(Plugin(archive=raising(FINDING))).check_archive(ARCHIVE).decision is Decision.HOLD


def test_one_plugins_failure_loses_nothing_of_the_others():
    block = replace(FINDING, severity=Severity.CRITICAL)
    verdicts = guard(
        Plugin(RuntimeError("bug")), Plugin([(ONE, block)]), Plugin(OSError("bug"))
    ).check_candidates([ONE])
    assert [r.decision for r in verdicts[0].rulings] == [Decision.BLOCK, Decision.HOLD, Decision.HOLD]


def test_a_pressed_key_stops_pip_as_ever():
    with pytest.raises(KeyboardInterrupt):
        guard(Plugin(KeyboardInterrupt())).check_candidates([ONE])


def test_a_plugin_can_not_loosen_what_others_found():
    lax = replace(FINDING, signal="cooling", severity=Severity.LOW)
    young = ONE._replace(upload_time=NOW)
    made = Guard(Policy(cooling=CoolingPolicy()), store(), signals=manager(Plugin([(young, lax)])), now=lambda: NOW)  # fmt: skip
    assert made.check_candidate(young).decision is Decision.HOLD


def test_an_equal_candidate_is_the_same_candidate():
    copy = candidate("1.0")
    assert copy is not ONE
    (verdict,) = guard(Plugin([(copy, FINDING)])).check_candidates([ONE])
    assert verdict.decision is Decision.WARN
