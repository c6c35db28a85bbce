"""The core beside the oracle, step by step: state, holder's mac, counters, live claimants, period and last move."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from exporter.vip.model import Kind, Sighting, format_mac
from tests.vip.oracle import SECOND, Oracle
from tests.vip.situations import VIP, letter_of, mac_of, new_core

EXAMPLES = int(os.environ.get("ORACLE_EXAMPLES", "120"))
PERIODS = (None, 0.0, 1.0, 5.0, 10.0)
TICK = ""
"""In place of a mac: time passes and nobody speaks."""

Step = tuple[int, str]
"""Nanoseconds since the step before, and who speaks."""

half_seconds = st.integers(0, 40).map(lambda number: number * SECOND // 2)
hair = st.sampled_from([-1, 0, 0, 0, 1])
gaps = st.builds(lambda gap, by: max(0, gap + by), half_seconds, hair)
short_gaps = st.integers(0, 8).map(lambda number: number * SECOND // 2)


def at_random(macs: str) -> st.SearchStrategy[list[Step]]:
    """Frames of anyone at any of the distances around the boundaries."""
    return st.lists(st.tuples(gaps | short_gaps, st.sampled_from([*macs, TICK])), min_size=1, max_size=40)


@st.composite
def in_streams(draw: st.DrawFn) -> list[Step]:
    """Announcers that begin, keep their pace and stop."""
    moments: list[tuple[int, str]] = []
    for _ in range(draw(st.integers(2, 6))):
        mac = draw(st.sampled_from("ABCDE"))
        at = draw(st.integers(0, 80).map(lambda number: number * SECOND // 2))
        pace = draw(st.sampled_from([SECOND // 2, SECOND, 2 * SECOND, 3 * SECOND, 4 * SECOND, 5 * SECOND, 7 * SECOND]))
        moments += [(at + number * pace, mac) for number in range(draw(st.integers(1, 12)))]
    moments.sort()
    steps = [(at - before, mac) for (before, _), (at, mac) in zip([(0, ""), *moments], moments, strict=False)]
    return [*steps, (draw(gaps), TICK), (draw(gaps), TICK)]


def compare(steps: Sequence[Step], period: float | None) -> None:
    core = new_core(period=period)
    oracle = Oracle(configured=None if period is None else round(period * SECOND))
    at = 0
    for number, (gap, mac) in enumerate(steps):
        at += gap
        if mac == TICK:
            oracle.tick(at)
        else:
            oracle.frame(at, mac)
            core.observe(Sighting(at, VIP, Kind.REQUEST, mac_of(mac)))
        core.tick(at)
        vip = core.snapshot().vips[0]
        actual = {
            "state": str(vip.state),
            "mac": letter_of(vip.holder_mac) if vip.holder_mac else "",
            "moves": vip.moves,
            "contests": vip.contests,
            "withdrawn": vip.withdrawn_claims,
            "live": sorted(claimant.mac for claimant in vip.claimants),
            "period": vip.period,
            "moved_at": vip.last_move.at if vip.last_move else None,
            "handover": vip.last_handover,
        }
        wanted = {
            "state": oracle.state,
            "mac": oracle.mac,
            "moves": oracle.moves,
            "contests": oracle.contests,
            "withdrawn": oracle.withdrawn,
            "live": sorted(format_mac(mac_of(mac)) for mac in oracle.live),
            "period": oracle.period,
            "moved_at": oracle.moved_at,
            "handover": oracle.handover,
        }
        assert actual == wanted, f"step {number}, {at / SECOND} s"


fixed = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)


@pytest.mark.parametrize("period", PERIODS)
@given(steps=st.sampled_from(["AB", "ABC", "ABCDE"]).flatmap(at_random))
@fixed
def test_core_agrees_with_the_oracle_on_random_frames(period: float | None, steps: list[Step]) -> None:
    """Two to five macs at random distances, mostly on, just before and just after the boundaries."""
    compare(steps, period)


@pytest.mark.parametrize("period", PERIODS)
@given(steps=in_streams())
@fixed
def test_core_agrees_with_the_oracle_on_streams(period: float | None, steps: list[Step]) -> None:
    """Announcers that begin and stop at random, each at its own pace."""
    compare(steps, period)
