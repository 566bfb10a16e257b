"""Works through streams of manifests, document by document, and edits the text of what changes.

A stream may be larger than memory: it is read up to the next separator, and no further.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Final, NamedTuple

import orjson
import yaml

from webhook.findings import templates
from webhook.findings.finding import render_path, show
from webhook.findings.templates import Template
from webhook.injector.refusal import Refusal
from webhook.kube.fields import text
from webhook.manifest import load, mistakes, nodes
from webhook.manifest.files import Problem
from webhook.meshing import lists
from webhook.meshing.kinds import CORE, Path, group_of, name_of, within
from webhook.meshing.outcome import Outcome, Outcomes
from webhook.review import JSON
from webhook.yaml import edit
from webhook.yaml.objects import Broken, Build, Loader

Change = Callable[[JSON], Outcome]


# Bytes of what is composed as a whole, whose nodes take some sixty times as much memory. An object has at most 1.5 MiB
# in etcd.
LARGEST: Final = 32 * 1024 * 1024
# Bytes of a List, which is composed item by item.
LARGEST_LIST: Final = 2 * LARGEST


class TooLarge(ValueError):
    """A document is longer than what is read: `line` is its first one, and `limit` a number of bytes."""

    def __init__(self, line: int, limit: int) -> None:
        super().__init__(too_large(limit))
        self.line = line


def too_large(limit: int) -> str:
    """That a document is too large."""
    size = limit // (1024 * 1024)
    return f"this document has more than {size} MiB: pass fewer objects, such as those of one Namespace"


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A piece of a stream. `text` is what has become of it, `bodies` the values of its documents, where these were
    asked for. `problems` are documents that cannot be read and objects that cannot be injected; these stay as they
    are. `notes` are sentences about what is odd and does no harm."""

    text: str
    outcomes: Iterable[Outcome] = ()
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)


