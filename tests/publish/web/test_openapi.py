"""The OpenAPI document is true: a real server, asked by schemathesis, behaves as it says; and it names all there is."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import schemathesis
from hypothesis import settings
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup

from exporter import __version__
from exporter.config import parse_listen_address
from exporter.publish.api import events_answer, vips_answer
from exporter.publish.metrics import Exposition
from exporter.publish.moment import Moment
from exporter.publish.page import CONTENT_SECURITY_POLICY, Page
from exporter.publish.status import ExporterStatus
from exporter.publish.web import query
from exporter.publish.web.door import FrontDoor
from exporter.publish.web.listen import listen
from exporter.publish.web.openapi import document
from exporter.publish.web.query import EventsQuery, VipsQuery
from exporter.publish.web.routes import LIVE, OPEN, RELOAD, Content, Reloaded, routes
from exporter.publish.web.server import WebServer
from exporter.vip.model import ANNOUNCEMENTS, Check, ClaimantClass, EventName, Mode, Requirement, Source, State
from tests.publish.everything import SNAPSHOT, from_wall, history, to_wall

DOCUMENT: dict[str, Any] = json.loads(json.dumps(document()))
SCHEMAS = DOCUMENT["components"]["schemas"]
EXAMPLES = {name: example["value"] for name, example in DOCUMENT["components"]["examples"].items()}
HISTORY = history()


ALL_VIPS, ALL_EVENTS = VipsQuery(), EventsQuery(limit=1000)


def vips(asked: VipsQuery) -> dict[str, Any]:
    return vips_answer(SNAPSHOT, asked, observer="node-a", to_wall=to_wall)


def events(asked: EventsQuery) -> dict[str, Any]:
    return events_answer(HISTORY, asked, from_wall=from_wall)


def content(**other: Any) -> Content:
    """The real answers to whatever is asked, of a snapshot and a history in which everything occurs."""
    status, well = ExporterStatus(observer="node-a"), (True, "ok")
    page = Page(
        lambda: Moment(
            snapshot=SNAPSHOT, status=status, healthy=well, ready=well, events=HISTORY.newest, to_wall=to_wall
        )
    )
    real: dict[str, Any] = {
        "metrics": Exposition(
            snapshot=lambda: SNAPSHOT, status=lambda: status, to_wall=to_wall, observer="node-a"
        ).render,
        "healthy": lambda: well,
        "ready": lambda: well,
        "page": lambda asked: page.document(asked.vips),
        "page_policy": lambda: CONTENT_SECURITY_POLICY,
        "parts": lambda asked: page.parts(asked.vips),
        "vips": vips,
        "events": events,
        "openapi": document,
        "reload": Reloaded,
    }
    return Content(**real | other)


def serve(*, door: FrontDoor | None = None, **other: Any) -> Iterator[str]:
    door = door or FrontDoor(None)
    server = WebServer(listen([parse_listen_address("127.0.0.1:0")]), door=door, content=content(**other))
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


# --- a real server, asked ---------------------------------------------------------------------------------------------

CONFIG = SchemathesisConfig.from_dict(
    {
        "seed": 1,
        "generation": {"deterministic": True, "database": "none", "max-examples": 60},
        "phases": {"coverage": {"generate-duplicate-query-parameters": True}},
    }
)
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT, config=CONFIG)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    yield from serve()


@SCHEMA.parametrize()
@settings(deadline=None)
def test_the_server_behaves_as_the_document_says(case: schemathesis.Case, url: str) -> None:
    """Good requests are answered, bad ones refused, and each answer has a status, type and body that is described."""
    if "before" in case.query and case.meta.generation.mode.is_positive:
        case.query["before"] = events(EventsQuery(limit=1))["next"]  # no schema can tell which ones were given out
    accept = {"Accept": "application/json"} if case.path == LIVE else {}
    case.call_and_validate(base_url=url, headers=accept, timeout=10)


@pytest.mark.parametrize(
    ("path", "method", "other", "status"),
    [
        ("/-/healthy", "GET", {"healthy": lambda: (False, "stuck")}, HTTPStatus.SERVICE_UNAVAILABLE),
        ("/-/ready", "GET", {"ready": lambda: (False, "not yet")}, HTTPStatus.SERVICE_UNAVAILABLE),
        ("/-/reload", "POST", {"reload": lambda: Reloaded(("a: wrong", "b: wrong"))}, HTTPStatus.INTERNAL_SERVER_ERROR),
        ("/-/reload", "POST", {"reload": None}, HTTPStatus.FORBIDDEN),
        ("/api/v1/vips", "GET", {"vips": lambda asked: 1 / 0}, HTTPStatus.INTERNAL_SERVER_ERROR),
    ],
)
def test_answers_in_trouble_are_described(path, method, other, status) -> None:
    for url in serve(**other):
        response = SCHEMA[path][method].Case().call(base_url=url)
        SCHEMA[path][method].validate_response(response)
        assert response.status_code == status


def test_refusals_of_a_login_are_described(tmp_path) -> None:
    users = tmp_path / "web.yaml"
    users.write_text(f"basic_auth_users: {{reader: {bcrypt.hashpw(b'right', bcrypt.gensalt(4)).decode()}}}\n")
    said: dict[bool, set[int]] = {True: set(), False: set()}
    for url in serve(door=FrontDoor(users)):
        for path, method in ((path, method) for path, methods in DOCUMENT["paths"].items() for method in methods):
            operation = SCHEMA[path][method]
            for number in range(12):
                answer = operation.Case().call(base_url=url, auth=("reader", f"wrong {number}{path}"))
                operation.validate_response(answer)
                said[path in OPEN].add(answer.status_code)
    assert said == {True: {200}, False: {401, 429}}


def change(answer: dict[str, Any], **fields: object) -> dict[str, Any]:
    """With other fields in the first VIP or the last event."""
    key, place = ("vips", 0) if "vips" in answer else ("events", -1)
    changed = json.loads(json.dumps(answer))
    changed[key][place] |= fields
    return changed


@pytest.mark.parametrize(
    ("path", "lie"),
    [
        ("/api/v1/vips", {"more": 1}),
        ("/api/v1/vips", {"state": "lost"}),
        ("/api/v1/vips", {"moves": None}),
        ("/api/v1/vips", {"since": "2026-11-23T02:06:47Z"}),
        ("/api/v1/events", {"event": "vip_lost"}),
        ("/api/v1/events", {"more": 1}),
        ("/api/v1/events", {"time": "yesterday"}),
    ],
)
def test_a_server_that_says_anything_else_is_found_out(path, lie) -> None:
    lies = {"vips": lambda asked: change(vips(asked), **lie), "events": lambda asked: change(events(asked), **lie)}
    for url in serve(**lies):
        with pytest.raises(FailureGroup, match="violates schema"):
            SCHEMA[path]["GET"].Case().call_and_validate(base_url=url)


def test_the_examples_are_answers_that_the_document_describes(url) -> None:
    for example in serve(vips=lambda asked: EXAMPLES["Vips"], events=lambda asked: EXAMPLES["Events"]):
        for path in ("/api/v1/vips", "/api/v1/events"):
            SCHEMA[path]["GET"].Case().call_and_validate(base_url=example)
    refusal = SCHEMA["/api/v1/events"]["GET"].Case(query={"limit": "5000"}).call(base_url=url)
    assert refusal.json() == EXAMPLES["BadParameter"]


# --- and nothing is left out ------------------------------------------------------------------------------------------


def test_the_document_is_valid_and_of_this_version() -> None:
    SCHEMA.validate()
    assert DOCUMENT["info"]["version"] == __version__


def test_all_paths_are_there_and_no_others() -> None:
    assert DOCUMENT["paths"].keys() == routes(content()).keys() | {RELOAD}
    assert {path for path, methods in DOCUMENT["paths"].items() if "post" in methods} == {RELOAD}
    without_login = {
        path for path, methods in DOCUMENT["paths"].items() if methods.get("get", {}).get("security") == []
    }
    assert without_login == OPEN


@pytest.mark.parametrize(
    ("path", "table"),
    [
        ("/api/v1/vips", query._OF_VIPS),
        ("/api/v1/events", query._OF_EVENTS),
        ("/", query._OF_PAGE),
        ("/live", query._OF_PAGE),
    ],
)
def test_all_parameters_are_there_with_their_bounds(path, table) -> None:
    described = {one["name"]: one["schema"] for one in map(resolved, DOCUMENT["paths"][path]["get"]["parameters"])}
    assert described.keys() == table.keys()
    most = {name: resolved(schema).get("maxItems") for name, schema in described.items()}
    assert most == {name: parameter.most for name, parameter in table.items()}


def test_the_documentation_for_people_names_all_paths_and_parameters() -> None:
    text = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
    assert set(re.findall(r"(?<=`)(?:POST )?(/[\w./-]*)(?=`)", text)) >= DOCUMENT["paths"].keys()
    for table in (query._OF_VIPS, query._OF_EVENTS):
        rows = re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)
        assert list(table) in (rows[: len(table)], rows[-len(table) :])


def test_limits_default_to_what_is_said() -> None:
    for path, asked in (("/api/v1/vips", VipsQuery()), ("/api/v1/events", EventsQuery())):
        limit = next(one for one in DOCUMENT["paths"][path]["get"]["parameters"] if one["name"] == "limit")["schema"]
        assert limit == {"type": "integer", "minimum": 1, "maximum": query.LIMIT_MOST, "default": asked.limit}


@pytest.mark.parametrize(
    ("described", "words"),
    [
        (SCHEMAS["State"]["enum"], State),
        (SCHEMAS["Source"]["enum"], Source),
        (SCHEMAS["Class"]["enum"], ClaimantClass),
        (SCHEMAS["Check"]["enum"], Check),
        (SCHEMAS["Vip"]["properties"]["mode"]["enum"], Mode),
        (SCHEMAS["Vip"]["properties"]["requirements"]["properties"], Requirement),
        (SCHEMAS["Vip"]["properties"]["announcements"]["properties"], ANNOUNCEMENTS),
        (SCHEMAS["Event"]["discriminator"]["mapping"], EventName),
        (SCHEMAS["MismatchStarted"]["discriminator"]["mapping"], Check),
    ],
)
def test_all_words_are_there(described, words) -> None:
    assert list(described) == [str(word) for word in words]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """What a reference refers to; what stands beside it has precedence."""
    if "$ref" not in schema:
        return schema
    target: Any = DOCUMENT
    for step in schema["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    return resolved(target) | {key: value for key, value in schema.items() if key != "$ref"}


def described(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Each field that a schema has, by its path, with the kinds of value it may have: `null` or any other."""
    for one in map(resolved, schema.get("anyOf", [schema])):
        yield path, "null" if one.get("type") == "null" else "value"
        if isinstance(one.get("type"), list) and "null" in one["type"]:
            yield path, "null"
        for name, field in one.get("properties", {}).items():
            yield from described(resolved(field), f"{path}.{name}")
        if "items" in one:
            yield from described(resolved(one["items"]), f"{path}[]")


