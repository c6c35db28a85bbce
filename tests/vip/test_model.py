"""The words as types: macs, node names, kinds, and the map from macs to nodes."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.vip.model import Kind, Mac, Node, format_mac, parse_mac, seconds
from exporter.vip.nodes import NodeMap, is_fhrp, same_node
from tests.vip.situations import frame, mac_of, node

fixed = settings(derandomize=True, database=None, deadline=None)


@pytest.mark.parametrize("text", ["02:00:00:AB:cd:ef", "02-00-00-ab-CD-EF", "  02:00:00:ab:cd:ef\n"])
def test_parse_mac(text: str) -> None:
    """Colons or hyphens, upper or lower case, white space around it."""
    assert parse_mac(text) == bytes.fromhex("020000abcdef")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "02:00:00:ab:cd",
        "02:00:00:ab:cd:ef:01",
        "2:0:0:ab:cd:ef",
        "02:00:00:ab:cd:eg",
        "020000abcdef",
        "02:00:00:ab:cd:-1",
    ],
)
def test_parse_mac_refuses(text: str) -> None:
    """Anything but six groups of two digits is an error that quotes the text."""
    with pytest.raises(ValueError, match="not a MAC address") as raised:
        parse_mac(text)
    assert repr(text) in str(raised.value)


@pytest.mark.parametrize("text", ["+2:00:00:ab:cd:ef", "02:00:00:ab:cd: f", "02:00:00:ab:cd:f ", "0٣:00:00:ab:cd:ef"])
def test_parse_mac_wants_hexadecimal_digits_only(text: str) -> None:
    """What Python's `int` would let pass, signs, spaces and digits of other scripts, is no hexadecimal digit."""
    with pytest.raises(ValueError, match="not a MAC address"):
        parse_mac(text)


@given(st.binary(min_size=6, max_size=6))
@fixed
def test_format_mac_is_read_back(raw: bytes) -> None:
    """What is written is read as the same mac, and has the form of the labels."""
    text = format_mac(Mac(raw))
    assert parse_mac(text) == raw
    assert len(text) == 17
    assert text == text.lower()


@given(st.text())
@fixed
def test_parse_mac_raises_nothing_else(text: str) -> None:
    """Any text gives a mac of six bytes or a `ValueError`."""
    try:
        mac = parse_mac(text)
    except ValueError:
        return
    assert len(mac) == 6


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (1.5, 1_500_000_000), (1e-9, 1), (0.1 + 0.2, 300_000_000)])
def test_seconds(value: float, expected: int) -> None:
    """Whole nanoseconds, rounded to the nearest."""
    assert seconds(value) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("node-a", "node-a", True),
        ("node-a", "NODE-A", True),
        ("node-a", "node-a.example.com", True),
        ("Node-A.Example.com", "node-a", True),
        ("node-a", "node-b", False),
        ("node-a", "node-ab", False),
        ("node-a", "node-ab.example.com", False),
        ("node-a.example.com", "node-a.example.org", False),
        ("node-a.example", "node-a.example.com", False),
        ("", "node-a", False),
        ("", ".example.com", False),
        ("10", "10.0.0.1", False),
        ("192.0.2.1", "192.0.2.1", True),
    ],
)
def test_same_node(one: str, other: str, expected: bool) -> None:
    """Case does not matter, a short name is its full name; two full names must be equal, and an address is no name."""
    assert same_node(one, other) is expected
    assert same_node(other, one) is expected


@pytest.mark.parametrize(
    ("mac", "expected"),
    [
        ("00:00:5e:00:01:01", True),
        ("00:00:5e:00:02:ff", True),
        ("00:00:0c:07:ac:10", True),
        ("00:00:5e:00:03:01", False),
        ("00:00:0c:07:ad:10", False),
        ("02:00:00:00:00:41", False),
    ],
)
def test_is_fhrp(mac: str, expected: bool) -> None:
    """VRRP for both families (CARP uses the first) and HSRP, nothing beside them."""
    assert is_fhrp(parse_mac(mac)) is expected


def node_map(*known: Node) -> NodeMap:
    nodes = NodeMap()
    nodes.replace(known)
    return nodes


def test_node_of_a_mac() -> None:
    """A mac leads to the one node that has it; one that two nodes have, or none, leads nowhere."""
    nodes = node_map(node("AX"), node("BX"))
    assert [nodes.node_of(mac_of(letter)) for letter in "ABXC"] == ["node-a", "node-b", "", ""]


def test_one_node_listed_twice_keeps_its_mac() -> None:
    """Two entries of one node do not make its mac ambiguous."""
    assert node_map(node("A"), node("A")).node_of(mac_of("A")) == "node-a"


def test_nodes_are_replaced_as_a_whole() -> None:
    """What the new list does not have is forgotten."""
    nodes = node_map(node("A"))
    nodes.replace([node("B")])
    assert nodes.node_of(mac_of("A")) == ""
    assert [known.name for known in nodes.nodes] == ["node-b"]


def test_complete_means_that_the_mac_of_each_candidate_is_known() -> None:
    """Only candidates count, and no nodes at all is not complete."""
    assert not node_map().complete
    assert node_map(node("A"), node("B")).complete
    assert not node_map(node("A"), Node("node-b")).complete
    assert node_map(node("A"), Node("node-w", candidate=False)).complete
    assert not node_map(node("A", candidate=False)).complete


def test_canonical_name() -> None:
    """A name that some source wrote becomes the node's own; an unknown one stays as it is."""
    nodes = node_map(node("A"))
    assert nodes.canonical("NODE-A.example.com") == "node-a"
    assert nodes.canonical("node-z") == "node-z"


def test_node_addresses() -> None:
    """Whether an address is a node's; not known where no node's addresses are."""
    address = ip_address("192.0.2.1")
    assert node_map(node("A")).has_address(address) is None
    assert node_map(node("A", addresses=["192.0.2.1"])).has_address(address) is True
    assert node_map(node("A", addresses=["192.0.2.2"]), node("B")).has_address(address) is False


def test_announcements_are_three_kinds() -> None:
    """Gratuitous requests and replies and unsolicited advertisements claim; nothing else does."""
    assert {kind for kind in Kind if kind.is_announcement} == {Kind.REQUEST, Kind.REPLY, Kind.NA}


def test_inputs_are_immutable() -> None:
    """An input cannot be changed once it is made."""
    sighting = frame("A", 1)
    with pytest.raises(FrozenInstanceError):
        sighting.at = 2  # type: ignore[misc]
