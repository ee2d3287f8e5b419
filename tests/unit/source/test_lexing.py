"""Code without strings and comments, against what Python's own tokenizer finds in the same files."""

from __future__ import annotations

import ast
import io
import re
import sysconfig
import tokenize
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from veln_hook.source.encodings import readable
from veln_hook.source.lexing import code_of

_NUMBERS_AND_STRINGS = re.compile(rb"(?<![\w`])\d[\w.]*|`[^`]*`")
_NAMES = re.compile(rb"[A-Za-z_\x80-\xff][\w\x80-\xff]*")
_PREFIXES = {"b", "br", "f", "fr", "r", "rb", "rf", "t", "tr", "rt", "u"}
_LIBRARY = sorted(Path(sysconfig.get_path("stdlib")).glob("[a-h]*.py"))
_OURS = sorted((Path(__file__).parents[3] / "src" / "veln_hook").rglob("*.py"))


def _found(code: bytes) -> list[str]:
    """Return the names that code has outside of strings."""
    names = (name.decode() for name in _NAMES.findall(_NUMBERS_AND_STRINGS.sub(b" ", code)))
    return [name for name in names if name.lower() not in _PREFIXES]


def _expected(data: bytes) -> list[str] | None:
    """Return the names that the tokenizer finds outside of strings; ``None`` if it finds an error."""
    names, formatted = [], 0
    try:
        for token in tokenize.tokenize(io.BytesIO(data).readline):
            kind = tokenize.tok_name[token.type]
            # Since 3.12 it finds those in f-strings, too.
            formatted += kind.endswith("STRING_START")
            formatted -= kind.endswith("STRING_END")
            if token.type == tokenize.NAME and not formatted:
                names.append(token.string)
    except (tokenize.TokenError, SyntaxError):
        return None
    return [name for name in names if name.lower() not in _PREFIXES]


@pytest.mark.parametrize("path", [*_LIBRARY, *_OURS], ids=lambda path: path.stem)
def test_what_is_left_is_what_the_tokenizer_calls_names(path):
    data = path.read_bytes()
    code = code_of(readable(data))
    assert code is None or _found(code) == _expected(data)


def test_of_most_files_it_can_be_told():
    paths = [*_LIBRARY, *_OURS]
    unsure = [path for path in paths if code_of(readable(path.read_bytes())) is None]
    assert len(unsure) < len(paths) / 20


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 'os' # why", "x = `os` "),
        ("x = 'two words'", "x = ``"),
        ("x = 'os' 'path'", "x = `os` `path`"),
        ("x = '''a\nb'''.y", "x = ``.y"),
        ('x = """a"b""c\\""" d""" + y', "x = `` + y"),
        ("x = 'a\\'b' + y # '", "x = `` + y "),
        ("x = 'a\\\nb' + y", "x = `` + y"),
        ("x = r'\\' + y'", "x = r``"),
        ("x = y \\\n + z", "x = y   + z"),
        ("# ends \\\nx", "\nx"),
        ("f'{x} is {y!r:>{z}}'", "f` x y!r:>{z} `"),
        ("f'{{x}} {y}'", "f` y `"),
        ("f'{x}}}{{{y}'", "f` x y `"),
        ("f\"{x['a']} {y}\"", "f` x[ ] y `"),
        ("rf'{x}\\d' + F'''{\ny}'''", "rf` x ` + F`  y `"),
        ("f'\\{x}\\N{DASH}' + rf'\\{y}\\\\{{z}}'", "f` x DASH ` + rf` y `"),
        ('f"""{x["a"]} {"" if y else "b"}"""', "f` x[ ]   if y else   `"),
        ('f\'{x["}"]} {"{#"}\'', "f` x[ ]   `"),
        ('f\'{f"{x}y{z}"} {rt"{{}}"}\'', "f` f x z  rt  `"),
        ("f'''{x}\n''' + y", "f` x ` + y"),
        ("if'x'in y: z", "if`x`in y: z"),
        # Where versions of Python differ, or there is none that reads it.
        ("f'{x['a']}'", None),
        ('f\'{x:"{y["a"]}}\'', None),
        ("f'\\}{x}'", None),
        ('f\'{f"{x["a"]}"}\'', None),
        ("f'{x'", None),
        ("f'x}'", None),
        ("x = 'no end\ny", "x = 'no end\ny"),
    ],
)
def test_strings_and_comments(source, expected):
    code = code_of(source.encode())
    assert (code if code is None else code.decode()) == expected


PIECES = st.lists(
    st.sampled_from(
        [
            "a", "os", " ", "\n", "'", '"', "'''", '"""', "\\", "\\\n", "#", "{", "}", "{{", "}}", "f", "r", "rb", "u", "(", ")",
            "1", ".", "=", "+", "f'", 'f"', "rf'''", "x['", "']", ":", "!r",
        ]
    ),
    max_size=24,
)  # fmt: skip


@settings(max_examples=1_500, deadline=None)
@given(PIECES)
@example(["f'", "{", '"', "a", '"', "}", "'", " ", "os"])
@example(["'", "a", "\\", "'", "os", "'"])
def test_nothing_that_python_reads_hides_a_name(pieces):
    data = "".join(pieces).encode()
    try:
        compile(data, "<pieces>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return  # no Python reads it, so that nothing in it runs
    code = code_of(readable(data))
    expected = _expected(data)
    if code is not None and expected is not None:
        assert _found(code) == expected


FIELDS = st.lists(
    st.sampled_from(
        [
            "{", "}", "{{", "}}", "'", '"', "'"*3, '"'*3, "\\", "#", "\n", ":", "!r", "a", "b.c", "[", "]", "(", ")", " ", "=", ",",
            "f'", 'f"', "rf'", '{d["e"]}', "{g['h']}", '{"{"}', "{f'{i}'}", '{f"{j}}}"}', "\\N{DASH}", "{k:>{l}}", ':"^9}',
        ]
    ),
    max_size=12,
)  # fmt: skip


@settings(max_examples=2_000, deadline=None)
@given(st.sampled_from(["f'{}'", 'f"{}"', "f'''{}'''", 'f"""{}"""', 'rf"{}"', "fr'{}'"]), FIELDS)
@example('f"""{}"""', ['{a:"^9}', ' {b["c"]}', ' "'])
@example("f'{}'", ['{a:"^9}', ' {b} "'])
@example("rf'{}'", ["\\", "{", "a", "}"])
@example("f'{}'", ["{", 'f"{i}"', "}"])
def test_no_name_in_an_f_string_is_lost(quotes, pieces):
    data = f"x = {quotes.replace('{}', ''.join(pieces))}\n".encode()
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError):
        return
    code = code_of(readable(data))
    if code is not None:
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert names <= {name.decode() for name in _NAMES.findall(code)}
