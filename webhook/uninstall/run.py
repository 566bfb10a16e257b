"""Deletes the objects of an installation, and restores Linkerd's webhook configurations that were adopted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from webhook.install.adoption import RestoreError, is_restorable, restored
from webhook.kube.api import ApiServer
from webhook.kube.errors import ApiError, Conflict, NotFound
from webhook.kube.webhookconfigurations import FIELD_MANAGER
from webhook.uninstall.failures import by_cause
from webhook.uninstall.gather import Survey, read
from webhook.uninstall.objects import SELF_TEST, InstalledObject, Stage

# Attempts to write an object that others write as well.
_ATTEMPTS: Final = 5


async def remove(
    api: ApiServer, namespace: str, survey: Survey, done: Callable[[str], None], failed: Callable[[str], None]
) -> bool:
    """Restore Linkerd's configurations and delete our objects; returns whether all of that succeeded. `done` and
    `failed` are called with a sentence for each object, or for each cause of failures.

    After a failure the other objects are still deleted, but the server is kept while the API server may call it.
    """
    run = _Run(api, namespace, done, failed)
    calls = [one for one in survey.ours if one.stage is Stage.CALLS]
    if SELF_TEST in calls:
        await run.delete(SELF_TEST)
    for one in survey.adopted:
        await run.restore(one)
    for one in calls:
        if one != SELF_TEST:
            await run.delete(one)
    if run.failures:
        run.report_failures()
        failed(
            "the server and its Secrets are kept, as the API server may still call it: solve this, then uninstall again"
        )
        return False
    for stage in (Stage.SERVER, Stage.STATE):
        for one in survey.ours:
            if one.stage is stage:
                await run.delete(one)
        # A server may have adopted a configuration meanwhile; now that it is deleted, it can no longer do so.
        for one in survey.adopted:
            await run.restore(one)
    run.report_failures()
    return not run.failures


class _Run:
    """Deletes and restores single objects, and collects the failures."""

    def __init__(
        self, api: ApiServer, namespace: str, done: Callable[[str], None], failed: Callable[[str], None]
    ) -> None:
        self.failures: list[tuple[str, str, Exception]] = []
        self._api = api
        self._namespace = namespace
        self._done = done
        self._failed = failed

    def report_failures(self) -> None:
        """Report the failures, one sentence for each cause."""
        for verb in dict.fromkeys(verb for verb, _, _ in self.failures):
            alike = [(what, error) for failed, what, error in self.failures if failed == verb]
            for line in by_cause(verb, alike):
                self._failed(line)

    async def delete(self, one: InstalledObject) -> None:
        """Delete an object, if it exists."""
        what = one.describe(self._namespace)
        try:
            await self._api.send("DELETE", one.path(self._namespace))
        except NotFound:
            pass
        except (ApiError, TimeoutError) as error:
            self.failures.append(("delete", what, error))
            return
        self._done(f"deleted {what}")

    async def restore(self, one: InstalledObject) -> None:
        """Restore one of Linkerd's configurations in one write, if it is adopted."""
        what = one.describe(self._namespace)
        for attempt in range(_ATTEMPTS):
            try:
                body = await read(self._api, one, self._namespace)
                if body is None or not is_restorable(body, self._namespace):
                    return
                change = restored(body, self._namespace)
                await self._api.send("PUT", one.path(self._namespace), change, query={"fieldManager": FIELD_MANAGER})
            except (ApiError, TimeoutError, RestoreError) as error:
                # It was changed since it was read: read it again.
                if isinstance(error, Conflict) and attempt + 1 < _ATTEMPTS:
                    continue
                self.failures.append(("restore", what, error))
                return
            self._done(f"restored {what}")
            return
