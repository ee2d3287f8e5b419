"""Files that the interpreter reads whenever it starts: ``.pth`` and ``.start``."""

from __future__ import annotations


def pth_code(data: bytes) -> list[tuple[int, str]]:
    """Return the lines of a ``.pth`` file that ``site`` executes, with their numbers.

    Source: ``site.addpackage``: lines that begin with ``import`` and a blank or
    tab; it takes the file as text, so anything that ends a line counts. What isn't
    UTF-8 it reads in the encoding of the machine, some of which have more line ends.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return [
        (number, line)
        for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1)
        if line.startswith(("import ", "import\t"))
    ]


def start_targets(text: str) -> list[str]:
    """Return what a ``.start`` file has called at start-up (PEP 829): dotted names."""
    lines = (line.strip() for line in text.lstrip("\ufeff").splitlines())
    return [line.replace(":", ".") for line in lines if line and not line.startswith("#")][:1_000]
