"""The watcher against an API server: what it follows, what it tells, and how far that can be believed."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from exporter.clock import Clock
from exporter.cluster.errors import Reason
from exporter.cluster.interests import Interests
from exporter.cluster.watch import ClusterWatcher, TargetStatus
from exporter.lab.kubeapi import Fault, Flaw, KubeAPI
from exporter.vip.model import SECOND, Input, LeaseGone, Mode, Node, ServiceRef, ServiceSeen, parse_mac
from tests.cluster.conftest import FAST, ONLY_SERVICE, SERVICE, Cluster, eventually, lease, nothing_but, service

VIP = ip_address("10.0.0.5")
BOTH = nothing_but(services=Interests().services)
SVCS_LOCK = ServiceRef("kube-system", "plndr-svcs-lock")
WITH_LEASE = nothing_but(services=(SERVICE,), service_leases=(SVCS_LOCK,))


def errors(watcher: ClusterWatcher, resource: str = "services") -> dict[Reason, int]:
    counted = watcher.status().errors.items()
    return {reason: count for (of, reason), count in counted if count and of == resource}


def target(watcher: ClusterWatcher, resource: str) -> TargetStatus:
    (found,) = (one for one in watcher.status().targets if one.resource == resource)
    return found


def ticked(watcher: ClusterWatcher) -> bool:
    watcher.tick()
    return True


def asked(api: KubeAPI, resource: str, verb: str = "list") -> int:
    return sum(one.resource == resource and one.verb == verb for one in api.requests)


# --- everything together ----------------------------------------------------------------------------------------------


def daemonset(version: str) -> dict[str, Any]:
    pod = {"nodeSelector": {"role": "control"}, "containers": [{"name": "x", "image": f"kube-vip:v{version}"}]}
    return {"metadata": {"name": "kube-vip", "namespace": "harvester-system"}, "spec": {"template": {"spec": pod}}}


def node(name: str, ip: str, role: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"role": role}},
        "status": {"addresses": [{"type": "InternalIP", "address": ip}]},
    }


def wish(enabled: str = "true") -> dict[str, Any]:
    data = {"enabled": enabled, "ip": "10.0.0.5", "mode": "static", "loadBalancerIP": "10.0.0.5"}
    return {"metadata": {"name": "vip", "namespace": "harvester-system"}, "data": data}


def populate(api: KubeAPI) -> None:
    """All that a Harvester has."""
    api.apply("leases", lease("plndr-svcs-lock", namespace="harvester-system", transitions=3))
    api.apply("daemonsets", daemonset("0.8.1"))
    api.apply("nodes", node("node1", "10.0.0.1", "control"))
    api.apply("nodes", node("node2", "10.0.0.2", "worker"))
    api.apply("configmaps", wish())


def test_all_of_a_harvester_is_told_and_followed(cluster: Cluster) -> None:
    populate(cluster.api)
    watcher = cluster.watch(interests=Interests())
    eventually(lambda: watcher.status().ready)
    inbox = cluster.inbox
    assert inbox.nodes() == (
        Node("node1", (ip_address("10.0.0.1"),)),
        Node("node2", (ip_address("10.0.0.2"),), candidate=False),
    )
    intents = {one.intent.service: one.intent for one in inbox.inputs if isinstance(one, ServiceSeen)}
    assert intents[SERVICE].announces_hwaddr is False
    assert intents[ServiceRef("", "harvester-system/vip")].expected
    found = inbox.lease()
    assert found is not None
    assert (found.holder, found.lease, found.transitions) == ("node1", "harvester-system/plndr-svcs-lock", 3)
    assert inbox.currency() == [(True, True)]
    status = watcher.status()
    assert status.up
    assert status.kube_vip_version == (0, 8, 1)
    assert {(one.resource, one.object) for one in status.targets if one.found} == {
        ("services", "kube-system/ingress-expose"),
        ("leases", "harvester-system/plndr-svcs-lock"),
        ("daemonsets", "harvester-system/kube-vip"),
        ("configmaps", "harvester-system/vip"),
        ("nodes", "nodes"),
    }
    assert all(one.listed and not one.reason for one in status.targets)
    assert len(status.targets) == 10

    cluster.api.apply("daemonsets", daemonset("0.8.2"))
    eventually(lambda: watcher.status().kube_vip_version == (0, 8, 2))
    last = [one.intent for one in inbox.inputs if isinstance(one, ServiceSeen)][-2:]
    assert [intent.announces_hwaddr for intent in last] == [True, True]
    cluster.api.apply("nodes", node("node2", "10.0.0.2", "control"))
    eventually(lambda: [one.candidate for one in inbox.nodes()] == [True, True])
    cluster.api.apply("configmaps", wish("false"))
    eventually(lambda: inbox.hosts()[-1] == "-")
    assert watcher.status().up


def test_interests_that_need_nothing_ask_for_nothing(cluster: Cluster) -> None:
    watcher = cluster.watch(interests=nothing_but(control_plane_addresses=(VIP,)))
    eventually(lambda: watcher.status().ready)
    assert {(one.resource, one.pinned) for one in cluster.api.requests} == {("nodes", ""), ("leases", "plndr-cp-lock")}
    (told,) = (one for one in cluster.inbox.inputs if isinstance(one, ServiceSeen))
    assert (told.intent.addresses, told.intent.mode) == ((VIP,), Mode.STATIC)
    cluster.api.apply("leases", lease("plndr-cp-lock", "node2"))
    eventually(lambda: (found := cluster.inbox.lease()) and found.holder == "node2")


def test_both_of_harvesters_services_are_followed(cluster: Cluster) -> None:
    cluster.watch(interests=BOTH)
    eventually(lambda: cluster.inbox.freshness() == [True])
    cluster.api.delete("services", "kube-system", "ingress-expose")
    cluster.api.apply("services", service("rke2-traefik", host="node3"))
    eventually(lambda: sorted(cluster.inbox.hosts()) == ["-", "node1", "node3"])


def test_relist_delivers_only_what_changed(cluster: Cluster) -> None:
    populate(cluster.api)
    watcher = cluster.watch(interests=Interests())
    eventually(lambda: watcher.status().ready)
    before = len(cluster.inbox.inputs)
    lists = asked(cluster.api, "services"), asked(cluster.api, "nodes"), asked(cluster.api, "leases")
    watcher.relist()
    eventually(
        lambda: (
            (asked(cluster.api, "services"), asked(cluster.api, "nodes"), asked(cluster.api, "leases"))
            == tuple(count + more for count, more in zip(lists, (2, 1, 3), strict=True))
        )
    )
    eventually(lambda: watcher.status().up)
    assert len(cluster.inbox.inputs) == before


def test_consumer_that_raises_gets_the_change_again(cluster: Cluster) -> None:
    calls: list[Sequence[Input]] = []

    def deliver(inputs: Sequence[Input]) -> None:
        calls.append(inputs)
        if len(calls) <= 3:
            raise RuntimeError("not now")
        cluster.inbox(inputs)

    watcher = cluster.watch(deliver=deliver)
    eventually(lambda: cluster.inbox.hosts() == ["node1"])
    eventually(lambda: watcher.status().up)
    assert cluster.inbox.freshness()[-1] is True
    counted = watcher.status().errors
    assert sum(count for (_, reason), count in counted.items() if reason is Reason.INTERNAL) >= 1


# --- Leases -----------------------------------------------------------------------------------------------------------


def held_by(cluster: Cluster, name: str) -> bool:
    found = cluster.inbox.lease()
    return found is not None and found.lease == name


def test_lease_of_the_service_is_looked_for_as_long_as_the_service_is_there(cluster: Cluster) -> None:
    api = cluster.api
    watcher = cluster.watch(interests=WITH_LEASE)
    cluster.watching("leases", 2)
    api.apply("leases", lease("plndr-svcs-lock"))
    eventually(lambda: held_by(cluster, "kube-system/plndr-svcs-lock"))
    api.apply("leases", lease("kubevip-ingress-expose", "node2"))
    eventually(lambda: held_by(cluster, "kube-system/kubevip-ingress-expose"))
    api.apply("leases", lease("shared", "node3", namespace="vips"))
    api.annotate("services", "kube-system", "ingress-expose", {"kube-vip.io/leaseName": "vips/shared"})
    eventually(lambda: held_by(cluster, "vips/shared"))
    assert len(watcher.status().targets) == 5
    api.delete("services", "kube-system", "ingress-expose")
    eventually(lambda: isinstance(cluster.inbox.leases()[-1], LeaseGone))
    cluster.watching("leases", 1)
    assert [str(one.object) for one in watcher.status().targets if one.resource == "leases"] == [str(SVCS_LOCK)]


def test_every_renewal_is_told_at_once(cluster: Cluster) -> None:
    cluster.api.apply("leases", lease("plndr-svcs-lock"))
    cluster.watch(interests=WITH_LEASE)
    cluster.watching("leases", 2)
    eventually(cluster.inbox.lease)
    for transitions in range(1, 5):
        cluster.api.apply("leases", lease("plndr-svcs-lock", f"node{transitions}", transitions=transitions))
        eventually(lambda wanted=transitions: (found := cluster.inbox.lease()) and found.transitions == wanted)
    assert [one.expires - one.at > 14 * SECOND for one in cluster.inbox.leases()] == [True] * 5


def test_errors_of_a_lease_that_is_not_wanted_any_more_stay_counted(cluster: Cluster) -> None:
    cluster.api.inject(Fault(flaw=Flaw.STATUS, status=403, resource="leases"))
    watcher = cluster.watch()
    eventually(lambda: errors(watcher, "leases"))
    cluster.api.heal()
    cluster.api.delete("services", "kube-system", "ingress-expose")
    eventually(lambda: not [one for one in watcher.status().targets if one.resource == "leases"])
    assert errors(watcher, "leases")[Reason.FORBIDDEN] >= 1


def seems_expired(cluster: Cluster) -> bool:
    """What the core would make of the Lease now."""
    found = cluster.inbox.lease()
    return found is not None and found.confirmed and found.expires is not None and found.expires < Clock().now()


class TestExpiry:
    """The Lease holds for a second and is doubted in its second half."""

    def hold(self, cluster: Cluster) -> ClusterWatcher:
        watcher = cluster.watch(interests=WITH_LEASE)
        cluster.watching("leases", 2)
        cluster.api.apply("leases", lease("plndr-svcs-lock", duration=1))
        eventually(cluster.inbox.lease)
        return watcher

    def test_dead_leader_is_noticed_when_its_lease_expires(self, cluster: Cluster) -> None:
        watcher = self.hold(cluster)
        eventually(lambda: ticked(watcher) and seems_expired(cluster))
        found = cluster.inbox.lease()
        assert found is not None
        assert found.at < found.expires
        assert [one.confirmed for one in cluster.inbox.leases()] == [True, False, True]

    @pytest.mark.parametrize("how", ["killed", "frozen", "forbidden"])
    def test_lease_that_cannot_be_read_does_not_expire(self, cluster: Cluster, how: str) -> None:
        watcher = self.hold(cluster)
        match how:
            case "killed":
                cluster.api.stop()
            case "frozen":
                cluster.api.inject(Fault(flaw=Flaw.SILENT))
            case "forbidden":
                cluster.api.inject(Fault(flaw=Flaw.STATUS, status=403, resource="leases"))
        until = time.monotonic() + 1.3
        while time.monotonic() < until:
            watcher.tick()
            assert not seems_expired(cluster)
            time.sleep(0.01)
        found = cluster.inbox.lease()
        assert found is not None
        assert not found.confirmed
        assert found.holder == "node1"
        if how == "killed":
            cluster.api.start()
        cluster.api.heal()
        cluster.api.apply("leases", lease("plndr-svcs-lock", duration=1))
        eventually(lambda: (found := cluster.inbox.lease()) and found.confirmed)
        assert not seems_expired(cluster)

    def test_slow_server_delays_the_verdict_and_changes_none(self, cluster: Cluster) -> None:
        watcher = self.hold(cluster)
        cluster.api.inject(Fault(flaw=Flaw.SLOW, seconds=0.3))
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            cluster.api.apply("leases", lease("plndr-svcs-lock", duration=1))
            watcher.tick()
            assert not seems_expired(cluster)
            time.sleep(0.15)
        eventually(lambda: ticked(watcher) and seems_expired(cluster))

    def test_leader_whose_clock_is_behind_holds_its_lease_while_it_renews_it(self, cluster: Cluster) -> None:
        watcher = self.hold(cluster)
        for _ in range(5):
            cluster.api.apply("leases", lease("plndr-svcs-lock", duration=1, ago=60))
            time.sleep(0.2)
            watcher.tick()
            found = cluster.inbox.lease()
            assert found is not None
            assert found.expires is not None
            assert 0 < found.expires - Clock().now() < 1.5 * SECOND
        eventually(lambda: ticked(watcher) and seems_expired(cluster))


def test_more_leases_than_can_be_watched_are_listed_now_and_then(cluster: Cluster) -> None:
    api = cluster.api
    names = [f"s{index}" for index in range(25)]
    for index, name in enumerate(names):
        api.apply("services", service(name, ip=f"10.1.0.{index + 1}"))
        api.apply("leases", lease(f"kubevip-{name}", f"node{index}"))
        api.apply("leases", lease(f"unrelated-{name}", namespace="kube-node-lease"))
    refs = tuple(ServiceRef("kube-system", name) for name in names)
    watcher = cluster.watch(
        interests=nothing_but(services=refs, service_leases=(SVCS_LOCK,)), timing=replace(FAST, poll=0.2)
    )
    eventually(lambda: all(cluster.inbox.lease(f"10.1.0.{index + 1}") for index in range(25)))
    eventually(lambda: len(watcher.status().targets) == 28)
    listed = [one for one in watcher.status().targets if one.resource == "leases"]
    assert {(one.object, one.found) for one in listed} == {(str(SVCS_LOCK), 0), ("leases", 25)}
    for name in names:
        api.apply("leases", lease(f"kubevip-{name}", "another"))
    eventually(lambda: all(cluster.inbox.lease(f"10.1.0.{index + 1}").holder == "another" for index in range(25)))
    api.delete("leases", "kube-system", "kubevip-s7")
    eventually(lambda: cluster.inbox.lease("10.1.0.8") is None)
    assert errors(watcher, "leases") == {}
    for name in names[5:]:
        api.delete("services", "kube-system", name)
    eventually(lambda: api.open_watches["leases"] == 6)
    assert all(cluster.inbox.lease(f"10.1.0.{index + 1}") for index in range(5))


# --- discovery --------------------------------------------------------------------------------------------------------


def test_every_service_that_kube_vip_handles_is_discovered(cluster: Cluster) -> None:
    api = cluster.api
    api.apply("services", service("metallb", spec={"type": "LoadBalancer", "loadBalancerClass": "metallb"}))
    api.apply("services", service("left-over", host="node2", ip="10.0.0.6", spec={"type": "ClusterIP"}))
    api.apply("services", service("excluded", ip="10.0.0.7"))
    watcher = cluster.watch(interests=nothing_but(discover=True, exclude=("*/excl*",)))
    eventually(lambda: watcher.status().ready)
    told = {one.intent.service.name: one.intent for one in cluster.inbox.inputs if isinstance(one, ServiceSeen)}
    assert {name: intent.load_balancer for name, intent in told.items()} == {
        "ingress-expose": True,
        "left-over": False,
    }
    assert target(watcher, "services").found == 2
    elsewhere = service("anywhere", host="node9", ip="10.0.0.9")
    elsewhere["metadata"]["namespace"] = "apps"
    api.apply("services", elsewhere)
    eventually(lambda: cluster.inbox.hosts()[-1] == "node9")
    api.annotate("services", "apps", "anywhere", {"kube-vip.io/ignore": "true"})
    eventually(lambda: cluster.inbox.hosts()[-1] == "-")
    assert asked(api, "services") == 1


def test_a_thousand_services_are_followed_in_one_watch(cluster: Cluster) -> None:
    api = cluster.api
    for index in range(1000):
        api.apply("services", service(f"s{index}", ip=f"10.{1 + index // 250}.0.{1 + index % 250}"))
        api.apply("leases", lease(f"kubevip-s{index}", f"node{index % 3}"))
    watcher = cluster.watch(
        interests=nothing_but(discover=True, service_leases=(SVCS_LOCK,)), timing=replace(FAST, answer=5.0, poll=0.5)
    )
    eventually(lambda: target(watcher, "services").found == 1001, within=10)
    eventually(lambda: {one.object: one.found for one in watcher.status().targets}.get("leases") == 1000, within=10)
    assert len(cluster.inbox.hosts()) == 1001
    assert cluster.inbox.lease("10.4.0.250").holder == "node0"
    assert len(watcher.status().targets) == 4
    before = len(cluster.inbox.inputs)
    api.annotate("services", "kube-system", "s500", {"kube-vip.io/vipHost": "node2"})
    eventually(lambda: cluster.inbox.hosts()[-1] == "node2")
    assert [one for one in cluster.inbox.inputs[before:] if not isinstance(one, ServiceSeen)] == []
    assert errors(watcher) == {}


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_forbidden_leases_harm_nothing_else(cluster: Cluster) -> None:
    populate(cluster.api)
    cluster.api.inject(Fault(flaw=Flaw.STATUS, status=403, resource="leases"))
    watcher = cluster.watch(interests=Interests())
    eventually(lambda: watcher.status().ready)
    assert not watcher.status().up
    assert cluster.inbox.currency() == [(True, True)]
    assert len(cluster.inbox.nodes()) == 2
    assert cluster.inbox.leases() == []
    refused = {one.object: one.reason for one in watcher.status().targets if not one.up}
    assert refused == {
        "harvester-system/plndr-svcs-lock": "forbidden",
        "kube-system/plndr-svcs-lock": "forbidden",
        "kube-system/kubevip-ingress-expose": "forbidden",
    }
    cluster.api.heal()
    eventually(lambda: held_by(cluster, "harvester-system/plndr-svcs-lock"))
    eventually(lambda: watcher.status().up)


def test_forbidden_nodes_leave_the_configured_ones(cluster: Cluster) -> None:
    cluster.api.inject(Fault(flaw=Flaw.STATUS, status=403, resource="nodes"))
    mac = parse_mac("52:54:00:00:00:01")
    watcher = cluster.watch(interests=replace(ONLY_SERVICE, nodes=(("node1", mac),)))
    eventually(lambda: watcher.status().ready)
    assert cluster.inbox.nodes() == (Node("node1", macs=(mac,)),)
    assert target(watcher, "nodes").reason == "forbidden"
    assert cluster.inbox.currency() == [(True, True)]
    cluster.api.apply("nodes", node("node1.example", "10.0.0.1", "control"))
    cluster.api.heal()
    eventually(lambda: [one.name for one in cluster.inbox.nodes()] == ["node1.example"])
    assert cluster.inbox.nodes()[0].macs == (mac,)


# --- how far it can be believed ---------------------------------------------------------------------------------------


class TestFreshness:
    QUICK = replace(FAST, stale_after=0.6)

    def test_quiet_but_answering_server_keeps_intent_fresh_and_current(self, cluster: Cluster) -> None:
        watcher = cluster.watch(timing=replace(self.QUICK, pulse=0.2, current_for=0.4))
        until = time.monotonic() + 1.2
        while time.monotonic() < until:
            watcher.tick()
            time.sleep(0.02)
        assert cluster.inbox.currency() == [(True, True)]
        assert errors(watcher) == {}

    def test_open_watch_that_fell_silent_makes_it_stale_in_time(self, cluster: Cluster) -> None:
        watcher = cluster.watch(timing=self.QUICK)
        cluster.watching()
        cluster.api.inject(Fault(flaw=Flaw.SILENT))
        silent = time.monotonic()
        eventually(lambda: ticked(watcher) and cluster.inbox.freshness()[-1:] == [False])
        assert time.monotonic() - silent < 0.8
        cluster.api.heal()
        eventually(lambda: ticked(watcher) and cluster.inbox.currency()[-1:] == [(True, True)])
        eventually(lambda: watcher.status().up)

    def test_server_that_never_answered_is_stale_after_the_same_time(self, cluster: Cluster) -> None:
        cluster.api.stop()
        watcher = cluster.watch(timing=self.QUICK)
        watcher.tick()
        assert cluster.inbox.freshness() == []
        eventually(lambda: ticked(watcher) and cluster.inbox.currency() == [(False, False)])

    def test_killed_server_makes_it_not_current_at_once(self, cluster: Cluster) -> None:
        watcher = cluster.watch()
        cluster.watching()
        eventually(lambda: cluster.inbox.currency() == [(True, True)])
        cluster.api.stop()
        eventually(lambda: cluster.inbox.currency() == [(True, True), (True, False)], within=1.0)
        cluster.api.start()
        eventually(lambda: cluster.inbox.currency() == [(True, True), (True, False), (True, True)])
        assert errors(watcher).keys() == {Reason.UNREACHABLE}

    def test_first_answer_after_an_outage_ends_the_pauses_of_all(
        self, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each target waits a time of its own after a failure; all but the Service's would wait for a minute here."""

        def pause(_least: float, _most: float) -> float:
            return 0.2 if "ingress-expose" in threading.current_thread().name else 60.0

        populate(cluster.api)
        watcher = cluster.watch(interests=Interests())
        eventually(lambda: watcher.status().up)
        monkeypatch.setattr("exporter.cluster.loop.random.uniform", pause)
        cluster.api.stop()
        eventually(lambda: not any(one.up for one in watcher.status().targets))
        cluster.api.start()
        eventually(lambda: watcher.status().up)

    def test_frozen_server_is_noticed_by_a_pulse(self, cluster: Cluster) -> None:
        """One small list, not one of each target, breaks the silence."""
        populate(cluster.api)
        watcher = cluster.watch(interests=Interests(), timing=replace(FAST, pulse=0.4, current_for=0.7, answer=5.0))
        eventually(lambda: watcher.status().ready)
        eventually(lambda: cluster.inbox.currency() == [(True, True)])
        eventually(lambda: cluster.api.open_watches.total() == len(watcher.status().targets))
        cluster.api.inject(Fault(flaw=Flaw.SILENT))
        before = len(cluster.api.requests)
        silent = time.monotonic()
        eventually(lambda: ticked(watcher) and cluster.inbox.currency() == [(True, True), (True, False)])
        assert 0.5 < time.monotonic() - silent < 1.2
        assert [(one.verb, bool(one.pinned)) for one in list(cluster.api.requests)[before:]] == [("list", True)]
        cluster.api.heal()
        eventually(lambda: ticked(watcher) and cluster.inbox.currency()[-1] == (True, True))

    def test_answer_that_trickles_for_ever_is_abandoned(self, cluster: Cluster) -> None:
        """Each byte resets the read timeout, so only silence of whole answers can tell."""
        with socket.create_server(("127.0.0.1", 0)) as drip:
            port = drip.getsockname()[1]
            threading.Thread(target=trickle, args=(drip,), daemon=True).start()
            good = cluster.kubeconfig.read_text()
            cluster.kubeconfig.write_text(good.replace(cluster.api.url, f"http://127.0.0.1:{port}"))
            watcher = cluster.watch(timing=self.QUICK)
            eventually(lambda: ticked(watcher) and sum(errors(watcher).values()))
            assert cluster.inbox.freshness() in ([], [False])


