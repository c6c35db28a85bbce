"""Makes what of the chart is made from other files, and the manifests for kubectl, for `make generate`.

Tests hold the files to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from exporter import __version__

HERE = Path(__file__).parent
ROOT = HERE.parent
CHART = HERE / "chart"
MANIFESTS = HERE / "manifests"

NAME = "vip-exporter"
NAMESPACE = "vip-exporter"
"""The one in all manifests and commands."""

_KEY = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z][A-Za-z0-9]*):(?: .*)?")
_MEANING = "# -- "
_OF_HELM = re.compile(r"^ *(?:helm\.sh/chart|app\.kubernetes\.io/managed-by): .*\n", re.MULTILINE)
"""Labels that say that Helm has installed it and will take care of it."""


# --- manifests --------------------------------------------------------------------------------------------------------


def rendered(values: Mapping[str, Any], *, name: str = NAME, namespace: str = NAMESPACE) -> dict[str, str]:
    """What Helm makes of the chart: the text by template, such as "daemonset.yaml", of those that make one.

    Raises:
        helm_python.HelmError: the values will not do; the message says why.
    """
    from helm_python import Chart

    with Chart.load(CHART) as chart:
        texts = chart.render(dict(values), name=name, namespace=namespace)
    return {Path(path).name: text.strip() + "\n" for path, text in texts.items() if text.strip()}


def values_of(file: str) -> dict[str, Any]:
    """A values file beside the chart's own."""
    values: dict[str, Any] = yaml.safe_load((CHART / file).read_text())
    return values


_NAMESPACE = f"""\
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels:
    # The pods have the node's network and NET_RAW, which no lower level permits.
    pod-security.kubernetes.io/enforce: privileged
    pod-security.kubernetes.io/audit: privileged
    pod-security.kubernetes.io/warn: privileged
"""


def harvester() -> str:
    """The text of harvester.yaml."""
    return _manifest("Which node of a Harvester cluster holds the management VIP.", values_of("values-harvester.yaml"))


def kube_vip() -> str:
    """The text of kube-vip.yaml."""
    return _manifest("Which node holds the address of each Service that kube-vip handles.", {})


def _manifest(title: str, values: Mapping[str, Any]) -> str:
    texts = rendered(values)
    order = ("serviceaccount.yaml", "rbac.yaml", "configmap.yaml", "daemonset.yaml")
    assert texts.keys() - {"NOTES.txt"} == set(order), texts.keys()
    return _head(title) + "---\n".join([_NAMESPACE, *(_OF_HELM.sub("", texts[template]) for template in order)])


def podmonitor() -> str:
    """The text of podmonitor.yaml."""
    text = rendered({"podMonitor": {"enabled": True}})["podmonitor.yaml"]
    return _head("Has prometheus-operator scrape the pods of one of the manifests beside it.") + _OF_HELM.sub("", text)


def _head(title: str) -> str:
    return f"# {title}\n# Generated from the chart by `make generate`.\n"


# --- the chart's README -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Value:
    """A documented value of the chart."""

    path: tuple[str, ...]
    default: Any
    meaning: str


