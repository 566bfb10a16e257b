"""What is wrong with a YAML text, in plain words: the place of the mistake, and what to write instead.

libyaml reports where it could not go on, which is often a line below the mistake, in the terms of its grammar. Its own
words follow in parentheses, so that they can be searched for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import yaml

# Line breaks as libyaml counts them.
_BREAKS: Final = "\n\r\x85\u2028\u2029"
_BREAK: Final = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_CONFLICT: Final = re.compile(r"^(?:<{7}|>{7}) .*", re.MULTILINE)
_MARKED: Final = re.compile(r"^\ufeff", re.MULTILINE)
_ENGINES: Final = (("{%", "Jinja"), ("<%", "ERB"), ("{{", "Helm"))
_KEY: Final = re.compile(r"[ ]*(?:- +)*(?P<key>[^\s#\[{\"'][^:#]*|\"[^\"]*\"|'[^']*'):(?: +(?P<value>[^#].*)|$)")
_WORDS: Final = re.compile(r"[ ]*(?:- +)?(?P<key>[A-Za-z][\w./-]*)[ ]+(?P<value>\S+)\s*")
_GLUED: Final = re.compile(r"[ ]*(?:- +)?(?P<key>[A-Za-z][\w./-]*):(?P<value>\S+)\s*")
_BLOCK: Final = re.compile(r":[ ]+(?:[!&]\S+[ ]+)?[|>][-+0-9]*[ ]*(?:#.*)?$")
# Characters before another that are searched for the beginning of its line, and lines above it that are looked at.
_WINDOW: Final = 64 * 1024
_MOST_LINES: Final = 5000
# Characters of the text that a message repeats at most.
_LONGEST: Final = 60

# Names of the control characters that somebody has met before.
_CONTROLS: Final = {
    0: "NUL",
    7: "BEL",
    8: "backspace",
    12: "form feed",
    27: "ESC, as in colours of a terminal",
    127: "DEL",
}


# How files begin that are not UTF-8.
_FORMS: Final = (
    (b"\xff\xfe\0\0", "UTF-32: save the file as UTF-8"),
    (b"\0\0\xfe\xff", "UTF-32: save the file as UTF-8"),
    (b"\xff\xfe", "UTF-16: save the file as UTF-8"),
    (b"\xfe\xff", "UTF-16: save the file as UTF-8"),
    (b"\x1f\x8b", "compressed by gzip: unpack it first"),
    (b"PK\x03\x04", "a ZIP archive: unpack it first"),
)


class Mistake(NamedTuple):
    """What is wrong, and where: `at` counts the characters of the text before it."""

    message: str
    at: int


def place(text: str, index: int) -> tuple[int, int]:
    """The line and the column of a character, both from 1."""
    if not any(mark in text for mark in _BREAKS[1:]):
        return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)
    line, start = 1, 0
    for match in _BREAK.finditer(text, 0, index):
        line, start = line + 1, match.end()
    return line, index - start + 1


def undecodable(error: UnicodeDecodeError) -> tuple[int, int, str]:
    """Line, column (0: the whole line) and message of bytes that are not UTF-8."""
    data, start = error.object, error.start
    for begin, name in _FORMS:
        if data.startswith(begin):
            return 1, 0, f"not UTF-8 but {name}"
    line = data.count(b"\n", 0, start) + 1
    column = len(data[data.rfind(b"\n", 0, start) + 1 : start].decode("utf-8", "replace")) + 1
    return line, column, f"not UTF-8: the byte 0x{data[start]:02X} stands here: save the file as UTF-8"


def unprintable(text: str, character: int, index: int) -> Mistake:
    """The mistake of a character that YAML does not allow; `index` counts the bytes before it, as libyaml does."""
    index = len(text.encode("utf-8", "surrogatepass")[:index].decode("utf-8", "ignore"))
    if character == 0 and text.count("\0", 0, 400) > len(text[:400]) // 4:
        return Mistake("every other byte is NUL, as in UTF-16: save the file as UTF-8", index)
    known = f" ({_CONTROLS[character]})" if character in _CONTROLS else ""
    # What a program of another encoding writes for quotes and dashes.
    kind = "control character" if character < 0xA0 else "character"
    return Mistake(
        f"the {kind} U+{character:04X}{known} is not allowed in YAML: remove it, or write "
        f'"\\x{character:02x}" within double quotes',
        index,
    )


def explain(error: yaml.MarkedYAMLError, text: str) -> Mistake | None:
    """The mistake that an error of libyaml, or of PyYAML's own parser, is about; None where it has no place."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return None
    problem, context = error.problem or "", error.context or ""
    breaks = "".join(character for character in _BREAKS if character in text)
    case = _Case(text, problem, context, mark.index, (error.context_mark or mark).index, breaks)
    mistake = _conflict(case) or _other_form(case) or _words(case)
    original = " ".join(part for part in (context, problem) if part)
    return Mistake(f"{mistake.message} (YAML: {original})", mistake.at)


