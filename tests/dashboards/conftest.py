"""The package that builds the dashboards recommends the schema of Grafana 12, which no Grafana 9 can read."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "ignore:Prefer using dashboardv2:DeprecationWarning")
