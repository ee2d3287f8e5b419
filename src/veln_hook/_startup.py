"""What every interpreter of a protected environment loads at start-up.

Rules of this module:

* It imports ``sys`` and nothing else. Every ``python -c pass`` pays for it, and
  in pip's build environments ``sys.path`` can be empty when it runs again.
* Nothing here prints or raises, except to an installing command of pip: that
  refuses in one line when it can't be guarded (``refuse``).
* ``install()`` is idempotent: ``site`` runs each ``.pth`` line twice in a
  virtualenv, and pip runs them again in its build environments. The work is in
  a function, not in the import, so that a PEP 829 ``.start`` file naming
  ``veln_hook._startup:install`` is all that is needed one day.

The finder wraps the loader of a handful of pip's modules; once such a module
has run, ``veln_hook.adapters.pip.points`` replaces the functions it must guard.
"""

import sys

_PREFIX = "pip._internal."

# Modules of pip that hold a guarded function (docs/architecture.md, "The points").
_GUARDED = frozenset(
    (
        "build_env",
        "cli.base_command",
        "index.package_finder",
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

_REPAIR = ("install", "--force-reinstall", "veln-hook")
_REPAIR_EXTRAS = frozenset(
    ("-q", "-v", "-U", "--upgrade", "--user", "--no-cache-dir", "--break-system-packages")
)
_OFF = frozenset(("0", "false", "no", "off"))

damage = ""
"""Why installing commands must be refused; empty while all is well."""


def install():
    """Put the finder in front of the others, once per process."""
    for finder in sys.meta_path:
        if type(finder) is Finder:
            return
    finder = Finder()
    sys.meta_path.insert(0, finder)
    if "pip._internal" in sys.modules:  # imported before us: nothing will be found again, so guard it now
        for tail in _GUARDED | COMMANDS:
            module = sys.modules.get(_PREFIX + tail)
            if module is not None:
                _guard(module, tail)


def is_repair(args):
    """Tell whether ``args`` (without the program) is the command that every refusal names.

    It must go through even when nothing else does, or a damaged environment
    could never be mended.
    """
    return [arg for arg in args if arg not in _REPAIR_EXTRAS] == list(_REPAIR)


class Finder:
    """Finds nothing by itself; hands pip's guarded modules a loader that guards them."""

    def __init__(self):
        self._searching = set()

    def find_spec(self, fullname, path=None, target=None):
        """Return a spec with our loader for a guarded module, ``None`` for every other (PEP 451)."""
        head, found, tail = fullname.partition(_PREFIX)
        if found:
            # A vendored pip (pipenv.patched.pip) counts; 'notpip._internal' doesn't.
            if (tail not in _GUARDED and tail not in COMMANDS) or (head and head[-1] != "."):
                return None
        elif fullname == PIP_SYNC:
            tail = fullname
        else:
            return None
        if fullname in self._searching:  # another wrapping finder asks us back
            return None
        self._searching.add(fullname)
        try:
            for finder in sys.meta_path:
                if finder is self:
                    continue
                find = getattr(finder, "find_spec", None)
                spec = find(fullname, path, target) if find is not None else None
                if spec is not None:
                    break
            else:
                return None
        finally:
            self._searching.discard(fullname)
        if spec.loader is not None:
            spec.loader = _Loader(spec.loader, tail)
        return spec


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
        _guard(module, self._tail)


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
    reason = " ".join(damage.split())
    raise SystemExit(_complaint(reason))


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


def _complaint(reason):
    sys.stderr.write(
        f"ERROR: veln-hook can't guard pip here, so nothing is installed ({reason}). "
        f"Repair: {sys.executable} -m pip {' '.join(_REPAIR)}\n"
    )
    return 78
