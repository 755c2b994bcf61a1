"""Asking any broker, the bootstrap servers included, through the client of an aiokafka object.

aiokafka looks at its bootstrap servers once, when it starts. When all brokers come back at other
addresses afterwards (new pods, an address that moved) it asks the old ones for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from random import sample
from typing import Any

import aiokafka.errors
from aiokafka.cluster import ClusterMetadata
from aiokafka.protocol.metadata import MetadataRequest

# For one broker to answer. One that hangs must not keep us from asking the next.
ANSWER_SECONDS = 3.0


def return_to_bootstrap(client: Any) -> None:
    """Have an AIOKafkaClient ask its bootstrap servers whenever no broker it knows of answers."""
    # aiokafka reaches a broker that is not in the metadata by its id here; it leaves this empty.
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
    """What a broker says of these topics now; None when none answers. Creates no topic, and leaves
    what the client itself knows as it is."""
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
