"""One ``pip install`` in a room of its own, and one import after it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from payload import BAD, PROJECT

if TYPE_CHECKING:
    from pathlib import Path

    from servers import Index, Sink

FAKE_CREDENTIALS = {
    "AWS_SECRET_ACCESS_KEY": "FAKE-aws-secret",
    "GITHUB_TOKEN": "FAKE-github-token",
    "OPENAI_API_KEY": "FAKE-openai-key",
}

WITHOUT_COOLING = '[cooling]\nmin_age = "0"\n'
# A directory of site-packages, so that its .pth files count as after an ordinary install.
IMPORT = f"import site, sys; site.addsitedir(sys.argv[1]); import {PROJECT}"


@dataclass
class Attempt:
    """One ``pip install``, and one ``import litellm`` after it."""

    command: str
    exit_status: int
    version: str
    """What was installed; empty if nothing was."""
    bad_bytes: int
    """Bytes of the bad file that left the index."""
    stolen: int
    """Times that credentials arrived at the sink."""
    message: list[str] = field(default_factory=list)
    """What veln-hook said."""
    output: str = ""
    """All that pip said."""


def attempt(
    python: str, room: Path, requirement: str, index: Index, sink: Sink, *, switch: str = ""
) -> Attempt:
    """Install into a directory, then import what is there."""
    target = room / "site"
    environ = clean_environ(room)
    if switch:
        environ["VELN_HOOK"] = switch
    bytes_before, stolen_before = sum_of_bad(index), len(sink.received)
    done, version = install(python, room, target, requirement, index, switch=switch)
    subprocess.run(
        [python, "-c", IMPORT, str(target)],
        env={**environ, **FAKE_CREDENTIALS, "http_proxy": sink.root},
        cwd=room,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return Attempt(
        command=f"pip install {requirement}",
        exit_status=done.returncode,
        version=version,
        bad_bytes=sum_of_bad(index) - bytes_before,
        stolen=len(sink.received) - stolen_before,
        message=hold_message(done.stdout),
        output=done.stdout,
    )


def install(
    python: str, home: Path, target: Path, requirement: str, index: Index, *, switch: str = ""
) -> tuple[subprocess.CompletedProcess[str], str]:
    """Install into a directory; return what came of it, and the version that is there, empty if none is."""
    environ = clean_environ(home)
    if switch:
        environ["VELN_HOOK"] = switch
    done = subprocess.run(
        [python, "-m", "pip", "install", "--target", str(target), "--index-url", index.url, requirement],
        env=environ,
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    installed = [info.name.split("-")[1][: -len(".dist")] for info in target.glob(f"{PROJECT}-*.dist-info")]
    return done, installed[0] if installed else ""


def sum_of_bad(index: Index) -> int:
    """Return how many bytes of the bad release were sent."""
    return sum(size for filename, size in index.bytes_sent.items() if f"-{BAD}-" in filename)


def hold_message(output: str) -> list[str]:
    """Return the lines of veln-hook's message in pip's output, without pip's prefix."""
    lines: list[str] = []
    for line in output.splitlines():
        text = line.partition("ERROR: ")[2] if line.startswith("ERROR: ") else line
        text = text.partition("WARNING: ")[2] if text.startswith("WARNING: ") else text
        if text.startswith(("HOLD", "BLOCK")) or (lines and text.startswith("      ")):
            lines.append(text)
        elif lines:
            break
    return lines


def clean_environ(home: Path) -> dict[str, str]:
    """Return an environment with its own home, without the visitor's policy, store and pip configuration."""
    home.mkdir(parents=True, exist_ok=True)
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TMPDIR", "LANG") if name in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_STATE_HOME": str(home / ".local/state"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }
