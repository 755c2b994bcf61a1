"""What an operator reads when Faust or aiokafka has given up."""

from __future__ import annotations

import pytest
from aiokafka import errors
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import NotAuthorized, StoreError, StreamsError, WriteRefused
from streams.worker.health.causes import CURES, MOST_CHARACTERS, in_words


def test_topic_and_cure() -> None:
    text = in_words(errors.TopicAuthorizationFailedError("shop.events"))
    assert text.startswith(
        "TopicAuthorizationFailedError: shop.events: this client lacks the right"
    )


@pytest.mark.parametrize("kind", CURES)
def test_each_says_what_to_do(kind: type[BaseException]) -> None:
    assert in_words(kind("x")).endswith(CURES[kind])


def test_the_cause_behind_a_wrapper() -> None:
    """aiokafka wraps whatever ended its coordination, and its fetches."""
    wrapped = errors.KafkaError("Unexpected error during data retrieval")
    wrapped.__cause__ = errors.CorruptRecordException("Invalid CRC - events/3")
    assert in_words(wrapped).startswith("CorruptRecordException: Invalid CRC - events/3: ")


def test_an_unknown_error_is_named_by_its_first_cause() -> None:
    wrapped = errors.KafkaError("Unexpected error during coordination")
    wrapped.__cause__ = AssertionError("Unrecognized partition")
    assert in_words(wrapped) == "AssertionError: Unrecognized partition"


def test_our_own_errors_say_it_themselves() -> None:
    assert in_words(StoreError("the disk is full")) == "the disk is full"


@pytest.mark.parametrize("kind", [NotAuthorized, WriteRefused])
def test_a_refusal_that_was_put_in_words_is_told_in_them(kind: type[StreamsError]) -> None:
    """What it was raised from does not name the principal."""
    refused = kind("User:worker may not Write topic shop.outcomes; mend it")
    refused.__cause__ = errors.TopicAuthorizationFailedError("shop.outcomes")
    assert in_words(refused) == "User:worker may not Write topic shop.outcomes; mend it"


def test_a_cause_that_leads_back_to_itself() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert in_words(first) == "ValueError: b"


@given(st.lists(st.text() | st.binary(), max_size=3))
def test_always_one_printable_line(parts: list[str | bytes]) -> None:
    text = in_words(RuntimeError(*parts))
    assert text.isprintable()
    assert len(text) <= MOST_CHARACTERS
