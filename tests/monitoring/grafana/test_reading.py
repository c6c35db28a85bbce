"""How a dashboard is read and its answers are shown, where it is easy to get wrong. What Prometheus says is made up."""

from __future__ import annotations

import pytest

from tests.monitoring.grafana.annotations import marks
from tests.monitoring.grafana.display import configured, shown, unit_text
from tests.monitoring.grafana.frames import NUMBER, STRING, Field, Frame, UnsupportedError, table_frame, transformed
from tests.monitoring.grafana.view import View, substituted

NOW = 1_700_000_000.0


def test_variables_are_filled_in_and_others_refused() -> None:
    view = View(None, NOW - 600, NOW, {"job": "a|b"})
    assert substituted('x{job=~"$job"}[$__rate_interval] [$__range]', view) == 'x{job=~"a|b"}[4s] [600s]'
    assert substituted("x > ${__from}", view) == f"x > {1000 * (NOW - 600):.0f}"
    assert substituted("rate(x[$__rate_interval])", view, step=300) == "rate(x[301s])"
    assert substituted('label_replace(x, "a", "$1", "b", "(.*)")', view) == 'label_replace(x, "a", "$1", "b", "(.*)")'
    for unknown in ("$vip", "${vip}", "${job:regex}", "$__interval"):
        with pytest.raises(UnsupportedError):
            substituted(f"x{{vip={unknown}}}", view)


def _table(column: str, **values: float) -> Frame:
    result = [{"metric": {"vip": vip}, "value": [NOW, str(value)]} for vip, value in values.items()]
    return table_frame(result, column)


def test_tables_are_merged_by_what_they_share() -> None:
    (frame,) = transformed(
        [_table("Value #A", one=1, two=2), _table("Value #B", two=20)],
        [
            {"id": "merge", "options": {}},
            {
                "id": "organize",
                "options": {
                    "excludeByName": {"Time": True},
                    "indexByName": {"Value #B": 0, "vip": 1},
                    "renameByName": {"Value #A": "first"},
                },
            },
        ],
    )
    assert [column.title for column in frame.fields] == ["Value #B", "vip", "first"]
    assert frame.rows() == [
        {"Value #B": None, "vip": "one", "first": 1},
        {"Value #B": 20, "vip": "two", "first": 2},
    ]
    with pytest.raises(UnsupportedError):
        transformed([frame], [{"id": "calculateField", "options": {}}])


def test_columns_are_kept_by_a_pattern_only() -> None:
    table = _table("Value", one=1)
    (frame,) = transformed([table], [{"id": "filterFieldsByName", "options": {"include": {"pattern": "^v"}}}])
    assert [column.title for column in frame.fields] == ["vip"]
    with pytest.raises(UnsupportedError):
        transformed([table], [{"id": "filterFieldsByName", "options": {"include": {"names": ["vip"]}}}])


@pytest.mark.parametrize(
    ("config", "value", "text", "colour"),
    [
        ({"mappings": [{"type": "value", "options": {"1": {"text": "up", "color": "green"}}}]}, 1.0, "up", "#73bf69"),
        ({"noValue": "none", "mappings": []}, None, "none", "#73bf69"),
        (
            {"mappings": [{"type": "special", "options": {"match": "null", "result": {"text": "-", "color": "red"}}}]},
            None,
            "-",
            "#f2495c",
        ),
        (
            {
                "thresholds": {
                    "mode": "absolute",
                    "steps": [{"value": None, "color": "red"}, {"value": 1, "color": "green"}],
                }
            },
            0,
            "0",
            "#f2495c",
        ),
        ({"unit": "s", "decimals": 1}, 0.5, "500.0 ms", "#73bf69"),
        ({"unit": "dateTimeFromNow"}, 1000 * (NOW - 60), "1 minute ago", "#73bf69"),
    ],
)
def test_a_value_as_it_appears(config: dict, value: float | None, text: str, colour: str) -> None:
    look = shown(Field("Value", NUMBER, [], config=config), value, now=NOW)
    assert (look.text, look.colour) == (text, colour)


def test_an_empty_label_may_have_a_word() -> None:
    empty = {
        "mappings": [
            {"type": "special", "options": {"match": "empty", "result": {"text": "not known", "color": "text"}}}
        ]
    }
    assert shown(Field("mac", STRING, [], config=empty), "", now=NOW).text == "not known"


def test_a_label_that_looks_like_a_number_is_taken_for_one() -> None:
    version = {unit: Field("version", STRING, [], config={"unit": unit}) for unit in ("short", "string")}
    assert shown(version["short"], "1.0", now=NOW).text == "1"
    assert shown(version["string"], "1.0", now=NOW).text == "1.0"
    assert shown(version["short"], "node-1", now=NOW).text == "node-1"


def test_what_is_not_interpreted_is_refused() -> None:
    with pytest.raises(UnsupportedError):
        unit_text("furlongs", 1, None, now=NOW)
    for kind, options in (("range", {"from": 0, "to": 2, "result": {}}), ("special", {"match": "nan", "result": {}})):
        with pytest.raises(UnsupportedError):
            shown(Field("Value", NUMBER, [], config={"mappings": [{"type": kind, "options": options}]}), 1, now=NOW)
    override = {"matcher": {"id": "byType", "options": "number"}, "properties": []}
    with pytest.raises(UnsupportedError):
        configured([_table("Value", one=1)], {"defaults": {}, "overrides": [override]})


def test_marks_stand_at_the_value_or_last_as_long_as_it_is_above_0() -> None:
    look = {"name": "n", "iconColor": "red", "titleFormat": "moved", "textFormat": "{{from}} to {{to}}"}
    look |= {"tagKeys": "from"}
    labels = {"from": "a", "to": "b"}
    by_value = {"metric": labels, "values": [[NOW, str(1000 * (NOW - 9))], [NOW + 15, str(1000 * (NOW - 9))]]}
    (mark,) = marks(look | {"useValueForTime": True}, by_value, 15)
    assert (mark.start, mark.end, mark.text, mark.tags) == (NOW - 9, NOW - 9, "a to b", {"a"})
    lasting = {"metric": labels, "values": [[NOW + 15 * step, value] for step, value in enumerate("0110010")]}
    assert [(mark.start - NOW, mark.end - NOW) for mark in marks(look, lasting, 15)] == [(15, 30), (75, 75)]
