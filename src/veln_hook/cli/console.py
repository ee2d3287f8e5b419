"""Where a command's words go: lines for a person, or one JSON object for a program, never both."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

from veln_hook.model import Decision
from veln_hook.report import json_form
from veln_hook.report.text import Palette
from veln_hook.report.wording import printable, tell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veln_hook.errors import VelnHookError
    from veln_hook.model import Verdict

DOCS = "docs/errors.md"
_MAX_PROGRESS = 78


class Console:
    """Output of one command.

    Args:
        command: As it was typed.
        as_json: Everything goes into one object, written by ``finish``.
        quiet: Only what stands in the way, and what was asked for.
        color: Whether colours are wanted, if a terminal can show them.
        environ: For ``NO_COLOR`` and ``TERM``.
    """

    def __init__(
        self,
        command: str,
        *,
        as_json: bool = False,
        quiet: bool = False,
        color: bool = True,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.command = command
        self.as_json = as_json
        self.quiet = quiet
        self.results: list[Any] = []
        self.errors: list[VelnHookError] = []
        wanted = color and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        self.palette = Palette(color=wanted and not as_json and _is_terminal(sys.stdout))
        self._err_palette = Palette(color=wanted and _is_terminal(sys.stderr))
        self._progress = not quiet and _is_terminal(sys.stderr)
        self._shown = False

    def result(self, data: Any) -> None:
        """Add to ``results[]`` of the JSON."""
        self.results.append(data)

    def line(self, text: str = "") -> None:
        """Print what was asked for."""
        if not self.as_json:
            self.clear()
            print(text)

    def note(self, text: str = "") -> None:
        """Print what ``--quiet`` leaves out."""
        if not self.quiet:
            self.line(text)

    def verdict(self, verdict: Verdict, *, instead: str = "") -> None:
        """Print a verdict in the words that pip's output has it; one that lets pass is a note."""
        lines = tell(verdict, instead=instead)
        show = self.note if verdict.decision is Decision.ALLOW else self.line
        show(self.palette.decision(lines[0], verdict.decision))
        for line in lines[1:]:
            show(line)

    def error(self, error: VelnHookError) -> None:
        """Tell an error: text, advice and where more stands; for JSON it is kept."""
        self.errors.append(error)
        if self.as_json:
            return
        self.clear()
        head = self._err_palette.paint("error:", "red")
        print(f"{head} {printable(str(error))}", file=sys.stderr)
        print(f"       {printable(error.advice)} ({DOCS}#{error.slug})", file=sys.stderr)

    def progress(self, text: str) -> None:
        """Show what is being waited for, on one line that is overwritten."""
        if self._progress:
            sys.stderr.write(f"\r\x1b[K{printable(text)[:_MAX_PROGRESS]}")
            sys.stderr.flush()
            self._shown = True

    def clear(self) -> None:
        """Take the progress line away."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False

    def finish(self) -> None:
        """Write the JSON object, if one was asked for."""
        self.clear()
        if self.as_json:
            told = json_form.envelope(self.command, self.results, self.errors)
            print(json.dumps(told, indent=2))


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # closed, or taken away
        return False
