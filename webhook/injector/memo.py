"""Injections that were worked out before.

The Pods of one template differ in name, uid and much else, and in nothing that an injection depends on. `key` names
everything that it does depend on, and the configuration has a memory of its own: so a Pod that was seen before is
answered with the same patch, and one that differs in anything that counts is not. A test holds every answer from memory
against one worked out anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from webhook.findings.suppression import ANNOTATION as SILENCE
from webhook.injector.advice import keys
from webhook.injector.advice.commands import ends_proxy, network_client
from webhook.injector.advice.namespaces import ENFORCE
from webhook.injector.advice.running import is_for_windows, is_of_job
from webhook.injector.owner import Root
from webhook.injector.settings import TRACE_ATTRIBUTE, TRACE_NAMES
from webhook.injector.subject import Subject
from webhook.kube.objects import Namespace
from webhook.pod import Container
from webhook.review import Event

# Annotations that can have a part in an injection, or in what is said about it.
COUNTING = (*keys.OURS, TRACE_ATTRIBUTE, SILENCE)

_LABELS = (*keys.OURS, ENFORCE)

# A patch is some 12 KiB, most of it shared with others; what is much larger is not kept.
CAPACITY = 256
LARGEST = 64 * 1024


class Injection(NamedTuple):
    """What a Pod is answered with: the patch in pieces of Base64 (for `encoded.with_mount`), warnings and audit
    annotations; and what its workload is told. Never changed once it is made."""

    patch: Sequence[bytes]
    warnings: tuple[str, ...]
    audit: Mapping[str, str]
    events: tuple[Event, ...] = ()


class Memo:
    """The injections that were asked for last, a bounded number of them."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[Hashable, Injection] = OrderedDict()

    def get(self, key: Hashable | None) -> Injection | None:
        """What was kept under a key; None is no key."""
        injection = self._kept.get(key) if key is not None else None
        if injection is not None:
            self._kept.move_to_end(key)
        return injection

    def put(self, key: Hashable | None, injection: Injection) -> None:
        """Keep an injection, in place of the one that was not asked for the longest."""
        if key is None or sum(map(len, injection.patch)) > LARGEST:
            return
        self._kept[key] = injection
        if len(self._kept) > self._capacity:
            self._kept.popitem(last=False)


def key(
    subject: Subject, namespace: Namespace, workload: tuple[str, str] | None, root: Root | None = None
) -> bytes | None:
    """Everything that the injection of a Pod depends on, beside the configuration; None for a template of one.

    As one text: that is compared and hashed in one go, however much it holds.
    """
    if subject.spec is None or not subject.is_pod:
        return None
    annotations, labels, spec = subject.pod_annotations, subject.pod_labels, subject.spec
    parts = (
        namespace.name,
        workload,
        root,
        [item for item in annotations.items() if item[0].startswith(COUNTING)],
        [item for item in namespace.annotations.items() if item[0].startswith(COUNTING)],
        [_of_container(container) for container in subject.containers],
        [(_of_container(container), network_client(container)) for container in subject.init_containers],
        ends_proxy(subject.containers) if workload is not None and is_of_job(subject, workload) else None,
        spec.security_context,
        is_for_windows(spec) if spec.os is not None or spec.node_selector is not None else "",
        # Where there is nothing yet, a whole list or map is added.
        subject.absent,
        subject.pod_metadata is None,
        not annotations,
        [labels.get(name) for name in TRACE_NAMES] if labels else None,
        [name for name in labels if name.startswith(keys.OURS)],
        [item for item in namespace.labels.items() if item[0].startswith(_LABELS)] if namespace.labels else None,
        not spec.volumes,
        # Which one is filled in for each Pod.
        subject.service_account_mount is not None,
    )
    try:
        return _ENCODER.encode(parts)
    except UnicodeEncodeError:
        # A text that is not Unicode, which no API server sends.
        return None


_ENCODER = msgspec.json.Encoder()


def _of_container(container: Container) -> tuple[Any, ...]:
    """What is read of each container, beside what `key` reads itself."""
    return (
        container.name,
        container.restart_policy,
        container.ports,
        container.security_context,
        container.liveness_probe,
        container.readiness_probe,
        container.startup_probe,
    )
