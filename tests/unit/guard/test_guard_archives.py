from __future__ import annotations

import hashlib
import os
import zipfile
from dataclasses import replace
from datetime import timedelta

import pytest
from guard_records import AGE, INDEX, OLD, OTHER, START, approval, candidate

from support.builders import make_sdist, make_wheel
from veln_hook.archive import describe_archive, describe_tree
from veln_hook.archive.direct_build import direct_build_contents
from veln_hook.errors import StoreError
from veln_hook.model import Archive, ArchiveKind, Confidence, Decision, Finding, Origin, Severity, Source
from veln_hook.policy.settings import Policy, PolicyException

FOUND = Finding("acme", Severity.HIGH, Confidence.HIGH, "reads credentials")
EVIL = {"evil.py": "", "pip/__init__.py": ""}


def described(path, *, origin=Origin.FETCHED, **changes):
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    asked = candidate(**{"sha256": sha256, "filename": path.name, **changes})
    return describe_archive(str(path), origin=origin, candidate=asked)


@pytest.fixture
def wheel(tmp_path):
    return make_wheel(tmp_path / "honest", "demo", "1.0")


@pytest.fixture
def evil(tmp_path):
    return make_wheel(tmp_path / "evil", "demo", "1.0", EVIL)


def test_an_honest_wheel_is_allowed_observed_and_logged(machine, wheel):
    archive = described(wheel)
    verdict = machine.guard().check_archive(archive)
    assert (verdict.decision, verdict.rulings) == (Decision.ALLOW, ())
    (seen,) = machine.store.observations("demo")
    assert (seen.sha256, seen.index, seen.first_seen) == (archive.sha256, INDEX, START)
    (record,) = machine.store.log()
    assert (record.stage, record.decision, record.index) == ("archive", Decision.ALLOW, INDEX)


def test_a_foreign_member_is_a_block_whatever_is_approved(machine, evil):
    archive = described(evil)
    machine.store.add_approval(approval(sha256=archive.sha256))
    verdict = machine.guard().check_archive(archive)
    assert verdict.decision is Decision.BLOCK
    assert verdict.rulings[0].finding.path == "pip/__init__.py"


def test_a_source_is_followed_to_where_its_files_land_only_for_who_builds_it_unseen(machine, tmp_path):
    text = (
        '[build-system]\nrequires = []\nbuild-backend = "uv_build"\n[project]\nname = "demo"\nversion = "1.0"\n'
        '[tool.uv.build-backend]\nmodule-name = "pip"\n'
    )
    sdist = make_sdist(tmp_path, "demo", "1.0", pyproject=text, files={"src/pip/__init__.py": ""})
    # pip starts the backend, and the wheel that comes of it is judged.
    assert machine.guard().check_archive(described(sdist)).decision is Decision.ALLOW
    watching_uv = machine.guard(direct_builds=direct_build_contents)
    verdict = watching_uv.check_archive(described(sdist))
    assert verdict.decision is Decision.BLOCK
    assert verdict.rulings[0].finding.path == "pip/__init__.py"


def test_only_an_exception_lifts_a_block(machine, evil):
    archive = described(evil)
    policy = Policy(exceptions=(PolicyException(archive.sha256, "our own fork of pip"),))
    assert machine.guard(policy).check_archive(archive).decision is Decision.ALLOW


@pytest.mark.parametrize("origin", [Origin.BUILT, Origin.CACHED_BUILD])
def test_wheels_built_here_are_looked_into_but_are_no_sights(machine, evil, origin):
    archive = replace(describe_archive(str(evil), origin=origin), project="demo")
    assert machine.guard().check_archive(archive).decision is Decision.BLOCK
    assert list(machine.store.observations("demo")) == []
    assert list(machine.store.archive_memories([archive.sha256])) == []


