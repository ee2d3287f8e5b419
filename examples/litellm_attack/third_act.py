"""The third act: nothing holds the bad release, and what imports it runs confined."""

from __future__ import annotations

import hashlib
import subprocess
import textwrap
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from attempts import FAKE_CREDENTIALS, WITHOUT_COOLING, clean_environ, install
from payload import BAD, PROJECT, bad_wheel
from servers import Index, Sink

if TYPE_CHECKING:
    from pathlib import Path

AGE = timedelta(minutes=4)
CANNOT_CONFINE = 78
"""Its exit status where this machine has no sandbox."""
# Nothing that is found in the bad file counts. A block is lifted by an exception for its bytes alone.
LET_EVERYTHING_PASS = """
[decisions]
high = "allow"
medium = "allow"

[[exceptions]]
sha256 = "{sha256}"
reason = "the third act"
expires = {expires}
"""
# Somebody's program that uses litellm. It tries the sink's own address, too, as code that knows it would.
PROGRAM = f"""
import site, sys, urllib.error, urllib.request
site.addsitedir(sys.argv[1])
import {PROJECT}.utils
reached = True
try:
    urllib.request.build_opener(urllib.request.ProxyHandler({{}})).open(sys.argv[2], timeout=5)
except urllib.error.HTTPError:
    pass  # an answer, too
except OSError:
    reached = False
print("the sink can be reached:", reached)
print("the program goes on:", {PROJECT}.utils.encode_image(b"1x1"))
"""
GOES_ON = "the program goes on: data:image/png;base64,MXgx"


@dataclass
class Use:
    """One run of a program that imports the bad release."""

    exit_status: int
    stolen: int
    """Times that credentials arrived at the sink."""
    output: list[str]
    """What the program printed."""
    message: list[str]
    """What veln-hook said."""


@dataclass
class Confined:
    """Everything that was tried with one form, once it is installed."""

    form: str
    version: str
    """What was installed."""
    plain: Use
    confined: Use
    """Under ``veln-hook run``."""

    def possible(self) -> bool:
        """Tell whether this machine has a sandbox."""
        return self.confined.exit_status != CANNOT_CONFINE

    def surprises(self) -> list[str]:
        """Return what is not as promised."""
        expected = {
            "installed": (self.version, BAD),
            "plain: stolen": (self.plain.stolen, 1),
            "plain: output": (self.plain.output, ["the sink can be reached: True", GOES_ON]),
        }
        if self.possible():
            expected["confined: stolen"] = (self.confined.stolen, 0)
            expected["confined: exit status"] = (self.confined.exit_status, 0)
            expected["confined: output"] = (
                self.confined.output,
                ["the sink can be reached: False", GOES_ON],
            )
        return [
            f"{self.form}, {what}: {found!r} instead of {wanted!r}"
            for what, (found, wanted) in expected.items()
            if found != wanted
        ]


def play_confined(python: str, work: Path, form: str) -> Confined:
    """Install a form of the bad release where nothing holds it, and use it without and with confinement."""
    room = work / f"act-three-{form.strip('.')}"
    project, home = room / "project", room / "home"
    project.mkdir(parents=True)
    (project / "program.py").write_text(PROGRAM)
    filename, content = bad_wheel(form)
    policy = home / ".config" / "veln-hook" / "policy.toml"
    policy.parent.mkdir(parents=True)
    expires = (datetime.now(timezone.utc) + timedelta(days=2)).strftime("%Y-%m-%d")
    sha256 = hashlib.sha256(content).hexdigest()
    policy.write_text(WITHOUT_COOLING + LET_EVERYTHING_PASS.format(sha256=sha256, expires=expires))
    with Sink() as sink, Index(PROJECT) as index:
        index.add(filename, content, AGE)
        version = install(python, home, project / "site", PROJECT, index)[1]
        program = [python, "program.py", str(project / "site"), sink.root]
        plain = use(program, home, project, sink)
        confined = use([python, "-m", "veln_hook", "run", "--", *program], home, project, sink)
    return Confined(form, version, plain, confined)


def use(command: list[str], home: Path, project: Path, sink: Sink) -> Use:
    """Run a program where credentials are in the environment."""
    stolen_before = len(sink.received)
    done = subprocess.run(
        command,
        env={**clean_environ(home), **FAKE_CREDENTIALS, "http_proxy": sink.root},
        cwd=project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    stolen = len(sink.received) - stolen_before
    return Use(done.returncode, stolen, done.stdout.splitlines(), done.stderr.splitlines())


def third_act(uses: list[Confined]) -> str:
    """Return what happened where nothing holds the release, for people."""
    parts = ["Third act: the policy lets everything pass, and the bad release is installed and used."]
    for played in uses:
        parts.append(
            f"The payload is in {played.form}. `python program.py`: the sink gets the credentials "
            f"{played.plain.stolen} time."
        )
        if not played.possible():
            parts.append("`veln-hook run -- python program.py` ran nothing, as this machine has no sandbox:")
        else:
            parts.append(
                f"`veln-hook run -- python program.py`: {played.confined.stolen} times, and the program ends "
                f"with {played.confined.exit_status}:"
            )
        parts.append(textwrap.indent("\n".join([*played.confined.output, *played.confined.message]), "    "))
    return "\n\n".join(parts)
