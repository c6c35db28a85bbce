"""What single Leases, Nodes, ConfigMaps and DaemonSets say: a row for each rule, and one for each kind of garbage."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.cluster.configmap import read_configmap
from exporter.cluster.fields import Key, moment
from exporter.cluster.intent import Service, read_service
from exporter.cluster.kinds import discovered_services
from exporter.cluster.kubevip import KubeVip, Version, image_version, read_daemonset
from exporter.cluster.lease import Lease, read_lease
from exporter.cluster.node import NodeFacts, read_node
from exporter.vip.model import SECOND, Mode, ServiceIntent, ServiceRef

KEY = Key("kube-system", "x")

# --- Leases -----------------------------------------------------------------------------------------------------------

SPEC = {
    "holderIdentity": "node1",
    "renewTime": "1970-01-01T00:01:40.250000Z",
    "acquireTime": "1970-01-01T01:01:30.000000+01:00",
    "leaseDurationSeconds": 15,
    "leaseTransitions": 4,
}
WHOLE = Lease("node1", 100_250_000_000, 15 * SECOND, 90 * SECOND, 4)


def test_lease_says_who_holds_it_since_when_and_for_how_long() -> None:
    assert read_lease(KEY, {"spec": SPEC}) == (WHOLE, ())


@pytest.mark.parametrize("spec", [None, {}, {"holderIdentity": None, "renewTime": None, "acquireTime": None}])
def test_lease_that_says_nothing_was_never_renewed(spec: object) -> None:
    assert read_lease(KEY, {"spec": spec}) == (Lease("", 0, 0), ())


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        ("holderIdentity", 5, {"holder": ""}),
        ("holderIdentity", "node\n1", {"holder": ""}),
        ("holderIdentity", "n" * 300, {"holder": "n" * 253}),
        ("renewTime", 1700000000, {"renewed": 0}),
        ("renewTime", "yesterday", {"renewed": 0}),
        # What follows from such a time, no calendar could write.
        ("renewTime", "0001-01-01T00:00:00+23:59", {"renewed": 0}),
        ("renewTime", "1969-12-31T23:59:59Z", {"renewed": 0}),
        ("renewTime", "3000-01-01T00:00:00Z", {"renewed": 0}),
        ("renewTime", "2999-12-31T23:59:59Z", {"renewed": 32_503_679_999 * SECOND}),
        ("acquireTime", "9999-12-31T23:59:59-23:59", {"acquired": None}),
        ("renewTime", "9999-99-99T00:00:00Z", {"renewed": 0}),
        ("acquireTime", {}, {"acquired": None}),
        ("leaseDurationSeconds", "15", {"duration": 0}),
        ("leaseDurationSeconds", -15, {"duration": 0}),
        ("leaseDurationSeconds", 15.5, {"duration": 0}),
        ("leaseDurationSeconds", True, {"duration": 0}),
        ("leaseDurationSeconds", 10**30, {"duration": 0}),
        ("leaseTransitions", -1, {"transitions": None}),
        ("leaseTransitions", None, {"transitions": None}),
    ],
)
def test_odd_field_of_a_lease_leaves_the_others(field: str, value: object, read: dict[str, Any]) -> None:
    lease, problems = read_lease(KEY, {"spec": SPEC | {field: value}})
    assert {name: getattr(lease, name) for name in Lease.__slots__} == {
        name: getattr(WHOLE, name) for name in Lease.__slots__
    } | read
    usable = value is None or str(value).startswith("2999")
    assert [problem.where for problem in problems] == ([] if usable else [f"spec.{field}"])


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:01Z", SECOND),
        ("1970-01-01T00:00:00.000001Z", 1000),
        ("1970-01-01T00:00:00.1234567Z", 123_456_000),
        ("1970-01-01t00:00:01z", SECOND),
        ("1970-01-01T02:00:01+02:00", SECOND),
        ("1970-01-01T00:00:01", SECOND),
        ("2024-02-29T12:00:00.000000Z", 1_709_208_000 * SECOND),
    ],
)
def test_times(text: str, nanoseconds: int) -> None:
    assert moment(text) == nanoseconds


# --- the Service's own Lease, and which Services discovery keeps ------------------------------------------------------


def service(annotations: dict[str, str] | None = None, **spec: object) -> dict[str, Any]:
    named = {f"kube-vip.io/{key}": value for key, value in (annotations or {}).items()}
    return {"metadata": {"annotations": named}, "spec": {"type": "LoadBalancer", **spec}}


@pytest.mark.parametrize(
    ("name", "lease"),
    [
        ("", None),
        ("shared", Key("kube-system", "shared")),
        ("other/shared.one", Key("other", "shared.one")),
        ("/shared", None),
        ("a/b/c", None),
        ("../secrets", None),
        ("Shared", None),
        ("x" * 300, None),
    ],
)
def test_lease_that_a_service_names(name: str, lease: Key | None) -> None:
    said, problems = read_service(KEY, service({"leaseName": name}))
    assert said.lease == lease
    assert [problem.where for problem in problems] == (["kube-vip.io/leaseName"] if name and lease is None else [])


LEFT = {"loadbalancerIPs": "10.0.0.5", "vipHost": "node1"}


@pytest.mark.parametrize(
    ("obj", "kept"),
    [
        pytest.param(service(), True, id="load balancer"),
        pytest.param(service(loadBalancerClass="kube-vip.io/kube-vip-class"), True, id="kube-vip's class"),
        pytest.param(service(loadBalancerClass="metallb"), False, id="another's class"),
        pytest.param(service({"ignore": "true"}), False, id="ignored"),
        pytest.param(service({"ignore": "true", **LEFT}, type="ClusterIP"), False, id="ignored, left over"),
        pytest.param(service(type="ClusterIP"), False, id="no load balancer"),
        pytest.param(service(LEFT, type="ClusterIP"), True, id="load balancer no more"),
        pytest.param(service({"vipHost": "node1"}, type="NodePort"), True, id="held once"),
        pytest.param({}, False, id="nothing"),
        pytest.param({"spec": 5, "metadata": []}, False, id="garbage"),
    ],
)
def test_services_that_discovery_keeps(obj: dict[str, Any], kept: bool) -> None:
    said, problems = discovered_services(include=["*/*"], exclude=[]).read(KEY, obj)
    assert (said is not None) == kept
    assert kept or problems == ()
    if said is not None:
        assert said.intent.load_balancer == (obj["spec"]["type"] == "LoadBalancer")


@pytest.mark.parametrize(
    ("include", "exclude", "kept"),
    [
        (["*/*"], [], True),
        (["kube-system/*"], [], True),
        (["*/x"], [], True),
        (["kube-*/[wx]"], [], True),
        (["default/*", "*/x*"], [], True),
        (["default/*"], [], False),
        ([], [], False),
        (["*/*"], ["kube-system/*"], False),
        (["*/*"], ["default/*", "*/x"], False),
        (["*/*"], ["*/y"], True),
    ],
)
def test_patterns_of_discovery(include: list[str], exclude: list[str], kept: bool) -> None:
    said, _ = discovered_services(include=include, exclude=exclude).read(KEY, service())
    assert (said is not None) == kept


# --- Nodes ------------------------------------------------------------------------------------------------------------


def node(*addresses: tuple[str, str], labels: object = None) -> dict[str, Any]:
    return {
        "metadata": {"labels": labels},
        "status": {"addresses": [{"type": kind, "address": address} for kind, address in addresses]},
    }


def test_node_has_its_internal_addresses_of_both_families_and_its_labels() -> None:
    obj = node(
        ("InternalIP", "10.0.0.1"),
        ("ExternalIP", "192.0.2.1"),
        ("Hostname", "node1"),
        ("InternalIP", "fd00::1"),
        ("InternalIP", "10.0.0.1"),
        labels={"a": "b"},
    )
    facts = NodeFacts("x", (ip_address("10.0.0.1"), ip_address("fd00::1")), {"a": "b"})
    assert read_node(Key("", "x"), obj) == (facts, ())
    assert not facts.is_witness
    assert NodeFacts("x", (), {"node-role.harvesterhci.io/witness": "true"}).is_witness


@pytest.mark.parametrize(
    ("obj", "where"),
    [
        ({"status": {"addresses": {}}}, "status.addresses"),
        ({"status": {"addresses": [7]}}, "status.addresses[]"),
        (node(("InternalIP", "10.0.0.999")), "status.addresses[].address"),
        (node(labels={"a": 5}), "metadata.labels"),
        (node(labels=[]), "metadata.labels"),
    ],
)
def test_odd_node_is_still_a_node(obj: dict[str, Any], where: str) -> None:
    facts, problems = read_node(Key("", "x"), obj)
    assert facts == NodeFacts("x", (), {})
    assert [problem.where for problem in problems] == [where]


# --- Harvester's ConfigMap --------------------------------------------------------------------------------------------

WISH = {
    "enabled": "true",
    "serviceType": "LoadBalancer",
    "ip": "10.0.0.5",
    "mode": "static",
    "hwAddress": "",
    "loadBalancerIP": "10.0.0.5",
}


def wish(mode: Mode, address: str) -> ServiceIntent:
    service = ServiceRef("", "kube-system/x")
    return ServiceIntent(service, (ip_address(address),), mode, load_balancer=False, expected=True)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, wish(Mode.STATIC, "10.0.0.5")),
        ({"mode": "dhcp", "loadBalancerIP": "0.0.0.0"}, wish(Mode.DHCP, "10.0.0.5")),
        ({"mode": "DHCP", "ip": "0.0.0.0", "loadBalancerIP": "0.0.0.0"}, None),
        ({"ip": "", "loadBalancerIP": "10.0.0.6"}, wish(Mode.STATIC, "10.0.0.6")),
        ({"ip": "", "loadBalancerIP": ""}, None),
        ({"enabled": "false"}, None),
        ({"enabled": None}, None),
        ({"enabled": "True"}, wish(Mode.STATIC, "10.0.0.5")),
        ({"mode": ""}, wish(Mode.UNKNOWN, "10.0.0.5")),
        ({"ip": "fd00::5"}, wish(Mode.STATIC, "fd00::5")),
    ],
)
def test_wish(data: dict[str, str], said: ServiceIntent | None) -> None:
    expected = None if said is None else Service(said)
    assert read_configmap(KEY, {"data": WISH | data}) == (expected, ())


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (5, "data"),
        (WISH | {"enabled": "perhaps"}, "data.enabled"),
        (WISH | {"mode": "magic"}, "data.mode"),
        (WISH | {"ip": "10.0.0.5/24"}, "data.ip"),
        (WISH | {"ip": ["10.0.0.5"]}, "data.ip"),
    ],
)
def test_odd_wish_is_a_problem(data: object, where: str) -> None:
    _, problems = read_configmap(KEY, {"data": data})
    assert [problem.where for problem in problems] == [where]


# --- kube-vip's version -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("ghcr.io/kube-vip/kube-vip:v0.8.1", (0, 8, 1)),
        ("rancher/mirrored-kube-vip-kube-vip-iptables:v0.8.1", (0, 8, 1)),
        ("registry:5000/a/b/kube-vip:v0.8.1@sha256:" + "0" * 64, (0, 8, 1)),
        ("registry:5000/kube-vip@sha256:" + "0" * 64, None),
        ("registry:5000/kube-vip", None),
        ("registry.v1.2.3/kube-vip", None),
        ("kube-vip:1.2.3", (1, 2, 3)),
        ("kube-vip:v0.8.2-rc1", (0, 8, 2)),
        ("kube-vip:v0.9.2-alpine", (0, 9, 2)),
        ("kube-vip:v0.9.2_build.7", (0, 9, 2)),
        ("kube-vip:v0.10.12", (0, 10, 12)),
        ("kube-vip:v0.8", None),
        ("kube-vip:v0.8.1x", None),
        ("kube-vip:latest", None),
        ("kube-vip:main", None),
        ("kube-vip:", None),
        ("", None),
        ("@:/", None),
    ],
)
def test_version_of_an_image(image: str, version: Version | None) -> None:
    assert image_version(image) == version


def daemonset(
    *images: tuple[str, str], label: str | None = None, pod_label: str | None = None, **pod: object
) -> dict[str, Any]:
    def meta(version: str | None) -> dict[str, Any]:
        return {"labels": {"app.kubernetes.io/version": version}} if version else {}

    containers = [{"name": name, "image": image} for name, image in images]
    template = {"metadata": meta(pod_label), "spec": {"containers": containers, **pod}}
    return {"metadata": meta(label), "spec": {"template": template}}


def read(obj: dict[str, Any]) -> KubeVip:
    kube_vip, _ = read_daemonset(KEY, obj)
    return kube_vip


DIGEST = "kube-vip@sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("obj", "version"),
    [
        pytest.param(daemonset(("kube-vip", "x/kube-vip:v0.8.1")), (0, 8, 1), id="one"),
        pytest.param(
            daemonset(("proxy", "x/proxy:v9.9.9"), ("vip", "x/kube-vip:v0.8.1")), (0, 8, 1), id="image before others"
        ),
        pytest.param(
            daemonset(("proxy", "x/kube-vip/proxy:v9.9.9"), ("vip", "x/kube-vip:v0.8.1")), (0, 8, 1), id="last part"
        ),
        pytest.param(
            daemonset(("cloud", "kube-vip-cloud-provider:v0.0.4"), ("kube-vip", "kube-vip:v0.8.1")),
            (0, 8, 1),
            id="name and image before image",
        ),
        pytest.param(
            daemonset(("proxy", "proxy:v9.9.9"), ("kube-vip", "mirror/kv:v0.8.1")), (0, 8, 1), id="name of container"
        ),
        pytest.param(daemonset(("proxy", "proxy:v9.9.9"), ("other", "other:v1.0.0")), None, id="no kube-vip in it"),
        pytest.param(daemonset(("kube-vip", DIGEST), label="v0.9.2"), (0, 9, 2), id="label"),
        pytest.param(daemonset(("kube-vip", DIGEST), pod_label="0.9.2"), (0, 9, 2), id="label of the pods"),
        pytest.param(daemonset(("kube-vip", "kube-vip:latest"), label="latest"), None, id="latest"),
        pytest.param(daemonset(("kube-vip", "kube-vip:v0.8.1"), label="v0.9.2"), (0, 8, 1), id="tag before label"),
        pytest.param(daemonset(), None, id="no containers"),
    ],
)
def test_version_of_a_daemonset(obj: dict[str, Any], version: Version | None) -> None:
    kube_vip, problems = read_daemonset(KEY, obj)
    assert kube_vip.version == version
    assert [problem.where for problem in problems] == ([] if version else ["spec.template.spec.containers[].image"])


# --- where kube-vip may run -------------------------------------------------------------------------------------------

LABELS = {"role": "control", "zone": "a", "size": "5", "word": "x5", "empty": ""}


def admits(**pod: object) -> bool:
    return read(daemonset(**pod)).placement.admits("node1", LABELS)  # type: ignore[arg-type]


def affinity(*terms: object) -> dict[str, Any]:
    required = {"nodeSelectorTerms": list(terms)}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def expression(key: str, operator: object, *values: object) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (None, True),
        ({}, True),
        ({"role": "control"}, True),
        ({"role": "control", "zone": "a"}, True),
        ({"role": "control", "zone": "b"}, False),
        ({"role": "worker"}, False),
        ({"absent": ""}, False),
        ({"empty": ""}, True),
        ([], True),
        ({"role": 5}, True),
    ],
)
def test_node_selector(selector: object, expected: bool) -> None:
    assert admits(nodeSelector=selector) == expected


@pytest.mark.parametrize(
    ("key", "operator", "values", "expected"),
    [
        ("zone", "In", ["a", "b"], True),
        ("zone", "In", ["b"], False),
        ("absent", "In", ["b"], False),
        ("zone", "NotIn", ["a"], False),
        ("zone", "NotIn", ["b"], True),
        ("absent", "NotIn", ["b"], True),
        ("zone", "Exists", [], True),
        ("absent", "Exists", [], False),
        ("zone", "DoesNotExist", [], False),
        ("absent", "DoesNotExist", [], True),
        ("size", "Gt", ["4"], True),
        ("size", "Gt", ["5"], False),
        ("size", "Lt", ["6"], True),
        ("size", "Lt", ["5"], False),
        ("word", "Gt", ["4"], False),
        ("absent", "Lt", ["4"], False),
        ("size", "Gt", ["x"], False),
        ("size", "Gt", [], False),
        ("size", "Gt", ["1", "2"], False),
        ("zone", "Resembles", ["b"], True),
        ("zone", None, ["b"], True),
        ("zone", "In", [5], False),
    ],
)
def test_requirement_on_labels(key: str, operator: object, values: list[object], expected: bool) -> None:
    assert admits(affinity=affinity({"matchExpressions": [expression(key, operator, *values)]})) == expected


HERE, ELSEWHERE = expression("metadata.name", "In", "node1"), expression("metadata.name", "In", "node2")
NOT_HERE = expression("metadata.name", "NotIn", "node1")
YES, NO = expression("zone", "In", "a"), expression("zone", "In", "b")


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        pytest.param({"affinity": affinity({"matchExpressions": [YES, NO]})}, False, id="all of a term"),
        pytest.param({"affinity": affinity({"matchExpressions": [NO]}, {"matchExpressions": [YES]})}, True, id="one"),
        pytest.param({"affinity": affinity({})}, False, id="an empty term admits nothing"),
        pytest.param({"affinity": affinity()}, False, id="no term admits nothing"),
        pytest.param({"affinity": {"nodeAffinity": {}}}, True, id="nothing required"),
        pytest.param({"affinity": {"podAntiAffinity": {}}}, True, id="of pods"),
        pytest.param({"affinity": affinity({"matchFields": [HERE]})}, True, id="by name"),
        pytest.param({"affinity": affinity({"matchFields": [NOT_HERE]})}, False, id="not it"),
        pytest.param(
            {"affinity": affinity({"matchExpressions": [YES], "matchFields": [ELSEWHERE]})},
            False,
            id="labels and fields",
        ),
        pytest.param(
            {"nodeSelector": {"zone": "b"}, "affinity": affinity({"matchExpressions": [YES]})}, False, id="and selector"
        ),
        pytest.param({"affinity": 5}, True, id="garbage"),
        pytest.param({"affinity": {"nodeAffinity": []}}, True, id="garbage within"),
    ],
)
def test_affinity(pod: dict[str, Any], expected: bool) -> None:
    assert admits(**pod) == expected


# --- all of them ------------------------------------------------------------------------------------------------------

scalar = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["true", "10.0.0.5"])
KEYS = [
    *("metadata", "labels", "annotations", "spec", "status", "data", "template", "containers", "name", "image"),
    *("type", "address", "addresses", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"),
    *("nodeSelectorTerms", "matchExpressions", "matchFields", "key", "operator", "values", "nodeSelector"),
    *("holderIdentity", "renewTime", "acquireTime", "leaseDurationSeconds", "leaseTransitions"),
    *("enabled", "ip", "mode", "loadBalancerIP", "kube-vip.io/leaseName", "app.kubernetes.io/version"),
]
anything = st.recursive(
    scalar, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner), max_leaves=12
)
objects = st.dictionaries(st.sampled_from(KEYS), anything)


@pytest.mark.parametrize("read", [read_lease, read_node, read_configmap, read_daemonset, read_service])
def test_any_json_can_be_read_and_says_the_same_again(read: Callable[..., Any]) -> None:
    @settings(max_examples=40)
    @given(objects)
    def check(obj: dict[str, Any]) -> None:
        said, problems = read(KEY, obj)
        assert read(KEY, obj) == (said, problems)
        assert all(problem.remedy and problem.value.isprintable() for problem in problems)
        if isinstance(said, KubeVip):
            said.placement.admits("node1", LABELS)

    check()


@pytest.mark.parametrize(
    ("generation", "status", "known"),
    [
        (2, {"observedGeneration": 2, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3}, True),
        (2, {"observedGeneration": 2, "desiredNumberScheduled": 3, "updatedNumberScheduled": 2}, False),
        (2, {"observedGeneration": 2, "desiredNumberScheduled": 3}, False),
        (2, {"observedGeneration": 1, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3}, False),
        (2, {"observedGeneration": 2, "desiredNumberScheduled": 0}, True),
        (None, {}, True),
        ("x", {"observedGeneration": "y", "desiredNumberScheduled": None, "updatedNumberScheduled": []}, True),
    ],
)
def test_version_while_pods_are_being_replaced(generation: object, status: dict[str, Any], known: bool) -> None:
    """The VIP's holder may run the old version or the new one."""
    obj = daemonset(("kube-vip", "kube-vip:v0.9.2")) | {"status": status}
    obj["metadata"]["generation"] = generation
    kubevip, problems = read_daemonset(Key("harvester-system", "kube-vip"), obj)
    assert kubevip.version == ((0, 9, 2) if known else None)
    assert problems == ()
