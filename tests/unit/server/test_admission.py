"""The admission endpoint: which request gets which answer, over a real TLS connection."""

from __future__ import annotations

import asyncio
import base64
import time
from functools import partial
from typing import Any

import orjson
import pytest

from tests.serving import JSON, LogFile, Serving, Site, read_response, request_bytes, review
from tests.waiting import until
from webhook.review import AdmissionRequest, Answer, deny
from webhook.server.admission import BODY_LIMIT
from webhook.statuspage.decisions import DecisionFilter, DecisionLog


class TestAnswers:
    """A review gets HTTP 200 and a review."""

    async def test_a_review_is_answered_with_its_uid_and_a_patch(self, serving: Serving) -> None:
        """The patch is a JSON patch in base64."""
        site = await serving()
        patch = [{"op": "add", "path": "/a", "value": "b"}]
        site.webhook.respond = lambda _: Answer(patch=patch, decision="injected")
        response = await site.post("/proxy-injector")
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        body = response.json()
        assert body["response"]["uid"] == "uid-1"
        assert body["response"]["allowed"] is True
        assert orjson.loads(base64.b64decode(body["response"]["patch"])) == patch

    async def test_the_root_path_and_a_query_reach_the_webhook_too(self, serving: Serving) -> None:
        """The API server adds its timeout to the path."""
        site = await serving()
        for path in ("/", "/?timeout=10s", "/proxy-injector?timeout=10s"):
            assert (await site.post(path)).status_code == 200
        assert len(site.webhook.requests) == 3

    async def test_a_connection_serves_one_request_after_another(self, serving: Serving) -> None:
        """HTTP keep-alive, as the API server uses it."""
        site = await serving()
        reader, writer = await site.connect()
        for uid in ("a", "b", "c"):
            writer.write(request_bytes(review(uid)))
            status, headers, body = await read_response(reader)
            assert (status, orjson.loads(body)["response"]["uid"]) == (200, uid)
            assert "connection" not in headers
            assert "date" in headers
        writer.close()

    async def test_pipelined_requests_are_answered_in_order(self, serving: Serving) -> None:
        """Also where both arrive in one packet."""
        site = await serving()
        reader, writer = await site.connect()
        writer.write(request_bytes(review("a")) + request_bytes(review("b")))
        for uid in ("a", "b"):
            _, _, body = await read_response(reader)
            assert orjson.loads(body)["response"]["uid"] == uid
        writer.close()

    async def test_a_body_in_many_pieces_is_put_together(self, serving: Serving) -> None:
        """Chunked, with no length said."""
        site = await serving()
        body = review(object={"metadata": {"annotations": {"a": "x" * 200_000}}})

        async def pieces() -> Any:
            for start in range(0, len(body), 50_000):
                yield body[start : start + 50_000]
                await asyncio.sleep(0)

        response = await site.client().post("/", content=pieces(), headers=JSON)
        assert response.json()["response"]["allowed"] is True
        assert site.webhook.requests[0].object["metadata"]["annotations"]["a"] == "x" * 200_000

    async def test_expect_100_continue_is_honoured(self, serving: Serving) -> None:
        """curl asks before it sends a large body."""
        site = await serving()
        reader, writer = await site.connect()
        body = review()
        head = request_bytes(b"", "/", "expect: 100-continue", length=len(body))
        writer.write(head)
        assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        await reader.readline()
        writer.write(body)
        assert (await read_response(reader))[0] == 200
        writer.close()

    async def test_a_review_of_an_unknown_version_is_denied_in_kind(self, serving: Serving) -> None:
        """It has a uid, so it gets HTTP 200."""
        site = await serving()
        body = orjson.loads(review())
        body["apiVersion"] = "admission.k8s.io/v7"
        response = await site.post(body=orjson.dumps(body))
        assert response.status_code == 200
        answer = response.json()
        assert answer["apiVersion"] == "admission.k8s.io/v7"
        assert answer["response"]["allowed"] is False
        assert answer["response"]["status"]["code"] == 400
        assert answer["response"]["status"]["reason"] == "BadRequest"
        assert "admissionReviewVersions" in answer["response"]["status"]["message"]

    async def test_a_webhook_that_fails_denies_with_500_inside_http_200(
        self, serving: Serving, log_file: LogFile
    ) -> None:
        """And says whose fault it is, logs the traceback, and counts."""
        site = await serving()

        def fail(_: AdmissionRequest) -> Answer:
            raise RuntimeError("boom")

        site.webhook.respond = fail
        response = await site.post()
        assert response.status_code == 200
        status = response.json()["response"]["status"]
        assert (status["code"], status["reason"]) == (500, "InternalError")
        assert "the webhook's log" in status["message"]
        assert "(RuntimeError)" in status["message"]
        assert "boom" not in status["message"]
        assert site.sample("linkerd_webhook_internal_errors_total", webhook="proxy-injector") == 1
        errors = [event for event in await log_file.events() if event["level"] == "error"]
        assert "RuntimeError: boom" in errors[0]["traceback"]
        [decision] = [event for event in await log_file.events() if event["msg"] == "admission"]
        assert decision["reason"] == "internal_error"


