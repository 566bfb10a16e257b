"""`linkerd-webhook validate` on many manifests, beside composing the same files' YAML nodes with libyaml.

In alternating pairs, twice: as whole processes, from the interpreter's start to its end, by wall time and by CPU time;
and in one process, which leaves out what an interpreter's start and its imports take (ours has more to import). The
ratio is the median of the pairs' ratios. Goal: at most 2.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import yaml

from bench.servers import machine
from webhook.cluster.catalog import OfflineCatalog
from webhook.lint.check import check
from webhook.mesh.releases import LINES, line
from webhook.policy.regex.judge import judge_for

FLOOR = """
import sys, yaml
for file in sys.argv[1:]:
    with open(file, encoding="utf-8") as stream:
        for node in yaml.compose_all(stream.read(), Loader=yaml.CSafeLoader):
            pass
"""


class Cost(NamedTuple):
    """Seconds that a process took."""

    wall: float
    cpu: float


def server(number: int) -> str:
    """A Server."""
    return f"""apiVersion: policy.linkerd.io/v1beta3
kind: Server
metadata:
  name: server-{number}
  namespace: shop-{number % 50}
  labels:
    app.kubernetes.io/name: app-{number}
    app.kubernetes.io/part-of: shop
spec:
  podSelector:
    matchLabels:
      app.kubernetes.io/name: app-{number}
  port: {8000 + number % 100}
  proxyProtocol: HTTP/1
  accessPolicy: deny
"""


def profile(number: int, routes: int = 10) -> str:
    """A ServiceProfile."""
    head = f"""apiVersion: linkerd.io/v1alpha2
kind: ServiceProfile
metadata:
  name: app-{number}.shop.svc.cluster.local
  namespace: shop
spec:
  routes:
"""
    return head + "".join(
        f"""  - name: GET /api/{number}/{route}/{{id}}
    condition:
      method: GET
      pathRegex: /api/{number}/{route}/[^/]*
    responseClasses:
    - condition:
        status:
          min: 500
          max: 599
      isFailure: true
    timeout: 300ms
    isRetryable: true
"""
        for route in range(routes)
    )


WORKLOADS: dict[str, tuple[Callable[[int], str], int]] = {
    "2,000 Servers": (server, 2000),
    "200 ServiceProfiles of ten routes": (profile, 200),
}


def write(folder: Path, make: Callable[[int], str], count: int, files: int) -> list[str]:
    """The objects, spread evenly over some files."""
    paths = []
    for index in range(files):
        path = folder / f"{index:04}.yaml"
        path.write_text("---\n".join(make(number) for number in range(index, count, files)))
        paths.append(str(path))
    return paths


def cost(command: list[str]) -> Cost:
    """Run a command that has to succeed."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command[:4])}: exit {process.returncode}: {output[-2000:].decode()}")
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def compare(title: str, ours: list[str], floor: list[str], pairs: int) -> None:
    """Run both in turn, every other pair in reverse, and print the medians."""
    cost(floor), cost(ours)  # for the page cache and the compiled modules
    costs: list[tuple[Cost, Cost]] = []
    for pair in range(pairs):
        first = cost(floor) if pair % 2 else None
        own = cost(ours)
        costs.append((own, first or cost(floor)))
    print(title)
    for measure in Cost._fields:
        mine = [getattr(own, measure) for own, _ in costs]
        least = [getattr(base, measure) for _, base in costs]
        ratios = [a / b for a, b in zip(mine, least, strict=True)]
        print(
            f"  {measure:5}{statistics.median(mine):7.3f} s, floor {statistics.median(least):7.3f} s, "
            f"ratio {statistics.median(ratios):5.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
            flush=True,
        )


def compare_work(paths: list[str], pairs: int) -> None:
    """Do the work of both in this process, in turn, and print the medians."""
    newest = line(LINES[-1])
    judge = judge_for(newest)

    def ours() -> None:
        reported = check(paths, newest, OfflineCatalog, judge, lambda *_: [])
        if reported.findings:
            raise SystemExit(f"{reported.findings[0]}")

    def floor() -> None:
        for path in paths:
            for _ in yaml.compose_all(Path(path).read_text(), Loader=yaml.CSafeLoader):
                pass

    compare_within(ours, floor, pairs)


def compare_within(ours: Callable[[], None], floor: Callable[[], None], pairs: int) -> None:
    """Do both in this process, in turn, and print the medians."""
    gc.disable()
    ours(), floor()
    times = [(seconds(ours), seconds(floor)) for _ in range(pairs)]
    gc.enable()
    ratios = [own / base for own, base in times]
    print(
        f"  work {statistics.median(own for own, _ in times):7.3f} s, "
        f"floor {statistics.median(base for _, base in times):7.3f} s, "
        f"ratio {statistics.median(ratios):5.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    )


def seconds(work: Callable[[], None]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    """Measure each workload."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=11)
    parser.add_argument("--files", type=int, default=1, help="how many files the objects are in")
    parser.add_argument("--command", default=str(Path(sys.executable).with_name("linkerd-webhook")))
    options = parser.parse_args()
    print(f"{machine()}, medians of {options.pairs} pairs")
    for title, (make, count) in WORKLOADS.items():
        with tempfile.TemporaryDirectory() as folder:
            paths = write(Path(folder), make, count, options.files)
            floor = [sys.executable, "-c", FLOOR, *paths]
            compare(title, [options.command, "validate", *paths], floor, options.pairs)
            compare_work(paths, options.pairs)


if __name__ == "__main__":
    main()
