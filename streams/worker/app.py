"""The Faust app: its agents, its table, and the settings that measured well or prevent a loss."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import faust
from faust.streams import Stream
from faust.types import StreamT

from streams.kafka.connection import aiokafka_options
from streams.kafka.settings import KafkaSettings, TopicNames
from streams.kafka.topics import VerifiedTopics
from streams.settings import Settings
from streams.worker.dispatcher import Dispatcher
from streams.worker.health.broker_probe import BrokerProbe
from streams.worker.partitions.assignments import Assignments
from streams.worker.partitions.assignor import MovableAssignor
from streams.worker.partitions.collaborators import JoinedGroup, SourceLogs
from streams.worker.partitions.consumer import StreamsApp
from streams.worker.partitions.membership import Membership
from streams.worker.partitions.runs import RunSchema
from streams.worker.state.stores import StoredTable

# aiokafka leaves the group when nothing was fetched for this long (test_aiokafka.py), and nothing
# is fetched while an API outage keeps every lane busy. Our own watchdog watches progress instead.
MAX_POLL_INTERVAL_SECONDS = 7 * 24 * 3600.0

# Heartbeats in a session: some may be lost, and the partitions stay ours. Kafka's documentation
# wants three at least (heartbeat.interval.ms); a member hears of a rebalance from a heartbeat, so
# with twice as many it begins twice as soon.
HEARTBEATS_IN_A_SESSION = 6

# Runs of records that Faust may hold between its fetcher and an agent.
STREAM_BUFFER = 8

# What was finished since the last commit is published again after a crash: a second of it at most,
# for one request a second.
COMMIT_INTERVAL_SECONDS = 1.0


def build_app(
    settings: Settings,
    topics: VerifiedTopics,
    stores: Path,
    *,
    membership: Membership,
    probe: BrokerProbe,
    assignments: Assignments,
    source_logs: SourceLogs,
    group: JoinedGroup | None,
    on_failure: Callable[[BaseException], None],
) -> StreamsApp:
    """A new app. A Faust app can be started only once. The caller declares its table and agents."""
    return StreamsApp(
        settings.app_id,
        membership=membership,
        probe=probe,
        kafka_settings=settings.kafka,
        skipped=settings.skipped_records(),
        assignments=assignments,
        source_logs=source_logs,
        group=group,
        on_failure=on_failure,
        PartitionAssignor=MovableAssignor,
        Table=StoredTable,
        autodiscover=False,
        broker=[f"kafka://{server}" for server in settings.kafka_bootstrap_servers.split(",")],
        broker_credentials=_credentials(settings.kafka),
        broker_client_id=f"{settings.app_id}-worker",
        broker_session_timeout=settings.kafka_session_timeout_seconds,
        broker_heartbeat_interval=(
            settings.kafka_session_timeout_seconds / HEARTBEATS_IN_A_SESSION
        ),
        broker_max_poll_interval=MAX_POLL_INTERVAL_SECONDS,
        broker_commit_interval=COMMIT_INTERVAL_SECONDS,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.worker_instance_id,
        processing_guarantee="at_least_once",
        producer_acks=-1,
        stream_wait_empty=True,
        stream_buffer_maxsize=STREAM_BUFFER,
        stream_recovery_delay=0.0,
        store="rocksdb://",
        datadir=str(stores),
        table_standby_replicas=0,
        # Faust's check does not notice a recreated topic that holds a single record
        # (test_faust_consumer.py). InteractionStore checks instead.
        recovery_consistency_check=False,
        # All topics exist already, and Faust's own creation of a topic needs the broker that it
        # happens to ask (tests/kafka/test_worker_ends.py starts a worker while one is down).
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=topics.partitions,
        # The worker's own server answers instead. Faust's binds to all addresses
        # (test_faust_app.py).
        web_enabled=False,
        canonical_url=settings.advertised_url(),
    )


def declare_agents(
    app: StreamsApp,
    topics: TopicNames,
    dispatcher: Dispatcher,
    on_failure: Callable[[BaseException], None],
) -> None:
    """Declare an agent for each source topic. It only hands records to the dispatcher.

    Nothing is decoded: a value that Faust can not decode would crash the agent, and have it started
    again (robinhood/faust#586).
    """

    async def take_up(stream: StreamT[bytes]) -> None:
        assert isinstance(stream, Stream)
        async for event in stream.noack().events():
            try:
                await dispatcher.take_up(event.message)
            except Exception as failure:
                # Faust would log the error, restart the agent and skip the record
                # (faust-streaming/faust#315, robinhood/faust#604).
                on_failure(failure)
                raise

    for name in (topics.events, topics.retries):
        topic = app.topic(name, schema=RunSchema(), acks=True)
        app.agent(topic, name=f"take-up-{name}")(take_up)


def _credentials(settings: KafkaSettings) -> Any:
    """What Faust hands on to its consumer: the same as all our other clients have."""
    options = aiokafka_options(settings)
    context = options.get("ssl_context")
    if settings.has_token:
        return faust.OAuthCredentials(
            oauth_cb=options["sasl_oauth_token_provider"], ssl_context=context
        )
    if settings.is_sasl:
        return faust.SASLCredentials(
            username=options["sasl_plain_username"],
            password=options["sasl_plain_password"],
            mechanism=options["sasl_mechanism"],
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None
