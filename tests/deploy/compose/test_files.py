"""What can be said of the compose file and of what it mounts without running it. Grafana cannot be had here at all."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from exporter import __version__
from exporter.cluster.intent_file import read_intent_file
from tests.deploy.compose.container import COMPOSE, FILE, HERE, ROOT, SERVICES, mounts

STYLE = "{extends: default, rules: {line-length: {max: 120}, document-start: disable}}"
LOOPBACK = "127.0.0.1"
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)")

# https://grafana.com/docs/grafana/v12.4/administration/provisioning/
DATA_SOURCE = {
    *("name", "type", "access", "orgId", "uid", "url", "user", "database", "basicAuth", "basicAuthUser"),
    *("withCredentials", "isDefault", "jsonData", "secureJsonData", "version", "editable"),
}
PROMETHEUS = {
    *("httpMethod", "manageAlerts", "prometheusType", "prometheusVersion", "cacheLevel", "timeInterval"),
    *("incrementalQuerying", "incrementalQueryOverlapWindow", "disableRecordingRules", "exemplarTraceIdDestinations"),
    *("customQueryParameters", "queryTimeout", "disableMetricsLookup", "defaultEditor", "allowAsRecordingRulesTarget"),
}
PROVIDER = {
    *("name", "orgId", "folder", "folderUid", "type", "disableDeletion", "updateIntervalSeconds", "allowUiUpdates"),
    "options",
}
PROVIDER_OPTIONS = {"path", "foldersFromFilesStructure"}
# https://grafana.com/docs/grafana/v12.4/setup-grafana/configure-grafana/, as GF_<SECTION>_<KEY>
SETTINGS = {
    "GF_SERVER_HTTP_ADDR": LOOPBACK,
    "GF_AUTH_ANONYMOUS_ENABLED": "true",
    "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
    "GF_AUTH_DISABLE_LOGIN_FORM": "true",
    "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION": "true",
    "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": "/etc/vip-exporter/dashboards/vip-overview.json",
    "GF_ANALYTICS_REPORTING_ENABLED": "false",
    "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
    "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
}


def read(path: str) -> dict:
    return yaml.safe_load((HERE / path).read_text())


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """A program of the development environment."""
    name, *arguments = map(str, command)
    program = Path(sys.executable).with_name(name)
    return subprocess.run([program, *arguments], text=True, capture_output=True, timeout=60, check=False)


def uncommented(text: str) -> str:
    """With the settings in force that stand behind a comment sign; what else does is prose."""
    return re.sub(r"^# (?=(nodes|capture|kubernetes):|  (- |interface:|kubeconfig:))", "", text, flags=re.MULTILINE)


def on_host(service: str, path: str) -> Path:
    """The file of this repository that a service sees at a path."""
    (mount,) = (mount for mount in mounts(service) if mount.source and Path(path).is_relative_to(mount.target))
    assert mount.source is not None
    return mount.source / Path(path).relative_to(mount.target)


def flags(service: str) -> dict[str, str]:
    return dict(argument.removeprefix("--").split("=", 1) for argument in SERVICES[service]["command"])


# --- the compose file ---------------------------------------------------------------------------------------------


def test_the_file_is_a_compose_file() -> None:
    done = run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", FILE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_yaml_file_is_tidy() -> None:
    done = run("yamllint", "--strict", "--config-data", STYLE, HERE)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_from_the_repository_exists_and_is_read_only(name) -> None:
    for mount in mounts(name):
        if mount.source:
            assert mount.source.exists()
            assert mount.read_only


def test_each_service_keeps_what_it_has_in_a_volume_of_its_own() -> None:
    named = [mount.name for name in SERVICES for mount in mounts(name) if not mount.source]
    assert named == list(SERVICES)
    assert list(COMPOSE["volumes"]) == named


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_to_a_version(name) -> None:
    assert re.fullmatch(r"[a-z.]+/[a-z-]+/[a-z-]+:v?\d+\.\d+\.\d+", SERVICES[name]["image"])


def test_the_exporters_image_is_that_of_this_version() -> None:
    assert SERVICES["vip-exporter"]["image"] == f"ghcr.io/vip-exporter/vip-exporter:{__version__}"
    assert (HERE / SERVICES["vip-exporter"]["build"]).resolve() == ROOT


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_confined(name) -> None:
    """Grafana's root is the exception: it was never tried read-only."""
    service = SERVICES[name]
    assert service["network_mode"] == "host"
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["NET_RAW"] if name == "vip-exporter" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("read_only", False) is (name != "grafana")
    assert not service.keys() & {"privileged", "pid", "ipc", "devices", "ports", "user", "userns_mode", "secrets"}


def test_the_exporter_has_the_rights_that_it_has_in_kubernetes() -> None:
    documents = yaml.safe_load_all((ROOT / "deploy" / "manifests" / "kube-vip.yaml").read_text())
    (pods,) = (each["spec"]["template"]["spec"] for each in documents if each["kind"] == "DaemonSet")
    (container,) = pods["containers"]
    service, there = SERVICES["vip-exporter"], container["securityContext"]
    assert {"drop": service["cap_drop"], "add": service["cap_add"]} == there["capabilities"]
    assert service["read_only"] is there["readOnlyRootFilesystem"]
    assert ("no-new-privileges:true" in service["security_opt"]) is not there["allowPrivilegeEscalation"]
    assert (service["network_mode"] == "host") is pods["hostNetwork"]
    assert there["runAsUser"] == 0  # which is the image's default
    assert service["image"] == container["image"]


