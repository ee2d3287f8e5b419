"""What a confined command can read and write; each attempt is judged by what is there afterwards, outside."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from veln_hook.sandbox.interface import Rung

SUPERVISED = (Rung.NETNS_SUPERVISOR, Rung.SUPERVISOR)

READ = "import sys\ntry: print(open(sys.argv[1]).read())\nexcept OSError as error: print('refused')"


@pytest.fixture
def open_place():
    """A directory that lies in no hidden place."""
    for parent in ("/opt", "/srv", "/var/lib"):
        if os.access(parent, os.W_OK):
            directory = Path(tempfile.mkdtemp(prefix="veln-hook-test-", dir=parent))
            yield directory
            shutil.rmtree(directory)
            return
    pytest.skip("this user can write nowhere but in hidden places")


def test_it_writes_where_it_may(box):
    box.run("sh", "-c", "mkdir -p a/b && echo text > a/b/file && mv a/b/file moved && ln moved second")
    assert (box.work / "moved").read_text() == "text\n"
    assert (box.work / "second").samefile(box.work / "moved")


def test_it_writes_nowhere_else(box, tmp_path, open_place):
    for directory in (tmp_path, open_place):
        (directory / "there").write_text("before")
        box.run(
            "sh",
            "-c",
            'echo new > "$1/new"; echo after > "$1/there"; rm -f "$1/there"; mv "$1/there" .; mkdir "$1/made"',
            "sh",
            str(directory),
        )
        left = {path.name for path in directory.iterdir()} - {"work"}
        assert left == {"there"}
        assert (directory / "there").read_text() == "before"


def test_a_link_leads_nowhere_else(box, open_place):
    (open_place / "there").write_text("before")
    (box.work / "link").symlink_to(open_place / "there")
    box.run("sh", "-c", 'echo after > link; ln "$1/there" hard && echo after > hard', "sh", str(open_place))
    assert (open_place / "there").read_text() == "before"


def test_home_is_empty_and_its_own(box):
    assert box.python("import os; home = os.environ['HOME']; print(os.listdir(home))") in ("[]", "['.pyenv']")
    assert box.run("sh", "-c", 'echo x > "$HOME/mine" && cat "$HOME/mine"').stdout == b"x\n"
    assert not os.path.exists(os.path.expanduser("~/mine"))


def test_the_temporary_directory_is_its_own(box):
    code = "import tempfile, os; d = tempfile.mkdtemp(); open(os.path.join(d, 'x'), 'w'); print(d)"
    inside = box.python(code.replace("import tempfile", "import sys; sys.path; import tempfile"))
    assert not os.path.exists(inside)


def test_what_is_hidden_by_name_cannot_be_read_even_in_its_own_directory(box):
    secret = box.work / "secret"
    secret.write_text("secret")
    directory = box.work / "secrets"
    directory.mkdir()
    (directory / "key").write_text("secret")
    for path in (secret, directory / "key"):
        told = box.python(READ, str(path), hide=(str(secret), str(directory)))
        assert "secret" not in told
    assert secret.read_text() == "secret"


def test_what_is_readable_in_a_hidden_place_cannot_be_written(box, tmp_path):
    tool = tmp_path / "tool"
    tool.write_text("tool")
    assert box.python(READ, str(tool)) == "refused"
    assert box.python(READ, str(tool), read=(sys.prefix, sys.base_prefix, str(tool))) == "tool"
    box.run("sh", "-c", 'echo changed > "$1"; chmod 777 "$1"', "sh", str(tool), read=(str(tool),))
    assert tool.read_text() == "tool"


def test_what_is_readable_in_a_writable_place_cannot_be_written_where_mounts_can_say_so(box):
    if box.rung in SUPERVISED:
        pytest.skip("Landlock can't take back what it grants on a directory")
    inside = box.work / "kept" / "inside"
    inside.mkdir(parents=True)
    box.run("sh", "-c", "echo x > kept/new; rmdir kept/inside; mv kept away", read=(str(box.work / "kept"),))
    assert [path.name for path in (box.work / "kept").iterdir()] == ["inside"]


def test_the_working_directory_is_writable_within_a_writable_place(box):
    (box.work / "below").mkdir()
    assert box.run("sh", "-c", "echo x > file", cwd=str(box.work / "below")).returncode == 0
    assert (box.work / "below" / "file").exists()


def test_links_in_hidden_places_to_what_is_readable_still_lead_there(box, tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    (real / "file").write_text("text")
    link = tmp_path / "link"
    link.symlink_to(real)
    read = (sys.prefix, sys.base_prefix, str(link))
    if box.rung in SUPERVISED:
        # Landlock goes by what is opened; the link itself lies there as before.
        assert box.python(READ, str(real / "file"), read=read) == "text"
    assert box.python(READ, str(link / "file"), read=read) == "text"


def test_the_launcher_needs_nothing_in_there(box):
    """Not even the interpreter that it runs in, which lies in somebody's home often enough."""
    assert box.run("sh", "-c", "getent hosts name.example; echo ran", read=()).stdout == b"ran\n"


def test_a_program_is_found_whatever_way_its_path_takes(box, tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "shell").symlink_to("/bin/sh")
    program = f"{tmp_path}/a/b/../../tools/shell"
    ended = box.run(program, "-c", "echo ran", read=(str(tmp_path / "tools"),))
    assert ended.stdout == b"ran\n", ended.stderr


