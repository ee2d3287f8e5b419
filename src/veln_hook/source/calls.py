"""What calls, names and strings mean: the place where capabilities are noted."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from veln_hook.source import values, vocabulary
from veln_hook.source.facts import Capability
from veln_hook.source.prefilter import STANDARD
from veln_hook.source.values import NONE, NOTHING, UNKNOWN, Value
from veln_hook.source.vocabulary import (
    CALLS,
    CRED,
    CRED_FILE,
    DECODE,
    DNS,
    DYNAMIC,
    ENV,
    EXEC,
    HOST,
    LOAD,
    NATIVE,
    NET,
    PERSIST,
    PROC,
    SPY,
    URL,
    WRITE,
    is_credential_name,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Iterable

_ENVIRON = ("os.environ", "os.environb", "posix.environ")
_ENV_GET = frozenset(
    f"{environ}.{verb}" for environ in _ENVIRON for verb in ("get", "pop", "setdefault", "__getitem__")
)
_ENV_SWEEP = frozenset(
    f"{environ}.{verb}" for environ in _ENVIRON for verb in ("items", "values", "copy", "keys")
)
_SERIALIZES = frozenset(
    [
        "dict",
        "str",
        "repr",
        "list",
        "sorted",
        "tuple",
        "json.dumps",
        "pprint.pformat",
        "urllib.parse.urlencode",
        "pickle.dumps",
        "set",
    ]
)
_ASKS_WHO = frozenset(("USER", "USERNAME", "LOGNAME", "HOSTNAME", "COMPUTERNAME", "USERDOMAIN"))
_RUNS_ITS_ARGUMENT = frozenset(
    [
        "Thread",
        "Process",
        "Timer",
        "submit",
        "map",
        "apply_async",
        "apply",
        "run",
        "create_task",
        "ensure_future",
        "run_until_complete",
        "gather",
        "start_new_thread",
        "run_in_executor",
        "partial",
        "to_thread",
        "call_soon",
        "call_later",
        "filter",
        "starmap",
        "imap",
        "addaudithook",
        "settrace",
        "setprofile",
        "run_coroutine_threadsafe",
        "register",
        "starmap_async",
        "map_async",
        "signal",
        "finalize",
        "register_at_fork",
        "add_done_callback",
    ]
)
_ASKS_ABOUT = frozenset("isinstance hasattr callable issubclass type repr str id print inspect.signature".split())
_WRITES = frozenset(("write", "writelines", "write_text", "write_bytes", "writestr"))
_SILENT = ("creationflags", "start_new_session", "preexec_fn", "startupinfo")
_MAX_DETAIL = 80
_MODULES_THAT_MATTER = (
    "os",
    "subprocess",
    "builtins",
    "sys",
    "ctypes",
    "__builtins__",
    "socket",
    "importlib",
)


def named(name: str) -> Value:
    """Return the value of a dotted name."""
    return Value(name=name, taints=frozenset(("env",)) if name in _ENVIRON else NOTHING)


class Calls:
    """Notes capabilities in the scope that is being walked.

    Args:
        walk: The walk.
        source: The module's whole text: what doesn't stand in it need not be looked for in its strings.
    """

    def __init__(self, walk: Any, source: str) -> None:
        self._walk = walk
        lowered = source.lower()
        self._paths = _present(vocabulary.CREDENTIAL_PATHS, lowered)
        self._startup = _present(vocabulary.STARTUP_PATHS, lowered)
        self._urls = "://" in source

    def note(
        self, kind: str, line: int, detail: str = "", taints: frozenset[str] = NOTHING, *flags: str
    ) -> None:
        """Note a capability where the walk is."""
        walk = self._walk
        line = line or walk.line
        if walk.swallowed:
            flags = (*flags, "quiet")
        walk.scope.note(
            Capability(kind, line, detail[:_MAX_DETAIL], walk.evidence(line), tuple(sorted(taints)), flags)
        )

    # --- names and items ------------------------------------------------------------------------------

    def attribute(self, name: str, owner: Value, line: int) -> Value:
        """Return what an attribute is."""
        if name in _ENVIRON:
            return named(name)
        if name in vocabulary.CALLS and CALLS[name] == HOST:
            return Value(name=name, taints=owner.taints)
        return Value(name=name, taints=owner.taints)

    def item(self, owner: Value, key: str, line: int) -> Value | None:
        """Return ``owner[key]`` where the owner is a table of names; ``None`` where it is something else."""
        if owner.name in _ENVIRON:
            return self._variable(key, line)
        if owner.name in ("globals()", "locals()", "vars()"):
            return self._walk.look_up(key)  # type: ignore[no-any-return]
        if owner.name == "sys.modules":
            return Value(name=key)
        if owner.name.endswith(".__dict__"):
            return Value(name=f"{owner.name[: -len('.__dict__')]}.{key}")
        if owner.name in ("__builtins__", "builtins.__dict__"):
            return Value(name=key)
        return None

    def unknown_item(self, owner: Value, index: Value, line: int) -> Value | None:
        """Return ``owner[index]`` where the index is not known."""
        if owner.name in _ENVIRON:
            return self._some_variable(index, line)
        if owner.name in ("sys.modules", "globals()", "__builtins__"):
            self.note(DYNAMIC, line, owner.name)
        return None

    def _variable(self, name: str, line: int) -> Value:
        if is_credential_name(name):
            self.note(CRED, line, name)
            return Value(taints=frozenset(("cred",)))
        if name.upper() in _ASKS_WHO:
            self.note(HOST, line, "user")
            return Value(taints=frozenset(("host",)))
        return NONE

    def _some_variable(self, name: Value, line: int) -> Value:
        if "secret-name" in name.taints:
            self.note(CRED, line, name.hint)
            return Value(taints=frozenset(("cred",)))
        if "env" in name.taints:
            self.sweep(line)
            return Value(taints=frozenset(("env",)))
        self.note(ENV, line, "", NOTHING, "dynamic")
        return NONE

    def sweep(self, line: int) -> None:
        """Note that the whole environment is read."""
        self.note(ENV, line, "sweep")

    # --- strings --------------------------------------------------------------------------------------

    def text(self, text: str, line: int) -> frozenset[str]:
        """Note what a string names; return its taints.

        Args:
            text: A literal, or what a folded expression made.
            line: Where it stands; 0 if it was made from parts, which then hide from the file's text.
        """
        length = len(text)
        if length < 4 or length > 20_000:  # noqa: PLR2004
            return NOTHING
        hidden = line == 0
        slashed = "/" in text or "\\" in text
        if not hidden and not (slashed or self._paths or self._startup):
            return NOTHING
        paths, startup = self._paths, self._startup
        if hidden:
            paths, startup = vocabulary.CREDENTIAL_PATHS, vocabulary.STARTUP_PATHS
        elif slashed:
            paths, startup = (*_SLASHED_PATHS, *paths), (*_SLASHED_STARTUP, *startup)
        lowered = text.lower()
        flags = ("hidden",) if hidden else ()
        taints = NOTHING
        if length < 400:  # noqa: PLR2004 - a path, not a text about paths
            for part, what in paths:
                if part in lowered and _is_path(lowered, part):
                    self.note(CRED_FILE, line, what, NOTHING, *flags)
                    taints = frozenset(("cred",))
                    break
        for part, what in startup:
            if part in lowered and not (part == ".pth" and not lowered.rstrip("\"'").endswith(".pth")):
                self.note(PERSIST, line, what, NOTHING, *flags)
                break
        if "://" in text:
            self._url(text, lowered, line, flags)
        return taints

    def _url(self, text: str, lowered: str, line: int, flags: tuple[str, ...]) -> None:
        for host in vocabulary.EXFILTRATION_HOSTS:
            if host in lowered:
                if host in vocabulary.LOOKUP_HOSTS:
                    self.note(HOST, line, "address", NOTHING, *flags)
                    continue
                mild = "mild" if host in vocabulary.MILD_HOSTS else "strong"
                self.note(URL, line, host, NOTHING, mild, *flags)
                return
        match = vocabulary.PUBLIC_IP_URL.search(text)
        if match and vocabulary.is_public_address(match.group(1)):
            self.note(URL, line, match.group(1), NOTHING, "address", *flags)
        elif "hidden" in flags and "://" in text:
            host = vocabulary.URL_HOST.search(text)
            if host:
                self.note(URL, line, host.group(1), NOTHING, "plain", *flags)

    # --- calls ----------------------------------------------------------------------------------------

    def call(
        self,
        node: ast.Call,
        function: Value,
        receiver: Value,
        method: str,
        arguments: list[Value],
        options: dict[str, Value],
    ) -> Value:
        """Note what a call does; return what is known of its result."""
        name, line = function.name, node.lineno
        everything = [*arguments, *options.values()]
        taints = NOTHING.union(*(value.taints for value in everything)) if everything else NOTHING
        special = _SPECIAL.get(name)
        if special is not None:
            found = special(self, line, arguments, options)
            if found is not None:
                return found  # type: ignore[no-any-return]
        if name in ("operator.attrgetter", "operator.methodcaller") and arguments and isinstance(arguments[0].const, str):
            return Value(name=f"{name} {arguments[0].const}", taints=taints)
        if name in _ENV_GET or name in ("os.getenv", "os.getenvb"):
            return self._getenv(arguments, options, line)
        if name in _ENV_SWEEP or (name in _SERIALIZES and any(value.name in _ENVIRON for value in arguments)):
            # A copy is what every starter of processes makes; it counts where it goes to a network.
            self.note(ENV, line, "copy" if name.endswith(".copy") or name == "dict" else "sweep")
            return Value(taints=taints | {"env"})
        if name not in _ASKS_ABOUT:
            self.handed_on(everything, line)
        kind = CALLS.get(name)
        if kind is not None:
            return self._known(kind, name, line, receiver, arguments, options, taints)
        if method in _WRITES and taints & {"decoded", "remote"}:
            self.note(WRITE, line, "", taints | receiver.taints)
        if method == "extractall" and "remote" in receiver.taints:
            self.note(WRITE, line, "", receiver.taints)
        self._calls_others(name, method, everything, taints)
        folded = UNKNOWN
        if not options or name in ("bytes", "str"):
            constants = [value.const for value in arguments]
            folded = values.call(name, constants) if name else UNKNOWN
            if folded is UNKNOWN and method:
                folded = values.method(receiver.const, method, constants)
        result = taints | receiver.taints
        if folded is not UNKNOWN:
            if method in ("join", "replace", "decode") or name in ("chr", "bytes", "reversed"):
                if isinstance(folded, str):
                    result |= self.text(folded, 0 if method != "replace" else line)
            if name in ("chr", "reversed"):
                result |= {"decoded"}
            return Value(folded, "", result)
        hint = ""
        if method in ("Request", "join", "format", "expanduser") or name.endswith(
            (".Request", ".join", "Path")
        ):
            hint = " ".join(filter(None, (value.text for value in (receiver, *arguments[:3]))))[:500]
        if name.startswith((":", ".")) or ("." in name and not _is_standard(name)):
            result |= {f"ret:{name}"} if not name.endswith(")") and len(name) < 100 else NOTHING
        return Value(name=f"{name}()" if name else "", taints=result, hint=hint)

    def _calls_others(self, name: str, method: str, everything: list[Value], taints: frozenset[str]) -> None:
        scope = self._walk.scope
        carried = tuple(sorted(taints))
        if name.startswith(":") or ("." in name and not _is_standard(name)):
            scope.call(name, carried)
        elif not name and method and not method.startswith("__"):
            scope.call(f"?.{method}", carried)
        if name.startswith("sys.meta_path."):
            for value in everything:
                scope.call(f"{value.name}.find_spec", carried)
        if (method or name.rpartition(".")[2]) in _RUNS_ITS_ARGUMENT:
            for value in everything:
                if value.name:
                    scope.call(value.name, carried)
                    self.runs_indirectly(value.name)

    def runs_indirectly(self, name: str) -> None:
        """Note what a known function does that is passed to be run: ``Thread(target=os.system)``."""
        kind = CALLS.get(name)
        if kind in (NET, PROC, EXEC):
            self.note(kind, 0, "", NOTHING, "indirect")

    def _getenv(self, arguments: list[Value], options: dict[str, Value], line: int) -> Value:
        key = arguments[0] if arguments else options.get("key", NONE)
        default = arguments[1] if len(arguments) > 1 else options.get("default", NONE)
        if isinstance(key.const, (str, bytes)):
            found = self._variable(key.text, line)
        else:
            found = self._some_variable(key, line)
        return Value(taints=found.taints | default.taints, hint=default.text)

    def handed_on(self, values_: Iterable[Value], line: int) -> None:
        """Note functions that are put into a container or passed on: whoever gets them calls them."""
        for value in values_:
            kind = CALLS.get(value.name) if value.name else None
            if kind in (PROC, EXEC):
                self.note(kind, line, value.name, NOTHING, "indirect")

    def _known(
        self,
        kind: str,
        name: str,
        line: int,
        receiver: Value,
        arguments: list[Value],
        options: dict[str, Value],
        taints: frozenset[str],
    ) -> Value:
        if kind in (NET, DNS):
            return self._network(kind, name, line, receiver, arguments, options, taints)
        if kind == PROC:
            return self._process(name, line, arguments, options, taints)
        if kind == EXEC:
            return self._execute(name, line, arguments, taints)
        if kind == DECODE:
            return self._decode(name, line, arguments, taints)
        if kind == HOST:
            self.note(HOST, line, vocabulary._HOST[name])  # noqa: SLF001 - the table's own second column
            return Value(name=f"{name}()", taints=frozenset(("host",)))
        if kind == WRITE:
            if taints & {"decoded", "remote"}:
                self.note(WRITE, line, "", taints)
            return Value(taints=taints)
        detail = name.rpartition(".")[2]
        if kind in (LOAD, NATIVE):
            detail = f"{detail} {arguments[0].text if arguments else ''}".strip()
        self.note(kind, line, detail, taints)
        return Value(name=f"{name}()", taints=taints | ({"spied"} if kind == SPY else NOTHING))

    def _network(
        self,
        kind: str,
        name: str,
        line: int,
        receiver: Value,
        arguments: list[Value],
        options: dict[str, Value],
        taints: frozenset[str],
    ) -> Value:
        host = ""
        for value in (receiver, *arguments, *options.values()):
            text = value.const[0] if isinstance(value.const, tuple) and value.const else value.text
            if isinstance(text, str):
                match = vocabulary.URL_HOST.search(text)
                if match:
                    host = match.group(1)
                    break
        if not host and arguments and kind in (NET, DNS):
            first = arguments[0].const
            first = first[0] if isinstance(first, tuple) and first else first
            if isinstance(first, str) and "." in first and " " not in first and len(first) < 100:  # noqa: PLR2004
                host = first
        if _is_loopback(host):
            return Value(name=f"{name}()", taints=frozenset(("remote",)))
        verb = name.rpartition(".")[2]
        flags = []
        lowered = host.lower()
        if lowered and any(known in lowered for known in vocabulary.EXFILTRATION_HOSTS if "/" not in known):
            self._url(f"://{host}", f"://{lowered}", line, ())
        if verb in ("post", "put", "patch", "send", "sendto", "sendmail") or {
            "data",
            "json",
            "files",
            "params",
        } & set(options):
            flags.append("sends")
        if host and vocabulary.PUBLIC_IP_URL.search(f"http://{host}"):
            flags.append("address")
        self.note(kind, line, host or verb, taints | receiver.taints, *flags)
        return Value(name=f"{name}()", taints=frozenset(("remote",)))

    def _process(
        self, name: str, line: int, arguments: list[Value], options: dict[str, Value], taints: frozenset[str]
    ) -> Value:
        command = " ".join(value.text for value in arguments if value.text)
        command = f"{command} {options['args'].text}" if "args" in options else command
        flags = []
        if vocabulary.COMMAND_PIP.search(command) or name.startswith("pip."):
            flags.append("pip")
        elif vocabulary.COMMAND_DOWNLOAD.search(command):
            flags.append("download")
        if vocabulary.COMMAND_POWERSHELL.search(command):
            flags.append("powershell")
        if "sys.executable" in command or "python" in command.lower():
            flags.append("python")
        silent = any(option in options for option in _SILENT) or ("stdout" in options and "stderr" in options and all(
            "DEVNULL" in options[stream].name or "open()" in options[stream].name for stream in ("stdout", "stderr")
        ))  # fmt: skip
        if (
            silent
            or ">/dev/null" in command.replace(" ", "")
            or ">nul" in command.lower().replace(" ", "")
            or "nohup" in command
        ):
            flags.append("silent")
        words = command.split()
        program = words[0].replace("\\", "/").rpartition("/")[2] if words else ""
        self.text(command, 0) if "decoded" in taints else None
        self.note(PROC, line, program or name, taints, *flags)
        return Value(name=f"{name}()", taints=frozenset(("output",)))

    def _execute(self, name: str, line: int, arguments: list[Value], taints: frozenset[str]) -> Value:
        code = arguments[0] if arguments else NONE
        if name == "compile":
            return Value(code.const, "", code.taints)
        if name.startswith("runpy") or "." in name:
            self.note(EXEC, line, name, taints)
            return Value(taints=taints)
        if isinstance(code.const, (str, bytes)):
            hidden = bool(code.taints & {"decoded"})
            # 'eval("1")' tells nothing; what is executed may be another branch's value than the last.
            known = hidden or len(code.const) > 40  # noqa: PLR2004
            if known or name == "exec":
                self.note(EXEC, line, name, code.taints, *(("constant",) if known else ()))
            self._walk.read_again(code.const, line)
        elif code.taints or name == "exec":
            self.note(EXEC, line, name, code.taints)
        return Value(taints=code.taints)

    def _decode(self, name: str, line: int, arguments: list[Value], taints: frozenset[str]) -> Value:
        folded = values.call(name, [value.const for value in arguments])
        constant = any(
            isinstance(value.const, (str, bytes)) and len(value.const) > 8 for value in arguments[:1]
        )  # noqa: PLR2004
        detail = name.rpartition(".")[2]
        flags = ["constant"] if constant else []
        if name.startswith("marshal."):
            flags.append("marshal")
        self.note(DECODE, line, detail, taints, *flags)
        if name.endswith(("pickle.loads", "dill.loads")) and (constant or taints & {"decoded", "remote"}):
            # Unpickling calls whatever the data names.
            self.note(EXEC, line, name, taints | {"decoded"} if constant else taints, "constant")
        result = taints | {"decoded"}
        if folded is not UNKNOWN:
            text = (
                folded
                if isinstance(folded, str)
                else folded.decode("utf-8", "replace")
                if isinstance(folded, bytes)
                else ""
            )
            result |= self.text(text, 0)
            return Value(folded, "", result)
        return Value(name=f"{name}()", taints=result)

    # --- calls that give names ------------------------------------------------------------------------

    def _import_module(self, line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        if not arguments:
            return None
        module = arguments[0].const
        if not isinstance(module, str):
            self.note(DYNAMIC, line, "import", arguments[0].taints)
            return Value(taints=arguments[0].taints)
        if "decoded" in arguments[0].taints:
            self.note(DYNAMIC, line, module, arguments[0].taints, "hidden")
        self._walk.scope.call(f"@{module}", ())
        return Value(name=module)

    def _dunder_import(self, line: int, arguments: list[Value], options: dict[str, Value]) -> Value | None:
        found = self._import_module(line, arguments, options)
        if found is None or len(arguments) > 3 or "fromlist" in options:  # noqa: PLR2004 - fromlist: the module itself
            return found
        return Value(name=found.name.partition(".")[0], taints=found.taints)

    def _getattr(self, line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        if len(arguments) < 2:  # noqa: PLR2004
            return None
        owner, attr = arguments[:2]
        if isinstance(attr.const, str):
            found: Value = self._walk.evaluator.attribute(owner, attr.const, line)
            return found
        if owner.name in _MODULES_THAT_MATTER:
            self.note(DYNAMIC, line, owner.name, attr.taints)
        return Value(taints=owner.taints | attr.taints)

    def _vars(self, line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        return Value(name=f"{arguments[0].name}.__dict__") if arguments and arguments[0].name else None

    def _partial(self, line: int, arguments: list[Value], _: dict[str, Value]) -> Value | None:
        return Value(name=arguments[0].name, taints=arguments[0].taints) if arguments else None

    def _open(self, line: int, arguments: list[Value], options: dict[str, Value]) -> Value | None:
        if not arguments:
            return None
        mode = arguments[1] if len(arguments) > 1 else options.get("mode", NONE)
        path = arguments[0]
        if "w" in mode.text or "a" in mode.text:
            lowered = path.text.lower()
            if any(part in lowered for part in ("sitecustomize", "usercustomize")) or lowered.rstrip(
                "{}"
            ).endswith(".pth"):
                self.note(vocabulary.STARTUP_FILE, line, path.text)
        taints = path.taints | ({"own-file"} if "__file__" in path.text else NOTHING)
        return Value(name="open()", taints=taints, hint=path.text)


_SPECIAL: dict[str, Any] = {
    "importlib.import_module": Calls._import_module,  # noqa: SLF001 - the table of this class's own methods
    "importlib.__import__": Calls._dunder_import,  # noqa: SLF001
    "__import__": Calls._dunder_import,  # noqa: SLF001
    "getattr": Calls._getattr,  # noqa: SLF001
    "vars": Calls._vars,  # noqa: SLF001
    "functools.partial": Calls._partial,  # noqa: SLF001
    "open": Calls._open,  # noqa: SLF001
    "io.open": Calls._open,  # noqa: SLF001
    "codecs.open": Calls._open,  # noqa: SLF001
}


def _is_standard(name: str) -> bool:
    return name.partition(".")[0].partition("(")[0] in STANDARD


def _slashed(rows: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple(row for row in rows if "/" in row[0] or "\\" in row[0])


_SLASHED_PATHS = _slashed(vocabulary.CREDENTIAL_PATHS)
_SLASHED_STARTUP = _slashed(vocabulary.STARTUP_PATHS)


def _present(rows: tuple[tuple[str, str], ...], lowered: str) -> tuple[tuple[str, str], ...]:
    """Return the names without a slash that stand anywhere in a module: only its strings need a closer look."""
    return tuple(row for row in rows if "/" not in row[0] and "\\" not in row[0] and row[0] in lowered)


def _is_path(lowered: str, part: str) -> bool:
    """Tell whether a text that names a place is a path to it, rather than prose."""
    if "\n" in lowered or lowered.count(" ") > 6 or "known_hosts" in lowered:  # noqa: PLR2004
        return False
    place = lowered.find(part)
    if part in (
        "tdata",
        "leveldb",
        ".aws",
        ".bitcoin",
        ".ethereum",
        "/discord/",
        "\\discord",
        "local state",
        "web data",
        "login data",
    ):
        before = lowered[place - 1] if place else "/"
        after = lowered[place + len(part) : place + len(part) + 1]
        return (before in "/\\~" or not place) and after in ("", "/", "\\")
    return True


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "0.0.0.0", "::1") or host.startswith("127.")  # noqa: S104 - compared, not bound
