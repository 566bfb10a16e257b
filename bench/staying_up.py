"""What becomes of Pods while things happen to the webhook: a table, a minute a row, on a disposable cluster.

    WEBHOOK_TEST_KUBECONFIG=… WEBHOOK_TEST_RESTART_CLUSTER=… python -m bench.staying_up [--seconds 60] [--rate 100]

Two replicas behind one Service, `failurePolicy: Fail`, Pods at a steady rate. What the test cluster lacks (kubelet,
endpoint controller) is played by `tests.e2e.installation`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from tests.e2e.api import ApiServer
from tests.e2e.conftest import KUBECONFIG, LINKERD, SHARED
from tests.e2e.installation import Installation
from tests.e2e.load import Steady
from tests.e2e.mesh import Manifests, installed
from tests.e2e.objects import ENABLED, Room, meshed
from tests.e2e.scenarios import SCENARIOS, remove_linkerds_configurations
from tests.e2e.waiting import until

# The same without anything happening: what the others are to be read beside.
NOTHING = "nothing happens"


def main() -> None:
    """Print a row a scenario."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--only", help="Part of a scenario's name.")
    given = parser.parse_args()
    api = ApiServer.from_kubeconfig(Path(os.environ[KUBECONFIG]))
    manifests = Manifests("edge-26.8", Path(os.environ.get(LINKERD) or SHARED / "linkerd"))
    print(f"{given.rate:.0f} Pods a second, {given.seconds:.0f} s a row\n")
    print("| what happens | Pods | refused | unmeshed | tried again | p50 ms | p99 ms | longest ms |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with (
            installed(api, manifests, root / "linkerd"),
            Installation(api, manifests, root / "installed", ("--failure-policy=Fail",)) as installation,
        ):
            installation.start(2)
            until("the rules", installation.in_force, within=30)
            for name in (NOTHING, *SCENARIOS):
                if given.only and given.only not in name:
                    continue
                _row(name, api, installation, manifests, given.seconds, given.rate)


def _row(
    name: str, api: ApiServer, installation: Installation, manifests: Manifests, seconds: float, rate: float
) -> None:
    room = Room.create(api, "steady", ENABLED)
    until("a meshed Pod", lambda: meshed(room.pod(dry_run=True).ok()), within=20)
    with Steady(room, rate) as load:
        begun = time.monotonic()
        load.run(5.0)
        if name != NOTHING:
            SCENARIOS[name][0](installation)
        load.run(max(5.0, seconds - (time.monotonic() - begun)))
    remove_linkerds_configurations(installation, manifests)
    times = sorted(load.latencies)
    p50, p99 = statistics.median(times), times[int(len(times) * 0.99)]
    print(
        f"| {name} | {load.created} | {len(load.refused)} | {len(load.bare)} | {load.retried} "
        f"| {p50 * 1000:.0f} | {p99 * 1000:.0f} | {times[-1] * 1000:.0f} |",
        flush=True,
    )
    for problem in dict.fromkeys(load.problems):
        print(f"    {problem[:200]}", flush=True)


if __name__ == "__main__":
    main()
