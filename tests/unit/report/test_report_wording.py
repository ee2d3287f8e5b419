"""The words of a hold: where to look and what to type."""

from __future__ import annotations

import pytest

from veln_hook.model import (
    Archive,
    ArchiveKind,
    Candidate,
    Confidence,
    Decision,
    Finding,
    Origin,
    Ruling,
    Severity,
    Source,
    Verdict,
)
from veln_hook.report.wording import tell

SHA = "ab" * 32


def candidate(index="https://pypi.org/simple/", **changes):
    told = {
        "project": "acme",
        "version": "2.0",
        "filename": "acme-2.0-py3-none-any.whl",
        "url": "",
        "sha256": SHA,
    }
    return Candidate(**{**told, "source": Source.INDEX, "index": index, **changes})


def archive(of, sha256=SHA):
    return Archive(
        "/x", ArchiveKind.WHEEL, Origin.FETCHED, "acme-2.0-py3-none-any.whl", "acme", "2.0", sha256, 1, of
    )


def told(subject, **options):
    finding = Finding("cooling", Severity.HIGH, Confidence.HIGH, "too young")
    ruling = Ruling(finding, Decision.HOLD, "cooling.min_age", "default")
    return [line.strip() for line in tell(Verdict(Decision.HOLD, subject, (ruling,)), **options)[1:]]


@pytest.mark.parametrize("subject", [candidate(), archive(candidate())])
def test_a_hold_names_the_page_and_the_command(subject):
    assert told(subject) == [
        "review   https://inspector.pypi.io/project/acme/2.0/",
        "or       veln-hook review acme==2.0",
        'approve  veln-hook approve acme==2.0 --reason "..."',
    ]


def test_a_private_index_has_the_command_only_with_what_finds_it():
    assert told(candidate("https://index.test/simple/"), approve="-i https://index.test/simple/") == [
        "review   veln-hook review acme==2.0 -i https://index.test/simple/",
        'approve  veln-hook approve acme==2.0 --reason "..." -i https://index.test/simple/',
    ]
    assert told(candidate("https://index.test/simple/"), approve=None) == [
        "review   veln-hook review acme==2.0"
    ]


def test_other_bytes_than_the_index_s_are_not_found_there():
    assert not [line for line in told(archive(candidate(), "cd" * 32)) if "review" in line]
    assert not [line for line in told(archive(None)) if "review" in line]


def test_what_a_name_holds_is_safe_to_paste():
    lines = told(candidate(version="2.0; rm -rf /\x1b"))
    assert "or       veln-hook review 'acme==2.0; rm -rf /\\x1b'" in lines
