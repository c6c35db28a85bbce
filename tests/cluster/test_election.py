"""Which Lease decides, until when it holds, and when its expiry is believed: a step for each thing that can happen."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.cluster.election import Elections
from exporter.cluster.fields import Key
from exporter.cluster.lease import Lease
from exporter.cluster.target import Report, Target
from exporter.vip.model import SECOND, Input, LeaseGone, LeaseSeen, seconds

VIP, OTHER = ip_address("10.0.0.5"), ip_address("10.0.0.6")
FIRST, SECOND_ONE, THIRD = Key("a", "first"), Key("a", "second"), Key("b", "third")
ALL = (FIRST, SECOND_ONE, THIRD)


def lease(renewed: float, holder: str = "node1", *, duration: float = 15, transitions: int | None = None) -> Lease:
    return Lease(holder, seconds(renewed), seconds(duration), transitions=transitions)


class World:
    """Elections, told in seconds; the observer's wall clock counts from its start."""

    def __init__(self, *, watched: tuple[Key, ...] = ALL, offset: float = 0) -> None:
        self.offset = offset
        """What the observer's wall clock is ahead of its monotonic one."""
        self.elections = Elections(from_wall=lambda wall: wall - seconds(self.offset), doubt=2 * SECOND)
        self.elections.choose_among(VIP, ALL)
        self.elections.keep(frozenset(ALL), watched=frozenset(watched))

    def list(self, at: float, key: Key, found: Lease | None, *, asked: float | None = None) -> list[Input]:
        """A list of one Lease by name, asked for at the time or before."""
        objects = {} if found is None else {key: found}
        target = Target("leases", key.namespace, key.name)
        self.elections.take(Report(target, seconds(at), objects, seconds(at if asked is None else asked)))
        return self.elections.news(seconds(at))

    def list_all(self, at: float, found: Mapping[Key, Lease]) -> list[Input]:
        self.elections.take(Report(Target("leases"), seconds(at), found, seconds(at)))
        return self.elections.news(seconds(at))

    def line(self, at: float, key: Key, found: Lease | None) -> list[Input]:
        """A line of a watch."""
        self.elections.take(Report(Target("leases", key.namespace, key.name), seconds(at), {key: found}))
        return self.elections.news(seconds(at))

    def tick(self, at: float) -> list[Input]:
        return self.elections.news(seconds(at))

    def doubted(self, at: float) -> list[Key]:
        return self.elections.doubted(seconds(at))


def seen(at: float, expires: float, holder: str = "node1", *, key: Key = FIRST, confirmed: bool = True) -> LeaseSeen:
    return LeaseSeen(seconds(at), VIP, holder, seconds(expires), str(key), confirmed=confirmed)


def gone(at: float) -> LeaseGone:
    return LeaseGone(seconds(at), VIP)


# --- which one decides ------------------------------------------------------------------------------------------------

FRESH, OLD, OLDER = 98.0, 50.0, 40.0
"""When it was renewed; it is 100 now."""


@pytest.mark.parametrize(
    ("renewed", "decides"),
    [
        ((None, None, None), None),
        ((None, None, FRESH), THIRD),
        ((FRESH, FRESH, FRESH), FIRST),
        ((OLD, FRESH, FRESH), SECOND_ONE),
        ((OLD, None, FRESH), THIRD),
        ((OLD, OLDER, OLDER), FIRST),
        ((OLDER, OLD, None), SECOND_ONE),
        ((None, OLDER, OLD), THIRD),
        ((OLD, OLD, OLD), FIRST),
        ((0.0, None, None), FIRST),
    ],
)
def test_first_fresh_one_decides_else_the_one_renewed_last(
    renewed: tuple[float | None, ...], decides: Key | None
) -> None:
    world = World()
    last: list[Input] = []
    for key, at in zip(ALL, renewed, strict=True):
        last = world.list(100, key, None if at is None else lease(at)) or last
    told = last[-1].lease if last and isinstance(last[-1], LeaseSeen) else None
    assert told == (None if decides is None else str(decides))


def test_fresher_one_takes_over_when_the_first_has_expired_and_gives_back_when_it_is_renewed() -> None:
    world = World()
    world.list(100, FIRST, lease(100))
    assert world.list(100, THIRD, lease(112, "node3", duration=60)) == []
    world.list(113.5, FIRST, lease(100))
    assert world.tick(115) == []
    assert world.tick(115.1) == [seen(115.1, 172, "node3", key=THIRD)]
    assert world.line(116, FIRST, lease(116)) == [seen(116, 131)]


def test_every_renewal_and_every_change_is_told_and_nothing_twice() -> None:
    world = World()
    assert world.list(100, FIRST, lease(99, transitions=3)) == [
        LeaseSeen(seconds(100), VIP, "node1", seconds(114), "a/first", 3)
    ]
    assert world.list(101, FIRST, lease(99, transitions=3)) == []
    assert world.tick(101) == []
    assert world.line(102, FIRST, lease(101)) == [seen(102, 116)]
    assert world.line(103, FIRST, lease(103, "", duration=1)) == [seen(103, 104, "")]
    assert world.line(104, FIRST, lease(104, "node2")) == [seen(104, 119, "node2")]
    assert world.line(105, FIRST, None) == [gone(105)]
    assert world.line(106, FIRST, None) == []


