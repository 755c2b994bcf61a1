"""``generate`` and ``simulator`` as a user runs them, and delivery to a bridge over a socket."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from click.testing import CliRunner

from streams.cli.simulator import simulator
from streams.clock import SystemClock
from streams.local.generator.delivery import PATIENCE_SECONDS, SAID_EVERY, Delivery, DeliveryReport
from streams.local.generator.population import population
from streams.local.generator.stream import stream
from streams.local.simulator.api import Simulator
from streams.local.simulator.server import serving

Handler = Callable[[web.Request], Awaitable[web.Response]]

EVENTS = list(stream(population(1, 40), 1))
ACCEPTED = {"status": "accepted", "topic": "t", "partition": 0, "offset": 0}


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "streams", *args]


class QuickClock(SystemClock):
    """Does not wait, but is that much later, and remembers for how long it was asked to."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return super().monotonic() + sum(self.waits)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def bridge(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/events", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def deliver(
    url: str, events: list[dict[str, Any]], clock: QuickClock | None = None, **how: Any
) -> DeliveryReport:
    async with aiohttp.ClientSession() as session:
        delivery = Delivery(session, url, clock or QuickClock(), **how)
        return await delivery.deliver(events, asyncio.Event())


def ids(events: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Event ids by interaction, in order."""
    by_interaction: dict[str, list[str]] = defaultdict(list)
    for event in events:
        by_interaction[event["detail"]["interactionId"]].append(event["id"])
    return by_interaction


async def test_each_interactions_events_arrive_in_order_though_some_are_sent_again() -> None:
    arrived: list[dict[str, Any]] = []
    refused: Counter[str] = Counter()

    async def handler(request: web.Request) -> web.Response:
        event = await request.json()
        # Every third event is turned away at first: the ones behind it must wait for it.
        if int(event["id"][:8], 16) % 3 == 0 and refused[event["id"]] == 0:
            refused[event["id"]] += 1
            return web.json_response({"error": "busy"}, status=503, headers={"Retry-After": "1"})
        arrived.append(event)
        return web.json_response(ACCEPTED)

    clock = QuickClock()
    async with bridge(handler) as url:
        report = await deliver(url, EVENTS, clock)
    assert (report.accepted, report.refused) == (len(EVENTS), 0)
    assert report.retries == sum(refused.values()) > 10
    assert ids(arrived) == ids(EVENTS)
    assert set(clock.waits) == {1.0}


async def test_a_refusal_is_final_and_shown_and_the_rest_goes_on() -> None:
    async def handler(request: web.Request) -> web.Response:
        event = await request.json()
        if event["id"] == EVENTS[3]["id"]:
            return web.json_response({"error": "no good", "field": "id"}, status=400)
        if event["id"] == EVENTS[4]["id"]:
            return web.json_response({"status": "skipped", "reason": "detail-type"})
        return web.json_response(ACCEPTED)

    async with bridge(handler) as url:
        report = await deliver(url, EVENTS[:10])
    assert (report.accepted, report.skipped, report.refused, report.retries) == (8, 1, 1, 0)
    assert report.refusals == [f'{url}/events: 400 {{"error": "no good", "field": "id"}}']


async def test_a_bridge_that_is_not_there_is_given_up_with_growing_waits() -> None:
    clock = QuickClock()
    said: list[str] = []
    report = await deliver("http://127.0.0.1:1", EVENTS[:1], clock, say=said.append)
    assert (report.accepted, report.refused) == (0, 1)
    assert "127.0.0.1:1/events" in report.refusals[0]
    assert clock.waits[:3] == [0.2, 0.4, 0.8]
    assert max(clock.waits) == 5.0
    assert PATIENCE_SECONDS - 5.0 <= sum(clock.waits) <= PATIENCE_SECONDS
    # At once, and then now and then.
    assert "127.0.0.1:1/events" in said[0]
    assert 3 < len(said) <= 1 + PATIENCE_SECONDS / SAID_EVERY


async def test_a_bridge_that_comes_is_waited_for() -> None:
    tries: Counter[str] = Counter()

    async def handler(request: web.Request) -> web.Response:
        event = await request.json()
        tries[event["id"]] += 1
        away = {1: 503, 2: 408, 3: 429, 4: 500}.get(tries[event["id"]])
        return web.json_response(ACCEPTED, status=away or 200)

    async with bridge(handler) as url:
        report = await deliver(url, EVENTS[:3], firm=True)
    assert (report.accepted, report.refused, report.retries) == (3, 0, 12)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
async def test_what_is_refused_for_good_is_not_tried_again(status: int) -> None:
    tries: Counter[str] = Counter()

    async def handler(request: web.Request) -> web.Response:
        tries[(await request.json())["id"]] += 1
        return web.json_response({"error": "no"}, status=status)

    async with bridge(handler) as url:
        report = await deliver(url, EVENTS[:3])
    assert (report.refused, report.retries) == (3, 0)
    assert set(tries.values()) == {1}


async def test_where_one_refusal_is_enough_the_rest_is_not_sent() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response({"error": "no key"}, status=401)

    async with bridge(handler) as url:
        report = await deliver(url, EVENTS, firm=True)
    assert report.accepted == 0
    assert 1 <= report.refused < 40  # those that were under way
    assert report.refusals[0] == f'{url}/events: 401 {{"error": "no key"}}'


async def test_what_is_stopped_while_the_bridge_is_away_tries_no_more() -> None:
    stop = asyncio.Event()

    async with aiohttp.ClientSession() as session:
        delivery = Delivery(
            session, "http://127.0.0.1:1", QuickClock(), firm=True, say=lambda _: stop.set()
        )
        report = await delivery.deliver(EVENTS, stop)
    assert (report.accepted, report.refused) == (0, 0)
    assert report.retries < 40


async def test_key_and_content_type_are_those_of_eventbridge() -> None:
    headers: list[Any] = []

    async def handler(request: web.Request) -> web.Response:
        headers.append(request.headers)
        return web.json_response(ACCEPTED)

    async with bridge(handler) as url:
        await deliver(url, EVENTS[:1], api_key="k-1")
    assert headers[0]["X-Api-Key"] == "k-1"
    assert headers[0]["Content-Type"] == "application/json; charset=utf-8"


async def test_a_rate_spaces_the_events_out() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response(ACCEPTED)

    async with bridge(handler) as url, aiohttp.ClientSession() as session:
        delivery = Delivery(session, url, SystemClock(), rate=100)
        report = await delivery.deliver(EVENTS[:30], asyncio.Event())
    assert report.seconds >= 0.29


async def test_what_is_stopped_sends_no_more_and_refuses_nothing() -> None:
    stop = asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        stop.set()
        return web.json_response(ACCEPTED)

    async with bridge(handler) as url, aiohttp.ClientSession() as session:
        delivery = Delivery(session, url, SystemClock(), rate=200)
        report = await delivery.deliver(EVENTS, stop)
    assert 0 < report.accepted < 20
    assert report.refused == 0


def test_stdout_is_json_lines_the_same_for_the_same_seed() -> None:
    args = command("generate", "--interactions", "20", "--seed", "7")
    first, second = (subprocess.run(args, capture_output=True, check=True) for _ in range(2))
    assert first.stdout == second.stdout
    assert first.stderr == b""
    assert [json.loads(line) for line in first.stdout.splitlines()] == list(
        stream(population(7, 20), 7)
    )


async def generate(url: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *command("generate", "--interactions", "20", "--to", url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


@pytest.mark.parametrize("status", [400, 401])
async def test_a_refusal_for_good_is_exit_code_1_and_one_line_on_stderr(status: int) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response({"error": "no"}, status=status)

    async with bridge(handler) as url:
        code, out, err = await generate(url)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f'genesys-streams: {url}/events: {status} {{"error": "no"}}; ')
    assert "0 events were accepted" in err
    assert "--api-key" in err


async def test_a_bridge_that_is_away_is_said_and_a_signal_ends_the_waiting() -> None:
    process = await asyncio.create_subprocess_exec(
        *command("generate", "--to", "http://127.0.0.1:1"), stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    first = (await process.stderr.readline()).decode()
    assert "127.0.0.1:1/events" in first
    process.send_signal(signal.SIGTERM)
    _, err = await process.communicate()
    assert process.returncode == 0
    assert "0 accepted" in err.decode()


async def test_events_that_are_accepted_are_exit_code_0_and_a_summary_on_stderr() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response(ACCEPTED)

    async with bridge(handler) as url:
        code, out, err = await generate(url)
    assert (code, out) == (0, "")
    assert re.search(r"(\d+) events in .*: \1 accepted, 0 skipped, 0 retries", err)


@pytest.mark.parametrize(
    "args", [["--to", "nowhere"], ["--to", "http://"], ["--duplicates", "2"], ["--rate", "0"]]
)
def test_wrong_usage_is_exit_code_2(args: list[str]) -> None:
    ended = subprocess.run(command("generate", *args), capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert args[0].encode() in ended.stderr


def test_simulator_with_the_defaults_knows_what_generate_with_the_defaults_sends() -> None:
    generated = subprocess.run(command("generate"), capture_output=True, check=True).stdout
    sent = {json.loads(line)["detail"]["interactionId"] for line in generated.splitlines()}
    with subprocess.Popen(command("simulator", "--port", "0"), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            name, _, url = process.stdout.readline().decode().strip().partition("=")
            assert name == "base_url"
            for interaction_id in sorted(sent)[::100]:
                looked = f"{url}/_simulator/interactions/{interaction_id}"
                with urllib.request.urlopen(looked, timeout=5) as answer:
                    assert json.load(answer)["truth"]["id"] == interaction_id
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert len(sent) == 1_000


async def test_what_the_simulators_help_says_of_its_control_is_true() -> None:
    help_text = CliRunner().invoke(simulator, ["--help"]).output
    examples = re.findall(r"^ *(PUT|POST) (/_simulator/\S+)(?: ({.*}))?$", help_text, re.M)
    faults = re.findall(r"{\"(?:timeout|drop|delayMs)\": [^}]+}", help_text)
    async with serving(Simulator([])) as url, aiohttp.ClientSession(url) as session:
        for method, path, body in examples:
            async with session.request(method, path, data=body) as answer:
                assert answer.status == 200, await answer.text()
        async with session.delete("/_simulator/outage") as answer:
            assert answer.status == 200
        for body in ("{}", *(f'{{"rates": [{{"rate": 1, "fault": {each}}}]}}' for each in faults)):
            async with session.put("/_simulator/faults", data=body) as answer:
                assert answer.status == 200, await answer.text()
    assert [path.removeprefix("/_simulator/") for _, path, _ in examples] == [
        "faults",
        "outage",
        "latency",
        "tokens/revoke",
    ]
    assert len(faults) == 3