class _Case(NamedTuple):
    """An error: libyaml's words, where it stopped (`at`), and where what it was reading begins (`begin`); `breaks`
    are the characters of the text that break lines."""

    text: str
    problem: str
    context: str
    at: int
    begin: int
    breaks: str

    def start(self, index: int) -> int:
        """Where the line of a character begins; lines longer than `_WINDOW` may begin there."""
        window = max(0, index - _WINDOW)
        end = max((self.text.rfind(mark, window, index) for mark in self.breaks), default=-1)
        return end + 1 if end >= 0 else window

    def line(self, index: int) -> str:
        """The line of a character."""
        start = self.start(index)
        end = _BREAK.search(self.text, start)
        return self.text[start : end.start() if end else len(self.text)]

    def above(self, index: int) -> tuple[int, str] | None:
        """Where the nearest line above that has more than blanks and a comment begins, and the line."""
        start = self.start(index)
        for _ in range(_MOST_LINES):
            if start == 0:
                break
            start = self.start(start - 1)
            line = self.line(start)
            if line.strip() and not line.lstrip().startswith("#"):
                return start, line
        return None

    def number(self, index: int) -> int:
        """The number of a character's line."""
        return place(self.text, index)[0]

    @property
    def ended(self) -> bool:
        """Whether nothing but blanks follows."""
        return not self.text[self.at :].strip()


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _conflict(case: _Case) -> Mistake | None:
    """A merge that was not finished."""
    match = _CONFLICT.search(case.text)
    if match is None:
        return None
    return Mistake(
        f'"{_short(match[0])}" is left over from a merge conflict: keep one of the two sides, and remove the marks',
        match.start(),
    )


def _other_form(case: _Case) -> Mistake | None:
    """A text that is no YAML at all, or that another program has taken apart."""
    begin = len(case.text) - len(case.text.lstrip())
    if case.text[begin : begin + 9].lower().startswith(("<!doctype", "<html", "<?xml")):
        return Mistake("this is a page of HTML or XML, not YAML: fetch the file itself (GitHub: Raw)", begin)
    for index in (case.begin, case.at):
        start = case.start(index)
        if "\n" in case.text and case.text[start - 1 : start] == "\r" and case.text[start : start + 1] != "\n":
            return Mistake(
                "a lone carriage return (CR, U+000D) begins a line here: remove it, or end each line with LF", start
            )
    mark = _MARKED.search(case.text)
    if mark is not None:
        return Mistake(
            "a byte order mark (U+FEFF, which editors do not show) stands here: remove it; where files were joined, "
            "each may have brought one",
            mark.start(),
        )
    return None


def _words(case: _Case) -> Mistake:
    explained = _PROBLEMS.get(case.problem) or next(
        (explanation for part, explanation in _CONTEXTS.items() if part in case.context), None
    )
    if explained is None:
        return Mistake("this is not YAML", case.at)
    return explained(case) if callable(explained) else Mistake(explained, case.at)


def _two_colons(case: _Case) -> Mistake:
    """ "mapping values are not allowed in this context": a colon where no key can be."""
    start, line = case.start(case.at), case.line(case.at)
    before = line[: case.at - start]
    above = case.above(case.at)
    for begin, whole in ((start, line), above or (start, line)):
        if re.match(r"---\s+\S", whole):
            return _behind_separator(begin)
    entry = _KEY.match(line)
    if entry and entry["value"] and entry.end("key") < len(before):
        value = entry["value"].strip()
        written = f'"{value}"' if not set(value) & set('"\\') else "'" + value.replace("'", "''") + "'"
        message = (
            f'": " stands twice in this line, and a value with ": " needs quotes: write '
            f"{_short(entry['key'])}: {_short(written)}"
        )
        return Mistake(message, start + entry.start("value"))
    first = start + len(line) - len(line.lstrip())
    if above is None:
        return Mistake("a colon stands here where no key can be: put the text in quotes", case.at)
    where, upper = above[0], above[1]
    glued = re.match(r"[ ]*-(?=[^\s-])", upper)
    if glued:
        return Mistake(
            f'a list item needs a space after "-": write - {_short(upper.strip()[1:])}', where + glued.end() - 1
        )
    if _column(line) <= _column(upper) and not _KEY.match(upper):
        return _neither(case, where + _column(upper))
    return Mistake(
        f'this line continues the value of line {case.number(where)}, "{_short(upper)}", as it is indented deeper: '
        f"to begin another key, indent it by {_spaces(_column(upper))} as the key of that line",
        first,
    )


