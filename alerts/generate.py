"""Makes what prometheus-operator reads of the plain files, for `make generate`. A test holds them to it.

It changes no rule: whoever reads the one reads the other.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
RULES = HERE / "rules.yaml"
ALERTMANAGER = HERE / "alertmanager.yaml"

NAME = "vip-exporter"
NAMESPACE = "vip-exporter"
"""The one that the exporter runs in; the alerts' label `namespace` is the same."""

_HEAD = "# Generated from {source} by `make generate`.\n"
_MATCHER = re.compile(r'(?P<name>\w+) *(?P<type>=~|!~|!=|=) *"(?P<value>[^"]*)"')


def prometheus_rule() -> str:
    """The text of prometheusrule.yaml."""
    return _resource(
        api_version="monitoring.coreos.com/v1",
        kind="PrometheusRule",
        spec=_read(RULES),
        source=RULES,
    )


def alertmanager_config() -> str:
    """The text of alertmanagerconfig.yaml."""
    config = _read(ALERTMANAGER)
    return _resource(
        api_version="monitoring.coreos.com/v1alpha1",
        kind="AlertmanagerConfig",
        spec={
            "route": _route(config["route"]),
            "receivers": [
                {"name": receiver["name"], "webhookConfigs": receiver["webhook_configs"]}
                for receiver in config["receivers"]
            ],
            "inhibitRules": [
                {
                    "sourceMatch": _matchers(rule["source_matchers"]),
                    "targetMatch": _matchers(rule["target_matchers"]),
                    "equal": rule["equal"],
                }
                for rule in config["inhibit_rules"]
            ],
        },
        source=ALERTMANAGER,
    )


def _route(route: dict[str, Any]) -> dict[str, Any]:
    camel = {re.sub("_(.)", lambda letter: letter[1].upper(), key): value for key, value in route.items()}
    if "matchers" in route:
        camel["matchers"] = _matchers(route["matchers"])
    if "routes" in route:
        camel["routes"] = [_route(child) for child in route["routes"]]
    return camel


def _matchers(matchers: list[str]) -> list[dict[str, str]]:
    """As the resource has them.

    Raises:
        ValueError: one is not of the form `name = "value"`.
    """
    found = []
    for matcher in matchers:
        if (match := _MATCHER.fullmatch(matcher)) is None:
            raise ValueError(f"{ALERTMANAGER.name}: not a matcher: {matcher}")
        found.append({"name": match["name"], "matchType": match["type"], "value": match["value"]})
    return found


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content


def _resource(*, api_version: str, kind: str, spec: dict[str, Any], source: Path) -> str:
    resource = {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/name": NAME}},
        "spec": spec,
    }
    text = yaml.dump(resource, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    return _HEAD.format(source=source.name) + text


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, and no anchors: not everything that reads such a file knows them."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)

GENERATED = {HERE / "prometheusrule.yaml": prometheus_rule, HERE / "alertmanagerconfig.yaml": alertmanager_config}
