"""A Pod's settings to the operations that mesh it: metadata, volumes and containers, each in its place."""

from __future__ import annotations

from webhook.injector import debug, patch, volumes
from webhook.injector.effective import Settings
from webhook.injector.init import InitBuilder
from webhook.injector.mesh_facts import MeshFacts
from webhook.injector.pod import PodSpec, VolumeMount
from webhook.injector.proxy import ProxyBuilder
from webhook.injector.refusal import Refusal
from webhook.injector.subject import Subject
from webhook.injector.validator import ValidatorBuilder
from webhook.mesh.config import Mesh
from webhook.mesh.values import Capabilities
from webhook.review import JSON


class Assembly:
    """The builders of one mesh. Raises `Refusal` when its configuration can inject nothing."""

    def __init__(self, mesh: Mesh) -> None:
        if mesh.problems:
            raise Refusal(mesh.problems[0], "values_invalid", code=500)
        facts = self._facts = MeshFacts.of(mesh)
        cni = mesh.values.cni_enabled
        self._proxy = ProxyBuilder(facts)
        self._first: InitBuilder | ValidatorBuilder = (ValidatorBuilder if cni else InitBuilder)(facts)
        self._volumes = volumes.build(cni=cni, traces=self._proxy.traces, token_projection=facts.token_projection)
        self._capabilities = _given(facts.proxy.capabilities)
        # The proxy's where the values have them, else the init container's own.
        self._init_capabilities = self._capabilities or _given(facts.init.capabilities)
        mount = facts.proxy.sa_mount_path
        self._mount: JSON | None = None
        if mount is not None:
            self._mount = {"mountPath": mount.mount_path, "name": mount.name, "readOnly": mount.read_only}

    def operations(
        self, subject: Subject, settings: Settings, annotations: dict[str, str], labels: dict[str, str]
    ) -> list[JSON]:
        """The patch for a Pod (template) that gets these settings, annotations and labels. Raises `Refusal`."""
        return [
            *(patch.add(pointer, {}) for pointer in subject.absent),
            *_metadata(subject, annotations, labels),
            *self._spec(subject, settings),
        ]

    def _spec(self, subject: Subject, settings: Settings) -> list[JSON]:
        spec = subject.spec or PodSpec()
        at = f"{subject.prefix}/spec"
        own = _capabilities(subject)
        mount = _mount(subject.service_account_mount) or self._mount
        first = self._first.build(settings, own or self._init_capabilities, mount)
        proxy = self._proxy.build(settings, own or self._capabilities, mount)
        operations = patch.append_items(f"{at}/volumes", spec.volumes, self._volumes)
        init_path, containers_path = f"{at}/initContainers", f"{at}/containers"
        if settings.native_sidecar:
            # First of all, so that the init containers behind it have a network.
            operations += patch.prepend_items(init_path, subject.init_containers, [first, proxy])
        else:
            operations += patch.append_items(init_path, subject.init_containers, [first])
        present = bool(subject.containers)
        if settings.debug:
            operations += patch.append_items(containers_path, present, [debug.build(self._facts, settings)])
            present = True
        if not settings.native_sidecar:
            place = patch.prepend_items if settings.await_proxy else patch.append_items
            operations += place(containers_path, present, [proxy])
        return operations


def _metadata(subject: Subject, annotations: dict[str, str], labels: dict[str, str]) -> list[JSON]:
    at = f"{subject.prefix}/metadata"
    if subject.pod_metadata is None:
        return [patch.add(at, {"annotations": annotations, "labels": labels})]
    return [
        *patch.add_entries(f"{at}/annotations", subject.pod_annotations, annotations),
        *patch.add_entries(f"{at}/labels", subject.pod_labels, labels),
    ]


def _capabilities(subject: Subject) -> JSON | None:
    """The first container's, so that what a Pod security policy lets through once it lets through again."""
    context = subject.containers[0].security_context if subject.containers else None
    if context is None or context.capabilities is None:
        return None
    return {"add": context.capabilities.add or [], "drop": context.capabilities.drop or []}


def _given(capabilities: Capabilities | None) -> JSON | None:
    return None if capabilities is None else {"add": list(capabilities.add), "drop": list(capabilities.drop)}


def _mount(mount: VolumeMount | None) -> JSON | None:
    if mount is None:
        return None
    return {"mountPath": mount.mount_path, "name": mount.name, "readOnly": bool(mount.read_only)}
