"""What happens when pip or uv is met: their modules' loaders are wrapped, their functions replaced.

Imported by the finder of ``veln_hook`` on the first import of a module of theirs,
in no other process. Rules: it imports ``sys`` only; an error of ours stops
neither Python nor pip, but then pip's installing commands refuse in one line.

Once a guarded module has run, ``veln_hook.adapters.pip.points`` replaces the
functions in it; in uv's one module, ``veln_hook.adapters.shims.hook`` does.
"""

import sys

_PREFIX = "pip._internal."

# Modules of pip that hold a guarded function (docs/architecture.md, "The points").
GUARDED = frozenset(
    (
        "build_env",
        "cli.base_command",
        "index.package_finder",
        "network.download",
        "operations.install.wheel",
        "operations.prepare",
        "req",
        "resolution.resolvelib.factory",
        "resolution.resolvelib.resolver",
        "utils.misc",
        "utils.subprocess",
        "utils.unpacking",
        "wheel_builder",
    )
)
# Commands that install, fetch or build: where nothing can be promised, they don't run.
COMMANDS = frozenset(("commands.download", "commands.install", "commands.lock", "commands.wheel"))
# pip-tools starts other interpreters' pip from here.
PIP_SYNC = "piptools.sync"
# uv's Python package finds its program there; before uv 0.4.18 in the package itself.
UV = frozenset(("uv", "uv._find_uv"))
# What makes environments.
VENV = frozenset(("venv", "virtualenv.run.session"))

_REPAIR = ("install", "--force-reinstall", "veln-hook")
_REPAIR_EXTRAS = frozenset(
    ("-q", "-v", "-U", "--upgrade", "--user", "--no-cache-dir", "--break-system-packages")
)
_OFF = frozenset(("0", "false", "no", "off"))

damage = ""
"""Why installing commands must be refused; empty while all is well."""


def is_repair(args: "list[str]") -> bool:
    """Tell whether ``args`` (without the program) is the command that every refusal names.

    It must go through even when nothing else does, or a damaged environment
    could never be mended.
    """
    return [arg for arg in args if arg not in _REPAIR_EXTRAS] == list(_REPAIR)


_searching: "set[str]" = set()


def find_spec(finder, fullname, path=None, target=None):
    """Return a spec with our loader for a guarded module, ``None`` for every other (PEP 451).

    Args:
        finder: Our finder, which is passed over while the others are asked.
        fullname: Of the module.
        path: Of its package.
        target: As given to the finder.
    """
    head, found, tail = fullname.partition(_PREFIX)
    if not found:
        tail = fullname
        if tail != PIP_SYNC and tail not in UV and tail not in VENV:
            return None
    # A vendored pip (pipenv.patched.pip) counts; 'notpip._internal' doesn't.
    elif (tail not in GUARDED and tail not in COMMANDS) or (head and head[-1] != "."):
        return None
    if fullname in _searching:  # another wrapping finder asks us back
        return None
    _searching.add(fullname)
    try:
        for other in sys.meta_path:
            find = getattr(other, "find_spec", None)
            spec = find(fullname, path, target) if find is not None and other is not finder else None
            if spec is not None:
                break
        else:
            return None
    finally:
        _searching.discard(fullname)
    if spec.loader is not None:
        spec.loader = _Loader(spec.loader, tail)
    return spec


def guard_loaded():
    """Guard the modules of a pip or uv that was imported before our finder was there."""
    for name in sorted(UV, reverse=True):
        if name in sys.modules:
            _guard_uv(sys.modules[name])
    for name in VENV:
        if name in sys.modules:
            _guard_venv(sys.modules[name])
    for tail in (*sorted(GUARDED), *sorted(COMMANDS)):  # a command asks whether the rest is guarded
        module = sys.modules.get(_PREFIX + tail)
        if module is not None:
            _guard(module, tail)
    points = sys.modules.get("veln_hook.adapters.pip.points")
    if points is not None:
        points.rebind(_PREFIX)


