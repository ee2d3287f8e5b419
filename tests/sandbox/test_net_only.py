"""A program in a network of its own: the gate is all it reaches, and nothing else about it is different."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from confined import LINUX, Box, probes
from netted import NOBODY, PATIENCE, SRC, Netted, open_directory, python_for

from support import machines
from veln_hook.gate.egress import Egress
from veln_hook.sandbox import net_only

SCRIPT = str(Path(machines.__file__))


@pytest.fixture(scope="module", autouse=True)
def _possible():
    found = net_only.find()
    if not found.works:
        pytest.skip(found.reason)


@pytest.fixture(params=["this user", "another user"])
def netted(request):
    user = None if request.param == "this user" else NOBODY
    if user is not None and os.geteuid() != 0:
        pytest.skip("only root can become another user")
    python = python_for(user)
    if python is None:
        pytest.skip("no interpreter here can be started by another user")
    with Egress([]) as gate:
        yield Netted(user, python, gate)


@contextlib.contextmanager
def listening(family, address):
    """Listen outside; yield the socket and what it was connected to by."""
    with socket.socket(family) as outside:
        outside.bind(address)
        outside.listen()
        outside.setblocking(False)
        yield outside


def came_in(outside) -> bool:
    try:
        taken, _ = outside.accept()
    except BlockingIOError:
        return False
    taken.close()
    return True


CONNECT = """
import socket, sys
made = socket.socket(getattr(socket, sys.argv[1]))
made.settimeout(20)
try:
    made.connect(eval(sys.argv[2]))
    print("connected")
except OSError as error:
    print(type(error).__name__)
"""


# --- nothing outside is reached ----------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "own"])
def test_no_socket_that_listens_outside_is_reached(netted, address):
    if address == "own":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("192.0.2.1", 9))  # sends nothing, and tells the address that would be used
            except OSError:
                pytest.skip("this machine has loopback only")
            address = probe.getsockname()[0]
    with listening(socket.AF_INET, (address, 0)) as outside:
        target = (address, outside.getsockname()[1])
        assert netted.code(CONNECT, "AF_INET", repr(target)) == "ConnectionRefusedError"
        assert not came_in(outside)
        with socket.create_connection(target):
            assert came_in(outside), "it listens for others"


def test_ipv6_leads_nowhere(netted):
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    try:
        outside = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6")
    with outside:
        outside.setblocking(False)
        said = netted.code(CONNECT, "AF_INET6", repr(("::1", outside.getsockname()[1])))
        assert said in ("ConnectionRefusedError", "OSError")
        assert netted.code(CONNECT, "AF_INET6", repr(("2001:db8::1", 443))) == "OSError"
        assert not came_in(outside)


def test_no_datagram_leaves(netted):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outside:
        outside.bind(("127.0.0.1", 0))
        outside.setblocking(False)
        send = "import socket, sys; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', int(sys.argv[1])))"
        netted.code(send, str(outside.getsockname()[1]))
        with pytest.raises(BlockingIOError):
            outside.recv(10)


def test_an_abstract_socket_is_closed_and_one_with_a_path_is_open(netted):
    """The second is what this wall can't do, and the documentation says so."""
    with open_directory() as directory, listening(socket.AF_UNIX, "\0veln-hook-test") as abstract:
        assert netted.code(CONNECT, "AF_UNIX", repr("\0veln-hook-test")) == "ConnectionRefusedError"
        assert not came_in(abstract)
        with listening(socket.AF_UNIX, str(directory / "s")) as path:
            os.chmod(directory / "s", 0o777)
            assert netted.code(CONNECT, "AF_UNIX", repr(str(directory / "s"))) == "connected"
            assert came_in(path)


def test_the_only_interface_is_loopback(netted):
    assert netted.code("import socket; print([name for _, name in socket.if_nameindex()])") == "['lo']"


def test_the_network_outside_can_not_be_joined_again(netted):
    if not shutil.which("nsenter"):
        pytest.skip("nsenter isn't installed")
    done = netted.run("/bin/sh", "-c", f"exec nsenter --net=/proc/{os.getpid()}/ns/net true")
    assert done.returncode != 0, done
    assert b"ermission denied" in done.stderr or b"not permitted" in done.stderr, done


