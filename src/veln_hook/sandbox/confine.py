"""What a process does to itself before it becomes the confined command: it can't be undone, in any rung."""

from __future__ import annotations

import _signal
import errno
import os
import resource
import struct

from veln_hook.sandbox import landlock, layout, seccomp, system

TYPE_CHECKING = False  # read by type checkers; typing is not imported
if TYPE_CHECKING:
    from veln_hook.sandbox.layout import Layout
    from veln_hook.sandbox.task import Task

NOT_FOUND, NOT_EXECUTABLE = 127, 126  # POSIX, shell command language, 2.8.2

_CAPABILITIES = 64
# Builds by root change owners and modes, and write into directories of others (capabilities(7)).
_ROOT_KEEPS = 0b11011  # CHOWN, DAC_OVERRIDE, FOWNER, FSETID
_CAPABILITY_VERSION_3 = 0x20080522
_DEFAULTS = ("SIGPIPE", "SIGXFSZ")  # the interpreter ignores these two
_CACHES = ("XDG_CACHE_HOME", "PIP_CACHE_DIR", "UV_CACHE_DIR", "CCACHE_DIR", "CARGO_HOME", "npm_config_cache")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def become(task: Task, environment: dict[str, str]) -> int:
    """Replace this process by the command.

    Returns:
        An exit status, only where the program can't be started.
    """
    for name in _DEFAULTS:
        _signal.signal(getattr(_signal, name), _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
    program = task.command[0]
    problem = _execute(program, task, environment)
    os.write(2, f"veln-hook: {program}: {problem.strerror}\n".encode(errors="replace"))
    return NOT_FOUND if isinstance(problem, (FileNotFoundError, NotADirectoryError)) else NOT_EXECUTABLE


def _execute(program: str, task: Task, environment: dict[str, str]) -> OSError:
    """Execute a program, which is looked for on PATH unless it has a slash; return why it can't be.

    ``os.execvpe`` does the same, and imports a module for it that need not be readable in here.
    """
    places = [""] if "/" in program else environment.get("PATH", os.defpath).split(":")
    problem: OSError = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    try:
        os.chdir(task.cwd)
    except OSError as error:
        return error
    for place in places:
        try:
            os.execve(os.path.join(place, program), task.command, environment)  # noqa: S606 - it was asked for
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            problem = error  # another directory may have one that can be executed
    return problem


def limit(task: Task) -> None:
    """Set the limits of the task; one that is lower already stays."""
    for kind, value in (
        (resource.RLIMIT_NPROC, task.processes),
        (resource.RLIMIT_DATA, task.memory),
        (resource.RLIMIT_FSIZE, task.file_size),
        (resource.RLIMIT_CORE, 0),
    ):
        if value is not None:
            _, hard = resource.getrlimit(kind)
            lowest = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (lowest, lowest))


def drop_capabilities(keep: int | None = None) -> None:
    """Keep only what is named; also not across exec.

    Args:
        keep: A bit for each capability, all below 32; if not given, what a build by root needs, and nothing
            for anybody else.

    Raises:
        OSError: The kernel refuses.
    """
    if keep is None:
        keep = _ROOT_KEEPS if os.geteuid() == 0 else 0
    for capability in range(_CAPABILITIES):
        if not keep >> capability & 1:
            try:
                system.prctl(system.PR_CAPBSET_DROP, capability)
            except OSError:
                break  # beyond the last one, or not ours to drop: then ``no_new_privs`` keeps them out
    try:
        system.prctl(system.PR_CAP_AMBIENT, system.PR_CAP_AMBIENT_CLEAR_ALL)
    except OSError:
        pass  # a kernel before 4.3 has none
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _, permitted, _, _, _, _ = _capabilities(header)
    kept = permitted & keep
    system.call("capset", header, struct.pack("=IIIIII", kept, kept, 0, 0, 0, 0))


def _capabilities(header: bytes) -> tuple[int, ...]:
    """Return effective, permitted and inheritable capabilities, low words first, then the high words."""
    data = system.buffer(24)
    system.call("capget", header, data)
    return struct.unpack("=IIIIII", data.raw)


