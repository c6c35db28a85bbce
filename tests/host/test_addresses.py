"""The table of links and addresses: what is told of each change. The rest of its behaviour is in test_watch.py."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from exporter.host.addresses import Bound, Change, HostTable, LinkGone, LinkState, Unbound
from exporter.vip.model import BoundSeen, HostSeen, Input, IPAddress, Link, Mac

ETH0 = LinkState(2, "eth0", Mac(bytes.fromhex("020000000001")), up=True)
LO = LinkState(1, "lo", None, up=True, loopback=True)
VIP = ip_address("192.0.2.50")


def bound(address: str, length: int, index: int = 2) -> Bound:
    return Bound(index, ip_address(address), ip_network(f"{address}/{length}", strict=False))


def told(table: HostTable, at: int = 5) -> list[Input]:
    return table.changes(at)


def test_only_differences_are_told() -> None:
    """With the time of the asking; a repetition of what is known is no difference, not in a dump either."""
    table = HostTable()
    table.replace([ETH0, bound("192.0.2.50", 24)])
    network = ip_network("192.0.2.0/24")
    link = Link("eth0", ETH0.mac, (network,), up=True)
    assert told(table, 7) == [BoundSeen(7, VIP, ("eth0",)), HostSeen(7, (link,))]
    table.apply([ETH0, bound("192.0.2.50", 24)])
    assert told(table) == []
    table.replace([ETH0, bound("192.0.2.50", 24)])
    assert told(table) == []
    table.apply([Unbound(2, VIP, network), bound("192.0.2.50", 24), LinkGone(9)])
    assert told(table) == []
    table.replace([ETH0])
    assert told(table) == [BoundSeen(5, VIP, ()), HostSeen(5, ())]


def test_address_of_a_link_not_known_yet() -> None:
    """It is told once the link is."""
    table = HostTable()
    table.replace([bound("192.0.2.50", 24)])
    assert told(table) == [HostSeen(5, ())]
    table.apply([ETH0])
    assert told(table)[0] == BoundSeen(5, VIP, ("eth0",))


def test_number_used_again() -> None:
    """What was bound on a deleted interface is not on the next one with its number."""
    table = HostTable()
    table.apply([ETH0, bound("192.0.2.50", 24)])
    told(table)
    table.apply([LinkGone(2), LinkState(2, "eth1", None, up=True)])
    assert told(table) == [BoundSeen(5, VIP, ()), HostSeen(5, ())]


def test_internal_addresses_are_left_out() -> None:
    """Loopback and what IPv6 gives every interface; a link-local one of IPv4 counts, but makes no link."""
    table = HostTable()
    table.apply([LO, ETH0, bound("127.0.0.1", 8, 1), bound("::1", 128, 1), bound("fe80::1", 64)])
    assert told(table) == [HostSeen(5, ())]
    table.apply([bound("169.254.20.10", 32)])
    assert told(table) == [BoundSeen(5, ip_address("169.254.20.10"), ("eth0",))]


def test_patterns() -> None:
    """`*` and `?`, over the whole name, in the case as written."""
    table = HostTable(ignore=["kube-*", "tmp?"])
    names = ["kube-ipvs0", "kube", "Kube-ipvs0", "tmp1", "tmp12", "xtmp1"]
    for index, name in enumerate(names, 2):
        table.apply([LinkState(index, name, None, up=True), bound("192.0.2.50", 32, index)])
    assert told(table)[0] == BoundSeen(5, VIP, ("Kube-ipvs0", "kube", "tmp12", "xtmp1"))


def test_forgotten_is_told_again() -> None:
    """All of it, and of what is not bound any more that it is not: nobody knows how far it got."""
    table = HostTable()
    table.apply([ETH0, bound("192.0.2.50", 24), bound("192.0.2.51", 24)])
    everything = told(table)
    table.forget()
    assert told(table) == everything
    table.forget()
    table.replace([ETH0, bound("192.0.2.51", 24)])
    assert told(table)[:2] == [BoundSeen(5, VIP, ()), BoundSeen(5, ip_address("192.0.2.51"), ("eth0",))]
    assert told(table) == []


_indexes = st.integers(1, 3)
_places = st.tuples(
    _indexes, st.sampled_from(["192.0.2.50", "192.0.2.51", "2001:db8::50", "fe80::1"]), st.sampled_from([24, 32])
)
_changes = st.one_of(
    st.builds(LinkState, _indexes, st.sampled_from(["eth0", "eth1", "kube-ipvs0"]), st.none(), up=st.booleans()),
    st.builds(LinkGone, _indexes),
    _places.map(lambda place: bound(place[1], place[2], place[0])),
    _places.map(lambda place: Unbound(place[0], ip_address(place[1]), bound(place[1], place[2]).network)),
)
_steps = st.lists(st.one_of(_changes, st.sampled_from(["tell", "forget"])), max_size=40)


def believed(inputs: list[Input]) -> tuple[dict[IPAddress, tuple[str, ...]], tuple[Link, ...]]:
    """What whoever was told all this believes."""
    devices: dict[IPAddress, tuple[str, ...]] = {}
    links: tuple[Link, ...] = ()
    for each in inputs:
        if isinstance(each, BoundSeen):
            devices[each.vip] = each.devices
        elif isinstance(each, HostSeen):
            links = each.links
    return {address: names for address, names in devices.items() if names}, links


@given(_steps)
def test_whoever_was_told_the_differences_knows_it_all(steps: list[Change | str]) -> None:
    """However changes and tellings alternate, the sum is what a table says that is asked once in the end."""
    table, fresh = HostTable(ignore=["kube-*"]), HostTable(ignore=["kube-*"])
    inputs: list[Input] = []
    for step in steps:
        if step == "tell":
            inputs += told(table)
        elif step == "forget":
            table.forget()
        elif not isinstance(step, str):
            table.apply([step])
            fresh.apply([step])
    inputs += told(table)
    assert believed(inputs) == believed(told(fresh))
