"""What one VIP takes from each input, and when it draws the conclusion: at once, not with the next frame.

Each test keeps a line of `exporter/vip/vip.py` from being changed unnoticed (docs/mutation.md).
"""

from __future__ import annotations

import pytest

from exporter.vip.model import (
    FramesMissed,
    Input,
    IPAddress,
    Kind,
    Mac,
    Mode,
    Requirement,
    ServiceRef,
    Source,
    format_mac,
    seconds,
)
from tests.vip.more import (
    WISH,
    believed,
    check_row,
    host,
    lease_gone,
    leases,
    met,
    mismatch_events,
    mismatches,
    named,
    wish,
)
from tests.vip.situations import (
    JUST,
    VIP,
    Row,
    Run,
    Shows,
    announce,
    bound,
    capture,
    frame,
    frames,
    interleave,
    mac_of,
    new_core,
    nodes,
    play,
    service,
    service_gone,
)

AB = nodes(0, "A", "B")
OTHER = ServiceRef("kube-system", "rke2-traefik")
NOT_READ = wish(0, load_balancer=None)


def is_watched(run: Run, address: IPAddress = VIP) -> bool:
    return address in run.core.watched()


# --- an address that is given up --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "heard", "over"),
    [
        ("announced long before", [0], 30),
        ("announced just before", [18], 30),
        ("announced since", [18, 25], 35),
    ],
)
def test_an_address_whose_announcer_does_not_repeat_is_watched_for_the_silence_after_it_is_given_up(
    words: str, heard: list[float], over: float
) -> None:
    """It never falls silent by itself: 10 s after the Service's end or the last announcement are enough."""
    inputs = interleave(service(0, period=0), frames("A", *heard), service_gone(20))
    run = play(inputs, core=new_core(watch=()))
    run.until(over - JUST)
    assert is_watched(run)
    run.until(over)
    assert not is_watched(run)


def test_frames_that_were_lost_prolong_the_watching_of_an_address_that_was_given_up() -> None:
    run = play(
        interleave(service(0), frames("A", 0, 3), service_gone(4), [FramesMissed(seconds(10), "eth0")]),
        core=new_core(watch=()),
        until=20,
    )
    assert is_watched(run)
    run.until(20 + JUST)
    assert not is_watched(run)


def test_an_address_that_a_service_has_again_stays_when_it_falls_silent() -> None:
    run = play(
        interleave(service(0), announce("A", until=30), service_gone(10), service(12)),
        core=new_core(watch=()),
        until=60,
    )
    assert (is_watched(run), run.vip().state) == (True, "silent")


# --- Services ---------------------------------------------------------------------------------------------------------


def test_of_several_services_the_one_whose_vip_host_changed_last_speaks() -> None:
    run = Run(new_core())
    run.feed(service(0, "node-a") + service(1, "node-b", ref=OTHER))
    assert named(run)["annotation"] == "node-b"
    run.feed(service(2, "node-c"))
    assert named(run)["annotation"] == "node-c"
    run.feed(service(3, "node-b", ref=OTHER, load_balancer=False))
    assert named(run)["annotation"] == "node-c"


def test_a_service_speaks_before_a_wish_that_comes_later() -> None:
    """The wish of Harvester's ConfigMap knows neither mode nor MAC."""
    run = play(service(0, mode=Mode.DHCP, hwaddr="H", announces_hwaddr=True) + wish(1, mode=Mode.STATIC))
    assert run.vip().mode == "dhcp"


def test_a_service_without_a_period_leaves_that_of_all_vips_in_force() -> None:
    assert play(service(0), core=new_core(period=10)).vip().period == seconds(10)


def test_services_are_shown_in_the_order_of_their_names() -> None:
    run = play(service(0, ref=OTHER) + service(1))
    assert [str(one) for one in run.vip().services] == ["kube-system/ingress-expose", "kube-system/rke2-traefik"]


def test_a_service_that_is_gone_says_nothing_from_that_moment() -> None:
    """vipHost named another node than the wire."""
    run = play(interleave(AB, service(0, "node-b"), announce("A", until=50), service_gone(40.5)))
    assert mismatch_events(run, "host") == [("started", 15.0), ("ended", 40.5)]
    assert "annotation" not in named(run)


