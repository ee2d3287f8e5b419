"""The environment of programs behind the gate: its proxy, its certificate, a cache of our own."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TIMEOUT_S = 600
"""uv gives up after 30 s without a byte, and an archive is judged whole before its first one is passed on."""
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy")
_WAYS_AROUND = ("ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")
_TRUST = (
    "SSL_CERT_DIR",  # counts besides SSL_CERT_FILE
    "UV_NATIVE_TLS",
    "UV_SYSTEM_CERTS",
    "UV_INSECURE_HOST",
)
_OTHERS_CERTIFICATES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
)
"""OpenSSL, rustls and httpx; requests (poetry); requests too, and curl; pip (pipx, hatch); git; node."""
_GIT_PROTOCOLS = ("https", "http", "file")
"""What git may speak: the ones that pass the gate, and its own copies within uv's cache."""
_SSH_PORT = ":22"
CHANGED = frozenset(
    {
        *(name for name in (*_PROXIES, *_WAYS_AROUND, *_TRUST) if name.isupper()),
        *("SSL_CERT_FILE", "UV_CACHE_DIR", "UV_HTTP_TIMEOUT", "UV_NO_CACHE", "UV_ENV_FILE"),
        *("GIT_SSL_CAINFO", "GIT_ALLOW_PROTOCOL", "PYTHONPATH", "PYTHONWARNINGS"),
    }
)
"""Variables that uv has otherwise than its user; those of ``builds`` are among them."""


def behind_gate(environ: Mapping[str, str], *, proxy: str, certificate: str) -> dict[str, str]:
    """Return an environment whose programs reach nothing but the gate, if they heed it at all.

    Args:
        environ: What it is made of.
        proxy: URL of the gate, its password included.
        certificate: A file with the gate's certificate, which is all that is trusted.
    """
    made = {name: value for name, value in environ.items() if name not in (*_WAYS_AROUND, *_TRUST)}
    made.update(dict.fromkeys(_PROXIES, proxy))
    made["SSL_CERT_FILE"] = certificate
    return made


def for_uv(
    environ: Mapping[str, str], *, proxy: str, certificate: str, cache: str, allow: Iterable[str] = ()
) -> dict[str, str]:
    """Return the environment of a uv behind the gate.

    Credentials of indexes stay: uv sends them through the gate.

    Args:
        environ: What it is made of.
        proxy: URL of the gate.
        certificate: A file with its certificate.
        cache: Directory of our cache.
        allow: Hosts that may be reached besides the indexes, for git.
    """
    made = behind_gate(environ, proxy=proxy, certificate=certificate)
    made["UV_CACHE_DIR"] = cache
    made["UV_HTTP_TIMEOUT"] = str(max(TIMEOUT_S, _number(environ.get("UV_HTTP_TIMEOUT", ""))))
    made.pop("UV_NO_CACHE", None)
    made.pop("UV_ENV_FILE", None)  # its variables would be uv's own, and it could name other certificates
    # git has its own trust, and ssh asks no proxy at all: without a listed port 22 it isn't spoken.
    made["GIT_SSL_CAINFO"] = certificate
    spoken = [*_GIT_PROTOCOLS, *(["ssh"] if any(entry.endswith(_SSH_PORT) for entry in allow) else [])]
    theirs = environ.get("GIT_ALLOW_PROTOCOL")
    made["GIT_ALLOW_PROTOCOL"] = ":".join(
        name for name in spoken if theirs is None or name in theirs.split(":")
    )
    return made


def for_others(environ: Mapping[str, str], *, proxy: str, certificate: str) -> dict[str, str]:
    """Return the environment of any other installer behind the gate: each reads another variable.

    Args:
        environ: What it is made of.
        proxy: URL of the gate.
        certificate: A file with its certificate.
    """
    made = behind_gate(environ, proxy=proxy, certificate=certificate)
    made.update(dict.fromkeys(_OTHERS_CERTIFICATES, certificate))
    for name in ("PIP_PROXY", "PIP_TRUSTED_HOST", "PIP_CLIENT_CERT"):
        made.pop(name, None)
    made["PIP_DEFAULT_TIMEOUT"] = str(max(TIMEOUT_S, _number(environ.get("PIP_DEFAULT_TIMEOUT", ""))))
    return made


def cache_dir(environ: Mapping[str, str]) -> str:
    """Return where our uv keeps what was judged: beside uv's own cache, so that its hard links work.

    In a cache directory that the user has chosen (``UV_CACHE_DIR``), it is a directory of ours.
    """
    chosen = environ.get("UV_CACHE_DIR", "")
    if chosen:
        return os.path.join(os.path.abspath(chosen), "veln-hook")
    home = environ.get("HOME") or os.path.expanduser("~")
    if sys.platform == "darwin":
        legacy = os.path.join(home, "Library", "Caches")
        if os.path.isdir(os.path.join(legacy, "uv")):
            return os.path.join(legacy, "veln-hook", "uv")
    base = environ.get("XDG_CACHE_HOME", "")
    return os.path.join(base if os.path.isabs(base) else os.path.join(home, ".cache"), "veln-hook", "uv")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0  # noqa: PLR2004 - of seconds
