"""Writes the pictures of all dashboards in all scenarios, and a page that shows them, under build/dashboards/."""

from __future__ import annotations

import html
import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.monitoring.grafana.draw import draw
from tests.monitoring.grafana.seen import Seen
from tests.monitoring.stage import Scenario

REPORT = Path(__file__).parents[3] / "build" / "dashboards"

_PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Dashboards in all scenarios</title>
<style>
body {{ background: #111217; color: #d8d9da; font: 15px sans-serif; margin: 2em; }}
a {{ color: #8ab8ff; }} img {{ width: 100%; max-width: 1680px; border: 1px solid #2c2f36; }}
</style>
<h1>Dashboards in all scenarios</h1>
<p>Drawn from what a real Prometheus answered; the layout is near Grafana's, not Grafana's own.</p>
<ul>{contents}</ul>
{pictures}
"""


def write(seen: Sequence[Seen], directory: Path = REPORT) -> None:
    """Write the report anew."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    contents, pictures = [], []
    for number, one in enumerate(seen):
        name = f"{one.dashboard.uid}-{number % len(Scenario) + 1:02}-{one.scenario.name.lower().replace('_', '-')}.png"
        heading = f"{one.dashboard.title}: {one.scenario}"
        draw(one.dashboard, one.view, one.data, one.marks, heading=str(one.scenario), path=directory / name)
        contents.append(f'<li><a href="#{name}">{html.escape(heading)}</a></li>')
        pictures.append(
            f'<h2 id="{name}">{html.escape(heading)}</h2>\n'
            f'<a href="{name}"><img src="{name}" alt="{html.escape(heading)}" loading="lazy"></a>'
        )
    page = _PAGE.format(contents="\n".join(contents), pictures="\n".join(pictures))
    (directory / "index.html").write_text(page, encoding="utf-8")
