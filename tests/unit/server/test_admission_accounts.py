"""What an admission leaves behind: the version of its answer, the counters, the log; and errors word for word."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.serving import LogFile, Serving, read_response, request_bytes, review
from webhook.review import AdmissionRequest, Answer


def fail(_: AdmissionRequest) -> Answer:
    raise RuntimeError("boom")


def of_version(version: str, **request: Any) -> bytes:
    """A review of a version of the API."""
    return orjson.dumps({**orjson.loads(review(**request)), "apiVersion": version})


@pytest.mark.parametrize("version", ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"])
async def test_an_answer_is_of_the_version_of_its_review_also_where_the_webhook_fails(
    serving: Serving, version: str
) -> None:
    site = await serving()
    assert (await site.post(body=of_version(version))).json()["apiVersion"] == version
    site.webhook.respond = fail
    assert (await site.post(body=of_version(version))).json()["apiVersion"] == version


async def test_a_review_that_names_no_version_is_answered_in_v1(serving: Serving) -> None:
    site = await serving()
    body = orjson.loads(review())
    del body["apiVersion"]
    assert (await site.post(body=orjson.dumps(body))).json()["apiVersion"] == "admission.k8s.io/v1"


async def test_a_bad_review_is_logged_with_its_uid_and_reason(serving: Serving, log_file: LogFile) -> None:
    site = await serving()
    await site.post(body=of_version("admission.k8s.io/v7"))
    (event,) = [event for event in await log_file.events() if event["msg"] == "admission"]
    assert (event["decision"], event["reason"], event["uid"], event["kind"]) == ("denied", "bad_review", "uid-1", "")


async def test_a_webhook_that_only_advises_allows_what_it_fails_over_and_logs_why(
    serving: Serving, log_file: LogFile
) -> None:
    site = await serving()
    site.webhook.respond = fail
    answer = (await site.post("/workload-advisor")).json()["response"]
    assert answer["allowed"] is True
    (event,) = [event for event in await log_file.events() if event["msg"] == "admission"]
    assert (event["decision"], event["reason"]) == ("allowed", "internal_error")


async def test_admissions_are_counted_by_webhook_and_namespace(serving: Serving) -> None:
    site = await serving()
    await site.post()
    assert site.sample("linkerd_webhook_decisions_total", webhook="proxy-injector", decision="injected") == 1
    requests = [
        sample.labels["namespace"]
        for metric in site.metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "proxy_inject_admission_requests_total"
    ]
    assert set(requests) <= {"emojivoto"}


async def test_an_effect_that_fails_is_counted_for_its_webhook(serving: Serving) -> None:
    site = await serving()

    def broken() -> None:
        raise RuntimeError("boom")

    site.webhook.respond = lambda _: Answer(decision="injected", effects=[broken])
    assert (await site.post()).status_code == 200
    assert site.sample("linkerd_webhook_internal_errors_total", webhook="proxy-injector") == 1


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"metadata": {"name": "web", "generateName": "w-"}}, "web"),
        ({"metadata": {"generateName": "w-"}}, "w-"),
        ({"metadata": {"name": 7}}, ""),
        ({"metadata": []}, ""),
        ([], ""),
        ({}, ""),
    ],
)
async def test_an_object_without_a_name_in_the_request_is_logged_by_its_own(
    serving: Serving, log_file: LogFile, body: Any, name: str
) -> None:
    site = await serving()
    await site.post(body=review(object=body))
    (event,) = [event for event in await log_file.events() if event["msg"] == "admission"]
    assert event["name"] == name


@pytest.mark.parametrize(
    ("request_", "status", "error", "fix"),
    [
        (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", 405, "method GET", "POST an AdmissionReview"),
        (
            b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}",
            415,
            "no Content-Type",
            "send application/json, as the API server does",
        ),
        (
            b"POST / HTTP/1.1\r\nhost: x\r\ncontent-type: text/" + b"a" * 200 + b"\r\ncontent-length: 2\r\n\r\n{}",
            415,
            "Content-Type is text/" + "a" * 95,
            "send application/json, as the API server does",
        ),
        (
            request_bytes(b"", length=11_000_000),
            413,
            "the body is larger than 10485760 bytes",
            "the API server's own limit is smaller",
        ),
    ],
)
async def test_a_request_that_is_refused_is_told_why_and_what_to_send(
    serving: Serving, request_: bytes, status: int, error: str, fix: str
) -> None:
    site = await serving()
    reader, writer = await site.connect()
    writer.write(request_)
    code, headers, body = await read_response(reader)
    assert (code, orjson.loads(body)) == (status, {"error": error, "fix": fix})
    assert headers.get("allow") == ("post" if status == 405 else None)
    writer.close()


@pytest.mark.parametrize("media", ["application/json", "Application/JSON; charset=utf-8", " application/json ;x"])
async def test_json_is_known_by_its_media_type_however_it_is_written(serving: Serving, media: str) -> None:
    site = await serving()
    reader, writer = await site.connect()
    body = review()
    writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-type: %s\r\n" % media.encode())
    writer.write(b"content-length: %d\r\n\r\n" % len(body) + body)
    assert (await read_response(reader))[0] == 200
    writer.close()
