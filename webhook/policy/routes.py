"""The rules that HTTP and gRPC routes have in common: about parents, backends, matches and filters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import orjson

from webhook.findings.finding import Path, Severity, declare, show
from webhook.policy import circuitbreaking
from webhook.policy.objectreferences import EGRESS_NETWORK, GATEWAY, SERVICE, GroupKind, canonical, read_parent
from webhook.policy.regex.unmatchable import cannot_match_anything, cannot_match_path
from webhook.policy.routeannotations import Effect, Readers, check_annotations
from webhook.policy.routeshapes import TOKEN
from webhook.policy.schema.reading import Node, Reading

EGRESS_PORT = declare(
    "route-egress-port",
    Severity.ERROR,
    "FieldValueRequired",
    "A route has an EgressNetwork as its parent and names no port of it.",
)
BACKEND_PORT = declare(
    "route-backend-port",
    Severity.ERROR,
    "FieldValueRequired",
    "A route has a Service as its backend and names no port of it.",
)
PATH_ABSOLUTE = declare(
    "route-path-absolute",
    Severity.ERROR,
    "FieldValueInvalid",
    "A path that a route matches or redirects to does not begin with a slash.",
)
PATTERN = declare("route-regex", Severity.ERROR, "FieldValueInvalid", "The proxy cannot read a regular expression.")
HEADER_NAME = declare(
    "route-header-name", Severity.ERROR, "FieldValueInvalid", "HTTP does not allow the name of a header."
)
HEADER_VALUE = declare(
    "route-header-value", Severity.ERROR, "FieldValueInvalid", "HTTP does not allow the value of a header."
)
REDIRECT_PATH = declare(
    "route-redirect-path",
    Severity.ERROR,
    "FieldValueRequired",
    "A redirect's path has neither replaceFullPath nor replacePrefixMatch.",
)
REDIRECT_STATUS = declare(
    "route-redirect-status",
    Severity.ERROR,
    "FieldValueInvalid",
    "A redirect has a status code that HTTP does not have.",
)
PATH_UNREACHABLE = declare(
    "route-path-unreachable", Severity.WARNING, "FieldValueInvalid", "A route matches a path that no request can have."
)
NEVER_MATCHES = declare(
    "route-regex-never", Severity.WARNING, "FieldValueInvalid", "A regular expression matches no text at all."
)
SHADOWED = declare(
    "route-rule-shadowed",
    Severity.WARNING,
    "FieldValueDuplicate",
    "An earlier rule of a route has all matches of a later one, which never applies.",
)
FILTER_TWICE = declare(
    "route-filter-twice", Severity.WARNING, "FieldValueDuplicate", "A rule has two filters of one type."
)
PARENT_GROUP = declare(
    "route-parent-group",
    Severity.WARNING,
    "FieldValueInvalid",
    "A route's parent has no group, or one that does not have its kind, so that Linkerd passes the parent over.",
)
PARENT_KIND = declare(
    "route-parent-kind",
    Severity.WARNING,
    "FieldValueNotSupported",
    "A route's parent is of a kind that Linkerd passes over.",
)
PARENT_TWICE = declare(
    "route-parent-twice", Severity.WARNING, "FieldValueDuplicate", "A route has the same parent twice."
)

METHOD = declare(
    "httproute-method", Severity.ERROR, "FieldValueInvalid", "An HTTPRoute matches a method that HTTP does not allow."
)
SCHEME = declare(
    "httproute-scheme", Severity.ERROR, "FieldValueInvalid", "A redirect has a scheme that no URI can have."
)

_METHOD: Final = re.compile(r"[!*+.^_`|~0-9A-Za-z-]+")
_SCHEME: Final = re.compile(r"[0-9A-Za-z+.~-]{0,64}")
_NAME_OF: Final = "write letters, digits and any of !#$%&'*+-.^_`|~"
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
# Text that no path has once clients and proxies have normalized it, and why.
_UNREACHABLE: Final = (
    ("//", "clients and proxies merge //"),
    ("/./", "clients and proxies resolve /./"),
    ("/../", "clients and proxies resolve /../"),
    ("%2f", "clients and proxies decode or refuse an encoded slash"),
    ("#", "clients do not send a fragment"),
    ("?", "the query is not part of the path"),
)


def check_parents(spec: Node, reading: Reading, own: str) -> Effect:
    """Check the parents of a route. `own` is the route's API group. Returns what Linkerd does with its annotations."""
    parents = [(parent, read_parent(parent, own)) for parent in spec.nodes("parentRefs")]
    egress = reading.line.has("policy/EgressNetwork")
    for parent, kinds in parents:
        if egress and kinds.sent == EGRESS_NETWORK and parent.lacks("port"):
            reading.note(
                EGRESS_PORT,
                (*parent.path, "port"),
                "the parent is an EgressNetwork and has no port: add port, the one that clients connect to",
            )
        elif kinds.target is None and not parent.bad:
            _warn_of_parent(parent, kinds.meant, own, reading)
    outbound = (SERVICE, EGRESS_NETWORK) if egress else (SERVICE,)
    if any(kinds.sent in outbound for _, kinds in parents):
        return Effect.READ
    if any(kinds.meant in outbound for _, kinds in parents):
        return Effect.UNCERTAIN
    return Effect.NONE


