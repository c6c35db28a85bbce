"""What befalls the API server while it is watched: nothing untrue is believed, and what changed is told after it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.managers import BaseManager
from pathlib import Path

import pytest

from exporter.cluster.errors import Reason
from exporter.cluster.watch import ClusterWatcher
from exporter.lab.kubeapi import Ending, KubeAPI
from tests.cluster.conftest import FAST, Cluster, eventually, service
from tests.e2e.running import free_port
from tests.faults.relay import Relay
from tests.faults.world import PATIENCE
from tests.publish.web.certificates import Authority, put

PATIENT = replace(FAST, connect=5.0, answer=5.0)
MOVED = {"kube-vip.io/vipHost": "node2"}
GARBAGE = (b"\xff\xfe\n", b"[]\n", b'{"type": "ADDED", "object": 5}\n', b"{" * 5000 + b"\n")
REF = ("services", "kube-system", "ingress-expose")


class ServerProcess(BaseManager):
    """An API server as a process of its own, which can be killed and frozen as one."""

    @property
    def pid(self) -> int:
        return self._process.pid


ServerProcess.register("KubeAPI", KubeAPI)


def serve(port: int) -> tuple[ServerProcess, KubeAPI]:
    server = ServerProcess(ctx=get_context("spawn"))
    server.start()
    api = server.KubeAPI(port=port, token="secret")
    api.start()
    api.apply("services", service())
    return server, api


def up(watcher: ClusterWatcher) -> bool:
    watcher.tick()
    return watcher.status().up


def reasons(watcher: ClusterWatcher) -> set[Reason]:
    return {reason for (_, reason), count in watcher.status().errors.items() if count}


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[tuple[Cluster, list[ServerProcess]]]:
    """A watcher of a server in another process; it is started by the test."""
    port = free_port()
    servers = [serve(port)[0]]
    kubeconfig = KubeAPI(port=port, token="secret").write_kubeconfig(tmp_path / "kubeconfig")
    cluster = Cluster(KubeAPI(port=port), kubeconfig)
    yield cluster, servers
    for watcher in cluster.watchers:
        watcher.stop()
    for server in servers:
        server.shutdown()


def test_the_server_is_killed_and_another_has_news(apart: tuple[Cluster, list[ServerProcess]]) -> None:
    cluster, servers = apart
    watcher = cluster.watch()
    eventually(lambda: up(watcher) and cluster.inbox.hosts() == ["node1"], within=PATIENCE)
    port = cluster.api._port
    os.kill(servers[0].pid, signal.SIGKILL)
    eventually(lambda: not up(watcher), within=PATIENCE)
    assert cluster.inbox.hosts() == ["node1"]
    server, api = serve(port)
    servers[:] = [server]
    api.annotate(*REF, MOVED)
    eventually(lambda: up(watcher) and cluster.inbox.hosts()[-1] == "node2", within=PATIENCE)
    assert cluster.inbox.hosts() in (["node1", "node2"], ["node1", "node1", "node2"])
    assert reasons(watcher) <= {Reason.UNREACHABLE}


def test_the_server_is_frozen_and_goes_on(apart: tuple[Cluster, list[ServerProcess]]) -> None:
    """Its kernel still takes connections and answers keep-alive probes; only the silence tells."""
    cluster, servers = apart
    watcher = cluster.watch(timing=replace(FAST, pulse=0.4, current_for=0.7))
    eventually(lambda: up(watcher) and cluster.inbox.hosts() == ["node1"], within=PATIENCE)
    os.kill(servers[0].pid, signal.SIGSTOP)
    eventually(lambda: not up(watcher) and cluster.inbox.currency()[-1] == (True, False), within=PATIENCE)
    os.kill(servers[0].pid, signal.SIGCONT)
    eventually(lambda: up(watcher) and cluster.inbox.currency()[-1] == (True, True), within=PATIENCE)
    assert cluster.inbox.hosts() == ["node1"]
    assert reasons(watcher) == {Reason.TIMEOUT}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def secured(tmp_path: Path, authority: Authority) -> Iterator[tuple[Cluster, Relay, Path, Path]]:
    """A cluster behind TLS, with the files that name its authority and hold the token."""
    ca, token = tmp_path / "ca.crt", tmp_path / "token"
    put(authority.certificate, ca)
    token.write_text("secret\n")
    with KubeAPI(token="secret") as api, Relay(api._port, authority.issue("first")) as relay:
        api.apply("services", service())
        kubeconfig = api.write_kubeconfig(tmp_path / "kubeconfig", token_file=token)
        content = json.loads(kubeconfig.read_text())
        content["clusters"][0]["cluster"] = {
            "server": f"https://localhost:{relay.port}",
            "certificate-authority": str(ca),
        }
        kubeconfig.write_text(json.dumps(content))
        cluster = Cluster(api, kubeconfig)
        yield cluster, relay, ca, token
        for watcher in cluster.watchers:
            watcher.stop()
        assert api.writes == []


def followed(cluster: Cluster) -> ClusterWatcher:
    watcher = cluster.watch(timing=PATIENT)
    eventually(lambda: up(watcher) and cluster.inbox.hosts() == ["node1"], within=PATIENCE)
    cluster.watching()
    return watcher


def test_the_authority_is_swapped(secured: tuple[Cluster, Relay, Path, Path], tmp_path: Path) -> None:
    """The server has a certificate of another one: it is not believed, until the file names that authority too."""
    cluster, relay, ca, _ = secured
    watcher = followed(cluster)
    other = Authority(tmp_path, "other")
    relay.show(other.issue("second"))
    cluster.api.annotate(*REF, MOVED)
    eventually(lambda: cluster.inbox.hosts() == ["node1", "node2"], within=PATIENCE)  # by the watch that is open
    cluster.api.interrupt_watches(ending=Ending.RESET)
    eventually(lambda: not up(watcher) and Reason.TLS in reasons(watcher), within=PATIENCE)
    cluster.api.annotate(*REF, {"kube-vip.io/vipHost": "node3"})
    assert cluster.inbox.hosts() == ["node1", "node2"]
    put(other.certificate, ca)
    eventually(lambda: up(watcher) and cluster.inbox.hosts() == ["node1", "node2", "node3"], within=PATIENCE)
    assert reasons(watcher) <= {Reason.TLS, Reason.UNREACHABLE}


def test_the_token_is_rotated(secured: tuple[Cluster, Relay, Path, Path]) -> None:
    """First at the server, where the file is late: refused, it is read anew until it is right."""
    cluster, _, _, token = secured
    watcher = followed(cluster)
    cluster.api.token = "rotated"
    cluster.api.interrupt_watches(ending=Ending.RESET)
    eventually(lambda: not up(watcher) and Reason.UNAUTHORIZED in reasons(watcher), within=PATIENCE)
    cluster.api.annotate(*REF, MOVED)
    token.write_text("rotated\n")
    eventually(lambda: up(watcher) and cluster.inbox.hosts() == ["node1", "node2"], within=PATIENCE)
    assert reasons(watcher) <= {Reason.UNAUTHORIZED, Reason.UNREACHABLE}


def test_answers_that_drip_are_waited_for(secured: tuple[Cluster, Relay, Path, Path]) -> None:
    """A slow server is no failure, as long as something comes; and its changes are told."""
    cluster, relay, _, _ = secured
    relay.pause = 0.02
    watcher = followed(cluster)
    watcher.relist()
    cluster.api.annotate(*REF, MOVED)
    eventually(lambda: cluster.inbox.hosts() == ["node1", "node2"], within=PATIENCE)
    assert reasons(watcher) == set()


def test_rights_are_taken_away_in_mid_watch(cluster: Cluster) -> None:
    """What was known stays; that it may not be asked any more shows; what changed meanwhile is told in the end."""
    watcher = cluster.watch()
    cluster.watching()
    cluster.api.rules = []
    refusal = {"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden", "message": "no more"}
    line = json.dumps({"type": "ERROR", "object": refusal}).encode() + b"\n"
    cluster.api.interrupt_watches(line, Ending.PROPER)
    eventually(lambda: not up(watcher) and reasons(watcher) == {Reason.FORBIDDEN}, within=PATIENCE)
    cluster.api.annotate(*REF, MOVED)
    assert cluster.inbox.hosts() == ["node1"]
    cluster.api.rules = None
    eventually(lambda: up(watcher) and cluster.inbox.hosts() == ["node1", "node2"], within=PATIENCE)


def test_garbage_is_sent_again_and_again_in_mid_watch(cluster: Cluster) -> None:
    """Each time the truth is listed anew, and no change that came between is missed."""
    watcher = cluster.watch()
    for number, garbage in enumerate(
        (b"\xff\xfe\n", b"[]\n", b'{"type": "ADDED", "object": 5}\n', b"{" * 5000 + b"\n")
    ):
        cluster.watching()
        cluster.api.interrupt_watches(garbage)
        cluster.api.annotate(*REF, {"kube-vip.io/vipHost": f"node-{number}"})
        eventually(lambda: cluster.inbox.hosts()[-1] == f"node-{number}", within=PATIENCE)  # noqa: B023 - called at once
    eventually(lambda: up(watcher), within=PATIENCE)
    assert cluster.inbox.hosts() == ["node1", "node-0", "node-1", "node-2", "node-3"]
    assert reasons(watcher) == {Reason.MALFORMED}
