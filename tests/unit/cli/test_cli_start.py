"""How a command starts: what it imports, which streams it finds, what it says where something is missing."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from veln_hook.cli.dispatch import COMMANDS, load, needed
from veln_hook.cli.parsing import FLAGS, make_parser

SRC = str(Path(__file__).resolve().parents[3] / "src")
START = "import sys; from veln_hook.cli.__main__ import main; sys.exit(main())"


@pytest.fixture
def python(tmp_path):
    """A new process with a home of its own; only with what is named of this one's environment."""

    (tmp_path / "home" / "project").mkdir(parents=True)

    def call(code: str | Path, *arguments: str, shell: str = '"$@"', cwd: Path | None = None):
        program = [str(code)] if isinstance(code, Path) else ["-c", code]
        return subprocess.run(
            ["sh", "-c", f"exec {shell}", "sh", sys.executable, *program, *arguments],
            cwd=cwd or tmp_path / "home" / "project",
            env={
                "HOME": str(tmp_path / "home"),
                "PATH": os.environ["PATH"],
                "PYTHONPATH": SRC,
                "NO_COLOR": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (action,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return action.choices


# --- what is imported --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words, expected",
    [
        (["run", "--", "scan"], ("run",)),
        (["-q", "--json", "--no-color", "log", "--limit", "1"], ("log",)),
        (["log", "--help"], ("log",)),
        (["--help"], COMMANDS),
        (["--help", "run"], COMMANDS),
        (["-qh", "run"], COMMANDS),
        (["--bogus", "run"], COMMANDS),
        (["bogus", "run"], COMMANDS),
        (["--", "run"], COMMANDS),
        (["ru"], COMMANDS),
        ([], COMMANDS),
    ],
)
def test_which_commands_a_command_line_is_about(words, expected):
    assert needed(words) == expected


def test_what_may_stand_before_a_command_takes_no_value():
    parser = make_parser([])
    flags = {
        option
        for action in parser._actions
        if isinstance(action, argparse._StoreTrueAction)
        for option in action.option_strings
    }
    assert flags == FLAGS


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_the_same_with_or_without_the_others(name):
    alone = commands_of(make_parser(load([name])))
    assert list(alone) == [name]
    assert alone[name].format_help() == commands_of(make_parser(load()))[name].format_help()


def test_help_names_every_command(python):
    told = python(START, "--help")
    assert (told.returncode, told.stderr) == (0, "")
    for name, module in load():
        assert f"    {name} " in told.stdout
        assert module.HELP.split()[0] in told.stdout


def test_to_run_a_command_nothing_is_imported_that_judges_releases(python):
    done = python(START, "run", "--timeout", "60", "--", "true", shell='env PYTHONPROFILEIMPORTTIME=1 "$@"')
    if "no sandbox works here" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "veln_hook.cli.confining" in imported
    rooms = ("adapters", "archive", "guard", "index", "signals", "source", "store")
    assert not imported & {f"veln_hook.{room}" for room in rooms}
    assert not imported & {"pip", "pluggy", "sqlite3", "h11"}


# --- what is missing ---------------------------------------------------------------------------------------

WITHOUT = "import sys; sys.modules[sys.argv.pop(1)] = None; from veln_hook.cli.__main__ import main; sys.exit(main())"


@pytest.mark.parametrize(
    "module, words",
    [
        ("pluggy", ["status"]),
        ("pluggy", ["check", "demo"]),
        ("pluggy", ["--help"]),
        ("packaging", ["run", "--", "true"]),
        ("sqlite3", ["log"]),
    ],
)
def test_what_a_command_needs_and_is_not_there_is_told_in_words(python, module, words):
    told = python(WITHOUT, module, *words)
    assert (told.returncode, told.stdout) == (78, "")
    assert told.stderr.startswith("error: veln-hook is damaged and can't run here: ")
    assert "Traceback" not in told.stderr
    assert "Repair: " in told.stderr
    told = python(WITHOUT, module, "--json", *words)
    out = told.stderr if words[0] == "run" else told.stdout
    assert json.loads(out)["errors"][0]["slug"] == "damaged"


def test_a_word_of_what_is_run_is_no_option_of_ours(python):
    told = python(WITHOUT, "packaging", "run", "--", "tool", "--json")
    assert told.stderr.startswith("error: veln-hook is damaged")


# --- what the caller has taken away ------------------------------------------------------------------------


@pytest.mark.parametrize("descriptor", [0, 1, 2])
def test_a_standard_stream_that_is_closed_is_nobody_else_s(python, descriptor, tmp_path):
    # What is opened next would get its number: here a file that takes what is printed.
    code = (
        "import subprocess, sys\n"
        "from veln_hook.cli.__main__ import main\n"
        "status = main(['policy', 'paths'])\n"
        "opened = open('precious', 'w')\n"
        "subprocess.run([sys.executable, '-c', 'import os; [os.write(n, b\"x\") for n in (1, 2)]'])\n"
        "sys.exit(10 * (opened.fileno() < 3) + status)"
    )
    done = python(code, shell=f'"$@" {descriptor}>&-')
    assert done.returncode == 0, done
    assert (tmp_path / "home" / "project" / "precious").read_text() == ""


@pytest.mark.parametrize("words", [["policy", "paths"], ["run", "--", "true"], ["bogus"]])
def test_a_working_directory_that_is_gone_is_told_in_words(python, tmp_path, words):
    gone = tmp_path / "gone"
    # A file, as installed programs are: with -c Python itself looks for the working directory.
    program = tmp_path / "program"
    for start in (START, "import runpy; runpy.run_module('veln_hook', run_name='__main__')"):
        gone.mkdir()
        program.write_text(f"import os; os.rmdir({str(gone)!r}); {start}")
        told = python(program, *words, cwd=gone)
        assert "Traceback" not in told.stderr
        assert told.returncode == (0 if words[0] == "policy" else 2)


@pytest.mark.parametrize("words", [["run", "--alow", "x", "--", "true"], ["approvals", "list", "--bogus"]])
def test_a_word_that_is_not_known_is_told_with_the_usage_of_its_command(python, words):
    told = python(START, *words)
    assert told.returncode == 2
    unknown = next(word for word in words if word.startswith("--"))
    command = " ".join(words[: words.index(unknown)])
    assert told.stderr.startswith(f"error: unrecognized arguments: {unknown}\n")
    assert f"usage: veln-hook {command} " in told.stderr
