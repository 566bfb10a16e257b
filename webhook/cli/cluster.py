"""Connects commands to the cluster that kubectl would use."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webhook.kube.api import ApiServer

# The kubelet sets this variable in every container.
IN_CLUSTER = "KUBERNETES_SERVICE_HOST"


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """Which cluster, and as whom: the flags that kubectl and Linkerd's CLI have in common. `context` is one of the
    kubeconfig's, None for the current one; `user`, "" for nobody else, and `groups` are whom requests are sent as.
    `log` is called with a line about each request."""

    kubeconfig: Path | None = None
    context: str | None = None
    user: str = ""
    groups: tuple[str, ...] = ()
    log: Callable[[str], None] | None = None


async def connect_as(access: ClusterAccess, environment: Mapping[str, str] = os.environ) -> ApiServer:
    """As `connect`, with a context and a user. Raises `ConfigurationError`."""
    api = await connect(access.kubeconfig, environment, access.context)
    api.act_as(access.user, access.groups)
    api.log_requests(access.log)
    return api


async def connect(
    kubeconfig: Path | None, environment: Mapping[str, str] = os.environ, context: str | None = None
) -> ApiServer:
    """A client that uses the current (or another) context of `kubeconfig`, else of $KUBECONFIG, else of ~/.kube/config.
    In a Pod without any of these files it uses the Pod's ServiceAccount.

    It sends no request yet; the caller closes it. Raises `ConfigurationError`, whose message names what was tried.
    """
    # The client takes longer to import than most commands run, and many of them ask no cluster.
    from webhook.kube.api import ApiServer, ConfigurationError

    source, files = _kubeconfig(kubeconfig, environment)
    if files:
        # Several are merged, and those that are not there are passed over, as kubectl does it.
        return await ApiServer.from_kubeconfig(os.pathsep.join(map(str, files)), context)
    if source:
        raise ConfigurationError(f"no cluster is configured: no file of {source} exists: pass --kubeconfig FILE")
    if environment.get(IN_CLUSTER):
        return ApiServer.in_cluster(environment=environment)
    raise ConfigurationError(
        "no cluster is configured: --kubeconfig is not given, $KUBECONFIG is not set, "
        f"{_default(environment)} does not exist, and {IN_CLUSTER} is not set, so this process does not run in a Pod: "
        "pass --kubeconfig FILE"
    )


def _kubeconfig(given: Path | None, environment: Mapping[str, str]) -> tuple[str, list[Path]]:
    """Which option or variable names kubeconfig files ("" if none does), and those of the files that exist."""
    listed = environment.get("KUBECONFIG", "")
    if given is not None:
        source, named = f"--kubeconfig {given}", [given]
    elif listed:
        source, named = f"$KUBECONFIG ({listed})", [Path(entry) for entry in listed.split(os.pathsep) if entry]
    else:
        source, named = "", [_default(environment)]
    # A named pipe or /dev/stdin will do as well.
    return source, [file for file in (path.expanduser() for path in named) if file.exists() and not file.is_dir()]


def _default(environment: Mapping[str, str]) -> Path:
    home = environment.get("HOME")
    return (Path(home) if home else Path.home()) / ".kube" / "config"


def namespace_of(kubeconfig: Path | None, context: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """The Namespace of the current (or another) context, by the rules of `connect`; `default` where none is named or
    no kubeconfig can be read."""
    from webhook.kube.fields import mappings, text
    from webhook.yaml.objects import Broken, read

    bodies = []
    for file in _kubeconfig(kubeconfig, environment)[1]:
        if not file.is_file():
            # A pipe can be read once, and the client will want that.
            continue
        try:
            bodies.append(read(file.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, Broken):
            continue
    current = context or next(filter(None, (text(body, "current-context") for body in bodies)), "")
    named = (entry for body in bodies for entry in mappings(body, "contexts") if text(entry, "name") == current)
    entry = next(named, None)
    return text(entry, "context", "namespace") or "default"
