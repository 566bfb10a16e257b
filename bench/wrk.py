"""The load generator `wrk`, where it is installed: one request after the other on each connection, over TLS."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from bench.client import Measured

# The bodies stand in a file, one a line; requests are formatted once, before the clock starts.
SCRIPT = """
local requests, at = {}, 0
function init(args)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  for line in io.lines(%(bodies)s) do
    wrk.body = line
    requests[#requests + 1] = wrk.format()
  end
end
function request()
  at = at %% #requests + 1
  return requests[at]
end
function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format(
    '\\n{"requests": %%d, "micros": %%d, "bytes": %%d, "errors": %%d, "p50": %%f, "p90": %%f, "p99": %%f}\\n',
    summary.requests, summary.duration, summary.bytes, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99)))
end
"""


def is_installed() -> bool:
    """Whether wrk is on PATH."""
    return shutil.which("wrk") is not None


def load(url: str, bodies: list[bytes], connections: int, seconds: float) -> Measured:
    """Post the bodies in turn for that long (whole seconds, at least one)."""
    with tempfile.TemporaryDirectory(prefix="webhook-wrk-") as name:
        lines, script = Path(name) / "bodies", Path(name) / "post.lua"
        lines.write_bytes(b"\n".join(bodies) + b"\n")
        script.write_text(SCRIPT % {"bodies": json.dumps(str(lines))})
        duration = f"-d{max(1, round(seconds))}s"
        command = ["wrk", "-t1", f"-c{connections}", duration, "--timeout", "10s", "-s", str(script), url]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    result = json.loads(output.strip().splitlines()[-1])
    return Measured(
        requests=result["requests"],
        seconds=result["micros"] / 1e6,
        p50=result["p50"] / 1000,
        p90=result["p90"] / 1000,
        p99=result["p99"] / 1000,
        errors=result["errors"],
        bytes_each=result["bytes"] / max(1, result["requests"]),
    )
