"""Which files need no parsing, told from their bytes.

Looking a literal up in bytes is many times faster than parsing, and so is looking
at what stands around each ``import``. A file that imports nothing that matters
and has none of the tokens can't do anything that a signal holds for by itself. It
may have a part in a chain of calls; what it imports tells where that could lead,
and it is parsed if it leads to something that matters (``leading``).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from veln_hook.source.imports import is_put_somewhere, uses_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from veln_hook.source.imports import Import

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
    "sessions", "api", "_api", "_client", "requests", "Client", "AsyncClient", "ClientSession", "stream",
    "connect", "open_connection", "PoolManager", "ProxyManager", "HTTPSConnectionPool", "HTTPConnectionPool",
    "urlopen", "urlretrieve", "create_connection",
)  # fmt: skip
_WITH_VERBS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("requests", "httpx", "aiohttp", "urllib3", "curl_cffi"), _REQUESTS),
    **dict.fromkeys(("botocore.vendored.requests", "pip._vendor.requests", "pip._vendor.urllib3"), _REQUESTS),
    **dict.fromkeys(("botocore.vendored", "pip._vendor"), ("requests", "urllib3")),
    "botocore": ("vendored",),
    "websockets": ("connect",),
    "asyncio": ("open_connection", "create_subprocess", "subprocess", "streams"),
    "importlib": (
        "import_module", "__import__", "spec_from_file", "SourceFile", "SourcelessFile", "ExtensionFile",
        "util", "machinery", "_bootstrap_external",
    ),
    "urllib": ("urlopen", "urlretrieve", "URLopener"),
    "http": ("HTTPConnection", "HTTPSConnection"),
    "dns": ("resolver",),
    "xmlrpc": ("ServerProxy",),
    "PIL": ("ImageGrab",),
    "os": ("system", "popen", "startfile", "execl", "execv", "spawnl", "spawnv", "posix_spawn"),
    "builtins": ("exec", "eval", "getattr"),
    "ssl": ("wrap_socket", "SSLContext", "create_default_context", "_create_"),
    "webbrowser": ("open", "open_new", "get"),
    "git": ("Repo", "Git"),
    "pygit2": ("clone_repository",),
    "dulwich": ("porcelain",),
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
        ".pth", "pyarm{}".format("or"), "Start Menu", ".bashrc", ".zshrc", "LaunchAgents", "autostart",
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
_CODE = (b"FunctionType", b"CodeType", b"LambdaType")
_MAKES = re.compile(
    rb"(?:FunctionType|CodeType|LambdaType)[ \t]*\(|=[ \t]*(?:\w+\.)?(?:Function|Code|Lambda)Type\b"
)
"""What makes functions of code, or has another name for that."""
_PICKLED = (b"pickle.loads(b", b"loads(base64", b"loads(b64", b"loads(zlib", b"loads(bytes")
_EXACT = 4
"""Characters up to which a name has to be the whole name."""

_PARTS = tuple(
    token.encode()
    for token in (
        "fromhex", "rot13", "chr(", ".ssh", ".aws", ".netrc", ".pypirc", ".npmrc", ".kube", ".docker",
        ".gnupg", "id_rsa", "id_ed25519", "wallet.dat", "Login Data", "leveldb", "authorized_keys", "crontab",
        "get_credentials",
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
    how = _how_it_matters(module or name, name if module else "")
    if how in _WITH_VERBS:  # what it is called here is not known
        return any(_is_taken(data, verb) for verb in _WITH_VERBS[str(how)])
    return _matters(data, module or name, name if module else "", bound)


def _is_taken(data: bytes, verb: str) -> bool:
    """Tell whether an attribute whose name begins so is taken out of anything."""
    token = b"." + verb.encode()
    if verb == "system":  # the platform's is asked for by half of all code
        return data.count(token) > data.count(b"platform.system")
    return token in data


def has_parts(data: bytes, imports: Iterable[str]) -> bool:
    """Tell whether a file may do part of something that matters: read secrets, decode.

    Args:
        data: Its bytes.
        imports: Dotted names that it imports.
    """
    tops = {name.partition(".")[0] for name in imports}
    return any(has_part_of(data, top) for top in tops) or any(token in data for token in _PARTS)


def has_part_of(data: bytes, dotted: str) -> bool:
    """Tell whether a file may use a module, or something of it, to read secrets or to decode."""
    return any(token in data for token in _PARTS_OF.get(dotted.partition(".")[0], ()))


def _matters(data: bytes, module: str, name: str, bound: str) -> bool:
    how = _how_it_matters(module, name)
    if isinstance(how, bool):
        return how
    if how == "sys":
        return _RESOLVES.search(data) is not None
    if how == "types":
        return (
            (any(kind in data for kind in _CODE) and _MAKES.search(data) is not None)
            or (name.endswith("Type") and bound != name)
            or (not name and _is_passed_on(data, bound))
        )
    if how == "pickle":
        return any(token in data for token in _PICKLED)
    if not name and bound == module:
        bound = module.partition(".")[0]  # 'import a.b' binds a
    verbs = _WITH_VERBS[how]
    return any(_begins(part, verbs) for use in uses_of(data, bound) for part in use.split(".")) or (
        # Where it is put it may have another name.
        not name and any(is_put_somewhere(data, each) for each in {bound, module})
    )


@lru_cache(maxsize=20_000)
def _how_it_matters(module: str, name: str) -> bool | str:  # noqa: PLR0911 - the cheapest first
    """Tell whether an import matters; or, by a module's name, what else has to stand in the file."""
    whole = f"{module}.{name}" if name else module
    top = module.partition(".")[0]
    if name.endswith(_HARMLESS) or whole.endswith(".exceptions") or module.endswith(".exceptions"):
        return False
    if any(each in _ALWAYS for each in _ancestors(whole)):
        return True
    if top == "sys":
        return name in ("modules", "*") or "sys"
    if top == "types":
        return "types"
    if top in ("pickle", "_pickle", "dill", "cloudpickle"):
        return "pickle"
    key = module if module in _WITH_VERBS else top
    verbs = _WITH_VERBS.get(key)
    if verbs is None:
        return False
    return name == "*" or _begins(name, verbs) or key


def _ancestors(dotted: str) -> Iterator[str]:
    """Yield a dotted name, the module that it is in, and that one's packages."""
    while dotted:
        yield dotted
        dotted = dotted.rpartition(".")[0]


def _begins(name: str, verbs: tuple[str, ...]) -> bool:
    return name == "__dict__" or any(
        name == verb or (len(verb) > _EXACT and name.startswith(verb)) for verb in verbs
    )


def _is_passed_on(data: bytes, bound: str) -> bool:
    """Tell whether a module is put where attributes may be taken out of it by their names."""
    by_name = b"getattr" in data or b"__dict__" in data or b"vars(" in data
    return by_name and is_put_somewhere(data, bound)


def _names_attributes(data: bytes, imports: list[Import]) -> bool:
    """Tell whether a file may name attributes by strings, of modules that matter."""
    return (b"attrgetter" in data or b"methodcaller" in data) and any(
        each.module.partition(".")[0] in _WITH_VERBS for each in imports
    )
