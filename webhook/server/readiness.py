"""Logs why the server is not ready: the kubelet does not show the body of a failed probe."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from webhook.server.admin import Status

# Seconds between two checks, until the first log line about a server that is not ready, and between two such lines.
INTERVAL: Final = 1.0
PATIENCE: Final = 10.0
REPEAT: Final = 60.0

log = structlog.get_logger(__name__)


class Readiness:
    """Logs when the server becomes ready or is no longer ready, and why it stays not ready."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._ready = False
        self._since: float | None = None
        self._logged_at: float | None = None

    @property
    def is_ready(self) -> bool:
        """Whether this replica was ready at the last check, and is not shutting down."""
        return self._ready and not self._status.draining

    async def run(self) -> None:
        """Check the readiness every `INTERVAL` seconds, until cancelled."""
        while True:
            try:
                self.check(asyncio.get_running_loop().time())
            except Exception:
                # An error in a condition must not end the checks.
                log.exception("checking the readiness failed: this is a bug")
            await asyncio.sleep(INTERVAL)

    def check(self, now: float) -> None:
        """Check the readiness once. `now` is the time of a monotonic clock, in seconds."""
        if self._status.draining:
            # The shutdown was logged already.
            return
        if self._since is None:
            self._since = now
        failing = self._status.failing()
        if self._ready == (not failing):
            logged_at = self._logged_at if self._logged_at is not None else self._since + PATIENCE - REPEAT
            if failing and now - logged_at >= REPEAT:
                self._logged_at = now
                for condition in failing:
                    log.warning(
                        f"not ready, so this replica gets no requests: {condition['message']}",
                        condition=condition["name"],
                        seconds=round(now - self._since),
                    )
            return
        seconds = round(now - self._since, 1)
        self._ready, self._since, self._logged_at = not failing, now, None
        if self._ready:
            log.info("ready: this replica gets requests", unready_s=seconds)
        else:
            conditions = ", ".join(condition["name"] for condition in failing)
            log.info("no longer ready", conditions=conditions, why=failing[0]["message"], ready_s=seconds)
