"""veln_hook.sandbox.macos: the text of a profile, read back and asked what it allows.

No Mac runs these tests: that Seatbelt reads the text the same way is assumed, as the module says.
"""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veln_hook.sandbox.interface import Confinement
from veln_hook.sandbox.macos import PROGRAM, command, profile


def parse(text):
    """Read S-expressions: lists, strings (as ``str`` with a leading quote) and symbols."""
    stack = [[]]
    position = 0
    for token in re.finditer(r'\s+|[()]|"((?:[^"\\\n]|\\["\\])*)"|[^\s()"\\;]+', text):
        assert token.start() == position, f"unreadable at {text[position : position + 40]!r}"
        position = token.end()
        word = token.group()
        if word == "(":
            stack.append([])
        elif word == ")":
            stack[-2].append(stack.pop())
        elif word.startswith('"'):
            stack[-1].append('"' + re.sub(r"\\(.)", r"\1", token.group(1)))
        elif word.strip():
            stack[-1].append(word)
    assert position == len(text)
    assert len(stack) == 1
    return stack[0]


def within(path, directory):
    return path == directory or path.startswith(directory + "/")


def allows(text, operation, path="", sort="file"):
    """Ask a profile, by the rule that the last match wins."""
    verdict = "allow"
    for rule in parse(text)[1:]:
        operations = [part for part in rule[1:] if isinstance(part, str)]
        filters = [part for part in rule[1:] if isinstance(part, list)]
        if not any(
            op in (operation, "default") or (op.endswith("*") and operation.startswith(op[:-1]))
            for op in operations
        ):
            continue
        if sort == "socket":
            filters = [
                inner
                for kind, *rest in filters
                if kind in ("remote", "local") and rest[0] == "unix-socket"
                for inner in rest[1:]
            ]
            matched = any(kind == "subpath" and within(path, name[1:]) for kind, name in filters)
        elif sort == "address":
            matched = operations == ["default"] or any(
                part == ["remote", "ip", '"' + path] for part in filters
            )
        else:
            matched = not filters or any(
                (part[0] == "subpath" and within(path, part[1][1:]))
                or (part[0] == "literal" and path == part[1][1:])
                for part in filters
                if isinstance(part[1], str)
            )
        if matched or "default" in operations:
            verdict = rule[0]
    return verdict == "allow"


def reads(text, path):
    return allows(text, "file-read-data", str(path))


def writes(text, path):
    return allows(text, "file-write-create", str(path))


