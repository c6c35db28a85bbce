"""One lab and one browser for all tests; in none of them may anything go wrong in a page, or be asked of others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import Tabs, chromium
from tests.browser.examined import Album
from tests.browser.stage import Stage, stage


@pytest.fixture(scope="package")
def scene() -> Iterator[Stage]:
    with stage() as built:
        yield built


@pytest.fixture(scope="package")
def browser(scene: Stage) -> Iterator[Browser]:
    with chromium(namespace=scene.lab.network.observer.namespace, directory=scene.lab.directory) as browser:
        yield browser


@pytest.fixture
def tabs(browser: Browser) -> Iterator[Tabs]:
    """Whatever a test is about: no error or warning in the console, no dialog, no request to anybody else."""
    tabs = Tabs(browser)
    yield tabs
    tabs.close()
    assert tabs.problems == []


@pytest.fixture(scope="package")
def album() -> Iterator[Album]:
    """Pictures of all situations: build/page/index.html."""
    album = Album()
    yield album
    album.write()
