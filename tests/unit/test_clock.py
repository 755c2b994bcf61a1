"""Time as it is written down and read back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.clock import SystemClock, rfc3339
from streams.timestamps import epoch_ms

# 1970 to 2200: later, a float of seconds no longer holds a millisecond exactly.
MILLISECONDS = st.integers(0, 7_258_118_399_999)


@pytest.fixture(autouse=True, scope="module")
def far_from_utc() -> Iterator[None]:
    """A machine whose own time zone would show, were it ever used."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "America/St_Johns")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1765552507.657, "2025-12-12T15:15:07.657Z"),
        (1765552507.05, "2025-12-12T15:15:07.050Z"),
        (1765552507.9996, "2025-12-12T15:15:07.999Z"),
    ],
)
def test_rfc3339_is_utc_with_milliseconds(seconds: float, text: str) -> None:
    assert rfc3339(seconds) == text


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2025-12-12T15:15:07Z", 1765552507000),
        ("2025-12-12T15:15:07.657Z", 1765552507657),
        ("2025-12-12T16:15:07.657+01:00", 1765552507657),
        ("2025-12-12T15:15:07.657", 1765552507657),
        ("2025-12-12 15:15:07", 1765552507000),
    ],
)
def test_epoch_ms_reads_what_genesys_and_eventbridge_write(text: str, milliseconds: int) -> None:
    assert epoch_ms(text) == milliseconds


@pytest.mark.parametrize(
    "text", [None, "", "soon", "1765552507657", "2025-13-01T00:00:00Z", "\x00"]
)
def test_epoch_ms_of_what_is_no_time_is_none(text: str | None) -> None:
    assert epoch_ms(text) is None


@given(st.text(max_size=40))
def test_epoch_ms_never_fails(text: str) -> None:
    assert epoch_ms(text) is None or isinstance(epoch_ms(text), int)


OFFSETS = st.sampled_from(["", "Z", "+23:59", "-23:59"])


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)).map(datetime.isoformat), OFFSETS)
def test_epoch_ms_reads_every_date_there_is(text: str, offset: str) -> None:
    assert isinstance(epoch_ms(text + offset), int)


@given(st.datetimes().map(datetime.isoformat), OFFSETS)
@example("0001-01-01T00:00:00", "+23:59")
@example("0001-01-01T00:00:00", "Z")
@example("9999-12-31T23:59:59", "-23:59")
@example("9999-12-31T23:59:59.999999", "Z")
def test_whatever_is_read_can_be_written(text: str, offset: str) -> None:
    """One event whose time can't be would stop its partition."""
    milliseconds = epoch_ms(text + offset)
    assert milliseconds is None or len(rfc3339(milliseconds / 1000)) == 24


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-(2**63) / 1000, "0001-01-01T00:00:00.000Z"),
        (-62_135_596_801, "0001-01-01T00:00:00.000Z"),
        (253_402_300_800, "9999-12-31T23:59:59.000Z"),
        (2**63 / 1000, "9999-12-31T23:59:59.000Z"),
        (float("inf"), "9999-12-31T23:59:59.000Z"),
        (float("nan"), "0001-01-01T00:00:00.000Z"),
    ],
)
def test_a_time_that_no_calendar_has_is_written_as_the_nearest_that_one_has(
    seconds: float, text: str
) -> None:
    assert rfc3339(seconds) == text


@given(st.floats() | st.integers(-(2**63), 2**63 - 1))
def test_every_number_can_be_written_and_read_back(seconds: float) -> None:
    written = rfc3339(seconds)
    assert len(written) == 24
    assert epoch_ms(written) is not None


@given(st.integers(-(2**63), 2**63 - 1))
def test_the_time_of_every_record_in_kafka_can_be_written(milliseconds: int) -> None:
    assert epoch_ms(rfc3339(milliseconds / 1000)) is not None


@given(MILLISECONDS)
@example(526_946_163)  # 526946.163 s are a hair below that many milliseconds
def test_what_is_written_is_read_back(milliseconds: int) -> None:
    written = rfc3339(milliseconds / 1000)
    assert epoch_ms(written) == milliseconds
    at = datetime.strptime(written, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    assert at == datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)


async def test_the_system_clock_is_the_machines() -> None:
    clock = SystemClock()
    assert clock.time() == pytest.approx(time.time(), abs=5)
    before = clock.monotonic()
    ran_meanwhile = asyncio.Event()
    asyncio.get_running_loop().call_soon(ran_meanwhile.set)
    await clock.sleep(0.02)
    assert clock.monotonic() - before >= 0.02
    assert ran_meanwhile.is_set()
