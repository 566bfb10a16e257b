"""A comparison as tables, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson

from webhook.comparison.compare import Change, Comparison, PodComparison, ProxyCount
from webhook.comparison.modes import shared

# Values are cut to so many characters; JSON has them whole.
WIDTH: Final = 30
# Objects that a heading names.
SHOWN: Final = 3

Row = Sequence[str]


def write(comparison: Comparison) -> str:
    """The sections that have something to tell, with an empty line between."""
    sections = [*_pods(comparison), *_others(comparison)]
    if not comparison.changes:
        sections.append([f"Nothing changes from {comparison.before} to {comparison.after}."])
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def _pods(comparison: Comparison) -> Iterator[list[str]]:
    """One section for all Pods that change in the same way; of a Pod that was compared in several modes, one for each
    set of modes that share changes."""
    way = f"from {comparison.before} to {comparison.after}"
    if len({pod.mode for pod in comparison.pods}) > 1:
        for modes, changes, is_all in shared(comparison.pods):
            which = "every mode" if is_all else "these modes only" if len(modes) > 1 else "this mode only"
            name = _names([comparison.pods[0].object])
            yield [f"{name} in {which} ({'; '.join(modes)}), {way}:", *_changes(changes)]
        return
    alike: dict[str, list[PodComparison]] = {}
    for pod in comparison.pods:
        if pod.changes:
            alike.setdefault(repr(pod.changes), []).append(pod)
    for pods in alike.values():
        yield [f"{_names([pod.object for pod in pods])} ({pods[0].mode}), {way}:", *_changes(pods[0].changes)]


def _changes(changes: Sequence[Change]) -> Iterator[str]:
    rows = [(one.kind, one.path, *_both(one.old, one.new), one.since) for one in changes]
    return _table(("", "WHERE", "FROM", "TO", "SINCE"), rows, [one.todo for one in changes])


def _names(names: Sequence[str]) -> str:
    first = names[0][:1].upper() + names[0][1:]
    shown = ", ".join([first, *names[1:SHOWN]])
    return f"{shown} and {len(names) - SHOWN} more" if len(names) > SHOWN else shown


def _others(comparison: Comparison) -> Iterator[list[str]]:
    if comparison.annotations:
        rows = [
            (
                "begins" if one.begins else "ends",
                one.annotation,
                one.at,
                one.since,
                _names(one.objects) if one.objects else "",
            )
            for one in comparison.annotations
        ]
        todo = [one.todo for one in comparison.annotations]
        yield [
            "Annotations that begin or cease to count:",
            *_table(("", "ANNOTATION", "AT", "SINCE", "ON"), rows, todo),
        ]
    if comparison.defaults:
        settings = [(one.key, *_both(one.old, one.new)) for one in comparison.defaults]
        yield [
            "Settings whose default is another (write the old value into your values to keep it):",
            *_table(("SETTING", "FROM", "TO"), settings),
        ]
    if comparison.policies:
        yield ["Objects whose verdict changes:", *_verdicts(comparison)]
    if comparison.proxies:
        yield ["Proxies that run now:", *(_running(one, comparison) for one in comparison.proxies)]


def _running(one: ProxyCount, comparison: Comparison) -> str:
    verb = "runs" if one.pods == 1 else "run"
    sentence = f"{_count(one.pods, 'Pod')} in {_count(one.namespaces, 'Namespace')} {verb} a proxy of {one.version}"
    if one.version == comparison.before:
        return f"  {sentence}"
    return (
        f"  {sentence}, not of {comparison.before}: linkerd-webhook diff-lines {one.version} {comparison.after} "
        "shows what changes for them"
    )


def _verdicts(comparison: Comparison) -> Iterator[str]:
    for one in comparison.policies:
        yield f"  {one.object} ({one.file}:{one.line})"
        for release, messages in ((comparison.before, one.old), (comparison.after, one.new)):
            yield from (f"    {release} refuses it: {message}" for message in messages)
            if not messages:
                yield f"    {release} allows it"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _both(old: Any, new: Any) -> tuple[str, str]:
    """Two values, each in one line of at most `WIDTH` characters; `-` for nothing. Of long ones what they share is left
    out, so that it is seen what differs."""
    texts = _text(old), _text(new)
    if old is None or new is None or max(map(len, texts)) <= WIDTH:
        return _cut(texts[0]), _cut(texts[1])
    if isinstance(old, list) and isinstance(new, list):
        start = _shared(old, new)
        end = _shared(old[start:][::-1], new[start:][::-1])
        parts = (" ".join(map(_text, one[start : len(one) - end])) for one in (old, new))
        first, second = (_cut(f"… {part}" if start else part or "…") for part in parts)
        return first, second
    shared = texts[0][: _shared(*texts)]
    start = max(shared.rfind(mark) + 1 for mark in ",/ ")
    first, second = (_cut(f"…{text[start:]}" if start else text) for text in texts)
    return first, second


def _shared(one: Sequence[Any], other: Sequence[Any]) -> int:
    """How many items both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (mine, theirs) in pairs if mine != theirs), min(len(one), len(other)))


def _text(value: Any) -> str:
    """A value in one line; `-` for nothing."""
    if value is None:
        return "-"
    if isinstance(value, dict) and value.keys() == {"fieldRef"}:
        return f"field {value['fieldRef'].get('fieldPath')}"
    text = value if isinstance(value, str) and value else orjson.dumps(value).decode()
    return " ".join(text.split())


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"


def _table(head: Row, rows: Sequence[Row], todo: Sequence[str] = ()) -> Iterator[str]:
    """Rows in columns under a head, without empty columns; below each row what to do about it."""
    columns = [index for index in range(len(head)) if any(row[index] for row in rows)]
    widths = {index: max(len(row[index]) for row in (head, *rows)) for index in columns}
    for row, sentence in zip((head, *rows), ("", *(todo or [""] * len(rows))), strict=True):
        yield f"  {'  '.join(row[index].ljust(widths[index]) for index in columns)}".rstrip()
        if sentence:
            yield f"    to do: {sentence}"
