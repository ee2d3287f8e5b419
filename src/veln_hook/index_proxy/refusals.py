"""What a client is told when it doesn't get what it asked for: one line that installers print. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from veln_hook.errors import VelnHookError
from veln_hook.gate.refusing import shown
from veln_hook.report.wording import printable, tell

if TYPE_CHECKING:
    from veln_hook.gate.hosts import Target
    from veln_hook.model import Verdict

FORBIDDEN = 403
"""For a file: 404 would have another index tried, 5xx is tried again."""
LEGAL = 451
"""For a page: uv takes 403 and 404 for a page that doesn't exist, and shows nothing of what they say."""


class Refusal(NamedTuple):
    """A problem (RFC 9457)."""

    status: int
    title: str
    detail: str


def held(verdict: Verdict, status: int = FORBIDDEN) -> Refusal:
    """Return the refusal of a file, or of a page of which nothing is left, by its verdict."""
    lines = [" ".join(line.split()) for line in tell(verdict)]
    title = f"veln-hook: {verdict.decision.name} {verdict.subject.release}"
    return Refusal(status, printable(title), "; ".join(lines))


def page(reason: str, url: str) -> Refusal:
    """Return the refusal of a page that can't be read."""
    return Refusal(LEGAL, "veln-hook: the index page can't be judged", printable(f"{shown(url)}: {reason}"))


def unknown_file(filename: str) -> Refusal:
    """Return the refusal of a file that nobody vouches for."""
    return Refusal(
        FORBIDDEN,
        "veln-hook: no index lists this file",
        printable(
            f"no index that is configured lists {filename}, so its age is unknown; add its index, or name the"
            " file's URL yourself"
        ),
    )


def file(reason: str, filename: str) -> Refusal:
    """Return the refusal of a file that can't be fetched or kept."""
    return Refusal(FORBIDDEN, "veln-hook: the file can't be judged", printable(f"{filename}: {reason}"))


def redirected(url: str) -> Refusal:
    """Return the refusal of a redirection that leads out of TLS, or nowhere."""
    return Refusal(FORBIDDEN, "veln-hook: redirected out of TLS", printable(f"{shown(url)} leads out of TLS"))


def elsewhere(target: Target, *, index: bool) -> Refusal:
    """Return the refusal of what is nothing of an index.

    Args:
        target: Where it was asked for.
        index: Whether an index lies there.
    """
    if index:
        line = f"of {target} only index pages, files and metadata pass, as it serves packages"
    else:
        line = (
            f"{target} is not an index that is configured, and not an allowed host; --allow {target.host} or"
            " sandbox.allow_hosts in the policy would allow it"
        )
    return Refusal(FORBIDDEN, f"veln-hook: {target.host} is not allowed", printable(line))


def failed(error: BaseException) -> Refusal:
    """Return the refusal where we failed ourselves."""
    if isinstance(error, VelnHookError):
        return Refusal(FORBIDDEN, "veln-hook can't judge this", printable(f"{error}; {error.advice}"))
    title = "veln-hook failed and could not judge this"
    return Refusal(FORBIDDEN, title, printable(f"{type(error).__name__}: {error}"))
