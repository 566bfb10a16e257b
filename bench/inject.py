"""`linkerd-webhook inject` and `uninject` on manifests, beside composing the same text's YAML nodes with libyaml.

On 2,000 Deployments in one stream, in alternating pairs, as `bench.validate` does it: as whole processes, and the work
alone. Then one Deployment as a whole process, and the most memory that a process holds for a stream of large documents.
Goals: `inject` and `uninject` at most 2.5 times the floor, `--manual` at most 5 times; one Deployment in 0.25 s; memory
of at most 10 times the largest document beside a constant, however long the stream is.
"""

from __future__ import annotations

import argparse
import functools
import io
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from bench.servers import machine
from bench.validate import FLOOR, compare, compare_within, cost, write
from webhook.injector.inject import Injector
from webhook.mesh.config import Mesh
from webhook.mesh.defaults import default_trust_anchors, default_values
from webhook.meshing.inject import ManifestInjector
from webhook.meshing.stream import Change, pieces, rewrite
from webhook.meshing.uninject import uninjected

COUNT = 2000
# Documents of a stream, and Deployments in each of them, a List: small ones and large ones.
DOCUMENTS, SMALL, LARGE = 10, 2000, 12000
MIB = 1 << 20


def deployment(number: int) -> str:
    """A Deployment, as people write it."""
    return f"""# The front of shop {number}.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-{number}
  namespace: shop-{number % 50}
  labels:
    app: web-{number}
spec:
  replicas: 2
  selector:
    matchLabels:
      app: web-{number}
  template:
    metadata:
      labels:
        app: web-{number}  # as above
    spec:
      containers:
      - name: web
        image: registry.example.org/web:1.{number}
        ports:
        - containerPort: 8080
        env:
        - name: LEVEL
          value: "info"
"""


def list_of(count: int) -> str:
    """A List of Deployments, as kubectl writes it."""
    lines = ["apiVersion: v1", "items:"]
    for number in range(count):
        _, first, *rest = deployment(number).splitlines()
        lines += [f"- {first}", *(f"  {line}" for line in rest)]
    return "\n".join([*lines, "kind: List", "metadata:", '  resourceVersion: ""', ""])


def work(text: bytes, change: Change) -> bytes:
    """The text after it; every object has to be changed."""
    out = []
    for before, data in pieces(io.BytesIO(text)):
        rewritten = rewrite("web.yaml", before, data, change)
        if rewritten.problems or any(outcome.verb == "skipped" for outcome in rewritten.outcomes):
            raise SystemExit(f"not all is changed: {rewritten.problems or rewritten.outcomes}")
        out.append(rewritten.text)
    return "".join(out).encode()


def compose(text: bytes) -> None:
    """The floor: its nodes, and nothing done with them."""
    for _ in yaml.compose_all(text, Loader=yaml.CSafeLoader):
        pass


# A process begins with its parent's peak: a small one starts the program.
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak(command: list[str]) -> float:
    """MiB that the process holds at most."""
    done = subprocess.run([sys.executable, "-S", "-c", PEAK, *command], capture_output=True, check=True)
    return int(done.stdout) / (MIB if sys.platform == "darwin" else 1024)


def verdict(is_met: bool) -> str:
    """The word behind a figure with a goal."""
    return "met" if is_met else "MISSED"


class Bench:
    """The files, and the program that works on them."""

    def __init__(self, folder: Path, command: str, pairs: int) -> None:
        self._folder = folder
        self._command = command
        self._pairs = pairs
        anchors = folder / "ca.crt"
        anchors.write_bytes(default_trust_anchors())
        self._manual = ["--manual", "--trust-anchors", str(anchors)]
        self._injector = Injector(Mesh.load(default_values(), default_trust_anchors()))

    def many(self) -> None:
        """All of it on many Deployments."""
        (plain,) = write(self._folder, deployment, COUNT, 1)
        inject = ["inject", "--ignore-cluster"]
        text = Path(plain).read_bytes()
        changed = self._compare("inject", inject, plain, ManifestInjector(self._injector).inject)
        manual = ManifestInjector(self._injector, manual=True).inject
        full = self._compare("inject --manual", [*inject, *self._manual], plain, manual)
        for title, injected in (("uninject", changed), ("uninject, of what --manual has made", full)):
            file = self._folder / "injected.yaml"
            file.write_bytes(injected)
            if self._compare(title, ["uninject"], str(file), uninjected) != text:
                raise SystemExit("uninject does not give back what was injected")

    def _compare(self, title: str, arguments: list[str], file: str, change: Change) -> bytes:
        text = Path(file).read_bytes()
        floor = [sys.executable, "-c", FLOOR, file]
        compare(f"{title}, {COUNT:,} Deployments", [self._command, *arguments, file], floor, self._pairs)
        compare_within(lambda: void(work(text, change)), lambda: compose(text), self._pairs)
        return work(text, change)

    def one(self) -> None:
        """Each command on one Deployment, as a whole process."""
        file = self._folder / "one.yaml"
        file.write_text(deployment(1))
        for arguments in (["inject", "--ignore-cluster"], ["inject", "--ignore-cluster", *self._manual], ["uninject"]):
            command = [self._command, *arguments[:2], *arguments[2:], str(file)]
            run = functools.partial(cost, command)
            run()
            wall = statistics.median(run().wall for _ in range(self._pairs))
            name = " ".join(one for one in arguments[:3] if one not in ("--ignore-cluster", "--trust-anchors"))
            print(f"{name}, one Deployment: {wall:.3f} s (goal: 0.25 s, {verdict(wall <= 0.25)})", flush=True)

    def memory(self) -> None:
        """What a document's size takes of memory: the difference of two streams, in which only that differs."""
        inject = [self._command, "inject", "--ignore-cluster"]
        peaks, sizes = [], []
        for items in (SMALL, LARGE):
            document, stream = list_of(items), self._folder / "large.yaml"
            stream.write_text("---\n".join(document for _ in range(DOCUMENTS)))
            peaks.append(peak([*inject, str(stream)]))
            sizes.append(len(document) / MIB)
        times = (peaks[1] - peaks[0]) / (sizes[1] - sizes[0])
        print(
            f"{DOCUMENTS} documents of {sizes[0]:.1f} and {sizes[1]:.1f} MiB: {peaks[0]:.1f} and {peaks[1]:.1f} MiB, "
            f"{times:.1f} times a document (goal: 10, {verdict(times <= 10)})"
        )


def void(_: object) -> None:
    """Drop a value."""


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--command", default=str(Path(sys.executable).with_name("linkerd-webhook")))
    options = parser.parse_args()
    print(f"{machine()}, medians of {options.pairs} pairs")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.command, options.pairs)
        bench.many()
        bench.one()
        bench.memory()


if __name__ == "__main__":
    main()
