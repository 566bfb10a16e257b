"""What `linkerd-webhook check --proxy` costs in a large cluster: seconds, and resident memory at its peak; and how long
`explain` takes there, and `_extension-metadata`, which `linkerd check` waits for.

The API server is a stand-in, which lists Namespaces, Deployments and Pods as a real one does, a page at a time, and
knows no other object: its own work takes nothing of the machine that matters. Every fifth Deployment has Pods of an
older proxy, so that there is something to tell. Goals: 10,000 Pods in 500 Namespaces in less than 10 s, with less than
150 MiB, and at most 5 MiB more than 1,000 Pods take; `explain` of a Pod and of a Deployment in less than 1 s, and
`_extension-metadata` in less than 0.2 s.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Process, Queue
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
import yaml

from bench import reviews, standin
from bench.servers import machine
from webhook.diagnosis.dataplane.stored import stored
from webhook.injector.inject import Injector
from webhook.injector.patch import applied
from webhook.injector.subject import Subject
from webhook.install.render import render
from webhook.install.settings import defaults
from webhook.kube.objects import Namespace
from webhook.mesh.config import Mesh
from webhook.mesh.defaults import default_trust_anchors, default_values

JSON = dict[str, Any]

DEPLOYMENTS: Final = 4
REPLICAS: Final = 5
INJECT: Final = "linkerd.io/inject"
# Stands in a Pod's text for what each has of its own.
_NAMESPACE, _NAME, _UID = "bench-namespace", "bench-name", "bench-uid"


class Cost(NamedTuple):
    """What a run took: seconds of wall time, seconds of CPU time, and MiB at its peak."""

    wall: float
    cpu: float
    peak: float


class Cluster:
    """The objects, written when they are asked for: nothing is held but a Pod as a template."""

    def __init__(self, namespaces: int) -> None:
        self.namespaces = namespaces
        mesh = Mesh.load(default_values(), default_trust_anchors())
        self.pods = [_pod(Injector(mesh), image) for image in ("", "cr.l5d.io/linkerd/proxy:edge-24.1.1")]
        config = {"values": default_values().decode()}
        self.objects: dict[str, JSON] = {
            "/version": {"major": "1", "minor": "36", "gitVersion": "v1.36.0"},
            "/api/v1/namespaces/linkerd/configmaps/linkerd-config": _object("linkerd-config", data=config),
            "/api/v1/namespaces/linkerd/configmaps/linkerd-identity-trust-roots": _object(
                "linkerd-identity-trust-roots", data={"ca-bundle.crt": default_trust_anchors().decode()}
            ),
        }
        self.configurations = []
        for body in render(defaults(), "linkerd").objects:
            if body["kind"] == "MutatingWebhookConfiguration":
                self.configurations.append(body)

    def get(self, path: str) -> bytes | None:
        """One object, None for one that does not exist."""
        if path in self.objects:
            return orjson.dumps(self.objects[path])
        *_, name = path.split("/")
        if re.fullmatch(r"/api/v1/namespaces/ns-\d+", path):
            return self._namespace(int(name.removeprefix("ns-")))
        if match := re.fullmatch(r"/apis/apps/v1/namespaces/ns-(\d+)/deployments/web-(\d+)", path):
            return self._deployment(int(match[1]) * DEPLOYMENTS + int(match[2]))
        if match := re.fullmatch(r"/api/v1/namespaces/ns-(\d+)/pods/web-(\d+)-5c9d8f7b6d-(\d+)-(\d+)", path):
            return self._pod(int(match[3]) * REPLICAS + int(match[4]))
        return None

    def list(self, path: str, first: int, limit: int) -> tuple[list[bytes], int]:
        """The objects of a list from a number on, and how many there are."""
        if path == "/api/v1/namespaces":
            every, make = self.namespaces, self._namespace
        elif path == "/apis/apps/v1/deployments":
            every, make = self.namespaces * DEPLOYMENTS, self._deployment
        elif path == "/api/v1/pods":
            every, make = self.namespaces * DEPLOYMENTS * REPLICAS, self._pod
        elif match := re.fullmatch(r"/api/v1/namespaces/ns-(\d+)/pods", path):
            before = int(match[1]) * DEPLOYMENTS * REPLICAS
            every, make = DEPLOYMENTS * REPLICAS, lambda number: self._pod(before + number)
        elif path.endswith("/mutatingwebhookconfigurations"):
            return [orjson.dumps(configuration) for configuration in self.configurations], len(self.configurations)
        else:
            return [], 0
        return [make(number) for number in range(first, min(first + limit, every))], every

    def _namespace(self, number: int) -> bytes:
        return orjson.dumps(_object(f"ns-{number:04d}", annotations={INJECT: "enabled"}))

    def _deployment(self, number: int) -> bytes:
        within, name = divmod(number, DEPLOYMENTS)
        template = {"metadata": {"labels": {"app": f"web-{name}"}}, "spec": {"containers": [_APP]}}
        body = _object(f"web-{name}", f"ns-{within:04d}")
        return orjson.dumps({**body, "spec": {"replicas": REPLICAS, "template": template}})

    def _pod(self, number: int) -> bytes:
        deployment, replica = divmod(number, REPLICAS)
        within, name = divmod(deployment, DEPLOYMENTS)
        text = self.pods[deployment % 5 == 0]
        for mark, own in (
            (_NAMESPACE, f"ns-{within:04d}"),
            (_NAME, f"web-{name}"),
            (_UID, f"{deployment:08d}-{replica:04d}"),
        ):
            text = text.replace(mark.encode(), own.encode())
        return text


_APP: Final = {
    "name": "app",
    "image": "example.org/app:1",
    "ports": [{"containerPort": 8080}],
    "env": [{"name": f"SETTING_{number}", "value": "a value of some length"} for number in range(20)],
    "volumeMounts": [
        {
            "name": "kube-api-access-x7k2p",
            "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            "readOnly": True,
        }
    ],
}


def _object(name: str, namespace: str = "", annotations: JSON | None = None, **more: Any) -> JSON:
    metadata: JSON = {"name": name, "annotations": annotations or {}, "creationTimestamp": "2026-01-01T00:00:00Z"}
    if namespace:
        metadata["namespace"] = namespace
    return {"metadata": metadata, **more}


def _pod(injector: Injector, image: str) -> bytes:
    """A Pod as it is stored after its injection; `image` is what its proxy has, "" for what it would get."""
    body = reviews.pod(0, _NAMESPACE)
    body["metadata"] |= {
        "name": f"{_NAME}-5c9d8f7b6d-{_UID}",
        "namespace": _NAMESPACE,
        "uid": _UID,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"app": _NAME, "pod-template-hash": "5c9d8f7b6d"},
        "annotations": {},
        "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{_NAME}-5c9d8f7b6d", "uid": _NAME}
            | {"controller": True}
        ],
    }
    namespace = Namespace(_NAMESPACE, {INJECT: "enabled"}, {})
    answer = injector.decide(Subject.of("Pod", body), namespace, ("deployment", _NAME))
    body = applied(body, answer.patch)
    for key in ("containers", "initContainers"):
        body["spec"][key] = [stored(element) for element in body["spec"].get(key, ())]
        for container in body["spec"][key]:
            if image and container["name"] == "linkerd-proxy":
                container["image"] = image
    body["status"] = {"phase": "Running", "podIP": "10.0.0.1"}
    return orjson.dumps(body)


def serve(namespaces: int, port: Queue[int]) -> None:
    """Be an API server for these; its port is put into the queue."""
    there = Cluster(namespaces)

    class Handler(standin.Handler):
        def answer(self, path: str, query: dict[str, str]) -> None:
            body = there.get(path)
            if body is not None:
                self.send(200, body)
            elif "limit" in query:
                first, limit = int(query.get("continue", "0")), int(query["limit"])
                items, every = there.list(path, first, limit)
                following = str(first + limit) if first + limit < every else ""
                metadata = orjson.dumps({"resourceVersion": "1", "continue": following})
                self.send(200, b'{"kind":"List","metadata":' + metadata + b',"items":[' + b",".join(items) + b"]}")
            else:
                self.missing()

    standin.serve_forever(Handler, port)


def run(command: list[str], *arguments: str) -> tuple[Cost, JSON]:
    """Run a command once. What it prints is JSON."""
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen([*command, *arguments], stdout=out)
        _, _, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        out.seek(0)
        report = orjson.loads(out.read())
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024), report


@contextmanager
def serving(namespaces: int) -> Iterator[str]:
    """A cluster of so many Namespaces, within the block: the flag that names it."""
    port: Queue[int] = Queue()
    server = Process(target=serve, args=(namespaces, port), daemon=True)
    server.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            kubeconfig = Path(folder) / "kubeconfig"
            kubeconfig.write_text(kubeconfig_of(f"http://127.0.0.1:{port.get(timeout=60)}"))
            yield f"--kubeconfig={kubeconfig}"
    finally:
        server.terminate()


def measure(command: list[str], cluster: str, namespaces: int, rounds: int) -> Cost:
    """The check: the best of some rounds, by wall time; the memory of the one that took most."""
    costs = []
    for _ in range(rounds):
        cost, report = run(command, "check", "--proxy", "--wait=0s", "-o", "json", cluster)
        _verify(report, namespaces)
        costs.append(cost)
    return min(costs)._replace(peak=max(cost.peak for cost in costs))


def explained(command: list[str], cluster: str, namespaces: int, target: str, rounds: int) -> Cost:
    """An explanation of an object in the last Namespace: the best of some rounds, by wall time."""
    costs = []
    for _ in range(rounds):
        cost, report = run(command, "explain", target, f"-n=ns-{namespaces - 1:04d}", "-o", "json", cluster)
        if report["meshed"] is not True or report["notes"] or not report["patch"]:
            raise SystemExit(f"{target} was not explained: {orjson.dumps(report)[:2000]!r}")
        costs.append(cost)
    return min(costs)


def _verify(report: JSON, namespaces: int) -> None:
    """That all Pods were looked at: a check that gives up early is fast."""
    checks = {check["code"]: check for category in report["categories"] for check in category["checks"]}
    outdated = checks.get("outdated", {}).get("count", 0)
    wanted = -(-namespaces * DEPLOYMENTS // 5)
    if outdated != wanted or checks["unmeshed"]["result"] != "success":
        raise SystemExit(f"{outdated} of {wanted} outdated Deployments were told: {orjson.dumps(report)[:2000]!r}")


def kubeconfig_of(server: str) -> str:
    named = [{"name": "bench", "cluster": {"server": server}}]
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "bench",
            "clusters": named,
            "users": [{"name": "bench", "user": {"token": "bench"}}],
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        }
    )


def main() -> None:
    """Measure both sizes, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--namespaces", type=int, default=500, help="each has 20 Pods (default 500)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--command", default=f"{sys.executable} -m webhook.cli", help="the program")
    options = parser.parse_args()
    print(f"{machine()}, best of {options.rounds}")
    element = DEPLOYMENTS * REPLICAS
    command, tenth = options.command.split(), max(1, options.namespaces // 10)
    with serving(tenth) as cluster:
        few = measure(command, cluster, tenth, options.rounds)
    last = options.namespaces * DEPLOYMENTS - 1
    with serving(options.namespaces) as cluster:
        many = measure(command, cluster, options.namespaces, options.rounds)
        targets = "deploy/web-3", f"pod/web-3-5c9d8f7b6d-{last:08d}-0000"
        of = [explained(command, cluster, options.namespaces, target, options.rounds) for target in targets]
    metadata = min(run(command, "_extension-metadata")[0] for _ in range(options.rounds))
    for what, cost in (
        (f"check, {tenth * element:,} Pods", few),
        (f"check, {options.namespaces * element:,} Pods", many),
        *((f"explain {target}", cost) for target, cost in zip(targets, of, strict=True)),
        ("_extension-metadata", metadata),
    ):
        print(f"{what:41} {cost.wall:6.2f} s, {cost.cpu:6.2f} s of CPU time, {cost.peak:6.1f} MiB")
    goals = (
        ("seconds", many.wall, 10.0),
        ("MiB", many.peak, 150.0),
        ("MiB more", many.peak - few.peak, 5.0),
        ("seconds for a Deployment", of[0].wall, 1.0),
        ("seconds for a Pod", of[1].wall, 1.0),
        ("seconds for _extension-metadata", metadata.wall, 0.2),
    )
    for what, value, goal in goals:
        print(f"{value:6.2f} {what} (goal {goal:g}): {'met' if value <= goal else 'MISSED'}")


if __name__ == "__main__":
    main()
