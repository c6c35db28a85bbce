"""Knows the nodes: their names, addresses and configured MACs, which may hold a VIP, and what kube-vip runs on them.

Pure: it is told what Nodes and DaemonSets say.
"""

from __future__ import annotations

from exporter.cluster.fields import Key
from exporter.cluster.interests import Interests
from exporter.cluster.kubevip import KubeVip, Version
from exporter.cluster.node import NodeFacts
from exporter.cluster.target import Objects, Report
from exporter.vip.model import Input, Nanoseconds, Node, NodesSeen
from exporter.vip.nodes import with_macs


class Roster:
    """The nodes, and kube-vip's version."""

    def __init__(self, interests: Interests) -> None:
        self.version: Version | None = interests.kube_vip_version
        """None while it is not known."""
        self._interests = interests
        self._facts: Objects[NodeFacts] = Objects()
        self._daemonsets: Objects[KubeVip] = Objects()
        self._tried = False
        self._told: tuple[Node, ...] = ()

    def take_nodes(self, report: Report[NodeFacts]) -> list[Input]:
        changes = self._facts.take(report)
        if not changes and self._tried:
            return []
        self._tried = True
        return self._tell(report.at)

    def miss_nodes(self, at: Nanoseconds) -> list[Input]:
        """The Nodes cannot be listed: what was configured of them is all there is."""
        self._tried = True
        return self._tell(at)

    def take_daemonsets(self, report: Report[KubeVip]) -> list[Input]:
        if not self._daemonsets.take(report):
            return []
        self.version = self._interests.kube_vip_version or self._find_version()
        return self._tell(report.at)

    def _find_version(self) -> Version | None:
        """That of the first DaemonSet that exists and tells one."""
        there = [key for ref in self._interests.daemonsets if (key := Key(ref.namespace, ref.name)) in self._daemonsets]
        return next((version for key in there if (version := self._daemonsets[key].version) is not None), None)

    def _tell(self, at: Nanoseconds) -> list[Input]:
        nodes = self._join() if self._tried else ()
        if nodes == self._told:
            return []
        self._told = nodes
        return [NodesSeen(at, nodes)]

    def _join(self) -> tuple[Node, ...]:
        """Every Node, with the MACs that were configured for it; and what was configured for none of them."""
        nodes = [self._node(facts) for facts in sorted(self._facts.values(), key=lambda facts: facts.name)]
        return with_macs(nodes, self._interests.nodes)

    def _node(self, facts: NodeFacts) -> Node:
        placements = [kube_vip.placement for kube_vip in self._daemonsets.values()]
        # Without a DaemonSet kube-vip runs as static pods, on any node.
        runs = not placements or any(placement.admits(facts.name, facts.labels) for placement in placements)
        return Node(facts.name, facts.addresses, candidate=runs and not facts.is_witness)
