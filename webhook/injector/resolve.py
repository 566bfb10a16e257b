"""Settles the settings of one Pod: annotations over the Namespace's over the mesh's values, each with its source.

- A Pod's annotation hides its Namespace's, also when its value is no good: the setting then falls to the mesh's values.
- What parses is taken verbatim, however odd, with a warning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import orjson

from webhook.findings.finding import Finding
from webhook.grammar import GrammarError, Quantity, is_above
from webhook.injector import ports, resources
from webhook.injector.advice import rules
from webhook.injector.decision import INGRESS, INJECT
from webhook.injector.effective import Settings, from_mesh
from webhook.injector.settings import (
    ADDITIONAL_ENV,
    ALPHA,
    CLOSE_WAIT,
    DEBUG,
    OTHERS,
    PREFIX,
    SETTINGS,
    TRACE_ATTRIBUTE,
    TRACE_NAMES,
    Setting,
    read_policy_before_audit,
)
from webhook.injector.subject import Subject
from webhook.kube.objects import Namespace
from webhook.mesh.config import Mesh
from webhook.mesh.env import merge_env_vars, read_env_vars
from webhook.mesh.releases import Line, why_not
from webhook.review import JSON


class Resolved(msgspec.Struct):
    """The settings of one Pod. `sources` has, for each annotation that counted, its value and where it was found
    (`pod` or `namespace`); `inherited` are the Namespace's annotations that the Pod is given. The findings' paths lead
    from the Pod's root; what is wrong with the Namespace, called `namespace` in them, has an empty one."""

    settings: Settings
    inherited: dict[str, str] = msgspec.field(default_factory=dict)
    sources: dict[str, tuple[str, str]] = msgspec.field(default_factory=dict)
    findings: list[Finding] = msgspec.field(default_factory=list)
    namespace: str = ""

    def tell(self, annotation: str, at_namespace: bool, sentence: str) -> None:
        """Note what is wrong with the value of an annotation. `sentence` goes on after its key (and the Namespace)."""
        if at_namespace:
            message = f"{annotation} on Namespace {self.namespace} {sentence}"
            self.findings.append(rules.SETTING.at((), message, annotation))
        else:
            path = ("metadata", "annotations", annotation)
            self.findings.append(rules.SETTING.at(path, f"{annotation} {sentence}", annotation))


class _Reading(NamedTuple):
    """What the value of an annotation comes to: the settings that it changes, what is wrong with it (the rest of a
    sentence, empty for nothing), and whether it counts."""

    changes: Mapping[str, Any] = MappingProxyType({})
    problem: str = ""
    counts: bool = True


_AS_IT_IS = _Reading()
# How long a value may be that is remembered.
_REMEMBERED = 256


