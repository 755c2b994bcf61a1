"""Keys go where Kafka's own default partitioner puts them, whoever computes it."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import DefaultPartitioner, murmur2
from hypothesis import example, given
from hypothesis import strategies as st

from streams.kafka.partitioner import partition_of


@given(key=st.binary(max_size=300), partitions=st.integers(1, 1_000))
@example(key=b"", partitions=12)
@example(key=b"\xff" * 3, partitions=12)
@example(key=b"\xff" * 129, partitions=12)
def test_it_is_aiokafkas_place(key: bytes, partitions: int) -> None:
    """Once computed, and once remembered."""
    numbers = list(range(partitions))
    expected = DefaultPartitioner()(key, numbers, numbers)
    assert partition_of(key, partitions) == expected
    assert partition_of(key, partitions) == expected


# org.apache.kafka.common.utils.UtilsTest.testMurmur2: signed there.
@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_it_is_kafkas_own_place(key: bytes, hashed: int) -> None:
    assert murmur2(key) == hashed & 0xFFFFFFFF
    for partitions in (1, 12, 999):
        assert partition_of(key, partitions) == (hashed & 0x7FFFFFFF) % partitions
