from __future__ import annotations

import html
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veln_hook.index.html_page import HtmlPage
from veln_hook.index.limits import MAX_PAGE
from veln_hook.names import parse_filename

PAGE = "https://index.example/simple/demo/"
SHA256 = "ab" * 32


def anchor(name, *more, href=None, text=None):
    attributes = "".join(f" {each}" for each in more)
    href = f"../../packages/{name}#sha256={SHA256}" if href is None else href
    return f'<a href="{href}"{attributes}>{name if text is None else text}</a>'


def page(*lines, head="<title>Links for demo</title>"):
    body = "".join(f"{line}<br/>\n" for line in lines)
    return f"<!DOCTYPE html>\n<html>\n<head>{head}</head>\n<body>\n<h1>Links for demo</h1>\n{body}</body>\n</html>\n".encode()


def parse(body):
    return HtmlPage.parse(body if isinstance(body, bytes) else body.encode(), PAGE)


def test_an_entry_has_what_the_page_says():
    body = page(
        anchor("demo-1.0.zip"),
        anchor("demo-2.0.zip", 'data-requires-python="&gt;=3.9"', 'data-yanked="it&#39;s &lt;broken&gt;"'),
        anchor(
            "demo-3.0.zip",
            f'data-dist-info-metadata="sha256={SHA256}"',
            f'data-core-metadata="sha256={SHA256}"',
        ),
        anchor("demo-4.0.zip", 'data-core-metadata="true"', "data-yanked=''"),
        anchor("demo-5.0+x.zip", href="https://cdn.example/demo-5.0%2Bx.zip?a=1&amp;b=2#sha256=" + "AB" * 32),
    )
    one, two, three, four, five = parse(body).entries().values()
    assert one.url == "https://index.example/packages/demo-1.0.zip"
    assert (one.filename, one.sha256, one.yanked, one.has_metadata, one.flaw) == (
        "demo-1.0.zip",
        SHA256,
        False,
        False,
        "",
    )
    assert (one.upload_time, one.size) == (None, None)
    assert (two.requires_python, two.yanked) == (">=3.9", True)
    assert (three.has_metadata, three.metadata_sha256) == (True, SHA256)
    assert (four.has_metadata, four.metadata_sha256, four.yanked) == (True, "", True)
    assert (five.filename, five.url) == ("demo-5.0+x.zip", "https://cdn.example/demo-5.0%2Bx.zip?a=1&b=2")
    assert five.sha256 == SHA256
    assert parse(body).entry("demo-1.0.zip") == one
    assert parse(body).entry("demo-0.zip") is None


@pytest.mark.parametrize(
    "dropped",
    [set(), {"demo-1.0.zip"}, {"demo-2.0.zip", "demo-3.0.zip"}, {f"demo-{n}.0.zip" for n in (1, 2, 3)}],
)
def test_of_every_other_byte_none_changes(dropped):
    lines = [anchor(f"demo-{number}.0.zip", 'data-yanked="\u2026"') for number in (1, 2, 3)]
    body = page(*lines, "text \u00e9 &nbsp; > <!-- a comment -->")
    kept = ["" if any(name in line for name in dropped) else line for line in lines]
    assert parse(body).without(dropped) == page(*kept, "text \u00e9 &nbsp; > <!-- a comment -->")
    assert parse(body).is_empty_without(dropped) is (len(dropped) == 3)


def test_pages_as_indexes_write_them():
    pages = [
        "<html><body>" + anchor("demo-1.0.zip") + "</body></html>",
        "<!DOCTYPE HTML PUBLIC '-//W3C//DTD HTML 3.2 Final//EN'>\r\n<HTML>\r\n<BODY><A HREF='demo-1.0.zip'>demo</A>\r\n</BODY></HTML>",
        '<!DOCTYPE html>\n<html lang=en>\n<head><meta charset="utf-8"><style>td { color: red }</style></head>' +
        '<body><table border=0><tr><td><img src="x.png" alt="[ ]"></td><td><a href="../">Parent</a></td></tr>' +
        '<tr><td><a href="?C=N&amp;O=D">Name</a></td><td><a href="demo-1.0.zip"><code>demo</code></a></td></tr></table></body>',
        '<a href="demo-1.0.zip">demo</a><hr/><br />\n<!--SERIAL 123-->',
        '<a\n   href="demo-1.0.zip"\n   rel="internal"\n   >demo</a\n>',
        '<p>no links but one</p><a name="top"></a><a href="">x</a><a href="demo-1.0.zip" rel="x">demo</a><a href="notes.txt">y</a>',
    ]  # fmt: skip
    for text in pages:
        assert list(parse(text).entries()) == ["demo-1.0.zip"]
        assert parse(parse(text).without({"demo-1.0.zip"})).entries() == {}


