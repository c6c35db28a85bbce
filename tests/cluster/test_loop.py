"""The loop against an API server that misbehaves in every way a test can name: it recovers, and says what is true."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.cluster.errors import Reason
from exporter.cluster.intent import Service
from exporter.cluster.loop import Loop
from exporter.lab.kubeapi import Ending, Fault, Flaw, Rule
from exporter.vip.model import ServiceGone, ServiceRef
from tests.cluster.conftest import FAST, Cluster, eventually, service


def errors(loop: Loop[Service]) -> dict[Reason, int]:
    return {reason: count for reason, count in loop.errors.items() if count}


def test_service_is_seen_then_followed_then_gone(cluster: Cluster) -> None:
    loop = cluster.follow()
    eventually(lambda: cluster.inbox.hosts() == ["node1"])
    cluster.api.annotate("services", "kube-system", "ingress-expose", {"kube-vip.io/vipHost": "node2"})
    eventually(lambda: cluster.inbox.hosts() == ["node1", "node2"])
    cluster.api.delete("services", "kube-system", "ingress-expose")
    eventually(lambda: cluster.inbox.hosts() == ["node1", "node2", "-"])
    assert isinstance(cluster.inbox.services()[-1], ServiceGone)
    assert loop.up
    assert errors(loop) == {}


def test_change_of_something_else_is_not_delivered(cluster: Cluster) -> None:
    cluster.follow()
    eventually(lambda: cluster.inbox.hosts() == ["node1"])
    cluster.api.annotate("services", "kube-system", "ingress-expose", {"example.org/touched": "1"})
    cluster.api.apply("services", service("another", host="node9"))
    cluster.api.annotate("services", "kube-system", "ingress-expose", {"kube-vip.io/vipHost": "node2"})
    eventually(lambda: cluster.inbox.hosts() == ["node1", "node2"])


def test_relist_delivers_only_what_changed(cluster: Cluster) -> None:
    loop = cluster.follow()
    eventually(lambda: cluster.inbox.hosts() == ["node1"])
    for _ in range(3):
        cluster.watching()
        before = loop.last_heard or 0
        loop.kick()
        eventually(lambda before=before: (loop.last_heard or 0) > before)
    assert cluster.inbox.hosts() == ["node1"]
    assert errors(loop) == {}


def test_service_that_does_not_exist_is_no_failure(cluster: Cluster) -> None:
    cluster.api.delete("services", "kube-system", "ingress-expose")
    loop = cluster.follow()
    eventually(lambda: loop.listed)
    assert loop.up
    assert cluster.inbox.services() == []
    cluster.api.apply("services", service())
    eventually(lambda: cluster.inbox.hosts() == ["node1"])


def test_orderly_end_resumes_from_the_last_version(cluster: Cluster) -> None:
    loop = cluster.follow()
    cluster.watching()
    cluster.api.annotate("services", "kube-system", "ingress-expose", {"kube-vip.io/vipHost": "node2"})
    eventually(lambda: cluster.inbox.hosts() == ["node1", "node2"])
    cluster.api.interrupt_watches(ending=Ending.PROPER)
    eventually(lambda: [one.verb for one in cluster.api.requests] == ["list", "watch", "watch"])
    first, second = (int(one.query["resourceVersion"]) for one in list(cluster.api.requests)[1:])
    assert second > first
    assert errors(loop) == {}


def test_bookmark_moves_the_version_and_counts_as_heard(cluster: Cluster) -> None:
    cluster.api.bookmark_seconds = 0.05
    loop = cluster.follow()
    cluster.watching()
    cluster.api.apply("services", service("another"))
    before = loop.last_heard or 0
    eventually(lambda: (loop.last_heard or 0) > before + 100_000_000)
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
    loop = cluster.follow()
    eventually(lambda: errors(loop).get(reason, 0) >= 2)
    assert set(errors(loop)) == {reason}
    assert not loop.up
    assert cluster.inbox.inputs == []
    cluster.api.heal()
    eventually(lambda: cluster.inbox.hosts() == ["node1"])
    assert loop.up


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
    loop = cluster.follow()
    cluster.watching()
    cluster.api.interrupt_watches(line, None if line.endswith(b"\n") else Ending.PROPER)
    eventually(lambda: errors(loop) == {Reason.MALFORMED: 1})
    cluster.api.annotate("services", "kube-system", "ingress-expose", {"kube-vip.io/vipHost": "node2"})
    eventually(lambda: cluster.inbox.hosts() == ["node1", "node2"])
    assert loop.up


def test_garbage_within_an_object_does_no_harm(cluster: Cluster) -> None:
    loop = cluster.follow()
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
    assert errors(loop) == {}


@pytest.mark.parametrize("compacted", [True, False], ids=["event", "http"])
def test_version_too_old_is_listed_again_at_once(cluster: Cluster, compacted: bool) -> None:
    slow = replace(FAST, backoff_first=20.0, backoff_most=20.0)
    cluster.api.inject(Fault(flaw=Flaw.SLOW, verb="watch", seconds=0.2, times=1))
    if not compacted:
        cluster.api.inject(Fault(flaw=Flaw.STATUS, status=410, verb="watch", times=1))
    loop = cluster.follow(timing=slow)
    eventually(lambda: [one.verb for one in cluster.api.requests] == ["list", "watch"])
    if compacted:
        cluster.api.annotate("services", "kube-system", "ingress-expose", {"kube-vip.io/vipHost": "node2"})
        cluster.api.compact()
    else:
        cluster.watching()
        cluster.api.annotate("services", "kube-system", "ingress-expose", {"kube-vip.io/vipHost": "node2"})
        eventually(lambda: cluster.inbox.hosts() == ["node1", "node2"])
        cluster.api.interrupt_watches(ending=Ending.PROPER)
    eventually(lambda: errors(loop) == {Reason.GONE: 1})
    expected = ["list", "watch", "list", "watch"] if compacted else ["list", "watch", "watch", "list", "watch"]
    eventually(lambda: [one.verb for one in cluster.api.requests] == expected)
    eventually(lambda: cluster.inbox.hosts() == ["node1", "node2"])
    assert loop.up


def test_reset_watch_loses_nothing(cluster: Cluster) -> None:
    loop = cluster.follow()
    cluster.watching()
    cluster.api.interrupt_watches(ending=Ending.RESET)
    cluster.api.annotate("services", "kube-system", "ingress-expose", {"kube-vip.io/vipHost": "node2"})
    eventually(lambda: cluster.inbox.hosts() == ["node1", "node2"])
    assert errors(loop) == {Reason.UNREACHABLE: 1}


def test_server_restart_with_the_service_changed_meanwhile(cluster: Cluster) -> None:
    loop = cluster.follow()
    cluster.watching()
    cluster.api.stop()
    eventually(lambda: not loop.up)
    cluster.api.delete("services", "kube-system", "ingress-expose")
    cluster.api.start()
    eventually(lambda: cluster.inbox.hosts() == ["node1", "-"])
    assert loop.up
    assert Reason.UNREACHABLE in errors(loop)


def test_server_absent_at_the_start(cluster: Cluster) -> None:
    cluster.api.stop()
    loop = cluster.follow()
    eventually(lambda: errors(loop).get(Reason.UNREACHABLE, 0) >= 2)
    cluster.api.start()
    eventually(lambda: cluster.inbox.hosts() == ["node1"])


def test_watch_that_ends_at_once_is_not_asked_for_without_pause(cluster: Cluster) -> None:
    cluster.api.inject(Fault(flaw=Flaw.RAW, verb="watch"))
    cluster.follow(timing=replace(FAST, pace=0.2))
    eventually(lambda: len(cluster.api.requests) >= 2)
    time.sleep(0.5)
    assert len(cluster.api.requests) <= 5


def test_failures_are_repeated_ever_more_slowly(cluster: Cluster) -> None:
    """Lists work and watches do not: the pause must grow all the same."""
    cluster.api.inject(Fault(flaw=Flaw.STATUS, status=403, verb="watch"))
    loop = cluster.follow(timing=replace(FAST, backoff_first=0.05, backoff_most=10.0))
    time.sleep(1.5)
    assert 2 <= errors(loop)[Reason.FORBIDDEN] <= 15
    assert cluster.inbox.hosts() == ["node1"]


def test_rbac_limited_to_one_service_by_name_is_enough(cluster: Cluster) -> None:
    cluster.api.rules = [Rule("services", ("list", "watch"), "kube-system", ("ingress-expose",))]
    cluster.follow()
    cluster.watching()
    assert cluster.inbox.hosts() == ["node1"]
    other = cluster.follow(ServiceRef("kube-system", "rke2-traefik"))
    eventually(lambda: Reason.FORBIDDEN in errors(other))
    assert not other.up


def test_wrong_token_then_right_one(cluster: Cluster) -> None:
    cluster.api.token = "another"
    loop = cluster.follow()
    eventually(lambda: Reason.UNAUTHORIZED in errors(loop))
    cluster.api.token = "secret"
    eventually(lambda: cluster.inbox.hosts() == ["node1"])


def test_rotated_token_file_is_read_again_without_a_failure(cluster: Cluster, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    cluster.api.write_kubeconfig(cluster.kubeconfig, token_file=token)
    loop = cluster.follow()
    cluster.watching()
    token.write_text("rotated\n")
    cluster.api.token = "rotated"
    loop.kick()
    cluster.api.annotate("services", "kube-system", "ingress-expose", {"kube-vip.io/vipHost": "node2"})
    eventually(lambda: cluster.inbox.hosts() == ["node1", "node2"])
    assert errors(loop) == {}


def test_broken_kubeconfig_is_retried_until_it_is_mended(cluster: Cluster) -> None:
    good = cluster.kubeconfig.read_text()
    cluster.kubeconfig.write_text("{clusters: 5")
    loop = cluster.follow()
    eventually(lambda: errors(loop).get(Reason.CONFIGURATION, 0) >= 2)
    cluster.kubeconfig.write_text(good)
    eventually(lambda: cluster.inbox.hosts() == ["node1"])
