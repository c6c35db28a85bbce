"""What the container's program is started with, as it would find it on a node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.config import Config, load
from tests.deploy.chart.charts import container, of

MOUNTED = "/etc/vip-exporter"


@dataclass(frozen=True)
class Given:
    args: list[str]
    env: dict[str, str]
    file: Path
    """The settings file."""

    def config(self) -> Config:
        """As the program reads it."""
        assert self.args[0] == "run"
        return load(self.args[1:], self.env)


def given(values: Mapping[str, Any], folder: Path, *, node: str = "node-1", host_ip: str = "192.0.2.11") -> Given:
    """Writes the settings into a folder that takes the place of /etc/vip-exporter."""
    (data,) = (one["data"] for one in of("ConfigMap", values) if "config.yaml" in one["data"])
    file = folder / "config.yaml"
    file.write_text(data["config.yaml"].replace(MOUNTED, str(folder)))
    started = container(values)
    (mount,) = (each for each in started["volumeMounts"] if each["name"] == "config")
    assert (mount["mountPath"], mount["subPath"]) == (f"{MOUNTED}/config.yaml", "config.yaml")
    fields = {"spec.nodeName": node, "status.hostIP": host_ip}
    env = {
        each["name"]: each["value"] if "value" in each else fields[each["valueFrom"]["fieldRef"]["fieldPath"]]
        for each in started["env"]
    }
    args = started["args"]
    for name, value in env.items():
        args = [argument.replace(f"$({name})", value) for argument in args]
    return Given(args, {name: value.replace(MOUNTED, str(folder)) for name, value in env.items()}, file)
