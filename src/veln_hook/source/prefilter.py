"""Which files need no parsing, told from their bytes.

Looking a literal up in bytes is many times faster than parsing, and so is looking
at what stands around each ``import``. A file that imports nothing that matters
and has none of the tokens can't do anything that a signal holds for by itself. It
may have a part in a chain of calls; what it imports tells where that could lead,
and it is parsed if it leads to something that matters (``leading``).
"""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALWAYS = frozenset([
    "subprocess", "socket", "_socket", "urllib2", "httplib", "http.client", "urllib.request",
    "six.moves.urllib.request", "ftplib", "smtplib", "telnetlib", "paramiko", "pycurl", "xmlrpc.client",
    "xmlrpclib", "pexpect", "pty", "commands", "popen2", "marshal", "runpy", "ctypes", "winreg", "_winreg",
    "pynput", "keyboard", "pyperclip", "browser_cookie3", "win32crypt", "win32api", "win32process", "wget",
    "gdown", "dhooks", "discord_webhook", "telebot", "telegram", "websocket", "dns.resolver", "grequests",
    "cloudscraper", "tls_client", "requests_html", "requests_futures", "niquests", "hrequests", "primp",
    "httplib2", "mss", "ImageGrab", "PIL.ImageGrab", "_posixsubprocess", "posix", "nt", "cryptography.fernet",
    "Crypto.Cipher", "Cryptodome.Cipher", "pyaes", "imaplib", "poplib", "pusher", "win32clipboard",
    "sounddevice", "codeop", "zmq", "pyautogui", "discord", "imp", "distutils.spawn", "setuptools.distutils",
    "paho", "robloxpy", "browserhistory", "zipimport", "bdb", "cffi",
])  # fmt: skip
"""Modules, and names in them, that are parsed wherever they are imported."""

_REQUESTS = (
    "get", "post", "put", "request", "head", "patch", "delete", "options", "send", "Session", "session",
    "sessions", "Client", "AsyncClient", "ClientSession", "stream", "connect", "open_connection",
    "PoolManager", "ProxyManager", "HTTPSConnectionPool", "HTTPConnectionPool", "urlopen", "urlretrieve",
    "create_connection",
)  # fmt: skip
_WITH_VERBS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("requests", "httpx", "aiohttp", "urllib3", "curl_cffi"), _REQUESTS),
    **dict.fromkeys(("botocore.vendored.requests", "pip._vendor.requests", "pip._vendor.urllib3"), _REQUESTS),
    **dict.fromkeys(("botocore.vendored", "pip._vendor"), ("requests", "urllib3")),
    "botocore": ("vendored",),
    "websockets": ("connect",),
    "asyncio": ("open_connection", "create_subprocess_exec", "create_subprocess_shell"),
    "importlib": (
        "import_module", "__import__", "spec_from_file", "SourceFile", "SourcelessFile", "ExtensionFile",
    ),
    "urllib": ("urlopen", "urlretrieve", "URLopener"),
    "http": ("HTTPConnection", "HTTPSConnection"),
    "dns": ("resolver",),
    "xmlrpc": ("ServerProxy",),
    "PIL": ("ImageGrab",),
    "os": ("system", "popen", "startfile", "execl", "execv", "spawnl", "spawnv", "posix_spawn"),
    "builtins": ("exec", "eval", "getattr"),
    "ssl": ("wrap_socket",),
    "pip": ("main", "_internal", "_vendor"),
    "code": ("InteractiveInterpreter", "InteractiveConsole"),
    "timeit": ("timeit",),
    "pdb": ("run",),
    "cProfile": ("run",),
    "profile": ("run",),
    "numexpr": ("evaluate",),
    "cv2": ("VideoCapture",),
}  # fmt: skip
"""Modules that matter only where what is taken out of them begins so."""
_BUILTINS = frozenset(("exec", "eval", "compile", "__import__", "getattr"))
_HARMLESS = ("Error", "Exception", "Timeout", "timeout", "error", "gaierror", "Warning", "HTTPMessage")
"""How names end that can do nothing, of modules that can."""

