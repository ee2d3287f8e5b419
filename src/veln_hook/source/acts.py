"""What a call does that is known by name: requests, processes, execution, decoding."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from veln_hook.source import commands, known, values, vocabulary
from veln_hook.source.values import NONE, NOTHING, UNKNOWN, Value
from veln_hook.source.vocabulary import (
    CRED_FILE,
    DECODE,
    DESTROY,
    DNS,
    ENV,
    EXEC,
    HOST,
    LOAD,
    NATIVE,
    NET,
    PERSIST,
    PROC,
    SPY,
    WRITE,
)

if TYPE_CHECKING:
    from veln_hook.source.calls import Calls

_SILENT = ("creationflags", "start_new_session", "preexec_fn", "startupinfo")
_SENDS = frozenset(("data", "json", "files", "params"))
_LITTLE_CODE = 40
"""Characters of executed code that tell nothing: ``eval("1")``."""
_LITTLE_DATA = 8
_SOURCE = re.compile(r"(?:^|[}/ ])((?:[\w-]+/)*[\w-]+\.pyw?)\Z")
_MAX_HOST = 100
_PLACES = ("location", "path", "pathname")
"""Options that say which file is loaded."""
_ASKED_FOR = "flask.request."
"""What whoever asks a web server says."""


class Known(NamedTuple):
    """A call of something that is known by name."""

    kind: str
    name: str
    line: int
    receiver: Value
    arguments: list[Value]
    options: dict[str, Value]
    taints: frozenset[str]
    """Of all its arguments."""


class Acts:
    """Notes what known calls do in the scope that is being walked.

    Args:
        walk: The walk.
        calls: What calls mean.
    """

    def __init__(self, walk: Any, calls: Calls) -> None:
        self._walk = walk
        self._calls = calls
        self._note = calls.note

    def known(self, call: Known) -> Value:
        """Note what a call does; return what is known of its result."""
        act = _ACTS.get(call.kind)
        if act is not None:
            return act(self, call)
        detail = call.name.rpartition(".")[2]
        if call.kind == NATIVE:
            detail = _with_first(detail, call)
        written = ("written",) if call.kind == PERSIST else ()
        self._note(call.kind, call.line, detail, call.taints, *written)
        taints = call.taints | ({"spied"} if call.kind == SPY else NOTHING)
        return Value(name=f"{call.name}()", taints=taints)

    def _host_fact(self, call: Known) -> Value:
        self._note(HOST, call.line, vocabulary._HOST[call.name])  # noqa: SLF001 - the table's own second column
        return Value(name=f"{call.name}()", taints=frozenset(("host",)))

    def _credentials(self, call: Known) -> Value:
        if call.name.endswith(_SIGNS_WITH):
            self._note(CRED_FILE, call.line, "cloud credentials")
            return Value(taints=frozenset(("cred", "key")))
        library = call.name.partition(".")[0]
        self._note(CRED_FILE, call.line, "passwords" if library == "netrc" else f"secrets by {library}")
        # What logs in by itself is sent to nobody else.
        taints = NOTHING if library in _LOG_IN else frozenset(("cred",))
        return Value(name=f"{call.name}()", taints=taints)

    def _write(self, call: Known) -> Value:
        if len(call.arguments) > 1:
            self._calls.writing.into(call.arguments[1].text, call.line)
            if call.name.endswith(("copytree", "unpack_archive")):
                self._calls.writing.unpacked(call.arguments[1], call.line)
        if call.taints & {"decoded", "remote"}:
            self._note(WRITE, call.line, "", call.taints)
        if call.arguments and call.name.endswith((".rename", ".replace", ".move")):
            self._calls.destroying.overwritten(call.arguments[0], call.line)
        return Value(taints=call.taints)

    def _destroy(self, call: Known) -> Value:
        if call.arguments:
            self._calls.destroying.removed(call.arguments[0], call.line)
        return NONE

    def _network(self, call: Known) -> Value:
        host = _host(call)
        if known.opens_what_it_is_given(call.name) and not _has_url(call):
            return Value(name=f"{call.name}()", taints=call.taints)
        if vocabulary.is_loopback(host) or _is_local(call) or (call.kind == DNS and _asks_for_itself(call)):
            return Value(name=f"{call.name}()", taints=frozenset(("remote",)))
        verb = call.name.rpartition(".")[2]
        flags = []
        lowered = host.lower()
        if lowered and any(known in lowered for known in vocabulary.EXFILTRATION_HOSTS if "/" not in known):
            self._calls.strings.url(f"://{host}", f"://{lowered}", call.line, ())
        if verb in ("post", "put", "patch", "send", "sendto", "sendmail") or _SENDS & set(call.options):
            flags.append("sends")
        if call.kind == DNS and any("." in value.hint for value in call.arguments):
            flags.append("joined")
        address = vocabulary.PUBLIC_IP_URL.search(f"http://{host}")
        if address and vocabulary.is_public_address(address.group(1)):
            flags.append("address")
        self._note(call.kind, call.line, host or verb, call.taints | call.receiver.taints, *flags)
        return Value(name=f"{call.name}()", taints=frozenset(("remote",)))

    def _process(self, call: Known) -> Value:
        words = (known.command_of(call.name), *(value.text for value in call.arguments))
        command = " ".join(filter(None, words))
        command = f"{command} {call.options['args'].text}" if "args" in call.options else command
        flags = commands.flags(command, call.name)
        if commands.runs_python(command):
            self._walk.read_again(commands.inline_code(command), call.line)
            for word in command.split():
                self._run_file(Value(word), main=True)
        if any(value.name.startswith(_ASKED_FOR) for value in call.arguments):
            flags.append("remote-shell")
        if _is_silent(command, call.options):
            flags.append("silent")
        if "decoded" in call.taints:
            self._calls.strings.text(command, 0)
        self._note(PROC, call.line, commands.program_of(command) or call.name, call.taints, *flags)
        self._calls.writing.by_command(command, call.line)
        self._calls.destroying.by_command(command, call.line)
        self._calls.steering.by_command(command, call.line)
        spies = commands.spies_by(command)
        if spies:
            self._note(SPY, call.line, spies, call.taints)
        for variable in _VARIABLE.findall(command):
            self._calls.environment.variable(variable, call.line)
        told = commands.tells(command)
        if told == "environment":
            self._note(ENV, call.line, "sweep")
            return Value(name=f"{call.name}()", taints=frozenset(("output", "env")))
        if told:
            self._note(CRED_FILE, call.line, told)
            return Value(name=f"{call.name}()", taints=frozenset(("output", "cred")))
        return Value(name=f"{call.name}()", taints=frozenset(("output",)))

    def _load(self, call: Known) -> Value:
        self._note(LOAD, call.line, _with_first(call.name.rpartition(".")[2], call), call.taints)
        named = (call.options[name] for name in _PLACES if name in call.options)
        file = self._run_file(call.arguments[1] if len(call.arguments) > 1 else next(named, NONE))
        return Value(name=file or f"{call.name}()", taints=call.taints)

    def _run_file(self, path: Value, *, main: bool = False) -> str:
        """Note that a file of source is run; return its name: ``/``, and what is known of its path's end.

        Args:
            path: Its path.
            main: Whether it is run as a script.
        """
        match = _SOURCE.search(path.text.replace("\\", "/"))
        if match is None:
            return ""
        self._walk.scope.call(f"/{match.group(1)}", ())
        if main:
            self._walk.scope.call(f"/{match.group(1)}.__main__", ())
        return f"/{match.group(1)}"

    def _execute(self, call: Known) -> Value:
        name, line = call.name, call.line
        code = call.arguments[0] if call.arguments else NONE
        if name == "compile":
            return Value(code.const, "", code.taints)
        if name.startswith("runpy") or "." in name:
            self._note(EXEC, line, name, call.taints)
            for value in call.arguments:
                if isinstance(value.const, (str, bytes)):
                    self._walk.read_again(value.const, line)
            file = self._run_file(code, main=True) if name == "runpy.run_path" else ""
            return Value(name=file, taints=call.taints)
        if isinstance(code.const, (str, bytes)):
            hidden = bool(code.taints & {"decoded"})
            # What is executed may be another branch's value than the last.
            known = hidden or len(code.const) > _LITTLE_CODE
            if known or name == "exec":
                self._note(EXEC, line, name, code.taints, *(("constant",) if known else ()))
            self._walk.read_again(code.const, line)
        elif code.taints or name == "exec":
            self._note(EXEC, line, name, code.taints)
        return (
            self._named(code) if name == "eval" and isinstance(code.const, str) else Value(taints=code.taints)
        )

    def _named(self, code: Value) -> Value:
        """Return what evaluating a text gives that is a name."""
        first, *others = code.const.strip().split(".")
        if not first.isidentifier():
            return Value(taints=code.taints)
        found: Value = self._walk.look_up(first)
        for attribute in others:
            found = self._walk.evaluator.attribute(found, attribute)
        return Value(name=found.name, taints=code.taints | found.taints)

    def _decode(self, call: Known) -> Value:
        name, line, taints = call.name, call.line, call.taints
        folded = values.call(name, [value.const for value in call.arguments])
        constant = any(
            isinstance(value.const, (str, bytes)) and len(value.const) > _LITTLE_DATA
            for value in call.arguments[:1]
        )
        flags = ["constant"] if constant else []
        if name.startswith("marshal."):
            flags.append("marshal")
        self._note(DECODE, line, name.rpartition(".")[2], taints, *flags)
        if name.endswith(("pickle.loads", "dill.loads")) and (constant or taints & {"decoded", "remote"}):
            # Unpickling calls whatever the data names.
            self._note(EXEC, line, name, taints | {"decoded"} if constant else taints, "constant")
        result = taints | {"decoded"}
        if folded is UNKNOWN:
            return Value(name=f"{name}()", taints=result)
        text = folded.decode("utf-8", "replace") if isinstance(folded, bytes) else folded
        return Value(folded, "", result | self._calls.strings.text(text if isinstance(text, str) else "", 0))


_PATH = re.compile(r"(?:\{\}|[^\s{}:]*)/\S*")
_VARIABLE = re.compile(r"\$\{?([A-Z][A-Z0-9_]+)")
_LOG_IN = ("google", "azure", "kubernetes", "docker")
_SIGNS_WITH = ".get_credentials"
_OWN_NAMES = ("socket.gethostname()", "socket.getfqdn()", "platform.node()")
_SERVES_ROOT = ("docker.sock", "containerd.sock", "podman.sock", "crio.sock")
"""Sockets of what starts containers: whoever may talk to it may do anything."""
_ACTS: dict[str, Callable[[Acts, Known], Value]] = {
    NET: Acts._network,  # noqa: SLF001 - the table of this class's own methods
    DNS: Acts._network,  # noqa: SLF001
    PROC: Acts._process,  # noqa: SLF001
    EXEC: Acts._execute,  # noqa: SLF001
    LOAD: Acts._load,  # noqa: SLF001
    DECODE: Acts._decode,  # noqa: SLF001
    HOST: Acts._host_fact,  # noqa: SLF001
    CRED_FILE: Acts._credentials,  # noqa: SLF001
    WRITE: Acts._write,  # noqa: SLF001
    DESTROY: Acts._destroy,  # noqa: SLF001
}


def _with_first(detail: str, call: Known) -> str:
    return f"{detail} {call.arguments[0].text if call.arguments else ''}".strip()


def _is_local(call: Known) -> bool:
    """Tell whether a socket is connected to a path, which is another process of this machine."""
    if "ocket" not in call.name or not call.name.endswith((".connect", ".connect_ex")) or not call.arguments:
        return False
    path = call.arguments[0].text  # a host and its port are a tuple, of which a blank would be in it
    return _PATH.fullmatch(path) is not None and not path.endswith(_SERVES_ROOT)


def _asks_for_itself(call: Known) -> bool:
    """Tell whether a name is looked up that is this machine's own."""
    return bool(call.arguments) and call.arguments[0].name in _OWN_NAMES