class Resolver:
    """Settles the settings of Pods in one mesh. What depends on the mesh alone is worked out once."""

    def __init__(self, mesh: Mesh) -> None:
        self._rows = {row.annotation: row for row in SETTINGS if mesh.line.knows(f"annotation/{row.annotation}")}
        self._known = frozenset(self._rows)
        # Those that set a field each, in the order in which they are told about.
        self._order = {
            row.annotation: index
            for index, row in enumerate(SETTINGS)
            if row.annotation in self._rows and row.annotation != ADDITIONAL_ENV
        }
        # The annotations that this line reads in vain, and the end of a sentence that says so.
        self._vain = {
            row.annotation: f"{why_not(row.effect, mesh.line)}, so it has no effect in {mesh.line.name}: remove it"
            for row in SETTINGS
            if row.effect and not mesh.line.has(row.effect)
        }
        self._inherited = frozenset(_inherited(self._rows.values(), mesh.line))
        self._takes_env = ADDITIONAL_ENV in self._rows
        if not mesh.line.has("rule/audit-policy"):
            annotation = f"{PREFIX}default-inbound-policy"
            self._rows[annotation] = Setting(annotation, "default_inbound_policy", read_policy_before_audit)
        # Annotations of a Namespace that do nothing in its Pods.
        self._lost = self._known - self._inherited - OTHERS
        self._expand = mesh.line.has("rule/opaque-port-ranges-expand")
        self._init_ports = mesh.line.has("rule/init-container-ports")
        self._request_sets_workers = mesh.line.has("rule/cpu-request-sets-workers")
        # The Pods of a cluster have the same few values again and again.
        self._remembered = lru_cache(maxsize=2048)(self._read)
        self._template_is_own = mesh.line.has("rule/template-annotations-are-own")
        tracing = mesh.values.proxy.tracing if mesh.values.proxy is not None else None
        self._traces = tracing is not None and tracing.enabled and mesh.line.has("rule/trace-annotations")
        self.defaults = from_mesh(mesh)

    def inherit(self, subject: Subject, namespace: Mapping[str, str]) -> dict[str, str]:
        """The Namespace's annotations that the Pod takes over: those that it (or its workload) does not have itself."""
        own = subject.annotations
        template = subject.pod_annotations if self._template_is_own else own
        return {
            key: value
            for key, value in namespace.items()
            if key in self._inherited and key not in own and key not in template
        }

    @property
    def known(self) -> frozenset[str]:
        """The annotations that set something at this release line."""
        return self._known

    @property
    def rows(self) -> list[Setting]:
        """The settings of this release line, in the order in which one annotation hides another of the same field."""
        return list(self._rows.values())

    @property
    def inheritable(self) -> frozenset[str]:
        """The annotations that a Pod takes over from its Namespace."""
        return self._inherited

    def resolve(
        self, subject: Subject, namespace: Namespace, inherited: dict[str, str], root: str | None = None
    ) -> Resolved:
        """The settings of a Pod that is injected, given what it inherits.

        `root` is the name of the last of its owners, in the release that names the service of its traces by that.
        """
        annotations = {**subject.pod_annotations, **inherited} if inherited else subject.pod_annotations
        out = Resolved(self.defaults, inherited, namespace=namespace.name)
        changes = self._of_pod(subject)
        order = self._order
        for key in sorted(order.keys() & annotations.keys(), key=order.__getitem__):
            self._apply(key, annotations, subject, out, changes)
        if annotations.get(INJECT) == INGRESS:
            changes["is_ingress"] = True
        settings = out.settings = self.defaults.with_changes(changes)
        if (
            (settings.cpu_limit and settings.cpu_request)
            or (settings.memory_limit and settings.memory_request)
            or (settings.ephemeral_storage_limit and settings.ephemeral_storage_request)
        ):
            self._tell_what_exceeds_its_limit(out)
        if self._takes_env:
            self._merge_env(subject, namespace.annotations, out)
        if self._traces:
            settings.trace_labels = _trace_labels(settings.trace_labels, subject, annotations, root)
        if not self._lost.isdisjoint(namespace.annotations):
            self._tell_what_is_not_inherited(annotations, namespace, out)
        return out

    def _of_pod(self, subject: Subject) -> dict[str, Any]:
        """The settings that come of the Pod itself: its ports, and what the injected containers take over from the
        Pod's first one.

        That one's capabilities, so that what a Pod security policy lets through once it lets through again, and its
        mount of the service account.
        """
        changes: dict[str, Any] = {"pod_inbound_ports": ports.inbound_ports(subject, init_containers=self._init_ports)}
        context = subject.containers[0].security_context if subject.containers else None
        if context is not None and context.capabilities is not None:
            given = context.capabilities
            changes["capabilities"] = (tuple(given.add or ()), tuple(given.drop or ()))
        if subject.service_account_mount is None:
            changes["own_mount"] = False
        return changes

    def _tell_what_exceeds_its_limit(self, out: Resolved) -> None:
        """Tell of a request above its limit, where an annotation makes it so: the API server refuses such a Pod.

        Linkerd makes it all the same, so the Pod stays as it is. A pair of the mesh's values is told when these are
        loaded.
        """
        settings = out.settings
        for pair in resources.PAIRS:
            request, limit = getattr(settings, pair.request), getattr(settings, pair.limit)
            present = [annotation for annotation in (pair.for_request, pair.for_limit) if annotation in out.sources]
            if present and is_above(request, limit):
                # The Pod's own annotation is nearer to whoever is told than its Namespace's.
                annotation = min(present, key=lambda key: out.sources[key][1] != "pod")
                self._tell_of_pair(annotation, pair, out)

    def _tell_of_pair(self, annotation: str, pair: resources.Pair, out: Resolved) -> None:
        """Tell that this annotation, a request or a limit, and what stands against it exclude each other."""
        is_request = annotation == pair.for_request
        against = pair.for_limit if is_request else pair.for_request
        amount = getattr(out.settings, pair.limit if is_request else pair.request)
        text, at = out.sources[annotation]
        if against not in out.sources:
            whose = "Linkerd's values"
        elif out.sources[against][1] == at:
            whose = against.removeprefix(PREFIX)
        else:
            whose = f"Namespace {out.namespace}"
        what = f"above the {pair.what} limit {amount}" if is_request else f"below the {pair.what} request {amount}"
        on = f" on Namespace {out.namespace}" if at == "namespace" else ""
        sentence = (
            f"{annotation}{on} is {_quoted(text)}, {what} of {whose}, so the API server refuses the Pod: write "
            f"{_cut(amount)} or {'less' if is_request else 'more'}"
        )
        out.findings.append(
            rules.OVER_LIMIT.at(("metadata", "annotations", annotation) if at == "pod" else (), sentence, annotation)
        )

    def _tell_what_is_not_inherited(self, pod: Mapping[str, str], namespace: Namespace, out: Resolved) -> None:
        """Annotations of the Namespace that somebody set for the proxies of its Pods, and that do nothing."""
        for key in namespace.annotations:
            if key in self._lost and key not in pod:
                sentence = f"{key} on Namespace {namespace.name} has no effect, Pods do not inherit it: {_ON_TEMPLATE}"
                out.findings.append(rules.NOT_INHERITED.at((), sentence, key))

    def _apply(
        self,
        key: str,
        annotations: Mapping[str, str],
        subject: Subject,
        out: Resolved,
        changes: dict[str, Any],
    ) -> None:
        row, text, inherited = self._rows[key], annotations[key], key in out.inherited
        if row.hidden_by and any(other in annotations and other in self._rows for other in row.hidden_by):
            return
        if key == ports.OPAQUE_PORTS:
            changes[row.field] = self._opaque_ports(text, subject, out, inherited)
            reading = _AS_IT_IS
        else:
            reading = self._remembered(key, text) if len(text) <= _REMEMBERED else self._read(key, text)
            changes.update(reading.changes)
        if reading.counts:
            out.sources[key] = (text, "namespace" if inherited else "pod")
        if reading.problem:
            out.tell(key, inherited, reading.problem)

    def _read(self, annotation: str, text: str) -> _Reading:
        """What an annotation with this value comes to, in whichever Pod."""
        row = self._rows[annotation]
        if annotation in self._vain:
            return _Reading(problem=self._vain[annotation], counts=False)
        # An empty value is no value for these two, in the reference as here.
        if not text and annotation in (DEBUG, CLOSE_WAIT):
            return _Reading(counts=False)
        try:
            value = row.read(text)
        except GrammarError as error:
            used = _show(getattr(self.defaults, row.field))
            return _Reading(
                problem=f"is {_quoted(text)}, not {error}: the mesh's default counts ({used})", counts=False
            )
        right = row.odd(value)
        changes = {}
        if isinstance(value, Quantity):
            changes = self._cores(row.field, value)
            value = text
        changes |= dict.fromkeys((row.field, *row.also), value)
        return _Reading(changes, f"is {_quoted(text)}, which Linkerd takes as it is: write {right}" if right else "")

    def _opaque_ports(self, text: str, subject: Subject, out: Resolved, inherited: bool) -> str:
        containers = (*subject.init_containers, *subject.containers) if self._init_ports else subject.containers
        names = ports.named_ports(containers, last_wins=self._init_ports)
        value, refused = ports.read_opaque_ports(text, names, expand=self._expand)
        for entry in refused[:5]:
            if entry or text:
                out.tell(
                    ports.OPAQUE_PORTS,
                    inherited,
                    f"has {_quoted(entry)}, which is not a port (3306), a range (4000-4010) or the name of a container "
                    "port: Linkerd leaves it out",
                )
        return value

    def _cores(self, name: str, quantity: Quantity) -> dict[str, Any]:
        """The settings of how many threads the proxy starts, which its CPU quantities decide."""
        if name == "cpu_limit":
            names = ["workers_maximum"] if self._request_sets_workers else ["cores", "workers_maximum"]
        else:
            names = ["workers_minimum"] if name == "cpu_request" and self._request_sets_workers else []
        return dict.fromkeys(names, quantity.whole()) if names else {}

    def _merge_env(self, subject: Subject, namespace: Mapping[str, str], out: Resolved) -> None:
        """The mesh's variables, the Namespace's and the workload's, by name; a layer that is no good is left out."""
        own = subject.pod_annotations if subject.is_pod else subject.annotations
        if ADDITIONAL_ENV not in own and ADDITIONAL_ENV not in namespace:
            return
        for source, layer in (("namespace", namespace), ("pod", own)):
            text = layer.get(ADDITIONAL_ENV)
            if not text:
                continue
            variables, problem = _read_env(text)
            if problem:
                out.tell(ADDITIONAL_ENV, source == "namespace", f"cannot be read, Linkerd leaves it out: {problem}")
            else:
                out.settings.additional_env = merge_env_vars(out.settings.additional_env, variables)
                out.sources[ADDITIONAL_ENV] = (text, source)