def test_trees_and_sdists_are_not_taken_for_wheels(machine, tmp_path):
    sdist = describe_archive(str(make_sdist(tmp_path, "demo", "1.0")), origin=Origin.FETCHED)
    assert machine.guard().check_archive(sdist).decision is Decision.ALLOW
    assert machine.guard().check_archive(describe_tree(str(tmp_path))).decision is Decision.ALLOW


# What is remembered


def test_what_a_person_must_see_is_remembered_for_the_next_run(machine, wheel):
    machine.says.findings = [FOUND]
    archive = described(wheel)
    assert machine.guard().check_archive(archive).decision is Decision.HOLD
    machine.says.findings = []
    assert machine.guard().check_candidate(archive.candidate).decision is Decision.HOLD
    assert machine.guard().check_candidate(candidate("0.9", sha256=OTHER)).decision is Decision.ALLOW


def test_a_clean_look_forgets(machine, wheel):
    machine.says.findings = [FOUND]
    archive = described(wheel)
    machine.guard().check_archive(archive)
    machine.says.findings = []
    machine.guard().check_archive(archive)
    assert list(machine.store.archive_memories([archive.sha256])) == []
    assert machine.guard().check_candidate(archive.candidate).decision is Decision.ALLOW


def test_an_approved_archive_passes_and_its_approval_is_in_the_log(machine, wheel):
    machine.says.findings = [FOUND]
    archive = described(wheel)
    machine.guard().check_archive(archive)
    stored = machine.store.add_approval(approval(sha256=archive.sha256))
    assert machine.guard().check_candidate(archive.candidate).decision is Decision.ALLOW
    assert machine.guard().check_archive(archive).decision is Decision.ALLOW
    assert next(iter(machine.store.log())).approval_id == stored.id


@pytest.mark.parametrize(
    "finding",
    [
        replace(FOUND, unverifiable=True),  # perhaps a bug of ours that the next run is free of
        replace(FOUND, opens_at=START + AGE),
        replace(FOUND, severity=Severity.MEDIUM),
        replace(FOUND, signal="hash-mutation", severity=Severity.CRITICAL),  # about an index, not about bytes
    ],
)
def test_what_may_be_otherwise_tomorrow_is_not_remembered(machine, wheel, finding):
    machine.says.findings = [finding]
    archive = described(wheel)
    machine.guard().check_archive(archive)
    assert list(machine.store.archive_memories([archive.sha256])) == []


def test_another_projects_own_wheel_is_not_blocked_for_having_been_offered_under_a_false_name(
    machine, tmp_path
):
    path = make_wheel(tmp_path, "pip", "99.0", {"pip/__init__.py": ""})
    forged = replace(described(path), project="demo")
    assert machine.guard().check_archive(forged).decision is Decision.BLOCK
    own = candidate("99.0", project="pip", filename=path.name, sha256=forged.sha256)
    assert machine.guard().check_candidate(own).decision is Decision.ALLOW
    assert machine.guard().check_candidate(own._replace(project="demo")).decision is Decision.BLOCK


# Histories


def test_changed_bytes_under_a_known_name_are_a_block(machine, wheel, tmp_path):
    machine.guard().check_archive(described(wheel))
    other = make_wheel(tmp_path / "other", "demo", "1.0", {"demo.py": "changed"})
    machine.now += timedelta(days=1)
    assert machine.guard().check_archive(described(other)).decision is Decision.BLOCK
    assert machine.guard().check_candidate(described(other).candidate).decision is Decision.BLOCK
    assert (
        machine.guard().check_candidate(described(wheel).candidate).decision is Decision.BLOCK
    )  # both were there


def test_a_forged_url_does_not_write_the_indexs_history(machine, wheel, tmp_path):
    # Looked up on the index by name alone, then fetched from somebody: those bytes are not the index's.
    forged = make_wheel(tmp_path / "forged", "demo", "1.0", {"demo.py": "evil"})
    real = described(wheel)
    looked_up = described(forged, source=Source.DIRECT_URL, sha256=real.sha256)
    assert machine.guard().check_archive(looked_up).decision is Decision.HOLD
    assert {o.index for o in machine.store.observations("demo")} == {""}
    assert machine.guard().check_candidate(real.candidate).decision is Decision.ALLOW
    assert machine.guard().check_archive(real).decision is Decision.ALLOW


