"""Writes findings as a SARIF 2.1.0 log, for code scanning.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import orjson

from webhook import __version__
from webhook.findings.finding import Rule, Severity
from webhook.lint.check import UNREADABLE, Reported, Result
from webhook.lint.reports.addresses import PAGE, address, is_absolute
from webhook.lint.reports.paths import relative
from webhook.lint.rules import load_all
from webhook.manifest.files import STDIN

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
NAME = "linkerd-webhook"

JSON = dict[str, Any]


def write(result: Result, page: str = PAGE) -> str:
    """The log: one run, which lists all rules. `page` is the address of the page of rules."""
    rules = sorted(load_all().values(), key=lambda rule: rule.id)
    index = {rule.id: position for position, rule in enumerate(rules)}
    driver = {"name": NAME, "semanticVersion": __version__, "rules": [_rule(rule, page) for rule in rules]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": not result.unreadable}],
        "results": [_result(one, index[one.rule.id]) for one in result.findings],
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return orjson.dumps(log, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _rule(rule: Rule, page: str) -> JSON:
    where = address(rule, page)
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.summary},
        # A `helpUri` has to be absolute.
        **({"helpUri": where} if is_absolute(page) else {}),
        "help": {"text": f"{rule.summary} {_help(rule)} Examples: {where}"},
        "defaultConfiguration": {"level": "warning" if rule.severity is Severity.WARNING else "error"},
        "properties": {"tags": [rule.id.partition("-")[0]]},
    }


def _help(rule: Rule) -> str:
    if rule is UNREADABLE:
        return "All other documents are checked."
    if rule.severity is Severity.ERROR:
        return "Such an object is refused."
    if rule.severity is Severity.SCHEMA:
        return "The schema of the CRD forbids it."
    return f"If the object is right as it is, annotate it with linkerd-webhook/ignore: {rule.id} to silence this."


def _result(one: Reported, index: int) -> JSON:
    return {
        "ruleId": one.rule.id,
        "ruleIndex": index,
        "level": one.level,
        "message": {"text": f"{one.field}: {one.message}" if one.field else one.message},
        "locations": [_location(one)],
    }


def _location(one: Reported) -> JSON:
    physical: JSON = {"artifactLocation": _artifact(one.file)}
    if one.line:
        physical["region"] = {"startLine": one.line, "startColumn": one.column}
    location: JSON = {"physicalLocation": physical}
    if one.object is not None:
        name = " ".join(filter(None, (str(one.object), one.field)))
        location["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "object"}]
    return location


def _artifact(file: str) -> JSON:
    if file == STDIN:
        return {"uri": "stdin"}
    path = relative(file)
    if PurePosixPath(path).is_absolute():
        return {"uri": f"file://{quote(path)}"}
    return {"uri": quote(path), "uriBaseId": "%SRCROOT%"}