@pytest.mark.parametrize(
    ("words", "inputs", "expected"),
    [
        ("a Service of that type", service(0), True),
        ("a wish of which no Service is read yet", NOT_READ, None),
        ("such a wish and a Service", NOT_READ + service(1), True),
        (
            "such a wish and a Service of another type",
            wish(0, load_balancer=None) + service(1, load_balancer=False),
            None,
        ),
        ("a wish that no Service fulfils", wish(0, load_balancer=False), False),
    ],
)
def test_whether_a_service_of_type_load_balancer_has_it(words: str, inputs: list[Input], expected: bool | None) -> None:
    assert met(play(inputs), Requirement.LOAD_BALANCER_SERVICE) is expected


def test_only_a_wish_has_no_namespace() -> None:
    """It is no Service, so it is not shown as one."""
    assert WISH.namespace == ""
    assert play(wish(0)).vip().services == ()


# --- the Lease --------------------------------------------------------------------------------------------------------

SAYS_B = interleave(service(0, "node-a"), leases(0, "node-b", expires=50))
"""Against vipHost."""


def test_an_expired_lease_contradicts_nobody_from_the_nanosecond_after_its_expiry() -> None:
    run = play(SAYS_B, until=60)
    assert [event.at for event in run.events if event.name == "mismatch_ended"] == [seconds(50) + 1]


@pytest.mark.parametrize(("expires", "holder"), [(10, ""), (30, "node-a")])
def test_an_expired_lease_is_not_revived_by_not_being_confirmed(expires: float, holder: str) -> None:
    """It had expired when Kubernetes was last asked; a renewal that was read since is news."""
    run = play(leases(0, "node-a", expires=10) + leases(20, "node-a", expires=expires, confirmed=False))
    assert run.vip().holder == holder


def test_an_expired_lease_that_was_renewed_names_its_holder_again_at_once() -> None:
    run = play(interleave(SAYS_B, leases(70, "node-b", expires=120)), until=90)
    assert mismatches(run) == {"lease": 70.0}


def test_an_expired_lease_is_shown_as_it_was_read_last() -> None:
    run = play(leases(0, "node-a", expires=10) + leases(20, "", expires=10, transitions=4))
    assert run.vip().lease is not None
    assert (run.vip().lease.holder, run.vip().lease.transitions) == ("", 4)


def test_the_settle_time_begins_anew_when_a_lease_is_confirmed_again() -> None:
    """While it was not, nobody could tell whether it had gone over."""
    run = play(
        interleave(
            service(0, "node-a"),
            leases(0, "node-b", expires=100),
            leases(5, "node-b", expires=100, confirmed=False),
            leases(7, "node-b", expires=100),
        ),
        until=22,
    )
    assert mismatches(run) == {}
    run.until(22 + JUST)
    assert mismatches(run) == {"lease": 7.0}


def test_a_lease_that_is_gone_contradicts_nobody_from_that_moment() -> None:
    run = play(SAYS_B + lease_gone(40), until=45)
    assert mismatch_events(run, "lease") == [("started", 15.0), ("ended", 40.0)]


def test_without_its_lease_the_annotation_moves_the_vip_again() -> None:
    """As long as there was one, it alone could."""
    run = play(
        interleave(
            service(0, "node-a"),
            leases(0, "node-a"),
            lease_gone(40),
            service(60, "node-b"),
        ),
        until=100,
    )
    assert (run.vip().holder, run.vip().moves) == ("node-b", 1)


# --- this host --------------------------------------------------------------------------------------------------------

TAKEN = interleave(AB, bound(0, "eth0"), host(0), announce("A", until=30), announce("B", from_=33, until=60))
"""node-a had it and node-b took it; then the wire falls silent."""


def test_an_address_that_is_bound_here_again_has_moved_here() -> None:
    """The wire is silent, and no other source says anything."""
    run = play(interleave(TAKEN, bound(33, vip=VIP), bound(110, "eth0")), core=new_core(observer="node-a"))
    run.until(125)
    assert (run.vip().state, run.vip().holder, run.vip().moves) == ("silent", "node-a", 2)


def test_what_was_bound_before_the_address_was_watched_is_known() -> None:
    """Though the rest of what is bound on this node is not."""
    run = play(bound(0, "eth0") + service(1), core=new_core(observer="node-a", watch=()))
    assert (run.vip().bound, named(run)) == (("eth0",), {"local": "node-a"})


def test_an_address_that_was_never_unbound_here_has_not_moved_here_when_its_devices_change() -> None:
    run = play(interleave(TAKEN, bound(110, "eth0", "eth1")), core=new_core(observer="node-a"), until=150)
    assert run.vip().moves == 1


