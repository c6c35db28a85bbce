"""What one source says and when it is news, and what the sources together say of a MAC.

Each test keeps a line of `exporter/vip/{sources,evidence}.py` from being changed unnoticed (docs/mutation.md).
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

import pytest

from exporter.vip.evidence import Evidence
from exporter.vip.model import LeaseSeen, Mac, Mode, Nanoseconds, ServiceIntent, ServiceRef, Source
from exporter.vip.nodes import NodeMap
from exporter.vip.sources import Belief, Sources
from exporter.vip.world import World
from tests.vip.situations import mac_of, node

SETTLE = 15
A, B, H, X = (mac_of(letter) for letter in "ABHX")
ROUTER = Mac(bytes.fromhex("00005e000101"))


# --- one source -------------------------------------------------------------------------------------------------------


def believed(*said: tuple[Nanoseconds, str]) -> Belief:
    belief = Belief()
    for at, name in said:
        belief.learn(at, name)
    return belief


def test_the_first_that_a_source_says_is_no_change() -> None:
    belief = Belief()
    assert belief.learn(10, "a", since=3) is False
    assert (belief.node, belief.since, belief.learned_at, belief.changed_at, belief.moves) == ("a", 3, 10, None, 0)


def test_its_own_account_of_the_time_counts_at_first_only_and_not_from_the_future() -> None:
    """Later it is seen here."""
    belief = Belief()
    belief.learn(10, "a", since=30)
    assert belief.since == 10
    belief.learn(20, "b", since=15)
    assert belief.since == 20


def test_another_node_is_a_change() -> None:
    belief = believed((0, "a"))
    assert belief.learn(5, "b") is True
    assert (belief.node, belief.since, belief.changed_at, belief.before, belief.moves) == ("b", 5, 5, "a", 1)


@pytest.mark.parametrize("same", ["a", "A", "a.lab.example"])
def test_the_same_node_by_whichever_name_is_none(same: str) -> None:
    belief = believed((0, "a"))
    assert belief.learn(5, same) is False
    assert (belief.changed_at, belief.moves) == (None, 0)


def test_what_is_said_again_is_as_old_as_before() -> None:
    belief = believed((0, "a"), (5, "b"), (9, "b"))
    assert (belief.since, belief.learned_at, belief.changed_at) == (5, 5, 5)


def test_between_two_nodes_a_source_may_name_nobody() -> None:
    """That is no news, nor is the same node again; another one is a change from the one before."""
    belief = believed((0, "a"))
    assert belief.learn(5, "") is False
    assert belief.learn(6, "a") is False
    assert believed((0, "a"), (5, "")).learn(7, "b") is True


def test_what_changed_is_news_from_then_on_while_it_names_a_node_and_nothing_has_explained_it() -> None:
    belief = believed((0, "a"), (5, "b"))
    assert (belief.has_news(5), belief.has_news(6)) == (True, False)
    belief.learn(7, "")
    assert not belief.has_news(5)
    belief.learn(8, "b")
    belief.matched = 5
    assert not belief.has_news(5)
    assert not believed((0, "a")).has_news(0)


def test_a_source_that_let_go_of_its_node_and_names_it_again_has_news_but_has_not_moved() -> None:
    for name in ("a", "b"):
        belief = believed((0, "a"))
        belief.leave()
        assert belief.learn(9, name) is False
        assert (belief.changed_at, belief.has_news(9), belief.moves) == (9, True, 0)


def test_what_differs_from_what_was_presumed_is_a_move_but_no_news_for_the_wire() -> None:
    """When it really changed is not known."""
    belief = Belief()
    belief.presume("a")
    assert belief.learn(9, "b") is True
    assert (belief.changed_at, belief.has_news(0), belief.moves, belief.before) == (9, False, 1, "a")


def test_a_source_that_is_forgotten_begins_anew() -> None:
    belief = believed((0, "a"), (5, "b"))
    belief.forget()
    assert (belief.node, belief.known) == ("", False)


# --- the sources and the wire's holder --------------------------------------------------------------------------------


def sources(**said: str) -> Sources:
    """Each with what it said at 0."""
    found = Sources(SETTLE)
    for name, who in said.items():
        found.learn(0, Source(name), who, takeover=None)
    return found


@pytest.mark.parametrize(("at", "explained"), [(100, True), (115, True), (116, False)])
def test_the_first_change_within_the_settle_time_after_a_take_over_is_explained_by_it(
    at: Nanoseconds, explained: bool
) -> None:
    told = sources(lease="a")
    assert told.follow(100, "") == set()
    assert told.learn(at, Source.LEASE, "b", takeover=100) is True
    assert told[Source.LEASE].has_news(0) is not explained


def test_the_second_change_is_not() -> None:
    told = sources(lease="a")
    told.follow(100, "")
    told.learn(101, Source.LEASE, "b", takeover=100)
    told.learn(102, Source.LEASE, "c", takeover=100)
    assert told[Source.LEASE].has_news(0)


@pytest.mark.parametrize(("changed", "followed"), [(85, True), (84, False)])
def test_a_change_within_the_settle_time_before_a_take_over_is_explained_by_it(
    changed: Nanoseconds, followed: bool
) -> None:
    """Such a source is not awaited any more: its next change is news."""
    told = sources(lease="a", annotation="a")
    told.learn(changed, Source.LEASE, "b", takeover=None)
    assert told.follow(100, "") == ({Source.LEASE} if followed else set())
    assert told[Source.LEASE].has_news(0) is not followed
    told.learn(110, Source.LEASE, "c", takeover=100)
    assert told[Source.LEASE].has_news(110) is followed
    told.learn(110, Source.ANNOTATION, "c", takeover=100)
    assert not told[Source.ANNOTATION].has_news(110)


def test_where_the_wires_holder_is_the_first_one_only_sources_that_name_nobody_are_awaited() -> None:
    told = sources(lease="a", annotation="")
    told.follow(100, "")
    told.presume_current()
    told.learn(101, Source.LEASE, "b", takeover=100)
    told.learn(101, Source.ANNOTATION, "b", takeover=100)
    assert (told[Source.LEASE].has_news(0), told[Source.ANNOTATION].has_news(0)) == (True, False)


def test_without_a_take_over_nothing_explains_a_change() -> None:
    told = sources(lease="a")
    assert told.learn(5, Source.LEASE, "b", takeover=None) is True
    assert told[Source.LEASE].has_news(0)
    assert told.learn(6, Source.LEASE, "b", takeover=None) is False


def test_only_what_has_said_nothing_yet_is_presumed() -> None:
    told = sources(lease="b")
    told.presume("a")
    assert told.learn(5, Source.LEASE, "b", takeover=None) is False
    assert told.learn(5, Source.ANNOTATION, "b", takeover=None) is True


VIP = ip_address("192.0.2.10")


@pytest.mark.parametrize(
    ("lease", "now", "fresh"),
    [
        (None, 0, False),
        (LeaseSeen(0, VIP, "a", None), 1000, True),
        (LeaseSeen(0, VIP, "a", 10), 10, True),
        (LeaseSeen(0, VIP, "a", 10), 11, False),
        (LeaseSeen(0, VIP, "a", 10, confirmed=False), 11, True),
    ],
)
def test_a_lease_is_fresh_until_it_has_expired(lease: LeaseSeen | None, now: Nanoseconds, fresh: bool) -> None:
    told = sources(lease="a", annotation="b", local="c")
    told.lease = lease
    assert told.lease_fresh(now) is fresh
    names = dict(told.named(now))
    assert (Source.LEASE in names, Source.ANNOTATION in names) == (fresh, fresh or lease is None)
    assert names[Source.LOCAL] == "c"


# --- what they say of a MAC -------------------------------------------------------------------------------------------


def evidence(
    observer: str = "", *, lease: LeaseSeen | None = None, hwaddr: Mac | None = None, **said: str
) -> tuple[Evidence, Sources, World]:
    """node-a has A, node-b has B, of node-c nothing is known but its name; the lease is fresh unless given."""
    world = World(settle=SETTLE, nodes=NodeMap(observer), host_seen=bool(observer))
    world.nodes.replace((node("A"), node("B")))
    told = sources(**said)
    told.lease = LeaseSeen(0, VIP, "", None) if lease is None else lease
    found = Evidence(world, told)
    found.intent = ServiceIntent(ServiceRef("a", "b"), (VIP,), mode=Mode.DHCP, hwaddr=hwaddr)
    return found, told, world


def test_the_mac_that_all_nodes_have_names_none_though_it_is_known_for_one() -> None:
    found, *_ = evidence(hwaddr=A)
    assert (found.node_of(A), found.node_of(B)) == ("", "node-b")
    assert (str(found.class_of(A)), str(found.class_of(B)), str(found.class_of(X))) == ("hwaddr", "node", "foreign")


@pytest.mark.parametrize(
    ("mac", "old", "went", "since", "expected"),
    [
        (B, A, "node-b", 5, True),
        (B, A, "node-b", 6, False),
        (B, A, "node-c", 5, False),
        (X, A, "node-b", 5, False),
        (X, A, "node-c", 5, True),
        (ROUTER, A, "node-c", 5, False),
        (B, B, "node-b", 5, False),
        (H, A, "node-b", 5, True),
    ],
)
@pytest.mark.parametrize("source", [Source.LEASE, Source.ANNOTATION])
def test_whether_kubernetes_went_over_to_a_macs_node(
    mac: Mac, old: Mac, went: str, since: Nanoseconds, expected: bool, source: Source
) -> None:
    """To a node that may be this MAC's, and is not the old one's."""
    found, told, _ = evidence(hwaddr=H, annotation="node-a")
    told.learn(0, Source.LEASE, "node-a", takeover=None)
    told.learn(5, source, went, takeover=None)
    assert found.changed_to(mac, now=20, old=old, since=since) is expected


def test_an_expired_lease_or_what_is_bound_has_not_gone_over_to_anybody() -> None:
    found, told, _ = evidence(lease=LeaseSeen(0, VIP, "node-b", 10), local="node-a")
    told.learn(0, Source.LEASE, "node-a", takeover=None)
    told.learn(5, Source.LEASE, "node-b", takeover=None)
    assert found.changed_to(B, now=10, old=A, since=0)
    assert not found.changed_to(B, now=11, old=A, since=0)
    told.learn(5, Source.LOCAL, "node-b", takeover=None)
    assert not found.changed_to(B, now=11, old=A, since=0)


def vouches(
    change: Callable[[Evidence, Sources, World], None] | None = None,
    *,
    mac: Mac = X,
    old: Mac = A,
    now: Nanoseconds = 50,
    since: Nanoseconds = 20,
    incoming: tuple[Mac, ...] = (X, A),
    remembered: str | None = None,
    observer: str = "",
) -> bool:
    """Whether the lease, which has named node-a all along, vouches for X in A's place."""
    found, told, world = evidence(observer, hwaddr=H)
    told.learn(0, Source.LEASE, "node-a", takeover=None)
    if change:
        change(found, told, world)
    return found.vouches_for_holder(mac, now=now, old=old, since=since, incoming=incoming, remembered=remembered)


