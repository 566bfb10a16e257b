"""Pod templates in kinds of others: workloads that Linkerd's own `inject` passes over.

A kind is found by its API group and name. A path leads to the template from the object's root, with `*` for each item
of a list or entry of a map; a template is what has a Pod's `metadata`, and mostly its `spec`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from webhook.kube.fields import mapping, text
from webhook.meshing.kinds import Path, group_of
from webhook.review import JSON

_TEMPLATE: Final = ("spec.template",)

# By kind and group: where its Pod templates are.
KNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "Rollout.argoproj.io": _TEMPLATE,
    "CloneSet.apps.kruise.io": _TEMPLATE,
    "StatefulSet.apps.kruise.io": _TEMPLATE,
    "DaemonSet.apps.kruise.io": _TEMPLATE,
    "BroadcastJob.apps.kruise.io": _TEMPLATE,
    "AdvancedCronJob.apps.kruise.io": ("spec.template.jobTemplate.spec.template",),
    "Service.serving.knative.dev": _TEMPLATE,
    "Configuration.serving.knative.dev": _TEMPLATE,
    "DeploymentConfig.apps.openshift.io": _TEMPLATE,
    "Kafka.kafka.strimzi.io": (
        "spec.kafka.template.pod",
        "spec.zookeeper.template.pod",
        "spec.entityOperator.template.pod",
        "spec.kafkaExporter.template.pod",
        "spec.cruiseControl.template.pod",
    ),
    "KafkaConnect.kafka.strimzi.io": ("spec.template.pod",),
    "KafkaMirrorMaker2.kafka.strimzi.io": ("spec.template.pod",),
    "KafkaBridge.kafka.strimzi.io": ("spec.template.pod",),
    "KafkaNodePool.kafka.strimzi.io": ("spec.template.pod",),
    "Job.batch.volcano.sh": ("spec.tasks.*.template",),
    "PyTorchJob.kubeflow.org": ("spec.pytorchReplicaSpecs.*.template",),
    "TFJob.kubeflow.org": ("spec.tfReplicaSpecs.*.template",),
    "MPIJob.kubeflow.org": ("spec.mpiReplicaSpecs.*.template",),
    "XGBoostJob.kubeflow.org": ("spec.xgbReplicaSpecs.*.template",),
    "PaddleJob.kubeflow.org": ("spec.paddleReplicaSpecs.*.template",),
}

_GIVEN: Final = re.compile(r"([A-Za-z][A-Za-z0-9]*)\.([a-z0-9.-]+\.[a-z0-9-]+):([A-Za-z0-9_*]+(?:\.[A-Za-z0-9_*-]+)*)")
# What `--pod-templates` alone stands for.
ALL: Final = "known"


class TemplateError(ValueError):
    """A value of --pod-templates cannot be used: the message says what to write."""


@dataclass(frozen=True, slots=True)
class PodTemplates:
    """Where to look for Pod templates: paths by `Kind.group`."""

    paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, values: tuple[str, ...]) -> PodTemplates:
        """By the values of --pod-templates: `known`, or `KIND.GROUP:PATH`. Raises `TemplateError`."""
        paths: dict[str, tuple[str, ...]] = {}
        for value in values:
            if value == ALL:
                paths |= {key: paths.get(key, ()) + known for key, known in KNOWN.items()}
                continue
            match = _GIVEN.fullmatch(value)
            if match is None:
                raise TemplateError(
                    f'--pod-templates "{value}": write KIND.GROUP:PATH, such as Rollout.argoproj.io:spec.template'
                )
            key = f"{match[1]}.{match[2]}"
            paths[key] = (*paths.get(key, ()), match[3])
        return cls(paths)

    def within(self, body: JSON) -> list[Path]:
        """The paths of the Pod templates that an object has."""
        patterns = self.paths.get(f"{text(body, 'kind')}.{group_of(body)}", ())
        return [path for pattern in patterns for path in _paths_of(body, pattern.split("."), ())]


def _paths_of(value: Any, parts: list[str], path: Path) -> Iterator[Path]:
    if not parts:
        if isinstance(value, dict):
            yield path
        return
    first, rest = parts[0], parts[1:]
    if first != "*":
        if isinstance(value, dict) and first in value:
            yield from _paths_of(value[first], rest, (*path, first))
        return
    for key, entry in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _paths_of(entry, rest, (*path, str(key)))


_KNOWN: Final = PodTemplates(KNOWN)


def has_known_templates(body: JSON) -> bool:
    """Whether an object of somebody else's kind has Pod templates where `--pod-templates` looks for them."""
    return bool(_KNOWN.within(body))


def as_pod(body: JSON, path: Path) -> JSON:
    """A Pod as the template at a path makes it, in the object's Namespace."""
    template = at(body, path)
    metadata = dict(mapping(template, "metadata"))
    namespace = text(body, "metadata", "namespace")
    if namespace:
        metadata.setdefault("namespace", namespace)
    pod: JSON = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
    return pod | ({"spec": template["spec"]} if isinstance(template.get("spec"), dict) else {})


def with_pod(body: JSON, path: Path, pod: JSON) -> JSON:
    """The object whose template at a path makes this Pod; what else the template has stays."""
    template = at(body, path)
    metadata = dict(mapping(pod, "metadata"))
    if "namespace" not in mapping(template, "metadata"):
        metadata.pop("namespace", None)
    new = {key: value for key, value in template.items() if key != "metadata"}
    if metadata:
        new["metadata"] = metadata
    return placed(body, path, lambda _: new | ({"spec": pod["spec"]} if "spec" in pod else {}))


def at(value: JSON, path: Path) -> JSON:
    """The object at a path, whose parts are keys and numbers of items."""
    node: Any = value
    for part in path:
        node = node[int(part)] if isinstance(node, list) else node[part]
    return dict(node)


def placed(value: JSON, path: Path, change: Callable[[JSON], Mapping[str, Any]]) -> JSON:
    """A copy of a value in which the object at a path is changed; what is missing on the way is put there."""
    out: JSON = _placed(value, path, change)
    return out


def _placed(value: Any, path: Path, change: Callable[[JSON], Mapping[str, Any]]) -> Any:
    if path and isinstance(value, list):
        number = int(path[0])
        return [*value[:number], _placed(value[number], path[1:], change), *value[number + 1 :]]
    body = value if isinstance(value, dict) else {}
    return {**body, path[0]: _placed(body.get(path[0]), path[1:], change)} if path else dict(change(body))