def check_settings(reading: Reading, readers: Readers, effect: Effect) -> None:
    """Check the annotations of a route for retries, timeouts and circuit breaking, as far as the release line reads
    them. `readers` are the checks of those that its kind can have, `effect` is the result of `check_parents`."""
    if reading.line.has("policy/route-annotations"):
        for finding in check_annotations(reading.annotations, readers, effect):
            reading.add(finding)
    if effect is Effect.READ and reading.line.has("policy/route-balancer-annotations"):
        for finding in circuitbreaking.check_route(reading.annotations):
            reading.add(finding)


def _warn_of_parent(parent: Node, meant: GroupKind | None, own: str, reading: Reading) -> None:
    """Warn of a parent that Linkerd passes over. A Gateway API route may have parents of other controllers."""
    name = show(parent["name"])
    if meant is None:
        if own != GATEWAY:
            kind = show(canonical({"group": own, "kind": "Gateway", **parent}))
            text = (
                f"Linkerd passes the parent {name} over, as its kind is {kind}: write kind Server or EgressNetwork and "
                "group policy.linkerd.io, or kind Service and group core"
            )
            reading.note(PARENT_KIND, (*parent.path, "kind"), text)
        return
    if parent.lacks("kind"):
        text = f"the parent {name} has no kind, and the API server fills in Gateway: write kind: {meant[1]}"
        reading.note(PARENT_KIND, (*parent.path, "kind"), text)
        return
    write = meant[0] or "core"
    if parent.lacks("group"):
        text = (
            f"the {meant[1]} {name} has no group, the API server fills in {own}, and Linkerd passes this parent over: "
            f"write group: {write}"
        )
    else:
        text = (
            f"Linkerd passes this parent over, as the group {show(parent['group'])} has no kind {meant[1]}: "
            f"write group: {write}"
        )
    reading.note(PARENT_GROUP, (*parent.path, "group"), text)


def warn_of_parents(spec: Node, reading: Reading) -> None:
    """Warn of a parent that a route has twice."""
    seen: set[bytes] = set()
    for parent in spec.nodes("parentRefs"):
        key = _key(parent)
        if key in seen:
            reading.note(PARENT_TWICE, parent.path, "the route has this parent twice: leave it out here")
        seen.add(key)


def check_backends(rule: Node, reading: Reading) -> None:
    """Check that every backend that is a Service has a port. Group and kind are compared with regard to case here."""
    if not reading.line.has("policy/backend-port"):
        return
    for backend in rule.nodes("backendRefs"):
        if backend.get("group", "") not in ("", "core") or backend.get("kind", "Service") != "Service":
            continue
        if not backend.get("port") and "port" not in backend.bad and not {"group", "kind"} & set(backend.bad):
            reading.note(
                BACKEND_PORT,
                (*backend.path, "port"),
                f"the backend {show(backend.get('name'))} is a Service and has "
                f"{'no port' if backend.get('port') is None else 'the port 0'}: write one of the Service's ports",
            )


def check_match(match: Node, reading: Reading) -> None:
    """Check one match of an HTTP route."""
    tokens = reading.line.has("policy/method-is-token")
    if tokens and (method := match.get("method")) is not None and _METHOD.fullmatch(method) is None:
        reading.note(METHOD, (*match.path, "method"), f"{show(method)} is not an HTTP method: write one such as GET")
    path = match.get("path")
    if path is not None and not path.bad:
        _check_path(path, reading)
    for header in match.nodes("headers"):
        check_header_match(header, reading)
    for parameter in match.nodes("queryParams") if reading.line.has("policy/HTTPRoute.query-regex") else ():
        if parameter.get("type") == "RegularExpression" and not parameter.bad:
            check_pattern(parameter["value"], (*parameter.path, "value"), reading)


def _check_path(path: Node, reading: Reading) -> None:
    value, at = path.get("value", "/"), (*path.path, "value")
    if path.get("type") == "RegularExpression":
        if check_pattern(value, at, reading) and (reason := cannot_match_path(value)):
            reading.note(NEVER_MATCHES, at, f"{show(value)} matches no path: {reason}")
    elif check_absolute(value, at, reading):
        _warn_of_path(value, at, reading)


def check_absolute(value: str, at: Path, reading: Reading) -> bool:
    """Refuse a path without a slash in front. Returns whether it has one."""
    if value.startswith("/"):
        return True
    fix = "write / for every path" if not value else f"write {show('/' + value.strip())}"
    reading.note(PATH_ABSOLUTE, at, f"the path {show(value)} does not begin with a slash: {fix}")
    return False


def _warn_of_path(value: str, at: Path, reading: Reading) -> None:
    lowered = value.lower()
    for part, why in _UNREACHABLE:
        if part in lowered or (part in ("/./", "/../") and lowered.endswith(part[:-1])):
            reading.note(PATH_UNREACHABLE, at, f"no request has the path {show(value)}, as {why}: write it without")
            return


