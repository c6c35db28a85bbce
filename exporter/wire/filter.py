"""Writes the classic BPF program that lets only frames about the watched addresses into user space.

A frame passes if it is
- ARP whose spa is a VIP or a neighbour (a node's own address), or whose spa is 0.0.0.0 and whose tpa is a VIP;
- a neighbour advertisement for a VIP or a neighbour, a solicitation for a VIP from `::`, or any from a neighbour;
plain or behind at most two inline tags (a tag that the kernel stripped is not among them). All else, and what is too
short to tell, is dropped where it costs nothing. Whether what passes is a proper message, `decode` judges and counts:
a frame with odd lengths but a VIP where spa belongs passes too, so that it shows up under its reason.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from exporter.vip.model import IPAddress
from exporter.wire.bpf import (
    DROP,
    MAX_INSTRUCTIONS,
    PASS,
    Instruction,
    Op,
    Program,
    branch,
    otherwise,
    require,
    search,
    search_loaded,
)
from exporter.wire.decode import (
    ETHERTYPE_ARP,
    ETHERTYPE_IPV6,
    ICMPV6,
    NEIGHBOUR_ADVERTISEMENT,
    NEIGHBOUR_SOLICITATION,
    VLAN_ETHERTYPES,
)

_SO_ATTACH_FILTER = 26

# From the index register on, which holds the length of the inline tags.
_SPA, _TPA = 28, 38
_VERSION, _NEXT_HEADER, _SOURCE, _ICMPV6_TYPE, _TARGET = 14, 20, 22, 54, 62


def compile_filter(vips: Iterable[IPAddress], neighbours: Iterable[IPAddress] = ()) -> Program:
    """The best of the `programs` for these addresses."""
    return next(programs(vips, neighbours))


def programs(vips: Iterable[IPAddress], neighbours: Iterable[IPAddress] = ()) -> Iterator[Program]:
    """The programs for these addresses that are not too long for the kernel, the best first.

    1. All addresses exactly.
    2. The VIPs exactly, and no neighbours: they are not to take the room of those.
    3. A few instructions that pass every gratuitous ARP, every ARP probe, every advertisement and every solicitation
       from `::`: the decoder picks the watched ones. Ordinary requests and replies in the name of a VIP are not seen
       then, and little of neighbours. Some 2,500 scattered VIPs of IPv4, or 350 of IPv6, leave no other.
    """
    watched = {vip.packed for vip in vips}
    others = {neighbour.packed for neighbour in neighbours} - watched
    if others and len(program := _exact(watched, others)) <= MAX_INSTRUCTIONS:
        yield program
    if len(program := _exact(watched, frozenset())) <= MAX_INSTRUCTIONS:
        yield program
    yield _coarse(watched)


def attach(receiver: socket.socket, vips: Iterable[IPAddress], neighbours: Iterable[IPAddress] = ()) -> None:
    """Give the socket the best filter for these addresses that it has room for, in place of the one that it has.

    Raises:
        OSError: the kernel takes no filter at all.
    """
    *better, last = programs(vips, neighbours)
    for program in better:
        try:
            _attach(receiver, program)
        except OSError as error:
            # The sysctl net.core.optmem_max bounds what a socket's filters, the old one and the new one, may take.
            if error.errno != errno.ENOMEM:
                raise
        else:
            return
    _attach(receiver, last)


def _attach(receiver: socket.socket, program: Program) -> None:
    code = b"".join(instruction.pack() for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    receiver.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(program), ctypes.addressof(buffer)))


def _exact(vips: AbstractSet[bytes], neighbours: AbstractSet[bytes]) -> Program:
    """For these addresses, as they stand in frames; none is both."""
    vips4, vips6 = _by_family(vips)
    neighbours4, neighbours6 = _by_family(neighbours)
    return _dispatch(
        _arp(search_loaded(vips4, _SPA), search_loaded(neighbours4, _SPA)) if vips4 or neighbours4 else DROP,
        _neighbour_discovery(search(vips6, _TARGET), search(neighbours6, _TARGET), search(neighbours6, _SOURCE))
        if vips6 or neighbours6
        else DROP,
    )


def _coarse(vips: AbstractSet[bytes]) -> Program:
    """For any addresses of the VIPs' families."""
    ipv4, ipv6 = _by_family(vips)
    return _dispatch(_GRATUITOUS_OR_PROBE if ipv4 else DROP, _neighbour_discovery(PASS, DROP, DROP) if ipv6 else DROP)


