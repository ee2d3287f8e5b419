"""Which command lines a shim hands straight on, by tool.

Rules of this module: a command is named here only if it neither resolves, nor builds, nor installs, whatever
follows it and whatever the project's files say; a line that isn't read here for certain goes through the
gate, which costs it a tenth of a second. uv's come from ``adapters.uv.commands``, which reads more of them.

Sources for the others: the commands of poetry 2.5, pdm 2.29, pipx 1.18 and hatch 1.18. Left out on purpose
are those that look harmless and aren't: most of hatch's install the plugins that a project names, ``pipx
list`` may upgrade pipx's own pip, ``pdm run`` and ``pdm show`` install or build what a script or an index
names.
"""

from __future__ import annotations

from veln_hook.adapters.uv import commands

_HELP = frozenset({"-h", "--help", "-V", "--version"})


class Tool:
    """What a shim knows of one tool's command lines.

    Attributes:
        words: Commands that pass, in one or two words.
        namespaces: First words of commands that are named by two.
        alone: Commands that pass if nothing follows.
        asking: Options that are answered at once, and pass.
        flags: Options that may stand before or between the words and take no value.
        valued: Those that take one.
    """

    __slots__ = ("alone", "asking", "flags", "namespaces", "valued", "words")

    def __init__(
        self,
        words: frozenset[str],
        *,
        alone: frozenset[str] = frozenset(),
        asking: frozenset[str] = _HELP,
        flags: frozenset[str] = frozenset(),
        valued: frozenset[str] = frozenset(),
    ) -> None:
        self.words, self.alone, self.asking, self.flags, self.valued = words, alone, asking, flags, valued
        self.namespaces = frozenset(word.partition(" ")[0] for word in words if " " in word)


TOOLS = {
    "uv": Tool(
        frozenset(" ".join(command) for command, way in commands.WAYS.items() if way == commands.PASS),
        alone=frozenset({"version"}),  # with arguments it may change it, and synchronize
        asking=commands.HELP_FLAGS,
        flags=commands.GLOBAL_FLAGS,
        valued=commands.GLOBAL_VALUES,
    ),
    "uvx": Tool(frozenset(), asking=commands.HELP_FLAGS),
    "poetry": Tool(
        frozenset({"about", "config", "env info", "env list", "help", "list", "run"}),
        flags=frozenset(
            {"-q", "--quiet", "-v", "-vv", "-vvv", "--ansi", "--no-ansi", "-n", "--no-interaction"}
        ),
        valued=frozenset({"-C", "--directory", "-P", "--project"}),
    ),
    "pdm": Tool(frozenset({"cache", "completion", "config"}), flags=frozenset({"-q", "--quiet", "-v"})),
    "pipx": Tool(frozenset({"completions", "ensurepath", "environment"})),
    "hatch": Tool(frozenset({"config"}), flags=frozenset({"-q", "--quiet", "-v", "--verbose"})),
}
"""Every tool that there are shims for."""
ALWAYS = ("uv", "uvx")
"""These get theirs whether they are there or not, as they may come later; the others if they are there."""