def test_a_url_whose_bytes_are_the_indexs_own_is_a_sight_on_it(machine, wheel):
    machine.guard().check_archive(described(wheel, source=Source.DIRECT_URL))
    assert [o.index for o in machine.store.observations("demo")] == [INDEX]


def test_a_url_ages_from_its_first_fetch(machine, wheel):
    plain = described(wheel, source=Source.DIRECT_URL, index="", sha256="", age=None)
    verdict = machine.guard().check_archive(plain)
    assert (verdict.decision, verdict.opens_at) == (Decision.HOLD, START + AGE)
    machine.now = START + AGE
    assert machine.guard().check_archive(plain).decision is Decision.ALLOW


def test_a_url_whose_project_nobody_knows_ages_too(machine, tmp_path):
    path = tmp_path / "main.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", "")
    asked = candidate(
        "", project="", filename="main.zip", source=Source.DIRECT_URL, index="", sha256="", age=None
    )
    plain = describe_archive(str(path), origin=Origin.FETCHED, candidate=asked)
    assert machine.guard().check_archive(plain).decision is Decision.HOLD
    machine.now = START + AGE
    assert machine.guard().check_archive(plain).decision is Decision.ALLOW


# What can't be read


def _broken(tmp_path, kind):
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    if kind == "text":
        path.write_text("<html>Not Found</html>")
    elif kind == "empty":
        path.touch()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "bomb":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("demo-1.0.dist-info/entry_points.txt", b"a" * (100 << 20))
    elif kind == "two readings":
        make_wheel(tmp_path, "demo", "1.0", entry_points="[console_scripts]\n[x = m:f [a] z\npip = m:f\n")
    return path  # or there is none


@pytest.mark.parametrize(
    "kind", ["text", "empty", "pipe", "directory", "device", "bomb", "two readings", "missing"]
)
def test_an_archive_that_can_not_be_read_is_held_for_a_person(machine, tmp_path, kind):
    path = _broken(tmp_path, kind)
    asked = candidate()
    archive = Archive(
        str(path), ArchiveKind.WHEEL, Origin.FETCHED, path.name, "demo", "1.0", asked.sha256, 1, asked
    )
    verdict = machine.guard().check_archive(archive)
    assert verdict.decision is Decision.HOLD
    assert verdict.opens_at is None
    assert verdict.rulings[0].finding.unverifiable
    assert verdict.rulings[0].finding.signal == "archive"
    # Not remembered: perhaps a later version can read it.
    assert list(machine.store.archive_memories([archive.sha256])) == []
    assert len(machine.store.log()) == 1


def test_hostile_names_are_logged_and_do_no_harm(machine, tmp_path):
    name = "pip/\udc80\x1b[2J.py"
    machine.says.findings = [replace(FOUND, path=name, message=f"member {name!r}")]
    archive = described(make_wheel(tmp_path, "demo", "1.0"))
    assert machine.guard().check_archive(archive).decision is Decision.HOLD
    (record,) = machine.store.log()
    assert record.findings[0].path == name


def test_a_store_that_does_not_answer_is_an_error_and_never_a_pass(machine, wheel):
    guard = machine.guard()
    machine.store.close()
    with pytest.raises(StoreError):
        guard.check_archive(described(wheel))


def test_age_is_no_question_for_an_archive_of_an_index(machine, wheel):
    assert machine.guard().check_archive(described(wheel, age=timedelta())).decision is Decision.ALLOW
    assert machine.guard().check_archive(described(wheel, age=OLD)).decision is Decision.ALLOW
