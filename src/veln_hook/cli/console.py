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
        shared: Whether the output is another program's as well: the object takes one line of it, the last.
        environ: For ``NO_COLOR`` and ``TERM``.
        out: Standard output, if it is another stream than this process's.
        err: Standard error, likewise.
    """

    def __init__(
        self,
        command: str,
        *,
        as_json: bool = False,
        quiet: bool = False,
        color: bool = True,
        shared: bool = False,
        environ: Mapping[str, str] = os.environ,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> None:
        self._out = sys.stdout if out is None else out
        self._err = sys.stderr if err is None else err
        self.command = command
        self.as_json = as_json
        self.quiet = quiet
        self._shared = shared
        self.results: list[Any] = []
        self.errors: list[VelnHookError] = []
        wanted = color and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        self.palette = Palette(color=wanted and not as_json and _is_terminal(self._out))
        self._err_palette = Palette(color=wanted and _is_terminal(self._err))
        self._progress = not quiet and _is_terminal(self._err)
        self._shown = False
        self._muted = False
        self._document: Any = None

    def mute(self) -> None:
        """Keep standard output for a document; errors are told on standard error, as ever."""
        self._muted = True
        self.palette = Palette(color=False)

    def document(self, data: Any) -> None:
        """Set the document that ``finish`` writes in place of all else: a text, or what becomes JSON."""
        self._document = data

    def result(self, data: Any) -> None:
        """Add to ``results[]`` of the JSON."""
        self.results.append(data)

    def line(self, text: str = "") -> None:
        """Print what was asked for."""
        if not self.as_json and not self._muted:
            self.clear()
            print(text, file=self._out)

    def note(self, text: str = "") -> None:
        """Print what ``--quiet`` leaves out."""
        if not self.quiet:
            self.line(text)

    def verdict(
        self, verdict: Verdict, *, instead: str = "", approve: str | None = "", ask: bool = False
    ) -> None:
        """Print a verdict in the words that pip's output has it; one that lets pass is a note.

        Args:
            verdict: What was decided.
            instead: Version that is used instead, if any.
            approve: Further options of the commands that are named; ``None`` if no approval would count.
            ask: Whether approvals are others' to give.
        """
        lines = tell(verdict, instead=instead, approve=approve, ask=ask)
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
        print(f"{head} {printable(str(error))}", file=self._err)
        print(f"       {printable(error.advice)} ({DOCS}#{error.slug})", file=self._err)

    def progress(self, text: str) -> None:
        """Show what is being waited for, on one line that is overwritten."""
        if self._progress:
            self._err.write(f"\r\x1b[K{printable(text)[:_MAX_PROGRESS]}")
            self._err.flush()
            self._shown = True

    def clear(self) -> None:
        """Take the progress line away."""
        if self._shown:
            self._err.write("\r\x1b[K")
            self._err.flush()
            self._shown = False

    def finish(self) -> None:
        """Write the JSON object or the document, if one was asked for."""
        self.clear()
        if self.as_json:
            told = json_form.envelope(self.command, self.results, self.errors)
            if self._shared:  # its last line may not have been ended
                print(f"\n{json.dumps(told)}", file=self._out)
            else:
                print(json.dumps(told, indent=2), file=self._out)
        elif isinstance(self._document, str):
            print(self._document, file=self._out)
        elif self._document is not None:
            print(json.dumps(self._document, indent=2), file=self._out)


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # closed, or taken away
        return False