def test_list_without_it_means_that_it_is_gone() -> None:
    world = World()
    world.list(100, FIRST, lease(99))
    assert world.list(101, SECOND_ONE, None) == []
    assert world.list(102, FIRST, None) == [gone(102)]


def test_vip_that_is_none_any_more_has_no_lease() -> None:
    world = World()
    world.list(100, FIRST, lease(99))
    world.elections.choose_among(VIP, ())
    assert world.tick(101) == [gone(101)]
    world.elections.choose_among(OTHER, (FIRST,))
    told = world.tick(102)
    assert [(type(one), one.vip) for one in told if isinstance(one, LeaseSeen | LeaseGone)] == [(LeaseSeen, OTHER)]


def test_lease_that_is_not_wanted_is_forgotten() -> None:
    world = World()
    world.list(100, FIRST, lease(99))
    world.list(100, SECOND_ONE, lease(98))
    world.elections.keep(frozenset({SECOND_ONE}), watched=frozenset({SECOND_ONE}))
    assert world.tick(101) == [seen(101, 113, key=SECOND_ONE)]
    assert world.line(102, FIRST, lease(102)) == []


# --- when an expiry is believed ---------------------------------------------------------------------------------------


def test_lease_about_to_expire_is_doubted_asked_after_once_and_then_confirmed() -> None:
    world = World()
    world.list(100, FIRST, lease(100))
    assert world.tick(112.9) == []
    assert world.doubted(112.9) == []
    assert world.tick(113) == [seen(113, 115, confirmed=False)]
    assert world.doubted(113) == [FIRST]
    assert world.doubted(114) == []
    assert world.list(113.3, FIRST, lease(100)) == [seen(113.3, 115)]
    assert world.tick(200) == []
    assert world.doubted(200) == []


def test_list_asked_for_before_the_doubt_confirms_nothing() -> None:
    world = World()
    world.list(100, FIRST, lease(100))
    world.tick(113)
    assert world.list(113.5, FIRST, lease(100), asked=112.9) == []
    assert world.list(130, FIRST, lease(100), asked=113.1) == [seen(130, 115)]


def test_lease_that_nobody_could_see_renewed_does_not_expire() -> None:
    world = World()
    world.list(100, FIRST, lease(100))
    world.list(100, THIRD, lease(108, "node3"))
    assert world.tick(114) == [seen(114, 115, confirmed=False)]
    assert world.tick(120) == []
    assert world.tick(1000) == []
    assert world.list(1001, FIRST, lease(1000)) == [seen(1001, 1015)]


def test_renewal_ends_a_doubt_and_allows_another() -> None:
    world = World()
    world.list(100, FIRST, lease(100))
    world.tick(113)
    assert world.doubted(113) == [FIRST]
    assert world.line(114, FIRST, lease(114)) == [seen(114, 129)]
    assert world.doubted(114) == []
    world.tick(127)
    assert world.doubted(127) == [FIRST]


def test_late_line_of_a_watch_confirms_no_expiry() -> None:
    """The connection was cut off for a minute, and what was sent meanwhile comes all at once."""
    world = World()
    world.list(100, FIRST, lease(100))
    world.tick(114)
    told = [world.line(160 + index / 1000, FIRST, lease(100 + 2 * index)) for index in range(1, 31)]
    believed = [one for batch in told for one in batch if isinstance(one, LeaseSeen) and one.confirmed]
    assert all(one.expires is not None and one.expires > one.at for one in believed)
    assert told[-1] == [seen(160.03, 175)]


def test_lease_that_was_given_up_names_nobody_and_is_asked_after_like_any_other() -> None:
    world = World()
    world.list(100, FIRST, lease(100))
    assert world.line(101, FIRST, lease(101, "", duration=1)) == [seen(101, 102, "")]
    assert world.tick(102) == [seen(102, 102, "", confirmed=False)]
    assert world.doubted(102) == [FIRST]


def test_lease_that_had_expired_when_it_was_first_read_is_expired() -> None:
    world = World()
    assert world.list(100, FIRST, lease(50)) == [seen(100, 65)]
    assert world.doubted(100) == []


def test_short_lease_is_doubted_in_its_second_half() -> None:
    world = World()
    world.list(100, FIRST, lease(100, duration=3))
    assert world.tick(101.4) == []
    assert world.tick(101.5) == [seen(101.5, 103, confirmed=False)]


# --- leases that are listed now and then ------------------------------------------------------------------------------