class _Loader:
    """Stands before one module's loader for the time of its execution.

    An object of our own rather than a patched method: zip importers are shared
    between modules. Everything unknown is the other loader's, or resource
    readers stop being found (pip #11469).
    """

    def __init__(self, loader, tail):
        self._loader = loader
        self._tail = tail

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        create = getattr(self._loader, "create_module", None)
        return create(spec) if create is not None else None

    def exec_module(self, module):
        loader = self._loader
        module.__spec__.loader = module.__loader__ = loader
        if hasattr(loader, "exec_module"):
            loader.exec_module(module)
        else:  # zipimport before Python 3.10
            exec(loader.get_code(module.__name__), module.__dict__)  # noqa: S102 - this is what importing is
        if self._tail in UV:
            _guard_uv(module)
        elif self._tail in VENV:
            _guard_venv(module)
        else:
            _guard(module, self._tail)


def _guard_uv(module):
    """Replace the function that finds uv's program; where that fails, its like ends the process."""
    find = getattr(module, "find_uv_bin", None)
    if find is None or hasattr(find, "__veln_hook__"):  # another package named uv; replaced already
        return
    try:
        from veln_hook.adapters.shims import hook  # noqa: PLC0415 - nothing of ours loads before uv does

        hook.guard(module)
    except Exception as error:  # noqa: BLE001 - whatever it is, Python goes on, and uv doesn't
        reason = f"{type(error).__name__}: {error}"

        def find_uv_bin():
            refuse_uv(reason)
            return find()

        find_uv_bin.__veln_hook__ = ""  # type: ignore[attr-defined]
        module.find_uv_bin = find_uv_bin


def _guard_venv(module):
    """Have new environments led to our protection; where that fails, they are made as ever."""
    try:
        from veln_hook.adapters.venv import hook  # noqa: PLC0415 - nothing of ours loads before it is needed

        hook.guard(module)
    except Exception:  # noqa: BLE001, S110 - whatever it is, Python goes on
        pass


def _guard(module, tail):
    """Replace the guarded functions of ``module``; refuse an installing command that can't be guarded."""
    global damage  # noqa: PLW0603 - one process, one state
    try:
        from veln_hook.adapters.pip import points  # noqa: PLC0415 - nothing of ours loads before pip does

        points.apply(module, tail)
    except Exception as error:  # noqa: BLE001 - whatever it is, Python goes on and pip's installing commands don't
        if not damage:
            damage = f"{type(error).__name__}: {error}"
    if damage and tail in COMMANDS:
        refuse()


def refuse() -> "None":
    """End an installing command in one line; return where a repair or ``VELN_HOOK=off`` goes on."""
    args = sys.argv[1:]
    if is_repair(args) or _switched_off():
        return
    raise SystemExit(_complaint("pip", damage))


def refuse_uv(reason) -> "None":
    """End ``python -m uv`` in one line; return where ``VELN_HOOK=off`` goes on."""
    if not _switched_off():
        raise SystemExit(_complaint("uv", reason))


def _switched_off():
    """Whether ``VELN_HOOK=off`` counts here: not where the system policy may have locked it.

    Reading that policy properly needs code that is perhaps what is damaged, so
    a lock section in it is enough to say no.
    """
    import os  # noqa: PLC0415 - imported long ago by everything that can be running now

    if os.environ.get("VELN_HOOK", "").strip().lower() not in _OFF:
        return False
    try:
        with open("/etc/xdg/veln-hook/policy.toml", "rb") as file:
            return b"lock" not in file.read(1 << 20)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _complaint(installer, reason):
    ours = sys.modules["veln_hook"].repair
    repair = ours or f"{sys.executable} -m pip {' '.join(_REPAIR)}"
    if installer == "uv" and not ours:
        import os  # noqa: PLC0415 - imported long ago by everything that can be running now

        site = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        if not os.path.isdir(os.path.join(site, "pip")):  # uv makes environments without it
            uv = os.path.join(sys.prefix, "bin", "uv")
            repair = f"{uv} pip install --python {sys.executable} --reinstall veln-hook"
    reason = " ".join(reason.split())
    sys.stderr.write(
        f"ERROR: veln-hook can't guard {installer} here, so nothing is installed ({reason}). "
        f"Repair: {repair}\n"
    )
    return 78
