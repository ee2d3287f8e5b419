"""What uv fetches besides packages: Pythons, a formatter, a type checker, itself; and where it sends uploads.

They pass untouched, by the beginning of their URL rather than by their host: whoever may reach all of
github.com could fetch any package from there, by git if not otherwise.

Source: ``uv-python/src/downloads.rs``, ``uv-bin-install``, ``uv-publish`` and ``uv-audit`` of uv 0.12, and
the requests of 0.5, 0.9 and 0.13.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from veln_hook.adapters.uv.commands import Line
    from veln_hook.adapters.uv.configuration import Settings
    from veln_hook.adapters.uv.words import Words
    from veln_hook.gate.exchange import Exchange, Responder

_PYTHON = (
    "https://github.com/astral-sh/python-build-standalone/releases/download/",
    "https://github.com/indygreg/python-build-standalone/releases/download/",
    "https://github.com/oracle/graalpython/releases/download/",
    "https://github.com/pyodide/pyodide/releases/download/",
    "https://downloads.python.org/pypy/",
    "https://releases.astral.sh/github/python-build-standalone/",
    "https://raw.githubusercontent.com/astral-sh/versions/",
)
_ASTRAL = ("https://releases.astral.sh/github/", "https://raw.githubusercontent.com/astral-sh/versions/")
_FOR = {
    ("format",): ("https://github.com/astral-sh/ruff/releases/download/", *_ASTRAL),
    ("check",): ("https://github.com/astral-sh/ty/releases/download/", *_ASTRAL),
    ("self", "update"): (
        "https://github.com/astral-sh/uv/releases/",
        "https://api.github.com/repos/astral-sh/uv/",
        "https://releases.astral.sh/",
        "https://astral.sh/uv/",
    ),
    ("audit",): ("https://api.osv.dev/",),
    ("tool", "audit"): ("https://api.osv.dev/",),
    ("publish",): (
        "https://upload.pypi.org/",
        "https://test.pypi.org/legacy/",
        "https://pypi.org/_/oidc/",
        "https://test.pypi.org/_/oidc/",
    ),
}
_MIRROR_OPTIONS = (
    "--mirror",
    "--pypy-mirror",
    "--graalpy-mirror",
    "--pyodide-mirror",
    "--python-downloads-json-url",
)
_MIRROR_VARIABLES = ("UV_PYTHON_INSTALL_MIRROR", "UV_PYPY_INSTALL_MIRROR", "UV_PYTHON_DOWNLOADS_JSON_URL")
_MIRROR_KEYS = ("python-install-mirror", "pypy-install-mirror", "python-downloads-json-url")
_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTED = 1000


def prefixes(line: Line, words: Words, environ: Mapping[str, str], found: Sequence[Settings]) -> list[str]:
    """Return how the URLs begin that a command may reach besides the indexes.

    Args:
        line: The command.
        words: Its words.
        environ: For the variables that name mirrors.
        found: For the mirrors that the user's and the machine's files name; a project's don't count.
    """
    urls = [*_PYTHON, *_FOR.get(line.command, ())]
    urls += words.values(*_MIRROR_OPTIONS)
    urls += [environ.get(name, "") for name in _MIRROR_VARIABLES]
    for one in found:
        if not one.is_project:
            urls += [one.table[key] for key in _MIRROR_KEYS if isinstance(one.table.get(key), str)]
    if line.command == ("publish",):
        urls += words.values("--publish-url")
        urls += [environ.get(name, "") for name in ("UV_PUBLISH_URL", "ACTIONS_ID_TOKEN_REQUEST_URL")]
        for one in found:
            entries = one.table.get("index")
            tables = [one.table, *(entries if isinstance(entries, list) else [])]
            urls += [table["publish-url"] for table in tables if isinstance(table.get("publish-url"), str)]
    elif line.command[-1:] == ("audit",):
        urls += words.values("--service-url")
    return [plain for plain in map(_plain, urls) if plain]


class Services:
    """Passes on what is fetched from such places, and leaves everything else to another responder.

    Args:
        inner: The other.
        urls: How the URLs begin, see `prefixes`.
    """

    def __init__(self, inner: Responder, urls: Iterable[str]) -> None:
        self._inner, self._urls = inner, tuple(urls)
        self._redirected: dict[str, None] = {}

    async def answer(self, exchange: Exchange) -> None:
        """Answer a request; see ``gate.exchange.Responder``."""
        url = exchange.url
        if url not in self._redirected and not self._serves(url):
            await self._inner.answer(exchange)
            return
        answer = await exchange.fetch()
        location = answer.header(b"location")
        if answer.status in _REDIRECTS and location is not None:
            self._note(urljoin(url, location.decode("latin-1")).partition("#")[0])
        await exchange.forward(answer)

    def _serves(self, url: str) -> bool:
        # A path that leads upwards begins like what it leaves.
        steps = unquote(unquote(url)).replace("\\", "/").partition("?")[0].split("/")
        return ".." not in steps and url.startswith(self._urls)

    def _note(self, url: str) -> None:
        if url.startswith("https://") and len(self._redirected) < _MAX_REDIRECTED:
            self._redirected[url] = None


def _plain(url: str) -> str:
    """Return a URL without what would tell who asks; empty if it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("https", "http") or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = port in (None, 443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{host}{'' if default else f':{port}'}{parts.path or '/'}"


__all__ = ["Services", "prefixes"]
