"""The documents name everything there is."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from veln_hook import errors
from veln_hook.cli.dispatch import COMMANDS, load
from veln_hook.cli.parsing import make_parser
from veln_hook.errors import VelnHookError
from veln_hook.model import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).resolve().parents[3] / "docs"
CLI = (DOCS / "cli.md").read_text()
ERRORS = (DOCS / "errors.md").read_text()


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from parsers(inner)


def options() -> list[str]:
    found = {
        option
        for parser in parsers(make_parser(load()))
        for action in parser._actions
        for option in action.option_strings
    }
    return sorted(found)


@pytest.mark.parametrize("option", options())
def test_each_option_is_documented(option):
    assert re.search(
        rf"`[^`]*(?<![\w-]){re.escape(option)}(?![\w-])[^`]*`|^    .*{re.escape(option)}", CLI, re.MULTILINE
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_its_heading(name):
    assert f"\n## {name}\n" in CLI


def test_each_action_is_documented():
    for parser in parsers(make_parser(load())):
        assert re.search(
            rf"^    {parser.prog}\b|^## {parser.prog.split()[-1]}$|`{parser.prog}`", CLI, re.MULTILINE
        )


@pytest.mark.parametrize("status", list(ExitStatus))
def test_each_exit_status_is_documented(status):
    assert f"\n| {int(status)} |" in CLI


@pytest.mark.parametrize(
    "slug",
    sorted(
        {
            kind.slug
            for kind in vars(errors).values()
            if isinstance(kind, type) and issubclass(kind, VelnHookError)
        }
    ),
)
def test_each_error_has_its_heading(slug):
    assert ERRORS.count(f"\n## {slug}\n") == 1


def test_no_heading_is_about_an_error_that_no_longer_exists():
    slugs = {
        kind.slug
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, VelnHookError)
    }
    assert set(re.findall(r"^## (.+)$", ERRORS, re.MULTILINE)) == slugs | {
        "damaged"
    }  # told where nothing can be imported