def _by_family(addresses: AbstractSet[bytes]) -> tuple[list[bytes], list[bytes]]:
    return [a for a in addresses if len(a) == 4], [a for a in addresses if len(a) == 16]


def _dispatch(arp: Program, ipv6: Program) -> Program:
    if arp == ipv6 == DROP:
        return DROP
    protocol = branch(Op.IF_EQUAL, ETHERTYPE_ARP, arp, branch(Op.IF_EQUAL, ETHERTYPE_IPV6, ipv6, DROP))
    second_tag = _if_tagged((Instruction(Op.LOAD_INDEX, 0, 0, 8), Instruction(Op.LOAD_HALF, 0, 0, 20)))
    first_tag = _if_tagged((Instruction(Op.LOAD_INDEX, 0, 0, 4), Instruction(Op.LOAD_HALF, 0, 0, 16), *second_tag))
    return (Instruction(Op.LOAD_INDEX, 0, 0, 0), Instruction(Op.LOAD_HALF, 0, 0, 12), *first_tag, *protocol)


def _if_tagged(then: Program) -> Program:
    """Do `then` if the ethertype in hand is a tag's, and go on with what follows in any case."""
    first, second, third = sorted(VLAN_ETHERTYPES)
    return (
        Instruction(Op.IF_EQUAL, 2, 0, first),
        Instruction(Op.IF_EQUAL, 1, 0, second),
        Instruction(Op.IF_EQUAL, 0, len(then), third),
        *then,
    )


def _arp(about_vip: Program, from_neighbour: Program) -> Program:
    """Let the two decide on the sender's address. Where there is none, the address asked for may be a VIP."""
    return (
        Instruction(Op.LOAD_WORD, 0, 0, _SPA),
        Instruction(Op.IF_EQUAL, 0, 2, 0),
        Instruction(Op.LOAD_WORD, 0, 0, _TPA),
        Instruction(Op.JUMP, 0, 0, len(from_neighbour)),
        *otherwise(from_neighbour, about_vip),
    )


_GRATUITOUS_OR_PROBE: Program = (
    Instruction(Op.LOAD_WORD, 0, 0, _SPA),
    Instruction(Op.IF_EQUAL, 4, 0, 0),
    Instruction(Op.STORE, 0, 0, 0),
    Instruction(Op.LOAD_WORD, 0, 0, _TPA),
    Instruction(Op.LOAD_INDEX_FROM_MEMORY, 0, 0, 0),
    Instruction(Op.IF_EQUAL_TO_INDEX, 0, 1, 0),
    *PASS,
    *DROP,
)


def _neighbour_discovery(about_vip: Program, of_neighbour: Program, from_neighbour: Program) -> Program:
    """Let these decide, each on the messages that may concern it.

    Args:
        about_vip: advertisements, and solicitations from `::`.
        of_neighbour: advertisements.
        from_neighbour: solicitations from anybody else.
    """
    advertisement = otherwise(of_neighbour, about_vip)
    somebody_else = (Instruction(Op.JUMP, 0, 0, len(from_neighbour) + len(of_neighbour)), *from_neighbour)
    # The first word of the source that is not zero leads past that jump.
    solicitation = (
        *(
            instruction
            for word in range(4)
            for instruction in (
                Instruction(Op.LOAD_WORD, 0, 0, _SOURCE + 4 * word),
                Instruction(Op.IF_EQUAL, 0, 7 - 2 * word, 0),
            )
        ),
        *somebody_else,
    )
    return (
        *require(Instruction(Op.LOAD_BYTE, 0, 0, _NEXT_HEADER), ICMPV6),
        Instruction(Op.LOAD_BYTE, 0, 0, _VERSION),
        *require(Instruction(Op.AND, 0, 0, 0xF0), 0x60),
        Instruction(Op.LOAD_BYTE, 0, 0, _ICMPV6_TYPE),
        Instruction(Op.IF_EQUAL, 3, 0, NEIGHBOUR_SOLICITATION),
        Instruction(Op.IF_EQUAL, 1, 0, NEIGHBOUR_ADVERTISEMENT),
        *DROP,
        Instruction(Op.JUMP, 0, 0, len(solicitation)),
        *solicitation,
        *advertisement,
    )
