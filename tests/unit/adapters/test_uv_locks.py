"""What a lock names is found however it is spelled; what only looks like it does no harm."""

from __future__ import annotations

import pytest

from veln_hook.adapters.uv.locks import Named, named
from veln_hook.errors import UsageError

DIGEST = "ab" * 32

TEXTS = {
    "plain": 'source = { path = "x.whl" }',
    "literal": "source = { path = 'x.whl' }",
    "quoted key": 'source = { "path" = "x.whl" }',
    "literal key": "source = { 'path'\t=\t\"x.whl\" }",
    "escaped key": 'source = { "p\\u0061th" = "x.whl" }',
    "escaped value": 'source = { path = "\\u0078.whl" }',
    "long": 'source = { path = """x.whl""" }',
    "long literal": "source = { path = '''\nx.whl''' }",
    "dotted": 'source.path = "x.whl"',
    "table": '[source]\npath = "x.whl"',
    "behind a decoy": 'source = { x = "url=", path = "x.whl" }',
    "behind a comment": '# url = "\nsource = { path = "x.whl" }',
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_path_however_it_is_spelled(text: str) -> None:
    found = [each for each in named(text, "uv.lock") if each.key == "path"]
    assert found == [Named("path", "x.whl", "")]


@pytest.mark.parametrize("more", ["", "# \\\n"], ids=["looked through", "parsed"])
@pytest.mark.parametrize(
    "hashes", [f'hash = "sha256:{DIGEST}"', f'hashes = {{ sha256 = "{DIGEST}" }}'], ids=["uv", "PEP 751"]
)
def test_hashes(more: str, hashes: str) -> None:
    text = f'{more}wheels = [{{ url = "https://h/x.whl", {hashes} }}]\nsdist = {{ url = "https://h/y.zip" }}'
    assert list(named(text, "uv.lock")) == [
        Named("url", "https://h/x.whl", DIGEST),
        Named("url", "https://h/y.zip", ""),
    ]


def test_what_cannot_be_understood_is_refused() -> None:
    with pytest.raises(UsageError, match="can't be looked at"):
        list(named('path = "\\x"', "uv.lock"))
    with pytest.raises(UsageError, match="nested too deeply"):
        list(named("x = " + "[" * 1000 + '"\\\\"', "uv.lock"))
