"""Which proxy an environment names, read as uv reads it."""

from __future__ import annotations

import pytest

from veln_hook.errors import UsageError
from veln_hook.gate.hosts import Target
from veln_hook.gate.proxies import Proxies

PYPI = Target("pypi.org", 443)


def found(
    environ: dict[str, str], host: str = "pypi.org", port: int = 443, *, secure: bool = True
) -> str | None:
    proxy = Proxies.from_environment(environ).find(Target(host, port), secure=secure)
    return None if proxy is None else f"{'https' if proxy.secure else 'http'}://{proxy.target}"


@pytest.mark.parametrize(
    "environ, secure, plain",
    [
        ({}, None, None),
        ({"HTTPS_PROXY": "http://a.org:1"}, "http://a.org:1", None),
        ({"https_proxy": "http://a.org:1"}, "http://a.org:1", None),
        ({"HTTPS_PROXY": "http://a.org:1", "https_proxy": "http://b.org:1"}, "http://a.org:1", None),
        ({"HTTP_PROXY": "http://a.org:1"}, None, "http://a.org:1"),
        ({"http_proxy": "http://a.org:1"}, None, "http://a.org:1"),
        ({"ALL_PROXY": "http://a.org:1"}, "http://a.org:1", "http://a.org:1"),
        (
            {"all_proxy": "http://a.org:1", "HTTPS_PROXY": "http://b.org:1"},
            "http://b.org:1",
            "http://a.org:1",
        ),
        ({"HTTPS_PROXY": ""}, None, None),
        ({"HTTPS_PROXY": "", "https_proxy": "http://a.org:1"}, None, None),
        ({"HTTPS_PROXY": "", "ALL_PROXY": "http://a.org:1"}, None, "http://a.org:1"),
        ({"HTTPS_PROXY": " a.org:3128 "}, "http://a.org:3128", None),
        ({"HTTPS_PROXY": "a.org"}, "http://a.org:80", None),
        ({"HTTPS_PROXY": "HTTP://A.org/"}, "http://a.org:80", None),
        ({"HTTPS_PROXY": "https://a.org"}, "https://a.org:443", None),
        ({"HTTPS_PROXY": "http://[::1]:3128"}, "http://[::1]:3128", None),
        ({"HTTP_PROXY": "http://a.org:1", "REQUEST_METHOD": "GET"}, None, None),
    ],
)
def test_a_variable_names_it(environ, secure, plain):
    assert found(environ) == secure
    assert found(environ, port=80, secure=False) == plain


@pytest.mark.parametrize(
    "no_proxy, host, direct",
    [
        ("*", "pypi.org", True),
        ("", "pypi.org", False),
        ("pypi.org", "pypi.org", True),
        ("PyPI.org", "pypi.org", True),
        ("pypi.org", "test.pypi.org", True),
        (".pypi.org", "test.pypi.org", True),
        (".pypi.org", "pypi.org", True),
        ("*.pypi.org", "test.pypi.org", True),
        ("ypi.org", "pypi.org", False),
        ("org.pypi", "pypi.org", False),
        ("a, b,pypi.org ,c", "pypi.org", True),
        ("pypi.org:443", "pypi.org", True),
        ("pypi.org:8443", "pypi.org", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.0/8", "127.1.2.3", True),
        ("10.0.0.0/8", "127.0.0.1", False),
        ("::1", "::1", True),
        ("[::1]", "::1", True),
        ("fe80::/10", "fe80::1", True),
        ("127.0.0.1:443", "127.0.0.1", True),
        ("localhost", "127.0.0.1", False),
        (",,", "pypi.org", False),
    ],
)
@pytest.mark.parametrize("spelling", ["NO_PROXY", "no_proxy"])
def test_no_proxy_lets_hosts_be_asked_directly(no_proxy, host, direct, spelling):
    told = found({"ALL_PROXY": "http://a.org:1", spelling: no_proxy}, host)
    assert told == (None if direct else "http://a.org:1")


def test_loopback_is_no_exception():
    # uv makes none either, so an index there could not be reached without veln-hook.
    assert found({"ALL_PROXY": "http://a.org:1"}, "127.0.0.1") == "http://a.org:1"


@pytest.mark.parametrize(
    "userinfo, authorization",
    [
        ("", None),
        ("me:word@", b"Basic bWU6d29yZA=="),
        ("me@", b"Basic bWU6"),
        ("m%65:p%40%3a@", b"Basic bWU6cEA6"),
        ("me:p@ss@", b"Basic bWU6cEBzcw=="),
    ],
)
def test_credentials_are_for_the_proxy(userinfo, authorization):
    proxy = Proxies.from_environment({"ALL_PROXY": f"http://{userinfo}a.org:1"}).find(PYPI, secure=True)
    assert proxy is not None
    assert proxy.authorization == authorization
    assert "word" not in repr(proxy)
    assert "d29yZA" not in repr(proxy)


@pytest.mark.parametrize(
    "value",
    [
        "socks5://a.org:1",
        "socks5h://u:hidden@a.org",
        "ftp://a.org",
        "http://",
        "http://a.org:x",
        "http://127.1:1",
    ],
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "all_proxy", "http_proxy"])
def test_what_cannot_be_spoken_to_is_told_by_its_variable(variable, value):
    with pytest.raises(UsageError, match=f"^{variable} names ") as error:
        Proxies.from_environment({variable: value})
    assert "hidden" not in f"{error.value} {error.value.advice}"
