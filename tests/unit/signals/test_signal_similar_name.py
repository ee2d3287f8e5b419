"""Young projects with almost the name of a popular one; and the list of names, shipped or the policy's."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from veln_hook.errors import PolicyError
from veln_hook.guard.popular import load_popular
from veln_hook.history import ProjectPage
from veln_hook.model import Candidate, Confidence, Decision, Severity, Source
from veln_hook.policy.decide import decide
from veln_hook.policy.settings import Policy
from veln_hook.signals import CandidateContext
from veln_hook.signals.release import similar_name
from veln_hook.signals.release.name_likeness import PopularNames

NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
POPULAR = PopularNames(
    ["requests", "python-dateutil", "django", "six", "typing-extensions", "jinja2", "matplotlib"]
)


def found(name, *, age=5.0, popular=POPULAR, page=True):
    filename = f"{name}-1.0.tar.gz"
    uploaded = NOW - timedelta(days=age)
    told = ProjectPage(lambda: [(filename, uploaded)]) if page else None
    candidate = Candidate(name, "1.0", filename, "https://x/", Source.INDEX, upload_time=uploaded, page=told)
    context = CandidateContext(NOW, Policy(), {}, "m", NOW, True, popular=lambda: popular)
    findings = [each for _, each in similar_name.veln_hook_examine_candidates([candidate], context)]
    return findings, decide(candidate, findings, policy=Policy(), approvals=(), now=NOW).decision


@pytest.mark.parametrize(
    ("name", "popular"),
    [
        ("reqeusts", "requests"),
        ("requestss", "requests"),
        ("request", "requests"),
        ("rquests", "requests"),
        ("reqvests", "requests"),
        ("python-dateutils", "python-dateutil"),
        ("python-dateutl", "python-dateutil"),
        ("dateutil-python", "python-dateutil"),
        ("pythondateutil", "python-dateutil"),
        ("djang0", "django"),
        ("rnatplotlib", "matplotlib"),
        ("typing-extenslons", "typing-extensions"),
        ("jinja-2", "jinja2"),
        ("jinja3", ""),
        ("mat7plotlib", "matplotlib"),
        ("tensorflow1", ""),
        ("requests2", ""),
        ("sixs", ""),
        ("requests", ""),
        ("unrelated", ""),
        ("a", ""),
    ],
)
def test_what_a_name_is_taken_for(name, popular):
    findings, decision = found(name)
    assert [each.evidence for each in findings] == ([popular] if popular else [])
    assert decision is (Decision.HOLD if popular else Decision.ALLOW)


@pytest.mark.parametrize("name", ["python-requests", "requests-py", "pyrequests", "requests-sdk"])
def test_a_word_more_is_told_and_not_held(name):
    (finding,), decision = found(name)
    assert (finding.severity, finding.confidence) == (Severity.HIGH, Confidence.LOW)
    assert decision is Decision.WARN


def test_an_old_project_or_an_unknown_one_is_let_be():
    assert found("reqeusts", age=91)[0] == []
    assert found("reqeusts", page=False)[0] == []
    assert found("reqeusts", popular=PopularNames())[0] == []


# The list


def test_the_shipped_list_has_the_names_that_everybody_uses():
    popular = load_popular("")
    assert len(popular.names) == 5000
    assert {"requests", "numpy", "pip", "setuptools", "boto3"} < set(popular.names[:200])
    assert not any(popular.resembled(name) for name in popular.names)


@pytest.mark.parametrize(
    "text",
    [
        "# ours\nAcme_Core\n\nacme.web # the site\n",
        '{"last_update": "2026-05-01", "rows": [{"download_count": 2, "project": "acme-core"}, {"project": "acme-web"}]}',
        '["acme-core", "acme-web"]',
    ],
)
def test_a_list_of_ones_own(tmp_path, text):
    file = tmp_path / "names"
    file.write_text(text)
    assert load_popular(str(file)).names == ("acme-core", "acme-web")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no names"),
        (b"# nothing\n", "no names"),
        (b"\xff\xfe", "no list of names"),
        (b"{", "no list of names"),
        (b'{"rows": 7}', "no rows"),
        (b'{"rows": [{"project": 7}]}', "no project's name"),
        (b"acme core\n", "no project's name"),
        (b"../../etc/passwd\n", "no project's name"),
        (b"[" * 100_000, "no list of names"),
    ],
)
def test_a_list_that_is_none_is_an_error_with_its_place(tmp_path, content, words):
    file = tmp_path / "names"
    file.write_bytes(content)
    with pytest.raises(PolicyError, match=words) as caught:
        load_popular(str(file))
    assert str(file) in str(caught.value)
    assert "names.popular_file" in str(caught.value)


def test_a_list_that_is_not_there(tmp_path):
    with pytest.raises(PolicyError, match="can't be read"):
        load_popular(str(tmp_path / "absent"))
