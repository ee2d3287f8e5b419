"""Races: an address that changes in memory between the look of a guard and the kernel's. Run only when named."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from common import named

if TYPE_CHECKING:
    from common import World


def _tool(world: World, kind: str, *arguments: object) -> str:
    return world.tool(
        "race", kind, world.race_tries, world.token.decode(), *arguments, seconds=world.race_seconds
    )


@named
def race_connect(world: World) -> object:
    """Connect, the address flipping between one's own listener and the attacker."""
    return _tool(world, "connect", world.hosts[0], world.tcp4)


@named
def race_connect6(world: World) -> object:
    """The same with sockets of IPv6."""
    return _tool(world, "connect6", world.hosts[0], world.tcp4)


@named
def race_unix(world: World) -> object:
    """Connect, the path flipping between one's own socket and a service's."""
    return _tool(world, "unix", os.path.join(world.build, "race"), world.sockets["build"])


@named
def race_unix_home(world: World) -> object:
    """The same with a service in the home directory."""
    return _tool(world, "unix", os.path.join(world.build, "race-home"), world.sockets["home"])


@named
def race_bind(world: World) -> object:
    """Bind, the address flipping between loopback and every address there is."""
    return _tool(world, "bind", os.path.join(world.build, "asks"), world.name)
