"""Writes the classic BPF program that lets only frames about the watched addresses into user space.

A frame passes if it is
- ARP whose spa is watched, or whose spa is 0.0.0.0 and whose tpa is watched;
- a neighbour advertisement for a watched target, or a solicitation for it from `::`;
plain or behind at most two inline tags (a tag that the kernel stripped is not among them). All else, and what is too
short to tell, is dropped where it costs nothing. Whether what passes is a proper message, `decode` judges and counts:
a frame with odd lengths but a VIP where spa belongs passes too, so that it shows up under its reason.

A program is a tuple of instructions that always ends in a return, so one can be put inside another without labels.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from exporter.vip.model import IPAddress
from exporter.wire.decode import (
    ETHERTYPE_ARP,
    ETHERTYPE_IPV6,
    ICMPV6,
    NEIGHBOUR_ADVERTISEMENT,
    NEIGHBOUR_SOLICITATION,
    VLAN_ETHERTYPES,
)

SNAP_LENGTH = 2048
"""Bytes handed over of a frame: any ARP, and any advertisement up to a usual MTU."""
MAX_INSTRUCTIONS = 4096

_SO_ATTACH_FILTER = 26
_COMPARED_ONE_BY_ONE = 8
"""Addresses compared one by one at the end of the binary search: fewer would lengthen the program."""


class Instruction(NamedTuple):
    """The kernel's `struct sock_filter`."""

    code: int
    jt: int
    jf: int
    k: int

    def pack(self) -> bytes:
        return struct.pack("=HBBI", *self)


Program = tuple[Instruction, ...]

_LOAD_INDEX, _LOAD_INDEX_MEMORY, _STORE = 0x01, 0x61, 0x02
_LOAD_HALF = 0x28
# Loads relative to the index register, which holds the length of the inline tags.
_LOAD_WORD_INDEXED, _LOAD_BYTE_INDEXED = 0x40, 0x50
_AND = 0x54
_JUMP, _IF_EQUAL, _IF_GREATER_OR_EQUAL, _IF_EQUAL_INDEX = 0x05, 0x15, 0x35, 0x1D
_RETURN = 0x06

_DROP: Program = (Instruction(_RETURN, 0, 0, 0),)
_PASS: Program = (Instruction(_RETURN, 0, 0, SNAP_LENGTH),)

_SPA, _TPA = 28, 38
_VERSION, _NEXT_HEADER, _SOURCE, _ICMPV6_TYPE, _TARGET = 14, 20, 22, 54, 62


def compile_filter(vips: Iterable[IPAddress], *, exact: bool = True) -> Program:
    """The program for these addresses.

    Too many of them (some 2,800 of IPv4 or of one IPv6 pool, 350 of scattered IPv6), or `exact` false, gives one of a
    few instructions that passes every gratuitous ARP, every ARP probe, every advertisement and every solicitation from
    `::`: the decoder picks the watched ones. Ordinary requests and replies in the name of a VIP are not seen then.
    """
    packed = {vip.packed for vip in vips}
    if not packed:
        return _DROP
    ipv4 = sorted(address for address in packed if len(address) == 4)
    ipv6 = sorted(address for address in packed if len(address) == 16)
    if exact:
        arp = _about(ipv4) if ipv4 else _DROP
        nd = _neighbour_discovery(_search(ipv6, _TARGET)) if ipv6 else _DROP
        program = _dispatch(arp, nd)
        if len(program) <= MAX_INSTRUCTIONS:
            return program
    return _dispatch(_GRATUITOUS_OR_PROBE if ipv4 else _DROP, _neighbour_discovery(_PASS) if ipv6 else _DROP)


def attach(receiver: socket.socket, vips: Iterable[IPAddress]) -> None:
    """Give the socket the filter for these addresses, in place of the one that it has.

    Raises:
        OSError: the kernel takes no filter at all.
    """
    vips = tuple(vips)
    try:
        _attach(receiver, compile_filter(vips))
    except OSError as error:
        # The sysctl net.core.optmem_max bounds what a socket's filters, the old one and the new one, may take.
        if error.errno != errno.ENOMEM:
            raise
        _attach(receiver, compile_filter(vips, exact=False))


def _attach(receiver: socket.socket, program: Program) -> None:
    code = b"".join(instruction.pack() for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    receiver.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(program), ctypes.addressof(buffer)))


def _dispatch(arp: Program, ipv6: Program) -> Program:
    protocol = _branch(_IF_EQUAL, ETHERTYPE_ARP, arp, _branch(_IF_EQUAL, ETHERTYPE_IPV6, ipv6, _DROP))
    second_tag = _if_tagged((Instruction(_LOAD_INDEX, 0, 0, 8), Instruction(_LOAD_HALF, 0, 0, 20)))
    first_tag = _if_tagged((Instruction(_LOAD_INDEX, 0, 0, 4), Instruction(_LOAD_HALF, 0, 0, 16), *second_tag))
    return (Instruction(_LOAD_INDEX, 0, 0, 0), Instruction(_LOAD_HALF, 0, 0, 12), *first_tag, *protocol)


