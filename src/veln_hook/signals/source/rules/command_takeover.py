"""A command that is somebody else's: whoever types it next runs this package instead.

Those of the interpreter, of pip and of veln-hook are the release signal ``overwrite``'s.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from veln_hook.signals.source.rule import HOLD, Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veln_hook.signals.source.view import View


_INSTALLERS = {
    "uv": "uv", "uvx": "uv", "pipx": "pipx", "poetry": "poetry", "pdm": "pdm", "hatch": "hatch",
    "virtualenv": "virtualenv", "conda": "conda", "twine": "twine", "easy_install": "setuptools",
}  # fmt: skip
"""Commands that install or publish packages, and their projects."""
_SYSTEMS = frozenset((
    "sh", "bash", "zsh", "dash", "fish", "sudo", "su", "ssh", "scp", "sftp", "ssh-add", "ssh-agent",
    "ssh-keygen", "git", "gpg", "openssl", "passwd", "login", "crontab", "ls", "cat", "cp", "mv", "rm",
    "mkdir", "chmod", "chown", "env", "id", "whoami", "which", "kill", "ps", "grep", "find", "sed", "awk",
    "xargs", "tar", "gzip", "unzip", "less", "more", "vi", "vim", "nano",
    "curl", "wget", "nc", "make", "cc", "gcc", "ld", "docker",
    "podman", "kubectl", "systemctl", "apt", "apt-get", "yum", "dnf", "brew",
))  # fmt: skip
"""What belongs to the system, and no package of an index to any of it."""


def _find(view: View) -> Iterator[Hit]:
    for script in view.facts.scripts:
        command = script.rpartition("/")[2]
        command = command[:-4] if command.lower().endswith(".exe") else command
        owner = _INSTALLERS.get(re.sub(r"[\d.]+$", "", command.lower()))
        if command.lower() in _SYSTEMS or (owner is not None and owner != view.facts.name):
            yield Hit(
                f"it installs the command {command}, which is another program's", (), key=f"takeover {script}"
            )


RULE = Rule(
    name="command-takeover",
    description=(
        "It installs a command that is an installer's or the system's: in a virtual environment its own "
        "comes first, and whoever types the name runs the package."
    ),
    grade=HOLD,
    find=_find,
    fires={
        "acme-1.0.dist-info/WHEEL": "",
        "acme-1.0.dist-info/entry_points.txt": "[console_scripts]\ngit = acme:main\n",
    },
    quiet={
        "acme-1.0.dist-info/WHEEL": "",
        "acme-1.0.dist-info/entry_points.txt": "[console_scripts]\nacme = acme:main\n",
    },
    rates="none of 1,667 harmless archives; 20 of 2,018 malicious clusters, with Python's and pip's commands",
)
