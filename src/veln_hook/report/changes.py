"""What is new in an archive against the release before, arranged for a person who has two minutes.

Files with findings come first. What is long is cut, but never where a finding is.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, NamedTuple, Optional

from veln_hook.model import Decision

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from veln_hook.archive.texts import Entry
    from veln_hook.model import Ruling

CONTEXT = 3
MAX_LINES = 300
"""Lines of one file that are shown, besides those around findings."""
MAX_ALL_LINES = 6_000
"""Lines of all files together."""
MAX_FILES = 2_000
"""Files that are listed; those with findings come first."""
MAX_DIFFED = 6_000
"""Lines of a file that is compared line by line: what takes a day on a hostile pair is not begun."""
_MAX_WORK = 4_000_000
"""Old lines times new ones, once what is alike at both ends is set aside."""
_INFO = re.compile(r"^[^/]+\.(dist-info|data)/")
_SKIPPED = ("RECORD", "RECORD.jws", "RECORD.p7s", "WHEEL", "INSTALLER")
"""Of a dist-info: they differ in every release, and the install looks at them itself."""

_NO_TEXT = "not text, so its lines are not shown"
_TOO_MANY = "its lines are not shown: there are too many in all"
ADDED, REMOVED, CHANGED, SAME = "new", "removed", "changed", "unchanged"


class Line(NamedTuple):
    """One line as it is shown."""

    mark: str
    """``+``, ``-``, a blank, or ``@`` where lines are left out."""
    number: Optional[int]
    """In the new file."""
    text: str
    rulings: tuple[Ruling, ...] = ()


class FileChange(NamedTuple):
    """One file."""

    path: str
    state: str
    size: int
    note: str
    """Why no lines are shown, or not all; empty if they are."""
    lines: tuple[Line, ...]
    rulings: tuple[Ruling, ...]
    """Findings in this file, those without a line among them."""


class Changes(NamedTuple):
    """Everything that differs."""

    files: tuple[FileChange, ...]
    metadata: tuple[tuple[str, str], ...]
    """``+`` or ``-``, and a field of the metadata."""
    placeless: tuple[Ruling, ...]
    """Findings that are about no file."""
    problem: str = ""
    more: int = 0
    """Files that differ, too, but are not even listed."""


class _Side(NamedTuple):
    files: dict[str, Entry]
    """By their name without what has the version in it."""
    names: dict[str, str]


def compare(
    new: Mapping[str, Entry], old: Mapping[str, Entry] | None, rulings: Sequence[Ruling], *, problem: str = ""
) -> Changes:
    """Compare two archives.

    Args:
        new: Members of the one that is judged.
        old: Of the one before; ``None`` if there is none: then all of it is new.
        rulings: What was found in the new one.
        problem: Why not all of it could be read.
    """
    by_path: dict[str, list[Ruling]] = {}
    for ruling in rulings:
        by_path.setdefault(ruling.finding.path, []).append(ruling)
    here, before = _side(new), _side(old or {})
    found: list[tuple[FileChange, Optional[Entry], Optional[Entry]]] = []
    for key, entry in here.files.items():
        name = here.names[key]
        told = tuple(by_path.pop(name, ()))
        was = before.files.get(key)
        state = ADDED if was is None else SAME if _same(was, entry) else CHANGED
        if told or (state != SAME and not _is_noise(name)):
            found.append((FileChange(name, state, entry.size, "", (), told), entry, was))
    for key, entry in before.files.items():
        if key not in here.files and not _is_noise(before.names[key]):
            found.append((FileChange(before.names[key], REMOVED, entry.size, "", (), ()), None, None))
    found.sort(key=lambda row: _most_telling_first(row[0]))
    placeless = [ruling for path in by_path for ruling in by_path[path]]
    shown = tuple(_shown(found[:MAX_FILES]))
    return Changes(shown, _metadata(here, before), tuple(placeless), problem, len(found) - len(shown))


def _most_telling_first(change: FileChange) -> tuple[int, int, int, str]:
    worst = max((ruling.decision for ruling in change.rulings), default=Decision.ALLOW)
    is_code = change.path.endswith((".py", ".pth", ".sh", ".toml", ".cfg", ".start"))
    order = (CHANGED, ADDED, SAME, REMOVED).index(change.state)
    return (
        -int(worst) if change.rulings else 1,
        0 if is_code and change.state != REMOVED else 1,
        order,
        change.path,
    )


def _side(files: Mapping[str, Entry]) -> _Side:
    tops = {name.partition("/")[0] for name in files}
    root = len(tops) == 1 and all("/" in name for name in files)
    names = {}
    for name in files:
        key = name.partition("/")[2] if root else _INFO.sub(r"*.\1/", name)
        names[key if key not in names else name] = name
    return _Side({key: files[name] for key, name in names.items()}, names)


def _same(one: Entry, other: Entry) -> bool:
    return (one.size, one.sha256) == (other.size, other.sha256)


def _is_noise(name: str) -> bool:
    head, slash, tail = name.partition("/")
    return bool(slash) and head.endswith(".dist-info") and tail in _SKIPPED


def _file(change: FileChange, entry: Entry, was: Entry | None) -> FileChange:
    state, told = change.state, change.rulings
    marks: dict[int, list[Ruling]] = {}
    for ruling in told:
        marks.setdefault(ruling.finding.line or 1, []).append(ruling)
    if entry.text is None:
        return change._replace(note=_NO_TEXT if entry.sha256 else "too large, or it can't be read")
    lines = _split(entry.text)
    note = ""
    if state == SAME:
        made = [Line(" ", number, text) for number, text in enumerate(lines, 1)]
    elif was is None:
        made = [Line("+", number, text) for number, text in enumerate(lines, 1)]
    elif was.text is None:
        made = [Line("+", number, text) for number, text in enumerate(lines, 1)]
        note = "the file before was not text"
    else:
        compared = _diff(_split(was.text), lines)
        if compared is None:
            note = "too long to be compared line by line; what it is now is shown"
            made = [Line(" ", number, text) for number, text in enumerate(lines, 1)]
        else:
            made = compared
    made = [
        line._replace(rulings=tuple(marks.get(line.number, ()))) if line.number in marks else line
        for line in made
    ]
    shown, cut = _cut(made, everything=state not in (SAME, CHANGED) and not note)
    if cut:
        note = "; ".join(filter(None, (note, f"{cut} changed lines are not shown")))
    return change._replace(note=note, lines=tuple(shown))


def _split(text: str) -> list[str]:
    # Not splitlines(), which ends lines where Python's parser and editors don't.
    return text.replace("\r\n", "\n").rstrip("\n").split("\n")


def _diff(old: Sequence[str], new: Sequence[str]) -> list[Line] | None:
    """Return every line of both, marked; ``None`` if comparing them would take too long."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    middle_old, middle_new = old[start : len(old) - end], new[start : len(new) - end]
    too_long = len(middle_old) + len(middle_new) > MAX_DIFFED
    if middle_old and middle_new and (too_long or len(middle_old) * len(middle_new) > _MAX_WORK):
        return None
    lines = [Line(" ", number, text) for number, text in enumerate(new[:start], 1)]
    # With its heuristic for popular lines, what is hostile costs no more than the product of both lengths.
    matcher = difflib.SequenceMatcher(None, middle_old, middle_new)
    for tag, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if tag != "equal":
            lines += [Line("-", None, text) for text in middle_old[old_from:old_to]]
        mark = " " if tag == "equal" else "+"
        lines += [Line(mark, start + place + 1, middle_new[place]) for place in range(new_from, new_to)]
    lines += [Line(" ", place + 1, new[place]) for place in range(len(new) - end, len(new))]
    return lines


