"""Runs of records: how a fetch is divided, and which run may be delivered."""

from __future__ import annotations

import asyncio
from typing import cast

import faust
import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streams.worker.partitions import runs as runs_module
from streams.worker.partitions.runs import Run, RunSchema, as_message, follows, runs
from tests.support.fetched import Fetched

A, B = TP("events", 0), TP("events", 1)


def run(*offsets: int) -> Run:
    return [Fetched(offset) for offset in offsets]


def offsets(run: Run) -> list[int]:
    return [record.offset for record in run]


def test_partitions_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_module, "RUN_RECORDS", 2)
    divided = [(tp, offsets(each)) for tp, each in runs({A: run(*range(5)), B: run(7, 8, 9)})]
    assert divided == [(A, [0, 1]), (B, [7, 8]), (A, [2, 3]), (B, [9]), (A, [4])]


@given(st.dictionaries(st.sampled_from([A, B]), st.integers(0, 1_700)))
def test_nothing_is_lost_and_no_run_is_empty_or_too_long(counts: dict[TP, int]) -> None:
    divided = list(runs({tp: run(*range(count)) for tp, count in counts.items()}))
    assert all(0 < len(each) <= runs_module.RUN_RECORDS for _, each in divided)
    for tp, count in counts.items():
        assert [at for of, each in divided if of == tp for at in offsets(each)] == list(
            range(count)
        )


@pytest.mark.parametrize(
    ("found", "expected", "is_one"),
    [
        ([5, 6, 7], 5, True),
        ([6, 9, 12], 5, True),
        ([4, 5], 5, False),
        ([5, 6, 6], 5, False),
        ([5, 7, 6], 5, False),
    ],
)
def test_a_run_goes_on_from_what_is_expected(found: list[int], expected: int, is_one: bool) -> None:
    assert follows(run(*found), expected) is is_one


def test_a_run_becomes_one_message_that_faust_decodes_nothing_of() -> None:
    """Whatever its bytes are."""
    message = as_message(A, [Fetched(3, b"\xff"), Fetched(9, None)], 7)
    assert (message.tp, message.topic, message.partition) == (A, "events", 0)
    assert (message.offset, message.generation_id) == (9, 7)

    app = faust.App("shop", autodiscover=False)
    event = asyncio.run(RunSchema().compile(app)(message))

    assert event.value is message.value
    assert [record.value for record in cast(Run, event.value)] == [b"\xff", None]