@pytest.fixture
def place(tmp_path):
    """A machine below a directory that a confinement hides, as /Users is; real paths throughout."""
    for name in ("home/me/.aws", "home/me/work/src", "home/me/.pyenv/bin", "build/.git/hooks", "own/tmp"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path.resolve()


def confinement(place, **given):
    return Confinement(**{"cwd": str(place / "home/me/work"), "environment": {}, **given})


def test_it_begins_with_nothing(place):
    rules = parse(profile(confinement(place)))
    assert rules[:2] == [["version", "1"], ["deny", "default"]]
    assert all(rule[0] in ("version", "allow", "deny") for rule in rules)


def test_what_is_read_and_written(place, monkeypatch):
    monkeypatch.setattr("veln_hook.sandbox.macos._HIDDEN", (str(place / "home"), "/dev"))
    text = profile(
        confinement(
            place,
            write=(str(place / "build"),),
            read=(str(place / "home/me/.pyenv"),),
            hide=(str(place / "build/.git"),),
        ),
        private=[str(place / "own")],
    )
    assert reads(text, "/usr/lib/libSystem.dylib")
    assert reads(text, place / "home/me/work/src")
    assert reads(text, place / "home/me/.pyenv/bin/python")
    assert reads(text, place / "build/x")
    assert reads(text, place / "own/tmp/x")
    assert writes(text, place / "build/x")
    assert writes(text, place / "own/tmp/x")
    for hidden in (
        "home/me/.aws/credentials",
        "home/me",
        "home/you/x",
        "home/me/.pyenv2/x",
        "build/.git/config",
    ):
        assert not reads(text, place / hidden)
    for fixed in (
        "home/me/work/src",
        "home/me/.pyenv/bin",
        "build/.git/hooks/x",
        "buildx",
        "/usr/local/bin/x",
        "/etc/x",
    ):
        assert not writes(text, place / fixed)
    # What leads to an opened place can be asked for, not listed.
    assert allows(text, "file-read-metadata", str(place / "home/me"))
    assert not allows(text, "file-read-metadata", str(place / "home/me/.aws"))


@pytest.mark.parametrize("hidden", ["/Users/me/.ssh/id", "/private/tmp/x", "/private/var/folders/a/b/T/x", "/private/var/run/docker.sock", "/private/var/root/x", "/dev/disk0", "/dev/ttys001"])  # fmt: skip
def test_what_is_hidden_without_being_named(hidden):
    text = profile(Confinement(cwd="/usr", environment={}))
    assert not reads(text, hidden)
    if not hidden.startswith("/dev"):
        assert not reads(text, "/System/Volumes/Data" + hidden)


def test_what_is_hidden_wins_over_everything_and_under_both_names(place):
    build = str(place / "build")
    text = profile(
        confinement(place, write=(build,), read=(build,), hide=(build + "/.git",)), private=[build]
    )
    assert writes(text, build + "/x")
    for name in (
        build + "/.git",
        build + "/.git/hooks/post-commit",
        "/System/Volumes/Data" + build + "/.git/x",
    ):
        assert not reads(text, name)
        assert not writes(text, name)
        assert not allows(text, "file-read-metadata", name)


def test_a_hidden_place_can_not_be_moved_into_sight(place):
    (place / "build/a/b/secret").mkdir(parents=True)
    text = profile(confinement(place, write=(str(place / "build"),), hide=(str(place / "build/a/b/secret"),)))
    for above in ("build", "build/a", "build/a/b", "build/a/b/secret"):
        assert not allows(text, "file-write-unlink", str(place / above))
    assert allows(text, "file-write-unlink", str(place / "build/a/b/other"))
    assert not allows(text, "file-link", str(place / "build/x"))


def test_links_are_resolved_before_they_are_compared(place):
    (place / "shortcut").symlink_to(place / "build")
    text = profile(confinement(place, write=(str(place / "shortcut"),), hide=(str(place / "shortcut/.git"),)))
    assert writes(text, place / "build/x")
    assert not writes(text, place / "shortcut/x")
    assert not reads(text, place / "build/.git/config")


def test_what_does_not_exist_is_not_opened_and_is_hidden_all_the_same(place):
    absent = str(place / "absent")
    text = profile(confinement(place, write=(absent,), read=(absent,)))
    assert not writes(text, absent)
    assert not reads(profile(confinement(place, hide=(absent,), write=(str(place),))), absent)


def test_without_a_gate_there_is_no_network(place):
    text = profile(confinement(place))
    assert "network" not in text
    assert not allows(text, "network-outbound", "localhost:443", "address")


def test_the_gate_is_all_there_is_to_reach(place):
    text = profile(confinement(place), port=43128)
    assert allows(text, "network-outbound", "localhost:43128", "address")
    assert [
        rule for rule in parse(text) if any("network" in part for part in rule[1:] if isinstance(part, str))
    ] == [["allow", "network-outbound", ["remote", "ip", '"localhost:43128']]]


def test_unix_sockets_work_in_the_private_directories_only(place):
    text = profile(confinement(place, write=(str(place / "build"),)), private=[str(place / "own")], port=1)
    for operation in ("network-bind", "network-inbound", "network-outbound"):
        assert allows(text, operation, str(place / "own/tmp/x"), "socket")
        for door in (
            "/private/var/run/mDNSResponder",
            "/private/var/run/docker.sock",
            str(place / "build/x"),
            str(place / "own2"),
        ):
            assert not allows(text, operation, door, "socket")


@pytest.mark.parametrize(
    "door",
    ["mDNSResponder", "dnssd", "trustd", "securityd", "SecurityServer", "appleevent", "lsopen", "coreservicesd", "launchservicesd", "*:*", "regex"],
)  # fmt: skip
def test_doors_that_others_left_open_are_not_named(place, door):
    text = profile(
        confinement(place, terminal=True, write=(str(place / "build"),)),
        private=[str(place / "own")],
        port=3128,
    )
    assert door not in text


def test_processes_outside_are_left_alone(place):
    rules = parse(profile(confinement(place)))
    targets = [rule for rule in rules if rule[1] in ("signal", "process-info*")]
    assert ["allow", "signal", ["target", "same-sandbox"]] in targets
    assert all(rule[0] == "deny" or rule[2] == ["target", "same-sandbox"] for rule in targets)
    sysctl = [rule for rule in rules if rule[1] == "sysctl-read"]
    assert sysctl[-1] == [
        "deny",
        "sysctl-read",
        ["sysctl-name-prefix", '"kern.procargs'],
    ]  # others' environment


@pytest.mark.parametrize("terminal", [False, True])
def test_a_terminal_is_opened_on_demand_and_never_typed_into(place, terminal):
    text = profile(confinement(place, terminal=terminal))
    assert reads(text, "/dev/tty") is terminal
    assert allows(text, "file-write-data", "/dev/tty") is terminal
    assert not allows(text, "file-ioctl", "/dev/tty")  # TIOCSTI
    assert allows(text, "file-write-data", "/dev/null")
    assert reads(text, "/dev/urandom")
    assert not allows(text, "file-write-create", "/dev/null")


def names_in(text):
    found, waiting = [], parse(text)
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif part.startswith('"'):
            found.append(part[1:])
    return found


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=30))
def test_any_path_comes_back_as_it_was_or_is_refused(name):
    path = os.path.normpath("/nowhere/" + name + "/end")
    asked = Confinement(cwd="/usr", environment={}, hide=(path,))
    if re.search(r"[\x00-\x1f\x7f]", path):
        with pytest.raises(ValueError, match="can't be told"):
            profile(asked)
        return
    text = profile(asked)
    plain = profile(Confinement(cwd="/usr", environment={}, hide=("/nowhere/x/end",)))
    assert path in names_in(text)
    # As many rules as for a name without anything in it to escape.
    assert len(parse(text)) == len(parse(plain))
    assert not reads(text, path + "/x")


