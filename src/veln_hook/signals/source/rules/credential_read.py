"""A credential-named variable is read: common, and told only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import INFO, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    for secret in view.of(v.CRED):
        yield Hit(f"it reads the variable {secret.detail}", (secret,))


RULE = Rule(
    name="credential-read",
    description="An environment variable that is named like a secret is read, in a file that is read whole.",
    grade=INFO,
    find=_find,
    fires={
        "acme/__init__.py": (
            "import os\nimport requests\n\nKEY = os.environ.get('ACME_API_KEY')\n\n\ndef ask():\n"
            "    return requests.get('https://api.example.test')\n"
        )
    },
    quiet={
        "acme/__init__.py": (
            "import os\nimport requests\n\nHOME = os.environ.get('HOME')\n\n\ndef ask():\n"
            "    return requests.get('https://api.example.test')\n"
        )
    },
    rates="4 of 2,004 malicious clusters, 8 of 180 popular wheels: more common in honest code",
)
