"""Makes the references of the code; run (`make generate`), it writes all that is made. Tests hold the files to it."""

from __future__ import annotations

from pathlib import Path

from exporter.config import reference
from exporter.publish.catalogue import CATALOGUE, EXPORTER_METRICS, FLEET_METRICS, VIP_METRICS, Metric

HERE = Path(__file__).parent

METRICS_HEAD = f"""# Metrics

{len(CATALOGUE)} metrics. Names and labels that are `stable` change only with a major version. Both exposition formats
are served, text and OpenMetrics; there are no `_created` series. This page is generated from
`exporter/publish/catalogue.py`.

## How to read them

- `vip` is the address in canonical form, `mac` lower-case with colons. `holder` and `observer` are node names. An empty
  `holder` means that the MAC is known and its node is not; an empty `mac`, that the source knows none.
- Counters, the histograms, every state and every mismatch check exist from the start at 0. What has nothing to say yet
  is absent: holders, timestamps before the first time, requirements that nothing is known of.
- A VIP that is gone leaves no series behind.
- Several exporters hear the same broadcasts, not always all of them. Over observers, take the increase of a counter
  per series first and then the maximum; the minimum of requirements; for the states `silent` and `unknown` the
  majority; the maximum of the other states and of mismatches. Never join on a raw `_info` series of several observers.
- A VIP of one Service has at most 52 series while one MAC claims it and every source speaks; others add up to 15.
  With `--metrics.detail=summary` it has at most 12, of the metrics marked *summary* below: its present state and its
  present mismatches only.
"""


def metrics_reference() -> str:
    """The text of docs/metrics.md."""
    parts = [METRICS_HEAD]
    for title, metrics in (
        ("For each VIP", VIP_METRICS),
        ("Over all VIPs", FLEET_METRICS),
        ("The exporter itself", EXPORTER_METRICS),
    ):
        rows = "\n".join(_row(metric) for metric in metrics)
        parts.append(f"## {title}\n\n| metric | type | labels | meaning | stage |\n|---|---|---|---|---|\n{rows}\n")
    return "\n".join(parts)


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "-"
    summary = " *summary*" if metric.summary else ""
    return f"| `{metric.name}` | {metric.type} | {labels} | {metric.help}{summary} | {metric.stage} |"


GENERATED = {HERE / "metrics.md": metrics_reference, HERE / "configuration.md": reference}

if __name__ == "__main__":
    from alerts.generate import GENERATED as RESOURCES
    from dashboards.generate import GENERATED as DASHBOARDS
    from deploy.generate import GENERATED as DEPLOYMENT
    from release.licences import GENERATED as LICENCES

    for path, make in (GENERATED | RESOURCES | DASHBOARDS | DEPLOYMENT | LICENCES).items():
        path.write_text(make())
        print(f"wrote {path.relative_to(HERE.parent)}")
