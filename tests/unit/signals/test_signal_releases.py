"""The signals that compare a release with those before it: each finds its attack, and lets honest habits be."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from veln_hook.history import ProjectPage
from veln_hook.model import Candidate, Confidence, Decision, Severity, Source
from veln_hook.policy.decide import decide
from veln_hook.policy.settings import IndexPolicy, Policy
from veln_hook.signals import CandidateContext
from veln_hook.signals.release import (
    dependency_confusion,
    late_file,
    project_status,
    provenance_downgrade,
    revival,
    sdist_only,
    version_order,
    yanked,
)

if TYPE_CHECKING:
    from veln_hook.model import Finding

NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
DAY = timedelta(days=1)
INDEX = "https://pypi.org/simple/"
LOW, MEDIUM, HIGH, CRITICAL = Severity


class Project:
    """Files of demo on a page: ``(filename, age in days)``, and which of them have attestations."""

    def __init__(self, *files: tuple[str, float], attested: tuple[str, ...] = (), status: str = "") -> None:
        self.ages = dict(files)
        self.page = ProjectPage(
            lambda: [(name, NOW - age * DAY) for name, age in files], lambda: attested, lambda: (status, "")
        )

    def candidate(self, filename: str, **changes: Any) -> Candidate:
        age = self.ages.get(filename)
        fields = {
            "project": "demo",
            "version": "1.0",
            "filename": filename,
            "url": f"https://x/{filename}",
            "source": Source.INDEX,
            "index": INDEX,
            "upload_time": None if age is None else NOW - age * DAY,
            "page": self.page,
        }
        return Candidate(**{**fields, **changes})

    def found(
        self, signal: Any, filename: str, policy: Policy | None = None, **changes: Any
    ) -> list[Finding]:
        """What a signal says of one file, asked for all of the page at once as a page is."""
        wanted = self.candidate(filename, **changes)
        others = [self.candidate(name) for name in self.ages if name != filename]
        context = CandidateContext(NOW, policy or Policy(), {}, "m", NOW, True)
        return [each for of, each in pairs(signal, [*others, wanted], context) if of is wanted]


def pairs(
    signal: Any, candidates: list[Candidate], context: CandidateContext
) -> list[tuple[Candidate, Finding]]:
    examine = signal.veln_hook_examine_candidates
    takes_context = examine.__code__.co_argcount > 1
    return list(examine(candidates, context) if takes_context else examine(candidates))


def wheel(version: str, tags: str = "py3-none-any") -> str:
    return f"demo-{version}-{tags}.whl"


def sdist(version: str) -> str:
    return f"demo-{version}.tar.gz"


def severities(found: list[Finding]) -> list[Severity]:
    return [each.severity for each in found]


def decision(found: list[Finding]) -> Decision:
    subject = Project().candidate(wheel("1.0"))
    return decide(subject, found, policy=Policy(), approvals=(), now=NOW).decision


# provenance-downgrade

HABIT = tuple(wheel(f"1.{number}") for number in range(4))


def attested(*names: str, newest: str = wheel("2.0")) -> Project:
    return Project(*((name, 100 - place) for place, name in enumerate(HABIT)), (newest, 1), attested=names)


def test_a_release_without_the_attestations_that_were_usual():
    (found,) = attested(*HABIT).found(provenance_downgrade, wheel("2.0"))
    assert (found.severity, found.confidence) == (MEDIUM, Confidence.HIGH)
    assert "each of the 4 releases before" in found.message
    assert decision([found]) is Decision.WARN


def test_one_release_is_no_long_habit():
    (found,) = attested(HABIT[-1]).found(provenance_downgrade, wheel("2.0"))
    assert found.confidence is Confidence.MEDIUM


@pytest.mark.parametrize("names", [(), HABIT[:3], (*HABIT, wheel("2.0")), (sdist("1.3"),)])
def test_what_has_attestations_or_never_had_them_is_let_be(names):
    assert attested(*names).found(provenance_downgrade, wheel("2.0")) == []


def test_a_source_archive_is_compared_with_source_archives():
    files = [(name, 100 - place) for place, name in enumerate(HABIT)]
    project = Project(
        *files, (sdist("1.3"), 90), (sdist("2.0"), 1), (wheel("2.0"), 1), attested=(*HABIT, wheel("2.0"))
    )
    assert project.found(provenance_downgrade, sdist("2.0")) == []
    assert project.found(provenance_downgrade, wheel("2.0")) == []


# sdist-only


def test_a_release_without_wheels_where_there_were_some():
    project = Project(*((wheel(f"1.{n}"), 100 - n) for n in range(3)), (sdist("2.0"), 1))
    assert severities(project.found(sdist_only, sdist("2.0"))) == [MEDIUM]


def test_wheels_for_another_machine_are_wheels():
    other = wheel("2.0", "cp39-cp39-win32")
    project = Project(*((wheel(f"1.{n}"), 100 - n) for n in range(3)), (sdist("2.0"), 1), (other, 1))
    assert project.found(sdist_only, sdist("2.0")) == []


def test_a_project_that_had_no_wheels_lately_has_no_such_habit():
    project = Project((wheel("1.0"), 100), (wheel("1.1"), 99), (sdist("1.2"), 98), (sdist("2.0"), 1))
    assert project.found(sdist_only, sdist("2.0")) == []


# late-file

CP39 = "cp39-cp39-manylinux_2_17_x86_64"


@pytest.mark.parametrize(
    ("late", "severity", "words"),
    [
        (wheel("1.0"), MEDIUM, "for any machine"),
        (sdist("1.0"), MEDIUM, "source archive"),
        ("demo-1.0-1-cp39-cp39-win32.whl", MEDIUM, "build number"),
        (wheel("1.0.0", CP39), MEDIUM, "had a wheel"),
        (wheel("1.0", "cp314-cp314-manylinux_2_17_x86_64"), LOW, "299 days after the first file"),
        (wheel("1.0", "cp39-cp39-win_arm64"), LOW, "299 days after the first file"),
    ],
)
def test_a_file_that_was_added_to_an_old_release(late, severity, words):
    (found,) = Project((wheel("1.0", CP39), 300), (late, 1)).found(late_file, late)
    assert found.severity is severity
    assert words in found.message
    assert decision([found]) is (Decision.WARN if severity is MEDIUM else Decision.ALLOW)


def test_what_comes_within_the_week_or_long_ago_is_not_late():
    assert Project((sdist("1.0"), 7), (wheel("1.0"), 1)).found(late_file, wheel("1.0")) == []
    assert Project((sdist("1.0"), 300), (wheel("1.0"), 200)).found(late_file, wheel("1.0")) == []
    assert Project((sdist("1.0"), 300), (wheel("1.1"), 1)).found(late_file, wheel("1.1")) == []


# version-order


@pytest.mark.parametrize(
    ("before", "version", "severity"),
    [
        (["1.2.2", "1.2.3"], "99.0", MEDIUM),
        (["1.2.2", "1.2.3"], "1!1.2.4", MEDIUM),
        (["1.2.2", "1.2.3"], "9999.0", MEDIUM),
        (["1.2.2", "1.2.3"], "2026.5", LOW),
        (["1.2.2", "1.2.3"], "20260501", LOW),
        (["1.2.2", "1.2.3"], "26.1", LOW),
        ([], "99.9.9", MEDIUM),
        ([], "2026.5.1", LOW),
    ],
)
def test_a_number_out_of_all_order(before, version, severity):
    project = Project(*((sdist(each), 100 - n) for n, each in enumerate(before)), (sdist(version), 1))
    assert severities(project.found(version_order, sdist(version))) == [severity]


@pytest.mark.parametrize(
    ("before", "version"),
    [
        (["1.2.3"], "2.0"),
        (["1.2.3"], "1.2.4"),
        (["129.0"], "138.0"),
        (["2025.12.1"], "2026.5.1"),
        (["2.0", "1.5"], "1.6"),
        ([], "0.1"),
        (["1.2.3"], "latest"),
        (["latest"], "1.0"),
    ],
)
def test_numbers_as_they_usually_follow(before, version):
    project = Project(*((sdist(each), 100 - n) for n, each in enumerate(before)), (sdist(version), 1))
    assert project.found(version_order, sdist(version)) == []


def test_an_upload_into_a_series_that_was_left_years_ago():
    project = Project((sdist("1.9"), 900), (sdist("2.0"), 800), (sdist("2.1"), 40), (sdist("1.10"), 1))
    (found,) = project.found(version_order, sdist("1.10"))
    assert (found.severity, "series 1" in found.message) == (LOW, True)


# revival


@pytest.mark.parametrize(("years", "expected"), [(1.9, []), (2.1, [LOW]), (5.1, [MEDIUM])])
def test_the_first_release_after_years(years, expected):
    project = Project((sdist("1.0"), years * 365 + 1), (sdist("1.1"), 1))
    assert severities(project.found(revival, sdist("1.1"))) == expected
    assert project.found(revival, sdist("1.0")) == []


# project-status, yanked


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("", []),
        ("active", []),
        ("archived", [LOW]),
        ("deprecated", [LOW]),
        ("frobnicated", [LOW]),
        ("quarantined", [HIGH]),
    ],
)
def test_what_the_index_says_of_the_project(status, expected):
    found = Project((sdist("1.0"), 4000), status=status).found(project_status, sdist("1.0"))
    assert severities(found) == expected
    assert decision(found) is (Decision.HOLD if status == "quarantined" else Decision.ALLOW)


def test_a_yanked_release_is_told():
    project = Project((sdist("1.0"), 4000))
    assert decision(project.found(yanked, sdist("1.0"), yanked=True)) is Decision.WARN
    assert project.found(yanked, sdist("1.0")) == []


# What all of them pass over


@pytest.mark.parametrize(
    "signal", [provenance_downgrade, late_file, sdist_only, version_order, revival, project_status]
)
def test_without_a_page_or_a_time_nothing_is_said(signal):
    project = Project((wheel("1.0"), 3000), (wheel("99.0"), 1), status="")
    assert project.found(signal, wheel("99.0"), page=None) == []
    if signal is not project_status:
        assert project.found(signal, wheel("99.0"), upload_time=None) == []


@pytest.mark.parametrize("signal", [provenance_downgrade, late_file, sdist_only, version_order, revival])
def test_what_the_world_has_used_for_months_is_no_news(signal):
    files = [(wheel(f"1.{n}"), 3000 - n) for n in range(4)]
    project = Project(
        *files, (sdist("99.0"), 40), (sdist("99.0.0"), 31), attested=tuple(name for name, _ in files)
    )
    assert project.found(signal, sdist("99.0")) == []
    assert project.found(signal, sdist("99.0.0")) == []


# dependency-confusion

PRIVATE = "https://pypi.acme.example/simple/"
CONFUSED = Policy(indexes=(IndexPolicy(PRIVATE, private=("demo", "acme-*")), IndexPolicy(INDEX)))


@pytest.mark.parametrize(
    ("changes", "blocked"),
    [
        ({}, True),
        ({"index": PRIVATE}, False),
        ({"index": f"{PRIVATE}team/"}, False),
        ({"index": "https://pypi.acme.example/simple-evil/"}, True),
        ({"index": "https://pypi.acme.example.evil/simple/"}, True),
        ({"index": "http://pypi.acme.example/simple/"}, True),
        ({"index": "https://x/links/", "source": Source.FIND_LINKS}, True),
        ({"index": "", "source": Source.LOCK, "url": "https://x/demo-1.0.tar.gz"}, True),
        ({"index": "", "source": Source.LOCK, "url": f"{PRIVATE}demo/demo-1.0.tar.gz"}, False),
        ({"index": "http://[", "source": Source.FIND_LINKS}, True),
        ({"index": "", "source": Source.DIRECT_URL, "url": "https://x/demo-1.0.tar.gz"}, False),
        ({"index": "", "source": Source.VCS, "url": "https://github.com/acme/demo"}, False),
        ({"index": "", "source": Source.LOCAL_FILE, "url": "file:///demo-1.0.tar.gz"}, False),
        ({"project": "acme-core"}, True),
        ({"project": "acme"}, False),
        ({"project": "requests"}, False),
    ],
)
def test_a_private_project_comes_from_its_own_index_alone(changes, blocked):
    found = Project((sdist("1.0"), 4000)).found(dependency_confusion, sdist("1.0"), CONFUSED, **changes)
    assert severities(found) == ([CRITICAL] if blocked else [])
    assert decision(found) is (Decision.BLOCK if blocked else Decision.ALLOW)


def test_two_indexes_can_have_a_project():
    both = Policy(indexes=(IndexPolicy(PRIVATE, private=("demo",)), IndexPolicy(INDEX, private=("d*",))))
    assert Project((sdist("1.0"), 1)).found(dependency_confusion, sdist("1.0"), both) == []


def test_passwords_are_not_told():
    policy = Policy(indexes=(IndexPolicy("https://u:secret@x/simple/", private=("demo",)),))
    (found,) = Project((sdist("1.0"), 1)).found(dependency_confusion, sdist("1.0"), policy)
    assert "secret" not in found.message
