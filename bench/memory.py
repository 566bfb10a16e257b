"""Resident memory of the server: at start, after many reviews, with many Namespaces, with many Pods in the cluster.

Goals: at most 100 MiB after 100,000 reviews, under 1 MiB of growth over the second half of them, under 2 MiB more for
20,000 Pods. The parts about Namespaces and Pods need a disposable cluster and are skipped without one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace

from bench import client, cluster, reviews
from bench.loads import pods
from bench.servers import OURS, Server, Setting, arguments, kubeconfig_argument, machine, prepared, running
from bench.throughput import check

CONNECTIONS = 16
PATH = "/proxy-injector"
CROWD = "bench-crowd"
# More different injections than the server remembers, so that its memory of them is full.
TEMPLATES = 1024


def after_reviews(setting: Setting, count: int) -> None:
    """Post half of the reviews, then the other half; all of them different."""
    with running(OURS, setting) as server:
        start = settled(server)
        check(server, setting, pods(1, 1))
        say("at start", start)
        sizes = []
        for half in range(2):
            load(server, setting, range(half * count // 2, (half + 1) * count // 2))
            sizes.append(settled(server))
            say(f"after {(half + 1) * count // 2:,} reviews", sizes[-1])
        say("  of which peak", server.resident_mib("VmHWM"))
        judge("after all reviews", sizes[1], 100)
        judge("growth over the second half", sizes[1] - sizes[0], 1)


def load(server: Server, setting: Setting, numbers: range) -> None:
    """Post the reviews of these numbers, made as they are needed."""
    target = server.target(setting)

    def requests() -> Iterator[bytes]:
        for number in numbers:
            yield target.request("POST", PATH, reviews.review(number, templates=TEMPLATES))

    seen = client.load(target, requests(), CONNECTIONS)
    if seen.errors:
        raise SystemExit(f"{seen.errors} of {seen.requests} reviews failed: {dict(seen.statuses)}")


def with_namespaces(setting: Setting, api: client.Target, count: int) -> None:
    """The server's memory beside that many Namespaces, in the cache from the start and arriving one by one."""
    names = [f"{CROWD}-{number:05d}" for number in range(count)]
    labels = {"team": "bench", "pod-security.kubernetes.io/enforce": "restricted"}
    annotations = {"linkerd.io/inject": "enabled", "config.linkerd.io/proxy-cpu-request": "100m"}
    crowd = [namespace(name, labels, annotations) for name in names]
    with running(OURS, setting) as server:
        before = settled(server)
        say("in the cluster, few Namespaces", before)
        with cluster.created(api, crowd):
            say(f"with {count:,} Namespaces, watched as they came", settled(server), before)
            with running(OURS, setting) as second:
                say(f"with {count:,} Namespaces, listed at start", settled(second), before)


def with_pods(setting: Setting, api: client.Target, count: int) -> None:
    """The server's memory beside that many Pods, which are nothing to it."""
    pods = [reviews.pod(number, CROWD) for number in range(count)]
    for number, pod in enumerate(pods):
        pod["metadata"]["name"] = f"checkout-{number:06d}"
    with cluster.created(api, reviews.cluster_of(CROWD)), running(OURS, setting) as server:
        before = settled(server)
        say("in the cluster, few Pods", before)
        with cluster.created(api, pods):
            after = settled(server)
        say(f"with {count:,} Pods", after, before)
        judge(f"more for {count:,} Pods", after - before, 2)


def namespace(name: str, labels: dict[str, str], annotations: dict[str, str]) -> cluster.JSON:
    """A Namespace as they are in the wild, with metadata of its own."""
    metadata = {"name": name, "labels": labels | {"app": name}, "annotations": annotations | {"owner": f"team-{name}"}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def settled(server: Server) -> float:
    """Resident MiB once the server has been idle for a moment."""
    used = -1.0
    while (now := server.cpu_seconds()) - used > 0.02:
        used = now
        time.sleep(2)
    return server.resident_mib()


def say(what: str, mib: float, before: float | None = None) -> None:
    """Print one figure."""
    more = "" if before is None else f" ({mib - before:+.1f})"
    print(f"{what:48}{mib:8.1f} MiB{more}", flush=True)


def judge(what: str, mib: float, goal: float) -> None:
    """Print a figure beside its goal."""
    print(f"  {what}: {mib:.1f} MiB, goal {goal:g}: {'met' if mib <= goal else 'MISSED'}", flush=True)


def options_of() -> argparse.Namespace:
    """The command line."""
    parser = arguments(__doc__)
    kubeconfig_argument(parser)
    parser.add_argument("--reviews", type=int, default=100_000, help="default 100,000; 0 to leave out")
    parser.add_argument("--namespaces", type=int, default=10_000, help="default 10,000; 0 to leave out")
    parser.add_argument("--pods", type=int, default=20_000, help="default 20,000; 0 to leave out")
    return parser.parse_args()


def main() -> None:
    """Measure each part."""
    options = options_of()
    print(machine())
    with prepared(options) as setting:
        if options.kubeconfig is None:
            print("no cluster (--kubeconfig, or WEBHOOK_TEST_KUBECONFIG): Namespaces and Pods are skipped, and the "
                  "reviews are answered from manifests, without the client's memory")  # fmt: skip
            if options.reviews:
                after_reviews(setting, options.reviews)
            return
        setting = replace(setting, cluster=("--kubeconfig", str(options.kubeconfig)))
        api = cluster.target(options.kubeconfig)
        if options.reviews:
            with cluster.created(api, reviews.cluster_of()):
                after_reviews(setting, options.reviews)
        if options.pods:
            with_pods(setting, api, options.pods)
        if options.namespaces:
            with_namespaces(setting, api, options.namespaces)


if __name__ == "__main__":
    main()