def forbid(task: Task, plan: Layout, *, own_files: bool, private: list[str]) -> None:
    """Give up new privileges for ever, and with Landlock what may not be opened.

    Args:
        task: The task.
        plan: Its places.
        own_files: Whether the file system was laid out for this task already; where it wasn't, Landlock
            alone keeps it out, from what is to be hidden as well.
        private: Directories that it can write besides those of the plan.

    Raises:
        OSError: The kernel refuses, or has no Landlock where it is all there is.
    """
    system.prctl(system.PR_SET_NO_NEW_PRIVS, 1)
    if own_files and not landlock.abi():
        return
    rules = landlock.Ruleset()
    if own_files:
        rules.allow("/", landlock.READ)
        for path in (*plan.hidden, plan.home, *plan.writes, "/dev"):
            rules.allow(path, landlock.READ_WRITE)
    else:
        _carve(task, plan, rules, private)
    for descriptor in (0, 1, 2):
        rules.allow_open_file(descriptor)
    rules.restrict()


def _carve(task: Task, plan: Layout, rules: landlock.Ruleset, private: list[str]) -> None:
    hidden = [*plan.hidden, *plan.hides, "/dev"]
    if not task.own_processes:
        hidden += [f"/proc/{name}" for name in os.listdir("/proc") if name.isdigit()]
    for path in layout.without("/", layout.outermost(hidden)):
        rules.allow(path, landlock.READ)
    for root in plan.reads:
        for path in layout.without(root, plan.hides):
            rules.allow(path, landlock.READ)
    for root in plan.writes:
        for path in layout.without(root, plan.hides):
            rules.allow(path, landlock.READ_WRITE)
    for path in private:
        rules.allow(path, landlock.READ_WRITE)
    devices = [*layout.DEVICES, *(("tty",) if task.terminal else ())]
    for name in devices:
        rules.allow(f"/dev/{name}", landlock.DEVICE)


def close_all(keep: tuple[int, ...] = ()) -> None:
    """Close every descriptor but the three standard ones and those to be kept."""
    start = 3
    for descriptor in sorted(keep):
        if descriptor > start:
            system.call("close_range", start, descriptor - 1, 0)
        start = max(start, descriptor + 1)
    system.call("close_range", start, 0x7FFFFFFF, 0)


def private_environment(task: Task, home: str, temporary: str | None, proxy: int | None) -> dict[str, str]:
    """Return the environment of the command.

    Args:
        task: The task.
        home: Its private home directory.
        temporary: Its temporary directory, or ``None`` if the usual ones are its own.
        proxy: The port of a proxy on loopback, if there is one.
    """
    made = dict(task.environment)
    elsewhere = made.get("HOME") != home
    if elsewhere:
        _point_home(made)
    made["HOME"] = home
    for name in _CACHES:
        if elsewhere or name in made:
            made[name] = os.path.join(home, ".cache", name.lower())
    for name in ("TMPDIR", "TMP", "TEMP"):
        made.pop(name, None)
        if temporary is not None:
            made[name] = temporary
    for name in _PROXIES:
        made.pop(name, None)
        made.pop(name.upper(), None)
    if proxy is not None:
        url = f"http://127.0.0.1:{proxy}"
        for name in _PROXIES:
            made[name] = made[name.upper()] = url
        made["no_proxy"] = made["NO_PROXY"] = "localhost,127.0.0.1,::1"
        made["CARGO_HTTP_PROXY"] = url
        made["NODE_USE_ENV_PROXY"] = "1"
    return made


def _point_home(made: dict[str, str]) -> None:
    """Point rustup and git to what they would look for below the home directory outside."""
    for name, below in (("RUSTUP_HOME", ".rustup"), ("GIT_CONFIG_GLOBAL", ".gitconfig")):
        real = os.path.join(made.get("HOME", "/"), below)
        if name not in made and os.path.exists(real):
            made[name] = real


def filter_families() -> None:
    """Refuse sockets that no namespace contains, and the calls that would lead out of one.

    Raises:
        OSError: The kernel refuses.
    """
    seccomp.install(seccomp.family_filter())
