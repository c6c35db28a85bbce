"""One play of all scenarios, watched by Prometheus twice: with the rules as they are, and with times scaled down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.observers import ALL, VIP, observers
from tests.monitoring.grafana.seen import DASHBOARDS, Pictures, look
from tests.monitoring.grafana.view import View
from tests.monitoring.management import management, target
from tests.monitoring.scaled import ALERTMANAGER, RULES, quick_alertmanager, scaled_rules
from tests.monitoring.scenarios import RELIST, STALE, play
from tests.monitoring.servers import Alertmanager, Prometheus
from tests.monitoring.stage import Move, Scenario, Span, Stage
from tests.monitoring.webhook import Webhook

SHORTEST_VIEW = 60.0
"""Seconds that a dashboard shows at least."""


@dataclass(frozen=True, slots=True)
class Played:
    """What has been played, and the servers that watched; they go on running."""

    namespace: str
    """The servers'."""
    prometheus: Prometheus
    alerting: Prometheus
    """With times scaled down, and the Alertmanager."""
    alertmanager: Alertmanager
    webhook: Webhook
    spans: Mapping[Scenario, Span]
    moves: tuple[Move, ...]

    def view(self, scenario: Scenario) -> View:
        """A dashboard as somebody sees it at the end of a scenario's effect, from the beginning of the play on."""
        end = round(self.spans[scenario].end, 3)  # Prometheus knows milliseconds
        start = min(self.spans[Scenario.QUIET].begun - 5, end - SHORTEST_VIEW)
        # As the dashboards choose by themselves: all jobs and instances.
        return View(self.prometheus, round(start), end, {"job": ".+", "instance": ".+", "vip": str(VIP)})


@contextmanager
def watched(directory: Path) -> Iterator[Played]:
    """Build the lab, play, and keep everything until the end."""
    with ExitStack() as parts:
        arguments = ("--services.relist-interval", f"{RELIST:.0f}s", "--intent.stale-after", f"{STALE:.0f}s")
        running = parts.enter_context(observers(arguments=arguments))
        network = running.lab.network
        namespace = parts.enter_context(management(network))
        targets = [target(network.hosts[name]) for name in ALL]
        webhook = parts.enter_context(Webhook(namespace))
        config, rules = directory / "alertmanager.yaml", directory / "rules.yaml"
        config.write_text(quick_alertmanager(ALERTMANAGER.read_text("utf-8"), webhook.url), "utf-8")
        rules.write_text(scaled_rules(RULES.read_text("utf-8")), "utf-8")
        alertmanager = parts.enter_context(
            Alertmanager(namespace=namespace, directory=directory / "alertmanager", config=config)
        )
        prometheus = parts.enter_context(
            Prometheus(namespace=namespace, directory=directory / "prometheus", targets=targets, rules=[RULES])
        )
        alerting = parts.enter_context(
            Prometheus(
                namespace=namespace,
                directory=directory / "alerting",
                port=9091,
                targets=targets,
                rules=[rules],
                alertmanager=alertmanager.address,
            )
        )
        for server in (prometheus, alerting):
            server.wait_until_scraped()
        stage = Stage(running)
        play(stage)
        yield Played(namespace, prometheus, alerting, alertmanager, webhook, stage.spans, tuple(stage.moves))


@pytest.fixture(scope="package")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with watched(tmp_path_factory.mktemp("monitoring")) as result:
        yield result


@pytest.fixture(scope="package")
def seen(played: Played) -> Pictures:
    """Each dashboard at the end of each scenario."""
    return {
        (uid, scenario): look(dashboard, scenario, played.view(scenario))
        for uid, dashboard in DASHBOARDS.items()
        for scenario in Scenario
    }
