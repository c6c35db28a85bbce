"""`vip-exporter check`: what a cluster with a VIP requires, each item with a reason and, unless it is met, a remedy.

Exit status 0: nothing fails. 1: something does. What cannot be told from here is said to be so, and fails nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from exporter.cli import looking
from exporter.cli.checklist import checklist
from exporter.cli.output import say
from exporter.config import ArgumentParser
from exporter.look import Look, look
from exporter.publish.findings import Finding, Status
from exporter.publish.records import Record, rfc3339


def main(arguments: Sequence[str]) -> int:
    parser = ArgumentParser(
        prog="vip-exporter check",
        description="Checks what a cluster with a virtual IP requires, and says what to do where it is not so.",
        epilog="exit status: 0 nothing fails, 1 something does, 64 bad input",
    )
    looking.add_arguments(parser)
    given = parser.parse_args(arguments)
    config, intent, vips = looking.read(given)
    seen = look(config, intent, vips=vips)
    asked = [vip for vip in seen.snapshot.vips if not vips or vip.address in vips]
    findings = list(checklist(seen, asked))
    say(json.dumps(_record(seen, findings), indent=2) if given.json else "\n".join(_text(findings)))
    return int(any(finding.status is Status.FAILED for finding in findings))


# --- as text and as JSON ----------------------------------------------------------------------------------------------

_MARKS = {Status.MET: "ok", Status.FAILED: "FAILED", Status.UNKNOWN: "?"}


def _text(findings: Sequence[Finding]) -> Iterator[str]:
    section = None
    for finding in findings:
        if finding.vip != section:
            section = finding.vip
            yield from ([""] if finding is not findings[0] else [])
            yield section or "cluster and this node"
        yield f"  {_MARKS[finding.status]:6}  {finding.requirement:21}  {finding.reason}"
        if finding.remedy and finding.status is not Status.MET:
            yield f"{'':33}{finding.remedy}"
    failed, unknown = (sum(one.status is status for one in findings) for status in (Status.FAILED, Status.UNKNOWN))
    yield ""
    yield (f"{failed} failed" if failed else "nothing fails") + (f", {unknown} cannot be told" if unknown else "")


def _record(seen: Look, findings: Sequence[Finding]) -> Record:
    return {
        "time": rfc3339(seen.clock.to_wall(seen.snapshot.at)),
        "observer": seen.observer,
        "lacking": looking.lacking_record(seen),
        "checks": [
            {
                "requirement": str(finding.requirement),
                "vip": finding.vip,
                "status": str(finding.status),
                "reason": finding.reason,
                "remedy": finding.remedy,
            }
            for finding in findings
        ],
    }
