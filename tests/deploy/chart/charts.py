"""The chart as Helm renders it, and the values that the tests render it with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from helm_python import Chart

from deploy.generate import CHART, values_of

ROOT = CHART.parents[1]
Object = dict[str, Any]

DEFAULT: dict[str, Any] = {}
HARVESTER = values_of("values-harvester.yaml")
RULES: dict[str, Any] = yaml.safe_load((ROOT / "alerts" / "rules.yaml").read_text())
DASHBOARDS = {path.name: path.read_text() for path in (ROOT / "dashboards").glob("*.json")}


def nested(values: Mapping[str, Any], base: Mapping[str, Any] = DEFAULT) -> dict[str, Any]:
    """Values of dotted names, as a values file has them, over those of `base`."""
    tree = deepcopy(dict(base))
    for name, value in values.items():
        *way, last = name.split(".")
        branch = tree
        for key in way:
            branch = branch.setdefault(key, {})
        branch[last] = value
    return tree


EVERYTHING = nested(
    {
        "commonLabels": {"team": "network"},
        "image.digest": "sha256:" + "0" * 64,
        "imagePullSecrets": [{"name": "pull"}],
        "services.discover": False,
        "services.watch": ["lb/web", "lb/mail"],
        "leases.additional": ["kube-system/shared"],
        "controlPlane.addresses": ["192.0.2.10", "2001:db8::10"],
        "harvester.configMap": "harvester-system/vip",
        "config": {"capture": {"interface": ["mgmt-br"]}, "log.level": "debug", "events": {"history": 100000}},
        "nonRoot": True,
        "listenHost": "$(HOST_IP)",
        "web.config": {
            "tls_server_config": {"cert_file": "tls.crt", "key_file": "tls.key"},
            "basic_auth_users": {"prometheus": "$2y$10$RXnmCSPi64yM5OD.0eYM9OQBOAb/XGJSgW5/xAMMqDxPP20a.Ic9u"},
        },
        "web.tlsSecret": "vip-exporter-tls",
        "state.hostPath": "/var/lib/vip-exporter",
        "serviceAccount.annotations": {"example.org/note": "read-only"},
        "priorityClassName": "system-node-critical",
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": "witness", "operator": "DoesNotExist"}]}]
                }
            }
        },
        "podAnnotations": {"example.org/owner": "network"},
        "podLabels": {"tier": "infrastructure"},
        "podSecurityContext": {"supplementalGroups": [1000]},
        "containerSecurityContext": {"seLinuxOptions": {"type": "spc_t"}},
        "extraArgs": ["--vip.period=3s"],
        "extraEnv": [{"name": "TZ", "value": "UTC"}],
        "extraVolumes": [{"name": "more", "configMap": {"name": "more"}}],
        "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
        "podMonitor.enabled": True,
        "podMonitor.additionalLabels": {"release": "monitoring"},
        "podMonitor.scrapeTimeout": "10s",
        "podMonitor.basicAuth": {
            "username": {"name": "login", "key": "username"},
            "password": {"name": "login", "key": "password"},
        },
        "podMonitor.tlsConfig": {
            "ca": {"secret": {"name": "vip-exporter-tls", "key": "ca.crt"}},
            "serverName": "vip-exporter",
        },
        "podMonitor.relabelings": [{"targetLabel": "cluster", "replacement": "a"}],
        "podMonitor.metricRelabelings": [{"regex": "zone", "action": "labeldrop"}],
        "service.enabled": True,
        "service.annotations": {"example.org/note": "headless"},
        "prometheusRule.enabled": True,
        "prometheusRule.additionalLabels": {"release": "monitoring"},
        "dashboards.enabled": True,
        "dashboards.namespace": "cattle-dashboards",
        "dashboards.annotations": {"grafana_folder": "Network"},
        "networkPolicy.enabled": True,
        "networkPolicy.from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
    }
)

SET_UPS: dict[str, dict[str, Any]] = {"default": DEFAULT, "harvester": HARVESTER, "everything": EVERYTHING}


@cache
def chart() -> Chart:
    return Chart.load(CHART)


def texts(values: Mapping[str, Any], *, name: str = "vip-exporter", namespace: str = "vip-exporter") -> dict[str, str]:
    """What each template renders to."""
    return dict(_texts(json.dumps(values), name, namespace))


@cache
def _texts(values: str, name: str, namespace: str) -> dict[str, str]:
    rendered = chart().render(json.loads(values), name=name, namespace=namespace)
    return {Path(path).name: text for path, text in rendered.items()}


def objects(values: Mapping[str, Any], **release: str) -> list[Object]:
    """All that would be applied to the cluster."""
    return [one for _, one in named(values, **release)]


def named(values: Mapping[str, Any], **release: str) -> Iterator[tuple[str, Object]]:
    for template, text in texts(values, **release).items():
        if template != "NOTES.txt":
            yield from ((template, one) for one in yaml.load_all(text, yaml.CSafeLoader) if one is not None)


def only(kind: str, values: Mapping[str, Any], **release: str) -> Object:
    """The one object of a kind."""
    (found,) = of(kind, values, **release)
    return found


def of(kind: str, values: Mapping[str, Any], **release: str) -> list[Object]:
    return [one for one in objects(values, **release) if one["kind"] == kind]


def pod(values: Mapping[str, Any], **release: str) -> Object:
    """The pod's spec."""
    return only("DaemonSet", values, **release)["spec"]["template"]["spec"]


def container(values: Mapping[str, Any], **release: str) -> Object:
    (found,) = pod(values, **release)["containers"]
    return found


def settings(values: Mapping[str, Any], **release: str) -> dict[str, Any]:
    """The program's settings file."""
    configmap = next(one for template, one in named(values, **release) if template == "configmap.yaml")
    return yaml.safe_load(configmap["data"]["config.yaml"])
