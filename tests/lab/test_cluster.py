"""The lab's cluster: the Lease as client-go writes it, and who can reach its API."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Any

import pytest

from exporter.lab.cluster import DAEMONSET, LEASE, VERSION, Cluster
from exporter.lab.kubeapi import KubeAPI
from exporter.lab.network import Network, inside
from exporter.lab.segment_api import SegmentAPI
from tests.lab.conftest import object_of

VIP = IPv4Address("192.0.2.100")


@pytest.fixture
def api() -> KubeAPI:
    return KubeAPI()


@pytest.fixture
def cluster(api: KubeAPI) -> Cluster:
    return Cluster(api=api, vips=[VIP], lease_seconds=7)


def spec_of(api: KubeAPI) -> dict[str, Any]:
    found: dict[str, Any] = object_of(api, "leases", LEASE)["spec"]
    return found


@pytest.mark.parametrize(
    ("acts", "holder", "transitions"),
    [
        pytest.param("a", "a", 0, id="the first holder"),
        pytest.param("a a", "a", 0, id="a holder that comes back"),
        pytest.param("a b a", "a", 2, id="one after the other"),
        pytest.param("a -a", "", 0, id="given up"),
        pytest.param("a -a a", "a", 1, id="given up and taken again"),
        pytest.param("a -a b", "b", 1, id="given up and taken by another"),
        pytest.param("a b -a", "b", 1, id="given up by one who has it no more"),
        pytest.param("a b +a", "b", 1, id="renewed by one who has it no more"),
    ],
)
def test_lease_changes_hands_as_with_client_go(
    api: KubeAPI, cluster: Cluster, acts: str, holder: str, transitions: int
) -> None:
    """`a` takes it, `+a` renews it, `-a` gives it up."""
    for act in acts.split():
        {"+": cluster.lease.renew, "-": cluster.lease.release}.get(act[0], cluster.lease.acquire)(act.lstrip("+-"))
    spec = spec_of(api)
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == (holder, transitions)
    assert spec["leaseDurationSeconds"] == (7 if holder else 1)


def test_lease_times(api: KubeAPI, cluster: Cluster) -> None:
    """Microseconds, UTC; a renewal moves renewTime only."""
    cluster.lease.acquire("a")
    taken = spec_of(api)
    assert taken["renewTime"] == taken["acquireTime"]
    assert time.strptime(taken["acquireTime"], "%Y-%m-%dT%H:%M:%S.%fZ")
    cluster.lease.renew("a")
    renewed = spec_of(api)
    assert renewed["acquireTime"] == taken["acquireTime"] < renewed["renewTime"]


def test_version_is_the_image_of_the_daemonset(api: KubeAPI, cluster: Cluster) -> None:
    cluster.create([])

    def image() -> str:
        pod = object_of(api, "daemonsets", DAEMONSET)["spec"]["template"]["spec"]
        return str(pod["containers"][0]["image"]).rpartition(":")[2]

    assert image() == "v" + ".".join(map(str, VERSION))
    cluster.set_version((1, 2, 3))
    assert (image(), cluster.annotates_first) == ("v1.2.3", True)


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with Network(prefix="vipx-api") as network:
        yield network


@pytest.fixture
def on_segment(network: Network) -> Iterator[SegmentAPI]:
    with SegmentAPI(host=network.observer, token="secret") as api:
        Cluster(api=api, vips=[VIP]).create(network.hosts.values())
        yield api


def ask(api: SegmentAPI, token: str = "secret") -> int:
    """The status of its answer."""
    request = urllib.request.Request(f"{api.url}/api/v1/nodes", headers={"Authorization": f"Bearer {token}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=1) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("name", ["observer", "node-1", "node-3"])
def test_every_host_reaches_the_api_with_the_token(network: Network, on_segment: SegmentAPI, name: str) -> None:
    namespace = network.hosts[name].namespace
    assert inside(namespace, lambda: ask(on_segment)) == 200
    assert inside(namespace, lambda: ask(on_segment, "guessed")) == 401


def test_this_machine_does_not_reach_the_api(on_segment: SegmentAPI) -> None:
    with pytest.raises(OSError, match=r"timed out|refused|unreachable|No route"):
        ask(on_segment)


def test_the_api_comes_back_at_the_same_address(network: Network, on_segment: SegmentAPI) -> None:
    url, namespace = on_segment.url, network.hosts["node-2"].namespace
    on_segment.stop()
    with pytest.raises(urllib.error.URLError, match="refused"):
        inside(namespace, lambda: ask(on_segment))
    assert on_segment.start() == url
    assert inside(namespace, lambda: ask(on_segment)) == 200