# --- the gate is ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def answering():
    """Answer each connection outside with one HTTP response, and keep the first lines of the requests."""
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as outside:

        def serve():
            while True:
                try:
                    taken, _ = outside.accept()
                except OSError:
                    return
                with taken:
                    asked.append(taken.recv(65536).split(b"\r\n")[0].decode())
                    taken.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield outside.getsockname()[1], asked
        finally:
            outside.shutdown(socket.SHUT_RDWR)
            thread.join()


FETCH = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())"


def test_what_is_allowed_on_this_machine_s_loopback_is_reached_by_the_proxy(netted):
    with answering() as (port, asked), Egress([f"127.0.0.1:{port}"]) as netted.gate:
        env = {"http_proxy": net_only.PROXY_URL, "PATH": os.defpath}
        assert netted.code(FETCH, f"http://127.0.0.1:{port}/simple", env=env) == "hello"
    assert asked == ["GET /simple HTTP/1.1"]


def test_who_ignores_proxies_finds_names_that_lead_to_the_gate(netted):
    with answering() as (port, asked):

        def resolver(host, _, *, type):  # noqa: A002 - as getaddrinfo has it
            return [(socket.AF_INET, type, 6, "", ("127.0.0.1", port))]

        names = ["files.example.org"]
        with Egress(names, private=names, resolver=resolver) as netted.gate:
            assert netted.code(FETCH, "http://files.example.org/x", env={"PATH": os.defpath}) == "hello"
            refused = netted.run(netted.python, "-I", "-c", FETCH, "http://other.example.org/", env={})
            assert refused.returncode == 1
            assert [row.host for row in netted.gate.refusals()] == ["other.example.org"]
    assert asked == ["GET /x HTTP/1.1"]


# --- nothing else is different -------------------------------------------------------------------------------

TELL = """
import json, os, resource, signal, sys
print(json.dumps({
    "pid": os.getpid(), "parent": os.getppid(), "group": os.getpgrp(), "session": os.getsid(0), "cwd": os.getcwd(),
    "ids": [*os.getresuid(), *os.getresgid()], "environ": dict(os.environ), "argv": sys.argv,
    "mask": [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    "ignored": open("/proc/self/status").read().split("SigIgn:")[1].split()[0],
    "files": resource.getrlimit(resource.RLIMIT_NOFILE), "umask": os.umask(0), "fds": sorted(map(int, os.listdir("/proc/self/fd"))),
}))
"""


def test_the_process_is_the_one_that_was_started(netted):
    words = (netted.python, "-I", "-S", "-X", "utf8", "-c", TELL, "an argument", "", "\xe9")
    env = {"A": "1", "EMPTY": "", "ODD": "\udcff=="}
    with netted.popen(*words, env=env, stdout=subprocess.PIPE) as inside:
        told = json.loads(inside.stdout.read())
        number = inside.pid
    with subprocess.Popen(words, env=env, cwd="/", stdout=subprocess.PIPE, **netted.as_user()) as outside:
        expected = json.loads(outside.stdout.read())
    assert inside.returncode == outside.returncode == 0
    assert told["pid"] == number
    assert len(told.pop("fds")) == len(expected.pop("fds")) + 1, "the route"
    del told["pid"], expected["pid"]
    assert told == expected


def test_it_leaves_no_process_behind_and_the_route_ends_with_it(netted):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        argv = net_only.command(
            (netted.python, "-I", "-c", "import os; print(os.getpid()); input()"), theirs.fileno()
        )
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(
            [netted.python, *argv[1:]], pass_fds=(theirs.fileno(),), cwd="/", **pipes, **netted.as_user()
        ) as process:
            theirs.close()
            assert int(process.stdout.readline()) == process.pid
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            if children.exists():
                assert children.read_text() == ""
            process.communicate(b"\n")
        ours.settimeout(PATIENCE)
        while True:
            data, descriptors, _, _ = socket.recv_fds(ours, 1024, 4)
            for descriptor in descriptors:
                os.close(descriptor)
            if not data:
                break


