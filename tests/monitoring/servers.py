"""Debian's Prometheus and Alertmanager, as `make test` unpacks them: configured, run and asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.request import Request

import yaml
from prometheus_client.parser import text_string_to_metric_families

from exporter.lab.network import inside
from tests.debian import UNPACKED, program
from tests.monitoring.process import READY_SECONDS, Server, ServerError, fetch, wait_until

JOB = "vip-exporter"


@dataclass(frozen=True, slots=True)
class Target:
    """What Prometheus scrapes, as one target."""

    address: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gave: its result, and whatever Prometheus had to say against it."""

    result: list[dict[str, Any]]
    complaints: tuple[str, ...] = ()
    """Errors and warnings."""


class Prometheus(Server):
    """Scrapes and evaluates every second.

    Args:
        targets: of the job `vip-exporter`.
        rules: rule files.
        alertmanager: where alerts are sent, as host:port; empty: nowhere.
        scrape: what else the scrape configuration says, such as `scheme` and `basic_auth`.
    """

    name = "prometheus"
    port = 9090

    def __init__(
        self,
        *,
        targets: Sequence[Target],
        rules: Sequence[Path] = (),
        alertmanager: str = "",
        scrape: Mapping[str, Any] = MappingProxyType({}),
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._targets = tuple(targets)
        self._rules = tuple(rules)
        self._alertmanager = alertmanager
        self._scrape = dict(scrape)

    def command(self) -> list[str]:
        config = self.directory / "prometheus.yaml"
        config.write_text(yaml.safe_dump(self._config()), encoding="utf-8")
        return [
            str(program("prometheus")),
            f"--config.file={config}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]

    def _config(self) -> dict[str, Any]:
        static = [{"targets": [target.address], "labels": dict(target.labels)} for target in self._targets]
        config: dict[str, Any] = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "scrape_configs": [{"job_name": JOB, "static_configs": static, **self._scrape}],
            "rule_files": [str(path) for path in self._rules],
        }
        if self._alertmanager:
            config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [self._alertmanager]}]}]}
        return config

    def query(self, expression: str, *, at: float | None = None) -> Answer:
        """An instant vector, a scalar or a string, at a time (now unless told)."""
        asked = [("query", expression)] + ([("time", f"{at:.3f}")] if at is not None else [])
        return self._ask("/api/v1/query", asked)

    def query_range(self, expression: str, *, start: float, end: float, step: float) -> Answer:
        """A range, in seconds since 1970."""
        asked = [("query", expression), ("start", f"{start:.3f}"), ("end", f"{end:.3f}"), ("step", f"{step:.3f}")]
        return self._ask("/api/v1/query_range", asked)

    def label_values(self, label: str, *, match: str = "", start: float, end: float) -> list[str]:
        """As Grafana asks for the values of a variable."""
        asked = [("start", f"{start:.3f}"), ("end", f"{end:.3f}")] + ([("match[]", match)] if match else [])
        answer = self.get(f"/api/v1/label/{label}/values", asked)
        if answer.get("status") != "success" or answer.get("warnings"):
            raise ServerError(f"label_values({match}, {label}): {answer}")
        return [str(value) for value in answer["data"]]

    def targets_up(self) -> dict[str, bool]:
        """Whether each target answered at the last scrape, by its instance."""
        active = self.get("/api/v1/targets")["data"]["activeTargets"]
        return {target["labels"]["instance"]: target["health"] == "up" for target in active}

    def wait_until_scraped(self, *, within: float = READY_SECONDS) -> None:
        """Wait until every target has answered."""

        def scraped() -> bool:
            up = self.targets_up()
            return len(up) == len(self._targets) and all(up.values())

        wait_until(scraped, within=within, otherwise=lambda: f"targets {self.targets_up()}\n{self.last_words()}")

    def rules(self) -> list[dict[str, Any]]:
        """All rules, with their health and last error."""
        groups = self.get("/api/v1/rules")["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def evaluations(self) -> tuple[float, float]:
        """How many of rules there have been since it started, and how many of them failed."""
        status, page = inside(self.namespace, lambda: fetch(f"{self.url}/metrics"))
        if status != 200:
            raise ServerError(f"/metrics: {status}\n{self.last_words()}")
        samples = [sample for family in text_string_to_metric_families(page.decode()) for sample in family.samples]
        names = ("prometheus_rule_evaluations_total", "prometheus_rule_evaluation_failures_total")
        every, failed = ([sample.value for sample in samples if sample.name == name] for name in names)
        if not every or len(every) != len(failed):
            raise ServerError(f"{names} of {len(every)} and {len(failed)} groups")
        return sum(every), sum(failed)

    def _ask(self, path: str, parameters: Sequence[tuple[str, str]]) -> Answer:
        answer = self.get(path, parameters)
        if answer.get("status") != "success":
            return Answer([], (f"{answer.get('errorType')}: {answer.get('error')}",))
        data = answer["data"]
        result = data["result"]
        if data["resultType"] in ("scalar", "string"):
            result = [{"metric": {}, "value": result}]
        return Answer(result, tuple(answer.get("warnings", ())))


class Alertmanager(Server):
    """Alone, in no cluster.

    Args:
        config: its configuration file.
    """

    name = "alertmanager"
    port = 9093

    def __init__(self, *, config: Path, **options: Any) -> None:
        super().__init__(**options)
        self._config = config

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [
            # Debian's looks for its templates there. What `ip netns exec` runs has mounts of its own.
            *("sh", "-c", 'mount --bind "$0" /usr/share && exec "$@"', str(UNPACKED / "usr" / "share")),
            str(program("prometheus-alertmanager")),
            f"--config.file={self._config}",
            f"--storage.path={self.directory / 'data'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
        ]

    def send(self, *labels: Mapping[str, str]) -> None:
        """Alerts with these labels begin now, and go on until told otherwise."""
        body = json.dumps([{"labels": dict(each)} for each in labels]).encode()
        request = Request(f"{self.url}/api/v2/alerts", body, {"Content-Type": "application/json"})
        status, answer = inside(self.namespace, lambda: fetch(request))
        if status != 200:
            raise ServerError(f"{status} {answer!r}\n{self.last_words()}")

    def alerts(self) -> list[dict[str, Any]]:
        """All that it knows, with their status."""
        found: list[dict[str, Any]] = self.get("/api/v2/alerts")
        return found
