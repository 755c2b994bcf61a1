"""Each message of a batch gets what SQS says of it, whatever SQS says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.bridge.sqs.batches import MOST, answers, batches, entry_id

any_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
entries = st.lists(
    any_value
    | st.fixed_dictionaries(
        {"Id": st.sampled_from([entry_id(each) for each in range(MOST)])},
        optional={"SenderFault": any_value | st.booleans(), "Code": any_value},
    )
)


@given(st.lists(st.integers(), max_size=50))
def test_nothing_is_left_out_and_the_order_is_kept(items: list[int]) -> None:
    made = list(batches(items))
    assert [item for batch in made for item in batch] == items
    assert all(1 <= len(batch) <= MOST for batch in made)


@given(
    st.lists(st.uuids(), max_size=MOST, unique=True),
    st.dictionaries(st.sampled_from(["Successful", "Failed"]), entries | any_value),
)
def test_each_has_one_answer_whatever_is_answered(batch: list[Any], answer: dict[str, Any]) -> None:
    read = answers(batch, answer)
    assert sorted([*read.done, *read.again, *read.lost]) == sorted(batch)


def test_the_answer_to_each() -> None:
    answer = {
        "Successful": [{"Id": "0"}, {"Id": "3"}],
        "Failed": [
            {"Id": "1", "SenderFault": True, "Code": "ReceiptHandleIsInvalid"},
            {"Id": "2", "SenderFault": False, "Code": "InternalError"},
            # One that is in both counts as not done.
            {"Id": "3", "SenderFault": False, "Code": "InternalError"},
        ],
    }
    read = answers(["a", "b", "c", "d", "e"], answer)
    assert (read.done, read.lost, read.again) == (["a"], ["b"], ["c", "d", "e"])


@pytest.mark.parametrize("code", ["RequestThrottled", "ThrottlingException", "KmsThrottled"])
def test_too_fast_is_not_lost(code: str) -> None:
    answer = {"Failed": [{"Id": "0", "SenderFault": True, "Code": code}]}
    assert answers(["a"], answer).again == ["a"]
