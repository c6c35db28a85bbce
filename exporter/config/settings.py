"""The settings, all of them: what each is called, accepts, defaults to and does; each way to set one derives from here.

`Config` is the table and its typed result at once: each field carries the `Setting` that it comes from.
"""

# ruff: noqa: RUF009 - `_setting` makes a field of its own at each call, as `dataclasses.field` does

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from exporter.config import values
from exporter.config.values import Address, Kind
from exporter.vip.model import IPAddress, Mac, Nanoseconds, ServiceRef


@dataclass(frozen=True, slots=True)
class Setting:
    key: str
    """Dotted; also the flag without its dashes."""
    kind: Kind
    default: tuple[str, ...]
    """As one would write it; empty: not set."""
    help: str
    unset: str
    """What happens while it is not set and has no default."""
    repeatable: bool
    reloadable: bool
    """A reload puts a new value in force; otherwise only a restart does."""

    @property
    def flag(self) -> str:
        return f"--{self.key}"

    @property
    def variable(self) -> str:
        return VARIABLE_PREFIX + self.key.upper().translate(_UNDERSCORES)

    @property
    def field(self) -> str:
        """The name of its attribute in `Config`."""
        return self.key.translate(_UNDERSCORES)


VARIABLE_PREFIX = "VIP_EXPORTER_"
_UNDERSCORES = str.maketrans(".-", "__")