def test_everything_listens_on_loopback_only() -> None:
    """Those that can be run here are also seen to, in test_stack.py; Grafana cannot."""
    assert flags("prometheus")["web.listen-address"] == f"{LOOPBACK}:9090"
    assert flags("alertmanager")["web.listen-address"] == f"{LOOPBACK}:9093"
    assert flags("alertmanager")["cluster.listen-address"] == ""
    assert read("vip-exporter/config.yaml")["web"] == {"listen-address": f"{LOOPBACK}:10150"}
    assert SERVICES["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == LOOPBACK


# --- the exporter's files -----------------------------------------------------------------------------------------


def test_the_settings_name_what_is_mounted() -> None:
    settings = read("vip-exporter/config.yaml")
    assert on_host("vip-exporter", SERVICES["vip-exporter"]["environment"]["VIP_EXPORTER_CONFIG_FILE"]).exists()
    assert on_host("vip-exporter", settings["intent"]["file"]).exists()
    (volume,) = (mount for mount in mounts("vip-exporter") if not mount.source)
    assert Path(settings["state"]["path"]).parent == Path(volume.target)


def test_what_is_commented_out_of_the_settings_is_good_as_well(tmp_path) -> None:
    text = (HERE / "vip-exporter" / "config.yaml").read_text()
    path = tmp_path / "config.yaml"
    path.write_text(uncommented(text.replace("intent:\n  file: /etc/vip-exporter/vips.yaml\n", "")))
    assert yaml.safe_load(path.read_text()).keys() - read("vip-exporter/config.yaml").keys() == {
        "capture",
        "kubernetes",
    }
    done = run("vip-exporter", "--config.check", f"--config.file={path}")
    assert done.returncode == 0, done.stderr


def test_what_is_commented_out_of_the_intent_file_is_good_as_well(tmp_path) -> None:
    path = tmp_path / "vips.yaml"
    path.write_text(uncommented((HERE / "vip-exporter" / "vips.yaml").read_text()))
    assert [node.name for node in read_intent_file(path).nodes] == ["node-1", "node-2"]


# --- Alertmanager's -----------------------------------------------------------------------------------------------


def test_alertmanager_inhibits_and_groups_as_the_sample_does_and_tells_nobody() -> None:
    ours, sample = (
        read("alertmanager/alertmanager.yml"),
        yaml.safe_load((ROOT / "alerts/alertmanager.yaml").read_text()),
    )
    assert ours["inhibit_rules"] == sample["inhibit_rules"]
    assert ours["route"] | {"receiver": None} == {k: v for k, v in sample["route"].items() if k != "routes"} | {
        "receiver": None
    }
    assert ours["receivers"] == [{"name": ours["route"]["receiver"]}]


# --- Grafana's ----------------------------------------------------------------------------------------------------


def test_grafanas_settings_are_those_that_were_looked_up() -> None:
    """No password among them, and nobody who could have one."""
    assert SERVICES["grafana"]["environment"] == SETTINGS


def test_the_data_source_is_the_prometheus_of_the_stack() -> None:
    provisioned = yaml.safe_load(
        on_host("grafana", "/etc/grafana/provisioning/datasources/prometheus.yaml").read_text()
    )
    assert provisioned.keys() == {"apiVersion", "datasources"}
    assert provisioned["apiVersion"] == 1
    (source,) = provisioned["datasources"]
    assert source.keys() <= DATA_SOURCE
    assert source["jsonData"].keys() <= PROMETHEUS
    assert source["url"] == f"http://{flags('prometheus')['web.listen-address']}"
    assert source["access"] == "proxy"
    (job,) = read("prometheus/prometheus.yml")["scrape_configs"]
    assert source["jsonData"]["timeInterval"] == job["scrape_interval"]


@pytest.mark.parametrize("name", ["vip-overview", "vip-detail"])
def test_the_dashboards_choose_that_data_source(name) -> None:
    """Their variable takes the default one of its type."""
    (source,) = read("grafana/datasources/prometheus.yaml")["datasources"]
    (provider,) = read("grafana/dashboards/vip-exporter.yaml")["providers"]
    dashboard = json.loads(on_host("grafana", f"{provider['options']['path']}/{name}.json").read_text())
    variable = dashboard["templating"]["list"][0]
    assert (variable["type"], variable["query"]) == ("datasource", source["type"])
    assert variable["current"]["value"] == "default"
    assert source["isDefault"] is True


def test_the_dashboards_are_provided_from_where_they_are_mounted() -> None:
    path = on_host("grafana", "/etc/grafana/provisioning/dashboards/vip-exporter.yaml")
    provisioned = yaml.safe_load(path.read_text())
    assert provisioned.keys() == {"apiVersion", "providers"}
    assert provisioned["apiVersion"] == 1
    (provider,) = provisioned["providers"]
    assert provider.keys() <= PROVIDER
    assert provider["type"] == "file"
    assert provider["options"].keys() <= PROVIDER_OPTIONS
    provided = on_host("grafana", provider["options"]["path"])
    assert sorted(path.name for path in provided.rglob("*.json")) == ["vip-detail.json", "vip-overview.json"]
    assert on_host("grafana", SETTINGS["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).parent == provided


# --- the README ---------------------------------------------------------------------------------------------------


def test_the_readme_tells_of_every_service_address_and_file_to_edit() -> None:
    text = (HERE / "README.md").read_text()
    for address in (
        "http://127.0.0.1:3000",
        "http://127.0.0.1:9090",
        "http://127.0.0.1:9093",
        "http://127.0.0.1:10150",
    ):
        assert address in text
    for path in ("vip-exporter/vips.yaml", "vip-exporter/config.yaml", "prometheus/targets/exporters.yaml"):
        assert path in text
        assert (HERE / path).exists()
    assert [target for target in LINK.findall(text) if not (HERE / target).exists()] == []
    services = re.findall(r"docker compose (?:exec|restart|kill --signal HUP) ([a-z-]+)", text)
    assert services
    assert set(services) <= SERVICES.keys()