@pytest.mark.parametrize("status", [0, 1, 78, 255])
def test_the_exit_status_is_its_own(netted, status):
    assert netted.run("/bin/sh", "-c", f"exit {status}").returncode == status


@pytest.mark.parametrize("name", ["TERM", "INT", "KILL", "PIPE"])
def test_a_signal_to_it_ends_it(netted, name):
    number = signal.Signals[f"SIG{name}"]
    with netted.popen("/bin/sh", "-c", "echo ready; exec sleep 1000", stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait(PATIENCE) == -number


def test_it_has_the_terminal(netted):
    leader, follower = pty.openpty()
    try:
        done = netted.run("/bin/sh", "-c", "tty; ps -o tpgid= -p $$; echo $$", stdin=follower)
        assert done.stdout.split()[0].decode() == os.ttyname(follower)
    finally:
        os.close(leader)
        os.close(follower)


def test_files_it_makes_are_this_user_s(netted):
    with open_directory() as directory:
        netted.code("import sys; open(sys.argv[1], 'w').close()", str(directory / "made"))
        expected = os.geteuid() if netted.user is None else netted.user
        assert (directory / "made").stat().st_uid == expected


def test_root_sees_the_files_of_others_as_theirs(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("not root")
    (tmp_path / "theirs").touch()
    os.chown(tmp_path / "theirs", 12345, 54321)
    with Egress([]) as gate:
        say = "import os, sys; found = os.stat(sys.argv[1]); print(found.st_uid, found.st_gid)"
        assert Netted(None, sys.executable, gate).code(say, str(tmp_path / "theirs")) == "12345 54321"


# --- where it can't be -----------------------------------------------------------------------------------------


def test_a_missing_program_and_one_that_can_not_run(netted):
    assert netted.run("/no/such/program").returncode == 127
    assert netted.run("/etc/passwd").returncode == 126
    with pytest.raises(ValueError, match="no path"):
        net_only.command(["uv"], 3)


def test_without_a_route_nothing_runs(netted):
    argv = net_only.command(["/bin/echo", "ran"], 199)
    done = subprocess.run(
        [netted.python, *argv[1:]], capture_output=True, check=False, cwd="/", **netted.as_user()
    )
    assert (done.returncode, done.stdout) == (78, b"")
    assert b"there is no network of its own for this (" in done.stderr


def test_a_kernel_that_refuses_is_told_and_nothing_runs(netted):
    with netted.gate as gate:
        route = gate.open_route()
        try:
            argv = net_only.command(["/bin/echo", "ran"], route)
            done = subprocess.run(
                [sys.executable, SCRIPT, machines.CONTAINER, sys.executable, *argv[1:]],
                pass_fds=(route,),
                capture_output=True,
                check=False,
            )
        finally:
            os.close(route)
    assert (done.returncode, done.stdout) == (78, b"")
    assert b"nothing runs" in done.stderr
    assert b"Traceback" not in done.stderr


FIND = (
    "import sys; sys.path.append(sys.argv[1]); from veln_hook.sandbox import net_only; print(net_only.find())"
)


def test_in_a_container_it_is_found_not_to_work():
    command = [sys.executable, SCRIPT, machines.CONTAINER, sys.executable, "-I", "-c", FIND, str(SRC)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert done.stdout.startswith("Found(works=False, reason='unshare: Operation not permitted"), done


@pytest.mark.parametrize("rung", LINUX, ids=lambda rung: rung.value)
def test_inside_a_sandbox_it_is_found_not_to_work(tmp_path, rung):
    probe = probes().get(rung)
    if probe is None or not probe.works:
        pytest.skip("not on this machine")
    box = Box(rung, tmp_path)
    paths = (sys.prefix, sys.base_prefix, str(SRC))
    told = box.python(FIND, str(SRC), read=paths)
    assert told.startswith("Found(works=False"), told


def test_one_in_the_other_works(netted):
    """A gate of its own is all that the inner one reaches."""
    with listening(socket.AF_INET, ("127.0.0.1", 0)) as outside:
        said = netted.code(FIND, str(SRC))
        assert said == "Found(works=True, reason='works')" or "Operation not permitted" in said, said
        assert not came_in(outside)
