"""Fetches of any bytes: what aiokafka reads is read as it does; the rest is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.kafka import codecs
from streams.kafka.batches import Batch, read_batches
from streams.kafka.decoding import HEADER, Header, Unreadable, _Tolerant
from tests.support.raw_records import (
    CONTROL,
    KNOWN_CODECS,
    TRANSACTIONAL,
    Codec,
    RawRecord,
    at_offset,
    batch,
    compressed,
    encoded_record,
    varint,
)

END = 1_000

INT64 = st.integers(-(2**63), 2**63 - 1)
NULLABLE = st.none() | st.binary(max_size=40)
RECORDS = st.builds(
    RawRecord,
    key=NULLABLE,
    value=NULLABLE,
    headers=st.lists(st.tuples(st.binary(max_size=12), NULLABLE), max_size=3).map(tuple),
    timestamp=INT64,
)
SEVERAL = st.lists(RECORDS, min_size=1, max_size=5)


def read(fetched: bytes, position: int = 0, end: int = END) -> list[Batch]:
    return list(read_batches(fetched, position, end))


def only(fetched: bytes) -> Sequence[Any]:
    (found,) = read(fetched)
    return found.items


def parts(record: Any) -> tuple[Any, ...]:
    headers = [tuple(each) for each in record.headers]
    return record.offset, record.timestamp, record.timestamp_type, record.key, record.value, headers


@given(records=SEVERAL, codec=st.sampled_from(KNOWN_CODECS), later=st.integers(0, 1 << 40))
def test_every_record_is_read_whatever_is_in_it(
    records: list[RawRecord], codec: Codec, later: int
) -> None:
    (found,) = read(at_offset(batch(records, codec=codec), later), later, later + END)
    assert [parts(each) for each in found.items] == [
        (
            later + number,
            each.timestamp,
            0,
            each.key,
            each.value,
            [(name.decode("utf-8", "replace"), value) for name, value in each.headers],
        )
        for number, each in enumerate(records)
    ]


@given(
    records=st.lists(
        RECORDS.filter(lambda each: all(name.isascii() for name, _ in each.headers)),
        min_size=1,
        max_size=5,
    ),
    attributes=st.sampled_from([0, 0x08, TRANSACTIONAL, CONTROL]),
)
def test_both_parsers_read_the_same(records: list[RawRecord], attributes: int) -> None:
    made = batch(records, attributes=attributes)
    ours = _Tolerant(Header.of(made), made).items()
    assert [parts(each) for each in ours] == [parts(each) for each in only(made)]


@given(content=st.binary(max_size=200), count=st.integers(-3, 6), sparse=st.booleans())
def test_any_bytes_in_the_place_of_the_records(content: bytes, count: int, sparse: bool) -> None:
    """Whatever they are, each offset is a record's or is named, once, and in order."""
    made = batch([RawRecord()] * 3, payload=content, count=3 if not sparse else count)
    items = only(made)
    reached = -1
    for item in items:
        first, last = (
            (item.first, item.last) if isinstance(item, Unreadable) else (item.offset, item.offset)
        )
        assert reached < first <= last <= 2
        if not sparse:
            assert first == reached + 1
        reached = last
    assert sparse or reached == 2


@given(content=st.binary(max_size=300), position=st.integers(0, 50))
def test_any_bytes_in_the_place_of_a_fetch(content: bytes, position: int) -> None:
    reached = position - 1
    for found in read(content, position):
        assert found.last > reached
        reached = found.last


@given(
    records=SEVERAL, codec=st.sampled_from(KNOWN_CODECS), at=st.integers(0), bit=st.integers(0, 7)
)
@example(records=[RawRecord()] * 3, codec=Codec.NONE, at=HEADER.size + 2, bit=0)
def test_a_flipped_bit_is_never_a_record(
    records: list[RawRecord], codec: Codec, at: int, bit: int
) -> None:
    """Under the checksum nothing is believed; what lies behind is read all the same."""
    made = bytearray(batch(records, codec=codec))
    place = 17 + at % (len(made) - 17)
    made[place] ^= 1 << bit
    behind = at_offset(batch([RawRecord(value=b"behind")]), len(records))
    broken, good = read(bytes(made) + behind)
    (lost,) = broken.items
    assert isinstance(lost, Unreadable)
    assert (lost.first, lost.last, lost.content) == (0, len(records) - 1, bytes(made))
    assert good.items[0].value == b"behind"


