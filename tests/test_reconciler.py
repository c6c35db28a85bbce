"""The one writer of state: what it passes on, and what it survives."""

from __future__ import annotations

from ipaddress import ip_address

from exporter.clock import Clock
from exporter.reconciler import Reconciler
from exporter.vip.core import Core
from exporter.vip.model import Kind, Mac, Node, NodesSeen, ServiceIntent, ServiceRef, ServiceSeen, Sighting

VIP = ip_address("192.0.2.10")
NODE = ip_address("192.0.2.11")


class Broken(Core):
    """A core with a defect that one input brings out."""

    def observe(self, event):
        if isinstance(event, NodesSeen) and not event.nodes:
            raise RuntimeError("a defect")
        return super().observe(event)


def test_an_input_that_brings_out_a_defect_does_not_hold_back_the_others(capsys) -> None:
    clock = Clock()
    published, watched = [], []
    reconciler = Reconciler(
        Broken(at=clock.now(), listening=True),
        clock=clock,
        publish=published.extend,
        watch=lambda vips, neighbours: watched.append((dict(vips), neighbours)),
    )
    now = clock.now()
    reconciler.deliver(
        [
            ServiceSeen(now, ServiceIntent(ServiceRef("kube-system", "ingress-expose"), (VIP,))),
            NodesSeen(now, ()),
            NodesSeen(now, (Node("node-1", (NODE,)),)),
            Sighting(now, VIP, Kind.REQUEST, Mac(b"\x02\0\0\0\0\x01")),
        ]
    )
    assert watched == [({VIP: None}, frozenset({NODE}))]
    assert [str(event.name) for event in published] == ["vip_seen"]
    assert "an input could not be taken" in capsys.readouterr().err