def _if_tagged(then: Program) -> Program:
    """Do `then` if the ethertype in hand is a tag's, and go on with what follows in any case."""
    first, second, third = sorted(VLAN_ETHERTYPES)
    return (
        Instruction(_IF_EQUAL, 2, 0, first),
        Instruction(_IF_EQUAL, 1, 0, second),
        Instruction(_IF_EQUAL, 0, len(then), third),
        *then,
    )


def _about(ipv4: Sequence[bytes]) -> Program:
    # Without sender address: what counts is the address asked for.
    return (
        Instruction(_LOAD_WORD_INDEXED, 0, 0, _SPA),
        Instruction(_IF_EQUAL, 0, 1, 0),
        Instruction(_LOAD_WORD_INDEXED, 0, 0, _TPA),
        *_choose(_by_first_word(ipv4), _SPA),
    )


_GRATUITOUS_OR_PROBE: Program = (
    Instruction(_LOAD_WORD_INDEXED, 0, 0, _SPA),
    Instruction(_IF_EQUAL, 4, 0, 0),
    Instruction(_STORE, 0, 0, 0),
    Instruction(_LOAD_WORD_INDEXED, 0, 0, _TPA),
    Instruction(_LOAD_INDEX_MEMORY, 0, 0, 0),
    Instruction(_IF_EQUAL_INDEX, 0, 1, 0),
    *_PASS,
    *_DROP,
)


def _neighbour_discovery(target: Program) -> Program:
    """Let `target` decide on advertisements and on solicitations from `::`."""
    from_nobody = tuple(
        instruction
        for word in range(4)
        for instruction in _require(Instruction(_LOAD_WORD_INDEXED, 0, 0, _SOURCE + 4 * word), 0)
    )
    return (
        *_require(Instruction(_LOAD_BYTE_INDEXED, 0, 0, _NEXT_HEADER), ICMPV6),
        Instruction(_LOAD_BYTE_INDEXED, 0, 0, _VERSION),
        *_require(Instruction(_AND, 0, 0, 0xF0), 0x60),
        Instruction(_LOAD_BYTE_INDEXED, 0, 0, _ICMPV6_TYPE),
        Instruction(_IF_EQUAL, 2 + len(from_nobody), 0, NEIGHBOUR_ADVERTISEMENT),
        Instruction(_IF_EQUAL, 1, 0, NEIGHBOUR_SOLICITATION),
        *_DROP,
        *from_nobody,
        *target,
    )


def _require(value: Instruction, expected: int) -> Program:
    return (value, Instruction(_IF_EQUAL, 1, 0, expected), *_DROP)


def _search(keys: Sequence[bytes], offset: int) -> Program:
    """Pass a frame with one of the sorted keys at the offset, comparing four bytes at a time."""
    load = Instruction(_LOAD_WORD_INDEXED, 0, 0, offset)
    return (load, *_choose(_by_first_word(keys), offset + 4))


_Groups = Sequence[tuple[int, Sequence[bytes]]]
"""Words in rising order, each with what may follow it."""


def _by_first_word(keys: Sequence[bytes]) -> _Groups:
    groups: dict[int, list[bytes]] = {}
    for key in keys:
        groups.setdefault(int.from_bytes(key[:4], "big"), []).append(key[4:])
    return tuple(groups.items())


def _choose(groups: _Groups, rest_offset: int) -> Program:
    """Pass a frame whose word in hand is one of the groups' and is followed, at `rest_offset`, by one of its rests."""
    if len(groups) > _COMPARED_ONE_BY_ONE:
        middle = len(groups) // 2
        upper, lower = _choose(groups[middle:], rest_offset), _choose(groups[:middle], rest_offset)
        return _branch(_IF_GREATER_OR_EQUAL, groups[middle][0], upper, lower)
    if groups[0][1] == [b""]:
        equals = (Instruction(_IF_EQUAL, len(groups) - i, 0, word) for i, (word, _) in enumerate(groups))
        return (*equals, *_DROP, *_PASS)
    program = _DROP
    for word, rests in reversed(groups):
        program = _branch(_IF_EQUAL, word, _search(rests, rest_offset), program)
    return program


def _branch(test: int, k: int, then: Program, otherwise: Program) -> Program:
    # A conditional jump reaches 255 instructions, an unconditional one any distance.
    if len(then) <= 255:
        return (Instruction(test, 0, len(then), k), *then, *otherwise)
    if len(otherwise) <= 255:
        return (Instruction(test, len(otherwise), 0, k), *otherwise, *then)
    jump = Instruction(_JUMP, 0, 0, len(otherwise))
    return (Instruction(test, 0, 1, k), jump, *otherwise, *then)
