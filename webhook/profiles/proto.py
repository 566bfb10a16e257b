"""Routes of a protobuf file: one for each rpc of its services.

Of the language only these are read: package, service, rpc and the option idempotency_level. The rest is passed over,
with its strings, comments and braces. https://protobuf.dev/reference/protobuf/proto3-spec/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from webhook.profiles.profile import Routes, Unreadable, quoted

_TOKEN: Final = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<word>\.?[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
    |(?P<number>\.?[0-9][A-Za-z0-9_.]*)
    |(?P<mark>[{}()\[\]<>;=,:.+/-])""",
    re.VERBOSE | re.DOTALL,
)
_UNCLOSED: Final = {
    '"': 'a text begins here and does not end on its line: close it with "',
    "'": "a text begins here and does not end on its line: close it with '",
    "/": "a comment begins here and never ends: close it with */",
}
_SKIPPED: Final = frozenset({"syntax", "edition", "import", "option", "message", "enum", "extend", "export", "local"})
_RETRYABLE: Final = frozenset({"IDEMPOTENT", "NO_SIDE_EFFECTS"})
_END: Final = ""


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def proto_routes(text: str) -> Routes:
    """The routes of a protobuf file's text, in its order. Raises `Unreadable`."""
    return _Reader(text).read()


def _tokens(text: str) -> Iterator[_Token]:
    position, line = 0, 1
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or (text.startswith("/*", position) and match.lastgroup != "space"):
            character = text[position]
            why = _UNCLOSED.get(character, f"{character!r} is not part of the protobuf language: remove it")
            raise Unreadable(line, why)
        if match.lastgroup != "space":
            yield _Token(match.lastgroup or "", match[0], line)
        line += match[0].count("\n")
        position = match.end()
    yield _Token("end", _END, line)


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._token = next(self._tokens)
        self._package = ""
        self._early = ""
        self._out = Routes()
        self._services = 0

    def read(self) -> Routes:
        """All statements."""
        while self._token.kind != "end":
            word = self._take()
            if word.text == "package":
                self._read_package(word)
            elif word.text == "service":
                self._read_service()
            elif word.text in _SKIPPED:
                self._skip(word)
            elif word.text != ";":
                raise self._unexpected(word, "package, service, message or another statement of a proto file")
        if not self._services:
            self._out.note(0, "there is no service in it, so the ServiceProfile has no routes: name a file with one")
        elif not self._out.routes:
            self._out.note(0, "its services have no rpc, so the ServiceProfile has no routes")
        return self._out

    def _read_package(self, at: _Token) -> None:
        self._package = self._word("the package's name, such as shop.v1")
        self._expect(";", f"package {self._package}")
        if self._early:
            message = (
                f"the package is named after the service {self._early}, whose routes are therefore written without it:"
                " move this line above the services"
            )
            self._out.note(at.line, message)

    def _read_service(self) -> None:
        name = self._word("the service's name")
        opened = self._token
        self._expect("{", f"service {name}")
        self._services += 1
        if not self._package:
            self._early = self._early or name
        while self._token.text != "}":
            word = self._take()
            if word.kind == "end":
                raise Unreadable(opened.line, f"the service {name} is not closed: write }} after its last rpc")
            if word.text == "rpc":
                self._read_rpc(name)
            elif word.text in ("option", "stream"):
                self._skip(word)
            elif word.text != ";":
                raise self._unexpected(word, f"rpc, option or }} in the service {name}")
        self._take()

    def _read_rpc(self, service: str) -> None:
        name = self._word(f"the name of an rpc of the service {service}")
        about = f"rpc {name}"
        self._read_type(about)
        if self._token.text != "returns":
            raise self._unexpected(self._token, f"returns (TYPE) after {about}")
        self._take()
        self._read_type(about)
        retryable = self._read_options(about) if self._token.text == "{" else self._end_of(about)
        full = f"{self._package}.{service}" if self._package else service
        route = {"condition": {"method": "POST", "pathRegex": quoted(f"/{full}/{name}")}, "name": name}
        self._out.routes.append(route | {"isRetryable": True} if retryable else route)

    def _end_of(self, about: str) -> bool:
        self._expect(";", about)
        return False

    def _read_type(self, about: str) -> None:
        self._expect("(", about)
        first = self._word(f"the type of a message in {about}")
        if first == "stream" and self._token.text != ")":
            self._word(f"the type of a message in {about}")
        self._expect(")", about)

    def _read_options(self, about: str) -> bool:
        """Whether the first idempotency_level among an rpc's options allows retries."""
        opened = self._take()
        level = ""
        while self._token.text != "}":
            word = self._take()
            if word.kind == "end":
                raise Unreadable(opened.line, f"{about} is not closed: write }} after its options")
            if word.text == "option":
                level = level or self._read_option(word)
            elif word.text != ";":
                raise self._unexpected(word, f"option or }} in {about}")
        self._take()
        return level in _RETRYABLE

    def _read_option(self, at: _Token) -> str:
        """The value of the option idempotency_level, "" for another option."""
        words = [token.text for token in self._skip(at)]
        name, equals, value = "".join(words[:-1]).partition("=")
        return value.strip("\"'") if equals and name.strip("()") == "idempotency_level" else ""

    def _skip(self, first: _Token) -> list[_Token]:
        """Pass over a statement: up to its semicolon, or the brace that closes its body."""
        passed: list[_Token] = []
        depth = 0
        ends_with_brace = first.text not in ("option", "syntax", "edition", "import")
        while True:
            token = self._take()
            passed.append(token)
            if token.kind == "end" or (token.text == "}" and not depth):
                raise Unreadable(first.line, f"{first.text} is not closed: write ; or }} at its end")
            depth += (token.text == "{") - (token.text == "}")
            if not depth and (token.text == ";" or (token.text == "}" and ends_with_brace)):
                return passed

    def _take(self) -> _Token:
        taken = self._token
        if taken.kind != "end":
            self._token = next(self._tokens)
        return taken

    def _word(self, wanted: str) -> str:
        if self._token.kind != "word":
            raise self._unexpected(self._token, wanted)
        return self._take().text

    def _expect(self, mark: str, about: str) -> None:
        if self._token.text != mark:
            raise self._unexpected(self._token, f"{mark} after {about}")
        self._take()

    def _unexpected(self, token: _Token, wanted: str) -> Unreadable:
        result = "the file ends here" if token.kind == "end" else f"{token.text[:40]} stands here"
        return Unreadable(token.line, f"{result}: write {wanted}")
