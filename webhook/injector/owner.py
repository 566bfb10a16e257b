"""The labels of an injected Pod that name what owns it.

The rules stand in Linkerd's `pkg/inject/inject.go` (`populateMeta`).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from webhook.injector.subject import Subject

WORKLOAD_NAMESPACE: Final = "linkerd.io/workload-ns"
ROOT: Final = "linkerd.io/proxy-root-parent"
ROOT_KIND: Final = f"{ROOT}-kind"
ROOT_GROUP: Final = f"{ROOT}-group"
ROOT_LABELS: Final = frozenset((ROOT, ROOT_KIND, ROOT_GROUP))

# Workload kinds that the proxy is labelled with; a CronJob's Pods carry their Job's.
OWNER_LABELS: Final = frozenset(
    {"deployment", "replicationcontroller", "replicaset", "job", "daemonset", "statefulset"}
)
# Kinds that the reference knows by name: others count as no owner in its metrics.
OWNER_KINDS: Final = OWNER_LABELS | {"pod", "cronjob"}


class Root(NamedTuple):
    """The last owner of a Pod, that nothing owns: its name, its kind as it is spelled, its group ("" for the core)."""

    name: str
    kind: str
    group: str = ""


def group_of(api_version: str) -> str:
    """The group of an `apiVersion`, "" for the core group and for what is no `apiVersion`."""
    group, slash, version = api_version.partition("/")
    return group if slash and "/" not in version else ""


def root_as_written(subject: Subject) -> Root:
    """The root as far as the Pod tells: its single owner. A Pod without an owner, or with several, is its own root."""
    owners = subject.owners
    if len(owners) == 1 and owners[0].kind:
        return Root(owners[0].name or "", owners[0].kind, group_of(owners[0].api_version or ""))
    return Root(subject.metadata.name or "", "Pod")


def labels(
    subject: Subject, namespace: str, workload: tuple[str, str] | None, root: Root | None = None
) -> dict[str, str]:
    """The labels. `namespace` is a Pod's, and `workload` the kind (in lower case) and name of what owns it, None when
    the Pod stands for itself. `root` is None in a release that does not ask for it: else it is labelled in place of the
    workload."""
    if not subject.is_pod:
        return _of_template(subject, root)
    if root is not None:
        workload = (root.kind.lower(), root.name)
    made = {}
    if workload is not None and workload[0] in OWNER_LABELS:
        made[f"linkerd.io/proxy-{workload[0]}"] = workload[1]
    return made | _of_root(root) | {WORKLOAD_NAMESPACE: namespace}


def root_of_template(subject: Subject) -> Root | None:
    """The root that a workload is for the Pods of its template; None for a CronJob, whose Pods have their Job's."""
    if subject.kind not in OWNER_LABELS:
        return None
    return Root(subject.metadata.name or "", subject.stated_kind, group_of(subject.api_version))


def _of_template(subject: Subject, root: Root | None) -> dict[str, str]:
    named = {f"linkerd.io/proxy-{subject.kind}": subject.metadata.name or ""}
    return named | _of_root(root) | {WORKLOAD_NAMESPACE: subject.metadata.namespace or ""}


def _of_root(root: Root | None) -> dict[str, str]:
    return {} if root is None else {ROOT: root.name, ROOT_KIND: root.kind, ROOT_GROUP: root.group}
