"""A small world to attack: a home with secrets, services, other processes, files; all of one user's."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import attack_tools
import platformdirs
from attack_ears import FRAME_TYPE, Ears
from attack_state import file_state, generation, process_state

HERE = Path(__file__).parent
SOURCE = Path(__file__).parents[2] / "src"

STRANGER = 54321
"""The number of a user who has no account, whom root runs the attacks as."""

_SITTERS = (
    "kill_outside",
    "kill_by_thread",
    "kill_by_descriptor",
    "kill_group",
    "kill_by_file",
    "limits_outside",
    "priority_outside",
    "affinity_outside",
    "files_of_process",
)
_VICTIMS = (
    "write_outside",
    "write_via_symlink",
    "write_via_hardlink",
    "write_via_descriptor",
    "rename_outside",
    "unlink_outside",
    "truncate_outside",
    "chmod_outside",
    "chown_outside",
    "utime_outside",
    "xattr_outside",
    "acl_outside",
    "chattr_outside",
    "file_setattr_outside",
    "ioctl_compat",
    "lease_outside",
    "mount_over",
    "write_report",
)
_HIDDEN = ("read_hidden", "read_named_secret", "read_via_hardlink", "write_hidden_name")


class User(NamedTuple):
    """Whom the attacks run as."""

    name: str
    uid: int
    gid: int

    def options(self) -> dict[str, Any]:
        """Return what ``subprocess`` needs to start something as this user."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def users() -> list[User]:
    """Return whom the attacks can run as here: root and somebody else, or only oneself."""
    if os.geteuid() == 0:
        return [User("root", 0, 0), User("user", STRANGER, STRANGER)]
    return [User("user", os.geteuid(), os.getegid())]


def python_for(user: User) -> str | None:
    """Return a Python, new enough, that this user can run; ``None`` if there is none."""
    check = "import sys, ctypes; raise SystemExit(sys.version_info < (3, 9))"
    for path in ("/usr/bin/python3", "/usr/local/bin/python3", sys.executable):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            if (
                subprocess.run([path, "-I", "-c", check], check=False, cwd="/", **user.options()).returncode
                == 0
            ):
                return path
    return None


