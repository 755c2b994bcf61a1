"""Values that are no records: their fault is theirs alone (promise 14), so a sweep passes them."""

from __future__ import annotations

from typing import Any

import pytest

from streams.core.conversations.record import ConversationRecord
from streams.core.conversations.record import encode_record as encode_conversation
from streams.worker.state.unreadable import SHOWN_LENGTH
from tests.support.interaction_stores import PARTITION, TTL_SECONDS, Shop

ANOTHER_DIALECT = encode_conversation(ConversationRecord("c-1"))


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(each) for each in caplog.records if each.name.endswith("state.unreadable")]


async def store(shop: Shop, values: dict[str, bytes]) -> None:
    await shop.table.put_all(
        shop.assignment, {(PARTITION, name): value for name, value in values.items()}
    )


@pytest.mark.parametrize(
    "value",
    [b"", b"\xff", b"{", b"[" * 100_000, b"null", b'{"interactionId":1}', ANOTHER_DIALECT],
    ids=["nothing", "no text", "cut off", "deep", "null", "another type", "another dialect"],
)
async def test_a_value_that_is_no_record_is_kept_and_the_others_are_swept(
    shop: Shop, value: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    await store(shop, {"i-1": value})
    await shop.put(shop.record("i-0", age=TTL_SECONDS + 1), shop.record("i-2", age=TTL_SECONDS + 1))

    assert await shop.table.sweep(shop.assignment, PARTITION) == 2

    assert shop.table.size == 1
    with shop.table._stores.using(PARTITION) as stored:
        assert stored.get(b"i-1") == value
    (line,) = lines(caplog)
    assert (line["levelname"], line["partition"], line["count"]) == ("ERROR", PARTITION, 1)
    assert (line["changelog"], line["first"]) == (shop.table.changelog, "i-1")
    assert "Error" in line["error"]


async def test_many_of_them_are_one_line_of_each_sweep(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    await store(shop, {f"i-{number}": b"{" for number in range(3)})

    for _ in range(2):
        assert await shop.table.sweep(shop.assignment, PARTITION) == 0

    assert [(line["count"], line["first"]) for line in lines(caplog)] == [(3, "i-0"), (3, "i-0")]
    assert shop.table.size == 3


async def test_what_the_line_shows_of_them_is_bounded_and_printable(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """Another producer may have written them."""
    await store(shop, {"\x1b" * 100_000: b'{"intent":{"offset":"%s"}}' % (b"x" * 100_000)})

    await shop.table.sweep(shop.assignment, PARTITION)

    (line,) = lines(caplog)
    for shown in (line["first"], line["error"]):
        assert len(shown) <= SHOWN_LENGTH
        assert shown.isprintable()


async def test_a_sweep_without_them_logs_nothing(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    await shop.put(shop.record("i-1"))

    await shop.table.sweep(shop.assignment, PARTITION)

    assert lines(caplog) == []


async def test_a_process_out_of_memory_is_no_fault_of_a_value(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(value: bytes) -> Any:
        raise MemoryError

    await shop.put(shop.record("i-1"))
    monkeypatch.setattr(shop.table, "_decode", out_of_memory)

    with pytest.raises(MemoryError):
        await shop.table.sweep(shop.assignment, PARTITION)