class TestRejections:
    """What is no review gets an HTTP error with what is wrong and what to do."""

    @pytest.mark.parametrize(
        ("body", "says"),
        [
            (b"", "empty"),
            (b"{", "not JSON"),
            (b'"\xff"', "not JSON"),
            (b"[" * 100_000 + b"]" * 100_000, "not JSON"),
            (b"[]", "an array"),
            (b"{}", "request is missing"),
            (review(uid=None), "request.uid"),
            (review(uid=""), "request.uid"),
        ],
        ids=["empty", "not JSON", "not UTF-8", "deep", "array", "no request", "no uid", "empty uid"],
    )
    async def test_a_body_without_a_uid_is_400(self, serving: Serving, body: bytes, says: str) -> None:
        """There is nobody to answer."""
        site = await serving()
        response = await site.post(body=body)
        assert response.status_code == 400
        assert says in response.json()["error"]
        assert "AdmissionReview" in response.json()["fix"]
        assert site.sample("linkerd_webhook_rejected_requests_total", status="400") == 1

    async def test_a_wrong_path_is_404_and_names_the_right_ones(self, serving: Serving) -> None:
        """Also with a slash at the end: no redirect, which the API server would not follow."""
        site = await serving()
        for path in ("/nowhere", "/proxy-injector/", "/docs"):
            response = await site.post(path)
            assert response.status_code == 404
            assert response.headers["content-type"] == "application/json"
            assert response.json() == {
                "error": f"the path {path} does not exist",
                "fix": "POST to one of /, /proxy-injector, /workload-advisor",
            }
        assert site.sample("linkerd_webhook_rejected_requests_total", status="404") == 3

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
    async def test_a_wrong_method_is_405_with_allow(self, serving: Serving, method: str) -> None:
        """Reviews are posted."""
        site = await serving()
        response = await site.client().request(method, "/")
        assert response.status_code == 405
        assert response.headers["allow"] == "POST"

    @pytest.mark.parametrize("media", ["text/plain", "application/yaml", "application/jsonp", ""])
    async def test_a_wrong_media_type_is_415(self, serving: Serving, media: str) -> None:
        """And says which it was."""
        site = await serving()
        response = await site.post("/", None, **{"content-type": media})
        assert response.status_code == 415
        assert media in response.json()["error"]

    async def test_no_media_type_is_415(self, serving: Serving) -> None:
        """The API server always sends one."""
        site = await serving()
        response = await site.client().post("/", content=review())
        assert response.status_code == 415

    @pytest.mark.parametrize("media", ["application/json; charset=utf-8", "Application/JSON"])
    async def test_json_with_parameters_or_in_capitals_is_json(self, serving: Serving, media: str) -> None:
        """Media types are case-insensitive."""
        site = await serving()
        assert (await site.post("/", None, **{"content-type": media})).status_code == 200

    async def test_ten_mebibytes_are_read_and_one_byte_more_is_413(self, serving: Serving) -> None:
        """By the length that the client says."""
        site = await serving()
        body = review()
        exact = body + b" " * (BODY_LIMIT - len(body))
        assert (await site.post(body=exact)).status_code == 200
        response = await site.post(body=exact + b" ")
        assert response.status_code == 413
        assert response.headers["connection"] == "close"
        assert len(site.webhook.requests) == 1

    async def test_a_length_that_is_too_large_is_refused_before_the_body_comes(self, serving: Serving) -> None:
        """No byte of the body is waited for."""
        site = await serving()
        reader, writer = await site.connect()
        writer.write(request_bytes(b"", length=BODY_LIMIT + 1))
        status, headers, _ = await read_response(reader)
        assert (status, headers["connection"]) == (413, "close")
        writer.close()

    async def test_a_body_of_unknown_length_is_cut_off_at_the_limit(self, serving: Serving) -> None:
        """Counted as it comes in; the answer reaches a client that is still sending."""
        site = await serving(body_limit=300_000)
        reader, writer = await site.connect()
        writer.write(
            b"POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        for _ in range(10):
            writer.write(b"186a0\r\n" + b" " * 100_000 + b"\r\n")
        status, _, body = await read_response(reader)
        assert status == 413
        assert b"300000" in body
        writer.close()

    async def test_a_body_of_unknown_length_that_is_as_large_as_allowed_is_read(self, serving: Serving) -> None:
        """However many pieces it comes in."""
        body = review()
        site = await serving(body_limit=len(body))
        reader, writer = await site.connect()
        writer.write(
            b"POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        for start in range(0, len(body), 50):
            piece = body[start : start + 50]
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await until(partial(lambda size: site.pending == size, start + len(piece)))
        writer.write(b"0\r\n\r\n")
        assert (await read_response(reader))[0] == 200
        writer.close()

    async def test_what_is_not_http_is_400(self, serving: Serving) -> None:
        """In JSON as every other error, and the connection is closed."""
        site = await serving()
        reader, writer = await site.connect()
        writer.write(b"\x16\x03\x01 hello\r\n\r\n")
        status, headers, body = await read_response(reader)
        assert (status, headers["connection"]) == (400, "close")
        assert "HTTP/1.1" in orjson.loads(body)["error"]
        assert site.sample("linkerd_webhook_rejected_requests_total", status="400") == 1
        writer.close()


class TestLimits:
    """Too much at once is refused at once, in a way that the API server tries again."""

    async def test_one_admission_too_many_is_429_with_retry_after(self, serving: Serving) -> None:
        """And the connection stays."""
        site = await serving(max_in_flight=2)
        site.webhook.gate.clear()
        held = [asyncio.create_task(site.post()) for _ in range(2)]
        await until(lambda: len(site.webhook.requests) == 2)
        assert site.sample("linkerd_webhook_in_flight") == 2
        client = site.client()
        response = await client.post("/", content=review(), headers=JSON)
        assert response.status_code == 429
        assert response.json() == {
            "error": "too many admissions in work",
            "fix": "try again in a second; the bound of 2 is set with --max-in-flight",
        }
        assert response.headers["retry-after"] == "1"
        assert "connection" not in response.headers
        site.webhook.gate.set()
        assert [(await task).status_code for task in held] == [200, 200]
        assert (await client.post("/", content=review(), headers=JSON)).status_code == 200
        assert site.sample("linkerd_webhook_in_flight") == 0

    async def test_clients_that_send_slowly_take_no_place(self, serving: Serving) -> None:
        """Only a complete body is in work."""
        site = await serving(max_in_flight=1)
        _, slow = await site.connect()
        slow.write(request_bytes(b"{", length=1000))
        await self.pending(site, 1)
        assert (await site.post()).status_code == 200
        slow.close()

    async def test_bodies_that_are_coming_in_are_bounded_all_together(self, serving: Serving) -> None:
        """Else many large bodies would fill the memory."""
        site = await serving(pending_limit=150_000)
        _, first = await site.connect()
        first.write(request_bytes(b" " * 100_000, length=200_000))
        await self.pending(site, 100_000)
        reader, second = await site.connect()
        second.write(request_bytes(b" " * 100_000, length=200_000))
        assert (await read_response(reader))[0] == 429
        first.close()
        second.close()

    async def test_bodies_that_came_in_are_not_counted_as_coming_in_any_more(self, serving: Serving) -> None:
        """A byte too many that stays counted of each body would refuse all bodies one day, and for ever."""
        site = await serving(pending_limit=100_000)
        for size in (40_000, 70_000, 99_000) * 4:
            assert (await self.in_pieces(site, size))[0] == 200
            assert site.pending == 0

    async def test_bodies_that_are_refused_or_broken_off_are_not_counted_any_more(self, serving: Serving) -> None:
        """Whatever ends a body: its size, too many of them, or the client."""
        site = await serving(pending_limit=100_000, body_limit=60_000)
        assert (await self.in_pieces(site, 90_000))[0] == 413
        assert site.pending == 0
        _, gone = await site.connect()
        gone.write(request_bytes(b" " * 50_000, length=60_000))
        await until(lambda: site.pending > 0)
        gone.close()
        await until(lambda: site.pending == 0)
        assert (await self.in_pieces(site, 59_000))[0] == 200

    async def test_bytes_that_are_coming_in_are_counted_once_whatever_pieces_they_come_in(
        self, serving: Serving
    ) -> None:
        """To the byte: exactly as many as are allowed are let in, over all connections."""
        site = await serving(pending_limit=100_000)
        _, writer = await site.connect()
        writer.write(request_bytes(b"", length=100_002))
        for sent in (10_000, 40_000, 99_999, 100_000):
            writer.write(b" " * (sent - site.pending))
            await self.pending(site, sent)
        reader, other = await site.connect()
        other.write(request_bytes(b" ", length=2))
        assert (await read_response(reader))[0] == 429
        writer.close()
        other.close()
        await until(lambda: site.pending == 0)

    async def pending(self, site: Site, size: int) -> None:
        """Wait until so many bytes are counted as coming in."""
        await until(lambda: site.pending == size)

    async def in_pieces(self, site: Site, size: int) -> tuple[int, dict[str, str], bytes]:
        """The answer to a body of so many bytes that comes in pieces."""
        body = review()
        body += b" " * (size - len(body))
        reader, writer = await site.connect()
        writer.write(request_bytes(b"", length=size))
        for start in range(0, size, 20_000):
            writer.write(body[start : start + 20_000])
            # Nobody tells that a piece was read; where two are read as one, the test asks less and still holds.
            await asyncio.sleep(0.002)
        result = await read_response(reader)
        writer.close()
        return result

    async def test_a_body_that_came_in_while_all_places_were_taken_is_429(self, serving: Serving) -> None:
        """It was let in as there was a place, and must not be one too many now."""
        site = await serving(max_in_flight=1)
        reader, writer = await site.connect()
        body = review()
        writer.write(request_bytes(b"", length=len(body)))
        writer.write(body[:10])
        await until(lambda: site.pending == 10)
        site.webhook.gate.clear()
        held = asyncio.create_task(site.post())
        await until(lambda: len(site.webhook.requests) == 1)
        writer.write(body[10:])
        status, headers, answer = await read_response(reader)
        assert (status, headers["retry-after"]) == (429, "1")
        assert "--max-in-flight" in orjson.loads(answer)["fix"]
        assert site.pending == 0
        site.webhook.gate.set()
        assert (await held).status_code == 200
        writer.close()


class TestEffects:
    """What an answer wants done happens after it, and never for a dry run."""

    async def test_effects_run_once_the_answer_is_out(self, serving: Serving) -> None:
        """They never delay it."""
        site = await serving()
        ran: list[str] = []
        site.webhook.respond = lambda _: Answer(effects=[lambda: ran.append("event")])
        assert (await site.post()).status_code == 200
        assert ran == ["event"]

    async def test_a_dry_run_has_no_effects(self, serving: Serving) -> None:
        """`kubectl apply --dry-run=server`."""
        site = await serving()
        ran: list[str] = []
        site.webhook.respond = lambda _: Answer(effects=[lambda: ran.append("event")])
        assert (await site.post(body=review(dryRun=True))).status_code == 200
        assert ran == []

    async def test_an_effect_that_fails_is_logged_and_spoils_nothing(self, serving: Serving, log_file: LogFile) -> None:
        """The next one still runs."""
        site = await serving()
        ran: list[str] = []

        def fail() -> None:
            raise ValueError("no")

        site.webhook.respond = lambda _: Answer(effects=[fail, lambda: ran.append("event")])
        assert (await site.post()).json()["response"]["allowed"] is True
        assert ran == ["event"]
        assert any("ValueError: no" in event.get("traceback", "") for event in await log_file.events())


class TestLog:
    """One line a decision."""

    async def test_a_refusal_s_reason_and_a_dry_run_are_in_the_line(self, serving: Serving, log_file: LogFile) -> None:
        """What was refused is asked about; what was allowed has no message."""
        site = await serving()
        site.webhook.respond = lambda _: deny("no port", reason="field-missing")
        await site.post(body=review(dryRun=True))
        site.webhook.respond = lambda _: Answer(message="because")
        await site.post()
        refused, allowed = [event for event in await log_file.events() if event["msg"] == "admission"]
        assert (refused["message"], refused["dry_run"]) == ("no port", True)
        assert not {"message", "dry_run"} & allowed.keys()

    async def test_the_time_is_in_milliseconds(self, serving: Serving, log_file: LogFile) -> None:
        """With microseconds behind the point."""
        site = await serving()
        site.webhook.gate.clear()
        begin = time.perf_counter()
        asked = asyncio.create_task(site.post())
        await until(lambda: site.webhook.requests)
        taken = time.perf_counter()
        # The time that is to be told: long enough that no other unit fits between the bounds.
        await asyncio.sleep(0.05)
        held = time.perf_counter() - taken
        site.webhook.gate.set()
        await asked
        whole = time.perf_counter() - begin
        [event] = [event for event in await log_file.events() if event["msg"] == "admission"]
        assert 1000 * held <= event["ms"] <= 1000 * whole
        assert round(event["ms"], 3) == event["ms"]

    async def test_a_decision_is_one_line_with_the_object_and_the_reason(
        self, serving: Serving, log_file: LogFile
    ) -> None:
        """And nothing of the object's content."""
        site = await serving()
        site.webhook.respond = lambda _: Answer(decision="skipped", reason="host_network", warnings=["w"])
        await site.post(body=review(object={"metadata": {"generateName": "web-"}, "spec": {"secret": "hush"}}))
        events = [event for event in await log_file.events() if event["msg"] == "admission"]
        assert len(events) == 1
        event = events[0]
        assert {key: event[key] for key in ("uid", "webhook", "kind", "namespace", "name", "operation")} == {
            "uid": "uid-1",
            "webhook": "proxy-injector",
            "kind": "Pod",
            "namespace": "emojivoto",
            "name": "web-",
            "operation": "CREATE",
        }
        assert (event["decision"], event["reason"], event["warnings"]) == ("skipped", "host_network", ["w"])
        assert 0 < event["ms"] < 1000
        assert "hush" not in str(event)
        assert "workload" not in event

    async def test_a_pod_s_workload_is_named_as_the_pod_has_no_name_yet(
        self, serving: Serving, log_file: LogFile
    ) -> None:
        """By kind and name, as kubectl takes it."""
        site = await serving()
        site.webhook.respond = lambda _: Answer(decision="injected", workload="Deployment/web")
        await site.post()
        [event] = [event for event in await log_file.events() if event["msg"] == "admission"]
        assert event["workload"] == "Deployment/web"

    async def test_decisions_are_kept_for_the_status_page(self, serving: Serving) -> None:
        """With why an object was refused, and without those of the self-test."""
        kept = DecisionLog()
        site = await serving(decisions=kept)
        site.webhook.respond = lambda _: Answer(
            decision="injected", workload="Deployment/web", warnings=["w"], message="m"
        )
        await site.post()
        site.webhook.respond = lambda _: deny("no port", reason="invalid")
        await site.post(body=review(name="db-0", kind={"group": "", "version": "v1", "kind": "Pod"}))
        site.webhook.respond = lambda _: Answer(decision="answered")
        await site.post()
        refused, injected = [decision for _, decision in kept.newest(DecisionFilter())]
        assert injected[1:] == ("proxy-injector", "emojivoto", "Deployment/web", "injected", "", ["w"], "")
        assert refused[1:] == ("proxy-injector", "emojivoto", "Pod/db-0", "denied", "invalid", [], "no port")
        assert abs(injected.time - time.time()) < 60

    async def test_the_self_test_s_is_for_who_debugs(self, serving: Serving, log_file: LogFile) -> None:
        """It comes once a minute for ever."""
        site = await serving()
        site.webhook.respond = lambda _: Answer(decision="answered")
        await site.post()
        [event] = [event for event in await log_file.events() if event["msg"] == "admission"]
        assert event["level"] == "debug"
