"""What is served where: each path, and how its answer comes from the request. Opens no connection."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from exporter import __version__
from exporter.publish.parts import Parts, difference
from exporter.publish.web.answer import (
    HTML,
    Answer,
    accepts,
    as_json,
    probe,
    squeezed,
    text,
)
from exporter.publish.web.query import EventsQuery, PageQuery, VipsQuery, events_query, page_query, vips_query

METRICS = "/metrics"
LIVE = "/live"
STREAM = "text/event-stream"
OPENMETRICS = "application/openmetrics-text"
RELOAD = "/-/reload"
OPEN = frozenset({"/-/healthy", "/-/ready"})
"""Paths that need no password: whoever restarts pods has none."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What came of reading the configuration anew."""

    problems: tuple[str, ...] = ()
    """A line for each thing wrong with it: then the old one stays in force, whole. None: the new one is."""
    waiting: tuple[str, ...] = ()
    """Settings whose new value waits for a restart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is served. All are called in threads that are not the caller's, several at a time."""

    metrics: Callable[[bool], tuple[str, bytes]]
    """The content type and the exposition, in OpenMetrics or in Prometheus' text format."""
    healthy: Callable[[], tuple[bool, str]]
    """Whether `/-/healthy` says so, and why or why not in one line; likewise `ready`."""
    ready: Callable[[], tuple[bool, str]]
    page: Callable[[PageQuery], str]
    """The HTML of `/`."""
    page_policy: Callable[[], str]
    """Its Content-Security-Policy."""
    parts: Callable[[PageQuery], Parts]
    """What of the page may change, as it is now."""
    vips: Callable[[VipsQuery], object]
    """What `/api/v1/vips` answers, as something `json.dumps` can write; likewise the two below."""
    events: Callable[[EventsQuery], object]
    openapi: Callable[[], object]
    reload: Callable[[], Reloaded] | None
    """Reads the configuration anew; None: that is not enabled."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request matters."""

    query: str
    """The part after the question mark."""
    accept: str = ""
    accept_encoding: str = ""


Make = Callable[[], Answer]
Plan = Callable[[Asked], tuple[Hashable, Make]]
"""From a request to its answer: what makes equal requests equal, and how the answer is made.

Either may raise BadParameterError.
"""


def routes(content: Content) -> Mapping[str, Plan]:
    """Every path that answers GET and HEAD, but for the stream of `/live`."""

    def of_metrics(asked: Asked) -> tuple[Hashable, Make]:
        openmetrics = accepts(asked.accept, OPENMETRICS)

        def make() -> Answer:
            content_type, body = content.metrics(openmetrics)
            return Answer(body, content_type)

        return openmetrics, make

    def of_page(asked: Asked) -> tuple[Hashable, Make]:
        query = page_query(asked.query)
        return query, lambda: Answer(content.page(query).encode(errors="replace"), HTML, policy=content.page_policy())

    def of_live(asked: Asked) -> tuple[Hashable, Make]:
        query = page_query(asked.query)
        return query, lambda: as_json(message(None, content.parts(query)))

    def of_vips(asked: Asked) -> tuple[Hashable, Make]:
        query = vips_query(asked.query)
        return query, lambda: as_json(content.vips(query))

    def of_events(asked: Asked) -> tuple[Hashable, Make]:
        query = events_query(asked.query)
        return query, lambda: as_json(content.events(query))

    plans: dict[str, Plan] = {
        "/": of_page,
        LIVE: of_live,
        METRICS: of_metrics,
        "/-/healthy": lambda _: ((), lambda: probe(*content.healthy())),
        "/-/ready": lambda _: ((), lambda: probe(*content.ready())),
        "/api/v1/vips": of_vips,
        "/api/v1/events": of_events,
        "/api/v1/openapi.json": lambda _: ((), lambda: as_json(content.openapi())),
    }
    return {path: _with_gzip(plan) for path, plan in plans.items()}


def _with_gzip(plan: Plan) -> Plan:
    def planned(asked: Asked) -> tuple[Hashable, Make]:
        key, make = plan(asked)
        if not accepts(asked.accept_encoding, "gzip", "*"):
            return (key, False), make
        return (key, True), lambda: squeezed(make())

    return planned


def message(before: Parts | None, after: Parts) -> dict[str, object]:
    """What a page that has `before` is told, whether it streams or polls."""
    return {"version": __version__, **difference(before, after)}


def reload_answer(reload: Callable[[], Reloaded]) -> Answer:
    """Read the configuration anew; where it is wrong, a line for each thing that is."""
    outcome = reload()
    if not outcome.problems:
        waiting = f"; for new values of {', '.join(outcome.waiting)} restart it" if outcome.waiting else ""
        return text(f"configuration reloaded{waiting}")
    lines = "".join(f"{' '.join(problem.split())}\n" for problem in outcome.problems)
    return Answer(f"not reloaded:\n{lines}".encode(errors="replace"), status=HTTPStatus.INTERNAL_SERVER_ERROR)
