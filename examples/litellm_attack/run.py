"""The litellm attack, again, on this machine alone: who would have been robbed, and who not?

Run it with any Python 3.9 or newer::

    python examples/litellm_attack/run.py

See README.md for what it does. The exit status is 0 only if what happened is
what veln-hook promises.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import venv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from attempts import WITHOUT_COOLING, Attempt, attempt, clean_environ
from payload import BAD, FORMS, GOOD, PROJECT, bad_wheel, good_wheel
from servers import Index, Sink
from third_act import play_confined, third_act

CHECKOUT = Path(__file__).resolve().parents[2]
HELD = 75
"""veln-hook's exit status where every hold opens by itself."""
HELD_FOR_A_PERSON = 77
"""Its exit status where time lifts no hold: what the release does was found."""
BLOCKED = 1
"""Its exit status where no approval helps: hidden code that sends credentials is no matter of opinion."""
DEFAULT_MIN_AGE = timedelta(hours=2)
# Accounts of how long the real one was up differ, from forty minutes to five hours.
AGES = tuple(timedelta(minutes=minutes) for minutes in (0, 4, 12, 47, 180))
# Long enough that a release from before the attack is nobody's question.
AGE_OF_GOOD = timedelta(days=120)


@dataclass
class Moment:
    """Everything that was tried at one age of the bad release."""

    age_minutes: int
    unprotected: Attempt
    protected: Attempt
    pinned: Attempt
    """Protected, and asking for exactly the bad release."""

    def surprises(self) -> list[str]:
        """Return what is not as promised."""
        cooling = timedelta(minutes=self.age_minutes) < DEFAULT_MIN_AGE
        expected = {
            "unprotected: version": (self.unprotected.version, BAD),
            "unprotected: stolen": (self.unprotected.stolen, 1),
            "protected: exit status": (self.protected.exit_status, 0 if cooling else HELD_FOR_A_PERSON),
            "protected: version": (self.protected.version, GOOD if cooling else ""),
            "protected: stolen": (self.protected.stolen, 0),
            "protected: bad file untouched": (self.protected.bad_bytes == 0, cooling),
            "protected: held and said so": (bool(self.protected.message), True),
            "pinned: exit status": (self.pinned.exit_status, HELD if cooling else HELD_FOR_A_PERSON),
            "pinned: version": (self.pinned.version, ""),
            "pinned: stolen": (self.pinned.stolen, 0),
            "pinned: bad file untouched": (self.pinned.bad_bytes == 0, cooling),
        }
        return [
            f"{self.age_minutes} min old, {what}: {found!r} instead of {wanted!r}"
            for what, (found, wanted) in expected.items()
            if found != wanted
        ]


@dataclass
class Form:
    """One form of the attack, where cooling is switched off."""

    form: str
    """The file that the payload is in."""
    unprotected: Attempt
    protected: Attempt
    again: Attempt
    """The same command once more, which knows what was found."""
    review: str
    """What ``veln-hook review`` shows of the release."""

    def payload_lines(self) -> list[str]:
        """Return the lines of the diff that are new and start the payload."""
        return re.findall(r"^ +\d+ \+ +(.*(?:urlopen\(request|exec\().*)$", self.review, re.MULTILINE)

    def surprises(self) -> list[str]:
        """Return what is not as promised."""
        expected = {
            "unprotected: version": (self.unprotected.version, BAD),
            "unprotected: stolen": (self.unprotected.stolen, 1),
            "protected: exit status": (
                self.protected.exit_status,
                BLOCKED if self.form == ".pth" else HELD_FOR_A_PERSON,
            ),
            "protected: version": (self.protected.version, ""),
            "protected: stolen": (self.protected.stolen, 0),
            "protected: held and said so": (bool(self.protected.message), True),
            "again: exit status": (self.again.exit_status, 0),
            "again: version": (self.again.version, GOOD),
            "again: stolen": (self.again.stolen, 0),
            "review: the diff shows the payload": (bool(self.payload_lines()), True),
        }
        return [
            f"{self.form}, {what}: {found!r} instead of {wanted!r}"
            for what, (found, wanted) in expected.items()
            if found != wanted
        ]


