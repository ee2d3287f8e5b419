"""What names mean: which calls open the network, start a process, decode, execute ...

Python's own ones, and the libraries that everybody asks the network with;
``libraries`` knows more of those. A dotted name is spelled as the
walk resolves it: aliases undone, ``()`` for what a call returned, so the method of
a session is ``requests.Session().post``.
"""

from __future__ import annotations

import re

from veln_hook.source import libraries

# What a capability can be. ``docs/signals/`` explains them where they count.
NET = "network"
DNS = "dns"
PROC = "process"
EXEC = "execute"
LOAD = "load-file"
NATIVE = "native"
DECODE = "decode"
CRED = "credential"
ENV = "environment"
CRED_FILE = "credential-file"
HOST = "host-facts"
WRITE = "write"
STARTUP_FILE = "startup-file"
PERSIST = "persist"
SPY = "spy"
URL = "url"
DYNAMIC = "dynamic-name"
TEXT = "text"
PTH = "start-up-code"
BYTECODE = "bytecode"
SHELL = "shell-script"
PICKLE = "pickle"
HANDOVER = "handed-over"
DESTROY = "destroy"
REMOVE = "remove"
STEER = "steer"
INTERCEPT = "intercept"
PROTECTION = "what protects this machine"
"""What a command may steer, as variables do other things."""
KINDS = (
    NET, DNS, PROC, EXEC, LOAD, NATIVE, DECODE, CRED, ENV, CRED_FILE, HOST, WRITE, STARTUP_FILE, PERSIST, SPY,
    URL, DYNAMIC, TEXT, PTH, BYTECODE, SHELL, PICKLE, HANDOVER, DESTROY, REMOVE, STEER,
    INTERCEPT,
)  # fmt: skip

_VERBS = ("get", "post", "put", "patch", "delete", "head", "options", "request", "stream", "send")


def _each(base: str, names: str) -> list[str]:
    return [f"{base}.{name}" for name in names.split()]


def _sessions(*bases: str) -> list[str]:
    return [f"{base}.{verb}" for base in bases for verb in _VERBS]


