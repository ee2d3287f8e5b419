"""A small assembler for seccomp filters: classic BPF with labels.

Instructions are those of ``linux/filter.h``, the data they load are ``struct seccomp_data`` of seccomp(2).
Jumps lead forward only, as the kernel demands; a filter is checked for that when it is assembled.
"""

from __future__ import annotations

import ctypes
import struct

TYPE_CHECKING = False  # read by type checkers; typing isn't imported
if TYPE_CHECKING:
    from collections.abc import Mapping

NUMBER = 0
"""Offset of the number of the system call."""
ARCHITECTURE = 4
"""Offset of the calling convention (AUDIT_ARCH_*)."""

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
_JUMP = 0x05  # BPF_JMP | BPF_JA
_RETURN = 0x06  # BPF_RET | BPF_K
EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
ANY_BIT = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_INSTRUCTION = struct.Struct("=HBBI")
_MAX_INSTRUCTIONS = 4096  # BPF_MAXINSNS


def argument(index: int) -> int:
    """Return the offset of the low 32 bits of an argument (both machines are little-endian).

    What the kernel declares as ``int`` or ``unsigned int`` is these bits and nothing else.
    """
    return 16 + 8 * index


class Attached(ctypes.Structure):
    """``struct sock_fprog``: how a filter, an array of ``struct sock_filter``, is given to the kernel."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))

    def __init__(self, program: bytes) -> None:
        super().__init__(len(program) // _INSTRUCTION.size, program)


class Program:
    """A filter that is being written: a list of instructions, of which some jump to labels."""

    def __init__(self) -> None:
        self._code: list[tuple[int, int, int, int, str]] = []
        self._labels: dict[str, int] = {}

    def load(self, offset: int) -> None:
        """Load the 32 bits at an offset of ``struct seccomp_data``."""
        self._code.append((_LOAD, 0, 0, offset, ""))

    def mask(self, bits: int) -> None:
        """Keep only these bits of what is loaded."""
        self._code.append((_AND, 0, 0, bits, ""))

    def give(self, result: int) -> None:
        """End with a result (SECCOMP_RET_*)."""
        self._code.append((_RETURN, 0, 0, result, ""))

    def jump(self, label: str) -> None:
        """Go on at a label."""
        self._code.append((_JUMP, 0, 0, 0, label))

    def jump_if(self, test: int, value: int, label: str) -> None:
        """Go on at a label if what is loaded passes ``EQUAL``, ``AT_LEAST`` or ``ANY_BIT``.

        Conditional jumps reach 255 instructions only, so each is followed by an unconditional one.
        """
        self._code.append((test, 0, 1, value, ""))
        self.jump(label)

    def label(self, name: str) -> None:
        """Name the next instruction.

        Raises:
            ValueError: The name is taken.
        """
        if name in self._labels:
            raise ValueError(f"label {name} twice")
        self._labels[name] = len(self._code)

    def switch(self, cases: Mapping[int, str], other: str) -> None:
        """Go on at the label of the number that is loaded, found by halving; ``other`` for the rest."""
        self._halve(sorted(cases.items()), other)

    def _halve(self, cases: list[tuple[int, str]], other: str) -> None:
        few = 3  # as many comparisons as halving once more takes
        if len(cases) <= few:
            for number, label in cases:
                self.jump_if(EQUAL, number, label)
            self.jump(other)
            return
        middle = len(cases) // 2
        right = f"from {cases[middle][0]}"
        self.jump_if(AT_LEAST, cases[middle][0], right)
        self._halve(cases[:middle], other)
        self.label(right)
        self._halve(cases[middle:], other)

    def assemble(self) -> bytes:
        """Return the filter as an array of ``struct sock_filter``.

        Raises:
            ValueError: A jump leads back or to the next but no instruction, or there are too many.
            KeyError: A label is missing.
        """
        if len(self._code) > _MAX_INSTRUCTIONS:
            raise ValueError(f"{len(self._code)} instructions")
        assembled = []
        for index, (operation, if_true, if_false, value, label) in enumerate(self._code):
            distance = self._labels[label] - index - 1 if label else 0
            if distance < 0:
                raise ValueError(f"a jump back to {label}")
            assembled.append(_INSTRUCTION.pack(operation, if_true, if_false, value + distance))
        return b"".join(assembled)