def _cut(lines: Sequence[Line], *, everything: bool) -> tuple[list[Line], int]:
    """Keep what changed or was found, and what stands around it; count changed lines that are left out."""
    changed = [place for place, line in enumerate(lines) if line.mark != " "]
    found = [place for place, line in enumerate(lines) if line.rulings]
    kept: set[int] = set()
    for place in found:
        kept.update(range(max(0, place - CONTEXT), min(len(lines), place + CONTEXT + 1)))
    room = MAX_LINES
    for place in changed:
        if room <= 0:
            break
        around = (
            range(place, place + 1)
            if everything
            else range(max(0, place - CONTEXT), min(len(lines), place + CONTEXT + 1))
        )
        fresh = [each for each in around if each not in kept]
        kept.update(fresh)
        room -= len(fresh)
    shown: list[Line] = []
    before = -1
    for place in sorted(kept):
        if place != before + 1:
            shown.append(Line("@", None, f"{place - before - 1} lines"))
        shown.append(lines[place])
        before = place
    if kept and before + 1 < len(lines):
        shown.append(Line("@", None, f"{len(lines) - before - 1} lines"))
    return shown, sum(place not in kept for place in changed)


def _shown(found: Iterable[tuple[FileChange, Entry | None, Entry | None]]) -> Iterator[FileChange]:
    """Fill in the lines, those of files with findings always, the others as long as there is room."""
    room = MAX_ALL_LINES
    for change, entry, was in found:
        if entry is None:
            yield change
        elif room <= 0 and not change.rulings:
            yield change._replace(note=_TOO_MANY if entry.text is not None else _NO_TEXT)
        else:
            filled = _file(change, entry, was)
            room -= len(filled.lines)
            yield filled


def _metadata(here: _Side, before: _Side) -> tuple[tuple[str, str], ...]:
    old, new = _fields(before), _fields(here)
    if not before.files:
        return ()
    gone = [("-", field) for field in old if field not in new]
    return (*gone, *(("+", field) for field in new if field not in old))


def _fields(side: _Side) -> list[str]:
    for key in ("*.dist-info/METADATA", "PKG-INFO"):
        entry = side.files.get(key)
        if entry is not None and entry.text is not None:
            head = re.split(r"\r?\n\r?\n", entry.text, maxsplit=1)[0]
            unfolded = re.sub(r"\r?\n[ \t]+", " ", head)
            fields = [line.strip() for line in unfolded.split("\n") if ":" in line]
            return [
                field
                for field in fields
                if not field.lower().startswith(("version:", "metadata-version:", "description:"))
            ]
    return []