def record(body: bytes) -> bytes:
    return varint(len(body)) + body


PREFIX = b"\x00" + varint(0) + varint(1)
NOTHING = varint(-1)

MALFORMED = {
    "headers, fewer than none": record(PREFIX + NOTHING + NOTHING + varint(-3)),
    "more headers than there are": record(PREFIX + NOTHING + NOTHING + varint(10**9)),
    "a key behind the record's end": record(PREFIX + varint(500) + b"ab"),
    "a key of any length": record(PREFIX + varint(2**62) + b"ab"),
    "a key of so many bytes that no sum holds it": record(PREFIX + varint(2**63 - 1) + b"ab"),
    "a header without a name": record(PREFIX + NOTHING * 2 + varint(1) + NOTHING * 2),
    "bytes behind the headers": record(PREFIX + NOTHING * 2 + varint(0) + b"zz"),
    "a number of 80 bits": record(PREFIX + b"\xff" * 11 + b"\x01"),
    "nothing in it": record(PREFIX),
}


@pytest.mark.parametrize("codec", KNOWN_CODECS)
@pytest.mark.parametrize("bad", MALFORMED.values(), ids=MALFORMED.keys())
def test_one_malformed_record_is_one(bad: bytes, codec: Codec) -> None:
    first, lost, last = only(
        batch([RawRecord(value=b"1"), bad, RawRecord(value=b"3")], codec=codec)
    )
    assert (first.value, first.offset, last.value, last.offset) == (b"1", 0, b"3", 2)
    assert (lost.first, lost.last, lost.content) == (1, 1, bad)


def test_behind_a_record_of_a_wrong_length_nothing_is_guessed() -> None:
    longer = bytearray(encoded_record(RawRecord(value=b"22"), 1, 0))
    longer[0] += 8
    first, lost = only(batch([RawRecord(value=b"1"), bytes(longer), RawRecord(value=b"333")]))
    assert first.value == b"1"
    assert (lost.first, lost.last) == (1, 2)


def test_behind_a_record_that_says_it_is_shorter_nothing_is_guessed() -> None:
    """What is left over of it looks like a record of one byte."""
    shorter = bytearray(encoded_record(RawRecord(value=b"ab\x02"), 1, 0))
    shorter[0] -= 4  # two bytes
    last = RawRecord(value=b"333")
    first, lost = only(batch([RawRecord(value=b"1"), bytes(shorter), last]))
    assert first.value == b"1"
    assert (lost.first, lost.last) == (1, 2)
    assert lost.content.startswith(bytes(shorter))


def test_what_the_producer_wrote_of_offsets_is_not_looked_at() -> None:
    """Apache Kafka takes an uncompressed record that says 7 in the first place, and counts it as
    the first. Believed, it would hide the seven behind it."""
    strange = encoded_record(RawRecord(value=b"v"), 7, 0)
    assert [each.offset for each in only(batch([strange]))] == [0]


def test_an_attributes_byte_above_127() -> None:
    body = b"\x85" + varint(0) * 2 + NOTHING * 2 + varint(0)
    assert parts(only(batch([record(body)]))[0]) == (0, 0, 0, None, None, [])


def test_a_compacted_batch_keeps_its_offsets() -> None:
    kept = [
        encoded_record(RawRecord(value=b"x", headers=((b"\xff", None),)), at, 0) for at in (1, 3)
    ]
    made = bytearray(batch([*kept, RawRecord(), RawRecord()], payload=b"".join(kept), count=2))
    assert [each.offset for each in only(bytes(made))] == [1, 3]


def test_a_batch_that_compaction_has_emptied() -> None:
    (found,) = read(batch([RawRecord()] * 3, payload=b"", count=0))
    assert (list(found.items), found.last) == ([], 2)


@pytest.mark.parametrize("codec", [each for each in Codec if not each.is_known])
def test_a_codec_that_there_is_not(codec: Codec) -> None:
    (lost,) = only(batch([RawRecord()], codec=codec))
    assert f"codec number {codec.value}" in lost.why


