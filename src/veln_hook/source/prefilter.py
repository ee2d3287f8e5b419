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
from typing import NamedTuple

_ALWAYS = frozenset([
    "subprocess", "socket", "_socket", "urllib2", "httplib", "http.client", "urllib.request",
    "six.moves.urllib.request", "ftplib", "smtplib", "telnetlib", "paramiko", "pycurl", "xmlrpc.client",
    "xmlrpclib", "pexpect", "pty", "commands", "popen2", "marshal", "runpy", "ctypes", "winreg", "_winreg",
    "pynput", "keyboard", "pyperclip", "browser_cookie3", "win32crypt", "win32api", "win32process", "wget",
    "gdown", "dhooks", "discord_webhook", "telebot", "telegram", "websocket", "dns.resolver", "grequests",
    "cloudscraper", "tls_client", "requests_html", "niquests", "httplib2", "mss", "ImageGrab",
    "PIL.ImageGrab", "_posixsubprocess", "posix", "nt", "cryptography.fernet", "Crypto.Cipher",
    "Cryptodome.Cipher", "pyaes", "imaplib", "poplib", "pusher", "cv2.VideoCapture", "win32clipboard",
    "sounddevice", "codeop", "zmq", "pyautogui", "discord", "imp",
])  # fmt: skip
"""Modules, and names in them, that are parsed wherever they are imported."""

_VERBS = tuple(
    f".{verb}(".encode()
    for verb in (
        "get", "post", "put", "request", "head", "patch", "delete", "Session", "session", "Client",
        "AsyncClient", "ClientSession", "stream", "connect", "open_connection", "PoolManager",
        "HTTPSConnectionPool", "HTTPConnectionPool", "urlopen", "urlretrieve", "create_connection",
    )
)  # fmt: skip
_WITH_VERBS: dict[str, tuple[bytes, ...]] = {
    "requests": _VERBS,
    "httpx": _VERBS,
    "aiohttp": _VERBS,
    "urllib3": _VERBS,
    "curl_cffi": _VERBS,
    "botocore.vendored": _VERBS,
    "websockets": (b"websockets.connect",),
    "asyncio": (b"open_connection", b"create_subprocess"),
    "importlib": (b"import_module", b"__import__", b"spec_from_file_location", b"SourceFileLoader"),
    "builtins": (b"getattr", b"exec", b"eval", b"__import__"),
    "urllib": (b"urlopen", b"urlretrieve", b"URLopener"),
    "os": (b"os.system", b"os.popen", b"os.exec", b"os.spawn", b"startfile", b"posix_spawn"),
    "pip": (b"pip.main", b"import main", b"_internal"),
    "sys": (b"sys.modules[",),
    "types": (b"FunctionType(", b"CodeType("),
    "code": (b"InteractiveInterpreter", b"InteractiveConsole"),
    "operator": (b"attrgetter", b"methodcaller"),
    "pickle": (b"pickle.loads(b", b"loads(base64", b"loads(b64", b"loads(zlib", b"loads(bytes"),
}
"""Modules that matter only where one of these stands, too; all of them have honest uses without."""
_TAKEN = frozenset([
    "get", "post", "put", "request", "stream", "Session", "Client", "AsyncClient", "ClientSession",
    "PoolManager", "urlopen", "urlretrieve", "system", "popen", "execv", "execvp", "execve", "execl",
    "spawnv", "spawnl", "startfile", "posix_spawn", "main", "connect",
])  # fmt: skip
"""Names that are verbs by themselves, once they are taken out of such a module."""
_OFTEN_RENAMED = frozenset(("asyncio", "builtins", "types", "sys", "os", "operator", "pickle"))
"""Modules that honest code renames, too."""

TOKENS = tuple(
    token.encode()
    for token in (
        "exec(", "exec (", "eval(", "eval (", "= exec", "= eval", "__import__", "__builtins__", "globals()[",
        "sitecustomize", "usercustomize", ".pth'", '.pth"', "pyarm{}".format("or"),
        "id_rsa", "wallet.dat", "Login Data",
        "leveldb", "authorized_keys", "crontab", "SourceFileLoader", "spec_from_file",
    )
)  # fmt: skip
"""Literals, each of them in the source of something that needs no import of its own."""

PARTS = tuple(
    token.encode()
    for token in (
        "environ", "getenv", "gethostname", "getuser", "getlogin", "uname", "platform.node", "getnode",
        "expanduser", "Path.home", "b64decode", "b32decode", "b85decode", "a85decode", "unhexlify", "fromhex",
        "a2b_", "decompress", "codecs", "rot13", "chr(", "loads(", ".ssh", ".aws", ".netrc", ".pypirc",
        ".npmrc", ".kube", ".docker", ".gnupg",
    )
)  # fmt: skip
"""Literals of what matters together with something elsewhere: of reading secrets, of decoding."""

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
    return any(token in data for token in TOKENS) or any(_matters(data, *each) for each in set(imports))


def has_parts(data: bytes) -> bool:
    """Tell whether a file may do part of something that matters: read secrets, decode.

    Args:
        data: Its bytes.
    """
    return any(token in data for token in PARTS)


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


def _matters(data: bytes, module: str, name: str, bound: str) -> bool:
    whole = f"{module}.{name}" if name else module
    top = module.partition(".")[0]
    if whole in _ALWAYS or module in _ALWAYS or top in _ALWAYS:
        return True
    tokens = _WITH_VERBS.get(whole) or _WITH_VERBS.get(module) or _WITH_VERBS.get(top)
    if tokens is None:
        return False
    # Another name for it, or a name taken out of it, hides the verb.
    return (
        name in _TAKEN
        or (not name and bound != module and top not in _OFTEN_RENAMED)
        or any(token in data for token in tokens)
        or f"getattr({top}".encode() in data
    )
