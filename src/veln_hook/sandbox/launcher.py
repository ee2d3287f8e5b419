"""What is started instead of a command: ``python -I -S launcher.py TASK COMMAND...``.

It runs cold, in no environment, so that nothing of the caller's process and nothing that the caller's
site-packages hold for start-up has a part in it.
"""

from __future__ import annotations

import os
import sys

# The last place to look: the standard library's own modules can't be stood in for.
sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def main() -> int:
    """Run; return the exit status."""
    from veln_hook.sandbox import outer, task  # noqa: PLC0415 - the path is known only now

    name, command = sys.argv[1], sys.argv[2:]
    if name == "--inside":
        # bubblewrap has started this one again, in there.
        file, *descriptors = map(int, command.pop(0).split(","))
        with open(file, "rb") as opened:
            again = task.read(opened.read(), command)
        outer.resume(again, descriptors)
        return 0
    with open(name, "rb") as opened:
        read = task.read(opened.read(), command)
    try:
        return outer.run(read, name)
    except outer.Refused as error:
        line = f"veln-hook: the sandbox doesn't hold ({read.rung}: {error}); nothing runs\n"
        os.write(2, line.encode(errors="replace"))
        return outer.CANNOT_CONFINE


if __name__ == "__main__":
    # No clean-up of the interpreter: there is nothing left to clean up, and it takes milliseconds.
    os._exit(main())
