"""Reads objects for facts: an object that does not exist is None, and a failure becomes the fact itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Final

from webhook.diagnosis.check.page import page_of
from webhook.diagnosis.check.progress import Progress
from webhook.diagnosis.unseen import Fact, MissingRight, NotRead, NotSeen, Unknown, Unseen
from webhook.kube.api import PLAIN, ApiServer
from webhook.kube.errors import ApiError, ApiServerUnreachable, Forbidden, Gone, NotFound, explain
from webhook.kube.fields import text
from webhook.kube.interface import JSON

# Objects a page of a list.
PAGE: Final = 500
# How often a list is begun anew whose pages the API server has forgotten meanwhile.
_ATTEMPTS: Final = 3


class Asker:
    """Asks the API server. Once it cannot be reached, it is not asked again: `down` says why."""

    def __init__(self, api: ApiServer, progress: Progress | None = None) -> None:
        self.api = api
        self.progress = progress or Progress()
        self.down: NotRead | None = None

    async def get(self, path: str, resource: str, namespace: str = "", accept: str = PLAIN) -> Fact[JSON | None]:
        """One object. `resource` is what RBAC calls it, with its name: `configmaps/linkerd-config`."""
        if self.down:
            return self.down
        self.progress.asked(resource)
        try:
            return await self.api.find(path, accept)
        except (ApiError, TimeoutError, ValueError) as error:
            return self.failed(error, "get", resource, path, namespace)

    async def list(
        self,
        path: str,
        resource: str,
        namespace: str = "",
        query: Mapping[str, str] | None = None,
        accept: str = PLAIN,
    ) -> Fact[tuple[JSON, ...]]:
        """All objects of a list that fits into memory; none where the API server does not serve the kind."""
        try:
            return tuple([body async for body in self.pages(path, resource, namespace, query, accept)])
        except Unseen as unseen:
            return unseen.fact

    async def pages(
        self,
        path: str,
        resource: str,
        namespace: str = "",
        query: Mapping[str, str] | None = None,
        accept: str = PLAIN,
    ) -> AsyncIterator[JSON]:
        """The objects of a list, of which one page is held at a time. Raises `Unseen`.

        Where the API server has forgotten the list in the middle of it (410), the list is read anew, without the
        objects that came already: lists are in the order of Namespaces and names.
        """
        asked = {**(query or {}), "limit": str(PAGE)}
        last, attempts = ("", ""), 1
        while True:
            if self.down:
                raise Unseen(self.down)
            self.progress.asked(resource)
            try:
                page = page_of(await self.api.read(path, asked, accept))
            except NotFound:
                return
            except Gone as error:
                if attempts == _ATTEMPTS:
                    raise Unseen(self.failed(error, "list", resource, path, namespace)) from None
                attempts += 1
                asked.pop("continue", None)
                continue
            except (ApiError, TimeoutError, ValueError) as error:
                raise Unseen(self.failed(error, "list", resource, path, namespace)) from None
            for body in page.objects():
                place = (text(body, "metadata", "namespace"), text(body, "metadata", "name"))
                if attempts == 1 or place > last:
                    last = place
                    self.progress.seen(resource)
                    yield body
            asked["continue"] = page.following
            # It goes before the next one comes.
            del page
            if not asked["continue"]:
                return

    async def review(self, path: str, resource: str, body: JSON) -> Fact[JSON]:
        """The answer to a question that is put as an object, such as a SelfSubjectAccessReview: nothing is stored."""
        if self.down:
            return self.down
        try:
            return await self.api.send("POST", path, body)
        except (ApiError, TimeoutError, ValueError) as error:
            return self.failed(error, "create", resource, path)

    def failed(self, error: Exception, verb: str, resource: str, path: str, namespace: str = "") -> Unknown:
        """The fact in place of what could not be read."""
        if isinstance(error, Forbidden):
            return NotSeen((MissingRight.of(error, verb, resource, namespace),))
        method = "POST" if verb == "create" else "GET"
        if isinstance(error, ApiServerUnreachable | TimeoutError):
            self.down = NotRead(f"{method} {path}: {explain(error)}")
            return self.down
        if isinstance(error, ApiError):
            return NotRead(f"{method} {path}: {explain(error)}")
        return NotRead(f"{method} {path}: the API server's answer is not a JSON object: {error}")