@pytest.mark.parametrize(
    "path",
    [
        '/a"))(allow default)(deny file-read* (subpath "/x',
        "/a\\",
        '/a\\"',
        "/a;b",
        "/a #|b",
        "/ü/é ñ",
        "/a\u00a0b",
        "/%s",
    ],
)
def test_a_path_can_not_add_rules(path):
    text = profile(Confinement(cwd="/usr", environment={}, hide=(path,)))
    assert path in names_in(text)
    assert ["allow", "default"] not in parse(text)


@pytest.mark.parametrize("path", ["/a\nb", "/a\tb", "/a\x7f", "/a\udcff", "relative", "", "./x"])
def test_a_path_that_can_not_be_told_is_refused(path):
    with pytest.raises(ValueError):
        profile(Confinement(cwd="/usr", environment={}, hide=(path,)))


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_number_that_is_no_port_is_refused(port):
    with pytest.raises(ValueError, match="no port"):
        profile(Confinement(cwd="/usr", environment={}), port=port)


def test_the_command(place):
    text = profile(confinement(place))
    assert command(text, ["make", "-j8", "-p"]) == [PROGRAM, "-p", text, "make", "-j8", "-p"]
    for none in ([], [""], ["-f", "/etc/passwd"]):
        with pytest.raises(ValueError, match="no program"):
            command(text, none)