_NET = [
    *_each("urllib.request", "urlopen urlretrieve build_opener().open URLopener().open URLopener().retrieve"),
    *_each("urllib.request", "FancyURLopener().open FancyURLopener().retrieve OpenerDirector().open"),
    *_each("urllib.robotparser", "RobotFileParser().read"),
    *_each("urllib", "urlopen urlretrieve URLopener().open"),
    *_each("urllib2", "urlopen build_opener().open"),
    *_each("six.moves.urllib.request", "urlopen urlretrieve"),
    *_sessions(
        "requests", "requests.api", "requests.Session()", "requests.session()",
        "requests.sessions.Session()", "httpx", "httpx.Client()", "httpx.AsyncClient()",
        "aiohttp.ClientSession()", "aiohttp", "grequests", "cloudscraper.create_scraper()",
        "requests_html.HTMLSession()", "tls_client.Session()", "niquests", "curl_cffi.requests",
        "curl_cffi.requests.Session()", "botocore.vendored.requests", "pip._vendor.requests",
        "requests_futures.sessions.FuturesSession()", "primp.Client()", "hrequests",
    ),
    *_each("http.client.HTTPSConnection()", "request putrequest connect"),
    *_each("http.client.HTTPConnection()", "request putrequest connect"),
    *_each("httplib.HTTPSConnection()", "request putrequest connect"),
    *_each("httplib.HTTPConnection()", "request putrequest connect"),
    *_each("httplib2.Http()", "request"),
    *_each("urllib3", "request PoolManager().request PoolManager().urlopen"),
    *_each("urllib3", "PoolManager().request_encode_body"),
    *_each("urllib3", "connection_from_url().request connection_from_url().urlopen proxy_from_url().request"),
    *_each("urllib3.connectionpool", "HTTPConnectionPool().request HTTPConnectionPool().urlopen"),
    *_each("urllib3.connectionpool", "HTTPSConnectionPool().request HTTPSConnectionPool().urlopen"),
    *_each("urllib3", "HTTPSConnectionPool().urlopen HTTPConnectionPool().urlopen"),
    *_each("urllib3", "HTTPSConnectionPool().request HTTPConnectionPool().request ProxyManager().request"),
    *_each("pip._vendor.urllib3", "PoolManager().request PoolManager().urlopen"),
    *(
        f"{maker}.{method}"
        for maker in (
            "socket.socket()", "socket.SocketType()", "socket.fromfd()", "_socket.socket()",
            "_socket.SocketType()",
        )
        for method in ("connect", "connect_ex", "sendto", "sendmsg")
    ),
    *_each("socket", "create_connection"),
    *(
        f"ssl.{maker}wrap_socket().connect"
        for maker in (
            "", "SSLContext().", "create_default_context().", "_create_unverified_context().",
            "_create_default_https_context().",
        )
    ),
    *_each("asyncio", "open_connection"),
    *_each("smtplib", "SMTP SMTP_SSL LMTP"),
    *_each("nntplib", "NNTP NNTP_SSL"),
    *_each("multiprocessing.connection", "Client"),
    *_each("multiprocessing.managers", "BaseManager().connect SyncManager().connect"),
    *_each("logging.handlers", "HTTPHandler SocketHandler DatagramHandler SMTPHandler SysLogHandler"),
    *_each("ftplib", "FTP FTP_TLS"),
    *_each("telnetlib", "Telnet"),
    *_each("imaplib", "IMAP4 IMAP4_SSL"),
    *_each("poplib", "POP3 POP3_SSL"),
    *_each("paramiko.SSHClient()", "connect"),
    *_each("websocket", "create_connection WebSocketApp().run_forever"),
    *_each("websockets", "connect sync.client.connect client.connect asyncio.client.connect"),
    *_each("websocket.WebSocket()", "connect"),
    *_each("xmlrpc.client", "ServerProxy Server"),
    *_each("xmlrpclib", "ServerProxy Server"),
    *_each("xml.sax", "parse make_parser().parse"),
    *_each("pycurl.Curl()", "perform"),
    *_each("wget", "download"),
    *_each("gdown", "download"),
    *_each("discord_webhook.DiscordWebhook()", "execute"),
    *_each("discord.SyncWebhook.from_url()", "send"),
    *_each("discord.Webhook.from_url()", "send"),
    *_each("dhooks.Webhook()", "send"),
    *_each("telebot.TeleBot()", "send_message send_document send_photo polling infinity_polling"),
    *_each("telegram.Bot()", "send_message send_document send_photo"),
    *_each("zmq.Context().socket()", "connect"),
    *_each("paho.mqtt.client.Client()", "connect"),
    *_each("pusher.Pusher()", "trigger"),
    *_each("git", "Repo.clone_from Git().clone"),
    *_each("pygit2", "clone_repository"),
    *_each("dulwich.porcelain", "clone"),
]  # fmt: skip

_DNS = [
    *_each("socket", "gethostbyname gethostbyname_ex gethostbyaddr getaddrinfo getnameinfo"),
    *_each("dns.resolver", "resolve query Resolver().resolve Resolver().query"),
]

_PROC = [
    *_each("os", "system popen startfile execl execle execlp execlpe execv execve execvp execvpe"),
    *_each("os", "spawnl spawnle spawnlp spawnlpe spawnv spawnve spawnvp spawnvpe posix_spawn posix_spawnp"),
    *_each("posix", "system popen execv execve posix_spawn"),
    *_each("nt", "system popen startfile"),
    *_each("subprocess", "run Popen call check_call check_output getoutput getstatusoutput"),
    *_each("_posixsubprocess", "fork_exec"),
    *_each("asyncio", "create_subprocess_exec create_subprocess_shell"),
    *_each("asyncio.subprocess", "create_subprocess_exec create_subprocess_shell"),
    *_each("commands", "getoutput getstatusoutput"),
    *_each("popen2", "popen2 popen3 popen4"),
    *_each("pty", "spawn"),
    *_each("pydoc", "pipepager tempfilepager"),
    *_each("ensurepip", "bootstrap _run_pip"),
    *_each("_winapi", "CreateProcess"),
    *_each("pexpect", "spawn run"),
    *_each("ctypes.windll.shell32", "ShellExecuteW ShellExecuteA"),
    *_each("ctypes.WinDLL()", "ShellExecuteW WinExec"),
    *_each("ctypes.windll.kernel32", "WinExec CreateProcessW CreateProcessA"),
    *_each("win32api", "ShellExecute WinExec"),
    *_each("win32process", "CreateProcess"),
    *_each("pip", "main"),
    *_each("pip._internal", "main"),
    *_each("pip._internal.cli.main", "main"),
    *_each("distutils.spawn", "spawn"),
    *_each("setuptools.distutils.spawn", "spawn"),
    *_each("webbrowser", "open open_new open_new_tab get().open get().open_new get().open_new_tab"),
]

