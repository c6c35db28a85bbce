"""Descriptions as they are to be read, where several tests expect the same."""

from __future__ import annotations

from tests.alerts.fleet import GRACE, MACS, NODE_1, VIP
from tests.alerts.scenario import Story
from tests.alerts.timeline import minutes


def by_source(
    *,
    wire: str | None,
    lease: str | None = None,
    annotation: str | None = None,
    local: str | None = None,
    observers: int = 3,
) -> str:
    """Who holds it, by source: a line for each that names somebody. Only the holder's own observer has it bound."""
    found = [
        f"- {name}: {node} (observers: {observers})"
        for name, node in (("annotation", annotation), ("lease", lease))
        if node
    ]
    found += [f"- local: {local} (observers: 1)"] if local else []
    found += [f"- wire: {wire} at {MACS[wire]} (observers: {observers})"] if wire else []
    return "\n".join(found)


def all_agree(holder: str, *, observers: int = 3) -> str:
    return by_source(wire=holder, lease=holder, annotation=holder, local=holder, observers=observers)


def announced(node: str) -> str:
    """A claimant that is a node."""
    return f"- {MACS[node]} ({node}, node)"


def clock(second: int) -> str:
    """As Prometheus prints a time."""
    return f"1970-01-01 {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02} +0000 UTC"


def moved(
    story: Story,
    at: int,
    origin: str,
    target: str,
    *,
    holder: str | None = None,
    vip: str = VIP,
    observers: int = 3,
    wires: str = "",
    since: int | None = None,
    until: int | None = None,
) -> Story:
    """VIPMoved, from when the move is settled to ten minutes after it. All sources name the same holder, the target.

    Args:
        wires: what the wire says instead.
    """
    holder = holder or target
    if wires:
        wires = f"{by_source(wire=None, lease=holder, annotation=holder, local=holder, observers=observers)}\n{wires}"
    return story.fires(
        "VIPMoved",
        since=at + GRACE if since is None else since,
        until=at + minutes(10) if until is None else until,
        vip=vip,
        from_=origin,
        to=target,
        description=(
            f"VIP {vip} moved from {origin} to {target}, {clock(at)}.\n"
            "Where a provider routes it by hand (a floating IP), it has to be moved there now. By source:\n"
            f"{wires or all_agree(holder, observers=observers)}"
        ),
    )


def slow(
    story: Story,
    at: int,
    origin: str,
    target: str,
    *,
    length: str,
    sources: str | None = None,
    until: int | None = None,
) -> Story:
    """VIPHandoverSlow, for as long as the move is told."""
    return story.fires(
        "VIPHandoverSlow",
        since=at + GRACE,
        until=at + minutes(10) if until is None else until,
        vip=VIP,
        description=(
            f"VIP 192.0.2.100 was announced by nobody for {length} before its new holder began.\n"
            f"- from {origin} to {target}, {clock(at)}\n"
            f"Who holds it, by source:\n{all_agree(target) if sources is None else sources}"
        ),
    )


def not_heard(story: Story, observer: str, since: int, until: int | None, sources: str) -> Story:
    return story.fires(
        "VIPNotHeardOnNode",
        since=since,
        until=until,
        vip=VIP,
        observer=observer,
        requirement="heard_here",
        description=(
            f"VIP 192.0.2.100 is announced, but {observer} does not hear it: its segment does not carry the "
            f"announcements.\n{sources}"
        ),
    )


def silent(story: Story, since: int, until: int | None, sources: str) -> Story:
    description = f"VIP 192.0.2.100 is announced by nobody. Who holds it, by source:\n{sources}"
    return story.fires("VIPSilent", since=since, until=until, vip=VIP, description=description.rstrip("\n"))


def unheld(story: Story, since: int, until: int | None) -> Story:
    return story.fires(
        "VIPUnheld",
        since=since,
        until=until,
        vip=VIP,
        description=(
            "VIP 192.0.2.100 is announced by nobody, no fresh Lease names a holder, and no observed node has it bound."
            f"\nWho announced it in the last 10 minutes:\n{announced(NODE_1)}"
        ),
    )
