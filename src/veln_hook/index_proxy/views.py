"""From a body and its media type to a page that can be read and cut. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from veln_hook.index import ACCEPT_JSON
from veln_hook.index.cutting import PageView
from veln_hook.index.html_page import HtmlPage
from veln_hook.index.project_answer import ProjectAnswer
from veln_hook.index_proxy.bodies import decoded

if TYPE_CHECKING:
    from veln_hook.index_proxy.candidates import View

HTML = "application/vnd.pypi.simple.v1+html"
API_JSON = "application/json"
_VIEWS: dict[str, Callable[[bytes, str], View]] = {
    ACCEPT_JSON: PageView.parse,
    HTML: HtmlPage.parse,
    "text/html": HtmlPage.parse,
}
_MAX_SAID = 100


def media_type(content_type: bytes | None) -> str:
    """Return the media type in a ``Content-Type``, in lower case; empty if there is none."""
    return (content_type or b"").decode("latin-1").partition(";")[0].strip().lower()


def page_of(body: bytes, coding: bytes | None, kind: str, url: str) -> tuple[View, bytes]:
    """Read a page of the Simple API.

    Args:
        body: As it came over the wire.
        coding: Its ``Content-Encoding``.
        kind: Its media type.
        url: Where it came from.

    Returns:
        The page, and its bytes without their coding.

    Raises:
        ValueError: It is no such page, or one that clients could read differently.
    """
    parse = _VIEWS.get(kind)
    if parse is None:
        raise ValueError(f"it is no page of the Simple API but {kind[:_MAX_SAID] or 'nothing'}")
    data = decoded(body, coding)
    return parse(data, url), data


def api_answer_of(body: bytes, coding: bytes | None, kind: str) -> ProjectAnswer:
    """Read an answer of the project API; the arguments are those of `page_of`.

    Raises:
        ValueError: It is no such answer.
    """
    if kind != API_JSON:
        raise ValueError(f"it is no answer of the project API but {kind[:_MAX_SAID] or 'nothing'}")
    return ProjectAnswer.parse(decoded(body, coding))
