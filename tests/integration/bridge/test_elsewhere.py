"""What is posted elsewhere or by another method EventBridge drops: it is counted and refused."""

from __future__ import annotations

import io
import json

import pytest

from streams.bridge.http import Limits
from tests.integration.bridge.gated import Scene, serving
from tests.integration.bridge.running import event

END = b"Host: b\r\nContent-Type: application/json\r\nConnection: close\r\n"


async def asked(scene: Scene, line: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """The status, the headers and the body of the answer to this request line."""
    async with scene.connected() as (reader, writer):
        length = b"Content-Length: %d\r\n\r\n" % len(body)
        writer.write(line.encode() + b" HTTP/1.1\r\n" + END + length + body)
        head, _, answer = (await reader.read()).partition(b"\r\n\r\n")
    status, *headers = head.decode().splitlines()
    named = dict(header.split(": ", 1) for header in headers)
    return int(status.split()[1]), named, answer


@pytest.mark.parametrize(
    "target",
    [
        "/events",
        "/events/",
        "//events",
        "//events//",
        "///events",
        "/events/?x=1",
        "//events?x=/a",
        "/%65vents/",
        "http://b/events/",
        "http://b//events",
    ],
)
async def test_slashes_around_the_path_make_no_difference(target: str) -> None:
    async with serving(Limits(), api_keys=["right"]) as scene:
        scene.publisher.gate.set()
        line = f"POST {target} HTTP/1.1\r\nX-Api-Key: right\r\nX:"
        status, _, answer = await asked(scene, line, event())
        assert (status, json.loads(answer)["status"]) == (200, "accepted")
        assert scene.publisher.values == [event()]
        assert scene.answered("accepted") == 1
        # The key is asked for there as well.
        assert (await asked(scene, f"POST {target}", event()))[0] == 401


@pytest.mark.parametrize(
    "line",
    [
        "POST /",
        "POST /event",
        "POST /events/x",
        "POST /xevents",
        "POST /Events",
        "POST /events%2f",
        "POST /a//events",
        "POST /metrics/x",
        "PUT /nowhere",
        "GET /favicon.ico",
        "HEAD /nowhere",
        "OPTIONS *",
        "POST /%ff%00",
    ],
)
async def test_another_path_is_counted_and_the_right_one_is_named(
    line: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(Limits()) as scene:
        status, headers, answer = await asked(scene, line, event())
        assert (status, headers["Content-Type"]) == (404, "application/json")
        assert scene.answered("not-found") == 1
    if not line.startswith("HEAD"):
        problem = "there is nothing at this path; events go to POST /events"
        assert json.loads(answer) == {"error": problem, "field": None}
    (logged,) = caplog.records
    assert logged.getMessage().endswith("was not taken: events go to POST /events")
    assert vars(logged)["status"] == 404


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("PUT /events", "POST"),
        ("PATCH /events/", "POST"),
        ("DELETE //events", "POST"),
        ("GET /events", "POST"),
        ("HEAD /events", "POST"),
        ("OPTIONS /events", "POST"),
        ("POST /healthz", "GET, HEAD"),
        ("PUT /readyz", "GET, HEAD"),
        ("POST /metrics", "GET, HEAD"),
    ],
)
async def test_another_method_is_counted_and_the_right_ones_are_named(
    line: str, allowed: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(Limits()) as scene:
        status, headers, answer = await asked(scene, line, event())
        assert (status, headers["Allow"]) == (405, allowed)
        assert scene.answered("method-not-allowed") == 1
        assert scene.publisher.values == []
    if not line.startswith("HEAD"):
        problem = f"this path takes {allowed} and no other method; events go to POST /events"
        assert json.loads(answer) == {"error": problem, "field": None}
    (logged,) = caplog.records
    assert vars(logged)["status"] == 405


@pytest.mark.parametrize("line", ["POST /k3y-abc", "POST /nowhere?key=k3y-abc", "PUT /events?k3y"])
async def test_no_byte_of_the_request_is_logged_or_sent_back(
    line: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(Limits()) as scene:
        _, headers, answer = await asked(scene, line)
    assert b"k3y" not in answer
    assert "k3y" not in str(headers)
    assert "k3y" not in "".join(str(vars(record)) for record in caplog.records)


async def test_any_number_of_them_is_one_line_of_the_log(log: io.StringIO) -> None:
    async with serving(Limits()) as scene:
        for line in ("POST /a", "POST /b", "PUT /events", "GET /events"):
            await asked(scene, line)
        assert (scene.answered("not-found"), scene.answered("method-not-allowed")) == (2, 2)
    (line,) = log.getvalue().splitlines()
    assert line.endswith("events go to POST /events status=404 sender=127.0.0.1")


async def test_what_a_client_expects_in_vain_is_counted() -> None:
    async with serving(Limits()) as scene:
        status, _, _ = await asked(scene, "POST /events HTTP/1.1\r\nExpect: a miracle\r\nX:")
        assert status == 417
        assert scene.answered("not-http") == 1
