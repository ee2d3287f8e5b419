"""What is set in the environment that steers everything else in this process, and each that it starts."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Callable

from veln_hook.source import commands
from veln_hook.source.values import NOTHING, Value
from veln_hook.source.vocabulary import INTERCEPT, PROTECTION, STEER, is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterable

TRAFFIC = "where requests go"
TRUST = "whom TLS trusts"
PACKAGES = "where packages come from"
LOADED = "what is loaded or started"
CHECKS = "whether installs are checked"
_ENDPOINT = r"(?:openai|anthropic|azure_openai|gemini|mistral|groq|deepseek)_(?:base_url|api_base|endpoint)"
_VARIABLES = {
    TRAFFIC: (
        "(?:https?|all|ftp|wss?)_proxy",
        _ENDPOINT,
        r"aws_endpoint_url\w*|hf_endpoint|vault_addr|docker_host",
    ),
    TRUST: (
        "requests_ca_bundle|curl_ca_bundle|aws_ca_bundle|ssl_cert_(?:file|dir)|node_extra_ca_certs|pip_cert",
        "git_ssl_(?:no_verify|cainfo)|pythonhttpsverify|node_tls_reject_unauthorized",
    ),
    PACKAGES: (
        "pip_(?:index_url|extra_index_url|find_links|trusted_host|config_file|proxy)",
        "uv_(?:index|index_url|default_index|extra_index_url|find_links|config_file|insecure_host)",
        "(?:npm_config|yarn)_registry",
    ),
    LOADED: (
        "ld_(?:preload|audit)|dyld_insert_libraries|python(?:startup|home|userbase)|bash_env|prompt_command",
        "perl5opt|rubyopt|node_options|java_tool_options|ssh_askpass",
        "git_(?:ssh(?:_command)?|askpass|external_diff|proxy_command)",
    ),
    CHECKS: (r"veln_hook\w*",),
}
"""Patterns of variables' names, by what they decide."""
_DECIDES = tuple((re.compile("|".join(names), re.IGNORECASE), what) for what, names in _VARIABLES.items())
_ATTRIBUTES = frozenset(("openai.base_url", "openai.api_base", "stripe.api_base"))
"""The same, set in a module."""
_CARRIERS = frozenset((
    "getpass.getpass", "builtins.input", "os.getenv", "os.environ.get", "os.environ.__getitem__",
    "keyring.get_password", "urllib.request.urlopen", "urllib.request.OpenerDirector.open",
    "http.client.HTTPConnection.request", "http.client.HTTPConnection.putheader",
    "http.client.HTTPConnection.send", "http.client.HTTPSConnection.request",
    "ssl.SSLSocket.send", "ssl.SSLSocket.sendall", "ssl.SSLSocket.write", "ssl.SSLObject.write",
    "requests.get", "requests.post", "requests.request", "requests.Session.send", "requests.Session.request",
    "requests.sessions.Session.send", "requests.sessions.Session.request",
    "requests.adapters.HTTPAdapter.send",
    "httpx.Client.send", "httpx.Client.request", "httpx.AsyncClient.send", "httpx.AsyncClient.request",
    "openai.OpenAI.__init__", "openai.AsyncOpenAI.__init__", "anthropic.Anthropic.__init__",
    "boto3.client", "boto3.resource", "boto3.Session", "boto3.session.Session.client",
))  # fmt: skip
"""Functions that other people's secrets go through."""
_HOST = re.compile(
    r"(?:[a-z][a-z0-9+]*://)?(?:[^/@\s]*@)?(\[[^\]]*\]|[^/\s:]+)(?::(?:\d+|\{\}))?(?:/\S*)?", re.IGNORECASE
)
_TRUSTED = ("certifi", "truststore", "pip_system_certs")


class Steering:
    """Notes what one module sets.

    Args:
        note: Notes a capability where the walk is, as ``Calls.note`` does.
    """

    def __init__(self, note: Callable[..., None]) -> None:
        self._note = note

    def variable(self, name: Value, value: Value, line: int) -> None:
        """Note that a variable of the environment is set."""
        what = steered_by(name.text)
        if what == TRAFFIC and is_own(value):
            return
        if what and not (what == TRUST and any(each in value.name for each in _TRUSTED)):
            told = what in (PACKAGES, CHECKS) or (what == TRAFFIC and _is_told(value))
            self._note(STEER, line, f"{name.text}: {what}", NOTHING, *(("told",) if told else ()))

    def variables(self, table: Iterable[tuple[str, Value]], line: int) -> None:
        """Note that several of them are set."""
        for name, value in table:
            self.variable(Value(name), value, line)

    def all_of(self, table: Value, line: int) -> None:
        """Note that the environment gets all that is in a table."""
        if isinstance(table.const, dict):
            self.variables(((str(name), Value(each)) for name, each in table.const.items()), line)

    def by_command(self, command: str, line: int) -> None:
        """Note that a command switches off what protects the machine."""
        if commands.weakens(command):
            self._note(STEER, line, f"{commands.program_of(command)}: {PROTECTION}", NOTHING, "told")

    def attribute(self, name: str, value: Value, line: int) -> None:
        """Note that an attribute of a library's module is set."""
        if name in _ATTRIBUTES and _is_told(value) and not is_own(value):
            self._note(STEER, line, f"{name}: {TRAFFIC}", NOTHING, "told")
        if name == "ssl._create_default_https_context":
            self._note(STEER, line, f"{name}: {TRUST}")
        if name in _CARRIERS and value.name[:1] == ":":
            self._note(INTERCEPT, line, name)


@lru_cache(maxsize=2_000)
def steered_by(name: str) -> str:
    """Return what a variable of the environment decides for everything; empty for all others."""
    return next((what for names, what in _DECIDES if names.fullmatch(name)), "")


def is_own(value: Value) -> bool:
    """Tell whether an address is this machine's, or none."""
    if value.const in ("", None):
        return True
    found = _HOST.fullmatch(value.text) if _is_told(value) else None
    return found is not None and is_loopback(found.group(1))


def _is_told(value: Value) -> bool:
    """Tell whether anything is known of a text."""
    return isinstance(value.const, str) or bool(value.hint)
