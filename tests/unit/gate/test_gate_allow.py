"""Hosts in one spelling, and the list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veln_hook.errors import UsageError
from veln_hook.gate.allow import INDEX_HOSTS, Allowlist, Rules
from veln_hook.gate.hosts import (
    Target,
    host_field,
    hosts_of,
    is_address,
    origin_of,
    read_authority,
    read_host,
    read_http_url,
    read_url,
)
from veln_hook.gate.refusing import RefusedError
from veln_hook.policy.values import InvalidValueError
from veln_hook.policy.values import host as policy_host

PORTS = (80, 443)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("example.org", "example.org"),
        ("EXAMPLE.org.", "example.org"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("_sip.example.org", "_sip.example.org"),
        ("a", "a"),
        ("1.example", "1.example"),
        ("192.0.2.7", "192.0.2.7"),
        ("[2001:DB8:0::7]", "2001:db8::7"),
        ("[::ffff:192.0.2.7]", None),
        ("0x.example", "0x.example"),
        ("example.0x", ValueError),
        ("example.1", ValueError),
        ("1.2.3", ValueError),
        ("192.0.2.7.", ValueError),
        ("192.0.2.07", ValueError),
        ("192.0.2.256", ValueError),
        ("2001:db8::7", ValueError),
        ("[192.0.2.7]", ValueError),
        ("[2001:db8::7%eth0]", ValueError),
        ("", ValueError),
        (".", ValueError),
        ("a..b", ValueError),
        ("-a.example", ValueError),
        ("a-.example", ValueError),
        ("a b", ValueError),
        ("bücher.example", ValueError),
        ("\u212a.example", ValueError),  # KELVIN SIGN, whose lower case is k
        ("a\n", ValueError),
        ("a." * 127 + "a", ValueError),
    ],
)
def test_reading_hosts(text, host):
    if host is ValueError:
        with pytest.raises(ValueError, match="not a"):
            read_host(text)
    elif host is None:
        assert is_address(read_host(text))
    else:
        assert read_host(text) == host


@given(st.text(max_size=40) | st.from_regex(r"[0-9a-fx.:\[\]%@_-]{1,30}", fullmatch=True))
def test_what_is_read_is_read_the_same_again(text):
    try:
        host = read_host(text)
    except ValueError:
        return
    assert host == host.lower()
    assert host.isascii()
    assert read_host(f"[{host}]" if ":" in host else host) == host
    assert is_address(host) == (":" in host or all(part.isdigit() for part in host.split(".")))


@given(st.text(max_size=40))
def test_an_authority_is_read_or_refused(text):
    try:
        target = read_authority(text)
    except ValueError:
        return
    assert read_authority(str(target)) == target
    assert 1 <= target.port <= 65535


@pytest.mark.parametrize("port", ["", "0", "65536", "-1", "+1", " 1", "1 ", "٣", "1e2", "443443"])
def test_ports_that_are_none(port):
    with pytest.raises(ValueError, match="not a port"):
        read_authority(f"example.org:{port}", 80)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.org", (("example.org", 80), "/")),
        ("HTTP://Example.org:8080/a/../b?c#", None),
        ("http://example.org?a=/b", (("example.org", 80), "/?a=/b")),
        ("http://[2001:db8::7]/x//y?z", (("2001:db8::7", 80), "/x//y?z")),
        ("http://example.org/@evil.test", (("example.org", 80), "/@evil.test")),
        ("http://example.org@evil.test/", None),
        ("http:/example.org/", None),
        ("http://", None),
        ("https://example.org/", None),
    ],
)
def test_reading_urls(url, expected):
    if expected is None:
        with pytest.raises(ValueError, match=r"."):
            read_http_url(url)
    else:
        assert read_http_url(url) == expected


@pytest.mark.parametrize(
    ("entry", "inside", "outside"),
    [
        (
            "example.org",
            ["example.org:80", "example.org:443"],
            ["example.org:22", "a.example.org:443", "org:443"],
        ),
        ("Example.org:22", ["example.org:22"], ["example.org:443"]),
        (
            "*.example.org",
            ["a.example.org:443", "a.b.example.org:80"],
            ["example.org:443", "aexample.org:443"],
        ),
        ("*.example.org:22", ["a.example.org:22"], ["a.example.org:443"]),
        ("192.0.2.7", ["192.0.2.7:443"], ["192.0.2.8:443", "7:443"]),
        ("[2001:db8:0::7]:8080", ["[2001:db8::7]:8080"], ["[2001:db8::7]:443"]),
        ("*.2.example", ["a.2.example:80"], ["2.example:80"]),
    ],
)
def test_what_an_entry_stands_for(entry, inside, outside):
    def covered(text: str) -> bool:
        try:
            host, port = read_authority(text)
        except ValueError:
            return False
        return port in Allowlist([entry], PORTS).ports(host)

    assert [text for text in inside + outside if covered(text)] == inside


def test_no_wildcard_covers_an_address():
    allowed = Allowlist(["*.7"[:1] + ".example"], PORTS)
    assert allowed.ports("192.0.2.7") == frozenset()


@pytest.mark.parametrize(
    "entry",
    ["", "*", "*.", "**.example.org", "a.*.org", "https://example.org", "example.org/", "example.org:0", "a b",
     "example.org:99999", "*.192.0.2.7", "*.[2001:db8::7]", "192.0.2.256", "1.2", "[::ffff:192.0.2.7]", "2001:db8::7",
     "user@example.org", "exa\x1bmple.org"],
)  # fmt: skip
def test_entries_that_are_none_name_themselves(entry):
    with pytest.raises(UsageError, match=r"can't be allowed") as error:
        Rules(["example.org", entry], ports=PORTS)
    assert str(error.value).isprintable()
    assert "files.example.org" in error.value.advice


def test_what_cannot_be_an_index_host_is_an_error():
    with pytest.raises(UsageError, match="host of an index"):
        Rules([], ports=PORTS, index_hosts=["https://pypi.org/simple/"])


@given(st.from_regex(r"(\*\.)?[a-z0-9.-]{1,20}(:[0-9]{1,5})?", fullmatch=True))
def test_what_the_gate_takes_the_policy_takes(entry):
    try:
        Rules([entry], ports=PORTS)
    except UsageError:
        return
    if entry.rstrip("0123456789").rstrip(":").endswith("."):  # the final dot of a full name
        return
    try:
        assert policy_host(entry) == entry
    except InvalidValueError:
        raise AssertionError(entry) from None


def refusal(rules: Rules, host: str, port: int | None) -> RefusedError:
    with pytest.raises(RefusedError) as error:
        rules.check(host, port)
    return error.value


def test_rules():
    rules = Rules(["example.org", "pypi.org", "*.pythonhosted.org", "db.test:5432"], ports=PORTS)
    rules.check("example.org", 443)
    rules.check("example.org", None)
    rules.check("db.test", None)
    for host in (*INDEX_HOSTS, "evil.test"):
        for port in (443, None):
            refused = refusal(rules, host, port)
            assert (refused.host, refused.port) == (host, port)
    assert "package index" in str(refusal(rules, "pypi.org", 443))
    assert "--allow evil.test would" in str(refusal(rules, "evil.test", 443))
    assert "--allow evil.test would" in str(refusal(rules, "evil.test", None))
    assert "--allow evil.test:22 would" in str(refusal(rules, "evil.test", 22))
    assert "--allow [2001:db8::7]:22 would" in str(refusal(rules, "2001:db8::7", 22))
    assert "--allow db.test would" in str(refusal(rules, "db.test", 443))


def test_what_a_refusal_says_to_allow_allows_it():
    for host, port in (("evil.test", 443), ("evil.test", 22), ("192.0.2.7", 443), ("2001:db8::7", 22)):
        entry = str(refusal(Rules([], ports=PORTS), host, port)).partition("--allow ")[2].split()[0]
        Rules([entry], ports=PORTS).check(host, port)


def test_private_allows_nothing_by_itself():
    rules = Rules(["a.test"], ports=PORTS, private=["b.test", "a.test:80"])
    refusal(rules, "b.test", 443)
    assert rules.may_be_private("a.test", 80)
    assert not rules.may_be_private("a.test", 443)
    assert rules.may_be_private("10.0.0.1", 443)
    assert str(Target("2001:db8::7", 80)) == "[2001:db8::7]:80"


@pytest.mark.parametrize(
    "text, told",
    [
        ("https://a.org/b?c#d", "https://a.org/b?c"),
        ("HTTPS://A.org:443", "https://a.org/"),
        ("https://a.org:80/", "https://a.org:80/"),
        ("http://a.org:80/", "http://a.org/"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
        ("http://127.0.0.1?x", "http://127.0.0.1/?x"),
    ],
)
def test_a_url_has_one_spelling(text, told):
    url = read_url(text)
    assert str(url) == told
    assert told.startswith(origin_of(url.target, secure=url.secure))
    assert host_field(url.target, secure=url.secure) == told.split("/")[2].partition("?")[0]


@pytest.mark.parametrize(
    "text", ["", "a.org", "//a.org", "https:a.org", "https://u@a.org/", "file:///etc/passwd", "https://"]
)
def test_what_is_no_url_is_an_error(text):
    with pytest.raises(ValueError, match="not "):
        read_url(text)


def test_a_scheme_has_to_be_the_one_that_is_wanted():
    assert read_http_url("https://a.org/x", "https") == (Target("a.org", 443), "/x")
    for text, scheme in (("http://a.org/", "https"), ("https://a.org/", "http")):
        with pytest.raises(ValueError, match="URL"):
            read_http_url(text, scheme)


def test_the_hosts_of_indexes_can_be_told_whatever_else_their_urls_have():
    urls = [
        "https://u:secret@A.org./simple/",
        "http://[::1]:8080/simple/",
        "https://10.0.0.7/",
        "file:///x",
        "https://[",
        "https://0x7f.1/",
    ]
    hosts = hosts_of(urls)
    assert hosts == {"a.org", "[::1]", "10.0.0.7"}
    rules = Rules(["a.org", "[::1]"], ports=[443], index_hosts=hosts)
    for host in ("a.org", "::1", "10.0.0.7"):
        with pytest.raises(RefusedError, match="is a package index"):
            rules.check(host, 443)