def test_a_page_without_archives_has_lost_none():
    body = page(anchor("", href="../", text="up"))
    assert not parse(body).is_empty_without({"demo-1.0.zip"})
    assert parse(body).without({"demo-1.0.zip"}) == body


def test_a_base():
    head = '<base href="https://cdn.example/files/">'
    (entry,) = parse(page(anchor("demo-1.0.zip", href="x/demo-1.0.zip"), head=head)).entries().values()
    assert entry.url == "https://cdn.example/files/x/demo-1.0.zip"


@pytest.mark.parametrize(
    "text",
    [
        '<base href="https://a.example/"><base href="https://b.example/">',
        anchor("demo-1.0.zip") + '<base href="https://a.example/">',
        '<link rel="x" href="y"><base href="https://a.example/">',
        "<base>", '<base target="x">', '<base href="../x/">', '<base href="//a.example/">', '<base href="file:///x/">',
        '<base href="https://a.example/?a&amp;b">', '<base href="https://a.example">', '<base href="https://a@b.example/">',
        '<a href="demo-1.0.zip">', '<a href="demo-1.0.zip">x<a href="demo-2.0.zip">y</a></a>', "</a>", "x</a><a>y</a>",
        '<a href="demo-1.0.zip"><base href="https://a.example/"></a>', '<a href="demo-1.0.zip" />',
        '<a href="demo-1.0.zip" href="demo-2.0.zip">x</a>', '<a href="demo-1.0.zip" HREF="demo-2.0.zip">x</a>',
        '<a data-yanked xhref="demo-1.0.zip" href="demo-2.0.zip">x</a>',
        "<a href=demo-1.0.zip>x</a>", "<a href=a/demo.zip>x</a>", '<a\thref="demo-1.0.zip">x</a>', '<a\rhref="demo-1.0.zip">x</a>',
        '<a href="demo-1.0.zip"data-yanked="">x</a>', '<a href ="demo-1.0.zip">x</a>', '<a href= "demo-1.0.zip">x</a>',
        '<a/href="demo-1.0.zip">x</a>', '< a href="demo-1.0.zip">x</a>', "<a href=\"demo-1.0.zip'>x</a>", '<a href="demo-1.0.zip>x</a>',
        "<!-- <a href='demo-1.0.zip'>x</a> -->", "<!-->", "<!--->", "<!---->", "<!-- a --!> b -->", "<!-- a -- b -->", "<!--a--->", "<!--",
        "<script>document.write('<a>')</script>", "<script>", "<script>x</style></script>", "<title><b>x</b></title>", "<textarea></p></textarea>",
        "<plaintext>", "<xmp></xmp>", "<template></template>", "<noscript></noscript>", "<svg></svg>", "<iframe></iframe>",
        "<![CDATA[x]]>", "<?xml version='1.0'?>", "<!ELEMENT x>", "</ a>", "<>", "<", "a < b", "<1>", "\0", "<p title='\0'>", "</p x='y'>",
        '<a href="demo&copy-1.0.zip">x</a>', '<a href="demo-1.0.zip?a=1&copy=2">x</a>', '<a href="demo-1&period;0.zip">x</a>',
        '<a href="demo-1&#46;0.zip">x</a>', '<a href="demo-1.0.zip" data-requires-python="&#0;">x</a>',
        f'<p title="{"x" * 30_000}">',
    ],
)  # fmt: skip
def test_html_that_parsers_could_read_differently_is_refused(text):
    for body in (text, page(text).decode(), page(anchor("demo-0.zip"), text).decode()):
        with pytest.raises(ValueError):
            parse(body)


@pytest.mark.parametrize(
    "body", [b"\xff", page(anchor("demo-1.0.zip")).decode().encode("utf-16"), b" " * (MAX_PAGE + 1)]
)
def test_what_is_no_text_or_too_much_is_refused(body):
    with pytest.raises(ValueError):
        parse(body)


