"""What an API server answers: lists, watches, and Services, Leases, Nodes, DaemonSets and ConfigMaps in them.

An input is a conversation. A line `# services list` begins the body of an answer to that request, which goes on to the
next such line; the requests are those of `REQUESTS`. What is said goes all the way: into the join of all resources,
the core, its snapshot, and the metrics and records made of that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from ipaddress import ip_address
from typing import Any
from zlib import crc32

from exporter.cluster.client import Answer
from exporter.cluster.errors import ClusterError
from exporter.cluster.fields import MOST_PROBLEMS, Json, Key, Problem
from exporter.cluster.interests import Interests
from exporter.cluster.join import Join
from exporter.cluster.kinds import CONFIGMAPS, DAEMONSETS, LEASES, NODES, Kind, discovered_services
from exporter.cluster.loop import Loop, Timing
from exporter.cluster.target import Report, Target
from exporter.publish.metrics import Exposition
from exporter.publish.records import event_record, vip_record
from exporter.vip.core import Core
from exporter.vip.model import SECOND, Input, Mode, Nanoseconds, ServiceRef, ServiceSeen, parse_mac
from exporter.vip.snapshot import Snapshot
from tests.fuzz.json_lines import mutate_json

BEGAN = 1_700_000_000 * SECOND
"""What the program's zero is on the wall clock."""
INTERESTS = Interests(
    discover=True,
    exclude=("*/hidden-*",),
    control_plane_addresses=(ip_address("192.0.2.200"),),
    nodes=(("node-1", parse_mac("02:00:00:00:00:0a")),),
)
METRICS_FOR = 8
"""One in so many inputs."""
KINDS: dict[str, tuple[Target, Kind[Any]]] = {
    "services": (Target("services"), discovered_services(include=("*/*",), exclude=INTERESTS.exclude)),
    "leases": (Target("leases"), LEASES),
    "nodes": (Target("nodes"), NODES),
    "daemonsets": (Target("daemonsets", "kube-system", "kube-vip"), DAEMONSETS),
    "configmaps": (Target("configmaps", "harvester-system", "vip"), CONFIGMAPS),
}
REQUESTS = re.compile(rb"^# (services|leases|nodes|daemonsets|configmaps) (list|watch)\n", re.MULTILINE)

