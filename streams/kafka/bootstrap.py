"""Asks any broker, bootstrap servers included, through the client of an aiokafka object.

aiokafka uses its bootstrap servers only once, when it starts. When all brokers come back at other
addresses later (new pods, an address that moved), it asks the old addresses for ever
(aio-libs/aiokafka#456; test_aiokafka.py). Kafka's own client does this since KIP-899.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from random import sample
from typing import Any

import aiokafka.errors
from aiokafka.cluster import ClusterMetadata
from aiokafka.protocol.metadata import MetadataRequest

# How long one broker may take to answer. A broker that hangs must not keep us from asking the next.
ANSWER_SECONDS = 3.0


def return_to_bootstrap(client: Any) -> None:
    """Make an AIOKafkaClient ask its bootstrap servers whenever no broker that it knows answers."""
    # aiokafka looks here for a broker's id that the metadata lacks, but never fills it itself.
    client.cluster._bootstrap_brokers = ClusterMetadata(
        bootstrap_servers=client._bootstrap_servers
    )._bootstrap_brokers
    ask_known = client._metadata_update

    async def metadata_update(cluster: Any, topics: Collection[str]) -> bool:
        if await ask_known(cluster, topics):
            return True
        request = MetadataRequest(list(topics) if topics else None)
        metadata = await _ask(client, client.cluster._bootstrap_brokers, request)
        if metadata is None:
            return False
        cluster.update_metadata(metadata)
        return True

    client._metadata_update = metadata_update


async def describe(client: Any, topics: Collection[str]) -> ClusterMetadata | None:
    """A broker's current metadata of these topics; None when no broker answers. Creates no topic
    and does not change the client's own metadata."""
    known = [broker.nodeId for broker in client.cluster.brokers()]
    nodes = [*sample(known, len(known)), *client.cluster._bootstrap_brokers]
    request = MetadataRequest(list(topics), allow_auto_topic_creation=False)
    metadata = await _ask(client, nodes, request)
    if metadata is None:
        return None
    described = ClusterMetadata()
    described.update_metadata(metadata)
    return described


async def _ask(client: Any, nodes: Iterable[Any], request: MetadataRequest) -> Any:
    """The first answer that names a broker, or None."""
    for node in nodes:
        try:
            answer = await asyncio.wait_for(client.send(node, request), ANSWER_SECONDS)
        except (aiokafka.errors.KafkaError, OSError, TimeoutError):
            continue  # aiokafka logs it
        if answer.brokers:
            return answer
    return None