def play(python: str, work: Path, age: timedelta) -> Moment:
    """Serve the bad release at that age, and install it in three ways."""
    minutes = int(age.total_seconds() // 60)
    room = work / f"{minutes}-minutes"
    with Sink() as sink, Index(PROJECT) as index:
        index.add(*good_wheel(), AGE_OF_GOOD)
        index.add(*bad_wheel("utils.py"), age)
        return Moment(
            minutes,
            unprotected=attempt(python, room / "unprotected", PROJECT, index, sink, switch="off"),
            protected=attempt(python, room / "protected", PROJECT, index, sink),
            pinned=attempt(python, room / "pinned", f"{PROJECT}=={BAD}", index, sink),
        )


def play_without_cooling(python: str, work: Path, form: str) -> Form:
    """Serve a form of the bad release where its age doesn't count, install it and review it."""
    room = work / f"act-two-{form.strip('.')}"
    with Sink() as sink, Index(PROJECT) as index:
        index.add(*good_wheel(), AGE_OF_GOOD)
        index.add(*bad_wheel(form), AGES[1])
        policy = room / "protected" / ".config" / "veln-hook" / "policy.toml"
        policy.parent.mkdir(parents=True)
        policy.write_text(WITHOUT_COOLING)
        unprotected = attempt(python, room / "unprotected", PROJECT, index, sink, switch="off")
        protected = attempt(python, room / "protected", PROJECT, index, sink)
        again = attempt(python, room / "protected", PROJECT, index, sink)
        review = subprocess.run(
            [python, "-m", "veln_hook", "review", f"{PROJECT}=={BAD}", "--index-url", index.url],
            env=clean_environ(room / "protected"),
            cwd=room,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        return Form(form, unprotected, protected, again, review.stdout)


def make_interpreter(work: Path) -> str:
    """Make a virtualenv with veln-hook in it, from this checkout or else the version that is installed.

    pip reads the visitor's own configuration here: this is the one step that may need an index.
    """
    prefix = work / "venv"
    venv.create(prefix, with_pip=True, symlinks=os.name != "nt")
    python = str(prefix / ("Scripts" if os.name == "nt" else "bin") / "python")
    what = str(CHECKOUT) if (CHECKOUT / "src" / "veln_hook").is_dir() else "veln-hook"
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", what], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"veln-hook can't be installed from {what}:\n{done.stdout}{done.stderr}")
    return python


def has_hook(python: str) -> bool:
    """Tell whether veln-hook is at work in an interpreter."""
    probe = "import sys; sys.exit('veln_hook' not in sys.modules)"
    return subprocess.run([python, "-c", probe], check=False, stderr=subprocess.DEVNULL).returncode == 0


def table(moments: list[Moment]) -> str:
    """Return what happened as a table and the messages, for people."""
    rows = [
        ("age of", "without", "", "with veln-hook", "", "", "pinned", "", ""),
        ("1.82.8", "installs", "sink got", "installs", "exit", "sink got", "installs", "exit", "bytes"),
    ]
    for moment in moments:
        hours, minutes = divmod(moment.age_minutes, 60)
        plain, guarded, pinned = moment.unprotected, moment.protected, moment.pinned
        rows.append(
            (
                f"{hours} h" if hours and not minutes else f"{moment.age_minutes} min",
                plain.version or "nothing",
                str(plain.stolen),
                guarded.version or "nothing",
                str(guarded.exit_status),
                str(guarded.stolen),
                pinned.version or "nothing",
                str(pinned.exit_status),
                str(pinned.bad_bytes),
            )
        )
    widths = [max(len(row[column]) for row in rows[1:]) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths)]
        groups = (cells[:1], cells[1:3], cells[3:6], cells[6:])
        lines.append("  | ".join("  ".join(group) for group in groups))
    # The group titles are wider than their columns.
    first = [len(part) for part in lines[1].split("  | ")]
    titles = (rows[0][0], rows[0][1], rows[0][3], rows[0][6])
    lines[0] = "  | ".join(f"{title:<{width}}" for title, width in zip(titles, first))
    lines.insert(2, "-" * len(lines[1]))
    return "\n".join(line.rstrip() for line in lines)


def explain(moments: list[Moment]) -> str:
    """Return what is to be said below the table."""
    held = next((moment for moment in moments if moment.protected.message), None)
    parts = []
    if held is not None:
        message = textwrap.indent("\n".join(held.protected.message), "    ")
        parts.append(f"What `{held.protected.command}` said at {held.age_minutes} minutes:\n\n{message}")
    parts.append(
        "At 3 hours the release is older than the threshold of 2 hours, so cooling would let it through.\n"
        "It was downloaded, and held for what its code does; that is the second act."
    )
    return "\n\n".join(parts)


def second_act(forms: list[Form]) -> str:
    """Return what happened where cooling is off, for people."""
    parts = ["Second act: cooling is off (min_age = 0), and the release is four minutes old."]
    for form in forms:
        once, again = form.protected, form.again
        told = (
            f"The payload is in {form.form}. Without veln-hook the sink gets the credentials "
            f"{form.unprotected.stolen} time.\nWith it, pip ends with {once.exit_status} and installs "
            f"{once.version or 'nothing'}; the same command once more installs "
            f"{again.version or 'nothing'}.\nThe sink gets them {once.stolen + again.stolen} times."
        )
        parts += [told, textwrap.indent("\n".join(once.message), "    ")]
        parts.append(f"From `veln-hook review {PROJECT}=={BAD}`:")
        parts.append(textwrap.indent(diff_of(form.review), "    "))
    return "\n\n".join(parts)


def diff_of(review: str) -> str:
    """Return the part of a review that shows what is new in the code."""
    _, found, changes = review.partition("\nchanges ")
    return f"changes {changes.partition(f'      {PROJECT}-{BAD}.dist-info')[0].rstrip()}" if found else review


def main() -> int:
    """Play the attack; return 0 if all went as promised."""
    parser = argparse.ArgumentParser(description="The litellm attack, with and without veln-hook.")
    parser.add_argument("--python", metavar="PATH", help="an interpreter that has pip and veln-hook already")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()

    work = Path(tempfile.mkdtemp(prefix="litellm-attack-"))
    try:
        if not options.json and not options.python:
            print("Making a virtualenv with veln-hook ...", file=sys.stderr)
        # Not resolved: a virtualenv's python is a link to one that doesn't have its packages.
        python = os.path.abspath(options.python) if options.python else make_interpreter(work)
        if not has_hook(python):
            raise SystemExit(f"veln-hook is not at work in {python}")
        if not options.json:
            print(f"Installing {PROJECT} at {len(AGES)} ages of its bad release ...", file=sys.stderr)
        with ThreadPoolExecutor(max_workers=2) as pool:
            moments = list(pool.map(lambda age: play(python, work, age), AGES))
            forms = list(pool.map(lambda form: play_without_cooling(python, work, form), FORMS))
            uses = list(pool.map(lambda form: play_confined(python, work, form), FORMS))
    finally:
        shutil.rmtree(work, ignore_errors=True)

    surprises = [surprise for played in (*moments, *forms, *uses) for surprise in played.surprises()]
    if options.json:
        results = {
            "ages": [asdict(moment) for moment in moments],
            "forms": [asdict(form) for form in forms],
            "uses": [asdict(played) for played in uses],
        }
        print(json.dumps({"schema": 2, "command": "litellm_attack", "results": results, "errors": surprises}))
    else:
        print(f"\n{table(moments)}\n\n{explain(moments)}\n\n{second_act(forms)}\n\n{third_act(uses)}")
        for surprise in surprises:
            print(f"NOT AS PROMISED: {surprise}")
    return 1 if surprises else 0


if __name__ == "__main__":
    raise SystemExit(main())