def test_other_sources_than_the_wire_name_no_mac() -> None:
    run = play(interleave(AB, service(0, "node-a"), leases(0, "node-a"), bound(0, "eth0"), host(0), frames("A", 1)))
    assert [one.mac for one in run.vip().sources] == [format_mac(mac_of("A")), "", ""]
    here = play(interleave(AB, bound(0, "eth0"), host(0)), core=new_core(observer="node-a"))
    source = believed(here, Source.LOCAL)
    assert source is not None
    assert (source.node, source.mac) == ("node-a", "")


# --- what changes at once ---------------------------------------------------------------------------------------------


def test_a_mismatch_dates_from_the_moment_in_which_the_nodes_became_known() -> None:
    run = play(interleave(service(0, "node-b"), announce("A", until=70), nodes(50.5, "A", "B")))
    assert mismatches(run) == {"host": 50.5, "mac": 50.5}


def test_a_mismatch_with_the_wire_ends_when_capture_is_lost() -> None:
    run = play(
        interleave(capture(0, up=True), AB, service(0, "node-b"), announce("A", until=30), capture(31, up=False)),
        core=new_core(listening=False),
    )
    assert mismatch_events(run, "host") == [("started", 15.0), ("ended", 31.0)]


def test_a_mismatch_with_the_wire_dates_from_the_moment_in_which_capture_is_back() -> None:
    """The frame was on its way when the interface went down."""
    run = play(
        interleave(AB, service(0, "node-a"), capture(5, up=False), frames("B", 9), capture(10, up=True)), until=12
    )
    assert (run.vip().state, mismatches(run)) == ("held", {})
    run.feed(announce("B", from_=12, until=30))
    assert mismatches(run) == {"host": 10.0, "mac": 10.0}


def test_a_frame_that_left_an_observer_without_a_name_is_judged_by_its_mac() -> None:
    check_row(
        Row("", interleave(AB, announce("A", until=30, outgoing=True)), {30: Shows("held", "A", holder="node-a")})
    )


# --- probes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "inputs", "probe"),
    [
        ("it left this node", [], frame("X", 5, Kind.PROBE, outgoing=True)),
        ("its mac is the holder's", frames("X", 0), frame("X", 5, Kind.PROBE)),
        ("its mac is a node's", AB, frame("A", 5, Kind.PROBE)),
        (
            "its mac is everyone's",
            service(0, mode=Mode.DHCP, hwaddr="H", announces_hwaddr=True),
            frame("H", 5, Kind.PROBE),
        ),
    ],
)
def test_a_probe_of_ones_own(words: str, inputs: list[Input], probe: Input) -> None:
    """It is counted apart, and no event."""
    run = play([*inputs, probe])
    assert (run.vip().sightings["own_probe"], run.vip().sightings["probe"]) == (1, 0)
    assert "probe_seen" not in run.names()


def probes(count: int, at: float) -> list[Input]:
    return [frame(Mac(bytes([6, 0, 0, 0, 0, number])), at, Kind.PROBE) for number in range(count)]


def told(run: Run) -> int:
    return run.names().count("probe_seen")


def test_a_flood_of_probes_makes_ten_events_and_one_more_every_ten_seconds() -> None:
    """All are counted. After a long pause it is ten again, and no more."""
    run = play(probes(15, at=1))
    assert told(run) == 10
    for at, more in (
        (10 - JUST, 0),
        (10, 1),
        (19, 0),
        (20, 1),
        (45, 2),
        (49, 0),
        (50, 1),
        (1000, 10),
        (1009, 0),
        (1010, 1),
    ):
        before = told(run)
        run.feed(probes(15, at=at))
        assert told(run) - before == more, at
    assert run.vip().sightings["probe"] == 11 * 15


def test_the_event_of_a_probe_says_whose_it_is() -> None:
    run = play([*AB, frame("X", 5, Kind.PROBE)])
    assert run.last("probe_seen").fields == {"mac": format_mac(mac_of("X")), "class": "foreign"}


def test_a_lease_that_expired_long_ago_puts_nothing_off() -> None:
    """The silence is told in its very nanosecond."""
    run = play(interleave(leases(0, "", expires=15), frames("A", 33)), until=60)
    assert [event.at for event in run.events if event.name == "vip_silent"] == [seconds(15) + 1, seconds(43) + 1]


def test_a_lease_that_expires_as_a_move_counts_is_not_forgotten_about() -> None:
    """The lease went over at 32 s; in the moment in which that counts as a move, the lease is still good."""
    run = play(
        interleave(service(22, "node-a"), leases(23, "node-b", expires=38), leases(32, "node-c", expires=47)), until=60
    )
    assert [event.at for event in run.events if event.name == "vip_moved"] == [seconds(47)]
    assert [event.at for event in run.events if event.name == "mismatch_ended"] == [seconds(47) + 1]
