"""The status page as HTML: templates of Jinja, which escapes every value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from webhook.statuspage import manual
from webhook.statuspage.query import PageQuery

ASSETS: Final = Path(__file__).parent / "assets"

# How many rows are remembered, which say the same on the next page: those of a page or two.
_REMEMBERED: Final = 1024

# Counts requests that no webhook took.
NONE: Final = "none"

_MINUTES: Final = {"1m": "1 minute", "5m": "5 minutes", "15m": "15 minutes"}


class _Facts(Environment):
    """Most of what templates read are keys of the document: looking them up as such first takes half the time."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """As Jinja: `obj.attribute` in a template."""
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


@cache
def _environment() -> Environment:
    environment = _Facts(loader=FileSystemLoader(ASSETS), autoescape=True, undefined=StrictUndefined, auto_reload=False)
    environment.globals |= {
        "minutes": _MINUTES,
        "duration": duration,
        "milliseconds": milliseconds,
        "docs_of": cache(manual.section_about_reason),
        "time": when,
    }
    return environment


def page(document: Mapping[str, Any], query: PageQuery) -> Iterator[str]:
    """The page that shows a document (`document.document`), in many small pieces, each made when it is asked for: who
    makes a page beside other work can do that in between."""
    now = datetime.fromisoformat(document["head"]["time"])
    filters = [
        (name, value) for name in ("webhook", "namespace", "decision", "reason") if (value := str(getattr(query, name)))
    ]
    webhooks = document["traffic"]["webhooks"]
    asked = [one for one in webhooks if any(window["answered"] for window in one["windows"].values())]
    return (
        _environment()
        .get_template("page.html")
        .generate(
            document,
            query=query,
            namespace_row=partial(_namespace_row, query, document["mesh"] is None or document["mesh"]["complete"]),
            decision_cells=partial(_decision_cells, query),
            warnings=_warnings,
            filters=filters,
            asked=asked,
            idle=[one["webhook"] for one in webhooks if one not in asked and one["webhook"] != NONE],
            left=lambda end: left(end, now),
        )
    )


def _namespace_row(query: PageQuery, complete: bool, row: Mapping[str, Any]) -> Markup:
    reasons = tuple((part["reason"], part["text"], part["pods"]) for part in row["notInjected"])
    rest = tuple((name, value) for name, value in row.items() if name != "notInjected")
    return _namespace_made(query, complete, rest, reasons)


@lru_cache(_REMEMBERED)
def _namespace_made(
    query: PageQuery, complete: bool, row: tuple[tuple[str, Any], ...], reasons: tuple[tuple[str, str, int], ...]
) -> Markup:
    made: Markup = _rows().namespace(dict(row), reasons, complete, partial(_link, query), query.namespace)
    return made


def _decision_cells(query: PageQuery, row: Mapping[str, Any]) -> Markup:
    """What a row says that others say too: all but when, its number and its warnings."""
    return _cells_made(
        query, row["webhook"], row["namespace"], row["workload"], row["decision"], row["reason"], row["message"]
    )


@lru_cache(_REMEMBERED)
def _cells_made(query: PageQuery, *texts: str) -> Markup:
    made: Markup = _rows().cells(*texts, partial(_link, query))
    return made


def _warnings(row: Mapping[str, Any]) -> Markup:
    return _warnings_made(tuple(row["warnings"]))


@lru_cache(_REMEMBERED)
def _warnings_made(warnings: tuple[str, ...]) -> Markup:
    made: Markup = _rows().warned(warnings)
    return made


@cache
def _rows() -> Any:
    """The macros of `rows.html`."""
    return _environment().get_template("rows.html").module


@lru_cache(_REMEMBERED)
def _link(query: PageQuery, name: str, value: str) -> Markup:
    """The address of the page with one parameter changed, escaped."""
    return escape(query.link(**{name: value}))


@lru_cache(maxsize=1024)
def when(text: str) -> Markup:
    """A time, given as RFC 3339, as a reader likes it."""
    return Markup('<time datetime="{}">{} {}</time>').format(text, text[:10], text[11:19])


def manual_page(name: str) -> str | None:
    """A page of `docs/` by its name without `.md`, None if there is none of that name."""
    text = manual.text_of(name)
    if text is None:
        return None
    pieces = [(heading, manual.anchor(heading), body) for heading, body in manual.pieces(text)]
    return _environment().get_template("manual.html").render(name=name, pieces=pieces)


def duration(seconds: float) -> str:
    """A duration in its two largest units, such as `3 d 4 h`."""
    rest, units = int(seconds), []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, rest = divmod(rest, size)
        if count:
            units.append(f"{count} {unit}")
    return " ".join(units[:2]) or "0 s"


def milliseconds(seconds: float | None) -> str:
    """A latency, in milliseconds."""
    return "–" if seconds is None else f"{seconds * 1000:.3g} ms"


def left(end: str | None, now: datetime) -> str:
    """How long it is until the end of a certificate, given as RFC 3339; `now` has a time zone."""
    if end is None:
        return "–"
    seconds = (datetime.fromisoformat(end).astimezone(UTC) - now).total_seconds()
    return duration(seconds) if seconds > 0 else "expired"


# The module is imported in a thread, when somebody looks: there templates are compiled, which takes some milliseconds.
_rows()
_environment().get_template("page.html")
