"""Pods a second through a real API server (`?dryRun=All`): no webhook, a do-nothing FastAPI webhook, and ours.

Applying a patch of 8 kB costs the API server something, too, whoever sent it. How much shows a fourth: a FastAPI
webhook that answers every Pod with a patch that was made beforehand. It is the floor of what injecting can cost.

Each has a Namespace of its own, so that nothing is reconfigured between rounds; they are measured in turn. Goal: at
least 0.9 of the do-nothing webhook's rate. The cluster must be a disposable one whose Services can lead to the loopback
by the annotation `testcluster/endpoint`. Everything that is created is removed again.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import orjson

from bench import client, cluster, costs, reviews
from bench.servers import NAMES, OURS, Setting, arguments, kubeconfig_argument, machine, prepared, running

NONE, NOOP, CANNED = "none", "noop", "canned"
TITLES = NAMES | {NONE: "no webhook"}
SERVICE = "webhook"


def namespace_of(name: str) -> str:
    """The Namespace that a contestant's Pods are created in."""
    return f"bench-{name}"


@contextmanager
def installed(api: client.Target, name: str, setting: Setting) -> Iterator[None]:
    """A Namespace with owners, and the contestant's server behind a webhook configuration for it."""
    namespace = namespace_of(name)
    with ExitStack() as stack:
        stack.enter_context(cluster.created(api, reviews.cluster_of(namespace)))
        if name != NONE:
            server = stack.enter_context(running(name, setting))
            objects = cluster.webhook(SERVICE, namespace, server.port, setting.ca.read_bytes())
            stack.enter_context(cluster.created(api, objects))
        yield


def creations(api: client.Target, name: str) -> list[bytes]:
    """Requests that create Pods, dry."""
    namespace = namespace_of(name)
    path = cluster.PATHS["Pod"].format(namespace) + "?dryRun=All"
    return [api.request("POST", path, orjson.dumps(reviews.pod(number, namespace))) for number in range(64)]


def check(api: client.Target, name: str) -> None:
    """Wait until the API server has noticed the configuration; then every Pod must come back as it should."""
    deadline = time.monotonic() + 15
    while True:
        answers = client.answers(api, creations(api, name))
        if bad := [body for status, body in answers if status != cluster.CREATED]:
            raise SystemExit(f"{TITLES[name]}: {bad[0][:800].decode(errors='replace')}")
        meshed = sum(b'"name":"linkerd-proxy"' in body for _, body in answers)
        if meshed == (len(answers) if name in (OURS, CANNED) else 0):
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"{TITLES[name]}: {meshed} of {len(answers)} Pods came out meshed")
        time.sleep(0.5)


Runs = dict[tuple[str, int], list[client.Measured]]


def measure(api: client.Target, names: list[str], options: argparse.Namespace) -> Runs:
    """Rounds of all contestants, every other one in reverse."""
    runs: Runs = {}
    for number in range(options.rounds):
        for clients in options.clients:
            for name in names if number % 2 == 0 else names[::-1]:
                seen = client.load(api, creations(api, name), clients, options.seconds, cluster.CREATED)
                if seen.errors:
                    raise SystemExit(f"{TITLES[name]}: failures: {dict(seen.statuses)}")
                runs.setdefault((name, clients), []).append(seen)
    return runs


def report(runs: Runs, names: list[str], clients: list[int]) -> None:
    """Print medians, and the medians of the rounds' ratios."""
    for count in clients:
        print(f"\n{count} client{'s' if count > 1 else ''}: medians of {len(runs[names[0], count])}")
        print(f"  {'':32}{'Pods/s':>8}{'p50 ms':>9}{'p99 ms':>9}")
        for name in names:
            seen = runs[name, count]
            rate, p50, p99 = (statistics.median(f(m) for m in seen) for f in COLUMNS)
            print(f"  {TITLES[name]:32}{rate:8.0f}{p50:9.1f}{p99:9.1f}")
        for other in (NOOP, CANNED) if OURS in names else ():
            ratios = [a.rate / b.rate for a, b in zip(runs[OURS, count], runs[other, count], strict=True)]
            print(f"  {TITLES[OURS]} / {TITLES[other]}: {statistics.median(ratios):.2f} "
                  f"({min(ratios):.2f} to {max(ratios):.2f})")  # fmt: skip


COLUMNS: tuple[Callable[[client.Measured], float], ...] = (lambda m: m.rate, lambda m: m.p50, lambda m: m.p99)


def main() -> None:
    """Install, check, measure, clean up."""
    parser = arguments(__doc__)
    kubeconfig_argument(parser)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="a measurement's length (default 3)")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, 128])
    parser.add_argument("--without-ours", action="store_true", help="no webhook and the do-nothing one alone")
    options = parser.parse_args()
    if options.kubeconfig is None:
        raise SystemExit("no cluster: give --kubeconfig, or set WEBHOOK_TEST_KUBECONFIG, to a disposable one")
    api = cluster.target(options.kubeconfig)
    names = [NONE, NOOP, *([] if options.without_ours else [CANNED, OURS])]
    hosts = [f"{SERVICE}.{namespace_of(name)}.svc" for name in names]
    print(f"{machine()}, {options.rounds} rounds of {options.seconds:g} s")
    with prepared(options, hosts) as setting, ExitStack() as stack:
        setting = replace(setting, cluster=("--kubeconfig", str(options.kubeconfig)))
        (setting.folder / "patch").write_text(costs.patch(setting, namespace_of(CANNED)))
        for name in names:
            stack.enter_context(installed(api, name, setting))
        for name in names:
            check(api, name)
        runs = measure(api, names, options)
    report(runs, names, options.clients)


if __name__ == "__main__":
    main()