def not_current(_: Evidence, __: Sources, world: World) -> None:
    world.intent_current = False


def not_confirmed(_: Evidence, told: Sources, __: World) -> None:
    told.lease = LeaseSeen(0, VIP, "node-a", None, confirmed=False)


def expired(_: Evidence, told: Sources, __: World) -> None:
    told.lease = LeaseSeen(0, VIP, "node-a", 49)


def held_by_nobody(_: Evidence, told: Sources, __: World) -> None:
    told.learn(40, Source.LEASE, "", takeover=None)


def went_over(at: Nanoseconds) -> Callable[[Evidence, Sources, World], None]:
    def change(_: Evidence, told: Sources, __: World) -> None:
        told.learn(at - 1, Source.LEASE, "node-c", takeover=None)
        told.learn(at, Source.LEASE, "node-a", takeover=None)

    return change


def test_the_lease_vouches_for_a_mac_of_nobody_in_the_place_of_the_holders() -> None:
    assert vouches()
    assert vouches(mac=A, old=X, incoming=())
    assert vouches(remembered="NODE-A")


@pytest.mark.parametrize("change", [not_current, not_confirmed, expired, held_by_nobody, went_over(20), went_over(30)])
def test_only_a_lease_that_can_be_believed_and_has_named_the_node_all_along_vouches(
    change: Callable[[Evidence, Sources, World], None],
) -> None:
    assert not vouches(change)


