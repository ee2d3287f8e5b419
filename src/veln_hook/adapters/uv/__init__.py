"""uv, as far as it must be known: its command lines, its configuration, where what it installs comes from.

uv is a program of its own that no import hook reaches, so it runs behind the gate (``veln-hook uv``), and
the same guard judges what passes there. What is here reads what uv will read, before uv does.
"""