def _host(call: Known) -> str:
    """Return the host that a request is for, if it is known."""
    for value in (call.receiver, *call.arguments, *call.options.values()):
        text = value.const[0] if isinstance(value.const, tuple) and value.const else value.text
        if isinstance(text, str):
            match = vocabulary.URL_HOST.search(text)
            if match and match.group(1):
                return match.group(1)
            if match:
                break
    if call.arguments:
        first = call.arguments[0].const
        first = first[0] if isinstance(first, tuple) and first else first
        if isinstance(first, str) and "." in first and " " not in first and len(first) < _MAX_HOST:
            return first.rpartition("://")[2]
    return ""


def _has_url(call: Known) -> bool:
    """Tell whether any of what a call is given, or of what its object was made of, is a URL."""
    given = (call.receiver, *call.arguments, *call.options.values())
    return any("://" in value.text or "remote" in value.taints for value in given)


def _is_silent(command: str, options: dict[str, Value]) -> bool:
    """Tell whether nobody sees what a process says."""
    if any(option in options for option in _SILENT):
        return True
    streams = [options[stream].name for stream in ("stdout", "stderr") if stream in options]
    if len(streams) == 2 and all("DEVNULL" in name or "open()" in name for name in streams):  # noqa: PLR2004 - both
        return True
    joined = command.replace(" ", "")
    return (
        ">/dev/null" in joined
        or ">nul" in joined.lower()
        or "nohup" in command
        or commands.has_no_window(command)
    )