class World:
    """One user's world; a context manager that takes all of it away again."""

    def __init__(self, user: User, python: str) -> None:
        self.user, self.python = user, python
        self.nonce = "a" + secrets.token_hex(5)
        self._stack = contextlib.ExitStack()
        self.secrets: dict[str, str] = {}
        self.sitters: dict[str, subprocess.Popen[bytes]] = {}

    def secret(self, name: str) -> str:
        """Make a secret that is found nowhere else."""
        self.secrets[name] = f"CANARY-{secrets.token_hex(8)}-{name}"
        return self.secrets[name]

    def __enter__(self) -> World:
        with contextlib.ExitStack() as stack:
            self._stack = stack
            self.ears = stack.enter_context(Ears())
            self._make_places()
            self._make_files()
            self._make_sockets()
            self._make_terminals()
            self._start_processes()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def make_directory(self, parent: str, mode: int = 0o755) -> str:
        """Make a directory of the user's that goes with the world."""
        os.makedirs(parent, exist_ok=True)
        path = tempfile.mkdtemp(prefix="veln-attack-", dir=parent)
        self._stack.callback(shutil.rmtree, path, ignore_errors=True)
        os.chmod(path, mode)
        self.give(path)
        return path

    def give(self, path: str) -> None:
        """Let a file belong to the user."""
        if self.user.uid != os.geteuid():
            os.chown(path, self.user.uid, self.user.gid, follow_symlinks=False)

    def write(self, path: str, text: str, mode: int = 0o600) -> str:
        """Make a file of the user's, with its directories; return its path."""
        directory = os.path.dirname(path)
        if not os.path.isdir(directory):
            os.makedirs(directory)
            self.give(directory)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, mode)
        self.give(path)
        return path

    def _make_places(self) -> None:
        root = os.geteuid() == 0
        homes = os.path.expanduser("~")
        if root:
            homes = "/root" if self.user.uid == 0 else "/home"
        self.home = self.make_directory(homes, 0o700)
        self.visible = self.make_directory("/opt" if root else self.home)
        self.tmp = self.make_directory("/tmp", 0o700)
        self.build = self.make_directory("/tmp")
        self.project = self.make_directory("/tmp")
        """Can be written, and something in it is hidden."""
        self.aside = self.make_directory("/tmp")
        """Neither to be attacked nor to be protected: what the tests themselves need."""
        self.run = self.make_directory("/run" if root else self.tmp)
        self.caller = self.make_directory("/tmp", 0o700)
        shutil.copytree(
            HERE / "inside", f"{self.aside}/inside", ignore=shutil.ignore_patterns("__pycache__", "c")
        )
        shutil.copytree(
            HERE / "outside", f"{self.aside}/outside", ignore=shutil.ignore_patterns("__pycache__")
        )
        package = f"{self.aside}/src/veln_hook"
        shutil.copytree(SOURCE / "veln_hook", package, ignore=shutil.ignore_patterns("__pycache__"))
        # What the package imports on the way, for a Python that may have nothing installed.
        shutil.copytree(Path(platformdirs.__file__).parent, f"{self.aside}/src/platformdirs")
        self.tools = f"{self.aside}/tools"
        os.mkdir(self.tools)
        attack_tools.compile_all(self.tools)
        for path, _, files in os.walk(self.aside):
            os.chmod(path, 0o755)
            for name in files:
                os.chmod(os.path.join(path, name), 0o755)

    def _make_files(self) -> None:
        write, secret = self.write, self.secret
        write(f"{self.home}/.aws/credentials", f"aws_secret_access_key = {secret('aws')}\n")
        write(f"{self.home}/.netrc", f"machine example.org password {secret('netrc')}\n")
        write(f"{self.home}/.pypirc", f"password = {secret('pypirc')}\n")
        write(f"{self.home}/.ssh/id_ed25519", secret("ssh"))
        write(f"{self.home}/.ssh/authorized_keys", "ssh-ed25519 AAAA\n")
        write(f"{self.home}/.bashrc", "true\n", 0o644)
        write(f"{self.home}/.gitconfig", "[user]\n", 0o644)
        write(f"{self.home}/work/notes-{secret('name')}", secret("notes"))
        write(f"{self.home}/keys/credentials", secret("stealable"))
        self.hidden_visible = {
            name: write(f"{self.visible}/private-{name}/key", secret(f"named-{name}")) for name in _HIDDEN
        }
        self.temporary_secrets = [write(f"{self.tmp}/{secret('tmp-name')}", secret("tmp"))]
        self.run_secret = write(f"{self.run}/token", secret("run"))
        self.shared_memory = write(f"/dev/shm/veln-attack-{self.nonce}", secret("shared-file"))
        self._stack.callback(_remove, self.shared_memory)
        self.root_only = write(f"{self.make_directory('/var/tmp', 0o755)}/root-only", "")
        if os.geteuid() == 0:
            os.chown(self.root_only, 0, 0)
            probe = f"{os.path.dirname(self.root_only)}/setuid_probe"
            if os.path.exists(f"{self.tools}/setuid_probe"):
                shutil.move(f"{self.tools}/setuid_probe", probe)
                os.chown(probe, 0, 0)
                os.chmod(probe, 0o4755)
                os.symlink(probe, f"{self.tools}/setuid_probe")
        self.leaked = write(f"{self.home}/leaked", secret("leaked"))
        for place in (self.visible, self.home):
            for name in _VICTIMS:
                write(f"{place}/victims/{name}", "as it was\n", 0o644)
                with contextlib.suppress(OSError):
                    os.setxattr(f"{place}/victims/{name}", "user.given", b"as it was")

    def prepare_build(self) -> None:
        """Empty the build directory and fill it as the attacks expect it."""
        for place in (self.build, self.project):
            for name in os.listdir(place):
                path = os.path.join(place, name)
                shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
        for name in ("asks", "answers", "heartbeats", "m"):
            os.mkdir(f"{self.build}/{name}")
            self.give(f"{self.build}/{name}")
        self.hidden = {
            name: self.write(f"{self.project}/private-{name}/.env", self.secret(f"hidden-{name}"))
            for name in _HIDDEN
        }
        self.ears.listen_unix(f"{self.build}/socket")
        os.write(self.keyboards[1], self.secret("typed").encode("ascii") + b"\n")
        _remove(f"{self.visible}/late")

    def _make_sockets(self) -> None:
        self.sockets = {
            place: f"{getattr(self, place)}/socket" for place in ("tmp", "run", "home", "visible", "build")
        }
        self.datagram_sockets = {
            place: f"{getattr(self, place)}/datagram" for place in ("tmp", "run", "home", "visible")
        }
        for place, path in self.sockets.items():
            if place != "build":
                self.ears.listen_unix(path)
        for path in self.datagram_sockets.values():
            self.ears.listen_unix(path, socket.SOCK_DGRAM)
        self.ears.listen_unix(f"{self.visible}/seqpacket", socket.SOCK_SEQPACKET)
        self.ears.listen_unix(f"\0{self.nonce}-stream")
        self.ears.listen_unix(f"\0{self.nonce}-datagram", socket.SOCK_DGRAM)

    def _make_terminals(self) -> None:
        self.terminals, self.keyboards = [], []
        for _ in range(2):
            master, slave = os.openpty()
            self.terminals.append(os.ttyname(slave))
            self.keyboards.append(os.dup(master))
            self._stack.callback(os.close, self.keyboards[-1])
            self.give(self.terminals[-1])
            self._stack.callback(os.close, slave)
            self.ears.listen_descriptor(master)

    def start(self, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a process of the user's that ends with the world."""
        process = subprocess.Popen(command, **{"cwd": "/", **self.user.options(), **options})
        self._stack.callback(_end, process)
        return process

    def docker_profile(self) -> list[str]:
        """Return what runs a command as this user under Docker's default profile; to be started by root."""
        program = f"{self.aside}/outside/docker_profile.py"
        return [self.python, "-I", program, str(self.user.uid), str(self.user.gid)]

    def _start_processes(self) -> None:
        told = {
            **{
                name: self.secret(name)
                for name in ("memory", "unlinked_secret", "memory_file", "shared", "message")
            },
            **{name: self.secret(name) for name in ("key_secret", "posix_secret")},
            "attacker": ["127.0.0.1", self.ears.ports["tcp4"]],
            "unlinked": f"{self.tmp}/unlinked",
            "key": secrets.randbelow(1 << 30) + 1,
            "posix_queue": f"veln-{self.nonce}",
            "key_name": f"veln-{self.nonce}",
        }
        self._canary = self.start(
            [self.python, "-I", f"{self.aside}/outside/canary.py", self.secret("cmdline")],
            env={"CANARY": self.secret("environ")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.canary = self.ask_canary(json.dumps(told))
        self.key_name = told["key_name"]

    def ask_canary(self, line: str) -> Any:
        """Say a line to the canary; return what it answers."""
        assert self._canary.stdin is not None
        assert self._canary.stdout is not None
        self._canary.stdin.write(line.encode("ascii") + b"\n")
        self._canary.stdin.flush()
        return json.loads(self._canary.stdout.readline())

    def start_sitters(self) -> None:
        """Start the processes that are to be harmed, one for each such attack."""
        for name in _SITTERS:
            if name not in self.sitters or self.sitters[name].poll() is not None:
                self.sitters[name] = self.start(["sleep", "3600"], start_new_session=True)
        for process in self.sitters.values():
            while Path(f"/proc/{process.pid}/comm").read_text("latin-1") != "sleep\n":
                time.sleep(0.001)

    def setup(self) -> dict[str, Any]:
        """Return what the attacks are told of the world (`World` in `inside/common.py`)."""
        ports = {name: self.ears.ports[name] for name in ("tcp4", "tcp6", "udp", "udplite", "sctp", "vsock")}
        return {
            **ports,
            "nonce": self.nonce,
            "claim": f"claim-{self.nonce}",
            "hosts": ["127.0.0.1", "127.0.0.2", *_own_address()],
            "frame_type": FRAME_TYPE,
            "abstract": f"{self.nonce}-stream",
            "abstract_datagram": f"{self.nonce}-datagram",
            "sockets": self.sockets,
            "datagram_sockets": self.datagram_sockets,
            "seqpacket_socket": f"{self.visible}/seqpacket",
            "home": self.home,
            "places": {"visible": self.visible, "home": self.home, "tmp": self.tmp},
            "system_places": self.system_places(),
            "build": self.build,
            "project": self.project,
            "tools": self.tools,
            "canary": self.canary,
            "key": self.canary["kernel_key"],
            "key_name": self.key_name,
            "sitters": {name: process.pid for name, process in self.sitters.items()},
            "give_to": [STRANGER + 1, STRANGER + 1] if self.user.uid == 0 else [self.user.uid, self.user.gid],
            "hidden": self.hidden,
            "hidden_visible": self.hidden_visible,
            "temporary_secrets": self.temporary_secrets,
            "run_secret": self.run_secret,
            "shared_memory_secret": self.shared_memory,
            "secret_inode": os.stat(f"{self.home}/.aws/credentials").st_ino,
            "secret_generation": generation(f"{self.home}/.aws/credentials"),
            "watched_name": self.secret("watched"),
            "caller": self.caller,
            "terminal": self.terminals[0],
            "other_terminal": self.terminals[1],
            "root_only": self.root_only,
            "allowed": "allowed.example",
            "attacker": "attacker.example",
        }

    @staticmethod
    def system_places() -> list[str]:
        """Return directories of the system's, in which nothing harmful comes of a file with our name."""
        return ["/usr/local/bin", "/usr/local/lib", "/etc", "/opt", "/var/lib", "/"]

    def snapshot(self) -> dict[str, Any]:
        """Return, by attack, the state of what that attack alone is to change."""
        state: dict[str, Any] = {}
        for name in _VICTIMS:
            state[name] = [file_state(f"{place}/victims/{name}") for place in (self.visible, self.home)]
        for name, process in self.sitters.items():
            state[name] = process_state(process)
        for name in (".bashrc", ".ssh/authorized_keys", ".gitconfig"):
            state.setdefault("write_home", []).append(file_state(f"{self.home}/{name}"))
        state["write_hidden_name"] = file_state(self.hidden["write_hidden_name"])
        state["inherited_descriptor"] = file_state(self.leaked)
        return state


def _own_address() -> list[str]:
    """Return this machine's own address in a network, if it has one; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))
        address = probe.getsockname()[0]
        return [] if address.startswith("127.") else [address]
    return []


def _end(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(0.5 if process.stdin is not None else 0)
    process.kill()
    process.wait()


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
