"""A running server with content that the test may replace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exporter.publish.web.server import WebServer
from tests.publish.web.certificates import Authority
from tests.publish.web.kit import App


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def server(app: App) -> Iterator[WebServer]:
    running = app.server()
    running.start()
    yield running
    running.stop()
