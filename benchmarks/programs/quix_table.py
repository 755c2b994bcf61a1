"""A quixstreams application for events that cost no call: state with changelog, an output topic.

    python -m benchmarks.programs.quix_table        settings as the worker's, from the environment

Written as its documentation writes it. Everything is its default (a checkpoint every five seconds)
but acks=all, which is the worker's own promise too. It runs in an environment that has quixstreams
and not this project: see contenders/quix.py.
"""

from __future__ import annotations

import os

from quixstreams import Application, State, message_context

from benchmarks.programs.rule import Json, settle

# Under which an interaction's state has its record.
RECORD = "record"


def decide(event: Json, state: State) -> Json:
    at = message_context()
    record, outcome = settle(state.get(RECORD), event, at.topic, at.partition, at.offset)
    state.set(RECORD, record)
    return outcome


def main() -> None:
    app = Application(
        broker_address=os.environ["KAFKA_BOOTSTRAP_SERVERS"],
        consumer_group=os.environ["APP_ID"],
        auto_offset_reset="earliest",
        state_dir=os.environ["DATA_DIR"],
        producer_extra_config={"acks": "all"},
        loglevel="WARNING",
    )
    prefix = os.environ["TOPIC_PREFIX"]
    events = app.topic(f"{prefix}events", key_deserializer="str", value_deserializer="json")
    outcomes = app.topic(f"{prefix}outcomes", key_serializer="str", value_serializer="json")
    app.dataframe(events).apply(decide, stateful=True).to_topic(outcomes)
    app.run()


if __name__ == "__main__":
    main()
