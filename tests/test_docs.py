"""The documentation is true: generated pages are fresh, links lead somewhere, what is quoted exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.generate import GENERATED
from exporter.cli import COMMANDS
from exporter.config import SETTINGS
from exporter.publish.catalogue import CATALOGUE
from exporter.vip.model import EventName, State
from exporter.wire.decode import IgnoreReason

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "deploy").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.name)
def test_generated_pages_are_fresh(path: Path) -> None:
    """`make generate` was run after the last change of what they are made from."""
    assert path.read_text() == GENERATED[path]()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_is_quoted_exists(page: Path) -> None:
    """Metrics, flags and events named in the text are real ones."""
    text = page.read_text()
    metrics = {metric.name for metric in CATALOGUE}
    with_suffixes = metrics | {f"{name}_{part}" for name in metrics for part in ("bucket", "sum", "count")}
    labels = {label for metric in CATALOGUE for label in metric.labels}
    quoted = set(re.findall(r"`(vip_[a-z0-9_]+?)(?:\{[^`]*)?`", text)) - {str(name) for name in EventName} - labels
    assert {name for name in quoted if not name.endswith("_")} <= with_suffixes
    flags = set(re.findall(r"--([a-z]+(?:\.[a-z-]+)+)", text))
    assert flags <= {setting.key for setting in SETTINGS} | {"config.check"}


def test_decisions_name_every_state_event_and_reason() -> None:
    text = (ROOT / "docs" / "decisions.md").read_text()
    for word in (*State, *EventName):
        assert f"`{word}`" in text, word
    reasons = (ROOT / "docs" / "capture.md").read_text()
    for reason in IgnoreReason:
        assert f"`{reason}`" in reasons, reason


def test_the_readme_names_every_command() -> None:
    text = (ROOT / "README.md").read_text()
    assert all(f"vip-exporter {command}" in text for command in COMMANDS)
