"""Reviews as one HTML file that a person opens in a browser.

Rules of this module: what comes from an archive or an index is somebody else's,
and may be made to attack the reader. Every such text goes through ``_text``; there
are no scripts, no links that come from outside, no resources, and the policy in
the head forbids the browser all of them should any of this fail.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from veln_hook import __version__
from veln_hook.report.contents import grade, marks
from veln_hook.report.review import no_approval, told_state
from veln_hook.report.style import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from veln_hook.model import Decision, Ruling
    from veln_hook.report.changes import FileChange, Line
    from veln_hook.report.review import Review

_MAX_LINE = 500
"""Characters of a line that are shown: a minified file is one line of megabytes."""
_MAX_FIELD = 2_000
_TABLE = '<table><colgroup><col class="n"><col class="m"><col></colgroup>'
_CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def review_page(reviews: Iterable[Review]) -> str:
    """Return the whole page."""
    reviews = list(reviews)
    first = reviews[0].contents.verdict.subject if reviews else None
    title = _text(f"Review of {first.release}" if first else "Review")
    body = "\n".join("\n".join(_article(review)) for review in reviews)
    # The policy comes before anything that the browser might load.
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(_CSP)}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n"
        f"<footer>Made by veln-hook {_text(__version__)}. Nothing of these files was run. "
        'Characters that would not be seen are <span class="c">marked</span>.</footer>\n</body>\n</html>\n'
    )


def _article(review: Review) -> Iterator[str]:
    subject = review.contents.verdict.subject
    yield f"<article>\n<h1>{_badge(review.decision)} {_shown(subject.release)}</h1>"
    yield f'<div class="file">{_shown(subject.filename)}</div>\n<dl>'
    for label, value in review.facts:
        yield f"<dt>{_text(label)}</dt><dd>{_shown(value)}</dd>"
    yield "</dl>"
    rulings = review.rulings
    yield f"<h2>Findings ({len(rulings)})</h2>"
    if not rulings:
        yield "<p>None.</p>"
    for ruling in rulings:
        yield from _finding(ruling)
    yield f"<h2>What is new</h2>\n<p>{_shown(review.baseline)}</p>"
    yield from _changes(review)
    yield "<h2>Let it pass</h2>"
    if review.approve:
        yield "<p>Only once you know why it does what it does. The approval is for these bytes only.</p>"
        yield f'<code class="command t">{_text(review.approve)}</code>'
    else:
        yield f"<p>{_text(no_approval(review).capitalize())}.</p>"
    yield "</article>"


def _finding(ruling: Ruling) -> Iterator[str]:
    finding = ruling.finding
    yield f'<div class="finding f-{ruling.decision.word}">{_badge(ruling.decision)}'
    yield f"<b>{_text(finding.signal)}</b>"
    yield f'<span class="meta">{_text(grade(finding))}{_text(marks(finding))}</span>'
    yield f"<p>{_shown(finding.message)}</p>"
    if finding.path:
        line = f":{finding.line}" if finding.line else ""
        yield f'<div class="meta code">{_shown(finding.path + line)}</div>'
    if finding.evidence and finding.path:
        yield f'<code class="evidence t">{_text(finding.evidence)}</code>'
    yield "</div>"


def _changes(review: Review) -> Iterator[str]:
    changes = review.changes
    if changes.problem:
        yield f"<p><b>Not all of it could be read:</b> {_shown(changes.problem)}</p>"
    if changes.metadata:
        yield f'<div class="change"><header><h3>metadata</h3></header>{_TABLE}'
        for mark, field in changes.metadata:
            yield _row(mark, "", field, _MAX_FIELD)
        yield "</table></div>"
    for change in changes.files:
        if change.lines:
            yield from _change(change)
    listed = [change for change in changes.files if not change.lines]
    if listed:
        yield '<h3>Other files</h3><ul class="plain">'
        for change in listed:
            yield (
                f'<li><code class="t">{_text(change.path)}</code> '
                f'<span class="meta">{_text(told_state(change))}</span></li>'
            )
        yield "</ul>"
    if changes.more:
        yield f"<p>{changes.more} more files differ.</p>"
    if not changes.files and not changes.metadata:
        yield "<p>Nothing.</p>"


def _change(change: FileChange) -> Iterator[str]:
    yield f'<section class="change"><header><h3>{_shown(change.path)}</h3>'
    yield f'<span class="meta">{_text(told_state(change))}</span></header>{_TABLE}'
    for line in change.lines:
        yield from _line(line)
    yield "</table></section>"


def _line(line: Line) -> Iterator[str]:
    if line.mark == "@":
        yield f'<tr class="gap"><td colspan="3">{_text(line.text)} not shown</td></tr>'
        return
    yield _row(line.mark, "" if line.number is None else str(line.number), line.text, _MAX_LINE)
    for ruling in line.rulings:
        finding = ruling.finding
        yield (
            f'<tr class="note f-{ruling.decision.word}"><td colspan="3">{_badge(ruling.decision)} '
            f"<b>{_text(finding.signal)}</b> {_shown(finding.message)}</td></tr>"
        )


def _row(mark: str, number: str, text: str, limit: int) -> str:
    kind = {"+": "add", "-": "del"}.get(mark, "same")
    return (
        f'<tr class="{kind}"><td class="n">{number}</td><td class="m">{_text(mark.strip())}</td>'
        f'<td class="code t">{_text(text, limit)}</td></tr>'
    )


def _badge(decision: Decision) -> str:
    return f'<span class="badge {decision.word}">{decision.name}</span>'


def _shown(text: str) -> str:
    return f'<span class="t">{_text(text, _MAX_FIELD)}</span>'


def _text(text: str, limit: int = _MAX_FIELD) -> str:
    """Return text that is nothing but text to a browser, with what is not seen made visible."""
    cut = f" ... {len(text) - limit} more characters" if len(text) > limit else ""
    parts = []
    for char in text[:limit].expandtabs(4):
        if char.isprintable():
            parts.append(html.escape(char, quote=True))
        else:  # controls, what turns the text, blanks of other widths, lone surrogates
            parts.append(f'<span class="c">U+{ord(char):04X}</span>')
    return "".join(parts) + html.escape(cut)
