"""The bounded tables under a VIP: the claimants that are live or listed, the MACs heard for an address, a histogram.

Each test keeps a line of `exporter/vip/{claimants,histogram,nodes}.py` from being changed unnoticed (docs/mutation.md).
"""

from __future__ import annotations

import pytest

from exporter.vip.claimants import Claim, Claimants
from exporter.vip.histogram import Histogram
from exporter.vip.model import ClaimantClass, Input, Mac, Node, seconds
from exporter.vip.nodes import NodeMap, is_fhrp, same_node, with_macs
from tests.vip.more import ADDRESS, heard, known, node_macs
from tests.vip.situations import JUST, frames, nodes, play

# --- durations --------------------------------------------------------------------------------------------------------


def test_a_duration_counts_in_the_first_bucket_whose_bound_it_does_not_exceed() -> None:
    histogram = Histogram((1, 2))
    for duration in (0, 1, 1 + JUST, 2, 2 + JUST, 1000):
        histogram.observe(seconds(duration))
    shown = histogram.distribution()
    assert (shown.bounds, shown.counts) == ((1, 2), (2, 2, 2))
    assert shown.total == pytest.approx(1006.002)


def test_a_histogram_begins_empty() -> None:
    shown = Histogram((1,)).distribution()
    assert (shown.counts, shown.total) == ((0, 0), 0)


# --- claimants --------------------------------------------------------------------------------------------------------


def mac(number: int) -> Mac:
    return Mac(bytes([6, 0, 0, 0, 0, number]))


def table(*claims: Claim) -> Claimants:
    claimants = Claimants()
    for claim in claims:
        claimants.add(claim, ClaimantClass.FOREIGN)
    return claimants


def numbers(claims: list[Claim]) -> set[int]:
    return {claim.mac[-1] for claim in claims}


def test_a_claimant_is_listed_for_ten_minutes_after_its_last_frame() -> None:
    claimants = table(Claim(mac(1), first=0, last=seconds(5)))
    assert len(claimants.listed(seconds(605))) == 1
    assert claimants.listed(seconds(605) + 1) == ()


def test_a_full_list_gives_up_the_one_heard_longest_ago_when_its_ten_minutes_are_over() -> None:
    """Only then, and for one that is new."""
    old = [Claim(mac(number), first=0, last=seconds(number)) for number in range(16, 0, -1)]
    claimants = table(*old)
    claimants.show(Claim(mac(20), first=seconds(601), last=seconds(601)))
    assert mac(20)[-1] not in numbers(list(claimants.listed(0)))
    claimants.show(Claim(mac(21), first=seconds(601) + 1, last=seconds(601) + 1))
    assert numbers(list(claimants.listed(0))) == {*range(2, 17), 21}
    claimants.show(Claim(mac(2), first=0, last=seconds(700)))
    assert numbers(list(claimants.listed(0))) == {*range(2, 17), 21}


def test_one_that_must_be_listed_takes_the_place_of_the_one_heard_longest_ago() -> None:
    claimants = table(*(Claim(mac(number), first=0, last=seconds(number)) for number in range(16, 0, -1)))
    claimants.show(Claim(mac(20), first=0, last=0), must=True)
    assert numbers(list(claimants.listed(0))) == {*range(2, 17), 20}


def test_one_that_is_listed_already_takes_nobodys_place() -> None:
    claimants = table(*(Claim(mac(number), first=0, last=seconds(number)) for number in range(16)))
    claimants.show(Claim(mac(7), first=0, last=seconds(20)), must=True)
    assert numbers(list(claimants.listed(0))) == set(range(16))


def test_a_list_that_is_not_full_takes_anybody() -> None:
    claimants = table(*(Claim(mac(number), first=0, last=0) for number in range(16)))
    assert len(claimants.listed(0)) == 16


def test_room_is_made_at_sixteen_and_not_before() -> None:
    """The one-frame claimant heard longest ago goes; the holder does not."""
    claims = [Claim(mac(number), first=0, last=seconds(number)) for number in range(15)]
    claimants = table(*claims)
    claimants.make_room(holder=claims[0], for_holder=False)
    assert (len(claimants.live), claimants.overflow) == (15, 0)
    claimants.add(Claim(mac(15), first=0, last=seconds(15)), ClaimantClass.FOREIGN)
    claimants.make_room(holder=claims[0], for_holder=False)
    assert (numbers(list(claimants.live.values())), claimants.overflow) == ({0, *range(2, 16)}, 1)


def test_the_holder_gets_a_place_from_the_one_heard_longest_ago_where_all_spoke_twice() -> None:
    claims = [Claim(mac(number), first=0, last=seconds(20 - number), frames=2) for number in range(16)]
    claimants = table(*claims)
    claimants.make_room(holder=claims[15], for_holder=True)
    assert (numbers(list(claimants.live.values())), claimants.overflow) == ({*range(14), 15}, 1)


def test_claims_are_counted_by_class_as_they_begin() -> None:
    claimants = table(Claim(mac(1), first=0, last=0), Claim(mac(2), first=0, last=0))
    assert claimants.begun == {ClaimantClass.FOREIGN: 2}


# --- MACs of nodes ----------------------------------------------------------------------------------------------------

KNOWN = nodes(0, known("A"), known("B"))


def said(number: int, at: float) -> list[Input]:
    return heard(at, mac(number), ADDRESS["A"])


