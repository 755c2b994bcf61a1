"""``genesys-streams bridge sqs`` as a process: start, what is wrong with AWS, drain."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.support.aws import CREDENTIALS, Aws
from tests.support.bridges import LISTENING, ROOT, Program, Start, event, get, until_ready
from tests.support.workers import eventually, free_port

pytestmark = pytest.mark.sqs

LEAVE_SECONDS = 10.0
URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/events"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "BRIDGE_QUEUE_URL: required, by bridge sqs, or --queue-url; such as https://"),
        ({"BRIDGE_QUEUE_URL": "events"}, "BRIDGE_QUEUE_URL: must be an http:// or https:// URL"),
        ({"BRIDGE_QUEUE_URL": "https://x.y/"}, "BRIDGE_QUEUE_URL: names no queue"),
        ({"BRIDGE_QUEUE_URL": "http://localhost/1/q"}, "AWS_REGION: required, because BRIDGE_QUE"),
        ({"BRIDGE_QUEUE_URL": URL, "AWS_ENDPOINT_URL": "nowhere"}, "AWS_ENDPOINT_URL, AWS_REGION"),
        ({"BRIDGE_QUEUE_URL": URL, "AWS_PROFILE": "missing"}, "profile (missing) could not be"),
        ({"BRIDGE_QUEUE_URL": URL, "BRIDGE_HOST": "192.0.2.1"}, "cannot listen on 192.0.2.1"),
        ({"BRIDGE_QUEUE_URL": URL, "KAFKA_BOOTSTRAP_SERVERS": ","}, "KAFKA_BOOTSTRAP_SERVERS: "),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_code_2(
    start: Start, settings: dict[str, str], said: str
) -> None:
    bridge = start(**settings)
    assert bridge.wait(20) == 2
    assert said in bridge.output
    assert bridge.output.startswith("genesys-streams: ")
    assert bridge.output.count("\n") == 1


def test_the_option_wins_over_the_variable(start: Start) -> None:
    bridge = start("--queue-url", "https://x.y/", BRIDGE_QUEUE_URL=URL)
    assert bridge.wait(20) == 2
    assert "BRIDGE_QUEUE_URL: names no queue" in bridge.output


def test_without_the_extra_one_line_says_how_to_install_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.modules['aiobotocore'] = None; sys.argv = ['x', 'bridge', 'sqs']; "
            "from streams.cli.main import main; main()",
        ],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "BRIDGE_QUEUE_URL": URL},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 2
    assert "pip install 'genesys-streams[sqs]'" in done.stderr
    assert done.stderr.count("\n") == 1


@asynccontextmanager
async def answering(status: int, code: str) -> AsyncIterator[str]:
    """An AWS that answers every request with this error; yields its URL."""

    async def refuse(_: web.Request) -> web.Response:
        body = {"__type": f"com.amazonaws.sqs#{code}", "message": "said by AWS"}
        return web.json_response(body, status=status, content_type="application/x-amz-json-1.0")

    app = web.Application()
    app.router.add_post("/", refuse)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (403, "ExpiredTokenException", "the AWS credentials have expired; renew them"),
        (403, "AccessDeniedException", "it is not allowed; the bridge's role needs sqs:Receive"),
        (400, "QueueDoesNotExist", "there is no such queue; check BRIDGE_QUEUE_URL"),
        (400, "RequestThrottled", "AWS has too many requests of this account"),
        (503, "ServiceUnavailable", "AWS answers 503"),
    ],
)
async def test_what_aws_answers_is_one_line_and_it_is_not_ready(
    start: Start, freezable_servers: str, status: int, code: str, said: str
) -> None:
    async with answering(status, code) as endpoint:
        bridge = start(
            **CREDENTIALS,
            AWS_ENDPOINT_URL=endpoint,
            BRIDGE_QUEUE_URL=f"{endpoint}/1/q",
            KAFKA_BOOTSTRAP_SERVERS=freezable_servers,
        )
        await asyncio.to_thread(bridge.wait_for, said)
        url = bridge.wait_for(LISTENING.pattern)[1]
        await asyncio.to_thread(bridge.wait_for, "connected to Kafka")
        status, answer = await get(f"{url}/readyz")
        assert status == 503
        assert said in answer["reason"]
        assert (await get(f"{url}/healthz"))[0] == 200
        bridge.send(signal.SIGTERM)
        assert await asyncio.to_thread(bridge.wait, LEAVE_SECONDS) == 0
    lines = [line for line in bridge.output.splitlines() if said in line]
    assert lines
    assert all(" WARNING streams.bridge.sqs." in line for line in lines)
    assert "Traceback" not in bridge.output


async def test_without_credentials_it_says_what_to_do(start: Start) -> None:
    bridge = start(BRIDGE_QUEUE_URL=URL)
    await asyncio.to_thread(bridge.wait_for, "no AWS credentials can be had")
    assert "Traceback" not in bridge.output


async def test_no_secret_is_logged_at_debug(start: Start, aws: Aws, freezable_servers: str) -> None:
    queue = aws.queue()
    bridge = start(
        **aws.environment | {"AWS_SECRET_ACCESS_KEY": "s3cret", "AWS_SESSION_TOKEN": "t0ken"},
        BRIDGE_QUEUE_URL=queue.url,
        KAFKA_BOOTSTRAP_SERVERS=freezable_servers,
        LOG_LEVEL="debug",
    )
    await until_ready(bridge.wait_for(LISTENING.pattern)[1])
    queue.send(event().decode())
    await eventually(queue.is_empty, 20, "the event is taken")
    assert "s3cret" not in bridge.output
    assert "t0ken" not in bridge.output
    assert "X-Amz" not in bridge.output


@pytest.mark.parametrize("kafka", ["away", "hangs", "there"])
async def test_sigterm_gives_back_what_is_not_delivered_and_leaves_with_0(
    start: Start, aws: Aws, freezable_broker: Program, freezable_servers: str, kafka: str
) -> None:
    queue = aws.queue(visibility=600)
    servers = "127.0.0.1:1" if kafka == "away" else freezable_servers
    bridge = start(**aws.environment, BRIDGE_QUEUE_URL=queue.url, KAFKA_BOOTSTRAP_SERVERS=servers)
    url = bridge.wait_for(LISTENING.pattern)[1]
    if kafka == "away":
        await asyncio.to_thread(bridge.wait_for, "no Kafka yet")
    else:
        await until_ready(url)
    if kafka == "hangs":
        freezable_broker.send(signal.SIGSTOP)
    queue.send(*(event(f"i-{number}").decode() for number in range(25)))
    if kafka == "there":
        await eventually(queue.is_empty, 20, "all are taken")
    elif kafka == "hangs":
        await eventually(lambda: queue.counts()[1] > 0, 20, "some are in its hands")
    began = time.monotonic()
    bridge.send(signal.SIGTERM)
    assert await asyncio.to_thread(bridge.wait, LEAVE_SECONDS) == 0
    assert time.monotonic() - began < LEAVE_SECONDS
    assert "Traceback" not in bridge.output
    assert queue.counts() == ((0, 0) if kafka == "there" else (25, 0))


async def test_its_routes_are_for_operators_alone(
    start: Start, aws: Aws, freezable_servers: str
) -> None:
    bridge = start(
        **aws.environment,
        BRIDGE_QUEUE_URL=aws.queue().url,
        KAFKA_BOOTSTRAP_SERVERS=freezable_servers,
    )
    url = bridge.wait_for(LISTENING.pattern)[1]
    await until_ready(url)
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/metrics") as answer:
            page = await answer.text()
        async with session.post(f"{url}/events", data=event()) as answer:
            assert answer.status == 404
    assert "genesys_streams_bridge_ready 1.0" in page
    assert 'genesys_streams_bridge_messages_total{result="accepted"} 0.0' in page
