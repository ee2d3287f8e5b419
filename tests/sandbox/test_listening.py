"""Which socket listens at an address: told by the kernel in two ways."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from veln_hook.sandbox.listening import Listening, inode_by_table

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sock_diag is Linux'")

WAYS: dict[str, Callable[[bytes, int], int]] = {"sock_diag": Listening().inode, "table": inode_by_table}


def asked(way: str, packed: bytes, port: int) -> int:
    try:
        return WAYS[way](packed, port)
    except OSError as error:
        pytest.skip(f"this kernel doesn't tell by {way}: {error}")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9", "::1"])
def test_the_one_that_listens_is_told(address: str, way: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    packed = socket.inet_pton(family, address)
    with socket.socket(family) as server, socket.socket(family) as client:
        server.bind((address, 0))
        port = server.getsockname()[1]
        assert asked(way, packed, port) == 0
        server.listen()
        assert asked(way, packed, port) == os.fstat(server.fileno()).st_ino
        client.connect((address, port))
        assert asked(way, packed, port) == os.fstat(server.fileno()).st_ino
        assert asked(way, packed, client.getsockname()[1]) == 0
        server.close()
        assert asked(way, packed, port) == 0


def test_the_kernel_tells_who_would_get_the_connection() -> None:
    with socket.socket() as anywhere, socket.socket(socket.AF_INET6) as mapped:
        anywhere.bind(("0.0.0.0", 0))
        anywhere.listen()
        mapped.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        mapped.bind(("::ffff:127.0.0.1", 0))
        mapped.listen()
        for server in (anywhere, mapped):
            found = asked("sock_diag", bytes((127, 0, 0, 1)), server.getsockname()[1])
            assert found == os.fstat(server.fileno()).st_ino
