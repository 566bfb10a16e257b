"""Pods that cannot run, or never end, with a proxy beside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from webhook.findings.finding import Finding
from webhook.injector.advice import commands, rules
from webhook.injector.advice.facts import ALWAYS, INIT_CONTAINERS, Facts
from webhook.injector.settings import NATIVE, PREFIX
from webhook.injector.subject import Subject
from webhook.pod import PodSpec

WINDOWS: Final = "windows"
_OS_LABELS: Final = ("kubernetes.io/os", "beta.kubernetes.io/os")
JOBS: Final = frozenset(("job", "cronjob"))


def is_for_windows(spec: PodSpec | None) -> str:
    """The field that puts a Pod on Windows (`os` or the key of a node's label), empty for none."""
    if spec is None:
        return ""
    if spec.os is not None and spec.os.name == WINDOWS:
        return "os"
    return next((label for label in _OS_LABELS if spec.node_selector and spec.node_selector.get(label) == WINDOWS), "")


def check(facts: Facts) -> list[Finding]:
    """What there is to say about a Pod's kind: Windows, Jobs, and what it does before it starts."""
    findings: list[Finding] = []
    spec = facts.subject.spec
    if spec is not None and (spec.os is not None or spec.node_selector is not None):
        findings += _windows(facts)
    if facts.workload is not None and is_of_job(facts.subject, facts.workload):
        findings += _never_ends(facts, *facts.workload)
    if facts.subject.init_containers and facts.mesh.values.cni_enabled:
        findings += _needs_network_first(facts)
    return findings


def is_of_job(subject: Subject, workload: tuple[str, str]) -> bool:
    """Whether Pods of a workload belong to a Job: also to one that something else made, as KEDA's ScaledJob does."""
    return workload[0] in JOBS or "Job" in [owner.kind for owner in subject.owners]


def _windows(facts: Facts) -> Iterator[Finding]:
    """Linkerd's proxy and `linkerd-init` are programs for Linux."""
    field = is_for_windows(facts.subject.spec)
    if field:
        path = ("spec", "os", "name") if field == "os" else ("spec", "nodeSelector", field)
        yield rules.WINDOWS.at(
            path, "the Pod runs on Windows, and Linkerd's proxy runs on Linux only: write linkerd.io/inject: disabled"
        )


def _never_ends(facts: Facts, kind: str, name: str) -> Iterator[Finding]:
    """A Job ends when all of its containers have ended, and the proxy ends only when somebody tells it."""
    settings = facts.settings
    if settings.native_sidecar or settings.shutdown_endpoint or commands.ends_proxy(facts.subject.containers):
        return
    what = f"the Jobs of CronJob {name} never complete" if kind == "cronjob" else f"Job {name} never completes"
    advice = "run its command by linkerd-await --shutdown"
    if facts.mesh.line.has(f"annotation/{NATIVE[0]}"):
        advice = f'write {NATIVE[0]}: "true", or {advice}'
    yield rules.NEVER_ENDS.at((), f"{what}, for the proxy keeps running beside it: {advice}")


def _needs_network_first(facts: Facts) -> Iterator[Finding]:
    """Init containers that go to the network before the proxy is there.

    `linkerd-init` is the last of the init containers, so those before it have the network as it is, and behind a
    native sidecar they have the proxy. With the CNI plugin the redirection is there before all of them. Only those that
    plainly call a program for the network are told: most init containers copy files.
    """
    if facts.settings.native_sidecar:
        return
    if f"{PREFIX}skip-outbound-ports" in facts.sources or f"{PREFIX}skip-subnets" in facts.sources:
        # Somebody has seen to it.
        return
    spec, uid = facts.subject.spec, facts.settings.uid
    of_pod = spec.security_context.run_as_user if spec is not None and spec.security_context is not None else None
    for index, container in enumerate(facts.subject.init_containers):
        own = container.security_context.run_as_user if container.security_context is not None else None
        if container.restart_policy == ALWAYS or (own if own is not None else of_pod) == uid:
            continue
        program = commands.network_client(container)
        if program:
            yield rules.INIT_NETWORK.at(
                (*INIT_CONTAINERS, index),
                f"init container {container.name} runs {program} before the proxy is there, so it has no network: "
                f'write {NATIVE[0]}: "true", or runAsUser: {uid} on it',
            )