mutate = mutate_json
TOKENS = tuple(
    text.encode()
    for text in (
        *(f"# {resource} {request}\n" for resource in KINDS for request in ("list", "watch")),
        *('"metadata":', '"annotations":', '"labels":', '"spec":', '"status":', '"items":', '"object":', '"data":'),
        *('"ADDED"', '"MODIFIED"', '"DELETED"', '"BOOKMARK"', '"ERROR"', '"resourceVersion":"9"', '"code":410'),
        *('"kube-vip.io/loadbalancerIPs":"', '"kube-vip.io/requestedIP":"', '"kube-vip.io/vipHost":"'),
        *('"kube-vip.io/hwaddr":"', '"kube-vip.io/ignore":"true"', '"kube-vip.io/leaseName":"'),
        *('"holderIdentity":', '"renewTime":', '"acquireTime":', '"leaseDurationSeconds":', '"leaseTransitions":'),
        *('"loadBalancer":', '"ingress":', '"ip":', '"loadBalancerIP":', '"loadBalancerClass":', '"LoadBalancer"'),
        *('"InternalIP"', '"addresses":', '"nodeSelector":', '"affinity":', '"nodeAffinity":', '"nodeSelectorTerms":'),
        *('"requiredDuringSchedulingIgnoredDuringExecution":', '"matchExpressions":', '"matchFields":', '"operator":'),
        *('"Gt"', '"NotIn"', '"containers":', '"image":', '"template":', '"generation":', '"enabled":"true"'),
        *("null", "true", "[]", "{}", "-1", "1e999", "1" * 30),
        *('"\\ud800"', '"\\u0000"', "0.0.0.0", "::", "::ffff:1.2.3.4"),
        *("192.0.2.100", "2001:db8::100", "127.0.0.1", "ff02::1", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00Z"),
    )
)


class Clock:
    """Goes on by a second for each report."""

    def __init__(self) -> None:
        self.time: Nanoseconds = 0

    def now(self) -> Nanoseconds:
        return self.time

    def from_wall(self, wall: Nanoseconds) -> Nanoseconds:
        return wall - BEGAN


class Body:
    """An answer's body that has come already, in parts that end anywhere."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, _: int) -> Iterator[bytes]:
        for at in range(0, len(self._content), 100):
            yield self._content[at : at + 100]

    def close(self) -> None:
        pass


class Server:
    """Answers each request with the body at hand."""

    def __init__(self) -> None:
        self.body = b""

    def list(self, _: Target) -> Answer:
        return Answer(Body(self.body), quiet=1.0)

    def watch(self, _: Target, **__: object) -> Answer:
        return Answer(Body(self.body), quiet=1.0)


class Conversation:
    """One cluster, from its first answer to its last."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.server = Server()
        self.join = Join(INTERESTS, from_wall=self.clock.from_wall, doubt=2 * SECOND)
        self.core = Core(at=0, observer="node-1", listening=True)
        self.snapshots = 0
        self.take(self.join.begin(0))
        self.loops = {resource: self.loop(resource) for resource in KINDS}

    def loop(self, resource: str) -> Loop[Any]:
        target, kind = KINDS[resource]
        return Loop(
            target=target,
            kind=Kind(kind.resource, self.reading(kind)),
            client=self.server,  # type: ignore[arg-type]
            clock=self.clock,  # type: ignore[arg-type]
            timing=Timing(pace=0),
            state=nullcontext(),
            deliver=lambda report: self.deliver(resource, report),
            failed=lambda: None,
        )

    def reading(self, kind: Kind[Any]) -> Callable[[Key, Json], tuple[Any, tuple[Problem, ...]]]:
        def read(key: Key, obj: Json) -> tuple[Any, tuple[Problem, ...]]:
            value, problems = kind.read(key, obj)
            assert kind.read(key, obj) == (value, problems), "read again, it says something else"
            assert len(problems) <= MOST_PROBLEMS
            for problem in problems:
                assert problem.remedy
                assert problem.value.isprintable()
                assert len(problem.value) <= 65
            return value, problems

        return read

    def deliver(self, resource: str, report: Report[Any]) -> None:
        self.clock.time += SECOND
        take: dict[str, Callable[[Report[Any]], list[Input]]] = {
            "services": self.join.take_services,
            "leases": self.join.take_leases,
            "nodes": self.join.take_nodes,
            "daemonsets": self.join.take_daemonsets,
            "configmaps": self.join.take_wishes,
        }
        self.take(take[resource](report))
        assert take[resource](report) == [], "told the same again, it has something to say"

    def take(self, inputs: list[Input]) -> None:
        for each in inputs:
            if isinstance(each, ServiceSeen):
                check_intent(each)
            for event in self.core.observe(each):
                json.dumps(event_record(event, lambda at: at + BEGAN))
        assert not self.join.watched_leases & self.join.polled_leases

    def ask(self, resource: str, request: str, body: bytes) -> None:
        self.server.body = body
        loop = self.loops[resource]
        try:
            if request == "list":
                assert loop._list()
            else:
                loop._watch("1")
        except ClusterError as error:
            said = str(error)
            assert said
            assert len(said) < 1000
            if resource == "nodes":
                self.take(self.join.miss_nodes(self.clock.now()))

    def end(self, *, metrics: bool) -> None:
        """What follows from time alone, and what all of it looks like from outside."""
        for later in (1, 60 * SECOND, 3600 * SECOND):
            self.clock.time += later
            self.join.doubted_leases(self.clock.now())
            self.take(self.join.tick(self.clock.now()))
            assert self.join.tick(self.clock.now()) == []
            self.core.tick(self.clock.now())
        show(self.core.snapshot(), metrics=metrics)


def check_intent(seen: ServiceSeen) -> None:
    intent = seen.intent
    assert len(intent.addresses) == len(set(intent.addresses)) <= 16
    for address in intent.addresses:
        assert not (address.is_unspecified or address.is_multicast or address.is_loopback)
    assert intent.vip_host.isprintable()
    assert len(intent.vip_host) <= 253
    if intent.hwaddr is not None:
        assert intent.mode is Mode.DHCP
        assert not intent.hwaddr[0] & 1
    assert isinstance(intent.service, ServiceRef)


def show(snapshot: Snapshot, *, metrics: bool) -> None:
    for vip in snapshot.vips:
        json.dumps(vip_record(vip, lambda at: at + BEGAN)).encode()
    if metrics:
        exposition = Exposition(snapshot=lambda: snapshot, status=None, to_wall=lambda at: at + BEGAN)
        content = exposition.render()[1].decode()
        assert all(f'vip="{vip.address}"' in content for vip in snapshot.vips)


def check(data: bytes) -> None:
    conversation = Conversation()
    _, *parts = REQUESTS.split(data)
    for resource, request, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        conversation.ask(resource.decode(), request.decode(), body)
    # Metrics take as long as all the rest, so they are made for some inputs only.
    conversation.end(metrics=crc32(data) % METRICS_FOR == 0)