def _setting(
    key: str,
    kind: Kind,
    *default: str,
    help: str,
    unset: str = "",
    absent: object = None,
    repeatable: bool = False,
    reloadable: bool = False,
) -> Any:
    setting = Setting(key, kind, default, help, unset, repeatable, reloadable)
    parsed = tuple(kind.parse(text) for text in default)
    value = parsed if repeatable else parsed[0] if parsed else absent
    # Typed as what it stands in for: a value of whatever type the field is annotated with.
    return field(default=value, metadata={"setting": setting})


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What the exporter was told; without arguments, the defaults. Durations are in nanoseconds, sizes in bytes."""

    config_file: Path | None = _setting(
        "config.file",
        values.PATH,
        help="YAML file with any of these settings, nested at the dots.",
        unset="no file",
    )
    web_listen_address: tuple[Address, ...] = _setting(
        "web.listen-address",
        values.ADDRESS,
        ":10150",
        help=(
            "Where to serve metrics, the page and the API. Without a host: on every address, IPv4 and IPv6. A unix"
            " socket is for its owner and group."
        ),
        repeatable=True,
    )
    web_config_file: Path | None = _setting(
        "web.config.file",
        values.PATH,
        help="YAML file with TLS and users, in the format of Prometheus' exporters. Read anew whenever it changes.",
        unset="neither TLS nor passwords",
    )
    web_enable_lifecycle: bool = _setting(
        "web.enable-lifecycle",
        values.BOOLEAN,
        "false",
        help="Permit `POST /-/reload`, which does what SIGHUP does.",
    )
    log_level: str = _setting(
        "log.level",
        values.one_of("debug", "info", "warning", "error"),
        "info",
        help="Least severe lines to write.",
        reloadable=True,
    )
    log_format: Literal["logfmt", "json"] = _setting(
        "log.format",
        values.one_of("logfmt", "json"),
        "logfmt",
        help="Form of the log lines.",
        reloadable=True,
    )
    capture_interface: tuple[str, ...] = _setting(
        "capture.interface",
        values.INTERFACE,
        help="Interface to listen on.",
        unset="that of the default route",
        repeatable=True,
    )
    capture_buffer: int = _setting(
        "capture.buffer",
        values.SIZE,
        "4MiB",
        help="Room for the frames of each interface that are not read yet; with more, a longer flood is survived.",
    )
    kubernetes_enabled: bool = _setting(
        "kubernetes.enabled",
        values.BOOLEAN,
        "true",
        help="Follow the Services in Kubernetes. Off of itself when an intent file is set.",
    )
    kubernetes_kubeconfig: Path | None = _setting(
        "kubernetes.kubeconfig",
        values.PATH,
        help="Credentials for the API server.",
        unset="the service account of the pod, else the usual kubeconfig",
    )
    services_watch: tuple[ServiceRef, ...] = _setting(
        "services.watch",
        values.SERVICE,
        "kube-system/ingress-expose",
        "kube-system/rke2-traefik",
        help="Service whose addresses are the VIPs. One that does not exist is waited for.",
        repeatable=True,
    )
    services_discover: bool = _setting(
        "services.discover",
        values.BOOLEAN,
        "false",
        help="Watch every LoadBalancer Service that kube-vip handles, in all namespaces, instead of those named.",
    )
    services_include: tuple[str, ...] = _setting(
        "services.include",
        values.SERVICE_PATTERN,
        "*/*",
        help="With --services.discover: only Services that match one of these.",
        repeatable=True,
    )
    services_exclude: tuple[str, ...] = _setting(
        "services.exclude",
        values.SERVICE_PATTERN,
        help="With --services.discover: no Service that matches one of these.",
        unset="none",
        repeatable=True,
    )
    services_relist_interval: Nanoseconds = _setting(
        "services.relist-interval",
        values.INTERVAL,
        "5m",
        help="How often to list everything in Kubernetes anew, beside watching it.",
    )
    lease_services: tuple[ServiceRef, ...] = _setting(
        "lease.services",
        values.OBJECT,
        "harvester-system/plndr-svcs-lock",
        "kube-system/plndr-svcs-lock",
        help=(
            "Lease by which kube-vip elects the holder of all Services at once. One that a Service names in the"
            " annotation kube-vip.io/leaseName, or its own kubevip-<service>, comes before."
        ),
        repeatable=True,
    )
    control_plane_address: tuple[IPAddress, ...] = _setting(
        "control-plane.address",
        values.IP_ADDRESS,
        help="VIP of the control plane, which no Service has.",
        unset="none",
        repeatable=True,
    )
    control_plane_lease: ServiceRef = _setting(
        "control-plane.lease",
        values.OBJECT,
        "kube-system/plndr-cp-lock",
        help="Lease by which kube-vip elects the holder of the control plane's VIP.",
    )
    kube_vip_daemonset: tuple[ServiceRef, ...] = _setting(
        "kube-vip.daemonset",
        values.OBJECT,
        "harvester-system/kube-vip",
        "kube-system/kube-vip-ds",
        "kube-system/kube-vip",
        help="kube-vip's DaemonSet: its image tells the version, its node selection where a VIP can be.",
        repeatable=True,
    )
    kube_vip_version: tuple[int, int, int] | None = _setting(
        "kube-vip.version",
        values.VERSION,
        help="kube-vip's version, where no DaemonSet tells it. From 0.8.2 on, DHCP mode announces another MAC.",
        unset="that of the DaemonSet's image",
    )
    harvester_configmap: ServiceRef | None = _setting(
        "harvester.configmap",
        values.OBJECT_OR_NONE,
        "harvester-system/vip",
        help=(
            "Harvester's ConfigMap with the management VIP that was asked for. One that does not exist is waited for;"
            " where there is no Harvester, none saves the right to ask for it."
        ),
    )
    nodes: tuple[tuple[str, Mac], ...] = _setting(
        "nodes",
        values.NODE_MAC,
        help="A MAC of a node, where neither its frames nor its interfaces tell.",
        unset="learned from frames",
        repeatable=True,
    )
    host_enabled: bool = _setting(
        "host.enabled",
        values.BOOLEAN,
        "true",
        help="Watch which addresses are bound on this node. Switch it off where the exporter runs on no node.",
    )
    host_ignore_interface: tuple[str, ...] = _setting(
        "host.ignore-interface",
        values.INTERFACE_PATTERN,
        "kube-ipvs0",
        help="Interface whose addresses do not count as bound: kube-proxy binds every Service's address there.",
        repeatable=True,
    )
    intent_file: Path | None = _setting(
        "intent.file",
        values.PATH,
        help="YAML file that names the VIPs and nodes, for machines without Kubernetes. SIGHUP reads it anew.",
        unset="the VIPs come from Kubernetes",
    )
    intent_stale_after: Nanoseconds = _setting(
        "intent.stale-after",
        values.INTERVAL,
        "2m",
        help="How long to believe what Kubernetes last said while it cannot be reached.",
    )
    vip_period: Nanoseconds | None = _setting(
        "vip.period",
        values.PERIOD,
        "auto",
        help="How often the holder announces a VIP. `auto`: learned from its frames; `0s`: it does not repeat itself.",
    )
    vip_settle_time: Nanoseconds = _setting(
        "vip.settle-time",
        values.DURATION,
        "15s",
        help="How long the sources may disagree around a move before it is a mismatch.",
    )
    observer_name: str = _setting(
        "observer.name",
        values.NODE_NAME,
        help="Name of this node, as Kubernetes knows it.",
        unset="the variable NODE_NAME, else the host name",
        absent="",
    )
    metrics_detail: Literal["full", "summary"] = _setting(
        "metrics.detail",
        values.one_of("full", "summary"),
        "full",
        help="`summary`: at most 12 series for each VIP instead of some 50.",
        reloadable=True,
    )
    events_history: int = _setting(
        "events.history",
        values.whole_number(1, 100_000),
        "1000",
        help="Events kept for the API and the page.",
    )
    state_path: Path | None = _setting(
        "state.path",
        values.PATH,
        help="File that remembers holders and events over a restart.",
        unset="nothing is remembered",
    )
    state_retention: Nanoseconds = _setting(
        "state.retention",
        values.INTERVAL,
        "30d",
        help="How long events are kept in that file.",
    )


SETTINGS: tuple[Setting, ...] = tuple(item.metadata["setting"] for item in fields(Config))