def _behind_separator(start: int) -> Mistake:
    return Mistake("text stands after ---: write it in a line of its own below", start)


def _no_colon(case: _Case) -> Mistake:
    """ "could not find expected ':'": a line that is neither a key nor an item."""
    start, line = case.start(case.begin), case.line(case.begin)
    for mark, engine in _ENGINES:
        if line.lstrip().startswith(mark):
            return _template(engine, start + line.index(mark))
    if line.startswith("---"):
        return (
            _behind_separator(start)
            if line[3:4].isspace()
            else Mistake("--- needs a line of its own: begin the text in the next line", start)
        )
    return _neither(case, case.begin)


def _neither(case: _Case, index: int) -> Mistake:
    """The line of a character is neither a key nor an item."""
    line, above = case.line(index), case.above(index)
    rest = line[index - case.start(index) :]
    message = 'this line is neither "key: value" nor "- item"'
    if glued := _GLUED.fullmatch(line):
        message += f": write a space after the colon: {glued['key']}: {_short(glued['value'])}"
    elif rest[:1] in "\"'" and rest.count(rest[0]) == 1:
        return _open_quote(case)
    elif above and _BLOCK.search(above[1]):
        message += (
            f": if it belongs to the text that begins in line {case.number(above[0])}, indent it deeper than that line"
        )
    elif words := _WORDS.fullmatch(line):
        message += f": write a colon after the key: {words['key']}: {_short(words['value'])}"
    else:
        message += ': write it as one of both, or put "#" before it to make it a comment'
    return Mistake(message, index)


def _no_token(case: _Case) -> Mistake:
    """ "found character that cannot start any token"."""
    character = case.text[case.at : case.at + 1]
    if character == "\t":
        return _tab(case)
    for mark, engine in _ENGINES:
        if case.text.startswith(mark, max(0, case.at - 1)) or case.text.startswith(mark, case.at):
            return _template(engine, case.at - (case.text[case.at] != mark[0]))
    line = case.line(case.at)
    value = line[case.at - case.start(case.at) :].split(" #")[0].strip()
    return Mistake(f'a text must not begin with {character}: put it in quotes: "{_short(value)}"', case.at)


def _template(engine: str, index: int) -> Mistake:
    return Mistake(f"a template ({engine}), not YAML: render it first", index)


def _tab(case: _Case) -> Mistake:
    line, start = case.line(case.at), case.start(case.at)
    tab = line.index("\t") if "\t" in line else case.at - start
    if not line[:tab].strip():
        return Mistake("a tab indents this line, and YAML allows spaces only: write spaces in place of it", start + tab)
    return Mistake("a tab stands here, and YAML allows spaces only: write a space in place of it", start + tab)


def _undefined_alias(case: _Case) -> Mistake:
    name = re.match(r"\*([\w-]+)", case.text[case.at :])
    if name is None:
        return Mistake("no anchor of this name stands above: write the value itself", case.at)
    return Mistake(
        f"*{name[1]} repeats the value that &{name[1]} marks, and no &{name[1]} stands above it in this document: "
        f'write the value itself; if it is a text, put it in quotes: "*{name[1]}"',
        case.at,
    )


def _no_name(case: _Case) -> Mistake:
    """A "*" or "&" without the name of an anchor."""
    line, start = case.line(case.begin), case.start(case.begin)
    value = re.match(r"[^\s,\]}]+", line[case.begin - start :])
    written = value[0] if value else line[case.begin - start :]
    return Mistake(f'a text that begins with {written[:1]} needs quotes: write "{_short(written)}"', case.begin)


def _open_quote(case: _Case) -> Mistake:
    quote = case.text[case.begin : case.begin + 1]
    return Mistake(f"this quote is never closed: write another {quote} where the text ends", case.begin)


def _escape(case: _Case) -> Mistake:
    backslash = case.text.rfind("\\", case.begin, case.at + 1)
    written = _short(case.text[backslash : backslash + 2])
    return Mistake(
        f"{written} is not an escape that YAML knows: write \\\\ for a backslash, or put the text in single quotes",
        backslash,
    )