@pytest.mark.parametrize("codec", KNOWN_CODECS[1:])
def test_a_payload_that_does_not_decompress(codec: Codec) -> None:
    (lost,) = only(batch([RawRecord()], codec=codec, payload=b"nonsense, and more of it"))
    assert f"{codec.name.lower()} data do not decompress" in lost.why


@pytest.mark.parametrize("codec", KNOWN_CODECS[1:])
def test_a_batch_of_any_size_does_not_take_all_memory(
    codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codecs, "LARGEST_DECOMPRESSED", 1 << 20)
    fits = batch([RawRecord()], codec=codec, payload=compressed(bytes(1 << 20), codec))
    (lost,) = only(fits)
    assert "MiB" not in lost.why
    (lost,) = only(batch([RawRecord()], codec=codec, payload=compressed(bytes(9 << 20), codec)))
    assert "1 MiB" in lost.why


@pytest.mark.parametrize("codec", [Codec.SNAPPY, Codec.LZ4, Codec.ZSTD])
def test_without_the_library_the_codec_is_named(
    codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codecs, "LIBRARY", "no_such_library")
    (lost,) = only(batch([RawRecord()], codec=codec))
    assert codec.name.lower() in lost.why
    assert codecs.readable_codecs() == ("gzip",)
    assert only(batch([RawRecord(value=b"v")], codec=Codec.GZIP))[0].value == b"v"


def test_snappy_of_librdkafka_is_one_block() -> None:
    import cramjam

    plain = encoded_record(RawRecord(value=b"v"), 0, 0)
    made = batch(
        [RawRecord()], codec=Codec.SNAPPY, payload=bytes(cramjam.snappy.compress_raw(plain))
    )
    assert only(made)[0].value == b"v"


def rotten(change: Callable[[bytearray], None]) -> list[Batch]:
    """A batch of two, one of which the broker's disk has changed, and one behind it."""
    made = bytearray(batch([RawRecord(value=b"1"), RawRecord(value=b"2")]))
    change(made)
    return read(bytes(made) + at_offset(batch([RawRecord(value=b"3")]), 2), end=3)


@pytest.mark.parametrize("magic", [0, 1, 3, 200])
def test_a_format_that_it_has_not(magic: int) -> None:
    def change(made: bytearray) -> None:
        made[16] = magic

    broken, good = rotten(change)
    assert (broken.items[0].first, broken.items[0].last) == (0, 1)
    assert good.items[0].value == b"3"


@pytest.mark.parametrize("length", [-5, 0, 20, 1 << 30])
def test_a_length_that_it_has_not(length: int) -> None:
    def change(made: bytearray) -> None:
        made[8:12] = length.to_bytes(4, "big", signed=True)

    (broken,) = rotten(change)
    assert isinstance(broken.items[0], Unreadable)
    assert broken.first == 0


def test_an_offset_that_it_has_not() -> None:
    def change(made: bytearray) -> None:
        made[6] = 1  # 256 and 257: nothing of the next batch may be hidden by it

    broken, good = rotten(change)
    assert isinstance(broken.items[0], Unreadable)
    assert (broken.first, broken.last, good.items[0].offset) == (0, 1, 2)


def test_the_last_batch_of_a_full_fetch_is_left_for_the_next() -> None:
    cut = batch([RawRecord(), RawRecord()])[:-1]
    (found,) = read(batch([RawRecord(value=b"1")]) + at_offset(cut, 1))
    assert found.items[0].value == b"1"


def test_a_batch_larger_than_the_fetch_is_named_not_left_out() -> None:
    (found,) = read(batch([RawRecord(), RawRecord()])[:-1])
    (lost,) = found.items
    assert (lost.first, lost.last) == (0, 1)


def test_a_record_behind_the_end_that_was_given_is_read() -> None:
    """The broker looks the end up before the records: what is written in between came with them,
    and was taken for bytes that can not be read."""
    two = at_offset(batch([RawRecord(value=b"2")]), 2)
    three = at_offset(batch([RawRecord(value=b"3")]), 3)
    for end in (2, 3, 4):
        read_on = read(two + three, position=2, end=end)
        assert [item.value for each in read_on for item in each.items] == [b"2", b"3"]


def test_a_leap_behind_the_end_is_none_of_compactions() -> None:
    (lost,) = read(at_offset(batch([RawRecord(value=b"9")]), 9), position=2, end=5)
    (item,) = lost.items
    assert isinstance(item, Unreadable)
