"""Write docs/signals/ from the rules: a page for each that reads code, and the table of all signals.

A test compares the files with what this gives. The pages of the other signals
are written by hand; the table has a row for each of them.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "src"))

from veln_hook.model import Decision, Severity  # noqa: E402
from veln_hook.policy.settings import DecisionTable  # noqa: E402
from veln_hook.signals.source.registry import RULES  # noqa: E402
from veln_hook.signals.source.rule import Grade, Hit  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veln_hook.signals.source.rule import Rule

TARGET = ROOT / "docs" / "signals"
TABLE = DecisionTable()
BY_HAND = (
    ("cooling", "not graded", "not graded", "HOLD until the release is old enough"),
    ("hash-mutation", "critical, high", "critical, high", "BLOCK"),
    ("known-malware", "critical, high", "critical, high", "BLOCK"),
    ("overwrite", "critical, high", "critical, high", "BLOCK"),
    ("dependency-confusion", "critical, high", "not compared", "BLOCK"),
    ("project-status", "high, high", "not compared", "HOLD"),
    ("similar-name", "high, medium", "not compared", "HOLD"),
    ("late-file", "medium, medium", "not compared", "WARN"),
    ("provenance-downgrade", "medium, high", "not compared", "WARN"),
    ("revival", "medium, medium", "not compared", "WARN"),
    ("sdist-only", "medium, medium", "not compared", "WARN"),
    ("version-order", "medium, medium", "not compared", "WARN"),
    ("yanked", "medium, high", "not compared", "WARN"),
)
_DECISIONS = {
    Decision.ALLOW: "it passes; the finding is kept with the verdict",
    Decision.WARN: "it passes, with a warning",
    Decision.HOLD: "HOLD until a person has looked",
    Decision.BLOCK: "BLOCK",
}
_WIDTH = 110
_BLANKS = 40
"""Blanks in a row that an example keeps."""

PAGE = """\
# {name}

{description}

| | |
| --- | --- |
| looks at | the code of wheels, sdists and trees; it is read, never run |
| severity, confidence | {plain}; what says less is graded milder |
| decision | {decision} |
| if the release before lacked it | {new}: {new_decision} |
| if the release before had it | {old}: {old_decision} |
| lifted by | {lifted} |
| settings | `[signals.{name}]` |

**Measured:** {rates}.

**Fires:**

{fires}

**Doesn't:**

{quiet}

`enabled = false` in a [policy file](../policy.md) switches it off; `severity` grades all of its findings:

```toml
[signals.{name}]
{setting}
```
"""

README = """\
# Signals

What veln-hook looks for. A signal gives findings with a severity and a confidence, and the policy's
`[decisions]` say what those lead to; told here are the default ones. Where there is a release before that was
judged and passed, only what is new counts: what that release did as well is *low*.

What is told by an index alone, before a byte is downloaded, is on one page:
[release signals](../release-signals.md).

The grade is that of a signal's usual finding; some findings are graded milder, a few stricter. Each page
says what is found, how often in malware and in honest packages ([benchmarks](../benchmarks.md)), and has an
example of each.

| signal | severity, confidence | when new | decision (when new) |
| --- | --- | --- | --- |
{rows}
"""


def decision(grade: Grade) -> Decision:
    """Return what a grade leads to by the default policy."""
    return TABLE.decision(grade.severity, grade.confidence)


def page(rule: Rule) -> str:
    """Return a rule's page."""
    new, old = _graded(rule, new=True), _graded(rule, new=False)
    return PAGE.format(
        name=rule.name,
        description=_wrapped(rule.description),
        plain=_words(rule.grade),
        decision=_DECISIONS[decision(rule.grade)],
        new=_words(new),
        new_decision=_DECISIONS[decision(new)],
        old=_words(old),
        old_decision=_DECISIONS[decision(old)],
        lifted=_lifted(rule),
        rates=rule.rates.rstrip("."),
        fires=_files(rule.fires),
        quiet=_files(rule.quiet),
        setting='severity = "low"' if decision(new) >= Decision.HOLD else 'severity = "high"',
    )


def readme() -> str:
    """Return the table of all signals."""
    rows = [_row(name, *cells) for name, *cells in BY_HAND]
    for rule in sorted(RULES, key=lambda rule: (-_graded(rule, new=True).severity, rule.name)):
        new = _graded(rule, new=True)
        decisions = dict.fromkeys((decision(rule.grade).word, decision(new).word))
        rows.append(_row(rule.name, _words(rule.grade), _words(new), " → ".join(decisions).upper()))
    return README.format(rows="\n".join(rows))


def pages() -> dict[str, str]:
    """Return the text of every page by its name."""
    return {"README": readme(), **{rule.name: page(rule) for rule in RULES}}


def _row(name: str, *cells: str) -> str:
    return f"| [{name}]({name}.md) | {' | '.join(cells)} |"


def _graded(rule: Rule, *, new: bool) -> Grade:
    return rule.graded(Hit("", ()), new=new)


def _words(grade: Grade) -> str:
    return f"{grade.severity.word}, {grade.confidence.word}"


def _lifted(rule: Rule) -> str:
    if rule.grade.severity >= Severity.CRITICAL:
        return "an exception in a policy file, by sha256"
    if Decision.HOLD in (decision(rule.grade), decision(_graded(rule, new=True))):
        return "an approval of that exact file ([`veln-hook approve`](../cli.md#approve))"
    return "nothing; by default it lets pass"


def _files(files: Mapping[str, str]) -> str:
    blocks = []
    for path, text in files.items():
        shown = _shown(text)
        if not shown:
            blocks.append(f"`{path}`")
            continue
        language = "python" if path.endswith(".py") else "sh" if path.endswith(".sh") else "text"
        blocks.append(f"`{path}`\n\n```{language}\n{shown}\n```")
    return "\n\n".join(blocks)


def _shown(text: str) -> str:
    """Return an example as a page can hold it: no control characters, no blanks without end."""
    plain = "".join(
        char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text.rstrip("\n")
    )
    return re.sub(f" {{{_BLANKS},}}", lambda blanks: f"  ... {len(blanks.group())} blanks ...  ", plain)


def _wrapped(text: str) -> str:
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > _WIDTH:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return "\n".join([*lines, line])


if __name__ == "__main__":
    for name, text in pages().items():
        (TARGET / f"{name}.md").write_text(text, encoding="utf-8")
    print(f"wrote {len(RULES)} pages and the table to {TARGET}")
