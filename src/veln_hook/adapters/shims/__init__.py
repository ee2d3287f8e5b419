"""Small programs named ``uv``, ``uvx`` and so on that stand before the real ones on ``PATH``.

The real ones are never moved: an upgrade would put them back, and protection
would be gone without a word. Shims lie in a directory of their own.
"""
