"""The command that puts back what belongs to an installation. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

from webhook.diagnosis.check.installation import Installation, InstallMode
from webhook.diagnosis.fixes import LINKERD_UPGRADE
from webhook.install.settings import SETTINGS, InstallSetting
from webhook.kube.objects import helm_release


def apply_again(installation: Installation) -> str:
    """What to run to apply what `install` prints with the settings of this installation: Helm, where it was installed
    by Helm, and Linkerd's own commands, where only the image was exchanged."""
    if installation.mode is InstallMode.IMAGE:
        return f"have Linkerd write its own again: {LINKERD_UPGRADE}"
    deployments = installation.deployments if isinstance(installation.deployments, tuple) else ()
    release = next((release for release in map(helm_release, deployments) if release), "")
    if release:
        namespace = shlex.quote(installation.namespace)
        return f"helm upgrade --namespace {namespace} --reuse-values {shlex.quote(release)} deploy/chart"
    return f"linkerd-webhook install {' '.join(_flags(installation))} | kubectl apply -f -"


def _flags(installation: Installation) -> Iterator[str]:
    """The flags by which `install` prints it."""
    values = installation.values
    if installation.namespace != "linkerd":
        yield f"--linkerd-namespace {shlex.quote(installation.namespace)}"
    repository, tag, digest = (values["image"][key] for key in ("repository", "tag", "digest"))
    image = repository + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    yield f"--image {shlex.quote(image) if repository else 'REPOSITORY:TAG'}"
    for setting in SETTINGS:
        value = _at(values, setting.path)
        if setting.flag and value != setting.default:
            yield from _flag(setting, value)
    if values["extraArgs"]:
        escaped = (re.sub(r"([,\\{}])", r"\\\1", argument) for argument in values["extraArgs"])
        yield f"--set {shlex.quote('extraArgs={' + ','.join(escaped) + '}')}"


def _flag(setting: InstallSetting, value: Any) -> Iterator[str]:
    if isinstance(value, list):
        yield from (f"{setting.flag} {shlex.quote(str(item))}" for item in value)
    elif isinstance(value, bool):
        yield f"{setting.flag} {'on' if value else 'off'}" if setting.default else setting.flag
    else:
        yield f"{setting.flag} {shlex.quote(str(value))}"


def _at(values: Any, path: str) -> Any:
    for key in path.split("."):
        values = values[key]
    return values
