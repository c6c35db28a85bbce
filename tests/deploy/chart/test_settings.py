"""The program takes the settings, flags and variables that the chart gives it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.config import Config, ConfigError
from tests.deploy.chart.charts import DEFAULT, EVERYTHING, HARVESTER, SET_UPS, nested, of
from tests.deploy.chart.program import given
from tests.publish.web.certificates import Authority, Pair


def put_front_door(values: dict[str, Any], folder: Path) -> None:
    """What is mounted from the Secret of the values, and a certificate as another one has it."""
    web = folder / "web"
    web.mkdir()
    for secret in of("Secret", values):
        for name, text in secret["stringData"].items():
            (web / name).write_text(text)
    pair = Authority(folder).issue("vip-exporter")
    pair.copy_to(Pair(web / "tls.crt", web / "tls.key"))


@pytest.mark.parametrize("set_up", SET_UPS)
def test_the_program_accepts_what_it_is_given(set_up: str, tmp_path: Path) -> None:
    if set_up == "everything":
        put_front_door(EVERYTHING, tmp_path)
    found = given(SET_UPS[set_up], tmp_path)
    result = subprocess.run(
        [sys.executable, "-m", "exporter", *found.args, "--config.check"],
        env={"PATH": os.environ["PATH"], **found.env},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, result.stderr, result.stdout) == (0, "", "the configuration is good\n")


def test_what_it_does_not_know_it_names(tmp_path: Path) -> None:
    """So the test above would find a slip."""
    with pytest.raises(ConfigError, match=r"log\.levle: unknown key"):
        given({"config": {"log": {"levle": "debug"}}}, tmp_path).config()


def test_the_defaults_watch_all_that_kube_vip_handles(tmp_path: Path) -> None:
    config = given(DEFAULT, tmp_path).config()
    assert config.services_discover
    assert list(map(str, config.lease_services)) == ["kube-system/plndr-svcs-lock"]
    assert list(map(str, config.kube_vip_daemonset)) == ["kube-system/kube-vip-ds", "kube-system/kube-vip"]
    assert config.harvester_configmap is None
    assert config.control_plane_address == ()
    assert config.state_path == Path("/var/lib/vip-exporter/state.db")
    assert config.web_config_file is None
    assert [str(address) for address in config.web_listen_address] == [":10150"]
    assert config.observer_name == "node-1"


def test_in_harvester_the_services_leases_and_names_are_those_of_the_program(tmp_path: Path) -> None:
    """Less the places where others than Harvester have Leases and DaemonSets."""
    config, plain = given(HARVESTER, tmp_path).config(), Config()
    assert not config.services_discover
    assert config.services_watch == plain.services_watch
    assert config.harvester_configmap == plain.harvester_configmap
    in_harvester = [ref for ref in plain.lease_services if ref.namespace == "harvester-system"]
    assert list(config.lease_services) == in_harvester
    assert list(config.kube_vip_daemonset) == [
        ref for ref in plain.kube_vip_daemonset if ref.namespace == "harvester-system"
    ]


def test_everything_arrives(tmp_path: Path) -> None:
    config = given(EVERYTHING, tmp_path).config()
    assert list(map(str, config.services_watch)) == ["lb/web", "lb/mail"]
    assert list(map(str, config.control_plane_address)) == ["192.0.2.10", "2001:db8::10"]
    assert str(config.control_plane_lease) == "kube-system/plndr-cp-lock"
    assert config.capture_interface == ("mgmt-br",)
    assert config.log_level == "debug"
    assert config.vip_period == 3_000_000_000
    assert config.web_config_file == tmp_path / "web" / "web.yaml"
    assert [str(address) for address in config.web_listen_address] == ["192.0.2.11:10150"]


def test_without_services_none_is_watched(tmp_path: Path) -> None:
    """And not those that are the program's default."""
    values = nested({"services.discover": False, "controlPlane.addresses": ["192.0.2.10"]})
    config = given(values, tmp_path).config()
    assert (config.services_watch, config.services_discover) == ((), False)


def test_a_node_of_ipv6_serves_at_its_own_address(tmp_path: Path) -> None:
    config = given({"listenHost": "[$(HOST_IP)]"}, tmp_path, host_ip="2001:db8::11").config()
    assert [str(address) for address in config.web_listen_address] == ["[2001:db8::11]:10150"]


def test_settings_of_the_user_stand_beside_those_of_the_chart(tmp_path: Path) -> None:
    found = given({"config": {"services": {"exclude": ["*/internal-*"]}, "web": {"enable-lifecycle": True}}}, tmp_path)
    config = found.config()
    assert config.services_exclude == ("*/internal-*",)
    assert config.services_discover
    assert config.web_enable_lifecycle
    assert yaml.safe_load(found.file.read_text())["services"] == {"discover": True, "exclude": ["*/internal-*"]}
