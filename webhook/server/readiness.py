"""Why a server is not ready, in its log, where people look: nobody reads what a probe is answered."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from webhook.server.admin import Status

# Seconds between two looks; until a server that is not ready says why, and between two times that it does.
LOOK: Final = 1.0
PATIENCE: Final = 10.0
AGAIN: Final = 60.0

log = structlog.get_logger(__name__)


class Readiness:
    """Logs when the server gets ready and when it is that no more, and why it stays unready."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._ready = False
        self._since: float | None = None
        self._said: float | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                self.look(asyncio.get_running_loop().time())
            except Exception:
                # Whatever is wrong with a condition, the next look must come all the same.
                log.exception("looking at the readiness failed: this is a bug")
            await asyncio.sleep(LOOK)

    def look(self, now: float) -> None:
        """Take a look. `now` is in seconds, of any clock that only goes on."""
        if self._status.draining:
            # The log has that already.
            return
        if self._since is None:
            self._since = now
        failing = self._status.failing()
        if self._ready == (not failing):
            if failing and now - (self._said if self._said is not None else self._since + PATIENCE - AGAIN) >= AGAIN:
                self._said = now
                for condition in failing:
                    log.warning(
                        f"not ready, so no requests come here: {condition['message']}",
                        condition=condition["name"],
                        seconds=round(now - self._since),
                    )
            return
        seconds = round(now - self._since, 1)
        self._ready, self._since, self._said = not failing, now, None
        if self._ready:
            log.info("ready: requests may come", unready_s=seconds)
        else:
            conditions = ", ".join(condition["name"] for condition in failing)
            log.info("not ready any more", conditions=conditions, why=failing[0]["message"], ready_s=seconds)
