"""The HTML review of a hostile archive: all of it is text, in our own reading and in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from support.builders import make_wheel
from veln_hook.archive.texts import read_texts
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
from veln_hook.report.changes import compare
from veln_hook.report.contents import Contents
from veln_hook.report.html import review_page
from veln_hook.report.review import Review, review_lines

ATTACKS = (
    "<script>document.title='pwned'</script>",
    "</title><script>document.title='pwned'</script>",
    "</style><script>document.title='pwned'</script>",
    "</pre></code></td></table><script>document.title='pwned'</script>",
    "<img src=x onerror=\"document.title='pwned'\">",
    '"><svg onload="document.title=\'pwned\'">',
    "' onmouseover='document.title=1' x='",
    "<!-- --><iframe src='javascript:parent.document.title=1'></iframe>",
    '<meta http-equiv="refresh" content="0;url=https://example.test/">',
    "<link rel=stylesheet href=https://example.test/x.css><base href=https://example.test/>",
    "&lt;script&gt;&#x3c;script&#x3e;",
    "\u202ereversed\u202c \u2066isolated\u2069 \u200bnothing \x1b[31m \x07 \ufeff \u2028",
)
BEGINNING = "import os  # "
ALLOWED = set(
    re.findall(
        r"\w+",
        "html head meta title style body article h1 h2 h3 span div dl dt dd p b code section header table "
        "colgroup col tbody tr td ul li footer",
    )
)


def attack_review(tmp_path):
    """A review in which every text that comes from elsewhere attacks."""
    code = "".join(f"{BEGINNING}{attack}\n" for attack in ATTACKS).replace("\u2028", "")
    names = [f"acme/{number}{attack.replace('/', '|')}.py" for number, attack in enumerate(ATTACKS)]
    old = make_wheel(tmp_path, "acme", "1.0", {"acme/__init__.py": "x = 1\n", "acme/<i>gone.py": ""})
    new = make_wheel(
        tmp_path,
        "acme",
        "2.0",
        {"acme/__init__.py": code, "acme/<b>.bin": b"\0", **dict.fromkeys(names, "x = 1\n")},
        requires=["<script>alert(1)</script>"],
    )
    findings = [
        Finding("start-up-code", Severity.HIGH, Confidence.HIGH, attack, path="acme/__init__.py", line=line,
                evidence=attack, reach="import", new=True)
        for line, attack in enumerate(ATTACKS, 1)
    ]  # fmt: skip
    findings.append(
        Finding(
            ATTACKS[0], Severity.HIGH, Confidence.HIGH, "of no file", path=ATTACKS[4], evidence=ATTACKS[1]
        )
    )
    rulings = tuple(Ruling(finding, Decision.HOLD, "rule", "default") for finding in findings)
    archive = Archive(str(new), ArchiveKind.WHEEL, Origin.FETCHED, ATTACKS[1], ATTACKS[0], ATTACKS[4])
    candidate = Candidate(ATTACKS[0], ATTACKS[4], ATTACKS[1], "", Source.INDEX)
    contents = Contents(str(new), Verdict(Decision.HOLD, archive, rulings), ATTACKS[0])
    changes = compare(read_texts(str(new)).files, read_texts(str(old)).files, rulings, problem=ATTACKS[0])
    facts = tuple((f"fact{number}", attack) for number, attack in enumerate(ATTACKS))
    return Review(Verdict(Decision.HOLD, candidate), contents, changes, facts, ATTACKS[3], ATTACKS[4])


class Page(HTMLParser):
    """Every element, attribute and text of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text, self._open = [], [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        self._open = tag

    def handle_endtag(self, tag):
        assert tag
        self._open = ""

    def handle_data(self, data):
        if self._open != "style":
            self.text.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")


def check_page(page):
    """Only our own elements are there, none of which can do anything; the attacks are there as text."""
    found = Page(page)
    assert set(found.tags) <= ALLOWED
    assert {name for _, name, _ in found.attributes} <= {
        "lang",
        "charset",
        "http-equiv",
        "content",
        "name",
        "class",
        "colspan",
    }
    equivalents = [value for _, name, value in found.attributes if name == "http-equiv"]
    assert equivalents == ["Content-Security-Policy"]
    classes = {value for _, name, value in found.attributes if name == "class"}
    assert all(re.fullmatch(r"[a-z0-9 -]+", value) for value in classes)
    text = "".join(found.text)
    for attack in ATTACKS[:10]:
        assert f"{BEGINNING}{attack}" in text
    assert "U+202E" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", page)
    return found


def test_everything_from_elsewhere_is_text(tmp_path):
    page = review_page([attack_review(tmp_path)])
    check_page(page)
    head = page[: page.index("<title>")]
    assert "default-src &#x27;none&#x27;; style-src &#x27;unsafe-inline&#x27;" in head
    assert "url(" not in page.split("</style>")[0]
    assert "@import" not in page.split("</style>")[0]


def test_the_text_form_can_not_drive_a_terminal(tmp_path):
    lines = list(review_lines(attack_review(tmp_path), everything=True))
    assert all(line.isprintable() for line in lines)


def test_where_there_is_no_command_the_reason_is_told(tmp_path):
    review = attack_review(tmp_path)._replace(approve="")
    assert "no approval of this machine" in list(review_lines(review))[-1]
    blocked = review._replace(candidate=Verdict(Decision.BLOCK, review.candidate.subject))
    assert "no approval lifts a block" in list(review_lines(blocked))[-1]
    assert "No approval lifts a block" in review_page([blocked])
    subject = review.contents.verdict.subject
    passing = review._replace(
        candidate=Verdict(Decision.ALLOW, review.candidate.subject),
        contents=review.contents._replace(verdict=Verdict(Decision.ALLOW, subject)),
    )
    assert "not needed" in list(review_lines(passing))[-1]


def test_a_lone_surrogate_can_be_written(tmp_path):
    review = attack_review(tmp_path)._replace(facts=(("x", "\ud800"),))
    assert "U+D800" in review_page([review]).encode().decode()


@pytest.mark.slow
def test_no_script_comes_alive_in_a_browser(tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no Chromium on this machine")
    file = tmp_path / "review.html"
    file.write_text(review_page([attack_review(tmp_path)]), encoding="utf-8")
    options = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    )
    options += " --disable-component-update --disable-sync --virtual-time-budget=2000"
    done = subprocess.run(
        [browser, *options.split(), f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", file.as_uri()],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    if not done.stdout:
        pytest.skip(f"Chromium doesn't run here: {done.stderr[-200:]}")
    assert "pwned" not in done.stdout.partition("</title>")[0].replace("document.title='pwned'", "")
    check_page(done.stdout.removeprefix("<!DOCTYPE html>"))