def documented() -> Iterator[Value]:
    """The values that have a comment which begins with `# -- `, in the order of the file."""
    text = (CHART / "values.yaml").read_text()
    defaults = yaml.safe_load(text)
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            comment.append(line.lstrip())
            continue
        if match := _KEY.fullmatch(line):
            path[len(match["indent"]) // 2 :] = [match["key"]]
            if comment and comment[0].startswith(_MEANING):
                default = defaults
                for key in path:
                    default = default[key]
                yield Value(
                    tuple(path), default, " ".join(each.removeprefix(_MEANING).lstrip("# ") for each in comment)
                )
        comment = []


_DOCS = "https://github.com/vip-exporter/vip-exporter/blob/main/docs"
_RAW = f"https://raw.githubusercontent.com/vip-exporter/vip-exporter/v{__version__}/deploy/chart"
_OCI = "oci://ghcr.io/vip-exporter/charts/vip-exporter"

_README = f"""\
<!-- Generated from values.yaml by `make generate`. -->

# vip-exporter

Says which node holds a virtual IP of [kube-vip](https://kube-vip.io) or Harvester, who says so, and since when. The
chart runs [vip-exporter](https://github.com/vip-exporter/vip-exporter) on every node, since an address that a node
keeps when it lost the VIP can only be seen there. It needs Kubernetes 1.25 and Helm 3.8, or later ones.

## Install

On Harvester:

    helm install {NAME} {_OCI} --version {__version__} --namespace {NAMESPACE} --create-namespace \\
        --values {_RAW}/values-harvester.yaml

On any other cluster with kube-vip, where it watches every Service that kube-vip handles:

    helm install {NAME} {_OCI} --version {__version__} --namespace {NAMESPACE} --create-namespace

To watch certain Services, and have rights on no other ones, add
`--set services.discover=false,services.watch={{lb/my-service}}`.

Who holds the VIP:

    kubectl -n {NAMESPACE} exec daemonset/{NAME} -- vip-exporter who

From a clone, `deploy/chart` takes the place of `{_OCI}`. Without Helm, the
[manifests](https://github.com/vip-exporter/vip-exporter/tree/main/deploy/manifests) do the same.

## What it may do

The pods have the node's network and the one capability NET_RAW, and can write nothing but the state file. In Kubernetes
they list and watch what [rbac.md]({_DOCS}/rbac.md) says, by name where names are known. Where pod security admission is
in force, only the level `privileged` permits the node's network and NET_RAW:

    kubectl label namespace {NAMESPACE} pod-security.kubernetes.io/enforce=privileged

`nonRoot: true` runs another image as uid 65532, with the same capability, which then comes from the file that is
executed. Choose it where a policy forbids uid 0. A pod that ends with status 77 then has a runtime that gives a process
without uid 0 nothing beforehand, as Docker does: add `--set containerSecurityContext.allowPrivilegeEscalation=true`.
[image.md]({_DOCS}/image.md) has the reasons.

## Settings

Whatever has a consequence in Kubernetes (rights, ports, mounts) is a value of the chart. All other settings of
[configuration.md]({_DOCS}/configuration.md) go into `config`:

```yaml
config:
  capture:
    interface: [mgmt-br]
  services:
    exclude: ["*/internal-*"]
```

A setting that the chart makes itself is refused there, in `extraArgs` and in `extraEnv`. With one that the program does
not know it does not start, the rollout stops at the first node, and the pod's log says which it is.

## Monitoring

With prometheus-operator, add to the command

    --set podMonitor.enabled=true,prometheusRule.enabled=true,dashboards.enabled=true

[monitoring.md]({_DOCS}/monitoring.md) has what the alerts say, and plain Prometheus.

- **kube-prometheus-stack** looks for the name of its own release. If that is `monitoring`, add
  `--set podMonitor.additionalLabels.release=monitoring,prometheusRule.additionalLabels.release=monitoring`.
- **Harvester's rancher-monitoring** is an add-on that is off by default; enable it first. It takes monitors and rules
  with any labels. It looks for dashboards in `cattle-dashboards`, a namespace that the add-on makes and
  values-harvester.yaml names.
- **`podMonitor` or `serviceMonitor`**, never both. Either sets the labels `job`, to `vip-exporter`, and `node` and
  `instance`, to the node's name.
- **The label `namespace`** of the alerts is the release's namespace.
- **`prometheusRule.severity.VIPMoved=warning`** is for whoever must move a floating IP by hand.

## TLS and passwords

[web-config.md]({_DOCS}/web-config.md) has the format. With a certificate of cert-manager, from an issuer that puts its
own into `ca.crt` (one of type CA does, ACME does not):

```yaml
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: vip-exporter
  namespace: {NAMESPACE}
spec:
  secretName: vip-exporter-tls
  dnsNames: [vip-exporter]
  issuerRef: {{kind: ClusterIssuer, name: internal-ca}}
```

with the password for Prometheus, of which `web.config` has the hash, in a Secret beside it

    kubectl -n {NAMESPACE} create secret generic vip-exporter-login \\
        --from-literal=username=prometheus --from-literal=password='…'

and with these values:

```yaml
web:
  tlsSecret: vip-exporter-tls
  config:
    tls_server_config: {{cert_file: tls.crt, key_file: tls.key}}
    basic_auth_users:
      prometheus: $2y$10$RXnmCSPi64yM5OD.0eYM9OQBOAb/XGJSgW5/xAMMqDxPP20a.Ic9u
podMonitor:
  enabled: true
  tlsConfig:
    ca: {{secret: {{name: vip-exporter-tls, key: ca.crt}}}}
    serverName: vip-exporter
  basicAuth:
    username: {{name: vip-exporter-login, key: username}}
    password: {{name: vip-exporter-login, key: password}}
```

Probes follow: over HTTPS, or as a mere connection where client certificates are required, for the kubelet has none.
A new certificate or hash is taken up as it comes. Where users, TLS or client certificates are no longer asked for, the
pods restart, for while it runs the program takes no lock off; with `web.existingSecret`, restart them yourself.

## Who can reach the port

Port 10150 is served at every address of the node. Most network plugins do **not** apply a NetworkPolicy to pods that
have the node's network (Calico and Cilium have policies of their own for hosts), so `networkPolicy.enabled` may change
nothing: try it. What always holds is `listenHost: $(HOST_IP)`, which serves at the node's own address only; TLS and
passwords; and a firewall on the node. 127.0.0.1 is no choice: the kubelet's probes come to the node's address.

## A second release

Releases of one name in different namespaces have roles of their own. But a node has each port once, so the second one
needs another `port`; and dashboards in one namespace can be of one release only.

## Values

| value | default | meaning |
|---|---|---|
"""


def readme() -> str:
    """The text of the chart's README.md."""
    return _README + "".join(
        f"| `{'.'.join(value.path)}` | `{json.dumps(value.default)}` | {value.meaning.replace('|', chr(92) + '|')} |\n"
        for value in documented()
    )


# --- rules and dashboards ---------------------------------------------------------------------------------------------

COPIED = (ROOT / "alerts" / "rules.yaml", *sorted((ROOT / "dashboards").glob("vip-*.json")))
"""What the chart brings along as it is. Helm reads nothing outside of a chart, and not every way to it keeps links."""

GENERATED = {
    **{CHART / "files" / source.name: source.read_text for source in COPIED},
    CHART / "README.md": readme,
    MANIFESTS / "harvester.yaml": harvester,
    MANIFESTS / "kube-vip.yaml": kube_vip,
    MANIFESTS / "podmonitor.yaml": podmonitor,
}