def check_pattern(pattern: str, at: Path, reading: Reading) -> bool:
    """Refuse a regular expression that the proxy cannot read. Returns whether it is known to be valid."""
    verdict = reading.judge(pattern)
    if verdict:
        reading.note(PATTERN, at, verdict)
    return verdict == ""


def check_header_match(header: Node, reading: Reading) -> None:
    """Check a header's name, and its value or pattern."""
    name, value = header.get("name"), header.get("value")
    if name is not None:
        check_header_name(name, (*header.path, "name"), reading)
    if value is None or "type" in header.bad:
        return
    at = (*header.path, "value")
    if header.get("type") != "RegularExpression":
        check_header_value(value, at, reading)
    elif check_pattern(value, at, reading) and (reason := cannot_match_anything(value)):
        reading.note(NEVER_MATCHES, at, f"{show(value)} matches no value: {reason}")


def check_header_name(name: str, at: Path, reading: Reading) -> None:
    """Refuse a header name that is not a token (https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2)."""
    if name.isascii() and reading.line.has("policy/quote-in-header-name"):
        name = name.replace('"', "-")
    if TOKEN.fullmatch(name) is None:
        fix = "take the colon away" if name.endswith(":") and TOKEN.fullmatch(name[:-1]) else ""
        reading.note(HEADER_NAME, at, f"{show(name)} is not the name of a header: {fix or _NAME_OF}")


def check_header_value(value: str, at: Path, reading: Reading) -> None:
    """Refuse a header value with control characters other than a tab."""
    if _VALUE.fullmatch(value) is None:
        reading.note(
            HEADER_VALUE,
            at,
            f"{show(value)} is not the value of a header: take the line breaks and other control characters away",
        )


def check_filter(entry: Node, reading: Reading) -> None:
    """Check the header modifiers and the redirect of a filter, whatever its type is."""
    _check_modifier(entry.get("requestHeaderModifier"), reading)
    _check_modifier(entry.get("responseHeaderModifier"), reading)
    _check_redirect(entry.get("requestRedirect"), reading)


def _check_modifier(modifier: Node | None, reading: Reading) -> None:
    if modifier is None:
        return
    for header in (*modifier.nodes("add"), *modifier.nodes("set")):
        if "name" in header:
            check_header_name(header["name"], (*header.path, "name"), reading)
        if "value" in header:
            check_header_value(header["value"], (*header.path, "value"), reading)
    for index, name in enumerate(modifier.get("remove") or ()):
        check_header_name(name, (*modifier.path, "remove", index), reading)


def _check_redirect(redirect: Node | None, reading: Reading) -> None:
    if redirect is None:
        return
    scheme = redirect.get("scheme") if reading.line.has("policy/method-is-token") else None
    if scheme is not None and _SCHEME.fullmatch(scheme) is None:
        reading.note(SCHEME, (*redirect.path, "scheme"), f"{show(scheme)} is not a scheme: write http or https")
    path = redirect.get("path")
    if path is not None and not path.bad:
        for name in ("replaceFullPath", "replacePrefixMatch"):
            if name in path:
                check_absolute(path[name], (*path.path, name), reading)
                break
        else:
            name = "replaceFullPath" if path["type"] == "ReplaceFullPath" else "replacePrefixMatch"
            reading.note(
                REDIRECT_PATH,
                (*path.path, name),
                f"the path of the redirect has no {name}: add it, with a path such as /",
            )
    status = redirect.get("statusCode")
    if status is not None and not 100 <= status <= 999:
        reading.note(
            REDIRECT_STATUS, (*redirect.path, "statusCode"), f"{status} is not a status code of HTTP: write 301 or 302"
        )


def warn_of_filters(filters: Iterable[Node], reading: Reading) -> None:
    """Warn of two filters of one type in a rule. Several extensionRefs are allowed."""
    seen: set[str] = set()
    for entry in filters:
        kind = entry.get("type")
        if kind is None or kind == "ExtensionRef":
            continue
        if kind in seen:
            reading.note(
                FILTER_TWICE, (*entry.path, "type"), f"the rule has two filters of type {kind}: put both into one"
            )
        seen.add(kind)


def warn_of_shadows(spec: Node, reading: Reading) -> None:
    """Warn of a rule all of whose matches an earlier rule has too: of equal matches, the first rule applies."""
    seen: dict[bytes, Path] = {}
    for rule in spec.nodes("rules"):
        if rule.bad:
            continue
        keys = [_key(match) for match in rule.nodes("matches")] or [_EVERY_REQUEST]
        earlier = [seen.get(key) for key in keys]
        if all(earlier) and earlier[0] is not None:
            reading.note(
                SHADOWED,
                rule.path,
                f"rules[{earlier[0][-1]}] has the same matches, so that this rule never applies: merge the "
                "two, or narrow one",
            )
        for key in keys:
            seen.setdefault(key, rule.path)


def _key(node: Node) -> bytes:
    """Bytes that are the same for equal nodes."""
    return orjson.dumps(node, option=orjson.OPT_SORT_KEYS)


_EVERY_REQUEST: Final = b"{}"