def test_standard_streams_can_be_opened_once_more_as_they_are_open(box, open_place):
    (open_place / "out").touch()
    (open_place / "in").write_text("input")
    command = "cat /dev/stdin > copied; echo told > /dev/stderr; (echo changed > /dev/stdin) 2> /dev/null"
    with (
        box.launch("sh", "-c", command, own_processes=True) as launch,
        open(open_place / "in") as stdin,
        open(open_place / "out", "w") as stderr,
    ):
        subprocess.run(launch.argv, check=False, stdin=stdin, stderr=stderr)
    assert (box.work / "copied").read_text() == "input"
    assert (open_place / "out").read_text() == "told\n"
    assert (open_place / "in").read_text() == "input"


def test_a_terminal_of_others_cannot_be_opened(box):
    master, other = os.openpty()
    try:
        name = os.ttyname(other)
        assert box.python(READ.replace("read()", "fileno()"), name, terminal=True) == "refused"
        box.run("sh", "-c", 'echo hello > "$1"', "sh", name, terminal=True)
        os.set_blocking(master, False)
        with pytest.raises(BlockingIOError):
            os.read(master, 10)
    finally:
        os.close(master)
        os.close(other)


def test_devices_are_the_harmless_ones(box):
    assert box.run(
        "sh", "-c", "head -c 4 /dev/urandom | wc -c; echo x > /dev/null; head -c 1 /dev/zero | wc -c"
    ).stdout.split() == [b"4", b"1"]
    disks = [
        f"/dev/{name}" for name in ("mem", "kmsg", "sda", "vda", "nvme0n1") if os.path.exists(f"/dev/{name}")
    ]
    for disk in disks:
        assert box.python(READ, disk) == "refused"


def test_a_socket_outside_cannot_be_reached_by_its_path(box, open_place, tmp_path):
    code = (
        "import socket, sys\n"
        "s = socket.socket(socket.AF_UNIX)\n"
        "try: s.connect(sys.argv[1]); s.send(b'hello'); print('connected')\n"
        "except OSError: print('refused')"
    )
    for directory in (open_place, tmp_path, box.work):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(directory / "socket"))
            listener.listen()
            listener.setblocking(False)
            assert box.python(code, str(directory / "socket")) == "refused"
            with pytest.raises(BlockingIOError):
                listener.accept()


def test_a_socket_with_a_relative_name_cannot_be_reached_either(box, open_place):
    code = (
        "import socket, sys\n"
        "s = socket.socket(socket.AF_UNIX)\n"
        "s.bind('relative'); s.listen(); print('listening', flush=True); sys.stdin.read()"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", code], cwd=open_place, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert server.stdout.readline() == b"listening\n"
        attempt = "import socket, sys\ntry: socket.socket(socket.AF_UNIX).connect(sys.argv[1]); print('in')\n"
        attempt += "except OSError: print('refused')"
        assert box.python(attempt, str(open_place / "relative")) == "refused"
    finally:
        server.communicate()


def test_sockets_may_come_and_go_meanwhile(box, open_place):
    if box.rung is Rung.BUBBLEWRAP:
        pytest.skip(
            "bubblewrap gives up where one is gone that it is to cover; it is started five times, not for ever"
        )
    code = (
        "import os, socket, sys\n"
        "print('on', flush=True)\n"
        "while True:\n"
        "    for name in map(str, range(50)):\n"
        "        s = socket.socket(socket.AF_UNIX); s.bind(name); os.unlink(name); s.close()\n"
    )
    coming = subprocess.Popen([sys.executable, "-c", code], cwd=open_place, stdout=subprocess.PIPE)
    try:
        assert coming.stdout.readline() == b"on\n"
        for _ in range(5):
            assert box.run("true").returncode == 0
    finally:
        coming.kill()
        coming.communicate()


def test_processes_of_others_are_out_of_sight(box):
    code = (
        "import os, sys\n"
        "try: print(open(f'/proc/{sys.argv[1]}/environ').read())\n"
        "except OSError: print('refused')\n"
        "try: os.kill(int(sys.argv[1]), 0); print('reached')\n"
        "except OSError: print('refused')"
    )
    assert box.python(code, str(os.getpid())).splitlines()[0] == "refused"


def test_it_gains_no_privilege(box):
    status = box.run("sh", "-c", "cat /proc/self/status", own_processes=True).stdout.decode()
    values = dict(line.split(":\t", 1) for line in status.splitlines())
    assert values["NoNewPrivs"] == "1"
    assert values["Seccomp"].strip() == "2"
    assert int(values["CapEff"], 16) & ~0b11011 == 0
    assert int(values["CapBnd"], 16) & ~0b11011 == 0


def test_no_file_runs_as_its_owner_for_others(box):
    """A program that is left behind would run outside, as whoever built it."""
    code = (
        "import os\n"
        "def attempt(action):\n"
        "    try: action()\n"
        "    except OSError: pass\n"
        "open('plain', 'w').close()\n"
        "attempt(lambda: os.chmod('plain', 0o6755))\n"
        "attempt(lambda: os.fchmod(os.open('plain', os.O_RDWR), 0o6755))\n"
        "attempt(lambda: os.chmod('plain', 0o2755, dir_fd=os.open('.', os.O_RDONLY)))\n"
        "os.umask(0)\n"
        "attempt(lambda: os.open('opened', os.O_CREAT | os.O_WRONLY, 0o4755))\n"
        "attempt(lambda: os.mknod('made', 0o104755))\n"
        "os.chmod('plain', 0o755)\n"
    )
    box.python(code)
    assert (box.work / "plain").stat().st_mode & 0o7777 == 0o755
    assert not [path for path in box.work.iterdir() if path.stat().st_mode & 0o6000]
