"""The reason that the worker ends for."""

from __future__ import annotations

import pytest

from streams.errors import SettingsError, Stalled
from streams.worker.ending import Ending


async def test_the_first_reason_counts(caplog: pytest.LogCaptureFixture) -> None:
    ending = Ending()
    assert ending.reason is None
    first = SettingsError("APP_ID: not ours")

    ending.fail(first)
    ending.fail(Stalled("nothing moves"))

    assert ending.reason is ending.failed.result() is first
    assert caplog.records == [], "whoever ends says why"


async def test_what_nothing_has_an_answer_to_is_printed_in_full(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ending = Ending()

    ending.fail(RuntimeError("thread died"))

    (record,) = caplog.records
    assert record.exc_info is not None
    assert str(ending.reason) == "thread died"