def test_a_lease_that_nobody_holds_vouches_for_no_macs_of_nobody() -> None:
    assert vouches(old=H, incoming=(X, H))
    assert not vouches(held_by_nobody, old=H, incoming=(X, H))


def test_a_lease_that_came_back_to_the_node_long_before_vouches() -> None:
    assert vouches(went_over(19))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("the new MAC is another node's", {"mac": B, "incoming": (B, A)}),
        ("the old MAC is another node's", {"old": B, "incoming": (X, B)}),
        ("the new MAC is a router's", {"mac": ROUTER, "incoming": (ROUTER, A)}),
        ("the old MAC is a router's", {"old": ROUTER, "incoming": (X, ROUTER)}),
        ("another node was remembered", {"remembered": "node-b"}),
        ("it is this very node, which knows its interfaces", {"observer": "node-a"}),
    ],
)
def test_the_lease_does_not_vouch_where_something_speaks_against_it(words: str, told: dict) -> None:
    assert not vouches(**told)


def test_a_routers_mac_that_left_this_node_is_not_ruled_out() -> None:
    assert vouches(mac=ROUTER, incoming=(A,))


@pytest.mark.parametrize(
    ("observer", "mac", "who", "expected"),
    [
        ("", ROUTER, "node-a", True),
        ("", X, "node-a", False),
        ("node-a", X, "node-a", True),
        ("node-a", X, "node-b", False),
        ("node-a", A, "node-b", False),
    ],
)
def test_who_is_certainly_not_that_node(observer: str, mac: Mac, who: str, expected: bool) -> None:
    """A router's MAC is nobody's; that a stranger is not the node itself, only that node can tell."""
    found, _, world = evidence(observer)
    assert found.rules_out(mac, who) is expected
    world.host_seen = False
    assert found.rules_out(mac, who) is (mac == ROUTER)


def test_a_mac_is_everyones_in_dhcp_mode_only() -> None:
    found, *_ = evidence(hwaddr=H)
    assert (found.is_hwaddr(H), found.is_hwaddr(X)) == (True, False)
    found.intent = ServiceIntent(ServiceRef("a", "b"), (VIP,), mode=Mode.STATIC, hwaddr=H)
    assert not found.is_hwaddr(H)
    found.intent = None
    assert not found.is_hwaddr(H)
