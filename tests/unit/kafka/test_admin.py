"""What the topics' admin makes of a cluster that is not whole."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka.admin import AdminClient

from streams.errors import KafkaError
from streams.kafka.admin import TopicsAdmin
from streams.settings import Settings

MakeSettings = Callable[..., Settings]


class Answering:
    """The admin client of a cluster that has so many brokers at each look, the last ever after."""

    def __init__(self, *brokers: int) -> None:
        self._brokers = list(brokers)

    def list_topics(self, timeout: float) -> Any:
        number = self._brokers.pop(0) if len(self._brokers) > 1 else self._brokers[0]
        return SimpleNamespace(brokers=dict.fromkeys(range(number)), topics={}, cluster_id="it")


def admin_of(make_settings: MakeSettings, *brokers: int) -> TopicsAdmin:
    answering = cast(AdminClient, Answering(*brokers))
    return TopicsAdmin(make_settings().kafka, lambda _: answering)


def test_a_cluster_without_brokers_is_waited_for(make_settings: MakeSettings) -> None:
    """All were frozen, and the controller lets them in again: no topic has zero replicas."""
    assert admin_of(make_settings, 0, 0, 1).cluster().brokers == 1


def test_a_cluster_that_stays_without_brokers_is_named(make_settings: MakeSettings) -> None:
    with pytest.raises(KafkaError, match="no broker has been in its cluster for 0 s"):
        admin_of(make_settings, 0).cluster(timeout=0.0)


def test_a_client_ends_with_its_admin(make_settings: MakeSettings) -> None:
    """And not when somebody searches for garbage: the program may be at its end by then, and
    librdkafka's threads at work."""

    class Client:
        def __init__(self, options: dict[str, Any]) -> None:
            self.called_back = options["error_cb"]

        def list_topics(self, timeout: float) -> Any:
            return SimpleNamespace(brokers={1: None}, topics={}, cluster_id="it")

    made: list[weakref.ref[Client]] = []

    def make(options: dict[str, Any]) -> AdminClient:
        client = Client(options)
        made.append(weakref.ref(client))
        return cast(AdminClient, client)

    gc.disable()
    try:
        admin = TopicsAdmin(make_settings().kafka, make)
        admin.cluster()
        assert made[0]() is not None
        del admin
        assert made[0]() is None
    finally:
        gc.enable()