def test_listed_lease_is_unconfirmed_from_the_doubt_to_the_first_list_after_its_expiry() -> None:
    world = World(watched=())
    assert world.list_all(100, {FIRST: lease(99, duration=5)}) == [seen(100, 104)]
    assert world.tick(102) == [seen(102, 104, confirmed=False)]
    assert world.doubted(102) == []
    assert world.tick(109) == []
    assert world.list_all(110, {FIRST: lease(109, duration=5)}) == [seen(110, 114)]
    world.tick(119)
    assert world.list_all(113, {FIRST: lease(109, duration=5)}) == []
    assert world.list_all(120, {FIRST: lease(109, duration=5)}) == [seen(120, 114)]
    assert world.list_all(130, {}) == [gone(130)]


def test_list_of_many_says_nothing_of_a_lease_that_is_watched() -> None:
    world = World(watched=(FIRST,))
    world.list(100, FIRST, lease(100))
    assert world.list_all(101, {SECOND_ONE: lease(101)}) == []
    world.list_all(102, {})
    assert world.tick(103) == []


# --- clocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skew", [-3600, -30, -2.5, 2.5, 30, 3600])
def test_clock_of_the_holder_that_is_off_is_corrected_from_the_first_renewal_seen(skew: float) -> None:
    """The skew is what the holder's clock is ahead."""
    world = World()
    world.list(100, FIRST, lease(99 + skew))
    assert world.line(101, FIRST, lease(101 + skew)) == [seen(101, 116)]
    assert world.line(103.5, FIRST, lease(103 + skew)) == [seen(103.5, 118)]
    assert world.list(106, FIRST, lease(105 + skew)) == [seen(106, 120)]


@pytest.mark.parametrize("skew", [-1.9, -0.5, 0, 0.5, 1.9])
def test_small_difference_of_clocks_is_left(skew: float) -> None:
    world = World()
    world.list(100, FIRST, lease(99 + skew))
    assert world.line(101, FIRST, lease(101 + skew)) == [seen(101, 116 + skew)]


def test_clock_that_is_put_right_is_believed_again() -> None:
    world = World()
    world.list(100, FIRST, lease(99))
    assert world.line(101, FIRST, lease(131)) == [seen(101, 116)]
    assert world.line(103, FIRST, lease(103)) == [seen(103, 118)]


def test_another_holder_has_another_clock() -> None:
    world = World()
    world.list(100, FIRST, lease(99))
    world.line(101, FIRST, lease(131))
    assert world.line(102, FIRST, lease(102, "node2")) == [seen(102, 117, "node2")]
    assert world.line(103, FIRST, lease(132, "node1")) == [seen(103, 118)]


def test_acquired_and_renewed_are_on_the_same_clock() -> None:
    world = World()
    world.list(100, FIRST, lease(99))
    moved = Lease("node2", seconds(131), 15 * SECOND, acquired=seconds(130.5))
    (told,) = world.line(101, FIRST, moved)
    assert isinstance(told, LeaseSeen)
    assert (told.acquired, told.expires) == (seconds(100.5), seconds(116))


def test_wall_clock_of_the_observer_that_is_set_moves_no_lease() -> None:
    world = World()
    world.list(100, FIRST, lease(99))
    world.offset = 3600
    assert world.list(101, FIRST, lease(99)) == []
    assert world.line(102, FIRST, lease(101)) == [seen(102, 117)]
    world.offset = 0
    assert world.line(103, FIRST, lease(103)) == [seen(103, 118)]


def test_clock_of_a_holder_whose_lease_is_only_listed() -> None:
    """It was renewed between the two lists, whatever its holder says: at the latest when the second one came."""
    world = World(watched=())
    world.list_all(100, {FIRST: lease(39)})
    assert world.list_all(110, {FIRST: lease(49)}) == [seen(110, 125)]
    assert world.list_all(120, {FIRST: lease(59)}) == [seen(120, 135)]
    world = World(watched=())
    world.list_all(100, {FIRST: lease(99)})
    assert world.list_all(110, {FIRST: lease(103)}) == [seen(110, 118)]


@given(
    st.lists(st.tuples(st.floats(0.7, 4), st.floats(-0.3, 0.3)), min_size=1, max_size=30),
    st.floats(-100_000, 100_000),
    st.floats(1, 3600),
)
def test_lease_that_is_renewed_in_our_sight_never_expires(
    renewals: list[tuple[float, float]], skew: float, outage: float
) -> None:
    """Whatever the holder's clock says, and however long nothing could be seen after that."""
    world = World()
    at = 100.0
    world.list(at, FIRST, lease(at + skew))
    world.line(at, FIRST, lease(at + skew + 0.01))
    for wait, jitter in renewals:
        at += wait
        (told,) = world.line(at, FIRST, lease(at + skew + jitter))
        assert isinstance(told, LeaseSeen)
        assert told.confirmed
        assert told.expires is not None
        assert seconds(at + 12.6) < told.expires < seconds(at + 17.4)
    end = seconds(at + outage)
    last = [told, *world.tick(at + outage)][-1]
    assert isinstance(last, LeaseSeen)
    assert last.expires is not None
    assert last.expires > end or not last.confirmed