_EXEC = [
    "exec", "eval", "compile", "execfile",
    "runpy.run_path", "runpy.run_module", "runpy._run_code",
    "code.InteractiveInterpreter().runcode", "code.InteractiveInterpreter().runsource",
    "code.InteractiveConsole().push", "timeit.timeit", "types.FunctionType", "pdb.run",
    "cProfile.run", "profile.run", "bdb.Bdb().run", "numexpr.evaluate", "code.interact",
    *_each("code.InteractiveConsole()", "runcode runsource"),
    *_each("cProfile", "runctx Profile().run Profile().runctx"),
    *_each("profile", "runctx Profile().run Profile().runctx"),
    *_each("timeit", "repeat Timer().timeit Timer().repeat Timer().autorange"),
    *_each("trace", "Trace().run Trace().runctx"),
    *_each("pdb", "runeval Pdb().run Pdb().runeval Pdb().runctx"),
    *_each("bdb.Bdb()", "runeval runctx"),
    *_each("pickle", "load Unpickler().load"),
    *_each("_pickle", "load Unpickler().load"),
    *_each("dill", "load"),
    *_each("cloudpickle", "load"),
    "logging.config.fileConfig", "torch.load", "torch.hub.load",
    *_each("ctypes.pythonapi", "PyRun_SimpleString PyRun_SimpleStringFlags PyRun_String PyEval_EvalCode"),
]  # fmt: skip

_LOAD = [
    "importlib.util.spec_from_file_location", "importlib.machinery.SourceFileLoader",
    "importlib.machinery.SourcelessFileLoader", "importlib.machinery.ExtensionFileLoader", "imp.load_source",
    "imp.load_compiled", "imp.load_dynamic", "importlib._bootstrap_external.SourceFileLoader",
    "zipimport.zipimporter", "site.addsitedir", "site.addpackage", "site.addsitepackages",
]  # fmt: skip

_NATIVE = [
    "ctypes.CDLL", "ctypes.PyDLL", "ctypes.WinDLL", "ctypes.OleDLL", "ctypes.cdll.LoadLibrary",
    "ctypes.windll.LoadLibrary", "ctypes.windll.kernel32.VirtualAlloc", "ctypes.windll.kernel32.CreateThread",
    "ctypes.windll.kernel32.RtlMoveMemory", "ctypes.windll.kernel32.CreateRemoteThread",
    "ctypes.windll.kernel32.WriteProcessMemory", "ctypes.windll.kernel32.VirtualProtect", "ctypes.CFUNCTYPE",
    "cffi.FFI().dlopen", "sqlite3.connect().load_extension", "sqlite3.connect().enable_load_extension",
]  # fmt: skip
SHELLCODE = ("VirtualAlloc", "CreateThread", "RtlMoveMemory", "CreateRemoteThread", "WriteProcessMemory")

_DECODE = [
    *_each(
        "base64", "b64decode b32decode b16decode b85decode a85decode urlsafe_b64decode standard_b64decode"
    ),
    *_each("base64", "decodebytes decodestring b32hexdecode decode"),
    *_each("binascii", "unhexlify a2b_hex a2b_base64 a2b_uu a2b_qp"),
    *_each("codecs", "decode getdecoder()"),
    *_each("zlib", "decompress decompressobj().decompress"),
    *_each("gzip", "decompress"),
    *_each("bz2", "decompress"),
    *_each("lzma", "decompress"),
    *_each("marshal", "loads load"),
    *_each("pickle", "loads"),
    *_each("_pickle", "loads"),
    *_each("dill", "loads"),
    *_each("cloudpickle", "loads"),
    "bytes.fromhex",
    "bytearray.fromhex",
    *_each("cryptography.fernet.Fernet()", "decrypt"),
    *_each("cryptography.hazmat.primitives.ciphers.Cipher().decryptor()", "update finalize"),
    *_each("Crypto.Cipher.AES.new()", "decrypt decrypt_and_verify"),
    *_each("Cryptodome.Cipher.AES.new()", "decrypt decrypt_and_verify"),
    *_each("Crypto.Cipher.ARC4.new()", "decrypt"),
    *_each("Crypto.Cipher.PKCS1_OAEP.new()", "decrypt"),
    *_each("rsa", "decrypt"),
    *_each("nacl.secret.SecretBox()", "decrypt"),
    *_each("pyaes.AESModeOfOperationCTR()", "decrypt"),
    *_each("pyaes", "AESModeOfOperationGCM().decrypt"),
]

