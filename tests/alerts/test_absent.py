"""VIPExporterAbsent: no exporter is there at all."""

from __future__ import annotations

from tests.alerts.expected import expectation
from tests.alerts.fleet import NODE_1, NODE_2, NODES
from tests.alerts.scenario import Story
from tests.alerts.timeline import minutes

AT = minutes(5)
LONG = AT + minutes(14)


def absent(story: Story, since: int, until: int | None) -> Story:
    """Of no exporter, so without any label of one."""
    story.expectations.append(
        expectation(
            "VIPExporterAbsent",
            since=since,
            until=until,
            labels={},
            description="Prometheus has no metrics of any vip-exporter: nothing is known of any VIP.",
        )
    )
    return story.watched(until or since)


def test_no_exporter_is_scraped(story, play) -> None:
    story.gone(AT, on=NODES, until=LONG)
    absent(story, AT, LONG)
    play(story)


def test_there_never_was_one(story, play) -> None:
    """Prometheus has been there for long; the exporters come at last."""
    story.gone(0, on=NODES, until=LONG)
    absent(story, 0, LONG)
    play(story)


def test_one_of_three_is_enough_to_be_there(story, play) -> None:
    story.gone(AT, on=(NODE_1, NODE_2))
    play(story.watched(until=LONG))


def test_all_away_for_eight_minutes(story, play) -> None:
    story.gone(AT, on=NODES, until=AT + minutes(8))
    play(story)
