"""The console as an operator runs it: a process beside a broker, over records that lie in Kafka."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest
from pydantic import SecretStr

from streams.kafka.message import Message
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.topics import apply_topics, verify_topics
from streams.settings import Settings
from tests.support.explained import explained
from tests.support.oracle import read_all
from tests.support.planted import Case, Field, plant_cases
from tests.support.workers import WorkerProcess, eventually, free_port

KEY = "a-key-of-the-console"

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def settings(broker: object, make_settings: Callable[..., Settings]) -> Settings:
    made = make_settings(console_port=free_port(), console_api_key=SecretStr(KEY))
    apply_topics(made.kafka)
    return made


async def publish(settings: Settings, land: Field) -> None:
    """What was planted, so that each record lies where the field says."""
    publisher = KafkaPublisher(settings.kafka, client_id="test")
    await publisher.start()
    try:
        for _, each in land.records:
            headers = [(name, text or b"") for name, text in each.headers]
            at = await publisher.publish(
                Message(each.topic, each.key, each.value, headers, each.partition)
            )
            assert (at.partition, at.offset) == (each.partition, each.offset)
    finally:
        await publisher.stop()


@pytest.fixture
async def console(settings: Settings, tmp_path: Path) -> AsyncIterator[WorkerProcess]:
    made = WorkerProcess(settings, tmp_path / "console.log")
    made.url = f"http://127.0.0.1:{settings.console_port}"
    yield made
    made.close()


async def text_of(console: WorkerProcess, path: str) -> str:
    """The text of a page; empty while nobody answers."""
    try:
        async with aiohttp.ClientSession() as session, session.get(console.url + path) as answer:
            html = await answer.text()
    except aiohttp.ClientError:
        return ""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


async def shows(console: WorkerProcess, path: str, said: str) -> None:
    async def so() -> bool:
        return said in await text_of(console, path)

    await eventually(so, 90, f"{path} says: {said}", every=0.3)


async def test_ten_calls_are_found_redriven_and_there_again_after_a_restart(
    settings: Settings, console: WorkerProcess, tmp_path: Path
) -> None:
    partitions = verify_topics(settings.kafka).partitions
    land = Field(round(time.time() * 1000), settings.topics, partitions)
    cases = plant_cases(land)
    await publish(settings, land)
    console.start("streams", "console")
    await console.ready(90)
    for case in cases:
        await shows(console, f"/search?q={case.id}", case.says)
    await as_explain_has_it(settings, console, cases[6], tmp_path)

    form = {"by": "Ada", "why": "the scope is there now"}
    async with (
        aiohttp.ClientSession(headers={"X-Api-Key": KEY}) as session,
        session.post(f"{console.url}/dead-letters/0/0/redrive", data=form) as answer,
    ):
        assert answer.status == 200, await answer.text()
    await shows(console, "/interactions/scope-missing", "an operator (Ada) sent it back")
    await shows(console, "/dead-letters/0/0", "it was redriven, and has not died again")
    sent = dict((await read_all(settings, settings.topics.retries))[-1].headers)
    assert (sent["retry.by"], sent["retry.why"]) == (b"Ada", b"the scope is there now")

    assert await asyncio.to_thread(console.terminate) == 0, console.output
    console.start("streams", "console")
    await console.ready(90)
    for case in cases:
        assert case.says in await text_of(console, f"/search?q={case.id}"), "at once: it was kept"
    assert "is built again" not in console.output
    await asyncio.to_thread(console.kill)  # and an index that nobody has closed is whole, too
    console.start("streams", "console")
    await console.ready(90)
    assert cases[0].says in await text_of(console, f"/search?q={cases[0].id}")


async def as_explain_has_it(
    settings: Settings, console: WorkerProcess, case: Case, cwd: Path
) -> None:
    """Each sentence of the command is on the page, and the conclusion."""
    page = await text_of(console, f"/interactions/{case.id}")
    lines = await explained(settings, cwd, case.id)
    assert [each["what"] for each in lines if each["what"] not in page] == []


async def test_it_waits_for_a_kafka_that_has_no_topics_yet(
    broker: object, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(console_port=free_port())
    console = WorkerProcess(settings, tmp_path / "console.log")
    console.start("streams", "console")
    try:
        await eventually(
            lambda: "the console waits for Kafka: no topic" in console.output, 60, "it says so"
        )
        assert await asyncio.to_thread(console.terminate) == 0, console.output
    finally:
        console.close()