def told(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """The same of what is answered."""
    yield path, "null" if value is None else "value"
    if isinstance(value, dict):
        for name, field in value.items():
            yield from told(field, f"{path}.{name}")
    if isinstance(value, list):
        for item in value:
            yield from told(item, f"{path}[]")


def test_each_field_of_a_vip_is_described_and_null_only_where_it_says_so() -> None:
    pages = [vips(VipsQuery(limit=1)), vips(ALL_VIPS)]
    assert {field for page in pages for field in told(page)} == set(described(SCHEMAS["Vips"]))


def variants(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for one in map(resolved, schema["oneOf"]):
        yield from variants(one) if "oneOf" in one else [one]


def kind(event: str, check: str) -> str:
    """Events of one kind have the same fields."""
    return f"{event} {check}" if event == EventName.MISMATCH_STARTED else event


def test_each_field_of_each_event_is_described() -> None:
    said: dict[str, set[tuple[str, str]]] = defaultdict(set)
    answer = events(ALL_EVENTS)
    for event in answer["events"]:
        said[kind(event["event"], event.get("check", ""))] |= set(told(event))
    written = {}
    for schema in variants(SCHEMAS["Event"]):
        fields = schema["properties"]
        written[kind(fields["event"]["const"], fields.get("check", {}).get("const", ""))] = set(described(schema))
    assert said == written
    assert answer.keys() == SCHEMAS["Events"]["properties"].keys()


def objects(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "properties" in value:
            yield value
        for inner in value.values():
            yield from objects(inner)


def test_each_object_is_closed_and_each_field_explained() -> None:
    for schema in objects(SCHEMAS):
        assert schema["additionalProperties"] is False
        for name, field in schema["properties"].items():
            assert "const" in field or resolved(field).get("description"), f"{name} is not explained"