_HOST = {
    "socket.gethostname": "hostname", "platform.node": "hostname", "socket.getfqdn": "hostname",
    "os.uname": "platform", "platform.uname": "platform", "platform.platform": "platform",
    "getpass.getuser": "user", "os.getlogin": "user", "pwd.getpwuid": "user", "os.getcwd": "directory",
    "uuid.getnode": "hardware", "platform.machine": "platform", "platform.version": "platform",
    "platform.processor": "hardware", "psutil.net_if_addrs": "hardware", "netifaces.interfaces": "hardware",
    "os.getuid": "user", "platform.release": "platform", "psutil.process_iter": "processes",
}  # fmt: skip
"""What tells something of the machine; half of all code asks for ``platform.system``, so it is not here."""

_SPY = [
    "pynput.keyboard.Listener", "pynput.mouse.Listener", "keyboard.on_press", "keyboard.on_release",
    "keyboard.hook", "keyboard.record", "keyboard.read_event", "pyautogui.screenshot", "PIL.ImageGrab.grab",
    "ImageGrab.grab", "mss.mss().shot", "mss.mss().grab", "mss.mss", "pyperclip.paste",
    "win32clipboard.GetClipboardData", "cv2.VideoCapture", "sounddevice.rec",
    "win32crypt.CryptUnprotectData", "win32crypt.CryptUnprotectData()",
    "ctypes.windll.crypt32.CryptUnprotectData", "ctypes.windll.crypt32.CryptUnprotectData()",
    "browser_cookie3.chrome", "browser_cookie3.firefox", "browser_cookie3.edge", "browser_cookie3.load",
    "browser_cookie3.opera", "browser_cookie3.brave", "robloxpy.Utils.CheckCookie",
    "browserhistory.get_browserhistory", "ctypes.windll.kernel32.IsDebuggerPresent",
]  # fmt: skip

_WRITE = [
    *_each("shutil", "copy copyfile copy2 move copytree unpack_archive"),
    *_each("os", "rename replace symlink link"),
]

_DESTROY = [
    *_each("os", "remove unlink rmdir removedirs truncate"),
    *_each("posix", "remove unlink rmdir truncate"),
    *_each("shutil", "rmtree"),
    *_each("distutils.dir_util", "remove_tree"),
    *_each("send2trash", "send2trash"),
]
"""What removes what it is given; it counts where that may be everything."""

_REGISTRY = [
    *_each("winreg", "SetValueEx SetValue CreateKey CreateKeyEx"),
    *_each("_winreg", "SetValueEx SetValue CreateKey"),
    *_each("win32api", "RegSetValueEx"),
    *_each("crontab.CronTab()", "write new"),
]

_CRED_FILE = [
    *_each("boto3.Session()", "get_credentials"), *_each("boto3.session.Session()", "get_credentials"),
    *_each("botocore.session.Session()", "get_credentials"),
    *_each("botocore.session.get_session()", "get_credentials"), "netrc.netrc",
    "google.auth.default", "google.colab.userdata.get", "huggingface_hub.HfFolder.get_token",
]  # fmt: skip
"""What reads files of credentials for whoever asks."""

CALLS: dict[str, str] = {
    **dict.fromkeys(_NET, NET),
    **dict.fromkeys(_DNS, DNS),
    **dict.fromkeys(_PROC, PROC),
    **dict.fromkeys(_EXEC, EXEC),
    **dict.fromkeys(_LOAD, LOAD),
    **dict.fromkeys(_NATIVE, NATIVE),
    **dict.fromkeys(_DECODE, DECODE),
    **dict.fromkeys(_HOST, HOST),
    **dict.fromkeys(_SPY, SPY),
    **dict.fromkeys(_WRITE, WRITE),
    **dict.fromkeys(_REGISTRY, PERSIST),
    **dict.fromkeys(_CRED_FILE, CRED_FILE),
    **dict.fromkeys(_DESTROY, DESTROY),
}
"""Kind by dotted name of what is called."""
ENVIRONMENTS = ("os.environ", "os.environb", "posix.environ")


def _leading() -> frozenset[str]:
    """Return every dotted name that leads to something known, and that one's own."""
    found = {
        "exec", "eval", "compile", "__import__", "getattr", "builtins", "importlib",
        "importlib.import_module", "sys", "sys.modules", "operator", "operator.attrgetter", "os.getenv",
    }  # fmt: skip
    for name in (*CALLS, *ENVIRONMENTS):
        parts = name.split(".")
        found.update(".".join(parts[:end]) for end in range(1, len(parts) + 1))
    for library, names in libraries.NAMES.items():
        found.update((library, *(f"{library}.{name}" for name in names)))
    return frozenset((*found, *libraries.COMMANDS))


