"""Which files need no parsing, told from their code.

Looking a literal up in bytes is many times faster than parsing, and so is looking
at what stands around each ``import``. A file that imports nothing that matters
and has none of the tokens can't do anything that a signal holds for by itself. It
may have a part in a chain of calls; what it imports tells where that could lead,
and it is parsed if it leads to something that matters (``leading``).

Two things can be done with a module: something is taken out of it, or it is put somewhere as it is. Both
are looked for in code without strings and comments (``lexing``), however they are spaced.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from veln_hook.source import libraries
from veln_hook.source.combined import does_something
from veln_hook.source.given import known_as
from veln_hook.source.imports import is_put_somewhere, uses_of

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    "paho", "robloxpy", "pydoc", "browserhistory", "zipimport", "bdb", "cffi",
    *libraries.COMMANDS, "ensurepip", "_winapi", "nntplib", "trace", "urllib.robotparser",
])  # fmt: skip
"""Modules, and names in them, that are parsed wherever they are imported."""

_REQUESTS = (
    "get", "post", "put", "request", "head", "patch", "delete", "options", "send", "Session", "session",
    "sessions", "api", "_api", "_client", "requests", "Client", "AsyncClient", "ClientSession", "stream",
    "connect", "open_connection", "PoolManager", "ProxyManager", "HTTPSConnectionPool", "HTTPConnectionPool",
    "urlopen", "urlretrieve", "create_connection", "connectionpool", "connection_from_url", "proxy_from_url",
)  # fmt: skip
_WITH_VERBS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("requests", "httpx", "aiohttp", "urllib3", "curl_cffi"), _REQUESTS),
    **dict.fromkeys(("botocore.vendored.requests", "pip._vendor.requests", "pip._vendor.urllib3"), _REQUESTS),
    **dict.fromkeys(("botocore.vendored", "pip._vendor"), ("requests", "urllib3")),
    "botocore": ("vendored",),
    "websockets": ("connect", "sync", "client", "asyncio", "legacy"),
    "multiprocessing": ("connection", "managers", "Client", "BaseManager", "SyncManager"),
    "logging": (
        "HTTPHandler", "SocketHandler", "DatagramHandler", "SMTPHandler", "SysLogHandler", "dictConfig",
        "fileConfig", "handlers",
    ),
    "site": ("addsitedir", "addpackage", "addsitepackages", "main"),
    "sqlite3": ("load_extension", "enable_load_extension"),
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
    "code": ("InteractiveInterpreter", "InteractiveConsole", "interact"),
    "timeit": ("timeit", "repeat", "Timer", "main"),
    "pdb": ("run", "runeval", "runctx", "Pdb"),
    "cProfile": ("run", "runctx", "Profile"),
    "profile": ("run", "runctx", "Profile"),
    "numexpr": ("evaluate",),
    "openai": ("base_url", "api_base"),
    "crontab": ("CronTab",),
    "torch": ("load", "hub"),
    "stripe": ("api_base",),
    "cv2": ("VideoCapture",),
    "xml": ("sax",),
    **dict.fromkeys(("pickle", "_pickle", "dill", "cloudpickle"), ("load", "loads", "Unpickler", "_load")),
}  # fmt: skip
"""Modules that matter only where what is taken out of them begins so."""
for _library, _names in libraries.NAMES.items():
    _WITH_VERBS[_library] = (*_WITH_VERBS.get(_library, ()), *_names)
_BUILTINS = frozenset(("exec", "eval", "compile", "__import__", "getattr"))
_HARMLESS = ("Error", "Exception", "Timeout", "timeout", "error", "gaierror", "Warning", "HTTPMessage")
"""How names end that can do nothing, of modules that can."""

_TOKENS = tuple(
    (token.strip(".").partition(" ")[0].encode(), token.encode())
    for token in (
        "sitecustomize", "usercustomize", ".pth", "pyarm{}".format("or"), "Start Menu", ".bashrc", ".zshrc",
        "LaunchAgents", "autostart", "__import__", "__builtins__", "__globals__", "__subclasses__",
    )
)  # fmt: skip
"""Texts, each of them in the source of something that needs no import of its own; a word of each first."""
_WORDS = tuple(
    token.encode()
    for token in (
        "ForwardRef", "__loader__", "f_builtins",
        "f_globals", "get_objects", "load_module", "resolve_name", "_importer", "import_string", "safeimport",
        "co_code", "trust_remote_code", "subprocess_shell", "subprocess_exec", "load_extension",
        "create_datagram_endpoint",
    )
)  # fmt: skip
"""Names by which the interpreter gives what nobody imported, or makes code."""
_PATTERNS = tuple(
    # A word that what is found has in it; then the literal first, for which is searched fast.
    (word, re.compile(pattern))
    for word, pattern in (
        *(
            (
                name,
                rb"%(name)b(?<![\w.`]%(name)b)(?<!def %(name)b)(?![\w`])(?![ \t]*=[^=])" % {b"name": name},
            )
            for name in (b"exec", b"eval", b"compile")
        ),
        # All names of a module, one of which is taken by a text, or which get another name.
        *(
            (
                name,
                rb"%(name)b(?<![\w.`]%(name)b)(?:[ \t\n]*\([ \t\n]*\)[ \t\n]*"
                rb"(?:\[|\.[ \t\n]*(?:get|pop|setdefault|__getitem__|values|items|copy)|[;\n])"
                rb"|[ \t]*[;,\n)\]])" % {b"name": name},
            )
            for name in (b"globals", b"locals", b"vars")
        ),
        # Modules that other modules have for themselves: 'shutil.os'.
        (b"", rb"\.[ \t\n]*_{0,2}(?:os|subprocess|builtins)(?![\w`])"),
        # Of a builtin function, the module of all of them.
        (b"__self__", rb"__self__[ \t\n]*[.)\],]"),
        (
            b"__getattribute__",
            (
                rb"__getattribute__(?<!def __getattribute__)(?<!super\(\)\.__getattribute__)"
                rb"(?![ \t]*\([ \t]*self\b)"
            ),
        ),
        (b"_resolve", rb"config[ \t\n]*\.[ \t\n]*_resolve(?![\w`])"),
        # Where modules are looked for.
        (b"path", rb"\.[ \t\n]*path[ \t\n]*\.[ \t\n]*(?:insert|append|extend)(?![\w`])"),
        (b"__code__", rb"__code__(?![ \t]*\.[ \t]*co_)"),
        # Texts in annotations that no annotation brought there.
        (
            b"__annotations__",
            rb"__annotations__(?:`|[ \t]*=[^=]|[ \t]*\[[^\]\n]*\][ \t]*=[^=]|\.(?:update|setdefault)\b)",
        ),
    )
)
_COLON_TEXT = re.compile(rb":[ \t]*``")
_QUOTED = re.compile(rb"^[ \t]*[A-Za-z_]\w*[ \t]*:[ \t]*[rRuU]?[\"'][^\"'\n]*\(", re.MULTILINE)
"""An annotation that is a text and calls something: what reads it may run it."""
_RESOLVES = re.compile(
    rb"\.(?<!in sys\.)[ \t\n]*modules(?![\w`])(?![ \t\n]*\[[ \t]*__name__[ \t]*\])"
    rb"|\.(?<=in sys\.)[ \t\n]*modules[ \t\n]*[.\[]"
)
"""What takes a module out of ``sys.modules``, or passes that on."""
_CODE = (b"FunctionType", b"CodeType", b"LambdaType")
_MAKES = re.compile(
    rb"(?:FunctionType|CodeType|LambdaType)(?![\w`])"
    rb"(?:[ \t\n)]*\(|[ \t\n]*\][ \t\n]*\[|[ \t]+(?:if|else|or|and)\b)"
    rb"|(?:=|\bor|\band|\belse|\breturn)[ \t]*(?:\w+\.)?(?:Function|Code|Lambda)Type(?![\w`])"
)
"""What makes functions of code, or has another name for that."""
_BY_LITERAL = re.compile(
    rb"(?:get|has|set|del)attr(?<![\w.`]...attr)[ \t\n]*\([ \t\n]*([\w.]+)[ \t\n]*,[ \t\n]*`(\w+)`"
    rb"(?=[ \t\n]*[,)])"
)
_EXACT = 4
"""Characters up to which a name has to be the whole name."""


def is_interesting(data: bytes, code: bytes, imports: list[Import]) -> bool:
    """Tell whether a file of Python source needs parsing.

    Args:
        data: Its bytes, as ``encodings.readable`` gives them.
        code: The same without strings and comments, as ``lexing.code_of`` does.
        imports: What it imports.
    """
    # Each word once: what none of them has in it need not be looked for in the whole.
    present = set(data.translate(_WORD_BYTES).split())
    words = b" ".join(present)
    if any(word in words and token in data for word, token in _TOKENS):
        return True
    if any(word in words and word in code for word in _WORDS):
        return True
    if _COLON_TEXT.search(code) is not None and _QUOTED.search(data) is not None:
        return True
    code = named_attributes(code) if b"attr" in words else code
    return (
        any(word in words and pattern.search(code) for word, pattern in _PATTERNS)
        or any(_matters(code, *each) for each in set(imports))
        or (any(each.module == "operator" for each in imports) and _names_attributes(code, imports))
        or does_something(data, code, present, words, imports)
    )


_WORD_BYTES = re.sub(rb"[^\w\x80-\xff]", b" ", bytes(range(256)))
"""Makes blanks of all that is no part of a word."""


def named_attributes(code: bytes) -> bytes:
    """Return code with ``getattr(os, "name"`` as what it means: ``(os.name``."""
    return _BY_LITERAL.sub(rb"(\1.\2", code) if b"attr" in code else code


def may_use(code: bytes, dotted: str, bound: str) -> bool:
    """Tell whether a file may use something that matters, which it has from elsewhere.

    Args:
        code: Its code, as ``named_attributes`` gives it.
        dotted: What it is: a module, or something of one.
        bound: Under which name it is known here.
    """
    module, _, name = dotted.replace("()", "").rpartition(".")
    if not module and name in _BUILTINS:
        return True
    how = _how_it_matters(module or name, name if module else "")
    if how in _WITH_VERBS:  # what it is called here is not known
        verbs = _WITH_VERBS[str(how)]
        return any(_taken(verb).search(code) for verb in verbs) or is_put_somewhere(code, bound)
    return _matters(code, module or name, name if module else "", bound)


@lru_cache(maxsize=500)
def _taken(verb: str) -> re.Pattern[bytes]:
    """Return what finds an attribute whose name begins so, whatever it is taken out of."""
    # The platform's is asked for by half of all code.
    before = rb"(?<!platform\.)" if verb == "system" else b""
    return re.compile(rb"\." + before + rb"[ \t\n]*" + re.escape(verb.encode()))


def _matters(code: bytes, module: str, name: str, bound: str) -> bool:
    how = _how_it_matters(module, name)
    if isinstance(how, bool):
        return how
    top = module.partition(".")[0]
    if how == "sys":
        return _RESOLVES.search(code) is not None or (not name and is_put_somewhere(code, bound))
    if how == "types":
        return (
            (any(kind in code for kind in _CODE) and _MAKES.search(code) is not None)
            or (name.endswith("Type") and bound != name)
            or (not name and _is_passed_on(code, bound))
        )
    if module.partition(".")[0] in libraries.NAMES and any(
        _taken(verb).search(code) for verb in _WITH_VERBS[how]
    ):
        return True  # of something that was made, too: 'get_ipython().run_cell'
    if not name and bound == module:
        bound = top  # 'import a.b' binds a
    verbs = _WITH_VERBS[how]
    return any(_begins(part, verbs) for use in uses_of(code, bound) for part in use.split(".")) or (
        # Where it is put it may have another name.
        not name and any(is_put_somewhere(code, each) for each in {bound, module})
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
    if name and known_as(whole) != whole:  # 'from shutil import os'
        return _how_it_matters(known_as(whole), "")
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
    return name in ("__dict__", "__getattribute__") or any(
        name == verb or (len(verb) > _EXACT and name.startswith(verb)) for verb in verbs
    )


def _is_passed_on(code: bytes, bound: str) -> bool:
    """Tell whether a module is put where attributes may be taken out of it by their names."""
    by_name = b"getattr" in code or b"__dict__" in code or b"vars" in code
    return by_name and is_put_somewhere(code, bound)


def _names_attributes(code: bytes, imports: list[Import]) -> bool:
    """Tell whether a file may name attributes by strings, of modules that matter."""
    return (b"attrgetter" in code or b"methodcaller" in code) and any(
        each.module.partition(".")[0] in _WITH_VERBS for each in imports
    )
