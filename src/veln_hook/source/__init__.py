"""What the code of an archive can do, read and never run.

Rules of this room: it runs in a subprocess (``-I -S``) that parses what strangers
wrote, so its modules import the standard library, ``model``, ``errors`` and
``archive`` only; what it returns is plain data (``facts``), about which others decide.
"""
