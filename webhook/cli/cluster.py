"""Which cluster a command talks to: the one that kubectl would."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from webhook.kube.api import ApiServer, ConfigurationError

# The kubelet sets it in every container.
IN_CLUSTER = "KUBERNETES_SERVICE_HOST"


async def connect(kubeconfig: Path | None, environment: Mapping[str, str] = os.environ) -> ApiServer:
    """A connection by the current context of this kubeconfig, else of $KUBECONFIG, else of ~/.kube/config; in a Pod
    without any of these, as its ServiceAccount.

    Nothing is sent yet. Close it at the end. Raises `ConfigurationError`, whose message names what was tried.
    """
    source, files = _kubeconfig(kubeconfig, environment)
    if files:
        # Several are merged, and those that are not there are passed over, as kubectl does it.
        return await ApiServer.from_kubeconfig(os.pathsep.join(map(str, files)))
    if source:
        raise ConfigurationError(f"no cluster to ask: {source} names no file that is there: pass --kubeconfig FILE")
    if environment.get(IN_CLUSTER):
        return ApiServer.in_cluster(environment=environment)
    raise ConfigurationError(
        "no cluster to ask: --kubeconfig is not given, $KUBECONFIG is not set, there is no file "
        f"{_default(environment)}, and {IN_CLUSTER} is not set, so this process does not run in a Pod: "
        "pass --kubeconfig FILE"
    )


def _kubeconfig(given: Path | None, environment: Mapping[str, str]) -> tuple[str, list[Path]]:
    """Who names kubeconfig files, "" for nobody, and which of them are there."""
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
