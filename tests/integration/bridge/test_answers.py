"""Each answer of the contract's table, over a real socket, with a real broker behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import aiohttp
import aiokafka
import pytest

from streams.bridge.http.front import Limits
from streams.kafka.admin import TopicsAdmin
from streams.kafka.reader import read_topic
from streams.settings import Settings
from tests.support.bridges import bridge_on, event, get, post, until_ready

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.json"))
LIMIT = Limits().body_bytes


async def records(settings: Settings, topic: str) -> list[aiokafka.ConsumerRecord]:
    """All that is in a topic."""
    cluster = await asyncio.to_thread(TopicsAdmin(settings.kafka).cluster)
    partitions = range(cluster.topics[topic].partitions)
    return [record async for record in read_topic(settings.kafka, topic, partitions)]


async def dead_letters(settings: Settings) -> list[bytes]:
    return [record.value for record in await records(settings, settings.topics.dead_letters)]


async def events(settings: Settings) -> list[bytes]:
    return [record.value for record in await records(settings, settings.topics.events)]


async def test_200_accepted_once_the_event_is_in_kafka_byte_for_byte(settings: Settings) -> None:
    body = b" " + event("i-7", sequenceId=0, note="\u00fc") + b"\n"
    async with bridge_on(settings) as url:
        await until_ready(url)
        status, answer = await post(url, body)
        (record,) = await records(settings, settings.topics.events)
    assert status == 200
    assert answer == {
        "status": "accepted",
        "topic": settings.topics.events,
        "partition": record.partition,
        "offset": record.offset,
    }
    assert (record.key, record.value) == (b"i-7", body)
    assert dict(record.headers)["content-type"] == b"application/json"


@pytest.mark.parametrize("field", ["detail-type", "detailType"])
async def test_200_skipped_for_another_detail_type(settings: Settings, field: str) -> None:
    async with bridge_on(settings) as url:
        await until_ready(url)
        answered = await post(url, json.dumps({field: "v2.other", "detail": {}}).encode())
        assert answered == (200, {"status": "skipped", "reason": "detail-type"})
        assert await events(settings) == await dead_letters(settings) == []


async def test_published_samples_are_skipped(settings: Settings) -> None:
    assert SAMPLES
    async with bridge_on(settings) as url:
        await until_ready(url)
        for sample in SAMPLES:
            answered = await post(url, sample.read_bytes())
            assert answered == (200, {"status": "skipped", "reason": "detail-type"}), sample.name


HOSTILE: list[tuple[str, bytes, int, str | None]] = [
    ("not JSON", b"not json", 400, None),
    ("empty body", b"", 400, None),
    ("not UTF-8", b'{"detail-type": "\xff"}', 400, None),
    ("null bytes", b"\x00" * 64, 400, None),
    ("deep nesting", b"[" * 900_000, 400, None),
    ("deep nesting inside", event(x=0).replace(b'"x": 0', b'"x": ' + b"[" * 99_999), 400, None),
    ("2 MiB", event(x="y" * 2 * 1024 * 1024), 413, None),
    ("id that leaves its path", event("../../oauth/token"), 400, "interactionId"),
    ("id empty", event(""), 400, "interactionId"),
    ("id of 10,000 characters", event("a" * 10_000), 400, "interactionId"),
    ("id with null byte", event("a\x00"), 400, "interactionId"),
    ("id missing", event(interactionId=None), 400, "interactionId"),
    ("sequence 0", event(sequenceId=0), 200, None),
    ('sequence "007"', event(sequenceId="007"), 200, None),
    ("sequence 1e3", event().replace(b": 1,", b": 1e3,"), 400, "sequenceId"),
    ("sequence true", event(sequenceId=True), 400, "sequenceId"),
    ("sequence null", event(sequenceId=None), 400, "sequenceId"),
    ("sequence huge, within 128 digits", event(sequenceId=10**100), 200, None),
    (
        "sequence of 5,000 digits",
        event().replace(b": 1,", b": %s," % (b"9" * 5000)),
        400,
        "sequenceId",
    ),
    ("half a surrogate pair in what nobody reads", event(x="a\ud83d"), 200, None),
    ("half a surrogate pair in what is kept", event(state="a\ud83d"), 200, None),
    ("half a surrogate pair in the sequence", event(sequenceId="a\ud83d"), 400, "sequenceId"),
    ("a number that no computer can hold", event(x=0).replace(b'"x": 0', b'"x": 1e999'), 200, None),
    ("a number of 5,000 digits", event(x=0).replace(b'"x": 0', b'"x": ' + b"9" * 5000), 200, None),
    ("a byte order mark", b"\xef\xbb\xbf" + event(), 400, None),
    ("not a number", event(x=float("nan")), 400, None),
    ("sequence missing", b'{"interactionId": "i"}', 400, "sequenceId"),
]


async def test_hostile_input_has_its_answer_and_the_next_good_event_goes_through(
    settings: Settings,
) -> None:
    dead, accepted = [], []
    async with bridge_on(settings) as url:
        await until_ready(url)
        for name, body, expected, field in HOSTILE:
            status, answer = await post(url, body)
            assert status == expected, (name, answer)
            if status == 400:
                assert answer.keys() == {"error", "field"}, name
                assert answer["error"], name
                assert answer["field"] == field, (name, answer)
                dead.append(body)
            elif status == 200:
                assert answer["status"] == "accepted", name
                accepted.append(body)
            good = event("good", sequenceId=len(accepted))
            assert (await post(url, good))[0] == 200, f"after {name}"
            accepted.append(good)
        assert sorted(await dead_letters(settings)) == sorted(dead)
        assert sorted(await events(settings)) == sorted(accepted)


async def test_400_after_the_dead_letter_with_the_contracts_headers(settings: Settings) -> None:
    async with bridge_on(settings) as url:
        await until_ready(url)
        status, _ = await post(url, b"\x00no")
        (record,) = await records(settings, settings.topics.dead_letters)
    assert status == 400
    assert (record.key, record.value) == (None, b"\x00no")
    headers = dict(record.headers)
    assert headers["dlq.reason"] == b"malformed-event"
    assert headers["dlq.stage"] == b"bridge"
    assert headers["dlq.attempts"] == b"1"
    assert headers["dlq.message"].startswith(b"not JSON")
    assert headers["dlq.failed-at"].endswith(b"Z")
    assert not any(name.startswith("dlq.source") for name in headers)


async def test_the_dead_letter_of_a_refused_event_has_its_interactions_key(
    settings: Settings,
) -> None:
    refused = {
        event("call-17", sequenceId=None): b"call-17",
        event("call-17", state=[]): b"call-17",
        b'{"interactionId":"call-17"}': b"call-17",
        event("call-17")[:-1]: None,
        event("../call-17"): None,
    }
    async with bridge_on(settings) as url:
        await until_ready(url)
        for body in refused:
            assert (await post(url, body))[0] == 400
        dead = await records(settings, settings.topics.dead_letters)
    assert {record.value: record.key for record in dead} == refused


async def test_401_without_one_of_the_keys(make_settings: Callable[..., Settings]) -> None:
    body = b'{"detail-type": "x"}'
    async with bridge_on(make_settings(bridge_api_key="old-key, new-key")) as url:
        assert (await post(url, body))[0] == 401
        assert (await post(url, body, X_Api_Key="old"))[0] == 401
        assert (await post(url, body, X_Api_Key="old-key, new-key"))[0] == 401
        assert (await post(url, b"x" * 2 * LIMIT, X_Api_Key="wrong"))[0] == 401
        for key in ("old-key", "new-key"):
            assert (await post(url, body, X_Api_Key=key))[0] == 200
        assert (await get(f"{url}/healthz"))[0] == 200


async def test_413_for_more_than_the_limit_and_not_for_the_limit(settings: Settings) -> None:
    async with bridge_on(settings) as url:
        await until_ready(url)
        smallest = event(x="")
        for excess, expected in ((0, 200), (1, 413)):
            body = event(x="y" * (LIMIT - len(smallest) + excess))
            assert len(body) == LIMIT + excess
            assert (await post(url, body))[0] == expected
        assert [len(value) for value in await events(settings)] == [LIMIT]


async def test_415_for_what_is_not_said_to_be_json(make_settings: Callable[..., Settings]) -> None:
    said = [
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content_Type": ""}, 415),
        ({"Content_Type": ";;;"}, 415),
        ({"Content_Encoding": "gzip"}, 415),
        ({"Content_Type": "application/json"}, 200),
        ({"Content_Type": "application/json; charset=utf-8"}, 200),
        ({"Content_Type": "application/cloudevents+json"}, 200),
    ]
    async with bridge_on(make_settings()) as url:
        for headers, expected in said:
            status, _ = await post(url, b'{"detail-type": "x"}', **headers)
            assert status == expected, headers


async def test_an_operator_sees_health_readiness_and_metrics(settings: Settings) -> None:
    async with bridge_on(settings) as url:
        await until_ready(url)
        assert await get(f"{url}/healthz") == (200, {"status": "alive"})
        assert await get(f"{url}/readyz") == (200, {"status": "ready"})
        await post(url, event())
        await post(url, b"no")
        async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
            assert answer.content_type == "text/plain"
            page = await answer.text()
    assert 'genesys_streams_bridge_requests_total{answer="accepted"} 1.0' in page
    assert 'genesys_streams_bridge_requests_total{answer="malformed"} 1.0' in page
    assert "genesys_streams_bridge_in_flight 0.0" in page
    assert "genesys_streams_bridge_ready 1.0" in page
    for topic in (settings.topics.events, settings.topics.dead_letters):
        assert f'publish_duration_seconds_count{{topic="{topic}"}} 1.0' in page
