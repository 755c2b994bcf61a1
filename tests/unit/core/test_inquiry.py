"""What one step of an inquiry remembers of those before it. Whole runs: test_against_model.py."""

from __future__ import annotations

import msgspec
import pytest

from streams.core.decision import Fetch, Patch, Policy, Settle
from streams.core.envelope import InteractionEvent
from streams.core.inquiry import Inquiry
from streams.core.interaction import Interaction
from streams.core.records import Decision, Intent, InteractionRecord
from streams.core.retry_policy import PATCHES, PatchPolicy
from streams.errors import ApiError, ApiTimeout, Conflict, NotFound, RateLimited, ServerError

CODE, OFFSET = "code-1", 7
EVENT = InteractionEvent("i-1", 3, 3, "voice", "completed", None, None)
ELIGIBLE = Interaction("i-1", "voice", "completed", None, None, 60_000, etag="1")
NEW = InteractionRecord("i-1")
OURS = Interaction("i-1", "voice", "completed", CODE, None, 60_000, etag="2")
THEIRS = Interaction("i-1", "voice", "completed", "theirs", None, 60_000, etag="2")
LOST = ServerError("no answer", status=502, maybe_applied=True)


def begun(record: InteractionRecord = NEW, limits: PatchPolicy = PATCHES) -> Inquiry:
    return Inquiry(record, EVENT, OFFSET, Policy(CODE), limits=limits)


def patch_of(inquiry: Inquiry) -> Patch:
    assert isinstance(inquiry.step, Patch), inquiry.step
    return inquiry.step


def patching(inquiry: Inquiry) -> Patch:
    """The PATCH that the GET led to, about to leave."""
    inquiry.fetched(ELIGIBLE)
    patch = patch_of(inquiry)
    inquiry.intends(patch, 1)
    inquiry.patching()
    return patch


def decision(inquiry: Inquiry) -> tuple[Decision, bool]:
    return inquiry.verdict.decision, inquiry.verdict.recovered


def test_asks_intends_patches_and_settles() -> None:
    inquiry = begun()
    assert isinstance(inquiry.step, Fetch)
    inquiry.fetched(ELIGIBLE)
    patch = patch_of(inquiry)
    assert patch == Patch(CODE, "1", 60_000)
    written = inquiry.intends(patch, now_ms=9)
    assert written is not None
    assert (written.intent, written.updated_at) == (Intent(OFFSET, CODE), 9)
    assert inquiry.record is written
    inquiry.patching()
    inquiry.patched(patch, 200)
    assert decision(inquiry) == (Decision.PATCHED, False)
    assert inquiry.verdict.patch_status == 200


def test_an_intent_is_written_once() -> None:
    inquiry = begun()
    patch = patching(inquiry)
    assert inquiry.intends(patch, 2) is None


def test_a_patch_that_may_have_been_applied_is_looked_for() -> None:
    inquiry = begun()
    patching(inquiry)
    assert not inquiry.failed(LOST)
    assert isinstance(inquiry.step, Fetch)
    inquiry.fetched(OURS)
    assert decision(inquiry) == (Decision.PATCHED, True)


def test_our_code_is_somebody_elses_where_no_patch_of_ours_is_in_doubt() -> None:
    inquiry = begun()
    inquiry.fetched(OURS)
    assert decision(inquiry) == (Decision.INELIGIBLE, False)


def test_a_conflict_without_a_patch_in_doubt_settles() -> None:
    inquiry = begun()
    patching(inquiry)
    assert not inquiry.failed(Conflict("changed", status=412))
    assert decision(inquiry) == (Decision.CONFLICT, False)


@pytest.mark.parametrize(
    ("met", "decided"),
    [
        (OURS, (Decision.PATCHED, True)),
        (THEIRS, (Decision.INELIGIBLE, False)),
    ],
)
def test_a_conflict_with_a_patch_in_doubt_is_looked_at(
    met: Interaction, decided: tuple[Decision, bool]
) -> None:
    inquiry = begun()
    patching(inquiry)
    inquiry.failed(LOST)
    patching(inquiry)
    assert not inquiry.failed(Conflict("changed", status=412))
    assert isinstance(inquiry.step, Fetch)
    inquiry.fetched(met)
    assert decision(inquiry) == decided


def test_a_conflict_with_somebody_else_stands() -> None:
    """The interaction has no code: it was changed by another hand, and is not written over."""
    inquiry = begun()
    patching(inquiry)
    inquiry.failed(LOST)
    patching(inquiry)
    inquiry.failed(Conflict("changed", status=412))
    inquiry.fetched(ELIGIBLE)
    assert decision(inquiry) == (Decision.CONFLICT, False)


def test_the_code_of_an_earlier_record_that_waits_is_ours_once_we_patch_too() -> None:
    """Its PATCH arrives between our GET and our own PATCH."""
    earlier = msgspec.structs.replace(
        InteractionRecord("i-1"), intent=Intent(3, CODE), last_offset=3, verdict=None
    )
    inquiry = begun(earlier)
    patch = patching(inquiry)
    inquiry.failed(Conflict("changed", status=412))
    inquiry.fetched(OURS)
    assert patch.etag == "1"
    assert decision(inquiry) == (Decision.PATCHED, True)


def test_a_request_that_was_stopped_is_looked_for() -> None:
    inquiry = begun()
    patching(inquiry)
    inquiry.stopped()
    assert isinstance(inquiry.step, Fetch)


def test_patches_are_tried_a_few_times() -> None:
    inquiry = begun(limits=PatchPolicy(tries=2))
    patching(inquiry)
    assert not inquiry.failed(LOST)
    patching(inquiry)
    assert inquiry.failed(LOST), "to be put off"
    assert inquiry.record.intent == Intent(OFFSET, CODE), "and looked for when it comes back"


def test_a_wait_that_no_lane_is_held_for_puts_it_off() -> None:
    inquiry = begun(limits=PatchPolicy(longest_rest=30.0))
    patching(inquiry)
    error = ServerError("busy", status=503, maybe_applied=True, retry_after=31.0)
    assert inquiry.failed(error)


@pytest.mark.parametrize(
    "error", [RateLimited("429", retry_after=1.0), ApiTimeout("late"), ServerError("500")]
)
def test_a_get_whose_tries_are_used_up_is_put_off(error: ApiError) -> None:
    assert begun().failed(error)


def test_an_error_that_stays_settles_it() -> None:
    inquiry = begun()
    assert not inquiry.failed(NotFound("no such interaction", status=404))
    assert isinstance(inquiry.step, Settle)
    assert decision(inquiry) == (Decision.NOT_FOUND, False)