MATTER = _leading()
"""What has to be known by its name where it comes from another file."""

# --- hosts ------------------------------------------------------------------------------------------------

EXFILTRATION_HOSTS = (
    "webhook.site", "pipedream.net", "requestbin", "requestcatcher.com", "interact.sh", "oast.fun",
    "oast.me", "oast.pro", "oast.live", "oast.site", "oast.online", "oastify.com", "burpcollaborator.net",
    "ngrok.io", "ngrok-free.app", "ngrok.app", "trycloudflare.com", "serveo.net", "loca.lt", "localhost.run",
    "beeceptor.com", "hookbin.com", "discord.com/api/webhooks", "discordapp.com/api/webhooks",
    "canary.discord.com/api/webhooks", "api.telegram.org", "transfer.sh", "file.io", "gofile.io",
    "anonfiles.com", "catbox.moe", "0x0.st", "temp.sh", "bashupload.com", "pastebin.com", "paste.ee",
    "hastebin.com", "rentry.co", "ghostbin", "dpaste", "cdn.discordapp.com", "requestrepo.com", "dnslog.cn",
    "ceye.io", "canarytokens", "eval.blog", "bigpanda.io.ml", "hooks.slack.com", "ipinfo.io",
    "api.ipify.org", "ifconfig.me", "ip-api.com", "ident.me", "checkip.amazonaws.com", "icanhazip.com",
    "anotepad.com", "jsonkeeper.com", "npoint.io", "jsonbin.io", "grabify", "iplogger", "store1.gofile.io",
    "raw.githubusercontent.com", "gist.githubusercontent.com", "bit.ly", "tinyurl.com", "dropbox.com/s",
    "mediafire.com", "replit.dev", "repl.co", "glitch.me", "herokuapp.com", "vercel.app", "workers.dev",
    "pages.dev", "duckdns.org", "ddns.net", "no-ip", "onion", "i.ibb.co", "api.anonfile.com", "tempsend.com",
    "filebin.net", "supabase.co", "firebaseio.com",
)  # fmt: skip
"""Parts of URLs that serve to carry things off or to fetch what is to be hidden."""
LOOKUP_HOSTS = frozenset((
    "ipinfo.io", "api.ipify.org", "ifconfig.me", "ip-api.com", "ident.me", "checkip.amazonaws.com",
    "icanhazip.com",
))  # fmt: skip
"""Of those, the ones that only tell one's own address."""
MILD_HOSTS = frozenset((
    "raw.githubusercontent.com", "gist.githubusercontent.com", "bit.ly", "tinyurl.com", "dropbox.com/s",
    "hooks.slack.com", "herokuapp.com", "vercel.app", "workers.dev", "pages.dev", "supabase.co",
    "firebaseio.com", "replit.dev", "glitch.me", "repl.co", "api.telegram.org", "dpaste", "pastebin.com",
    "file.io", "onion", "no-ip", "cdn.discordapp.com", "canarytokens",
))  # fmt: skip
"""Of those, the ones that honest packages name too."""

PUBLIC_IP_URL = re.compile(r"(?:https?|ftp|wss?|tcp)://(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})", re.IGNORECASE)
URL_HOST = re.compile(r"(?:https?|wss?|ftp)://([^/\s'\"<>{}$\\?#@:]+)", re.IGNORECASE)


_PRIVATE = frozenset(((169, 254), (192, 168), *((172, second) for second in range(16, 32))))
"""First two numbers of addresses that only a network of one's own knows."""


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    return host in ("localhost", "0.0.0.0", "::1", "[::1]") or host.startswith("127.")  # noqa: S104 - compared, not bound


def is_public_address(text: str) -> bool:
    """Tell whether dotted digits are an IPv4 address that others can be reached at."""
    parts = [int(part) for part in text.split(".")]
    if len(parts) != 4 or any(part > 255 for part in parts):  # noqa: PLR2004 - IPv4
        return False
    a, b = parts[:2]
    private = a in (0, 10, 127, *range(224, 256)) or (a, b) in _PRIVATE
    documentation = parts[:3] in ([192, 0, 2], [198, 51, 100], [203, 0, 113]) or parts in (
        [1, 1, 1, 1],
        [8, 8, 8, 8],
        [8, 8, 4, 4],
        [1, 0, 0, 1],
        [1, 2, 3, 4],
    )
    return not private and not documentation
