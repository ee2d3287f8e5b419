"""The text of a shim.

A shim is a shell script rather than a Python one: it stands before every ``uv --version`` of a prompt, and
what neither resolves nor installs must not wait for a Python to start (sh adds a millisecond, Python ten). It
also has to work, and to refuse, where the Python that it was made for is gone.

Rules of this module: it is pure, and imports next to nothing, as the hook in ``python -m uv`` uses it.
The script keeps to POSIX sh and ``-ef``, which dash, bash, ksh, zsh and busybox know.
"""

from __future__ import annotations

from veln_hook import __version__
from veln_hook.adapters.shims.passing import TOOLS

TYPE_CHECKING = False
if TYPE_CHECKING:  # as ``typing`` has it, which takes longer to import than all of this
    from collections.abc import Iterable, Iterator

    from veln_hook.adapters.shims.passing import Tool

MARK = ".veln-hook-shims"
"""A file in every directory of shims, so that a shim need not read programs to know its kind."""
MAX_DEPTH = 20
"""How many shims may have led to one another: a build in a run in a session is three, a loop has no end."""
DEPTH_VARIABLE = "VELN_HOOK_SHIM_DEPTH"
UV_VARIABLE = "VELN_HOOK_UV"
"""Tells ``veln-hook uv`` which uv is meant (``adapters.uv.finding``)."""

_TEXT = r"""#!/bin/sh
# veln-hook shim for {tool}, made by veln-hook {version}; 'veln-hook shims remove' takes it away.
tool={tool}
python={python}
package={package}
home={home}
beside={beside}
real={real}
case $0 in
*/*) home=${{0%/*}} ;;
esac

refuse() {{
    printf 'error: veln-hook: %s\n' "$1" >&2
    exit "$2"
}}

# Whether these arguments neither resolve nor install. What isn't known here doesn't pass.
passes() {{
    space=
    while [ $# -gt 0 ]; do
{cases}
    done
    return 0 # it shows its help
}}

# What is meant is the next on PATH after this shim, or else what lies in its environment.
if [ -n "$real" ]; then
    rest=
    {{ [ -f "$real" ] && [ -x "$real" ]; }} || real=
else
    case :$PATH: in
    *":$home:"*) rest=:$PATH: rest=${{rest#*":$home:"}}$beside: ;;
    *) rest=$beside:$PATH: ;;
    esac
fi
while [ -n "$rest" ]; do
    place=${{rest%%:*}} rest=${{rest#*:}}
    case $place in
    /*) ;;
    *) continue ;;
    esac
    {{ [ -f "$place/$tool" ] && [ -x "$place/$tool" ]; }} || continue
    [ -e "$place/{mark}" ] && continue
    [ "$place/$tool" -ef "$0" ] && continue
    real=$place/$tool
    break
done
[ -n "$real" ] || refuse "there is no $tool behind the shim $0" 127

{depth}=${{{depth}-}}i
case ${depth} in
{loop}*) refuse "$real leads back to the shim $0, so nothing is run. Remedy: take $real away" 78 ;;
esac
export {depth}

passes "$@" && exec "$real" "$@"

case $home in
*/veln-hook/bin) drop=${{home%/bin}} ;;
*/veln-hook/found/*) drop=${{home%/found/*}} ;;
*) drop=$home/$tool ;;
esac
[ -x "$python" ] || refuse "its Python, $python, is gone, so '$tool' doesn't run. \
Repair: 'veln-hook shims install' of another veln-hook; or, without protection: rm -r '$drop'" 78
if [ ! -r "$package/cli/__main__.py" ]; then
    mend="'$python' -m pip install --force-reinstall veln-hook"
    [ -d "${{package%/*}}/pip" ] || mend="'${{real%/*}}/uv' pip install --python '$python' --reinstall \
veln-hook"
    refuse "it is gone from $package, so '$tool' doesn't run. \
Repair: $mend; or, without protection: rm -r '$drop'" 78
fi
{command} "$@"
"""
# Isolated, so that neither variables nor the working directory choose what is imported; a user's own
# site-packages aren't looked at then, so that the place of the package is named.
_START = "import sys; sys.path.append({parent!r}); from veln_hook.cli.__main__ import main; sys.exit(main())"


def shim(tool: str, *, python: str, package: str, home: str, beside: str = "", real: str = "") -> bytes:
    """Return a shim.

    Args:
        tool: One of ``TOOLS``.
        python: The interpreter that veln-hook is installed for.
        package: The directory of its package there.
        home: The directory that the shim is for.
        beside: The directory of programs of the environment that the shim is for, if it is for one.
        real: The program that it leads to, if it isn't for the next one on ``PATH``.

    Raises:
        ValueError: A path isn't absolute, or can't stand on ``PATH``.
    """
    for path in (python, package, home, beside or "/", real or "/"):
        if not path.startswith("/") or "\n" in path:
            raise ValueError(f"{path!r} is no absolute path, or holds what no shim can")
    parent = package.rpartition("/")[0] or "/"
    text = _TEXT.format(
        tool=tool,
        version=__version__,
        python=quoted(python),
        package=quoted(package),
        home=quoted(home),
        beside=quoted(beside),
        real=quoted(real),
        cases="\n".join(_cases(TOOLS[tool])),
        mark=MARK,
        depth=DEPTH_VARIABLE,
        loop="i" * (MAX_DEPTH + 1),
        command=_command(tool, quoted(_START.format(parent=parent))),
    )
    return text.encode("utf-8", "surrogateescape")


def quoted(text: str) -> str:
    """Return a word of a shell's."""
    # shlex has the same, and takes longer to import than all of this.
    return "'" + text.replace("'", "'\"'\"'") + "'"


def _command(tool: str, start: str) -> str:
    """Return the lines that become veln-hook, up to the tool's own arguments."""
    ours = f'exec "$python" -I -c {start}'
    if tool in ("uv", "uvx"):
        # uvx does nothing but call the uv beside it, and so do we.
        return f"{UV_VARIABLE}=${{real%/*}}/uv\nexport {UV_VARIABLE}\n{ours} {tool}"
    return f'{ours} run --gate -- "$real"'


def _cases(tool: Tool) -> Iterator[str]:
    """Yield the body of the loop in ``passes``, which looks at one argument after the other."""
    first = [
        *_case(tool.words, "return 0"),
        *_case(tool.alone, '[ "$space$#" = 1 ]; return'),
        *_case(tool.namespaces, 'space="$1 "; shift; continue'),
    ]
    if first:
        yield from ("        case $space$1 in", *first, "        esac")
    yield "        case $1 in"
    yield from _case(tool.asking, "return 0")
    yield from _case(tool.flags, "shift")
    yield from _case((f"{name}=" for name in tool.valued if name.startswith("--")), "shift", more="*")
    yield from _case(tool.valued, "[ $# -gt 1 ] || return 1; shift 2")
    yield from ("        *) return 1 ;;", "        esac")


def _case(patterns: Iterable[str], then: str, *, more: str = "") -> Iterator[str]:
    """Yield one branch, or none if there is nothing to match."""
    alternatives = " | ".join(f"{quoted(pattern)}{more}" for pattern in sorted(patterns))
    if alternatives:
        yield f"        {alternatives}) {then} ;;"
