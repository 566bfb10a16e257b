"""Cold starts: seconds from the server's start until it is ready, and of `linkerd-webhook review` on one file.

Beside them the floor: the same interpreter doing nothing, and importing FastAPI and uvicorn. `--imports` lists the
modules that cost `review` the most.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench import reviews
from bench.servers import OURS, ROOT, Setting, arguments, machine, prepared, start, stop, wait_ready


def to_ready(setting: Setting) -> float:
    """Seconds from process start to /ready."""
    began = time.perf_counter()
    server = start(OURS, setting)
    try:
        wait_ready(server)
        return time.perf_counter() - began
    finally:
        stop(server)


def seconds(command: list[str]) -> float:
    """A command's wall time."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}: {done.stderr[-2000:]}")
    return took


def review_command(setting: Setting) -> list[str]:
    """`review` on one file, checked to inject."""
    file = Path(setting.folder) / "review.json"
    file.write_bytes(reviews.review(1))
    command = [*setting.command, "review", "--values", str(setting.values), "--trust-anchors", str(setting.ca),
               *setting.cluster, str(file)]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"review: exit {done.returncode}: {done.stderr[-2000:].decode(errors='replace')}")
    reviews.check_injected(done.stdout)
    return command


def imports(command: list[str], count: int) -> None:
    """The modules whose own code takes the longest to import, and the packages in sum."""
    environment = os.environ | {"PYTHONPROFILEIMPORTTIME": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    own: dict[str, int] = {}
    packages: dict[str, int] = {}
    for line in done.stderr.splitlines():
        fields = [part.strip() for part in line.removeprefix("import time:").split("|")]
        if line.startswith("import time:") and len(fields) == 3 and fields[0].isdigit():
            own[fields[2]] = int(fields[0])
            package = fields[2].partition(".")[0]
            packages[package] = packages.get(package, 0) + int(fields[0])
    for title, table in (("modules", own), ("packages, summed", packages)):
        print(f"\n{title}: milliseconds of their own, {sum(table.values()) / 1000:.0f} in all")
        for name, micros in sorted(table.items(), key=lambda item: -item[1])[:count]:
            print(f"  {micros / 1000:7.1f}  {name}")


def show(what: str, measure: Callable[[], float], runs: int) -> None:
    """Measure several times, print the median."""
    measure()  # once for the page cache and the compiled modules
    times = [measure() for _ in range(runs)]
    print(f"{what:44}{statistics.median(times):7.3f} s ({min(times):.3f} to {max(times):.3f})", flush=True)


def main() -> None:
    """Measure each."""
    parser = arguments(__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--imports", type=int, default=0, metavar="N", help="list the N costliest imports of `review`")
    options = parser.parse_args()
    print(f"{machine()}, medians of {options.runs}")
    with prepared(options) as setting:
        bare = [sys.executable, "-c", "pass"]
        framework = [sys.executable, "-c", "import fastapi, uvicorn, uvloop, httptools, orjson"]
        show("the interpreter alone", lambda: seconds(bare), options.runs)
        show("importing FastAPI and uvicorn", lambda: seconds(framework), options.runs)
        command = review_command(setting)
        show("review, one file", lambda: seconds(command), options.runs)
        show("serve, start to ready", lambda: to_ready(setting), options.runs)
        if options.imports:
            imports(command, options.imports)


if __name__ == "__main__":
    main()
