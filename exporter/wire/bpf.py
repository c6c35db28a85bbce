"""Parts of classic BPF programs: branches of any length, and the search for a key among thousands. No protocol.

A program is a tuple of instructions that always ends in a return, so one can be put inside another without labels.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

MAX_INSTRUCTIONS = 4096
"""The kernel's bound (BPF_MAXINSNS)."""
SNAP_LENGTH = 2048
"""Bytes handed over of a frame: any ARP, and any advertisement up to a usual MTU."""

_COMPARED_ONE_BY_ONE = 8
"""Keys, or ranges of them, compared one by one at the end of the binary search: fewer would lengthen the program."""


class Op(IntEnum):
    """The operations in use, on the accumulator unless they name the index register."""

    LOAD_HALF = 0x28
    """Two bytes, k bytes from the frame's beginning."""
    LOAD_WORD = 0x40
    """Four bytes, k bytes beyond where the index register points."""
    LOAD_BYTE = 0x50
    """One, likewise."""
    LOAD_INDEX = 0x01
    """k itself."""
    LOAD_INDEX_FROM_MEMORY = 0x61
    STORE = 0x02
    AND = 0x54
    JUMP = 0x05
    IF_EQUAL = 0x15
    IF_GREATER = 0x25
    IF_GREATER_OR_EQUAL = 0x35
    IF_EQUAL_TO_INDEX = 0x1D
    RETURN = 0x06


class Instruction(NamedTuple):
    """The kernel's `struct sock_filter`."""

    code: int
    jt: int
    jf: int
    k: int

    def pack(self) -> bytes:
        return struct.pack("=HBBI", *self)


Program = tuple[Instruction, ...]

DROP: Program = (Instruction(Op.RETURN, 0, 0, 0),)
PASS: Program = (Instruction(Op.RETURN, 0, 0, SNAP_LENGTH),)


def branch(test: Op, k: int, then: Program, otherwise: Program) -> Program:
    """Compare the accumulator with `k` and do the one or the other."""
    # A conditional jump reaches 255 instructions, an unconditional one any distance.
    if len(then) <= 255:
        return (Instruction(test, 0, len(then), k), *then, *otherwise)
    if len(otherwise) <= 255:
        return (Instruction(test, len(otherwise), 0, k), *otherwise, *then)
    return (Instruction(test, 0, 1, k), Instruction(Op.JUMP, 0, 0, len(otherwise)), *otherwise, *then)


def otherwise(program: Program, then: Program) -> Program:
    """Do `then` wherever `program` would drop the frame."""
    last = len(program) - 1
    drops = (i for i, instruction in enumerate(program) if (instruction,) == DROP)
    jumps = {i: Instruction(Op.JUMP, 0, 0, last - i) for i in drops}
    return (*(jumps.get(i, instruction) for i, instruction in enumerate(program)), *then)


def require(value: Instruction, expected: int) -> Program:
    """Drop the frame unless what is loaded is as expected. What follows goes on from there: no program by itself."""
    return (value, Instruction(Op.IF_EQUAL, 1, 0, expected), *DROP)


def search(keys: Iterable[bytes], offset: int) -> Program:
    """Pass a frame with one of the keys at the offset. All are equally long, in whole words of four bytes."""
    return (Instruction(Op.LOAD_WORD, 0, 0, offset), *search_loaded(keys, offset))


def search_loaded(keys: Iterable[bytes], offset: int) -> Program:
    """As `search`, where the first word is loaded already. Keys of one word leave it loaded."""
    return _choose(_by_first_word(sorted(keys)), offset + 4)


_Groups = Sequence[tuple[int, Sequence[bytes]]]
"""Words in rising order, each with what may follow it."""


def _by_first_word(keys: Iterable[bytes]) -> _Groups:
    groups: dict[int, list[bytes]] = {}
    for key in keys:
        groups.setdefault(int.from_bytes(key[:4], "big"), []).append(key[4:])
    return tuple(groups.items())


def _choose(groups: _Groups, rest_offset: int) -> Program:
    """Pass a frame whose word in hand is one of the groups' and is followed, at `rest_offset`, by one of its rests."""
    if groups and groups[0][1] == [b""]:
        return _within(_ranges(word for word, _ in groups))
    if len(groups) > _COMPARED_ONE_BY_ONE:
        middle = len(groups) // 2
        upper, lower = _choose(groups[middle:], rest_offset), _choose(groups[:middle], rest_offset)
        return branch(Op.IF_GREATER_OR_EQUAL, groups[middle][0], upper, lower)
    program = DROP
    for word, rests in reversed(groups):
        program = branch(Op.IF_EQUAL, word, search(rests, rest_offset), program)
    return program


def _ranges(words: Iterable[int]) -> list[tuple[int, int]]:
    """Words in rising order, those that follow each other put together: addresses mostly come from a pool."""
    ranges: list[tuple[int, int]] = []
    for word in words:
        if ranges and ranges[-1][1] == word - 1:
            ranges[-1] = (ranges[-1][0], word)
        else:
            ranges.append((word, word))
    return ranges


def _within(ranges: Sequence[tuple[int, int]]) -> Program:
    """Pass a frame whose word in hand is in one of the ranges."""
    if len(ranges) > _COMPARED_ONE_BY_ONE:
        middle = len(ranges) // 2
        upper, lower = _within(ranges[middle:]), _within(ranges[:middle])
        return branch(Op.IF_GREATER_OR_EQUAL, ranges[middle][0], upper, lower)
    program: Program = (*DROP, *PASS)
    for first, last in reversed(ranges):
        to_pass = len(program) - 1
        if first == last:
            program = (Instruction(Op.IF_EQUAL, to_pass, 0, first), *program)
        else:
            no_greater = Instruction(Op.IF_GREATER, 0, to_pass, last)
            program = (Instruction(Op.IF_GREATER_OR_EQUAL, 0, 1, first), no_greater, *program)
    return program
