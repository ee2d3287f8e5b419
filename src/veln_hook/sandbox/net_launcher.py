"""What ``net_only`` starts instead of a program: ``python -I -S net_launcher.py ROUTE PORTS PROGRAM...``.

It makes the empty network, hands its listeners over and becomes the program. It runs cold, like
``launcher``, and imports as little.
"""

from __future__ import annotations

import os
import sys

# The last place to look: the standard library's own modules can't be stood in for.
sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def main() -> int:
    """Become the program; return an exit status where that can't be."""
    from veln_hook.sandbox import net_inside  # noqa: PLC0415 - the path is known only now

    route, ports, *words = sys.argv[1:]
    return net_inside.run(int(route), [int(port) for port in ports.split(",")], words)


if __name__ == "__main__":
    # No clean-up of the interpreter: there is nothing left to clean up, and it takes milliseconds.
    os._exit(main())
