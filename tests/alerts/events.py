"""What befalls a VIP and its observers: moves, silence, restarts, as the exporters' series tell it.

As in fleet.py, which alerts follow is for the tests to say.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.alerts.fleet import DEVICE, GRACE, NODE_1, VIP, bind, claims, count, intent, state, wire
from tests.alerts.scenario import Story


def told_move(
    story: Story,
    at: int,
    origin: str,
    target: str,
    *,
    settled: int | None = None,
    silence: float = 1,
    on: Sequence[str] = (),
    vip: str = VIP,
) -> Story:
    """These observers count a move, and tell of it from when it is settled on."""
    settled = at + GRACE if settled is None else settled
    count(story, settled, "vip_moves_total", on=on, vip=vip)
    tells(story, at, origin, target, settled=settled, on=on, vip=vip)
    return story.at(settled, "vip_last_handover_seconds", silence, on=on, vip=vip)


def tells(
    story: Story,
    at: int,
    origin: str,
    target: str,
    *,
    settled: int | None = None,
    on: Sequence[str] = (),
    vip: str = VIP,
) -> Story:
    """What these observers tell of the last move, whatever they told before: MACs where they know no names."""
    settled = at + GRACE if settled is None else settled
    labels = {"vip": vip, "from": origin, "to": target}
    return story.instead(settled, "vip_last_move_timestamp_seconds", at, on=on, like="vip", **labels)


def move(
    story: Story, at: int, origin: str, target: str, *, silence: int = 1, on: Sequence[str] = (), vip: str = VIP
) -> Story:
    """A clean move: `at` is the target's first frame; everything follows within the grace time."""
    if silence > 10:
        state(story, at - silence + 10, "silent", on=on, vip=vip)
        wire(story, at - silence + 10, None, on=on, vip=vip)
    state(story, at, "moving", on=on, vip=vip)
    claims(story, at, target, on=on, vip=vip)
    claims(story, at, origin, until=at - silence, on=on, vip=vip)
    intent(story, at, target, sources=("lease",), on=on, vip=vip)
    intent(story, at + 1, target, sources=("annotation",), on=on, vip=vip)
    for node, devices in ((origin, ()), (target, (DEVICE,))):
        if node in {observer.name for observer in story.those(on)}:
            bind(story, at, devices, on=node, vip=vip)
    state(story, at + GRACE, "held", on=on, vip=vip)
    wire(story, at + GRACE, target, on=on, vip=vip)
    return told_move(story, at, origin, target, silence=silence, on=on, vip=vip)


def nobody_holds(story: Story, at: int) -> Story:
    intent(story, at, None)
    return bind(story, at, (), on=NODE_1)


def deaf(story: Story, at: int, *, on: Sequence[str] = ()) -> Story:
    """These observers hear no announcement any more, though other evidence says that the VIP is held."""
    state(story, at, "silent", on=on)
    wire(story, at, None, on=on)
    return story.at(at, "vip_requirement_met", 0, on=on, vip=VIP, requirement="heard_here")


def hearing(story: Story, at: int, *, on: Sequence[str] = ()) -> Story:
    """They hear node-1."""
    state(story, at, "held", on=on)
    wire(story, at, NODE_1, on=on)
    return story.at(at, "vip_requirement_met", 1, on=on, vip=VIP, requirement="heard_here")


def restart(story: Story, at: int, node: str, *, away: int = 20, vip: str = VIP) -> Story:
    """The exporter on that node is gone for a while, and begins anew: it knows neither counts nor moves."""
    story.gone(at, on=(node,), until=at + away)
    story.without(at, "vip_last_move_timestamp_seconds", on=(node,), vip=vip)
    story.without(at, "vip_last_handover_seconds", on=(node,), vip=vip)
    for line in story.those((node,))[0].lines:
        if line.name == "vip_claimant_info" and any(value is None for value in line.steps.values()):
            line.at(at, None)
    state(story, at, "unknown", on=(node,), vip=vip)
    return state(story, at + away + 3, "held", on=(node,), vip=vip)
