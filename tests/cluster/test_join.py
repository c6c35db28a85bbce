"""What all resources together tell the core, and what they want to be asked: told by reports, without any server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.cluster.fields import Key
from exporter.cluster.intent import Service
from exporter.cluster.interests import Interests
from exporter.cluster.join import CONTROL_PLANE, MOST_WATCHED_LEASES, Join
from exporter.cluster.kinds import NODES
from exporter.cluster.kubevip import KubeVip, Version, read_daemonset
from exporter.cluster.lease import Lease
from exporter.cluster.node import WITNESS, NodeFacts
from exporter.cluster.placement import Placement
from exporter.cluster.target import Report, Target
from exporter.config import Config
from exporter.vip.model import (
    SECOND,
    Input,
    LeaseGone,
    LeaseSeen,
    Mode,
    Node,
    NodesSeen,
    ServiceGone,
    ServiceIntent,
    ServiceRef,
    ServiceSeen,
    parse_mac,
)

T = TypeVar("T")

IP, IP6, OTHER_IP = ip_address("10.0.0.5"), ip_address("fd00::5"), ip_address("10.0.0.6")
A, B = Key("a", "one"), Key("b", "two")
GLOBAL = Key("harvester-system", "plndr-svcs-lock")
SYSTEM = Key("kube-system", "plndr-svcs-lock")
SHARED = {GLOBAL, SYSTEM}


def joined(**interests: Any) -> Join:
    return Join(Interests(**interests), from_wall=lambda wall: wall, doubt=2 * SECOND)


def listed(resource: str, objects: Mapping[Key, T], at: int = 0, *, only: Key | None = None) -> Report[T]:
    target = Target(resource, *(only or ()))
    return Report(target, at, objects, at)


def line(resource: str, key: Key, value: T | None, at: int = 0) -> Report[T]:
    return Report(Target(resource), at, {key: value})


def intent(key: Key, *addresses: Any, host: str = "node1", version: bool | None = None) -> ServiceIntent:
    return ServiceIntent(ServiceRef(*key), addresses, Mode.STATIC, vip_host=host, announces_hwaddr=version)


def said(key: Key, *addresses: Any, lease: Key | None = None, host: str = "node1") -> Service:
    return Service(intent(key, *addresses, host=host), lease)


def lease(holder: str = "node1", renewed: int = 0) -> Lease:
    return Lease(holder, renewed * SECOND, 15 * SECOND)


def told(inputs: list[Input]) -> list[tuple[Any, ...]]:
    """The gist of each input."""
    gist: list[tuple[Any, ...]] = []
    for one in inputs:
        match one:
            case ServiceSeen():
                gist.append(("seen", str(one.intent.service)))
            case ServiceGone():
                gist.append(("gone", str(one.service)))
            case LeaseSeen():
                gist.append(("lease", str(one.vip), one.lease))
            case LeaseGone():
                gist.append(("no lease", str(one.vip)))
            case NodesSeen():
                gist.append(("nodes", *(node.name for node in one.nodes)))
    return gist


def test_defaults_are_those_of_the_settings() -> None:
    config, interests = Config(), Interests()
    assert interests == Interests(
        services=config.services_watch,
        discover=config.services_discover,
        include=config.services_include,
        exclude=config.services_exclude,
        service_leases=config.lease_services,
        control_plane_addresses=config.control_plane_address,
        control_plane_lease=config.control_plane_lease,
        daemonsets=config.kube_vip_daemonset,
        kube_vip_version=config.kube_vip_version,
        configmap=config.harvester_configmap,
        nodes=config.nodes,
    )


# --- Services ---------------------------------------------------------------------------------------------------------


def test_services_are_told_when_they_come_change_and_go() -> None:
    join = joined()
    assert join.take_services(listed("services", {A: said(A, IP)}, 5)) == [ServiceSeen(5, intent(A, IP))]
    assert join.take_services(listed("services", {A: said(A, IP)}, 6)) == []
    changed = said(A, IP, host="node2")
    assert join.take_services(line("services", A, changed, 7)) == [ServiceSeen(7, changed.intent)]
    assert join.take_services(line("services", B, None, 8)) == []
    assert told(join.take_services(listed("services", {B: said(B, IP)}, 9))) == [("seen", "b/two"), ("gone", "a/one")]


def test_list_of_one_service_says_nothing_of_another() -> None:
    join = joined()
    join.take_services(listed("services", {A: said(A, IP)}, only=A))
    join.take_services(listed("services", {B: said(B, OTHER_IP)}, only=B))
    assert join.take_services(listed("services", {}, only=Key("b", "three"))) == []
    assert told(join.take_services(listed("services", {}, only=B))) == [("gone", "b/two")]


def test_control_plane_is_there_from_the_start() -> None:
    assert joined().begin(5) == []
    expected = ServiceIntent(CONTROL_PLANE, (IP, IP6), Mode.STATIC)
    assert joined(control_plane_addresses=(IP, IP6)).begin(5) == [ServiceSeen(5, expected)]


def test_wish_outlives_the_service_and_goes_with_the_configmap() -> None:
    join = joined(discover=True)
    key = Key("harvester-system", "vip")
    wish = ServiceIntent(ServiceRef("", str(key)), (IP,), Mode.DHCP, load_balancer=False, expected=True)
    untold = replace(wish, load_balancer=None)
    assert join.take_wishes(listed("configmaps", {key: Service(wish)}, 5)) == [ServiceSeen(5, untold)]
    # Only once the Services have been read is it known that none has the address.
    assert ServiceSeen(6, wish) in join.take_services(listed("services", {A: said(A, IP)}, 6))
    assert told(join.take_services(listed("services", {}))) == [("gone", "a/one")]
    assert join.take_wishes(line("configmaps", key, None, 6)) == [ServiceGone(6, wish.service)]
    assert join.take_wishes(line("configmaps", key, None, 7)) == []


# --- kube-vip's version -----------------------------------------------------------------------------------------------

FIRST_SET, SECOND_SET, THIRD_SET = (Key(ref.namespace, ref.name) for ref in Interests().daemonsets)


def running(version: Version | None) -> KubeVip:
    return KubeVip(version, Placement())


@pytest.mark.parametrize(
    ("version", "announces"),
    [((0, 6, 0), False), ((0, 8, 1), False), ((0, 8, 2), True), ((0, 10, 0), True), ((1, 0, 4), True), (None, None)],
)
def test_version_tells_whether_hwaddr_is_announced(version: Version | None, announces: bool | None) -> None:
    join = joined()
    join.take_services(listed("services", {A: said(A, IP)}))
    inputs = join.take_daemonsets(listed("daemonsets", {FIRST_SET: running(version)}, 5))
    assert inputs == ([] if version is None else [ServiceSeen(5, intent(A, IP, version=announces))])
    assert join.version == version
    (later,) = join.take_services(line("services", B, said(B, OTHER_IP), 6))
    assert later == ServiceSeen(6, intent(B, OTHER_IP, version=announces))


def test_first_daemonset_that_exists_and_tells_a_version_tells_it() -> None:
    join = joined()
    join.take_daemonsets(listed("daemonsets", {THIRD_SET: running((0, 6, 0))}, only=THIRD_SET))
    assert join.version == (0, 6, 0)
    join.take_daemonsets(listed("daemonsets", {FIRST_SET: running(None)}, only=FIRST_SET))
    assert join.version == (0, 6, 0)
    join.take_daemonsets(listed("daemonsets", {SECOND_SET: running((1, 0, 4))}, only=SECOND_SET))
    assert join.version == (1, 0, 4)
    join.take_daemonsets(line("daemonsets", SECOND_SET, None))
    join.take_daemonsets(line("daemonsets", THIRD_SET, None))
    assert join.version is None


def test_new_version_is_told_to_every_service_and_the_same_one_to_none() -> None:
    join = joined()
    join.take_services(listed("services", {A: said(A, IP), B: said(B, OTHER_IP)}))
    assert told(join.take_daemonsets(listed("daemonsets", {FIRST_SET: running((0, 8, 1))}))) == [
        ("seen", "a/one"),
        ("seen", "b/two"),
    ]
    moved = KubeVip((0, 8, 1), Placement((("role", "control"),)))
    assert told(join.take_daemonsets(line("daemonsets", FIRST_SET, moved))) == []


def test_configured_version_beats_the_daemonset() -> None:
    join = joined(kube_vip_version=(0, 8, 1))
    assert join.take_services(listed("services", {A: said(A, IP)})) == [ServiceSeen(0, intent(A, IP, version=False))]
    assert join.take_daemonsets(listed("daemonsets", {FIRST_SET: running((1, 0, 4))})) == []
    assert join.version == (0, 8, 1)


# --- which Lease decides on a Service ---------------------------------------------------------------------------------

NAMED, OWN = Key("c", "named"), Key("a", "kubevip-one")


@pytest.mark.parametrize(
    ("exist", "decides"),
    [
        ({NAMED, OWN, GLOBAL, SYSTEM}, NAMED),
        ({OWN, GLOBAL, SYSTEM}, OWN),
        ({GLOBAL, SYSTEM}, GLOBAL),
        ({SYSTEM}, SYSTEM),
    ],
)
def test_most_particular_lease_of_a_service_decides_on_each_of_its_vips(exist: set[Key], decides: Key) -> None:
    join = joined()
    join.take_services(listed("services", {A: said(A, IP, IP6, lease=NAMED)}))
    inputs = join.take_leases(listed("leases", dict.fromkeys(exist, lease()), only=Key("", "")))
    assert told(inputs) == [("lease", str(IP), str(decides)), ("lease", str(IP6), str(decides))]


def test_lease_of_another_service_decides_nothing() -> None:
    join = joined()
    join.take_services(listed("services", {A: said(A, IP)}))
    assert (
        join.take_leases(listed("leases", {Key("b", "kubevip-two"): lease(), Key("b", "kubevip-one"): lease()})) == []
    )


def test_services_that_share_an_address_share_the_lease_that_any_of_them_has() -> None:
    join = joined()
    join.take_services(listed("services", {A: said(A, IP), B: said(B, IP, lease=NAMED)}))
    assert told(join.take_leases(line("leases", GLOBAL, lease()))) == [("lease", str(IP), str(GLOBAL))]
    assert told(join.take_leases(line("leases", Key("b", "kubevip-two"), lease()))) == [
        ("lease", str(IP), "b/kubevip-two")
    ]
    assert told(join.take_leases(line("leases", OWN, lease()))) == [("lease", str(IP), str(OWN))]
    assert told(join.take_leases(line("leases", NAMED, lease()))) == [("lease", str(IP), str(NAMED))]
    assert told(join.take_services(line("services", B, None))) == [("gone", "b/two"), ("lease", str(IP), str(OWN))]


def test_lease_goes_with_the_address_and_comes_back_with_it() -> None:
    join = joined()
    join.take_leases(line("leases", GLOBAL, lease()))
    assert told(join.take_services(listed("services", {A: said(A, IP)}))) == [
        ("seen", "a/one"),
        ("lease", str(IP), str(GLOBAL)),
    ]
    assert told(join.take_services(line("services", A, said(A, OTHER_IP)))) == [
        ("seen", "a/one"),
        ("no lease", str(IP)),
        ("lease", str(OTHER_IP), str(GLOBAL)),
    ]
    assert told(join.take_services(line("services", A, said(A, IP)))) == [
        ("seen", "a/one"),
        ("no lease", str(OTHER_IP)),
        ("lease", str(IP), str(GLOBAL)),
    ]


def test_annotation_that_names_another_lease_is_no_news_of_the_service() -> None:
    join = joined()
    join.take_services(listed("services", {A: said(A, IP, lease=NAMED)}))
    join.take_leases(line("leases", NAMED, lease()))
    join.take_leases(line("leases", GLOBAL, lease()))
    assert told(join.take_services(line("services", A, said(A, IP)))) == [("lease", str(IP), str(GLOBAL))]


def test_control_plane_has_a_lease_of_its_own_and_no_other() -> None:
    control = Key("kube-system", "plndr-cp-lock")
    join = joined(control_plane_addresses=(OTHER_IP,))
    join.begin(0)
    join.take_services(listed("services", {A: said(A, IP)}))
    assert told(join.take_leases(line("leases", GLOBAL, lease()))) == [("lease", str(IP), str(GLOBAL))]
    assert told(join.take_leases(line("leases", control, lease()))) == [("lease", str(OTHER_IP), str(control))]


def test_wish_without_a_service_has_the_lease_of_all_services() -> None:
    join = joined()
    wish = ServiceIntent(ServiceRef("", "harvester-system/vip"), (IP,), load_balancer=False, expected=True)
    join.take_wishes(listed("configmaps", {Key("harvester-system", "vip"): Service(wish)}))
    assert told(join.take_leases(line("leases", SYSTEM, lease()))) == [("lease", str(IP), str(SYSTEM))]


# --- which Leases to ask for ------------------------------------------------------------------------------------------


def test_leases_that_are_wanted_follow_from_the_services() -> None:
    join = joined()
    assert join.watched_leases == SHARED
    join.take_services(listed("services", {A: said(A, IP, lease=NAMED), B: said(B)}))
    assert join.watched_leases == {*SHARED, NAMED, OWN}
    join.take_services(line("services", A, said(A, IP, lease=SYSTEM)))
    assert join.watched_leases == {*SHARED, OWN}
    join.take_services(line("services", A, None))
    assert join.watched_leases == SHARED
    assert join.polled_leases == set()


def test_lease_of_the_control_plane_is_wanted_where_there_is_one() -> None:
    join = joined(control_plane_addresses=(IP,))
    assert join.watched_leases == {*SHARED, Key("kube-system", "plndr-cp-lock")}


def many(count: int) -> dict[Key, Service]:
    keys = [Key("many", f"s{index}") for index in range(count)]
    return {key: said(key, ip_address(f"10.1.0.{index}")) for index, key in enumerate(keys, 1)}


def test_too_many_leases_to_watch_each_are_listed() -> None:
    join = joined()
    join.take_services(listed("services", many(MOST_WATCHED_LEASES)))
    assert len(join.watched_leases) == MOST_WATCHED_LEASES + 2
    assert join.polled_leases == set()
    join.take_services(listed("services", many(MOST_WATCHED_LEASES + 1)))
    assert join.watched_leases == SHARED
    assert len(join.polled_leases) == MOST_WATCHED_LEASES + 1


def test_change_from_watching_to_listing_loses_no_lease() -> None:
    join = joined()
    join.take_services(listed("services", many(MOST_WATCHED_LEASES)))
    own = Key("many", "kubevip-s0")
    join.take_leases(listed("leases", {own: lease()}, only=own))
    inputs = join.take_services(listed("services", many(MOST_WATCHED_LEASES + 1), SECOND))
    assert told(inputs) == [("seen", f"many/s{MOST_WATCHED_LEASES}")]
    assert join.take_leases(listed("leases", {own: lease()}, SECOND)) == []
    assert told(join.take_leases(listed("leases", {}, 2 * SECOND))) == [("no lease", "10.1.0.1")]


# --- Nodes ------------------------------------------------------------------------------------------------------------

ONE, TWO = parse_mac("52:54:00:00:00:01"), parse_mac("52:54:00:00:00:02")


def facts(name: str, *addresses: Any, **labels: str) -> NodeFacts:
    return NodeFacts(name, addresses, labels)


def nodes(*all_facts: NodeFacts, at: int = 0) -> Report[NodeFacts]:
    return listed(NODES.resource, {Key("", one.name): one for one in all_facts}, at)


def test_nodes_are_told_all_together_and_only_when_something_changes() -> None:
    join = joined()
    first, second = facts("n1", IP), facts("n2", OTHER_IP)
    assert join.take_nodes(nodes(second, first, at=5)) == [NodesSeen(5, (Node("n1", (IP,)), Node("n2", (OTHER_IP,))))]
    assert join.take_nodes(nodes(first, second, at=6)) == []
    assert join.take_nodes(line("nodes", Key("", "n1"), first)) == []
    assert join.take_nodes(line("nodes", Key("", "n1"), replace(first, labels={"seen": "today"}))) == []
    assert told(join.take_nodes(line("nodes", Key("", "n3"), facts("n3")))) == [("nodes", "n1", "n2", "n3")]
    assert told(join.take_nodes(line("nodes", Key("", "n2"), None))) == [("nodes", "n1", "n3")]
    assert told(join.take_nodes(nodes())) == [("nodes",)]


@pytest.mark.parametrize(
    ("known", "configured", "expected"),
    [
        (["n1"], [("n1", ONE)], [("n1", [ONE])]),
        (["n1"], [("N1", ONE), ("n1", TWO), ("n1", ONE)], [("n1", [ONE, TWO])]),
        (["n1"], [("n1.example.org", ONE)], [("n1", [ONE])]),
        (["n1.example.org"], [("n1", ONE)], [("n1.example.org", [ONE])]),
        (["n1"], [("n2", ONE)], [("n1", []), ("n2", [ONE])]),
        (["n1"], [("n2", ONE), ("N2.example", TWO)], [("n1", []), ("n2", [ONE, TWO])]),
        (["n1", "n1.example"], [("n1", ONE)], [("n1", [ONE]), ("n1.example", [])]),
        (["n1.a", "n1.b"], [("n1", ONE)], [("n1.a", [ONE]), ("n1.b", [ONE])]),
        ([], [("n1", ONE)], [("n1", [ONE])]),
    ],
)
def test_configured_macs(known: list[str], configured: Any, expected: Any) -> None:
    join = joined(nodes=tuple(configured))
    assert join.take_nodes(nodes(*map(facts, known))) == [
        NodesSeen(0, tuple(Node(name, macs=tuple(macs)) for name, macs in expected))
    ]


def test_configured_nodes_wait_for_the_list_or_for_its_failure() -> None:
    join = joined(nodes=(("n1", ONE),))
    assert join.take_daemonsets(listed("daemonsets", {FIRST_SET: running(None)})) == []
    assert join.miss_nodes(5) == [NodesSeen(5, (Node("n1", macs=(ONE,)),))]
    assert join.miss_nodes(6) == []
    assert told(join.take_nodes(nodes(facts("n1.example"), facts("n2")))) == [("nodes", "n1.example", "n2")]
    assert join.miss_nodes(7) == []


def test_nodes_that_cannot_be_listed_and_are_not_configured_are_not_told() -> None:
    join = joined()
    assert join.miss_nodes(5) == []
    assert join.take_daemonsets(listed("daemonsets", {FIRST_SET: running(None)})) == []


def placed(**labels: str) -> KubeVip:
    pod = {"nodeSelector": labels}
    return read_daemonset(FIRST_SET, {"spec": {"template": {"spec": pod}}})[0]


def candidates(inputs: list[Input]) -> list[str]:
    (seen,) = inputs
    assert isinstance(seen, NodesSeen)
    return [node.name for node in seen.nodes if node.candidate]


def test_nodes_that_kube_vip_may_run_on_are_candidates_and_witnesses_never() -> None:
    join = joined()
    control = facts("n1", role="control", zone="a")
    worker = facts("n2", role="worker", zone="a")
    witness = NodeFacts("n3", (), {"role": "control", "zone": "a", WITNESS: "true"})
    assert candidates(join.take_nodes(nodes(control, worker, witness))) == ["n1", "n2"]
    first = join.take_daemonsets(listed("daemonsets", {FIRST_SET: placed(role="control")}, only=FIRST_SET))
    assert candidates(first) == ["n1"]
    second = join.take_daemonsets(listed("daemonsets", {SECOND_SET: placed(zone="a")}, only=SECOND_SET))
    assert candidates(second) == ["n1", "n2"]
    assert candidates(join.take_daemonsets(line("daemonsets", SECOND_SET, None))) == ["n1"]
    promoted = replace(worker, labels={"role": "control"})
    assert candidates(join.take_nodes(line("nodes", Key("", "n2"), promoted))) == ["n1", "n2"]


# --- any order of changes ---------------------------------------------------------------------------------------------

ADDRESSES = (IP, IP6, OTHER_IP)
HOLDERS = (None, "node1", "node2")
some_service = st.builds(
    lambda addresses, name, host: (addresses, name, host),
    st.lists(st.sampled_from(ADDRESSES), unique=True, max_size=2).map(tuple),
    st.sampled_from([None, NAMED, GLOBAL]),
    st.sampled_from(["node1", "node2"]),
)
change = st.one_of(
    st.tuples(st.just("services"), st.sampled_from([A, B]), st.none() | some_service),
    st.tuples(st.just("leases"), st.sampled_from([NAMED, OWN, GLOBAL, SYSTEM]), st.sampled_from(HOLDERS)),
    st.tuples(st.just("daemonsets"), st.just(FIRST_SET), st.sampled_from([None, (0, 8, 1), (0, 8, 2)])),
)


class Listener:
    """Keeps what it is told, as the core does."""

    def __init__(self) -> None:
        self.intents: dict[ServiceRef, ServiceIntent] = {}
        self.leases: dict[Any, LeaseSeen] = {}

    def hear(self, inputs: list[Input]) -> None:
        for one in inputs:
            match one:
                case ServiceSeen(intent=intent):
                    assert self.intents.get(intent.service) != intent
                    self.intents[intent.service] = intent
                case ServiceGone(service=service):
                    del self.intents[service]
                case LeaseSeen(vip=vip):
                    assert self.leases.get(vip) != one
                    self.leases[vip] = one
                case LeaseGone(vip=vip):
                    del self.leases[vip]


@given(st.lists(change, max_size=20))
def test_whatever_happens_in_any_order_what_was_told_is_what_is_there(changes: list[tuple[str, Key, Any]]) -> None:
    """The same is known in the end as by one who only comes then; each input is news; and asking again brings none."""
    followed, follower = joined(), Listener()
    final: dict[str, dict[Key, Any]] = {"services": {}, "leases": {}, "daemonsets": {}}
    for resource, key, value in changes:
        made: Any = None
        match resource, value:
            case _, None:
                pass
            case "services", (addresses, name, host):
                made = said(key, *addresses, lease=name, host=host)
            case "leases", holder:
                made = lease(holder)
            case "daemonsets", version:
                made = running(version)
        final[resource].pop(key, None)
        if made is not None:
            final[resource][key] = made
        follower.hear(taking(followed, resource)(line(resource, key, made)))
    latecomer, late = joined(), Listener()
    for resource, objects in final.items():
        late.hear(taking(latecomer, resource)(listed(resource, objects)))
    # A Lease that nothing wanted when its line came is not known before it is listed: its loop begins with a list.
    follower.hear(followed.take_leases(listed("leases", final["leases"])))
    for key in followed.watched_leases:
        there = {key: final["leases"][key]} if key in final["leases"] else {}
        follower.hear(followed.take_leases(listed("leases", there, only=key)))
    late.hear(latecomer.take_leases(listed("leases", final["leases"])))
    assert follower.intents == late.intents
    assert follower.leases == late.leases
    for resource, objects in final.items():
        assert resource == "leases" or taking(followed, resource)(listed(resource, objects)) == []
    assert followed.tick(0) == []


def taking(join: Join, resource: str) -> Any:
    return {"services": join.take_services, "leases": join.take_leases, "daemonsets": join.take_daemonsets}[resource]


def test_list_of_all_leases_leaves_those_alone_that_are_watched_by_name() -> None:
    """The list picks out only what it is asked for; the shared Lease is in it too, and not picked."""
    join = joined(discover=True)
    keys = [Key("default", f"s{number}") for number in range(MOST_WATCHED_LEASES + 1)]
    addresses = [ip_address(f"10.0.1.{number}") for number in range(len(keys))]
    join.take_services(
        listed("services", {key: said(key, address) for key, address in zip(keys, addresses, strict=True)})
    )
    shared = Key("kube-system", "plndr-svcs-lock")
    lease = Lease("node1", renewed=SECOND, duration=15 * SECOND)
    assert len(join.take_leases(listed("leases", {shared: lease}, SECOND, only=shared))) == len(keys)
    picked = {shared: lease if shared in join.polled_leases else None}
    assert join.take_leases(listed("leases", picked, 2 * SECOND)) == []