TOKENS = tuple(
    token.encode()
    for token in (
        "__import__", "__builtins__", "globals()[", "locals()[", "vars()[", "sitecustomize", "usercustomize",
        ".pth", "pyarm{}".format("or"), "id_rsa", "wallet.dat", "Login Data", "leveldb", "authorized_keys",
        "crontab",
    )
)  # fmt: skip
"""Literals, each of them in the source of something that needs no import of its own."""
_EXECUTES = tuple(
    # The literal first, for which is searched fast; then that it is no part of another name.
    re.compile(
        rb"%(name)b(?<![\w.'\"`]%(name)b)(?=[ \t]*(?:[(),\]};:#.\r\n\\]|$|(?:if|or|and|for|in)\b))"
        % {b"name": name}
    )
    for name in (b"exec", b"eval")
)
_RESOLVES = re.compile(rb"\.modules(?!\[__name__\])(?:\[|\.get|\.pop|[ \t]*[\n;,)])")
"""What takes a module out of ``sys.modules``, or passes that on."""
_MAKES = re.compile(
    rb"(?:FunctionType|CodeType|LambdaType)[ \t]*\(|=[ \t]*(?:\w+\.)?(?:Function|Code|Lambda)Type\b"
)
"""What makes functions of code, or has another name for that."""
_PICKLED = (b"pickle.loads(b", b"loads(base64", b"loads(b64", b"loads(zlib", b"loads(bytes")
_BEFORE = (b"=", b"(", b",", b"[", b":", b"{")
_BLANKS = 20
"""Bytes before a name that are looked at."""
_EXACT = 4
"""Characters up to which a name has to be the whole name."""

_PARTS = tuple(
    token.encode()
    for token in (
        "fromhex", "rot13", "chr(", ".ssh", ".aws", ".netrc", ".pypirc", ".npmrc", ".kube", ".docker",
        ".gnupg",
    )
)  # fmt: skip
"""Literals of what matters together with something elsewhere: of secrets, of decoding."""
_PARTS_OF: dict[str, tuple[bytes, ...]] = {
    "os": (b"environ", b"getenv", b"getlogin", b"uname", b"expanduser"),
    "posix": (b"environ",),
    "pathlib": (b".home", b"expanduser"),
    "socket": (b"gethostname", b"getfqdn", b"gethostbyname"),
    "getpass": (b"getuser",),
    "platform": (b"node", b"uname", b"platform"),
    "uuid": (b"getnode",),
    "codecs": (b"decode",),
    "pickle": (b"loads",),
    **dict.fromkeys(
        ("base64", "binascii", "zlib", "gzip", "bz2", "lzma"), (b"decode", b"decomp", b"hex", b"a2b")
    ),
}
"""The same, of modules."""

STANDARD = frozenset(getattr(sys, "stdlib_module_names", ())) | frozenset([
    "abc", "collections", "contextlib", "dataclasses", "enum", "functools", "itertools", "json", "logging",
    "os", "re", "sys", "typing", "warnings",
])  # fmt: skip
_FROM = re.compile(rb"from[ \t]+([\w.]+)[ \t\\\r\n]+\Z")
_NAME = re.compile(rb"[\w.]+")
_COMMENT = re.compile(rb"#[^\n]*")
_LINE = 400
_LIST = 20_000
"""Bytes of an import statement that are looked at, on one line and in parentheses."""


class Import(NamedTuple):
    """What one import statement names."""

    module: str
    name: str
    """Empty for ``import module``, ``*`` for all."""
    bound: str
    """Under which name it is known here."""


def imports_of(data: bytes) -> list[Import]:
    """Return what a file imports, wherever the statement stands; a guess, since nothing is parsed."""
    found: list[Import] = []
    place = data.find(b"import")
    while place >= 0:
        if data[place + 6 : place + 7] in (b" ", b"\t", b"(", b"\\", b"*"):
            before = _FROM.search(data, max(0, place - 200), place)
            base = before.group(1).decode("ascii", "replace") if before else ""
            found += _names(base, _statement(data, place + 6))
        place = data.find(b"import", place + 6)
    return found


def _statement(data: bytes, place: int) -> bytes:
    """Return what follows ``import``, to the end of the statement."""
    rest = data[place : place + _LINE]
    if b"(" in rest[:3]:
        return _COMMENT.sub(b"", data[place : place + _LIST].partition(b")")[0].replace(b"(", b"", 1))
    first = rest.partition(b"\n")[0]
    return _COMMENT.sub(b"", rest if b"\\" in first else first.partition(b";")[0])


def _names(base: str, statement: bytes) -> list[Import]:
    found = []
    for part in statement.split(b","):
        words = part.replace(b"\\", b" ").split()
        if not words:
            continue
        if words[0] == b"*" and base:
            found.append(Import(base, "*", "*"))
        elif _NAME.fullmatch(words[0]):
            name = words[0].decode("ascii", "replace")
            renamed = len(words) > 2 and words[1] == b"as"  # noqa: PLR2004 - name, as, other name
            bound = words[2].decode("ascii", "replace") if renamed else name
            found.append(Import(base or name, name if base else "", bound))
    return found


def is_interesting(data: bytes, imports: list[Import]) -> bool:
    """Tell whether a file of Python source needs parsing.

    Args:
        data: Its bytes.
        imports: What it imports.
    """
    return (
        any(token in data for token in TOKENS)
        or any(pattern.search(data) for pattern in _EXECUTES)
        or any(_matters(data, *each) for each in set(imports))
        or (any(each.module == "operator" for each in imports) and _names_attributes(data, imports))
    )