def _inherited(rows: Iterable[Setting], line: Line) -> Iterator[str]:
    """The annotations that Pods take over from their Namespace in a line."""
    if line.has("rule/inject-and-alpha-inherited"):
        yield INJECT
    for row in rows:
        if row.annotation.startswith(ALPHA) and not line.has("rule/inject-and-alpha-inherited"):
            continue
        if line.has(row.inherited) if isinstance(row.inherited, str) else row.inherited:
            yield row.annotation


@lru_cache(maxsize=256)
def _parse_env(text: str) -> tuple[list[JSON], str]:
    try:
        return read_env_vars(orjson.loads(text)), ""
    except orjson.JSONDecodeError:
        return [], f"{_quoted(text)} is not JSON; write an array of EnvVar objects"
    except ValueError as error:
        return [], str(error)


def _read_env(text: str) -> tuple[list[JSON], str]:
    # Long ones are rare, and are not worth keeping.
    return _parse_env(text) if len(text) <= 8192 else _parse_env.__wrapped__(text)


def _trace_labels(
    labels: dict[str, str] | None, subject: Subject, annotations: Mapping[str, str], root: str | None
) -> dict[str, str]:
    """Resource attributes of the proxy's traces: the mesh's, the service name from labels, and annotations."""
    merged = dict(labels or {})
    if root is not None:
        merged["service.name"] = f"{root}-linkerd-proxy"
    name = next((subject.pod_labels[label] for label in TRACE_NAMES if label in subject.pod_labels), None)
    if name is not None:
        merged["service.name"] = name
    for key, value in annotations.items():
        if key.startswith(TRACE_ATTRIBUTE):
            merged[key.removeprefix(TRACE_ATTRIBUTE)] = value
    return merged


_ON_TEMPLATE = "write it on the Pod template"


def _quoted(text: str) -> str:
    return f'"{_cut(text)}"'


def _cut(text: str, length: int = 60) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value in ("", None):
        return "none"
    return _cut(str(value))
