"""Turns a Service, as the plain JSON of the Kubernetes API, into what it says about its VIPs.

Pure, and total: any JSON gives an intent. Whatever is unusable in it becomes a problem, the rest still counts.
Annotations as kube-vip 0.6.0 to 1.2.3 reads and writes them.
"""

from __future__ import annotations

from dataclasses import dataclass

from exporter.cluster.fields import MOST_ADDRESSES, Json, Key, Problem, Reader
from exporter.vip.model import IPAddress, Mode, ServiceIntent, ServiceRef

PREFIX = "kube-vip.io/"
LOAD_BALANCER_IPS = PREFIX + "loadbalancerIPs"
REQUESTED_IP = PREFIX + "requestedIP"
VIP_HOST = PREFIX + "vipHost"
HWADDR = PREFIX + "hwaddr"
IGNORE = PREFIX + "ignore"
LEASE_NAME = PREFIX + "leaseName"
CLASS = PREFIX + "kube-vip-class"
SPEC_IP = "spec.loadBalancerIP"
STATUS_IP = "status.loadBalancer.ingress[].ip"


@dataclass(frozen=True, slots=True)
class Service:
    """A Service, and what it says of its VIPs."""

    intent: ServiceIntent
    lease: Key | None = None
    """The Lease that it names for its election (annotation `leaseName`, kube-vip 1.0 and later)."""
    handled: bool = True
    """kube-vip handles it; or did, and what it wrote is still there though the type has changed."""


def read_service(key: Key, obj: Json) -> tuple[Service, tuple[Problem, ...]]:
    """What a Service says, and what of it could not be used. Never raises.

    The mode is DHCP where `loadbalancerIPs` (or, without it, `spec.loadBalancerIP`) is an unspecified address,
    unknown where no address is given anywhere, and static otherwise.

    The addresses in force are:

    - static: `loadbalancerIPs`, else the status, else `spec.loadBalancerIP`;
    - DHCP: the status. While the status has none, `requestedIP` counts only if `vipHost` is there as well: kube-vip
      writes the two together once it has a lease, so without `vipHost` the address is somebody's wish. Where the
      status and `requestedIP` differ the status stands, and the difference is a problem to report.

    What kube-vip left behind from an earlier DHCP mode (`hwaddr`, `requestedIP`) says nothing on a static Service.
    A Service that kube-vip is told to ignore has no address in force.
    """
    reader = Reader()
    annotations = reader.within(obj, "metadata", "annotations")
    spec = reader.mapping(obj, "spec", "spec")
    load_balancer = reader.text(spec, "type", "spec.type") == "LoadBalancer"
    if _ignored(reader, annotations):
        ignored = ServiceIntent(service=ServiceRef(*key), addresses=(), load_balancer=load_balancer)
        return Service(ignored, handled=False), tuple(reader.problems)

    wanted = reader.addresses(reader.text(annotations, LOAD_BALANCER_IPS, LOAD_BALANCER_IPS), LOAD_BALANCER_IPS)
    in_spec = reader.addresses(reader.text(spec, "loadBalancerIP", SPEC_IP), SPEC_IP)
    in_status = _status_addresses(reader, obj)
    vip_host = reader.host(annotations, VIP_HOST, VIP_HOST)

    declared = wanted or in_spec
    hwaddr = None
    if any(address.is_unspecified for address in declared):
        if not all(address.is_unspecified for address in declared):
            remedy = "list either addresses or 0.0.0.0 and ::, not both; it is taken as DHCP"
            reader.complain(LOAD_BALANCER_IPS, ",".join(map(str, declared)), remedy)
        mode = Mode.DHCP
        hwaddr = reader.mac(reader.text(annotations, HWADDR, HWADDR), HWADDR)
        addresses = in_status or (_requested(reader, annotations) if vip_host else ())
        _compare_requested(reader, annotations, in_status)
    else:
        addresses = wanted or in_status or in_spec
        mode = Mode.STATIC if addresses else Mode.UNKNOWN
    intent = ServiceIntent(
        service=ServiceRef(*key),
        addresses=addresses,
        mode=mode,
        vip_host=vip_host,
        hwaddr=hwaddr,
        load_balancer=load_balancer,
    )
    service = Service(
        intent,
        lease=reader.reference(reader.text(annotations, LEASE_NAME, LEASE_NAME), LEASE_NAME, namespace=key.namespace),
        handled=_handled(reader, annotations, spec, load_balancer=load_balancer),
    )
    return service, tuple(reader.problems)


def _ignored(reader: Reader, annotations: Json) -> bool:
    value = reader.text(annotations, IGNORE, IGNORE).lower()
    if value not in ("", "true", "false"):
        reader.complain(IGNORE, value, 'write "true" or "false"; it is taken as "false"')
    return value == "true"


def _handled(reader: Reader, annotations: Json, spec: Json, *, load_balancer: bool) -> bool:
    """Whether it is kube-vip's among all Services. Another implementation's has a class that is not kube-vip's."""
    if load_balancer:
        return reader.text(spec, "loadBalancerClass", "spec.loadBalancerClass") in ("", CLASS)
    return LOAD_BALANCER_IPS in annotations or VIP_HOST in annotations


def _status_addresses(reader: Reader, obj: Json) -> tuple[IPAddress, ...]:
    status = reader.within(obj, "status", "loadBalancer")
    found: dict[IPAddress, None] = {}
    for entry in reader.items(status, "ingress", "status.loadBalancer.ingress")[:MOST_ADDRESSES]:
        text = reader.text(entry, "ip", STATUS_IP)
        address = reader.address(text, STATUS_IP) if text else None
        if address is not None and not address.is_unspecified:
            found[address] = None
    return tuple(found)


def _requested(reader: Reader, annotations: Json) -> tuple[IPAddress, ...]:
    text = reader.text(annotations, REQUESTED_IP, REQUESTED_IP)
    return tuple(address for address in reader.addresses(text, REQUESTED_IP) if not address.is_unspecified)


def _compare_requested(reader: Reader, annotations: Json, in_status: tuple[IPAddress, ...]) -> None:
    """A lease that drifted away from what was asked for: not unusable, but somebody should know."""
    if not in_status:
        return
    requested = _requested(reader, annotations)
    if requested and set(requested) != set(in_status):
        remedy = "it differs from the status, which stands; check the DHCP reservation"
        reader.complain(REQUESTED_IP, ",".join(map(str, requested)), remedy)
