"""A dependency that the release before did not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.popular import lookalike
from veln_hook.signals.source.rule import INFO, REVIEW, Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for dependency in view.facts.dependencies:
        real = lookalike(dependency.name)
        if real:
            yield Hit(
                f"it needs {dependency.name}, whose name looks like that of {real}",
                (),
                REVIEW,
                key=f"dependency {dependency.name}",
            )
        elif not dependency.extra:
            yield Hit(f"it needs {dependency.name}", (), key=f"dependency {dependency.name}")


RULE = Rule(
    name="new-dependency",
    description=(
        "It needs a project that the release before did not need, or one with the name of a popular one "
        "misspelled."
    ),
    grade=INFO,
    when_new=REVIEW,
    find=_find,
    fires={
        "acme-1.0.dist-info/METADATA": (
            "Metadata-Version: 2.1\nName: acme\nVersion: 1.0\nRequires-Dist: reqeusts\n"
        )
    },
    quiet={"acme-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n"},
    rates="new in 4 of 102 release pairs",
)