def pieces(source: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """The documents of a stream, each with the number of lines before it and the separator that begins it. What follows
    an end mark (`...`) is a piece of its own: libyaml takes no document there without `---`.

    Raises `TooLarge`.
    """
    before = start = 0
    data, is_whole = b"", False
    while not is_whole or start < len(data):
        end = _end(data, start, is_whole=is_whole)
        if end is not None:
            piece, start = data[start:end], end
            if len(piece) > _BLOCK:
                # A long piece is not to be held twice.
                data, start = data[end:], 0
            yield before, piece
            before += piece.count(b"\n")
            continue
        data, start = data[start:], 0
        limit = LARGEST_LIST if lists.may_be_list(data) else LARGEST
        if len(data) > limit:
            raise TooLarge(before + 1, limit)
        # In proportion: a long document is neither put together of very many blocks nor held with as much behind it.
        block = source.read(max(_BLOCK, len(data) // 4))
        data += block
        is_whole = not block


# Bytes that are read at a time.
_BLOCK: Final = 1 << 16
_MARK: Final = re.compile(rb"^(---|\.\.\.)(?=[ \t\r\n]|\Z)", re.MULTILINE)


def _end(data: bytes, start: int, *, is_whole: bool) -> int | None:
    """Where the piece ends that starts there: before a separator, behind the line of an end mark. None where that does
    not stand in the data so far."""
    mark = _MARK.search(data, start)
    if mark and mark[1] == b"---" and mark.start() == start:
        mark = _MARK.search(data, mark.end())
    if mark and (is_whole or mark.end() < len(data)):
        line_break = data.find(b"\n", mark.end()) if mark[1] == b"..." else mark.start() - 1
        if line_break >= 0:
            return line_break + 1
    return len(data) if is_whole else None


def rewrite(file: str, before: int, data: bytes, change: Change, *, with_bodies: bool = False) -> Rewritten:
    """A piece of a stream after a change of each object in it; `before` is the number of lines before the piece.
    `with_bodies`: keep the values of its documents."""
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError as error:
        from webhook.yaml.wording import undecodable

        line, column, message = undecodable(error)
        return Rewritten("", problems=[Problem(file, before + line, message, column)])
    mark = "\ufeff" if whole.startswith("\ufeff") else ""
    text = whole.removeprefix(mark)
    parts = lists.cut(text)
    if parts is not None:
        try:
            return _List(file, before, text, change, with_bodies=with_bodies).rewritten(mark, parts)
        except lists.Uncut:
            pass
    if len(data) > LARGEST:
        return Rewritten(whole, problems=[Problem(file, before + 1, too_large(LARGEST))])
    return _Piece(file, before, text, change, with_bodies=with_bodies).rewritten(mark)


class Document(NamedTuple):
    """A document: its node, whose marks count from `offset` in the piece, and its value."""

    node: yaml.Node
    value: Any
    doubled: bool
    anchored: bool
    offset: int = 0


class Maker:
    """Makes `Document`s of a text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def from_json(self, text: str, line: int) -> Document | None:
        value = orjson.loads(text)
        offset = 0
        for _ in range(line - 1):
            offset = self._text.index("\n", offset) + 1
        loader = Loader(text)
        try:
            loader.check_node()
            node = loader.get_node()
            return None if node is None else Document(node, value, False, False, offset)
        except (yaml.YAMLError, RecursionError) as error:
            raise Broken(line, f"JSON that YAML does not take: {error}") from None
        finally:
            loader.dispose()

    def from_yaml(self, loader: Loader, node: yaml.Node, before: int) -> Document | None:
        build = Build(loader)
        value = build.document(node)
        return None if value is None else Document(node, value, build.doubled, loader.anchored)


class _Part(NamedTuple):
    """What was composed at once: its node, the number of lines above its text, and its path in the document."""

    node: yaml.Node
    above: int
    path: Path = ()

    def line(self, path: nodes.Path = ()) -> int:
        """The line of a field, by its path in this part."""
        mark = nodes.find(self.node, path).start_mark
        return self.above + (mark.line if mark else 0) + 1


class _Changes:
    """What becomes of the objects of a piece of a stream."""

    def __init__(self, file: str, before: int, text: str, change: Change, *, with_bodies: bool) -> None:
        self._file = file
        self._before = before
        self._text = text
        self._may_have_tags = "!" in text
        self._is_ascii = text.isascii()
        self._change = change
        self._outcomes: list[Outcome] = []
        self._problems: list[Problem] = []
        self._notes: list[Problem] = []
        self._bodies: list[Any] | None = [] if with_bodies else None

    def _problem(self, line: int, message: str) -> None:
        self._problems.append(Problem(self._file, line, message))

    def _note(self, line: int, message: str) -> None:
        self._notes.append(Problem(self._file, line, message))

    def _note_text(self, part: _Part, *, doubled: bool) -> None:
        """Note what is odd in the text of a part."""
        for path in nodes.doubles(part.node) if doubled else ():
            self._note(part.line(path), f"{path[-1]} stands here twice: the last one counts")
        for path, tag in nodes.foreign_tags(part.node) if self._may_have_tags else ():
            self._note(part.line(path), mistakes.about_tag(tag))
        for path, character in () if self._is_ascii else nodes.unseen(part.node):
            self._note(part.line(path), f"{render_path(path)}: {mistakes.about_unseen(character)}")

    def _note_mistakes(self, body: JSON, keys: nodes.Path, part: _Part) -> None:
        """Note what Kubernetes will refuse or cannot run of an object."""
        kind, group = text(body, "kind"), group_of(body)
        template = _POD if (kind, group) == ("Pod", CORE) else templates.find(group, kind, body)
        for mistake in mistakes.find(body, template, is_policy=False):
            line = part.line((*keys, *mistake.path))
            self._note(line, f"{_named(body)}: {render_path(mistake.path)}: {mistake.message}")

    def _changed(self, value: JSON, part: _Part, around: JSON | None = None) -> JSON:
        """A value, an object or a list of them, after the change of each object; `around` is the list that it is in."""
        changed: list[tuple[Path, JSON]] = []
        for path, body in within(value, around=around):
            new = self._object(body, path, part)
            if new is not body:
                changed.append((path, new))
        return with_items(value, changed)

    def _object(self, body: Any, path: Path, part: _Part) -> Any:
        """An object after the change; `path` is where it is in the part."""
        keys = _keys(path)
        if not isinstance(body, dict):
            self._problem(part.line(keys), not_an_object((*part.path, *path)))
            return body
        if wrong := malformed(body):
            self._problem(part.line(keys), f"{_named(body)}: {wrong}")
            return body
        try:
            outcome = self._change(body)
        except Refusal as refusal:
            self._problem(part.line((*keys, *refusal.field)), f"{_named(body)}: {refusal.message}")
            return body
        self._note_mistakes(body, keys, part)
        self._outcomes.append(outcome.without_body())
        if outcome.problem:
            self._problem(part.line((*keys, *outcome.at)), f"{_named(body)}: {outcome.problem}")
        return outcome.body


class _Piece(_Changes):
    """A piece whose documents are composed as a whole."""

    def rewritten(self, mark: str) -> Rewritten:
        """What has become of it, with the byte order mark that it had."""
        changes: list[edit.Edit] = []
        for made in load.documents(self._text, Maker(self._text), self._before):
            if isinstance(made, Broken):
                self._problems.append(Problem(self._file, made.line, made.message, made.column))
            elif made.body is not None:
                changes += self._document(made.body)
        text = edit.apply(self._text, changes) if changes else self._text
        return Rewritten(mark + text, self._outcomes, self._problems, self._notes, self._bodies or [])

    def _document(self, document: Document) -> list[edit.Edit]:
        part = _Part(document.node, self._before + self._text.count("\n", 0, document.offset))
        if not isinstance(document.value, dict):
            kind = "a list" if isinstance(document.value, list) else show(document.value)
            self._problem(part.line(), f"this document is {kind}: write a Kubernetes object, with apiVersion and kind")
            return []
        self._note_text(part, doubled=document.doubled)
        value = self._changed(document.value, part)
        if self._bodies is not None:
            self._bodies.append(value)
        if value is document.value:
            return []
        rest = self._text[document.offset :] if document.offset else self._text
        changes = edit.edits(rest, document.node, document.value, value, anchored=document.anchored)
        return [change.moved(document.offset) for change in changes] if document.offset else changes


class _List(_Changes):
    """A piece that is a List, composed item by item."""

    def rewritten(self, mark: str, parts: lists.Cut) -> Rewritten:
        """What has become of it, with the byte order mark that it had. Raises `lists.Uncut`."""
        outcomes, values = Outcomes(), []
        texts, changes, done = [mark], list[edit.Edit](), 0
        for number, (item, entry) in enumerate(lists.entries(self._text, parts, LARGEST)):
            if number % _AT_ONCE == 0:
                # Edits and outcomes take more memory than the text of a small object.
                texts.append(edit.apply(self._text[done : item.start], changes))
                outcomes.extend(self._outcomes)
                changes, self._outcomes, done = [], [], item.start
            value = self._item(entry, _Part(entry.node, self._before + item.line, ("items", str(number))), parts.around)
            if self._bodies is not None:
                values.append(value)
            if value is not entry.value:
                changes += [change.moved(item.start - done) for change in entry.edits(value)]
        outcomes.extend(self._outcomes)
        texts.append(edit.apply(self._text[done:], changes))
        bodies = [{**parts.around, "items": values}] if self._bodies is not None else []
        return Rewritten("".join(texts), outcomes, self._problems, self._notes, bodies)

    def _item(self, entry: lists.Entry, part: _Part, around: JSON) -> Any:
        self._note_text(part, doubled=entry.doubled)
        return None if entry.value is None else self._changed(entry.value, part, around)


_POD: Final = Template((), "pod")
_EXAMPLES: Final = {"kind": "Deployment", "apiVersion": "apps/v1"}
# Items of a List.
_AT_ONCE: Final = 256


def _named(body: JSON) -> str:
    return f"{text(body, 'kind') or 'object'} {name_of(body)}".strip()


def not_an_object(path: Path) -> str:
    """That an item of a list, at this path, cannot be changed."""
    return f"{'.'.join(path)} is not an object: write one, or leave it out"


def malformed(body: JSON) -> str:
    """Why an object cannot be one, "" where it can: what every object has must be of the right type."""
    for key in ("kind", "apiVersion"):
        value = body.get(key)
        if value is not None and not isinstance(value, str):
            return f"{key} is {show(value)}, and must be a string: write {_EXAMPLES[key]} for example"
    return ""


def _keys(path: Path) -> tuple[str | int, ...]:
    return tuple(int(part) if part.isdigit() else part for part in path)


def with_items(value: JSON, changed: list[tuple[Path, JSON]]) -> JSON:
    """A document, or a list, with the objects at these paths replaced; the same value where there are none.

    An item of a list of one kind need not say what it is.
    """
    out: JSON = _with_items(value, changed) if changed else value
    return out


def _with_items(value: Any, changed: list[tuple[Path, JSON]]) -> Any:
    path, body = changed[0]
    if not path:
        return {key: entry for key, entry in body.items() if key in value or key not in ("apiVersion", "kind")}
    below: dict[str, list[tuple[Path, JSON]]] = {}
    for path, body in changed:
        below.setdefault(path[0], []).append((path[1:], body))
    if isinstance(value, list):
        out = list(value)
        for number, within_it in below.items():
            out[int(number)] = _with_items(value[int(number)], within_it)
        return out
    return {**value, **{key: _with_items(value[key], within_it) for key, within_it in below.items()}}
