"""Pages of links on this machine: ``index.html`` of a local index, and files given to ``--find-links``.

uv follows their links wherever they lead, and no gate sees it. Source: ``fetch_local_index`` of uv-client,
and trials with 0.13, which takes a file for ``--find-links``, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from veln_hook.adapters.uv.files import MAX_TEXT, read_text
from veln_hook.errors import UsageError
from veln_hook.index.html_tokens import plain, tags_of
from veln_hook.report.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

# As in ``index.entries``: nothing that urllib strips, and no backslash, which uv's parser takes for a slash.
_PLAIN_URL = re.compile(r"(?! )[ -\[\]-~]{1,8192}(?<! )")


def links_of(path: str, url: str) -> list[str]:
    """Return the absolute URLs that a page links to, with their fragments; none if there is no page.

    Args:
        path: Of the page.
        url: What its links are relative to.

    Raises:
        UsageError: It can't be read, or has something on it that uv could read differently.
    """
    text = read_text(path, MAX_TEXT)
    try:
        return [] if text is None else [urljoin(url, href) for href in _links(text)]
    except ValueError as error:
        raise UsageError(
            f"{printable(path)}: what uv would read there can't be looked at: {printable(str(error))}",
            advice="Write it as plain HTML, or name a directory of archives.",
        ) from None


def _links(text: str) -> Iterator[str]:
    for tag in tags_of(text):
        if tag.name == "base":
            raise ValueError("the page has a base")
        href = plain(tag.attributes.get("href") or "") if tag.name == "a" else ""
        if href:
            if not _PLAIN_URL.fullmatch(href):
                raise ValueError("the page has a link with characters that no URL has")
            yield href
