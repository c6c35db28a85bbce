"""The same situations with a real etcd, kube-apiserver and kube-vip, one on every node: no emulator, no stand-in.

This needs real binaries and is no part of `make test`: `make e2e` runs it, with `KUBEBUILDER_ASSETS` and `KUBE_VIP`
naming them (see `tests/real/binaries.py`), and fails at once where they are not there. The exporters have the
rights that docs/rbac.md gives them and no others. VIPs by DHCP are left to the lab: there is no DHCP server here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.lab.chatter import Chatter
from exporter.lab.cluster import LEASE, VERSION, daemonset, node, service, wish
from exporter.lab.interfaces import change_address
from exporter.lab.network import NODES, Network
from exporter.lab.program import Program
from tests.e2e.observers import (
    SETTLE,
    VIP,
    Observers,
    Scrapes,
    agree,
    bound_nodes,
    holders,
    mismatches,
    more,
    without_mismatch,
)
from tests.real import rbac
from tests.real.binaries import MissingError, find
from tests.real.control_plane import ADMIN, ControlPlane
from tests.real.daemon import Daemon
from tests.real.kube_vip import LEASE_SECONDS, RENEW_DEADLINE, kube_vip

EXPORTER = "exporter"


@dataclass
class Running(Observers):
    """The cluster with its exporters."""

    network: Network
    plane: ControlPlane
    kube_vips: dict[str, Daemon]
    programs: dict[str, Program]

    @property
    def leader(self) -> str:
        """The node that has the lease, as the API says."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{LEASE.namespace}/leases/{LEASE.name}"
        return str(self.plane.get(path)["spec"].get("holderIdentity") or "")

    def settled(self) -> tuple[str, Scrapes]:
        """The holder, once all agree on one, and what they say."""
        scrapes = self.eventually(
            lambda scrapes: any(agree(scrapes, name) for name in NODES) and without_mismatch(scrapes),
            within=LEASE_SECONDS,
        )
        (holder,) = holders(scrapes)
        assert holder == self.leader
        return holder, scrapes

    def forget_address(self, name: str) -> None:
        """Unbind the VIP where a kube-vip that has ended may have left it."""
        change_address(self.network.hosts[name], VIP, bound=False)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    try:
        binaries = find()
    except MissingError as error:
        pytest.exit(str(error), returncode=2)
    directory = tmp_path_factory.mktemp("real")
    roles = rbac.roles(rbac.PAGE.read_text())
    with ExitStack() as parts:
        network = parts.enter_context(Network())
        hosts = [network.hosts[name] for name in NODES]
        plane = parts.enter_context(
            ControlPlane(
                host=network.observer,
                binaries=binaries,
                directory=directory,
                users=[EXPORTER],
            )
        )
        plane.apply([*roles, *rbac.bindings(roles, EXPORTER)])
        plane.create("services", service([VIP]))
        plane.create("configmaps", wish(VIP))
        plane.create("daemonsets", daemonset(VERSION))  # its version tells nothing in static mode
        for host in hosts:
            plane.create("nodes", node(host))
        parts.enter_context(Chatter(hosts))
        kube_vips = {
            host.name: parts.enter_context(
                kube_vip(host=host, binary=binaries.kube_vip, kubeconfig=plane.kubeconfig(ADMIN), directory=directory)
            )
            for host in hosts
        }
        programs = {
            host.name: parts.enter_context(Program(host=host, log=_log(directory, host.name), arguments=_flags(plane)))
            for host in hosts
        }
        for program in programs.values():
            program.wait_until_ready(str(VIP))
        yield Running(network, plane, kube_vips, programs)


def _log(directory: Path, name: str) -> Path:
    return directory / f"exporter-{name}.log"


def _flags(plane: ControlPlane) -> list[str]:
    return [
        *("--kubernetes.kubeconfig", str(plane.kubeconfig(EXPORTER))),
        *("--vip.settle-time", f"{SETTLE:.0f}s"),
    ]


def test_quiet(running: Running) -> None:
    """The documented Roles are enough: every source speaks, and nothing was forbidden."""
    holder, scrapes = running.settled()
    assert bound_nodes(scrapes) == 1
    scrapes = running.throughout(SETTLE + 1, lambda scrapes: agree(scrapes, holder) and without_mismatch(scrapes))
    for scrape in scrapes.values():
        assert scrape.total("vip_exporter_kubernetes_errors_total", reason="forbidden") == 0
        assert scrape.total("vip_moves_total") == 0


def test_api_away_for_a_while(running: Running) -> None:
    """Shorter than kube-vip itself can bear: the holder stays, and nobody sees a contradiction."""
    holder, before = running.settled()
    running.plane.apiserver.kill()
    try:
        running.eventually(
            lambda scrapes: {scrape.value("vip_exporter_kubernetes_up") for scrape in scrapes.values()} == {0},
            within=2,
        )
        running.throughout(
            RENEW_DEADLINE / 10, lambda scrapes: holders(scrapes) == {holder} and without_mismatch(scrapes)
        )
    finally:
        running.plane.apiserver.start()
    running.plane.wait_until_ready()
    after = running.eventually(
        lambda scrapes: (
            agree(scrapes, holder)
            and {scrape.value("vip_exporter_kubernetes_up") for scrape in scrapes.values()} == {1}
        ),
        within=30,
    )
    assert without_mismatch(after)
    assert more(before, after, "vip_moves_total") == {0}


def test_clean_move(running: Running) -> None:
    """The holder's kube-vip ends in good order: one move, and never a mismatch."""
    old, before = running.settled()
    running.kube_vips[old].stop()
    running.forget_address(old)  # some versions end before they have taken it off
    try:
        running.throughout(SETTLE + 10, without_mismatch)
        new, after = running.settled()
        assert new != old
        assert more(before, after, "vip_moves_total") == {1}
        assert more(before, after, "vip_contests_total") == {0}
    finally:
        running.kube_vips[old].start()


def test_crash(running: Running) -> None:
    """It is killed: the lease runs out, another takes over, and the address is left where nobody holds it."""
    old, before = running.settled()
    running.kube_vips[old].kill()
    try:

        def stale(scrapes: Scrapes) -> bool:
            found = {name: mismatches(scrape) for name, scrape in scrapes.items() if mismatches(scrape)}
            return bound_nodes(scrapes) == 2 and found == {old: {"bound"}} and old not in holders(scrapes)

        after = running.eventually(stale, within=LEASE_SECONDS + 10 + SETTLE)
        assert holders(after) == {running.leader}
        assert more(before, after, "vip_moves_total") == {1}
    finally:
        running.forget_address(old)
    running.settled()
