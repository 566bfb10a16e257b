"""What `install --adopt` finds out about Linkerd's extensions: the flags by which the server answers for their
injectors, read from the Deployments of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from webhook.diagnosis.installation.request import InstallRequest
from webhook.install.adoption import linkerds_service
from webhook.install.extensions import EXTENSIONS, Extension, injector_arguments, server_arguments
from webhook.install.server_deployment import flag
from webhook.kube.api import PLAIN, ApiServer
from webhook.kube.errors import ApiError, explain
from webhook.kube.fields import mappings
from webhook.kube.interface import JSON, find
from webhook.kube.webhookconfigurations import cert_manager, path


@dataclass(frozen=True, slots=True)
class ExtensionFlags:
    """Flags for the server, and a note about each extension that is in the cluster."""

    arguments: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


async def find_extensions(
    api: ApiServer, request: InstallRequest, given: Sequence[str], cluster_domain: str
) -> ExtensionFlags:
    """The flags for the extensions that are in the cluster. `given` are flags that the user has chosen, which stay.

    Nothing without `--adopt`. What cannot be read is a note: the extension goes on by itself.
    """
    arguments: list[str] = []
    notes: list[str] = []
    for extension in EXTENSIONS if request.adopt else ():
        if flag(given, extension.needs):
            continue
        where = " ".join(extension.configuration)
        try:
            body = await find(api, path(extension.configuration))
            if body is None:
                continue
            read, problem = await _flags(api, request, extension, body, cluster_domain)
        except (ApiError, TimeoutError) as error:
            read, problem = [], explain(error)
        if read:
            flags = " ".join(read)
            notes.append(f"{where}: is adopted, too, with the flags of Linkerd {extension.name}: {flags}")
            arguments += read
        else:
            notes.append(f"{where}: stays with Linkerd {extension.name}: {problem}")
    return ExtensionFlags(tuple(arguments), tuple(notes))


async def _flags(
    api: ApiServer, request: InstallRequest, extension: Extension, body: JSON, cluster_domain: str
) -> tuple[list[str], str]:
    """The flags, or why there are none. Raises `ApiError` and `TimeoutError`."""
    annotation = cert_manager(body)
    if annotation:
        return [], f"cert-manager writes its caBundle (annotation {annotation}): remove the annotation to adopt it"
    by_hand = f"to adopt it all the same, add --{extension.needs}=… to extraArgs"
    service = linkerds_service(body, request.service)
    if service is None:
        return [], f"it does not say which Service its injector has; {by_hand}"
    listed = await api.get(f"/apis/apps/v1/namespaces/{service.namespace}/deployments", None, PLAIN)
    arguments = injector_arguments(extension, mappings(listed, "items"))
    if arguments is None:
        return [], f"no Deployment in Namespace {service.namespace} has a container {extension.container}; {by_hand}"
    for name, ours in (("cluster-domain", cluster_domain), ("linkerd-namespace", request.namespace)):
        theirs = flag(arguments, name) if name in extension.shared else ""
        if theirs and theirs != ours:
            return [], f"its injector has --{name}={theirs}, and this installation has {ours}: pass --{name} {theirs}"
    return server_arguments(extension, arguments), f"its injector has no --{extension.needs}, so it changes no Pod"
