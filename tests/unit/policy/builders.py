"""Policy objects to test with, and what is said of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from webhook.cluster.interface import Catalog, NothingKnown
from webhook.cluster.selection import Selection
from webhook.findings.finding import Finding, Severity
from webhook.mesh.releases import Line
from webhook.mesh.releases import line as line_of
from webhook.policy.objectreferences import GATEWAY, POLICY
from webhook.policy.regex.judge import judge_for
from webhook.policy.registry import check, find

JSON = dict[str, Any]

EDGE = line_of("edge-26.8")
STABLE = line_of("stable-2.12")
BOTH = (EDGE, STABLE)

NOTHING_KNOWN = NothingKnown()
SERVER: JSON = {"group": POLICY, "kind": "Server", "name": "web"}
SERVICE: JSON = {"group": "core", "kind": "Service", "name": "web"}


class Said(list[Finding]):
    """Findings by what becomes of the object, each as `field: rule`, in the order of the alphabet."""

    @property
    def errors(self) -> list[str]:
        """What the object is refused for."""
        return self._of(Severity.ERROR)

    @property
    def schema(self) -> list[str]:
        """What only the CRD forbids."""
        return self._of(Severity.SCHEMA)

    @property
    def warnings(self) -> list[str]:
        """What is merely worth a word."""
        return self._of(Severity.WARNING)

    def message(self, rule: str) -> str:
        """The message of the one finding of a rule."""
        (message,) = [finding.message for finding in self if finding.rule.id == rule]
        return message

    def _of(self, severity: Severity) -> list[str]:
        return sorted(f"{finding.field}: {finding.rule.id}" for finding in self if finding.severity is severity)


class Servers(NothingKnown):
    """A catalog of the Servers of the namespace `shop`, by name."""

    def __init__(self, **specs: Mapping[str, Any]) -> None:
        self._servers = {name: Selection(spec) for name, spec in specs.items()}

    def servers(self, namespace: str) -> Mapping[str, Selection] | None:
        """Those of `shop`; of others nothing is known."""
        return self._servers if namespace == "shop" else None

    def names(self, group: str, kind: str, namespace: str) -> Collection[str]:
        """The names of the Servers."""
        return tuple(self._servers)


def manifest(
    kind: str,
    spec: Any = ...,
    *,
    group: str = POLICY,
    line: Line = EDGE,
    version: str = "",
    metadata: Any = None,
    annotations: Mapping[str, Any] | None = None,
) -> JSON:
    """An object `subject` in the namespace `shop`, in its newest version unless another is named.

    `...` for the spec leaves it out; `metadata` stands in place of all of it.
    """
    schema = find(group, kind)
    assert schema is not None, f"no kind {kind}.{group}"
    if metadata is None:
        metadata = {"name": "subject", "namespace": "shop"}
        if annotations is not None:
            metadata["annotations"] = annotations
    newest = (schema.served(line) or schema.versions)[-1]
    body: JSON = {"apiVersion": f"{group}/{version or newest}", "kind": kind, "metadata": metadata}
    return body if spec is ... else {**body, "spec": spec}


def examine(
    body: Any,
    kind: str,
    *,
    group: str = POLICY,
    line: Line = EDGE,
    catalog: Catalog = NOTHING_KNOWN,
    others: Iterable[Any] = (),
) -> Said:
    """What is said of an object, whatever it is; all of it well formed."""
    said = Said(check(group, kind, body, line=line, catalog=catalog, judge=judge_for(line), others=others))
    for finding in said:
        assert finding.message
    ranks = [list(Severity).index(finding.severity) for finding in said]
    assert ranks == sorted(ranks)
    return said


def say(
    kind: str,
    spec: Any = ...,
    *,
    group: str = POLICY,
    line: Line = EDGE,
    catalog: Catalog = NOTHING_KNOWN,
    **options: Any,
) -> Said:
    """What is said of an object with this spec; options as for `manifest`."""
    body = manifest(kind, spec, group=group, line=line, **options)
    return examine(body, kind, group=group, line=line, catalog=catalog)


def gateway(kind: str, spec: Any = ..., **options: Any) -> Said:
    """What is said of a Gateway API route."""
    return say(kind, spec, group=GATEWAY, **options)
