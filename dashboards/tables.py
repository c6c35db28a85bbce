"""Tables, made of one or several queries: their columns, in which order, with which looks. It knows no query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common, table
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard

from dashboards.looks import Words, mapped, or_word
from dashboards.panels import About, Query, as_table, described


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Args:
        field: a label, or `Value #` and the `ref` of a query.
        width: pixels; the columns without take what is left.
        words: what values mean; the cell then has their colour.
        none: stands where a label is empty, or there is no value.
        limits: colour the number.
    """

    field: str
    title: str
    width: int | None = None
    unit: str = ""
    decimals: int | None = None
    words: Words | None = None
    none: str = "–"
    limits: build.ThresholdsConfig | None = None
    link: build.DashboardLink | None = None


def table_of(about: About, queries: Sequence[Query], columns: Sequence[Column], *, sort: str) -> table.Panel:
    """A row for each combination of the labels that all queries share. Columns that are not named are hidden."""
    panel = described(table.Panel(), about, unit="short")
    for query in queries:
        panel.with_target(as_table(query))
    # With a single query, Grafana calls the column of its values just "Value".
    hidden = ["Time", *(["Value"] if len(queries) == 1 else []), *(f"Value #{query.ref}" for query in queries)]
    shown = [column.field for column in columns]
    if len(queries) > 1:
        panel.with_transformation(dashboard.DataTransformerConfig("merge", options={}))
    panel.with_transformation(
        dashboard.DataTransformerConfig(
            "organize",
            options={
                "excludeByName": {field: True for field in hidden if field not in shown},
                "indexByName": {field: index for index, field in enumerate(shown)},
                "renameByName": {column.field: column.title for column in columns},
            },
        )
    )
    for column in columns:
        panel.override_by_name(column.title, _properties(column))
    return panel.sort_by([common.TableSortByFieldState().display_name(sort).desc(False)])


def _properties(column: Column) -> list[dashboard.DynamicConfigValue]:
    values: dict[str, object] = {}
    if column.width is not None:
        values["custom.width"] = column.width
    values["custom.align"] = "left"
    # A label that looks like a number must not be written as one.
    unit = column.unit or ("" if column.field.startswith("Value") else "string")
    if unit:
        values["unit"] = unit
    if column.decimals is not None:
        values["decimals"] = column.decimals
    if column.words:
        values["mappings"] = mapped(column.words)
        values["custom.displayMode"] = "color-background-solid"
    elif column.limits is not None:
        values["thresholds"] = column.limits.build()
        values["custom.displayMode"] = "color-text"
    # The panel's own word is for a table without rows.
    values["noValue"] = column.none
    if not column.words:
        values["mappings"] = or_word(column.none)
    if column.link is not None:
        values["links"] = [column.link.build()]
    return [dashboard.DynamicConfigValue(name, value) for name, value in values.items()]