def _code(case: _Case) -> Mistake:
    backslash = case.text.rfind("\\", case.begin, case.at + 1)
    return Mistake(
        f"{case.text[backslash : backslash + 2]} needs the code of one character in hexadecimal digits "
        r"(\x41, \u20ac, \U0001f600): write these, or the character itself",
        backslash,
    )


def _half(case: _Case) -> Mistake:
    backslash = case.text.rfind("\\", case.begin, case.at + 1)
    written = re.match(r"\\\w+", case.text[backslash:])
    return Mistake(
        f"{_short(written[0]) if written else 'this'} is not the code of a character: write the character itself, as "
        "YAML has no pairs of codes",
        backslash,
    )


def _behind_block(case: _Case) -> Mistake:
    mark = case.text[case.begin : case.begin + 1]
    value = _short(case.line(case.begin)[case.begin - case.start(case.begin) :])
    return Mistake(
        f"text stands after {mark}, which begins a text of several lines: write it in the next line, indented; or "
        f'put it in quotes: "{value}"',
        case.begin,
    )


def _open_bracket(case: _Case) -> Mistake:
    """A flow mapping or sequence with something else in it than a comma or its end."""
    opened = case.text[case.begin : case.begin + 1]
    closing = "]" if opened == "[" else "}"
    if case.text.startswith("{{", case.begin):
        return _template("Helm", case.begin)
    if case.ended:
        return Mistake(f'"{opened}" is never closed: write "{closing}" where it ends', case.begin)
    here = case.text[case.at : case.at + 1]
    if here in "]}":
        return Mistake(
            f'"{here}" does not close the "{opened}" of line {case.number(case.begin)}: write "{closing}"', case.at
        )
    above = case.above(case.at)
    comment = re.compile(r"(?<![^\s,])(?://|/\*)").search(case.text, above[0] if above else case.begin, case.at + 2)
    if comment:
        return Mistake(f'{comment[0]} does not begin a comment: write "#", or remove it', comment.start())
    line, start = case.line(case.at), case.start(case.at)
    key = here == ":" and start > case.begin and "," not in line[: case.at - start]
    return Mistake(
        f'a "," or the "{closing}" to the "{opened}" of line {case.number(case.begin)} is missing before this',
        start + _column(line) if key else case.at,
    )


def _no_key(case: _Case) -> Mistake:
    """ "did not find expected key": what cannot follow within a mapping."""
    start, line = case.start(case.at), case.line(case.at)
    before = line[: case.at - start]
    brace = before.find("{{")
    if brace >= 0:
        return _template("Helm", start + brace)
    if not before.strip():
        return _indentation(case)
    quote = before.rstrip()[-1]
    if quote in "\"'":
        if before.count(quote) % 2:
            return Mistake(
                f"the {quote} before this closes one of a line above: look there for a quote that is never closed",
                case.at - 1,
            )
        inner = " (a ' within single quotes is written '')" if quote == "'" else ""
        return Mistake(f"text stands after a closing quote: put the whole value within the quotes{inner}", case.at)
    here = line[len(before) : len(before) + 1]
    if here in "]}":
        return Mistake(f'"{here}" closes nothing: remove it', case.at)
    return Mistake(f'"{_short(line[len(before) :])}" cannot stand after "{_short(before)}": remove it', case.at)


def _indentation(case: _Case) -> Mistake:
    """A line whose indentation fits none above it."""
    line = case.line(case.at)
    is_item = line.lstrip().startswith("- ")
    here = case.at - case.start(case.at)
    if line.lstrip()[:1] in "]}":
        return Mistake(f'"{line.lstrip()[:1]}" closes nothing: remove it', case.at)
    deeper: tuple[int, int] | None = None
    index = case.at
    message = f"this line is indented by {_spaces(here)}, and no line that it could belong to is"
    for _ in range(_MOST_LINES):
        above = case.above(index)
        if above is None:
            break
        index, upper = above
        column = len(upper) - len(upper.lstrip()) if is_item else _column(upper)
        if column == here:
            break
        if column < here:
            shallower = f"{_spaces(column)} as line {case.number(index)}"
            way = f"{_spaces(deeper[0])} as line {case.number(deeper[1])}, or by {shallower}" if deeper else shallower
            return Mistake(f"{message}: indent it by {way}", case.at)
        if deeper is None or column < deeper[0]:
            deeper = column, index
    else:
        return Mistake(message, case.at)
    if is_item:
        return Mistake("a list item stands here among keys: write key: value, or indent the list deeper", case.at)
    return Mistake('a key stands here in a list: write "- " before it, or indent it as the keys of an item', case.at)


