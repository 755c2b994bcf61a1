"""Whose group it is, from what its members and the broker say."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)
from aiokafka.errors import GroupAuthorizationFailedError, NodeNotReadyError
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import NotAuthorized, SettingsError
from streams.kafka import group
from streams.kafka.group import GroupCheck, Seen, assigned, subscribed
from streams.kafka.settings import KafkaSettings
from streams.settings import Settings

topics = st.sets(st.text("abc._-", min_size=1, max_size=20), max_size=4)


@given(topics, st.binary(max_size=20))
def test_what_a_member_asks_for_and_has(names: set[str], user_data: bytes) -> None:
    asked = ConsumerProtocolMemberMetadata(0, sorted(names), user_data).encode()
    given_ = ConsumerProtocolMemberAssignment(
        0, [(name, [0, 1]) for name in sorted(names)], user_data
    ).encode()

    assert subscribed(asked) == assigned(given_) == names


@given(st.binary(max_size=80))
def test_any_bytes_can_be_in_a_group(data: bytes) -> None:
    for names in (subscribed(data), assigned(data)):
        assert all(isinstance(name, str) for name in names)


@pytest.mark.parametrize("data", [b"", b"\0\0\0\0\0\1\xff\xff", b"\0\0\xff\xff\xff\xff"])
def test_null_names_are_none(data: bytes) -> None:
    assert subscribed(data) == assigned(data) == set()


class Coordinator:
    """What ``look`` finds, in turn."""

    def __init__(self, *seen: Seen | Exception) -> None:
        self.seen = list(seen)
        self.asked = 0

    async def __call__(self, _settings: KafkaSettings) -> Seen:
        self.asked += 1
        answer = self.seen.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def checking(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, *seen: Seen | Exception
) -> tuple[GroupCheck, Coordinator]:
    coordinator = Coordinator(*seen)
    monkeypatch.setattr(group, "look", coordinator)
    settings = make_settings(app_id="shop").kafka
    return GroupCheck(settings, ["a.events", "a.retries", "log"]), coordinator


async def test_a_group_of_our_own_topics_is_ours(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    check, coordinator = checking(
        make_settings,
        monkeypatch,
        Seen(frozenset({"a.events", "log"}), False),
        Seen(frozenset(), True),
    )
    await check.before_joining()
    await check.after_joining()
    await check.after_joining()

    assert coordinator.asked == 2, "seen whole once, it is not looked at at every rebalance"


async def test_a_group_of_other_topics_is_refused_by_name(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    check, _ = checking(
        make_settings, monkeypatch, Seen(frozenset({"a.events", "b.events", "b.retries"}), False)
    )
    with pytest.raises(SettingsError) as refusal:
        await check.before_joining()

    said = str(refusal.value)
    assert said.startswith("APP_ID, TOPIC_PREFIX: group shop is used for b.events, b.retries too")
    assert "--group shop --delete-offsets --topic b.events --topic b.retries" in said


async def test_whoever_came_in_the_same_moment_is_seen_after_joining(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the group rebalances its members are not listed."""
    check, _ = checking(
        make_settings,
        monkeypatch,
        Seen(frozenset(), False),
        Seen(frozenset(), False),
        Seen(frozenset({"a.events", "b.events"}), True),
    )
    await check.before_joining()
    await check.after_joining()
    with pytest.raises(SettingsError):
        await check.after_joining()


async def test_a_group_that_is_refused_to_us_is_named(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    check, _ = checking(make_settings, monkeypatch, GroupAuthorizationFailedError("shop"))
    with pytest.raises(NotAuthorized, match=r"^User:ANONYMOUS may not Read group shop; "):
        await check.before_joining()


async def test_a_group_that_can_not_be_looked_at_is_reported_by_the_join(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    check, coordinator = checking(
        make_settings,
        monkeypatch,
        NodeNotReadyError(),
        TimeoutError(),
        Seen(frozenset(), True),
    )
    await check.before_joining()
    await check.after_joining()
    await check.after_joining()
    assert coordinator.asked == 3


async def test_a_name_from_a_stranger_is_made_fit(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    check, _ = checking(make_settings, monkeypatch, Seen(frozenset({"b\x1b[31m\n"}), False))
    with pytest.raises(SettingsError) as refusal:
        await check.before_joining()
    assert str(refusal.value).isprintable()
