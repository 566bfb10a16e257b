"""The status page as HTML: templates of Jinja, which escapes every value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from webhook.statuspage import manual
from webhook.statuspage.query import PageQuery

ASSETS: Final = Path(__file__).parent / "assets"

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
            link=_Links(query),
            filters=filters,
            asked=asked,
            idle=[one["webhook"] for one in webhooks if one not in asked and one["webhook"] != NONE],
            left=lambda end: left(end, now),
        )
    )


class _Links:
    """The links of a page: most rows have the same."""

    def __init__(self, query: PageQuery) -> None:
        self._query = query
        self._made: dict[tuple[str, str], Markup] = {}

    def __call__(self, name: str, value: str) -> Markup:
        """The address of the page with one parameter changed, escaped."""
        made = self._made.get((name, value))
        if made is None:
            made = self._made[name, value] = escape(self._query.link(**{name: value}))
        return made


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