def _column(line: str) -> int:
    """How far the key of a line is indented, behind the marks of list items."""
    match = re.match(r"[ ]*(?:- +)*", line)
    return match.end() if match else 0


def _spaces(count: int) -> str:
    return "1 space" if count == 1 else f"{count} spaces"


def _no_dash(case: _Case) -> Mistake:
    here, around = case.at - case.start(case.at), case.begin - case.start(case.begin)
    if here != around:
        return _indentation(case)
    return Mistake(
        f'this line stands in the list that begins in line {case.number(case.begin)} and has no "- ": write it for '
        f"another item; if the line belongs to the item above, indent it by more than {_spaces(around)}; if the list "
        "ends here, indent it as the key above the list",
        case.at,
    )


def _no_start(case: _Case) -> Mistake:
    if case.text.lstrip().startswith("{{"):
        return _template("Helm", case.text.index("{{"))
    return Mistake("text stands after the end of the document: begin another with --- in a line of its own", case.at)


def _no_value(case: _Case) -> Mistake:
    if case.text.startswith("{{", max(0, case.at - 1)):
        return _template("Helm", case.at - 1)
    if case.text.startswith("{%", max(0, case.at - 1)):
        return _template("Jinja", case.at - 1)
    here = case.text[case.at : case.at + 1]
    if case.ended:
        opened = max(case.text.rfind("[", 0, case.at), case.text.rfind("{", 0, case.at))
        if opened >= 0:
            closing = "]" if case.text[opened] == "[" else "}"
            return Mistake(f'"{case.text[opened]}" is never closed: write "{closing}" where it ends', opened)
        return Mistake("a value is missing here", case.at)
    if here and here in ",]}":
        return Mistake(
            f'a value is missing before "{here}": write one, or put a text that begins so in quotes', case.at
        )
    return Mistake("a value is missing here: write one", case.at)


def _directive(case: _Case) -> Mistake:
    return Mistake(
        'a line that begins with "%" is a directive, and this one is not known: remove it',
        case.start(case.at),
    )


def _handle(case: _Case) -> Mistake:
    tag = re.match(r"\S+", case.text[case.begin :])
    name = tag[0] if tag else "!"
    return Mistake(
        f"{_short(name)} is a tag that nothing declares, and Kubernetes knows none: remove it, or put it in quotes",
        case.begin,
    )


def _tag(case: _Case) -> Mistake:
    written = re.match(r"\S+", case.text[case.begin :])
    value = _short(written[0] if written else "!")
    return Mistake(f'a text must not begin with !, which begins a tag: put it in quotes: "{value}"', case.begin)


def _item_here(case: _Case) -> Mistake:
    return Mistake(
        'a list cannot begin in the line of its key: write "- …" in the next line, or put a text in quotes', case.at
    )


_PROBLEMS: Final[Mapping[str, str | Callable[[_Case], Mistake]]] = {
    "mapping values are not allowed in this context": _two_colons,
    "mapping values are not allowed here": _two_colons,
    "mapping keys are not allowed in this context": 'a text must not begin with "? ": put it in quotes',
    "block sequence entries are not allowed in this context": _item_here,
    "could not find expected ':'": _no_colon,
    "found character that cannot start any token": _no_token,
    "found a tab character that violates indentation": _tab,
    "found a tab character where an indentation space is expected": _tab,
    "found undefined alias": _undefined_alias,
    "did not find expected alphabetic or numeric character": _no_name,
    "found unexpected end of stream": _open_quote,
    "found unexpected document indicator": _open_quote,
    "found unknown escape character": _escape,
    "did not find expected hexdecimal number": _code,
    "found invalid Unicode character escape code": _half,
    "did not find expected comment or line break": _behind_block,
    "did not find expected ',' or '}'": _open_bracket,
    "did not find expected ',' or ']'": _open_bracket,
    "did not find expected key": _no_key,
    "exceeded maximum nesting depth": "lists and mappings are nested too deeply here: write fewer levels",
    "did not find expected '-' indicator": _no_dash,
    "did not find expected <document start>": _no_start,
    "did not find expected node content": _no_value,
    "found unknown directive name": _directive,
    "found incompatible YAML document": _directive,
    "found undefined tag handle": _handle,
    "found unexpected ':'": 'within brackets, a ":" needs a space after it, or quotes around its text',
}
# By what was being read, where there are too many problems to name each.
_CONTEXTS: Final[Mapping[str, Callable[[_Case], Mistake]]] = {" directive": _directive, " a tag": _tag}
