"""The loop against an API server that misbehaves in every way a test can name: it recovers, and says what is true."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.clock import Clock
from exporter.cluster.errors import Reason
from exporter.cluster.watch import DEFAULT_SERVICES, ClusterWatcher
from exporter.lab.kubeapi import Ending, Fault, Flaw, Rule
from exporter.vip.model import Input, ServiceGone, ServiceRef
from tests.cluster.conftest import FAST, Cluster, eventually, service


def errors(watcher: ClusterWatcher) -> dict[Reason, int]:
    return {reason: count for (_, reason), count in watcher.status().errors.items() if count}


def test_service_is_seen_then_followed_then_gone(cluster: Cluster) -> None:
    watcher = cluster.watch()
    eventually(lambda: cluster.inbox.hosts() == ["node1"])
    cluster.api.annotate("services", "kube-system", "ingress-expose", {"kube-vip.io/vipHost": "node2"})
    eventually(lambda: cluster.inbox.hosts() == ["node1", "node2"])
    cluster.api.delete("services", "kube-system", "ingress-expose")
    eventually(lambda: cluster.inbox.hosts() == ["node1", "node2", "-"])
    assert isinstance(cluster.inbox.services()[-1], ServiceGone)
    assert watcher.status().up
    assert errors(watcher) == {}
    assert cluster.inbox.freshness() == [True]


def test_change_of_something_else_is_not_delivered(cluster: Cluster) -> None:
    cluster.watch()
    eventually(lambda: cluster.inbox.hosts() == ["node1"])
    cluster.api.annotate("services", "kube-system", "ingress-expose", {"example.org/touched": "1"})
    cluster.api.apply("services", service("another", host="node9"))
    cluster.api.annotate("services", "kube-system", "ingress-expose", {"kube-vip.io/vipHost": "node2"})
    eventually(lambda: cluster.inbox.hosts() == ["node1", "node2"])


def test_relist_delivers_only_what_changed(cluster: Cluster) -> None:
    watcher = cluster.watch()
    eventually(lambda: cluster.inbox.hosts() == ["node1"])
    for _ in range(3):
        cluster.watching()
        before = watcher.status().last_sync["services"]
        watcher.relist()
        eventually(lambda before=before: watcher.status().last_sync["services"] > before)
    assert cluster.inbox.hosts() == ["node1"]
    assert errors(watcher) == {}


def test_service_that_does_not_exist_is_no_failure(cluster: Cluster) -> None:
    cluster.api.delete("services", "kube-system", "ingress-expose")
    watcher = cluster.watch()
    eventually(lambda: cluster.inbox.freshness() == [True])
    assert watcher.status().up
    assert cluster.inbox.services() == []
    cluster.api.apply("services", service())
    eventually(lambda: cluster.inbox.hosts() == ["node1"])


def test_both_of_harvesters_services_are_followed(cluster: Cluster) -> None:
    cluster.watch(services=DEFAULT_SERVICES)
    eventually(lambda: cluster.inbox.freshness() == [True])
    cluster.api.delete("services", "kube-system", "ingress-expose")
    cluster.api.apply("services", service("rke2-traefik", host="node3"))
    eventually(lambda: sorted(cluster.inbox.hosts()) == ["-", "node1", "node3"])


def test_orderly_end_resumes_from_the_last_version(cluster: Cluster) -> None:
    watcher = cluster.watch()
    cluster.watching()
    cluster.api.annotate("services", "kube-system", "ingress-expose", {"kube-vip.io/vipHost": "node2"})
    eventually(lambda: cluster.inbox.hosts() == ["node1", "node2"])
    cluster.api.interrupt_watches(ending=Ending.PROPER)
    eventually(lambda: [one.verb for one in cluster.api.requests] == ["list", "watch", "watch"])
    first, second = (int(one.query["resourceVersion"]) for one in list(cluster.api.requests)[1:])
    assert second > first
    assert errors(watcher) == {}


def test_bookmark_moves_the_version_and_counts_as_heard(cluster: Cluster) -> None:
    cluster.api.bookmark_seconds = 0.05
    watcher = cluster.watch()
    cluster.watching()
    cluster.api.apply("services", service("another"))
    before = watcher.status().last_sync["services"]
    eventually(lambda: watcher.status().last_sync["services"] > before + 100_000_000)
    cluster.api.interrupt_watches(ending=Ending.PROPER)
    eventually(lambda: len(cluster.api.requests) == 3)
    first, second = (int(one.query["resourceVersion"]) for one in list(cluster.api.requests)[1:])
    assert second > first


ODD_LIST = json.dumps({"kind": "ServiceList", "metadata": {"resourceVersion": "1"}, "items": [None, 5, {}]}).encode()
NAMELESS = json.dumps({"metadata": {"resourceVersion": "1"}, "items": [{"metadata": None}]}).encode()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(flaw=Flaw.STATUS, status=403), Reason.FORBIDDEN),
        (Fault(flaw=Flaw.STATUS, status=401), Reason.UNAUTHORIZED),
        (Fault(flaw=Flaw.STATUS, status=404), Reason.NOT_FOUND),
        (Fault(flaw=Flaw.STATUS, status=429), Reason.THROTTLED),
        (Fault(flaw=Flaw.STATUS, status=500), Reason.SERVER_ERROR),
        (Fault(flaw=Flaw.STATUS, status=302), Reason.REJECTED),
        (Fault(flaw=Flaw.STATUS, status=410), Reason.GONE),
        (Fault(flaw=Flaw.RESET), Reason.UNREACHABLE),
        (Fault(flaw=Flaw.SILENT), Reason.TIMEOUT),
        (Fault(flaw=Flaw.SLOW, seconds=2), Reason.TIMEOUT),
        (Fault(flaw=Flaw.RAW, body=b"<html>Sign in</html>"), Reason.MALFORMED),
        (Fault(flaw=Flaw.RAW, body=b""), Reason.MALFORMED),
        (Fault(flaw=Flaw.RAW, body=b"\xff\xfe\x00"), Reason.MALFORMED),
        (Fault(flaw=Flaw.RAW, body=b"[" * 200_000), Reason.MALFORMED),
        (Fault(flaw=Flaw.RAW, body=b"[]"), Reason.MALFORMED),
        (Fault(flaw=Flaw.RAW, body=b'{"items": []}'), Reason.MALFORMED),
        (Fault(flaw=Flaw.RAW, body=b'{"metadata": {"resourceVersion": "1"}, "items": 7}'), Reason.MALFORMED),
        (Fault(flaw=Flaw.RAW, body=ODD_LIST), Reason.MALFORMED),
        (Fault(flaw=Flaw.RAW, body=NAMELESS), Reason.MALFORMED),
    ],
    ids=lambda value: value.value if isinstance(value, Reason) else None,
)
def test_list_that_fails_is_repeated_until_it_works(cluster: Cluster, fault: Fault, reason: Reason) -> None:
    cluster.api.inject(replace(fault, verb="list"))
    watcher = cluster.watch()
    eventually(lambda: errors(watcher).get(reason, 0) >= 2)
    assert set(errors(watcher)) == {reason}
    assert not watcher.status().up
    assert cluster.inbox.inputs == []
    cluster.api.heal()
    eventually(lambda: cluster.inbox.hosts() == ["node1"])
    assert watcher.status().up


def event(kind: object, obj: object) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


@pytest.mark.parametrize(
    "line",
    [
        b"{not json\n",
        b"\xff\xfe\n",
        b"[1, 2]\n",
        b"null\n",
        event("MODIFIED", None),
        event("MODIFIED", {}),
        event("MODIFIED", {"metadata": None}),
        event("MODIFIED", {"metadata": {"name": 5}}),
        event("DELETED", {"metadata": {"name": "ingress-expose", "namespace": []}}),
        event("EXPLODED", {"metadata": {"name": "ingress-expose"}}),
        event(["MODIFIED"], {"metadata": {"name": "ingress-expose"}}),
        event("ERROR", {"code": "410"}),
        event("ERROR", {}),
        b'{"type": "MODIFIED", "obj',
    ],
    ids=lambda line: line[:40].decode(errors="replace").strip(),
)
def test_garbage_in_a_watch_is_counted_and_the_truth_listed_again(cluster: Cluster, line: bytes) -> None:
    watcher = cluster.watch()
    cluster.watching()
    cluster.api.interrupt_watches(line, None if line.endswith(b"\n") else Ending.PROPER)
    eventually(lambda: errors(watcher) == {Reason.MALFORMED: 1})
    cluster.api.annotate("services", "kube-system", "ingress-expose", {"kube-vip.io/vipHost": "node2"})
    eventually(lambda: cluster.inbox.hosts() == ["node1", "node2"])
    assert watcher.status().up


def test_garbage_within_an_object_does_no_harm(cluster: Cluster) -> None:
    watcher = cluster.watch()
    cluster.watching()
    odd = {
        "spec": 7,
        "status": [],
        "metadata": {"name": "ingress-expose", "namespace": "kube-system", "annotations": 5},
    }
    cluster.api.interrupt_watches(event("MODIFIED", odd) + b"\n\n")
    eventually(lambda: cluster.inbox.hosts() == ["node1", ""])
    cluster.api.annotate("services", "kube-system", "ingress-expose", {"kube-vip.io/vipHost": "node2"})
    eventually(lambda: cluster.inbox.hosts() == ["node1", "", "node2"])
    assert errors(watcher) == {}


@pytest.mark.parametrize("compacted", [True, False], ids=["event", "http"])
def test_version_too_old_is_listed_again_at_once(cluster: Cluster, compacted: bool) -> None:
    slow = replace(FAST, backoff_first=20.0, backoff_most=20.0)
    cluster.api.inject(Fault(flaw=Flaw.SLOW, verb="watch", seconds=0.2, times=1))
    if not compacted:
        cluster.api.inject(Fault(flaw=Flaw.STATUS, status=410, verb="watch", times=1))
    watcher = cluster.watch(timing=slow)
    eventually(lambda: [one.verb for one in cluster.api.requests] == ["list", "watch"])
    if compacted:
        cluster.api.annotate("services", "kube-system", "ingress-expose", {"kube-vip.io/vipHost": "node2"})
        cluster.api.compact()
    else:
        cluster.watching()
        cluster.api.annotate("services", "kube-system", "ingress-expose", {"kube-vip.io/vipHost": "node2"})
        eventually(lambda: cluster.inbox.hosts() == ["node1", "node2"])
        cluster.api.interrupt_watches(ending=Ending.PROPER)
    eventually(lambda: errors(watcher) == {Reason.GONE: 1})
    expected = ["list", "watch", "list", "watch"] if compacted else ["list", "watch", "watch", "list", "watch"]
    eventually(lambda: [one.verb for one in cluster.api.requests] == expected)
    eventually(lambda: cluster.inbox.hosts() == ["node1", "node2"])
    assert watcher.status().up


def test_reset_watch_loses_nothing(cluster: Cluster) -> None:
    watcher = cluster.watch()
    cluster.watching()
    cluster.api.interrupt_watches(ending=Ending.RESET)
    cluster.api.annotate("services", "kube-system", "ingress-expose", {"kube-vip.io/vipHost": "node2"})
    eventually(lambda: cluster.inbox.hosts() == ["node1", "node2"])
    assert errors(watcher) == {Reason.UNREACHABLE: 1}


def test_server_restart_with_the_service_changed_meanwhile(cluster: Cluster) -> None:
    watcher = cluster.watch()
    cluster.watching()
    cluster.api.stop()
    eventually(lambda: not watcher.status().up)
    cluster.api.delete("services", "kube-system", "ingress-expose")
    cluster.api.start()
    eventually(lambda: cluster.inbox.hosts() == ["node1", "-"])
    assert watcher.status().up
    assert Reason.UNREACHABLE in errors(watcher)


def test_server_absent_at_the_start(cluster: Cluster) -> None:
    cluster.api.stop()
    watcher = cluster.watch()
    eventually(lambda: errors(watcher).get(Reason.UNREACHABLE, 0) >= 2)
    cluster.api.start()
    eventually(lambda: cluster.inbox.hosts() == ["node1"])


def test_watch_that_ends_at_once_is_not_asked_for_without_pause(cluster: Cluster) -> None:
    cluster.api.inject(Fault(flaw=Flaw.RAW, verb="watch"))
    cluster.watch(timing=replace(FAST, pace=0.2))
    eventually(lambda: len(cluster.api.requests) >= 2)
    time.sleep(0.5)
    assert len(cluster.api.requests) <= 5


def test_failures_are_repeated_ever_more_slowly(cluster: Cluster) -> None:
    """Lists work and watches do not: the pause must grow all the same."""
    cluster.api.inject(Fault(flaw=Flaw.STATUS, status=403, verb="watch"))
    watcher = cluster.watch(timing=replace(FAST, backoff_first=0.05, backoff_most=10.0))
    time.sleep(1.5)
    assert 2 <= errors(watcher)[Reason.FORBIDDEN] <= 15
    assert cluster.inbox.hosts() == ["node1"]


def test_rbac_limited_to_one_service_by_name_is_enough(cluster: Cluster) -> None:
    cluster.api.rules = [Rule("services", ("list", "watch"), "kube-system", ("ingress-expose",))]
    cluster.watch()
    cluster.watching()
    assert cluster.inbox.hosts() == ["node1"]
    other = cluster.watch(services=[ServiceRef("kube-system", "rke2-traefik")])
    eventually(lambda: Reason.FORBIDDEN in errors(other))
    assert not other.status().up


def test_wrong_token_then_right_one(cluster: Cluster) -> None:
    cluster.api.token = "another"
    watcher = cluster.watch()
    eventually(lambda: Reason.UNAUTHORIZED in errors(watcher))
    cluster.api.token = "secret"
    eventually(lambda: cluster.inbox.hosts() == ["node1"])


def test_rotated_token_file_is_read_again_without_a_failure(cluster: Cluster, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    cluster.api.write_kubeconfig(cluster.kubeconfig, token_file=token)
    watcher = cluster.watch()
    cluster.watching()
    token.write_text("rotated\n")
    cluster.api.token = "rotated"
    watcher.relist()
    cluster.api.annotate("services", "kube-system", "ingress-expose", {"kube-vip.io/vipHost": "node2"})
    eventually(lambda: cluster.inbox.hosts() == ["node1", "node2"])
    assert errors(watcher) == {}


def test_broken_kubeconfig_is_retried_until_it_is_mended(cluster: Cluster) -> None:
    good = cluster.kubeconfig.read_text()
    cluster.kubeconfig.write_text("{clusters: 5")
    watcher = cluster.watch()
    eventually(lambda: errors(watcher).get(Reason.CONFIGURATION, 0) >= 2)
    cluster.kubeconfig.write_text(good)
    eventually(lambda: cluster.inbox.hosts() == ["node1"])


def test_consumer_that_raises_gets_the_change_again(cluster: Cluster) -> None:
    calls: list[Sequence[Input]] = []

    def deliver(inputs: Sequence[Input]) -> None:
        calls.append(inputs)
        if len(calls) == 1:
            raise RuntimeError("not now")
        cluster.inbox(inputs)

    watcher = cluster.watch(deliver=deliver)
    eventually(lambda: cluster.inbox.hosts() == ["node1"])
    assert errors(watcher) == {Reason.INTERNAL: 1}


def ticked(watcher: ClusterWatcher) -> bool:
    watcher.tick()
    return True


class TestFreshness:
    QUICK = replace(FAST, stale_after=0.6)

    def test_quiet_but_answering_server_keeps_intent_fresh(self, cluster: Cluster) -> None:
        watcher = cluster.watch(timing=self.QUICK)
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            watcher.tick()
            time.sleep(0.02)
        assert cluster.inbox.freshness() == [True]
        assert errors(watcher) == {}

    def test_open_watch_that_fell_silent_makes_it_stale_in_time(self, cluster: Cluster) -> None:
        watcher = cluster.watch(timing=self.QUICK)
        cluster.watching()
        cluster.api.inject(Fault(flaw=Flaw.SILENT))
        silent = time.monotonic()
        eventually(lambda: ticked(watcher) and cluster.inbox.freshness() == [True, False])
        assert time.monotonic() - silent < 0.8
        cluster.api.heal()
        eventually(lambda: ticked(watcher) and cluster.inbox.freshness() == [True, False, True])
        assert watcher.status().up

    def test_server_that_never_answered_is_stale_after_the_same_time(self, cluster: Cluster) -> None:
        cluster.api.stop()
        watcher = cluster.watch(timing=self.QUICK)
        watcher.tick()
        assert cluster.inbox.freshness() == []
        eventually(lambda: ticked(watcher) and cluster.inbox.freshness() == [False])

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
        watcher = cluster.watch(timing=self.SLOW, services=DEFAULT_SERVICES)
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
        watcher = cluster.watch(timing=self.SLOW, services=DEFAULT_SERVICES)
        eventually(lambda: cluster.api.open_watches == 2)
        started = time.monotonic()
        watcher.stop()
        assert time.monotonic() - started < 0.3
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("watch ")]
