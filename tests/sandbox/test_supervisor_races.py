"""Arguments that change while the supervisor looks at them: two threads against it, with real strangers to reach."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from supervised import Supervised, compiled, needs_supervisor, stranger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = needs_supervisor

TRIES = [1000, pytest.param(100_000, marks=pytest.mark.slow)]

RACE = r"""
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static union { struct sockaddr any; struct sockaddr_in in; struct sockaddr_un un; char raw[128]; } shared, ours, theirs;
static socklen_t length = sizeof shared.in;
static volatile int end;
static int swapped = -1, number = 100;

static void *swap(void *unused) {
    while (!end) {
        memcpy(&shared, &theirs, sizeof shared.un);
        if (swapped >= 0) dup2(swapped, number);
        memcpy(&shared, &ours, sizeof shared.un);
    }
    return unused;
}

static struct sockaddr_in internet(const char *address, int port) {
    struct sockaddr_in made = { .sin_family = AF_INET, .sin_port = htons(port) };
    inet_pton(AF_INET, address, &made.sin_addr);
    return made;
}

static void serve(int made, const struct sockaddr *address, socklen_t size) {
    if (bind(made, address, size) || listen(made, 128)) { perror("serve"); exit(1); }
    fcntl(made, F_SETFL, O_NONBLOCK); /* what waits is accepted after each try */
}

static int escaped(int made) { /* whether it has an address that isn't of loopback */
    struct sockaddr_in name;
    socklen_t size = sizeof name;
    memset(&name, 0, sizeof name);
    getsockname(made, (struct sockaddr *)&name, &size);
    return name.sin_family == AF_INET && ntohl(name.sin_addr.s_addr) >> 24 != 127;
}

int main(int count, char **arguments) {
    (void)count;
    int tries = atoi(arguments[2]), connected = 0, wrong = 0;
    pthread_t thread;
    int server = -1;
    if (!strcmp(arguments[1], "tcp")) {
        struct sockaddr_in any = internet("127.0.0.1", 0);
        server = socket(AF_INET, SOCK_STREAM, 0);
        serve(server, (struct sockaddr *)&any, sizeof any);
        socklen_t size = sizeof ours.in;
        getsockname(server, &ours.any, &size);
        theirs.in = internet("127.0.0.1", atoi(arguments[3]));
    } else if (!strcmp(arguments[1], "unix")) {
        server = socket(AF_UNIX, SOCK_STREAM, 0);
        ours.un.sun_family = theirs.un.sun_family = AF_UNIX;
        strcpy(ours.un.sun_path, "ours");
        strcpy(theirs.un.sun_path, arguments[3]);
        serve(server, &ours.any, sizeof ours.un);
        length = sizeof shared.un;
    } else {
        ours.un.sun_family = AF_UNIX;
        memcpy(ours.un.sun_path, "\0veln-hook-race", 15);
        theirs.in = internet("0.0.0.0", 0);
        length = sizeof shared.in;
    }
    memcpy(&shared, &ours, sizeof shared.un);
    pthread_create(&thread, NULL, swap, NULL);
    for (int try = 0; try < tries; try++) {
        if (server >= 0) {
            int made = socket(ours.any.sa_family, SOCK_STREAM, 0);
            connected += connect(made, &shared.any, length) == 0;
            close(made);
            int taken = accept4(server, NULL, NULL, SOCK_NONBLOCK);
            if (taken >= 0) close(taken);
        } else {
            int local = socket(AF_UNIX, SOCK_STREAM, 0);
            swapped = socket(AF_INET, SOCK_STREAM, 0);
            dup2(local, number);
            connected += bind(number, &shared.any, length) == 0;
            wrong += escaped(swapped) + escaped(number) + escaped(local);
            int last = swapped;
            swapped = -1;
            close(last);
            close(local);
        }
    }
    end = 1;
    pthread_join(thread, NULL);
    printf("[%d, %d]\n", connected, wrong);
    return 0;
}
"""


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Supervised]:
    with Supervised(tmp_path) as made:
        yield made


@pytest.fixture
def race(tmp_path: Path) -> str:
    return compiled(RACE, tmp_path / "race")


def without_supervisor(command: list[str], escaped: Callable[[str], int]) -> None:
    """Show that the race can be won where nobody is in the way: run it until it is."""
    while not escaped(subprocess.check_output(command, text=True)):
        Path("ours").unlink(missing_ok=True)


@pytest.mark.parametrize("tries", TRIES)
def test_an_address_that_changes_meanwhile_reaches_nobody_outside(
    tries: int, box: Supervised, race: str
) -> None:
    with stranger(("127.0.0.1", 0)) as server:
        result = box.run([race, "tcp", str(tries), str(server.listening.getsockname()[1])])
        assert 0 < json.loads(result.stdout)[0] < tries, result.stderr
        assert server.reached == 0
        without_supervisor(
            [race, "tcp", "100", str(server.listening.getsockname()[1])], lambda _: server.reached
        )


@pytest.mark.parametrize("tries", TRIES)
def test_a_name_that_changes_meanwhile_reaches_nobody_outside(
    tries: int, box: Supervised, race: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(box.outside)
    with stranger("theirs", socket.AF_UNIX) as server:
        result = box.run([race, "unix", str(tries), "../outside/theirs"])
        assert 0 < json.loads(result.stdout)[0] < tries, result.stderr
        assert server.reached == 0
        without_supervisor([race, "unix", "100", "theirs"], lambda _: server.reached)


@pytest.mark.parametrize("tries", TRIES)
def test_a_socket_that_changes_meanwhile_is_bound_to_loopback_only(
    tries: int, box: Supervised, race: str
) -> None:
    result = box.run([race, "bind", str(tries)])
    bound, wrong = json.loads(result.stdout)
    assert bound > 0, result.stderr
    assert wrong == 0
    without_supervisor([race, "bind", "1000"], lambda told: json.loads(told)[1])
