"""The words of one uv command: options with their values, and what they are not.

uv's parser is clap: ``--name value``, ``--name=value``, ``-n value``, ``-nvalue``, ``-n=value``, short flags
in one word, and everything after ``--`` is plain. An option that isn't known is taken for a flag, so that the
word after it counts as a plain one: whoever looks for sources in plain words then looks at one too many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Optional

from veln_hook.adapters.uv.commands import GLOBAL_VALUES, RUN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from veln_hook.adapters.uv.commands import Line

_OPTIONS = """
--annotation-style --author-from --bounds --branch --build-backend --build-constraint --build-constraints
--bump --cert --check-url --config-setting --config-settings --config-setting-package
--config-settings-package --constraint --constraints --custom-compile-command --default-index --depth
--description --editable --env-file --exclude --excludes --exclude-newer --exclude-newer-package --extra
--extra-index-url --find-links --fork-strategy --format --from --generate-shell-completion
--graalpy-mirror --group --ignore --ignore-until-fixed --index --index-strategy --index-url --install-dir
--keyring-provider --link-mode --marker --max-recursion-depth --mirror --name --no-binary
--no-binary-package --no-build-isolation-package --no-build-package --no-editable-package
--no-emit-package --no-extra --no-group --no-install-package --no-sources-package --only-binary
--only-group --optional --out-dir --output-file --output-format --output-version --override --overrides
--package --password --path --prefix --prerelease --prerelease-package --prompt --prune --publish-url
--pyodide-mirror --pypy-mirror --python --python-downloads-json-url --python-platform --python-version
--refresh-package --reinstall-package --requirement --requirements --resolution --rev --script
--service-format --service-url --tag --target --token --torch-backend --trusted-publishing --ty-version
--upgrade-group --upgrade-package --username --vcs --with --with-editable --with-executables-from
--with-requirements -C -P -b -c -d -e -f -i -m -o -p -r -t -u -w
"""
_VALUES = GLOBAL_VALUES | frozenset(_OPTIONS.split())
_FLAGS_OF = {
    ("add",): {"--editable"},
    ("init",): {"--package", "--script"},
    ("run",): {"--editable", "--script", "-m", "-s"},
    ("tool", "install"): {"--editable", "-e"},
    ("venv",): {"-c"},
}
"""Where an option that takes a value elsewhere takes none."""
_NO_BINARY = "--no-binary"


class Word(NamedTuple):
    """One option with its value, or one plain word."""

    name: str
    """``--index-url``, or ``-i`` as it was written; empty for a plain word."""
    value: Optional[str]
    """Of the option, or the plain word; ``None`` for a flag."""
    raw: tuple[str, ...]
    """As it stood on the command line."""


class Words(NamedTuple):
    """What stands before a command's program, and the program."""

    own: tuple[Word, ...]
    """uv's options, and its plain words where the command runs no program."""
    program: tuple[str, ...]
    """What a command such as ``uv run`` starts, with its arguments."""

    def values(self, *names: str) -> list[str]:
        """Return the values of options, in their order."""
        return [word.value for word in self.own if word.name in names and word.value is not None]

    def has(self, *names: str) -> bool:
        """Tell whether one of these options is there."""
        return any(word.name in names for word in self.own)

    def plain(self) -> list[str]:
        """Return uv's own words that are no options."""
        return [word.value for word in self.own if not word.name and word.value is not None]


def read(command: tuple[str, ...], words: Sequence[str], *, starts_program: bool = False) -> Words:
    """Read the words of a command.

    Args:
        command: The words that name it; empty for what stands before them.
        words: What follows it.
        starts_program: The first plain word is a program, and what follows is that program's.
    """
    own: list[Word] = []
    at = 0
    while at < len(words):
        text = words[at]
        if text == "--":
            if starts_program:
                return Words(tuple(own), tuple(words[at + 1 :]))
            own += [Word("", plain, (plain,)) for plain in words[at + 1 :]]
            break
        if not text.startswith("-") or text == "-":
            if starts_program:
                return Words(tuple(own), tuple(words[at:]))
            own.append(Word("", text, (text,)))
            at += 1
            continue
        following = words[at + 1] if at + 1 < len(words) else None
        found = list(_options(command, text, following))
        own += found
        at += 2 if found[-1].raw[-1:] == (following,) and len(found[-1].raw) > 1 else 1
    return Words(tuple(own), ())


def read_line(line: Line) -> Words:
    """Read a whole command line: options may stand before the words that name the command, too."""
    head = read((), line.head)
    rest = read(line.command, line.words, starts_program=line.way == RUN)
    return Words((*(word for word in head.own if word.name), *rest.own), rest.program)


def raw(words: Iterable[Word]) -> list[str]:
    """Return words as they stand on a command line."""
    return [text for word in words for text in word.raw]


def takes_value(command: tuple[str, ...], name: str) -> bool:
    """Tell whether an option of a command takes a value."""
    if name == _NO_BINARY:
        return command[:1] == ("pip",)
    return name in _VALUES and name not in _FLAGS_OF.get(command, ())


def _options(command: tuple[str, ...], text: str, following: str | None) -> Iterator[Word]:
    """Yield the options in one word, the last of them with its value; together they are that word and it."""
    if text.startswith("--"):
        name, equals, value = text.partition("=")
        if equals:
            yield Word(name, value, (text,))
        elif takes_value(command, name) and following is not None:
            yield Word(name, following, (text, following))
        else:
            yield Word(name, None, (text,))
        return
    letters = text[1:]
    for at, letter in enumerate(letters):
        name, rest = f"-{letter}", letters[at + 1 :]
        if not takes_value(command, name):
            yield Word(name, None, (name,) if len(letters) > 1 else (text,))
        elif rest:
            yield Word(name, rest.removeprefix("="), (f"{name}{rest}",))
            return
        elif following is not None:
            yield Word(name, following, (name, following))
            return
        else:
            yield Word(name, None, (name,))
