"""Which popular project a name is meant to be taken for. Pure.

A name is compared with thousands, so its own variants are looked up rather than each popular name compared:
what it costs depends on the name's length only.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_MIN_EDITED = 6
"""Letters of a popular name of which one may differ: of shorter ones, every other word is near."""
_MIN_SAME = 4
"""Letters of one that may be written otherwise."""
_MOST_EDITED = 1_000
"""Only names as popular as these are looked for with a letter changed: most of the others have honest
neighbours."""
_BOTH = 2
_GLYPHS = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("0", "o"), ("1", "l"), ("i", "l"), ("5", "s"))
"""Letters that look like others; the order matters."""
_AFFIXES = ("python", "py", "python3", "py3", "lib", "pip", "pypi", "official", "dev", "sdk", "api", "cli")


class Resemblance(NamedTuple):
    """What a name looks like."""

    popular: str
    """The popular project's name."""
    how: str
    """What differs, as the end of a sentence."""
    strong: bool
    """Whether few honest projects have names like this."""


class PopularNames:
    """Names of popular projects.

    Args:
        names: Normalized (PEP 503), the most popular first.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names = tuple(names)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.names)

    @cached_property
    def _by_look(self) -> dict[str, str]:
        return _first({_look(_bare(name)): name for name in reversed(self.names)}, _MIN_SAME)

    @cached_property
    def _by_letters(self) -> dict[str, str]:
        return _first({_bare(name): name for name in reversed(self.names)}, _MIN_SAME)

    @cached_property
    def _by_words(self) -> dict[tuple[str, ...], str]:
        split = ((tuple(sorted(name.split("-"))), name) for name in reversed(self.names))
        return {words: name for words, name in split if len(words) > 1}

    @cached_property
    def _edited(self) -> dict[str, str]:
        most = reversed(self.names[:_MOST_EDITED])
        return _first({_bare(name): name for name in most}, _MIN_EDITED)

    def resembled(self, name: str) -> Resemblance | None:
        """Return the popular project that a name could be taken for; ``None`` if there is none.

        Args:
            name: Normalized (PEP 503). A popular project resembles none.
        """
        if name in self._known or not self.names:
            return None
        bare = _bare(name)
        strong = (
            (self._by_letters.get(bare), "but for its separators"),
            (self._by_look.get(_look(bare)), "but for letters that look alike"),
            (self._by_words.get(tuple(sorted(name.split("-")))), "with its words in another order"),
            (self._one_edit(bare), "but for one letter"),
        )
        for popular, how in strong:
            if popular:
                return Resemblance(popular, how, strong=True)
        return self._with_affix(bare)

    def _with_affix(self, bare: str) -> Resemblance | None:
        for affix in _AFFIXES:
            for fits, inner in (
                (bare.startswith(affix), bare[len(affix) :]),
                (bare.endswith(affix), bare[: -len(affix)]),
            ):
                popular = self._edited.get(inner) if fits else None
                if popular:
                    return Resemblance(popular, f'with "{affix}" added', strong=False)
        return None

    def _one_edit(self, bare: str) -> str:
        popular = self._edited
        for place in range(len(bare)):
            head, letter, tail = bare[:place], bare[place], bare[place + 1 :]
            # Left out, or swapped with the next. A figure at the end is another generation.
            found = popular.get(head + tail) if tail or not letter.isdigit() else None
            found = found or popular.get(head + tail[:1] + letter + tail[1:])
            if found:
                return found
            for other in _LETTERS:
                found = popular.get(head + other + tail)
                # 3 instead of 2 is another version of the same, as is a figure instead of the last letter.
                figures = letter.isdigit() + other.isdigit()
                if found and not (figures == _BOTH or (figures and not tail)):
                    return found
        for place in range(len(bare) + 1):
            for other in _LETTERS:
                found = popular.get(bare[:place] + other + bare[place:])
                if found and not (place == len(bare) and other.isdigit()):
                    return found
        return ""


def _bare(name: str) -> str:
    return name.replace("-", "")


def _look(bare: str) -> str:
    for letters, other in _GLYPHS:
        bare = bare.replace(letters, other)
    return bare


def _first(names: dict[str, str], least: int) -> dict[str, str]:
    """Leave out what is too short to be mistaken."""
    return {key: name for key, name in names.items() if len(key) >= least}
