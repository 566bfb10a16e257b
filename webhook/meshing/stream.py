"""Works through streams of manifests, document by document, and edits the text of what changes.

A stream may be larger than memory: it is read up to the next separator, and no further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import yaml

from webhook.injector.refusal import Refusal
from webhook.kube.fields import text
from webhook.manifest import load, nodes
from webhook.manifest.files import Problem
from webhook.meshing.kinds import Path, name_of, within
from webhook.meshing.outcome import Outcome
from webhook.review import JSON
from webhook.yaml import edit
from webhook.yaml.objects import Broken, Build, Loader

Change = Callable[[JSON], Outcome]


# Bytes of a document, whose nodes take some sixty times as much memory. An object has at most 1.5 MiB in etcd, and a
# List of this size has some ten thousand.
LARGEST: Final = 32 * 1024 * 1024


class TooLarge(ValueError):
    """A document has more than `LARGEST` bytes: `line` is its first one."""

    def __init__(self, line: int) -> None:
        size = LARGEST // (1024 * 1024)
        super().__init__(f"this document has more than {size} MiB: pass fewer objects, such as those of one Namespace")
        self.line = line


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A piece of a stream. `text` is what has become of it, `bodies` the values of its documents, where these were
    asked for. `problems` are documents that cannot be read and objects that cannot be injected; these stay as they
    are. `notes` are sentences about what is odd and does no harm."""

    text: str
    outcomes: list[Outcome] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)


def pieces(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The documents of a stream that comes line by line, each with the number of lines before it and the separator that
    begins it. What follows an end mark (`...`) is a piece of its own: libyaml takes no document there without `---`.

    Raises `TooLarge`.
    """
    before = size = 0
    held: list[bytes] = []
    for number, line in enumerate(lines):
        size += len(line)
        if size > LARGEST:
            raise TooLarge(before + 1)
        mark = line[:3]
        if mark not in _MARKS or line[3:4] not in _BEHIND_MARK:
            held.append(line)
            continue
        if held and mark == b"---":
            yield before, b"".join(held)
            before, held, size = number, [], len(line)
        held.append(line)
        if mark == b"...":
            yield before, b"".join(held)
            before, held, size = number + 1, [], 0
    if held:
        yield before, b"".join(held)


_MARKS: Final = (b"---", b"...")
_BEHIND_MARK: Final = (b"", b" ", b"\t", b"\n", b"\r")


def rewrite(file: str, before: int, data: bytes, change: Change) -> Rewritten:
    """A piece of a stream after a change of each object in it; `before` is the number of lines before the piece."""
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = before + data.count(b"\n", 0, error.start) + 1
        return Rewritten("", problems=[Problem(file, line, "not UTF-8: save the file as UTF-8")])
    mark = "\ufeff" if whole.startswith("\ufeff") else ""
    return _Piece(file, before, whole.removeprefix(mark), change).rewritten(mark)


@dataclass(frozen=True, slots=True)
class Document:
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


class _Piece:
    """One piece of a stream."""

    def __init__(self, file: str, before: int, text: str, change: Change) -> None:
        self._file = file
        self._before = before
        self._text = text
        self._change = change
        self._outcomes: list[Outcome] = []
        self._problems: list[Problem] = []
        self._notes: list[Problem] = []
        self._bodies: list[Any] = []

    def rewritten(self, mark: str) -> Rewritten:
        """What has become of it, with the byte order mark that it had."""
        changes: list[edit.Edit] = []
        for made in load.documents(self._text, Maker(self._text), self._before):
            if isinstance(made, Broken):
                self._problems.append(Problem(self._file, made.line, made.message, made.column))
            elif made.body is not None:
                changes += self._document(made.body)
        text = edit.apply(self._text, changes) if changes else self._text
        return Rewritten(mark + text, self._outcomes, self._problems, self._notes, self._bodies)

    def _document(self, document: Document) -> list[edit.Edit]:
        line = self._line(document, ())
        if not isinstance(document.value, dict):
            kind = "a list" if isinstance(document.value, list) else "no object"
            self._problems.append(Problem(self._file, line, f"this document is {kind}: write a Kubernetes object"))
            return []
        if document.doubled:
            for path in nodes.doubles(document.node):
                where = self._line(document, path)
                self._notes.append(Problem(self._file, where, f"{path[-1]} stands here twice: the last one counts"))
        changed: list[tuple[Path, JSON]] = []
        try:
            for path, body in within(document.value):
                outcome = self._object(body, self._line(document, _keys(path)))
                if outcome is not None and outcome.body is not body:
                    changed.append((path, outcome.body))
        except Refusal as refusal:
            self._problems.append(Problem(self._file, line, f"{text(document.value, 'kind')}: {refusal.message}"))
        value = with_items(document.value, changed)
        self._bodies.append(value)
        if value is document.value:
            return []
        rest = self._text[document.offset :] if document.offset else self._text
        changes = edit.edits(rest, document.node, document.value, value, anchored=document.anchored)
        return [edit.Edit(one.start + document.offset, one.end + document.offset, one.text) for one in changes]

    def _object(self, body: JSON, line: int) -> Outcome | None:
        where = f"{text(body, 'kind') or 'object'} {name_of(body)}".strip()
        wrong = malformed(body)
        if not wrong:
            try:
                outcome = self._change(body)
            except Refusal as refusal:
                wrong = refusal.message
        if wrong:
            self._problems.append(Problem(self._file, line, f"{where}: {wrong}"))
            return None
        self._outcomes.append(outcome)
        if outcome.problem:
            self._problems.append(Problem(self._file, line, f"{where}: {outcome.problem}"))
        return outcome

    def _line(self, document: Document, path: tuple[str | int, ...]) -> int:
        mark = nodes.find(document.node, path).start_mark
        above = self._text.count("\n", 0, document.offset)
        return self._before + above + (mark.line if mark else 0) + 1


def malformed(body: JSON) -> str:
    """Why an object cannot be one, "" where it can: what every object has must be of the right type."""
    for key in ("kind", "apiVersion"):
        value = body.get(key)
        if value is not None and not isinstance(value, str):
            return f"{key} is {orjson.dumps(value).decode()[:60]}, and must be a text: write a Kubernetes kind"
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
