"""A Pod's settings to the patch that meshes it: metadata, volumes and containers, each in its place."""

from __future__ import annotations

import orjson

from webhook.injector import debug, patch, volumes
from webhook.injector.effective import Settings
from webhook.injector.init import InitBuilder
from webhook.injector.mesh_facts import MeshFacts
from webhook.injector.pod import PodSpec
from webhook.injector.proxy import ProxyBuilder
from webhook.injector.refusal import Refusal
from webhook.injector.subject import Subject
from webhook.injector.validator import ValidatorBuilder
from webhook.mesh.config import Mesh
from webhook.review import JSON

# Stands for the mount of the service account in the text of a patch: no other object there has such a key, and in a
# string its quotes would be escaped.
_PLACEHOLDER: JSON = {"\0": 0}
_PLACEHOLDER_TEXT = orjson.dumps(_PLACEHOLDER)


def with_mount(text: bytes, subject: Subject) -> bytes:
    """The patch for this Pod, of the text that Pods have in common which differ in the mount of their service account.

    The API server gives the volume of the token another name in every Pod (`kube-api-access-` and five letters).
    """
    mount = subject.service_account_mount
    if mount is None:
        return text
    own = {"mountPath": mount.mount_path, "name": mount.name, "readOnly": bool(mount.read_only)}
    return text.replace(_PLACEHOLDER_TEXT, orjson.dumps(own))


class Assembly:
    """The builders of one mesh. Raises `Refusal` when its configuration can inject nothing."""

    def __init__(self, mesh: Mesh, defaults: Settings) -> None:
        """`defaults` are the settings of a Pod without annotations."""
        if mesh.problems:
            raise Refusal(mesh.problems[0], "values_invalid", code=500)
        facts = self._facts = MeshFacts.of(mesh)
        cni = mesh.values.cni_enabled
        self._proxy = ProxyBuilder(facts, defaults)
        self._first: InitBuilder | ValidatorBuilder = (ValidatorBuilder if cni else InitBuilder)(facts, defaults)
        built = volumes.build(cni=cni, traces=self._proxy.traces, token_projection=facts.token_projection)
        self._volumes = [orjson.dumps(volume) for volume in built]

    def patch(self, subject: Subject, settings: Settings, annotations: dict[str, str], labels: dict[str, str]) -> bytes:
        """The patch for a Pod (template) that gets these settings, annotations and labels, as JSON for `with_mount`.

        What the settings take over from the Pod's first container is filled in here. Raises `Refusal`.
        """
        _take_over(settings, subject)
        at = f"{subject.prefix}/metadata"
        operations = [patch.add_text(pointer, b"{}") for pointer in subject.absent]
        if subject.pod_metadata is None:
            operations.append(patch.add_text(at, orjson.dumps({"annotations": annotations, "labels": labels})))
        else:
            operations += patch.add_entries_text(f"{at}/annotations", subject.pod_annotations, annotations)
            operations += patch.add_entries_text(f"{at}/labels", subject.pod_labels, labels)
        operations += self._spec(subject, settings)
        return b"[" + b",".join(operations) + b"]"

    def _spec(self, subject: Subject, settings: Settings) -> list[bytes]:
        spec = subject.spec or PodSpec()
        at = f"{subject.prefix}/spec"
        first = self._first.text(settings)
        proxy = self._proxy.text(settings)
        operations = patch.append_items(f"{at}/volumes", spec.volumes, self._volumes)
        init_path, containers_path = f"{at}/initContainers", f"{at}/containers"
        if settings.native_sidecar:
            # First of all, so that the init containers behind it have a network.
            operations += patch.prepend_items(init_path, subject.init_containers, [first, proxy])
        else:
            operations += patch.append_items(init_path, subject.init_containers, [first])
        present = bool(subject.containers)
        if settings.debug:
            container = orjson.dumps(debug.build(self._facts, settings))
            operations += patch.append_items(containers_path, present, [container])
            present = True
        if not settings.native_sidecar:
            place = patch.prepend_items if settings.await_proxy else patch.append_items
            operations += place(containers_path, present, [proxy])
        return operations


def _take_over(settings: Settings, subject: Subject) -> None:
    """What the injected containers have as the Pod's first one has it.

    Its capabilities, so that what a Pod security policy lets through once it lets through again, and its mount of the
    service account.
    """
    context = subject.containers[0].security_context if subject.containers else None
    if context is not None and context.capabilities is not None:
        given = context.capabilities
        settings.capabilities = {"add": given.add or [], "drop": given.drop or []}
    mount = subject.service_account_mount
    if mount is not None:
        settings.service_account = _PLACEHOLDER
