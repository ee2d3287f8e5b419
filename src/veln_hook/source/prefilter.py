"""Which files need no parsing, told from their bytes.

Looking a literal up in bytes is many times faster than parsing, and so is looking
at what stands around each ``import``. A file that imports nothing that matters
and has none of the tokens can't do anything that a signal holds for by itself;
what it calls elsewhere when it is imported is covered by ``CALLS_ALONE``.
"""

from __future__ import annotations

import re

_ALWAYS = frozenset(
    b"""
    subprocess socket _socket urllib2 httplib http.client urllib.request six.moves.urllib.request ftplib smtplib telnetlib
    paramiko pycurl xmlrpc.client xmlrpclib pexpect pty commands popen2 marshal runpy ctypes winreg _winreg pynput keyboard
    pyperclip browser_cookie3 win32crypt win32api win32process wget gdown dhooks discord_webhook telebot telegram websocket
    dns.resolver grequests cloudscraper tls_client requests_html niquests httplib2 mss ImageGrab PIL.ImageGrab _posixsubprocess
    posix nt cryptography.fernet Crypto.Cipher Cryptodome.Cipher pyaes imaplib poplib pusher cv2.VideoCapture win32clipboard
    sounddevice codeop zmq pyautogui discord imp
    """.split()
)
"""Modules, and names in them, that are parsed wherever they are imported."""

_VERBS = (b".get(", b".post(", b".put(", b".request(", b".head(", b".patch(", b".delete(", b".Session(", b".session(", b".Client(",
    b".AsyncClient(", b".ClientSession(", b".stream(", b".connect(", b".open_connection(", b".PoolManager(", b".create_subprocess",
    b"HTTPSConnectionPool(", b"HTTPConnectionPool(", b".urlopen(", b".urlretrieve(", b".create_connection(")  # fmt: skip
_WITH_VERBS = {
    b"requests": _VERBS, b"httpx": _VERBS, b"aiohttp": _VERBS, b"urllib3": _VERBS, b"curl_cffi": _VERBS, b"websockets": (b"websockets.connect",),
    b"asyncio": (b"open_connection", b"create_subprocess"), b"botocore.vendored": _VERBS, b"pip._vendor": _VERBS,
    b"importlib": (b"import_module", b"__import__", b"spec_from_file_location", b"SourceFileLoader"),
    b"builtins": (b"getattr", b"exec", b"eval", b"__import__"), b"urllib": (b"urlopen", b"urlretrieve", b"URLopener"),
    b"os": (b"os.system", b"os.popen", b"os.exec", b"os.spawn", b"startfile", b"posix_spawn", b"getattr(os"),
    b"pip": (b"pip.main", b"import main", b"_internal"), b"sys": (b"sys.modules[",), b"types": (b"FunctionType(", b"CodeType("),
    b"code": (b"InteractiveInterpreter", b"InteractiveConsole"),
}  # fmt: skip
"""Modules that matter only where one of these stands, too; all of them have honest uses without."""

TOKENS = tuple(
    token.encode()
    for token in (
        "exec(", "exec (", "eval(", "eval (", "= exec", "= eval", "__import__", "__builtins__", "globals()[",
        "sitecustomize", "usercustomize", ".pth'", '.pth"', "pyarmor", "id_rsa", "wallet.dat", "Login Data", "leveldb",
        "authorized_keys", "crontab", "SourceFileLoader", "spec_from_file",
    )
)  # fmt: skip
"""Literals, each of them in the source of something that needs no import of its own."""

CALLS_ALONE = re.compile(rb"^[A-Za-z_][\w.]*\([^\n]*\)[ \t]*$", re.MULTILINE)
"""A call that stands alone at the left margin: what a module does when it is imported, perhaps elsewhere's code."""

_FROM = re.compile(rb"from[ \t]+([\w.]+)[ \t\\\r\n]+\Z")
_NAME = re.compile(rb"[\w.]+")


def is_interesting(data: bytes) -> bool:
    """Tell whether a file of Python source needs parsing."""
    return (
        _imports_what_matters(data)
        or any(token in data for token in TOKENS)
        or CALLS_ALONE.search(data) is not None
    )


def _imports_what_matters(data: bytes) -> bool:
    place = data.find(b"import")
    seen: set[bytes] = set()
    while place >= 0:
        after = data[place + 6 : place + 7]
        if after in (b" ", b"\t", b"(", b"\\", b"*"):
            before = _FROM.search(data, max(0, place - 100), place)
            rest = data[place + 6 : place + 300]
            if b"(" not in rest[:3]:
                rest = rest.partition(b"\n")[0] if b"\\" not in rest else rest
            else:
                rest = data[place + 6 : place + 3_000].partition(b")")[0]
            base = before.group(1) if before else b""
            if base:
                seen.add(base)
                seen.update(base + b"." + name for name in _NAME.findall(rest))
            else:
                # 'import a.b as c, d'
                for part in rest.split(b","):
                    match = _NAME.search(part)
                    if match:
                        seen.add(match.group())
        place = data.find(b"import", place + 6)
    for name in seen:
        if name in _ALWAYS:
            return True
        top, _, tail = name.partition(b".")
        if top in _ALWAYS:
            return True
        tokens = _WITH_VERBS.get(name) or _WITH_VERBS.get(top)
        # Another name for it, or a name taken out of it, hides the verb.
        if tokens is not None and (any(token in data for token in tokens) or _renamed(data, top, tail)):
            return True
    return False


_TAKEN = frozenset(
    b"""
    get post put request stream Session Client AsyncClient ClientSession PoolManager urlopen urlretrieve system popen execv execvp
    execve execl spawnv spawnl startfile posix_spawn main connect
    """.split()
)


def _renamed(data: bytes, top: bytes, tail: bytes) -> bool:
    return (
        tail in _TAKEN
        or (
            b"import " + top + b" as " in data
            and top not in (b"asyncio", b"builtins", b"types", b"sys", b"os")
        )
        or (b"getattr(" + top in data)
    )
