"""Each alert has a runbook that says what it must, and no runbook is without an alert."""

from __future__ import annotations

import re

import pytest

from tests.alerts.expected import KINDS
from tests.alerts.promtool import ROOT

RUNBOOKS = ROOT / "docs" / "runbooks"
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Remedy", "False positives"]


@pytest.mark.parametrize("name", KINDS)
def test_each_alert_has_a_runbook_with_all_sections(name) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text()
    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == SECTIONS
    parts = re.split(r"^## .+$", text, flags=re.MULTILINE)[1:]
    assert all(part.strip() for part in parts)
    assert re.search(r"^ {4}\S|^```", parts[SECTIONS.index("Diagnosis")], flags=re.MULTILINE), "no command"


def test_no_runbook_is_of_an_alert_that_is_gone() -> None:
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README", "index"}
    assert pages == set(KINDS)
