"""Turns Harvester's ConfigMap into the VIP that was asked for, whatever became of its Service. Pure and total.

Harvester keeps in `harvester-system/vip`, in every mode: enabled, serviceType, ip, mode, hwAddress, loadBalancerIP.
"""

from __future__ import annotations

from exporter.cluster.fields import Json, Key, Problem, Reader
from exporter.cluster.intent import Service
from exporter.vip.model import Mode, ServiceIntent, ServiceRef


def read_configmap(key: Key, obj: Json) -> tuple[Service | None, tuple[Problem, ...]]:
    """The wish that there be a Service with these addresses (None: there is none), and what could not be used.

    Never raises. In DHCP mode `ip` is the address that was leased when the ConfigMap was written, 0.0.0.0 before.
    """
    reader = Reader()
    data = reader.mapping(obj, "data", "data")
    enabled = reader.text(data, "enabled", "data.enabled").lower()
    if enabled not in ("true", "false", ""):
        reader.complain("data.enabled", enabled, 'write "true" or "false"; it is taken as "false"')
    if enabled != "true":
        return None, tuple(reader.problems)
    mode = _mode(reader, data)
    found = [
        address
        for field in ("ip", "loadBalancerIP")
        for address in reader.addresses(reader.text(data, field, f"data.{field}"), f"data.{field}")
        if not address.is_unspecified
    ]
    if not found:
        return None, tuple(reader.problems)
    intent = ServiceIntent(
        service=ServiceRef("", str(key)), addresses=(found[0],), mode=mode, load_balancer=False, expected=True
    )
    return Service(intent), tuple(reader.problems)


def _mode(reader: Reader, data: Json) -> Mode:
    text = reader.text(data, "mode", "data.mode").lower()
    if text in (Mode.STATIC, Mode.DHCP):
        return Mode(text)
    if text:
        reader.complain("data.mode", text, "write static or dhcp")
    return Mode.UNKNOWN
