"""The panels of a board of Grafana, as its JSON has them, and their places in rows.

https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

JSON = dict[str, Any]

# The columns of a board, and the height of a panel in its units.
COLUMNS: Final = 24
HEIGHT: Final = 8

_SOURCE: Final = {"type": "prometheus", "uid": "$datasource"}
_GREEN, _YELLOW, _RED = "green", "yellow", "red"


@dataclass(frozen=True, slots=True)
class Query:
    """An expression, and the legend of each series."""

    expression: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel. `about` says what to look for. `options` and `field` are its kind's own. `points` is how many values of
    each series it has room for, None for as many as it is wide."""

    kind: str
    title: str
    about: str
    queries: tuple[Query, ...]
    options: JSON
    field: JSON
    overrides: tuple[JSON, ...] = ()
    width: int = 8
    height: int = HEIGHT
    points: int | None = None


def number(
    title: str, about: str, expression: str, legend: str = "", *, unit: str = "none", steps: JSON | None = None,
    mappings: Sequence[JSON] = (), width: int = 4, name: bool = False,
) -> Panel:  # fmt: skip
    """Big numbers, one for each series, of now. `steps` are the colours; `name`: show the legend, not the value."""
    return Panel(
        "stat",
        title,
        about,
        (Query(expression, legend),),
        {
            "colorMode": "background" if steps else "value",
            "graphMode": "none",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "textMode": "name" if name else "auto",
        },
        {"unit": unit, "thresholds": steps or from_below((None, "text")), "mappings": list(mappings)},
        width=width,
        height=4,
    )


def lines(
    title: str, about: str, *queries: Query, unit: str = "short", width: int = 8, stacked: bool = False,
    dashed: str = "", steps: bool = False, height: int = HEIGHT,
) -> Panel:  # fmt: skip
    """Curves over time. Series whose name begins with `dashed` are limits: drawn in red, and dashed."""
    custom: JSON = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never", "spanNulls": False}
    if stacked:
        custom |= {"fillOpacity": 30, "stacking": {"mode": "normal", "group": "A"}}
    if steps:
        custom["lineInterpolation"] = "stepAfter"
    overrides: tuple[JSON, ...] = ()
    if dashed:
        overrides = (
            {
                "matcher": {"id": "byRegexp", "options": f"^{dashed}.*"},
                "properties": [
                    {"id": "color", "value": {"mode": "fixed", "fixedColor": _RED}},
                    {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 6]}},
                    {"id": "custom.lineWidth", "value": 2},
                    {"id": "custom.fillOpacity", "value": 0},
                    {"id": "custom.stacking", "value": {"mode": "none", "group": "limit"}},
                ],
            },
        )
    return Panel(
        "timeseries",
        title,
        about,
        queries,
        {
            "legend": {
                "displayMode": "table",
                "placement": "bottom",
                "showLegend": True,
                "calcs": ["lastNotNull", "max"],
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        {"unit": unit, "min": 0, "custom": custom},
        overrides,
        width=width,
        height=height,
    )


def heat_map(title: str, about: str, *rows: Query, unit: str, limit: str, width: int = 12) -> Panel:
    """A row of cells over time for each query, the first at the top: the darker a cell, the more, by powers of ten.

    A row whose name begins with `limit` is drawn in red. Grafana's own panel for heat maps has no way to draw a limit:
    https://github.com/grafana/grafana/issues/11772
    """
    return Panel(
        "status-history",
        title,
        about,
        rows,
        {
            "colWidth": 0.95,
            "rowHeight": 0.95,
            "showValue": "never",
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "single", "sort": "none"},
        },
        {
            "unit": unit,
            "color": {"mode": "thresholds"},
            "thresholds": from_below(
                (None, "transparent"),
                (0.001, "super-light-blue"),
                (0.1, "light-blue"),
                (1, "blue"),
                (10, "semi-dark-blue"),
                (100, "dark-blue"),
            ),
            "custom": {"fillOpacity": 100, "lineWidth": 0},
        },
        (
            {
                "matcher": {"id": "byRegexp", "options": f"^{limit}.*"},
                "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": _RED}}],
            },
        ),
        width=width,
        height=10,
        points=60,
    )


def from_below(*steps: tuple[float | None, str]) -> JSON:
    """Colours by value: each from its number on, the first from below."""
    return {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in steps]}


def well_from(least: float) -> JSON:
    """Red below this number, green from it on."""
    return from_below((None, _RED), (least, _GREEN))


def ill_from(least: float) -> JSON:
    """Green below this number, red from it on."""
    return from_below((None, _GREEN), (least, _RED))


def days_left(soon: float, late: float) -> JSON:
    """Red below `late` days, yellow below `soon`."""
    return from_below((None, _RED), (late, _YELLOW), (soon, _GREEN))


def words(by_value: dict[str, str]) -> JSON:
    """Words in place of values."""
    return {"type": "value", "options": {value: {"text": text} for value, text in by_value.items()}}


def laid_out(rows: Sequence[tuple[str, Sequence[Panel]]]) -> list[JSON]:
    """The panels of all rows with their places, each row below its title. Panels fill a line from the left."""
    placed: list[JSON] = []
    top = 0
    for title, panels in rows:
        placed.append(
            {
                "id": len(placed) + 1,
                "type": "row",
                "title": title,
                "collapsed": False,
                "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1},
                "panels": [],
            }
        )
        top += 1
        left, tallest = 0, 0
        for panel in panels:
            if left + panel.width > COLUMNS:
                left, top, tallest = 0, top + tallest, 0
            placed.append(_placed(panel, len(placed) + 1, left, top))
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest
    return placed


def _placed(panel: Panel, panel_id: int, left: int, top: int) -> JSON:
    return {
        "id": panel_id,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": dict(_SOURCE),
        "gridPos": {"x": left, "y": top, "w": panel.width, "h": panel.height},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": dict(_SOURCE),
                "expr": query.expression,
                "legendFormat": query.legend or "__auto",
                "format": "time_series",
                "instant": panel.kind == "stat",
                "range": panel.kind != "stat",
            }
            for index, query in enumerate(panel.queries)
        ],
        **({"maxDataPoints": panel.points} if panel.points else {}),
        "options": panel.options,
        "fieldConfig": {"defaults": panel.field, "overrides": list(panel.overrides)},
    }
