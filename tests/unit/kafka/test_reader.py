"""Key placement as Kafka's own default partitioner does it."""

from __future__ import annotations

import pytest

from streams.kafka.reader import partition_of


@pytest.mark.parametrize(
    ("key", "murmur2"),
    [
        # Hashes that Apache Kafka's own test of its Utils.murmur2 expects, as signed integers.
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
@pytest.mark.parametrize("partitions", [1, 4, 12])
def test_a_key_is_where_kafka_puts_it(key: bytes, murmur2: int, partitions: int) -> None:
    assert partition_of(key, partitions) == (murmur2 & 0x7FFFFFFF) % partitions
