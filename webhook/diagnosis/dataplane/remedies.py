"""What lets the injector in, and what makes an annotation count: the commands for that. Pure."""

from __future__ import annotations

import shlex

import orjson

from webhook.diagnosis.dataplane.callers import ShutOut
from webhook.diagnosis.dataplane.restart import Advice
from webhook.diagnosis.dataplane.workloads import Workload
from webhook.injector.decision import INJECT
from webhook.kube.objects import Namespace


def let_in(out: ShutOut, namespace: Namespace) -> Advice:
    """What makes the selector select the Pods of a Namespace that is not one of `SPARED`."""
    if out.selector == "objectSelector":
        return Advice(f"correct the label {out.requirement.key} on the Pod template")
    if not out.mends:
        return Advice("take the Namespace out of that selector")
    verb = "remove" if out.mends.endswith("-") else "write"
    overwrite = "" if out.value is None or verb == "remove" else "--overwrite "
    return Advice(f"{verb} the label", f"kubectl label {overwrite}namespace {namespace.name} {out.mends}")


def into_template(workload: Workload, value: str | None) -> Advice:
    """Writes the annotation to inject into a workload's Pod template, or removes it there (`value` None). The API
    server refuses that for a Job, and a CronJob has its template deeper: then there is no command."""
    field = f"{template_path(workload)}metadata.annotations[{INJECT}]"
    text = f"remove {field}" if value is None else f"write {INJECT}: {value} into {field}"
    owner = workload.owner
    if owner.kind in ("CronJob", "Job"):
        return Advice(text)
    patch = orjson.dumps({"spec": {"template": {"metadata": {"annotations": {INJECT: value}}}}}).decode()
    return Advice(text, f"kubectl -n {owner.namespace} patch {owner.kind.lower()} {owner.name} -p {shlex.quote(patch)}")


def template_path(workload: Workload) -> str:
    """Where a workload has its Pod template, with a dot behind."""
    return "spec.jobTemplate.spec.template." if workload.owner.kind == "CronJob" else "spec.template."