def of_a(inputs: list[Input], until: float | None = None) -> set[str]:
    """The MACs of node-a, as last bytes."""
    run = play(KNOWN + inputs, until=until)
    return {one.mac[-2:] for one in run.core.snapshot().node_macs if one.node == "node-a"}


def test_four_macs_are_heard_for_an_address_and_a_fifth_takes_the_place_of_the_one_heard_longest_ago() -> None:
    """Of those that were heard once."""
    four = said(1, 1) + said(2, 2) + said(3, 3) + said(4, 4)
    assert of_a(four) == {"01", "02", "03", "04"}
    assert of_a(four + said(5, 5)) == {"02", "03", "04", "05"}
    assert of_a(said(4, 1) + said(3, 2) + said(2, 3) + said(1, 4) + said(5, 5)) == {"01", "02", "03", "05"}
    assert of_a(four + said(1, 5) + said(5, 6)) == {"01", "03", "04", "05"}


def test_a_fifth_mac_is_refused_where_all_four_were_heard_twice() -> None:
    twice = [one for at in (1, 5) for number in range(1, 5) for one in said(number, at + 0.1 * number)]
    assert of_a(twice + said(5, 9)) == {"01", "02", "03", "04"}


def test_a_mac_is_forgotten_an_hour_after_it_was_heard_last() -> None:
    inputs = said(1, 0) + said(2, 10) + said(1, 20)
    assert of_a(inputs, until=3610 - JUST) == {"01", "02"}
    assert of_a(inputs, until=3610 + JUST) == {"01"}
    assert of_a(inputs, until=3620 + JUST) == set()


def test_a_mac_that_is_heard_again_after_it_was_forgotten_is_known_for_another_hour() -> None:
    inputs = said(1, 0) + said(1, 5000)
    assert of_a(inputs, until=5000 + 3600 - JUST) == {"01"}
    assert of_a(inputs, until=5000 + 3600 + JUST) == set()


def test_what_was_heard_for_an_address_that_is_no_nodes_any_more_is_forgotten() -> None:
    run = play(KNOWN + heard(1, "A") + nodes(2, known("B")) + nodes(3, known("A"), known("B")))
    assert node_macs(run) == set()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("node-a", "NODE-A", True),
        ("node-a", "node-a.lab.example", True),
        ("node-a.lab.example", "node-a", True),
        ("node-a.lab", "node-a.lab.example", False),
        ("node", "node-a", False),
        ("", "node-a", False),
        ("", "", True),
        ("10", "10.0.0.1", False),
        ("2001:db8::1", "2001:db8::1", True),
    ],
)
def test_whether_two_names_are_one_nodes(one: str, other: str, same: bool) -> None:
    assert same_node(one, other) is same
    assert same_node(other, one) is same


def test_configured_macs_go_to_the_node_of_that_name_or_make_a_new_one() -> None:
    """The exact name comes first; a short one that fits several is written down for each; no MAC twice."""
    full = (Node("node-a.one"), Node("node-a.two", macs=(mac(1),)), Node("node-b"))
    configured = with_macs(full, [("node-a", mac(1)), ("NODE-B", mac(2)), ("node-c", mac(3))])
    assert [(one.name, one.macs) for one in configured] == [
        ("node-a.one", (mac(1),)),
        ("node-a.two", (mac(1),)),
        ("node-b", (mac(2),)),
        ("node-c", (mac(3),)),
    ]
    exact = with_macs((Node("node-a"), Node("node-a.one")), [("Node-A", mac(1))])
    assert [one.macs for one in exact] == [(mac(1),), ()]


def test_a_stranger_is_one_only_where_there_are_candidates_and_each_ones_mac_is_known() -> None:
    def is_foreign(inputs: list[Input]) -> bool:
        return play([*inputs, *frames("X", 1)]).vip().claimants[0].claimant_class is ClaimantClass.FOREIGN

    assert is_foreign(nodes(0, known("A", "A")))
    assert not is_foreign(nodes(0, known("A", "A", candidate=False)))
    assert not is_foreign(nodes(0, known("A", "A"), known("B")))
    assert is_foreign(nodes(0, known("A", "A"), known("B", candidate=False)))
    assert not is_foreign([])


@pytest.mark.parametrize("group", ["00005e000101", "00005e000201", "00000c07ac01", "00000c9ff001", "000573a00001"])
def test_a_routers_group_has_a_mac_of_its_own(group: str) -> None:
    """VRRP of both families, CARP, HSRP in its versions; the MAC before or after the range is a machine's."""
    assert is_fhrp(Mac(bytes.fromhex(group)))
    assert not is_fhrp(Mac(bytes.fromhex("0200" + group[4:])))


def test_a_name_is_the_nodes_own_whatever_its_case_and_whoever_was_there_before() -> None:
    nodes_known = NodeMap()
    assert nodes_known.this_node == ""
    nodes_known.replace((Node("NODE-A.one"), Node("NODE-A")))
    assert nodes_known.canonical("node-a") == "NODE-A"
    nodes_known.replace((Node("node-a.two"),))
    assert nodes_known.canonical("node-a") == "node-a.two"


def test_a_configured_mac_is_added_to_the_node_of_exactly_that_name() -> None:
    given = with_macs((Node("NODE-A", macs=(mac(1),)), Node("NODE-A.one")), [("node-a", mac(2))])
    assert [one.macs for one in given] == [(mac(1), mac(2)), ()]
