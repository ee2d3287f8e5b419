"""What names of environment variables tell of what they hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_CREDENTIAL = re.compile(
    r"(?:^|_)(?:TOKEN|SECRET|SECRETS|PASSWORD|PASSWD|PASS|PWD|APIKEY|CREDENTIALS?|AUTH|COOKIE|COOKIES|"
    r"SESSION|MNEMONIC|PRIVKEY|KEYS?)(?:$|_)|API_?KEY|ACCESS_?KEY|SECRET_?KEY|PRIVATE_?KEY|_DSN$|"
    r"AWS_(?:SESSION|SECURITY)|"
    r"^(?:NPM|PYPI|TWINE|GH|GITHUB|GITLAB|HF|SLACK|DOCKER|KUBE|AZURE|GCP|GOOGLE)_.*(?:TOKEN|AUTH|PASS|KEY)|"
    r"DATABASE_URL|KUBECONFIG",
    re.IGNORECASE,
)
_NO_CREDENTIAL = re.compile(
    r"^(?:SSH_AUTH_SOCK|XAUTHORITY|PWD|OLDPWD|DBUS_SESSION_BUS_ADDRESS|XDG_SESSION_.*|DESKTOP_SESSION|"
    r"SESSION_MANAGER|SESSIONNAME|GDMSESSION|.*_KEY_?(?:BINDINGS|MAP)|TOKENIZERS_PARALLELISM|.*_KEYRING_BACKEND)$"
)
_KEY = re.compile(
    r"AWS_SECRET_ACCESS_KEY|PRIV(?:ATE)?_?KEY|MNEMONIC|SEED_PHRASE|RECOVERY_PHRASE", re.IGNORECASE
)
CREDENTIAL_WORDS = frozenset(
    [
        "KEY",
        "TOKEN",
        "SECRET",
        "PASSWORD",
        "PASSWD",
        "PASS",
        "CREDENTIAL",
        "CRED",
        "AUTH",
        "API_KEY",
        "APIKEY",
        "AWS_",
        "AWS",
        "GITHUB",
        "PRIVATE",
        "PWD",
        "COOKIE",
    ]
)
"""Words by which a sweep of the environment is filtered."""


def is_credential_name(name: str) -> bool:
    """Tell whether an environment variable of this name usually holds a secret."""
    return bool(_CREDENTIAL.search(name)) and not _NO_CREDENTIAL.match(name)


def never_leaves(name: str) -> bool:
    """Tell whether a variable of this name holds what honest code signs with, and sends to nobody."""
    return bool(_KEY.search(name))


def has_secret_words(consts: Iterable[object]) -> bool:
    """Tell whether there is a word by which a sweep of the environment is filtered, alone or in a tuple."""
    for const in consts:
        for word in const if isinstance(const, tuple) else (const,):
            if isinstance(word, str) and word.upper().strip("_") in CREDENTIAL_WORDS:
                return True
    return False
