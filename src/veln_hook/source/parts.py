"""What has a part in something that matters elsewhere: it reads secrets, or decodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_PARTS = tuple(
    token.encode()
    for token in (
        "fromhex", "rot13", "chr(", ".ssh", ".aws", ".netrc", ".pypirc", ".npmrc", ".kube", ".docker",
        ".gnupg", "id_rsa", "id_ed25519", "wallet.dat", "Login Data", "leveldb", "authorized_keys",
        "crontab", "get_credentials", "/environ", ".git-credentials", "serviceaccount", "_history",
        ".vault-token", ".terraform", "huggingface/token", ".credentials", "auth.json", "auth.toml",
        "oauth_creds", ".pgpass", ".my.cnf", ".kdbx", ".password-store", "run/secrets", "rclone", ".s3cfg",
        "dotenv_values",
    )
)  # fmt: skip
"""Literals of what matters together with something elsewhere: of secrets, of decoding."""
_PARTS_OF: dict[str, tuple[bytes, ...]] = {
    "os": (b"environ", b"getenv", b"getlogin", b"uname", b"expanduser", b"expandvars"),
    "netrc": (b"netrc",),
    "posix": (b"environ",),
    "pathlib": (b".home", b"expanduser"),
    "socket": (b"gethostname", b"getfqdn", b"gethostbyname"),
    "getpass": (b"getuser",),
    "platform": (b"node", b"uname", b"platform"),
    "uuid": (b"getnode",),
    "codecs": (b"decode",),
    "pickle": (b"loads",),
    **dict.fromkeys(
        ("base64", "binascii", "zlib", "gzip", "bz2", "lzma"), (b"decode", b"decomp", b"hex", b"a2b")
    ),
}
"""The same, of modules."""


def has_parts(data: bytes, imports: Iterable[str]) -> bool:
    """Tell whether a file may do part of something that matters: read secrets, decode.

    Args:
        data: Its bytes.
        imports: Dotted names that it imports.
    """
    tops = {name.partition(".")[0] for name in imports}
    return any(has_part_of(data, top) for top in tops) or any(token in data for token in _PARTS)


def has_part_of(data: bytes, dotted: str) -> bool:
    """Tell whether a file may use a module, or something of it, to read secrets or to decode."""
    return any(token in data for token in _PARTS_OF.get(dotted.partition(".")[0], ()))
