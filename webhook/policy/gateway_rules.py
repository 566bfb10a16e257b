"""The validation rules that the Gateway API's CRDs have in CEL, beyond their schema
(https://gateway-api.sigs.k8s.io/reference/spec/).

The fields are those of the experimental channel (Gateway API 1.6); what only one of the two channels
refuses is not reported. The rules skip fields that could not be read.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from webhook.findings.finding import Severity, declare, show
from webhook.policy.objectreferences import GATEWAY
from webhook.policy.routeshapes import URL_PATH
from webhook.policy.schema.reading import Node, Reading

RULE = declare(
    "gateway-rule",
    Severity.SCHEMA,
    "FieldValueInvalid",
    "A Gateway API route has values that its CRD does not allow together.",
)

# The field that goes with a filter's type; extensions have one as well.
_FIELDS: Final = {
    "RequestHeaderModifier": "requestHeaderModifier",
    "ResponseHeaderModifier": "responseHeaderModifier",
    "RequestMirror": "requestMirror",
    "RequestRedirect": "requestRedirect",
    "URLRewrite": "urlRewrite",
    "ExtensionRef": "extensionRef",
    "CORS": "cors",
    "ExternalAuth": "externalAuth",
}
_ONCE: Final = frozenset({"RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite", "CORS"})
_MOST_MATCHES: Final = 128


def check_parents_differ(spec: Node, reading: Reading) -> None:
    """Check that parentRefs to one object differ in sectionName or port, and that all set the same of these fields."""
    parents = spec.nodes("parentRefs")
    if len(parents) < 2:
        return
    same: dict[tuple[Any, ...], list[Node]] = defaultdict(list)
    for parent in parents:
        if not parent.bad:
            group, kind = parent.get("group", GATEWAY), parent.get("kind", "Gateway")
            same[group, kind, parent["name"], parent.get("namespace")].append(parent)
    for group in same.values():
        parts = [(parent.get("sectionName"), parent.get("port")) for parent in group]
        seen: set[tuple[Any, ...]] = set()
        for parent, part in zip(group, parts, strict=True):
            if part in seen:
                reading.note(
                    RULE,
                    parent.path,
                    "the route has this parent twice: leave it out here, or write another sectionName or port",
                )
            elif [bool(name) for name in part] != [bool(name) for name in parts[0]]:
                reading.note(
                    RULE,
                    parent.path,
                    "the route has this parent twice: write a sectionName for each, or a port for each",
                )
            seen.add(part)


def check_target(target: Node | None, reading: Reading) -> None:
    """Check that a reference to a Service has a port."""
    if target is None or "port" in target or target.bad or target.get("group", ""):
        return
    if target.get("kind", "Service") == "Service":
        reading.note(
            RULE, (*target.path, "port"), "the Service has no port here: add port, with one of the Service's ports"
        )


def check_filters(owner: Node, reading: Reading) -> None:
    """Check the filters of a rule or a backend: each has the field of its type, and some types occur only once."""
    filters = owner.nodes("filters")
    if not filters:
        return
    seen: set[str] = set()
    for entry in filters:
        kind = entry.get("type")
        if kind is None:
            continue
        _check_filter(entry, kind, reading)
        if kind in seen and kind in _ONCE:
            reading.note(
                RULE, (*entry.path, "type"), f"the list has two filters of type {kind}: put both into one filter"
            )
        seen.add(kind)
    if {"RequestRedirect", "URLRewrite"} <= seen:
        reading.note(
            RULE,
            (*owner.path, "filters"),
            "the list has both a RequestRedirect and a URLRewrite: leave one of them out",
        )


def _check_filter(entry: Node, kind: str, reading: Reading) -> None:
    wanted = _FIELDS[kind]
    if wanted not in entry or len(entry) > 2:
        _check_filter_fields(entry, kind, wanted, reading)
    check_content = _FURTHER_CHECKS.get(kind)
    if check_content is not None and wanted in entry:
        check_content(entry[wanted], reading)


def _check_filter_fields(entry: Node, kind: str, wanted: str, reading: Reading) -> None:
    if entry.lacks(wanted):
        reading.note(RULE, (*entry.path, wanted), f"a filter of type {kind} needs the field {wanted}: add it")
    for name in _FIELDS.values():
        if name != wanted and name in entry:
            reading.note(
                RULE,
                (*entry.path, name),
                f"a filter of type {kind} cannot have the field {name}: leave it out, or make a filter of its "
                "own of it",
            )


def _check_mirror(mirror: Node, reading: Reading) -> None:
    check_target(mirror.get("backendRef"), reading)
    fraction = mirror.get("fraction")
    if fraction is None:
        return
    if "percent" in mirror:
        reading.note(RULE, (*mirror.path, "percent"), "a mirror has both percent and fraction: leave one of them out")
    denominator = fraction.get("denominator", 100)
    if fraction.get("numerator", 0) > denominator:
        reading.note(
            RULE,
            (*fraction.path, "numerator"),
            f"the numerator {fraction['numerator']} is more than the denominator {denominator}: lower it",
        )


def _check_external_auth(auth: Node, reading: Reading) -> None:
    check_target(auth.get("backendRef"), reading)
    protocol = auth.get("protocol")
    if protocol is None:
        return
    for name in ("http", "grpc"):
        if name == protocol.lower() and auth.lacks(name):
            reading.note(
                RULE,
                (*auth.path, name),
                f"the protocol {protocol} needs the field {name}: add it, {{}} if you need no options",
            )
        elif name != protocol.lower() and name in auth:
            reading.note(
                RULE, (*auth.path, name), f"the protocol {protocol} cannot have the field {name}: leave it out"
            )


def _check_cors(cors: Node, reading: Reading) -> None:
    for name in ("allowHeaders", "allowMethods", "allowOrigins"):
        values = cors.get(name) or ()
        if "*" in values and len(values) > 1:
            reading.note(RULE, (*cors.path, name), '"*" stands for all values: leave the others out')


def _check_new_path(change: Node, reading: Reading) -> None:
    path = change.get("path")
    if path is None or path.bad:
        return
    for kind, name in (("ReplaceFullPath", "replaceFullPath"), ("ReplacePrefixMatch", "replacePrefixMatch")):
        if (path["type"] == kind) != (name in path):
            fix = (
                f"a path of type {kind} needs the field {name}: add it"
                if name not in path
                else f"the field {name} needs a path of type {kind}: change the type"
            )
            reading.note(RULE, (*path.path, name), fix)


_FURTHER_CHECKS: Final[Mapping[str, Callable[[Node, Reading], None]]] = {
    "RequestMirror": _check_mirror,
    "RequestRedirect": _check_new_path,
    "URLRewrite": _check_new_path,
    "CORS": _check_cors,
    "ExternalAuth": _check_external_auth,
}


def check_prefix_rewrites(rule: Node, reading: Reading) -> None:
    """Check that a rule with a redirect has no backends, and that one that replaces a prefix has one prefix match."""
    filters, backends = rule.nodes("filters"), rule.nodes("backendRefs")
    if backends and filters and any("requestRedirect" in entry for entry in filters):
        reading.note(
            RULE,
            (*rule.path, "backendRefs"),
            "a rule that redirects its requests sends them to no backend: leave backendRefs or the redirect out",
        )
    owners = [rule] if _replaces_prefix(filters) else []
    with_filters = [backend for backend in backends if "filters" in backend and _replaces_prefix(backend["filters"])]
    # The rule of the CRD does not apply where several backends have such a filter.
    owners += with_filters if len(with_filters) == 1 else []
    if owners and not _matches_one_prefix(rule):
        for owner in owners:
            reading.note(
                RULE,
                (*owner.path, "filters"),
                "a rule that replaces a prefix has exactly one match, of type PathPrefix: leave the others out",
            )


def _replaces_prefix(filters: Sequence[Node]) -> bool:
    for entry in filters:
        change = entry.get("requestRedirect") or entry.get("urlRewrite")
        path = change.get("path") if change else None
        if path is not None and path.get("type") == "ReplacePrefixMatch" and "replacePrefixMatch" in path:
            return True
    return False


def _matches_one_prefix(rule: Node) -> bool:
    if rule.lacks("matches"):
        return True
    matches = rule.nodes("matches")
    return len(matches) == 1 and (matches[0].get("path") or {}).get("type", "PathPrefix") == "PathPrefix"


def check_match_count(spec: Node, default: int, reading: Reading) -> None:
    """Check the number of matches of all rules. A rule without a list of matches has `default` matches."""
    rules = spec.nodes("rules")
    total = sum(default if rule.lacks("matches") else len(rule.nodes("matches")) for rule in rules)
    if total > _MOST_MATCHES:
        reading.note(
            RULE,
            (*spec.path, "rules"),
            f"the rules have {total} matches together, and the CRD allows {_MOST_MATCHES}: make two routes of it",
        )


# A quick test that most paths pass: no empty segment, no segment that starts with a dot, no percent-encoding.
_ORDINARY: Final = re.compile("(?:/[-A-Za-z0-9_~!$&'()*+,;=:@][-A-Za-z0-9._~!$&'()*+,;=:@]*+)*+/?")
_FORBIDDEN: Final = re.compile("//|/[.]/|/[.][.]/|%2f|%2F|/[.][.]?$")


def check_path(path: Node | None, reading: Reading) -> None:
    """Check that a path that is not a regular expression can be the normalized path of a URL."""
    if path is None or path.bad or path.get("type") == "RegularExpression":
        return
    value = path.get("value", "/")
    if _ORDINARY.fullmatch(value) is not None:
        return
    # A path without a slash in front is already reported.
    if value.startswith("/") and (URL_PATH.fullmatch(value) is None or _FORBIDDEN.search(value) is not None):
        reading.note(
            RULE,
            (*path.path, "value"),
            f"{show(value)} cannot be the path of a URL: take away any //, /./, /../, encoded slash and odd character",
        )


_UNITS: Final[Mapping[str, int]] = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
# The CRD allows five digits; the schema reports longer numbers.
_TERM: Final = re.compile("([0-9]{1,5})(ms|[hms])")


def _milliseconds(duration: str) -> int:
    return sum(int(number) * _UNITS[unit] for number, unit in _TERM.findall(duration))


def check_timeouts(timeouts: Node, reading: Reading) -> None:
    """Check that backendRequest is not longer than request. A request timeout of 0 sets no limit."""
    if "request" not in timeouts or "backendRequest" not in timeouts:
        return
    request = _milliseconds(timeouts["request"])
    if request and _milliseconds(timeouts["backendRequest"]) > request:
        reading.note(
            RULE,
            (*timeouts.path, "backendRequest"),
            f"{show(timeouts['backendRequest'])} is longer than the request's {show(timeouts['request'])}: shorten it",
        )


def check_session(session: Node, reading: Reading) -> None:
    """Check that only a Cookie session has a cookieConfig, and that a permanent cookie has an absoluteTimeout."""
    if session.get("cookieConfig") is None:
        return
    if session.get("type", "Cookie") != "Cookie" and "type" not in session.bad:
        reading.note(
            RULE,
            (*session.path, "cookieConfig"),
            "only a session of type Cookie has a cookieConfig: leave it out, or write type: Cookie",
        )
    if session["cookieConfig"].get("lifetimeType") == "Permanent" and session.lacks("absoluteTimeout"):
        reading.note(
            RULE, (*session.path, "absoluteTimeout"), "a permanent cookie needs an absoluteTimeout: add one such as 1h"
        )


_SERVICE: Final = re.compile(r"\.?[a-z_][a-z_0-9]*(\.[a-z_][a-z_0-9]*)*", re.IGNORECASE | re.ASCII)
_METHOD: Final = re.compile("[A-Za-z_][A-Za-z_0-9]*")


def check_method(method: Node | None, reading: Reading) -> None:
    """Check that a gRPC method match has a service or a method, and that exact names are identifiers."""
    if method is None or method.bad:
        return
    if "service" not in method and "method" not in method:
        reading.note(
            RULE,
            method.path,
            "the match has neither a service nor a method: add one of them, or leave the field method out",
        )
    if method.get("type", "Exact") != "Exact":
        return
    for name, pattern in (("service", _SERVICE), ("method", _METHOD)):
        if name in method and pattern.fullmatch(method[name]) is None:
            reading.note(
                RULE,
                (*method.path, name),
                f"gRPC does not allow the name {show(method[name])}: write letters, digits and underscores",
            )


_ADDRESS: Final = re.compile(
    r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}"
)


def check_hosts(spec: Node, reading: Reading) -> None:
    """Check that no host name is an IPv4 address."""
    for index, host in enumerate(spec.get("hostnames") or ()):
        if _ADDRESS.fullmatch(host):
            reading.note(RULE, (*spec.path, "hostnames", index), f"{show(host)} is an address: write a host name")