def trickle(server: socket.socket) -> None:
    connection, _ = server.accept()
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    try:
        while True:
            connection.sendall(b" ")
            time.sleep(0.05)
    except OSError:
        connection.close()


class TestStop:
    SLOW = replace(FAST, answer=30.0, connect=30.0, quiet=60.0, backoff_first=30.0, backoff_most=30.0)

    @pytest.mark.parametrize("state", ["watch", "list header", "watch header", "pause", "refused", "just started"])
    def test_stop_takes_less_than_a_second(self, cluster: Cluster, state: str) -> None:
        verb = {"list header": "list", "watch header": "watch"}.get(state)
        if verb:
            cluster.api.inject(Fault(flaw=Flaw.SILENT, verb=verb))
        if state == "pause":
            cluster.api.inject(Fault(flaw=Flaw.STATUS, status=500))
        if state == "refused":
            cluster.api.stop()
        watcher = cluster.watch(timing=self.SLOW, interests=BOTH)
        if state != "just started":
            time.sleep(0.3)
        started = time.monotonic()
        watcher.stop()
        assert time.monotonic() - started < 1.0
        delivered = len(cluster.inbox.inputs)
        if state != "refused":
            cluster.api.heal()
            cluster.api.annotate("services", "kube-system", "ingress-expose", {"kube-vip.io/vipHost": "late"})
            time.sleep(0.1)
            assert len(cluster.inbox.inputs) == delivered

    def test_stop_without_start_and_twice(self, cluster: Cluster) -> None:
        watcher = ClusterWatcher(clock=Clock(), deliver=cluster.inbox, kubeconfig=str(cluster.kubeconfig))
        watcher.stop()
        watcher.stop()

    def test_open_watches_end_at_once_and_take_their_threads_along(self, cluster: Cluster) -> None:
        watcher = cluster.watch(timing=self.SLOW, interests=BOTH)
        cluster.watching("services", 2)
        cluster.watching("nodes")
        started = time.monotonic()
        watcher.stop()
        assert time.monotonic() - started < 0.3
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("watch ")]
