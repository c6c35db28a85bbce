"""Three observers of a VIP, all well, and what befalls them: what the exporters' series say then.

It expects nothing: which alerts follow is for the tests to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from tests.alerts.scenario import Story

VIP = "192.0.2.100"
NODE_1, NODE_2, NODE_3 = NODES = ("node-1", "node-2", "node-3")
MACS: Mapping[str, str] = {node: f"02:00:00:00:00:{number:02x}" for number, node in enumerate(NODES, 1)}
DEVICE = "mgmt-br"
STATES = ("unknown", "held", "moving", "contested", "silent")
CHECKS = ("host", "mac", "lease", "address", "bound")
REQUIREMENTS = ("distinct_from_nodes", "same_subnet", "heard_here", "load_balancer_service")
SIGHTINGS = ("probe", "own_probe", "ordinary_request", "ordinary_reply")
GRACE = 7
LEASE = 15
SLOT = 600
"""A claimant stays listed for so long after its last frame."""


def fleet(
    *,
    nodes: Sequence[str] = NODES,
    vip: str = VIP,
    holder: str = NODE_1,
    pods: bool = False,
    summary: bool = False,
    job: str | None = None,
    extra: Mapping[str, str] | None = None,
) -> Story:
    """Observers that have watched the VIP on its holder for long."""
    story = Story(pods=pods, summary=summary, extra=extra or {})
    if job is not None:
        story.job = job
    for node in nodes:
        join(story, node, vip=vip, holder=holder)
    return story


def join(
    story: Story, node: str, *, at: int = 0, vip: str = VIP, holder: str = NODE_1, phase: Fraction | None = None
) -> Story:
    """An exporter starts on the node, and hears the VIP's holder."""
    story.observer(node, start=at, phase=phase)
    on = (node,)
    story.at(
        at, "vip_exporter_build_info", 1, on=on, version="1.0", revision="abc", pythonversion="3.11", observer=node
    )
    story.at(at, "vip_exporter_capture_up", 1, on=on, device=DEVICE)
    story.at(at, "vip_exporter_capture_dropped_total", 0, on=on, device=DEVICE)
    story.at(at, "vip_exporter_kubernetes_up", 1, on=on)
    for resource in ("services", "leases", "nodes"):
        story.at(
            at,
            "vip_exporter_kubernetes_last_sync_timestamp_seconds",
            lambda second: second - second % 45,
            on=on,
            resource=resource,
        )
    watch(story, node, at=at, vip=vip, holder=holder)
    return story


def watch(story: Story, node: str, *, at: int = 0, vip: str = VIP, holder: str = NODE_1) -> Story:
    """The exporter on that node watches the VIP."""
    on = (node,)
    for name in ("vip_moves_total", "vip_contests_total"):
        story.at(at, name, 0, on=on, vip=vip)
    for kind in SIGHTINGS:
        story.at(at, "vip_sightings_total", 0, on=on, vip=vip, kind=kind)
    for check in CHECKS:
        story.at(at, "vip_mismatch", 0, on=on, vip=vip, check=check)
    for requirement in REQUIREMENTS:
        story.at(at, "vip_requirement_met", 1, on=on, vip=vip, requirement=requirement)
    state(story, at, "held", on=on, vip=vip)
    wire(story, at, holder, on=on, vip=vip)
    claims(story, at, holder, on=on, vip=vip)
    intent(story, at, holder, on=on, vip=vip)
    bind(story, at, (DEVICE,) if holder == node else (), on=node, vip=vip)
    return story


def renewed(second: int) -> float:
    """When the Lease would expire."""
    return second - second % 2 + LEASE


# --- what changes -----------------------------------------------------------------------------------------------------


def state(story: Story, at: int, now: str, *, on: Sequence[str] = (), vip: str = VIP) -> Story:
    for one in STATES:
        story.at(at, "vip_state", float(one == now), on=on, vip=vip, state=one)
    return story


def wire(
    story: Story, at: int, holder: str | None, *, mac: str | None = None, on: Sequence[str] = (), vip: str = VIP
) -> Story:
    """The wire names this holder; None: nobody. An empty one is a MAC of no known node."""
    if holder is None:
        return story.without(at, "vip_source_holder_info", on=on, vip=vip, source="wire")
    return story.instead(
        at,
        "vip_source_holder_info",
        on=on,
        like="vip source",
        vip=vip,
        source="wire",
        holder=holder,
        mac=mac or MACS[holder],
    )


def claims(
    story: Story,
    at: int,
    node: str,
    *,
    mac: str | None = None,
    class_: str = "node",
    until: int | None = None,
    on: Sequence[str] = (),
    vip: str = VIP,
) -> Story:
    """A claimant is listed; `until` its last frame and ten minutes more."""
    labels = {"vip": vip, "mac": mac or MACS[node], "holder": node, "class": class_}
    story.at(at, "vip_claimant_info", 1, on=on, **labels)
    if until is not None:
        story.at(until + SLOT, "vip_claimant_info", None, on=on, **labels)
    return story


def intent(
    story: Story,
    at: int,
    holder: str | None,
    *,
    sources: Sequence[str] = ("lease", "annotation"),
    on: Sequence[str] = (),
    vip: str = VIP,
) -> Story:
    """Kubernetes names this holder, who renews his Lease; None: nobody, and the Lease has expired."""
    if "lease" in sources:
        expiry = at if holder is None else renewed
        story.at(at, "vip_lease_expiry_timestamp_seconds", expiry, on=on, vip=vip)
    for source in sources:
        if holder is None:
            story.without(at, "vip_source_holder_info", on=on, vip=vip, source=source)
        else:
            story.instead(
                at,
                "vip_source_holder_info",
                on=on,
                like="vip source",
                vip=vip,
                source=source,
                holder=holder,
                mac="",
            )
    return story


def bind(story: Story, at: int, devices: Sequence[str], *, on: str, vip: str = VIP) -> Story:
    """On that node these interfaces have the address."""
    story.without(at, "vip_bound", on=(on,), vip=vip)
    story.without(at, "vip_source_holder_info", on=(on,), vip=vip, source="local")
    for device in devices or ("",):
        story.at(at, "vip_bound", float(bool(device)), on=(on,), vip=vip, observer=on, device=device)
    if devices:
        story.at(at, "vip_source_holder_info", 1, on=(on,), vip=vip, source="local", holder=on, mac="")
    return story


def count(story: Story, at: int, name: str, *, on: Sequence[str] = (), by: int = 1, **labels: str) -> Story:
    """The counter goes up, as each of these observers counts."""
    for observer in story.those(on):
        line = observer.line(name, labels)
        story.at(at, name, (line.value(at) or 0) + by, on=(observer.name,), **labels)
    return story