def may_use(data: bytes, dotted: str, bound: str) -> bool:
    """Tell whether a file may use something that matters, which it has from elsewhere.

    Args:
        data: Its bytes.
        dotted: What it is: a module, or something of one.
        bound: Under which name it is known here.
    """
    module, _, name = dotted.replace("()", "").rpartition(".")
    if not module and name in _BUILTINS:
        return True
    return _matters(data, module, name, bound) if module else _matters(data, name, "", bound)


def has_parts(data: bytes, imports: list[Import]) -> bool:
    """Tell whether a file may do part of something that matters: read secrets, decode.

    Args:
        data: Its bytes.
        imports: What it imports.
    """
    modules = {each.module.partition(".")[0] for each in imports}
    return any(has_part_of(data, module) for module in modules) or any(token in data for token in _PARTS)


def has_part_of(data: bytes, dotted: str) -> bool:
    """Tell whether a file may use a module, or something of it, to read secrets or to decode."""
    return any(token in data for token in _PARTS_OF.get(dotted.partition(".")[0], ()))


def leads_of(imports: list[Import]) -> list[str]:
    """Return what a file may call elsewhere, whatever it does: dotted names, ``name.*`` for all of a module.

    Args:
        imports: What it imports.
    """
    found: dict[str, None] = {}
    for each in imports:
        if each.module.partition(".")[0] in STANDARD:
            continue
        if each.name and each.name != "*":
            found[dotted(each)] = None
        elif each.name:
            found[f"{each.module}{'' if each.module.endswith('.') else '.'}*"] = None
        else:  # 'import a.b' binds a
            top = each.module if each.bound != each.module else each.module.partition(".")[0]
            found[f"{top}.*"] = None
    return list(found)


def dotted(each: Import) -> str:
    """Return the dotted name of what an import names."""
    if not each.name or each.name == "*":
        return each.module
    return f"{each.module}{'' if each.module.endswith('.') else '.'}{each.name}"


def _matters(data: bytes, module: str, name: str, bound: str) -> bool:  # noqa: PLR0911 - the cheapest first
    whole = f"{module}.{name}" if name else module
    top = module.partition(".")[0]
    if name.endswith(_HARMLESS) or whole.endswith(".exceptions") or module.endswith(".exceptions"):
        return False
    if any(each in _ALWAYS for each in _ancestors(whole)):
        return True
    if top == "sys":
        return name in ("modules", "*") or _RESOLVES.search(data) is not None
    if top in ("pickle", "_pickle", "dill", "cloudpickle"):
        return any(token in data for token in _PICKLED)
    if top == "types":
        return (
            (b"Type" in data and _MAKES.search(data) is not None)
            or (name.endswith("Type") and bound != name)
            or (not name and _is_passed_on(data, bound))
        )
    verbs = _WITH_VERBS.get(module) or _WITH_VERBS.get(top)
    if verbs is None:
        return False
    return (
        name == "*"
        or any(name == verb or (len(verb) > _EXACT and name.startswith(verb)) for verb in verbs)
        or any(_is_taken(data, verb) for verb in verbs)
        or _is_passed_on(data, bound)
    )


def _ancestors(dotted: str) -> Iterator[str]:
    """Yield a dotted name, the module that it is in, and that one's packages."""
    while dotted:
        yield dotted
        dotted = dotted.rpartition(".")[0]


def _is_taken(data: bytes, verb: str) -> bool:
    """Tell whether an attribute is taken out of something whose name begins so."""
    token = b"." + verb.encode()
    if verb == "system":  # the platform's is asked for by half of all code
        return data.count(token) > data.count(b"platform.system")
    return token in data


def _is_passed_on(data: bytes, bound: str) -> bool:
    """Tell whether a module is put where attributes may be taken out of it by their names.

    That is a guess at what stands before and behind its own name.
    """
    if b"getattr" not in data and b"__dict__" not in data and b"vars(" not in data:
        return False
    return any(
        data[max(0, match.start() - _BLANKS) : match.start()].rstrip(b" \t")[-1:] in _BEFORE
        for match in _alone(bound).finditer(data)
    )


@lru_cache(maxsize=500)
def _alone(name: str) -> re.Pattern[bytes]:
    """Return what finds a name that ends an expression."""
    return re.compile(rb"%b(?=[ \t]*(?:[,)\]};#\r\n]|$))" % re.escape(name.encode()))


def _names_attributes(data: bytes, imports: list[Import]) -> bool:
    """Tell whether a file may name attributes by strings, of modules that matter."""
    return (b"attrgetter" in data or b"methodcaller" in data) and any(
        each.module.partition(".")[0] in _WITH_VERBS for each in imports
    )