@pytest.mark.parametrize("filler", ['<a href="x">y</a>', "<br>", '<p a="1">' * 2, "x<!-- y -->"])
def test_a_page_of_nothing_but_tags_is_refused_soon(filler):
    with pytest.raises(ValueError, match="too much"):
        parse(filler * (16_000_000 // len(filler)))


def test_a_tag_of_nothing_but_attributes_is_refused():
    with pytest.raises(ValueError, match="plain"):
        parse("<p" + "".join(f' a{number}=""' for number in range(1000)) + ">")


@pytest.mark.parametrize(
    "line",
    [
        anchor("demo-1.0.zip", href="demo-1.0.zip/"),
        anchor("demo-1.0.zip", href="x%2Fdemo-1.0.zip"),
        anchor("demo-1.0.zip", href="x\\demo-1.0.zip"),
        anchor("demo-1.0.zip", href=" demo-1.0.zip"),
        anchor("demo-1.0.zip", href="demo-1.0.zip "),
        anchor("demo-1.0.zip", href="x\n/demo-1.0.zip"),
        anchor("demo-1.0.zip", href="demo-1.\n0.zip"),
        anchor("demo-1.0.zip", href="get?file=/demo-1.0.zip"),
        anchor("demo-1.0.zip", href="demo-1.0.zip?file=/demo-2.0.zip"),
        anchor("demo-1.0.zip", href="file:///demo-1.0.zip"),
        anchor("demo-1.0.zip", href="https://demo-1.0.zip"),
        anchor("demo-1.0.zip", href="https:///demo-1.0.zip"),
        anchor("demo-1.0.zip", href="https://x:99999999/demo-1.0.zip"),
        anchor("demo-1.0.zip", href="demo-1.0.zip#sha256=zz"),
        anchor("demo-1.0.zip", href=f"demo-1.0.zip#md5=00&amp;sha256={SHA256}"),
        anchor("demo-1.0.zip", href=f"demo-1.0.zip#sha256%3D{SHA256}"),
        anchor("demo-1.0.zip", href=f"demo-1.0.zip#sha256={SHA256}#sha256={'cd' * 32}"),
        anchor("demo-1.0.zip", 'data-core-metadata="true"', 'data-dist-info-metadata="false"'),
        anchor("demo-1.0.zip") + anchor("demo-1.0.zip", href="elsewhere/demo-1.0.zip"),
    ],
)
def test_an_anchor_with_two_meanings_is_flawed_and_can_be_cut(line):
    body = page(anchor("demo-0.zip"), line)
    found = {name: entry for name, entry in parse(body).entries().items() if entry.flaw}
    assert found
    assert list(parse(parse(body).without(found)).entries()) == ["demo-0.zip"]


@pytest.mark.parametrize(
    "fragment", ["", "#", "#md5=d41d8cd98f00b204e9800998ecf8427e", "#egg=demo-1.0", "#main"]
)
def test_other_fragments_promise_nothing(fragment):
    (entry,) = parse(anchor("demo-1.0.zip", href=f"demo-1.0.zip{fragment}")).entries().values()
    assert (entry.sha256, entry.flaw, entry.url) == ("", "", f"{PAGE}demo-1.0.zip")


class _Reader(HTMLParser):
    """What pip does with a page."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.base = None
        self.found = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "base" and self.base is None:
            self.base = values.get("href")
        elif tag == "a" and values.get("href"):
            self.found.append(values)


_pieces = st.sampled_from(
    [
        anchor("demo-1.0.zip"), anchor("demo-2.0.zip", 'data-requires-python=">=3"'), anchor("demo-3.0.zip", "data-yanked"),
        anchor("demo-4.0.zip", href="x/demo-4.0.zip?a=1&amp;b=2"), anchor("", href="../", text="up"), anchor("demo-1.0.tar.gz", href="a&b/demo-1.0.tar.gz"),
        "<a", "<a ", "</a>", "</a", ">", "<", "/>", "/", "<!--", "-->", "--", "<!", "<br>", "<br/>", "<p>", "</p>", "&amp;", "&copy", "&#x2e;", "text",
        " ", "\n", "\t", "\r", "=", '"', "'", ' href="demo-5.0.zip"', " href='demo-6.0.zip'", " href=demo-7.0.zip", ' HREF="demo-8.0.zip"', " data-yanked",
        "<title>", "</title>", "<script>", "</script>", "<style>", "</style>", "<textarea>", "</textarea>", "<!doctype html>", '<base href="https://b.example/x/">',
        '<link href="x">', "<code>", "</code>", "\u00e9",
    ]
)  # fmt: skip


@settings(max_examples=400)
@given(st.lists(_pieces, max_size=12), st.sets(st.integers(0, 8), max_size=3))
def test_what_is_read_is_what_pythons_parser_reads(pieces, dropped):
    text = "".join(pieces)
    try:
        read = parse(text)
    except ValueError:
        return
    reader = _Reader()
    reader.feed(text)
    reader.close()
    named = [unquote(urlsplit(values["href"]).path).rstrip("/").rpartition("/")[2] for values in reader.found]
    expected = [name for name in named if parse_filename(name)]
    entries = read.entries()
    assert entries.keys() == set(expected)
    for values, name in zip(reader.found, named):
        if name in entries and not entries[name].flaw:
            assert entries[name].yanked is ("data-yanked" in values)
            assert entries[name].url.startswith(
                "https://b.example/" if reader.base else "https://index.example/"
            )
    names = {f"demo-{number}.0.zip" for number in dropped}
    rest = parse(read.without(names))
    assert rest.entries().keys() == entries.keys() - names
    assert html.unescape(text).count("demo-") >= html.unescape(read.without(names).decode()).count("demo-")
