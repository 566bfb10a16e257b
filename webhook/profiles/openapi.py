"""Routes of an OpenAPI document: one for each operation of its paths.

OpenAPI 2 (https://spec.openapis.org/oas/v2.0) is read as Linkerd's CLI does: what its names of fields do not fit is
passed over, and says so in a note. OpenAPI 3 (https://spec.openapis.org/oas/v3.1.0) adds the paths of its servers,
statuses such as 5XX, and the method TRACE.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from webhook.findings.finding import show
from webhook.profiles.profile import Routes, Unreadable, path_regex
from webhook.yaml.objects import Broken, Build, Loader, broken

RETRYABLE: Final = "x-linkerd-retryable"
TIMEOUT: Final = "x-linkerd-timeout"

# In the order in which routes are written.
_METHODS: Final = ("delete", "get", "head", "options", "patch", "post", "put")
_METHODS_3: Final = (*_METHODS, "trace")
_STATUS: Final = re.compile(r"[+-]?[0-9]{1,9}")
_RANGE: Final = re.compile(r"([1-5])XX", re.IGNORECASE)
_VARIABLE: Final = re.compile(r"\{([^{}]*)\}")
_WRITE: Final = "write an OpenAPI document, which begins with openapi: 3.0.0 or swagger: '2.0'"

Path = tuple[str | int, ...]


def openapi_routes(text: str) -> Routes:
    """The routes of an OpenAPI document in YAML or JSON, by path. Raises `Unreadable`."""
    return _Document(text).routes()


class _Document:
    def __init__(self, text: str) -> None:
        self._out = Routes()
        self._root, body = self._composed(text)
        if not isinstance(body, dict):
            result = "the file is empty" if body is None else f"the document is {show(body)}"
            raise Unreadable(0 if body is None else self._line(()), f"{result}: {_WRITE}")
        self._body: dict[str, Any] = body
        self._is_3 = self._version()

    def _composed(self, text: str) -> tuple[yaml.Node | None, Any]:
        try:
            loader = Loader(text)
            try:
                if not loader.check_node():
                    return None, None
                node = loader.get_node()
                assert node is not None  # noqa: S101 - check_node said so
                build = Build(loader)
                body = build.document(node)
            finally:
                loader.dispose()
        except Broken as error:
            raise Unreadable(error.line, error.message) from None
        except (yaml.YAMLError, RecursionError) as error:
            told = broken(error, text)
            raise Unreadable(told.line, told.message) from None
        if build.doubled:
            self._out.note(0, "a mapping has a key twice, and the last one counts: leave the others out")
        return node, body

    def _version(self) -> bool:
        """Whether it is OpenAPI 3."""
        if "openapi" in self._body:
            if not str(self._body["openapi"]).startswith("3"):
                raise self._wrong(("openapi",), "the version of OpenAPI", "3.0.0, 3.1.0 or another 3")
            return True
        if "swagger" in self._body:
            if str(self._body["swagger"]) not in ("2.0", "2"):
                raise self._wrong(("swagger",), "the version of Swagger", "swagger: '2.0', or openapi: 3.0.0")
        elif "paths" not in self._body:
            raise Unreadable(self._line(()), f"neither openapi nor swagger nor paths is set: {_WRITE}")
        return False

    def routes(self) -> Routes:
        """The routes of all paths."""
        paths = self._mapping((), "paths")
        bases = self._bases((), self._body) if self._is_3 else [self._base_path()]
        for key in sorted(paths):
            if key.startswith("/"):
                self._add(key, bases)
            elif not key.lower().startswith("x-"):
                self._note(("paths", key), f"the path {show(key)} is passed over: write it with a / in front")
        if not self._out.routes:
            self._out.note(0, "no path has an operation, so the ServiceProfile has no routes")
        return self._out

    def _add(self, key: str, bases: list[str]) -> None:
        at: Path = ("paths", key)
        item = self._mapping(("paths",), key)
        if "$ref" in item:
            self._note(
                at, f"the path {show(key)} refers to {show(item['$ref'])}, which is not read: write its operations"
            )
        own = self._bases(at, item) if self._is_3 and item.get("servers") else bases
        methods = _METHODS_3 if self._is_3 else _METHODS
        rows = []
        for method in methods:
            if item.get(method) is None:
                continue
            operation = self._mapping(at, method)
            where = self._bases((*at, method), operation) if self._is_3 and operation.get("servers") else own
            settings = self._settings((*at, method), operation)
            rows += [(base, method.upper(), settings) for base in where]
        # Routes of one base stand together.
        for base in dict.fromkeys(base for base, _, _ in rows):
            path = f"{base.rstrip('/')}/{key.lstrip('/')}"
            for of, method, settings in rows:
                if of == base:
                    condition = {"method": method, "pathRegex": path_regex(path)}
                    self._out.routes.append({"condition": condition, "name": f"{method} {path}", **settings})

    def _settings(self, at: Path, operation: Mapping[str, Any]) -> dict[str, Any]:
        """What a route has besides its condition and name."""
        settings: dict[str, Any] = {}
        extensions = {key.lower(): (key, value) for key, value in operation.items()}
        key, retryable = extensions.get(RETRYABLE, ("", None))
        if retryable is True:
            settings["isRetryable"] = True
        elif retryable not in (None, False) or (retryable == 0 and retryable is not False):
            self._note(
                (*at, key), f"{key} is {show(retryable)}, and is passed over: write true or false, without quotes"
            )
        if classes := list(self._classes(at, operation)):
            settings["responseClasses"] = classes
        key, timeout = extensions.get(TIMEOUT, ("", None))
        if isinstance(timeout, str) and timeout:
            settings["timeout"] = timeout
        elif timeout is not None:
            self._note(
                (*at, key), f"{key} is {show(timeout)}, and is passed over: write a duration such as 250ms or 10s"
            )
        return settings

    def _classes(self, at: Path, operation: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """A response class for each status, single ones first, as the first that matches counts."""
        if operation.get("responses") is None:
            return
        spans = set()
        for key in self._mapping(at, "responses"):
            span = _RANGE.fullmatch(key) if self._is_3 else None
            if span:
                first = int(span[1]) * 100
                spans.add((first, first + 99))
            elif _STATUS.fullmatch(key) and 100 <= int(key) <= 599:
                spans.add((int(key), int(key)))
            elif key != "default" and not key.startswith("x-"):
                allowed = "a status such as 404, 5XX or default" if self._is_3 else "a status such as 404, or default"
                self._note((*at, "responses", key), f"the response {show(key)} is passed over: write {allowed}")
        for low, high in sorted(spans, key=lambda one: (one[1] - one[0], one)):
            yield {"condition": {"status": {"min": low, "max": high}}} | ({"isFailure": True} if low >= 500 else {})

    def _base_path(self) -> str:
        base = self._body.get("basePath")
        if base is None:
            return ""
        if not isinstance(base, str):
            raise self._wrong(("basePath",), "basePath", "a path such as /v1")
        if base and not base.startswith("/"):
            self._note(("basePath",), f"basePath is {show(base)}, so no route matches: write it with a / in front")
        return base

    def _bases(self, at: Path, holder: Mapping[str, Any]) -> list[str]:
        """The paths of the servers, each once."""
        servers = holder.get("servers") or [{"url": "/"}]
        if not isinstance(servers, list):
            raise self._wrong((*at, "servers"), "servers", "a list of mappings with url")
        bases = []
        for index, server in enumerate(servers):
            url = server.get("url") if isinstance(server, dict) else None
            if not isinstance(url, str):
                raise self._wrong(
                    (*at, "servers", index), "a server", "a mapping with url, such as url: https://example.org/v1"
                )
            bases.append(_path_of(url, server.get("variables")))
        return list(dict.fromkeys(bases))

    def _mapping(self, at: Path, key: str) -> dict[str, Any]:
        """The mapping at a path, empty if it is not there. Raises `Unreadable` where something else is."""
        value: Any = self._body
        for part in (*at, key):
            value = value.get(part)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self._wrong((*at, key), ".".join(map(str, (*at, key))), "a mapping")
        return value

    def _wrong(self, at: Path, what: str, wanted: str) -> Unreadable:
        value: Any = self._body
        for part in at:
            value = value[part]
        return Unreadable(self._line(at), f"{what} is {show(value)}: write {wanted}")

    def _note(self, at: Path, message: str) -> None:
        self._out.note(self._line(at), message)

    def _line(self, path: Path) -> int:
        """The line of a field, or of the last one on the way to it that is written."""
        node = self._root
        line = node.start_mark.line if node is not None and node.start_mark else 0
        for part in path:
            result = None
            if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
                result = (node.value[part], node.value[part])
            elif isinstance(node, yaml.MappingNode):
                result = next((pair for pair in reversed(node.value) if pair[0].value == part), None)
            if result is None:
                break
            line = result[0].start_mark.line
            node = result[1]
        return line + 1


def _path_of(url: str, variables: Any) -> str:
    """The path of a server's address, with the variables' defaults. Others stay as parameters."""

    def default(match: re.Match[str]) -> str:
        variable = variables.get(match[1]) if isinstance(variables, dict) else None
        value = variable.get("default") if isinstance(variable, dict) else None
        return match[0] if value is None else str(value)

    filled = _VARIABLE.sub(default, url)
    try:
        path = urlsplit(filled).path
    except ValueError:
        # Such as a host in brackets that is not an address.
        path = "/" + filled.partition("//")[2].partition("/")[2]
    return "/" + path.removeprefix("./").strip("/") if path.strip("./") else ""
