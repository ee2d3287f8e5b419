"""OS-level confinement of a command: what runs, runs without network, secrets or a way out.

``interface`` says what a confinement is, ``ladder`` finds by trying what this machine can do, ``client``
turns a command into one that starts confined, ``launcher`` is the process that does it.

Rule of this room: the modules that ``launcher`` imports need the standard library only and import next to
nothing of it, because their start is paid for by every build.
"""
