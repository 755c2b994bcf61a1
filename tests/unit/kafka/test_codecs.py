"""Which codecs are read here, and what is said of a topic whose is not."""

from __future__ import annotations

import pytest

from streams.kafka import codecs
from streams.kafka.declaration import ActualTopic, Cluster, Declaration, DeclaredTopic
from streams.kafka.topics import State


def differences(codec: str) -> list[str]:
    config = {"compression.type": codec}
    state = State(
        Declaration("events", (), frozenset()),
        Cluster(1, {"events": ActualTopic("events", 4, 1, config)}),
        (DeclaredTopic("events", 4, 1),),
    )
    return [str(each) for each in state.differences()]


@pytest.mark.parametrize("codec", ["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"])
def test_every_codec_of_kafkas_is_read(codec: str) -> None:
    assert codecs.is_readable(codec)
    assert differences(codec) == []


@pytest.mark.parametrize("codec", ["snappy", "lz4", "zstd"])
def test_without_the_library_the_topic_is_named(
    codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codecs, "LIBRARY", "no_such_library")
    assert differences(codec) == [
        f"events: compression.type is {codec}, declared one that is installed here (gzip)"
    ]
    assert differences("producer") == differences("gzip") == []
