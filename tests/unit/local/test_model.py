"""The reference model, held against cases decided by hand."""

from __future__ import annotations

from typing import Any

import pytest

from streams.local.model import ExpectedInteraction, Rules, duration_ms, expected

START = "2026-01-05T08:00:00.000Z"
ALWAYS = Rules(fetch="always")

PATCHED = ("patched", "eligible", "api")
DUPLICATE = ("duplicate", "duplicate-sequence", "cache")
STALE = ("stale", "stale-sequence", "cache")
NOT_YET = ("ineligible", "interaction-not-completed", "event")
HAS_CODE = ("ineligible", "disposition-already-set", "cache")


def truth(length_ms: int = 60_000, **other: Any) -> dict[str, Any]:
    end = f"2026-01-05T08:{length_ms // 60_000:02d}:{length_ms % 60_000 / 1000:06.3f}Z"
    metadata = {"startTime": START, "endTime": end}
    return {"id": "i", "type": "voice", "state": "completed", "metadata": metadata} | other


def event(sequence: int | str, state: str | None = "completed", kind: str | None = "voice") -> Any:
    detail = {"interactionId": "i", "sequenceId": sequence, "state": state, "interactionType": kind}
    return {"detail": {name: value for name, value in detail.items() if value is not None}}


def run(
    *events: Any, api: dict[str, Any] | None = None, rules: Rules | None = None, known: bool = True
) -> ExpectedInteraction:
    truths = {"i": api or truth()} if known else {}
    return expected(events, truths, rules or Rules())["i"]


def decisions(result: ExpectedInteraction) -> list[tuple[str, str, str]]:
    return [(one.decision, one.reason, one.basis) for one in result.outcomes]


def test_a_call_from_queued_to_completed_costs_one_get_and_one_patch() -> None:
    result = run(event(1, "queued"), event(2, "connected"), event(3), event(4))
    assert decisions(result) == [NOT_YET, NOT_YET, PATCHED, HAS_CODE]
    assert (result.gets, result.patches) == (1, 1)


@pytest.mark.parametrize(
    ("api", "reason"),
    [
        (truth(type="callback"), "non-voice-interaction"),
        (truth(state="connected"), "interaction-not-completed"),
        (truth(dispositionCode={"id": "x"}), "disposition-already-set"),
        (truth(wrapUpCode={"id": "x"}), "wrap-up-already-set"),
        (truth(29_999), "duration-below-threshold"),
        (truth(29_999, wrapUpCode={"id": "x"}), "wrap-up-already-set"),
        (truth(type="chat", state="connected"), "non-voice-interaction"),
    ],
)
def test_what_the_api_says_in_the_order_of_the_rules(api: dict[str, Any], reason: str) -> None:
    result = run(event(1), api=api)
    assert decisions(result) == [("ineligible", reason, "api")]
    assert (result.gets, result.patches) == (1, 0)


def test_a_length_of_exactly_the_threshold_is_enough() -> None:
    assert decisions(run(event(1), api=truth(30_000))) == [PATCHED]
    codes: list[dict[str, Any]] = [{"dispositionCode": None}, {"dispositionCode": {"id": None}}]
    for none_set in codes:
        assert decisions(run(event(1), api=truth(**none_set))) == [PATCHED]


@pytest.mark.parametrize(
    ("api", "lasts"),
    [
        (truth(type="callback"), True),
        (truth(wrapUpCode={"id": "x"}), True),
        (truth(1_000), True),
        (truth(state="connected"), False),
    ],
)
def test_a_lasting_reason_is_answered_from_the_table_the_next_time(
    api: dict[str, Any], lasts: bool
) -> None:
    result = run(event(1), event(2), api=api)
    first, second = decisions(result)
    assert second == ((*first[:2], "cache") if lasts else first)
    assert result.gets == (1 if lasts else 2)


def test_an_interaction_unknown_to_the_api_is_asked_for_again() -> None:
    result = run(event(1), event(2), known=False)
    assert decisions(result) == [("not-found", "interaction-not-found", "api")] * 2
    assert (result.gets, result.patches) == (2, 0)


@pytest.mark.parametrize("again", [7, "7", "007"])
def test_a_sequence_seen_before_is_a_duplicate_whatever_it_looks_like(again: int | str) -> None:
    assert decisions(run(event(7, kind="chat"), event(again)))[1] == DUPLICATE


def test_a_stale_sequence_that_comes_again_is_a_duplicate() -> None:
    late = event(2, "hold")
    assert decisions(run(event(3, "hold"), late, late)) == [NOT_YET, STALE, DUPLICATE]


def test_a_late_completed_is_decided_like_any_other_while_nothing_is_settled() -> None:
    result = run(event(5, "after-call-work"), event(4), event(3))
    assert decisions(result) == [NOT_YET, PATCHED, STALE]
    assert (result.gets, result.patches) == (1, 1)


def test_stale_is_lower_than_the_highest_not_than_the_lowest() -> None:
    assert decisions(run(event(1, "hold"), event(5, "hold"), event(3, "hold")))[2] == STALE


def test_the_first_lasting_reason_stays() -> None:
    result = run(event(1), event(2, "hold", "chat"), event(3), api=truth(1_000))
    assert decisions(result) == [
        ("ineligible", "duration-below-threshold", "api"),
        ("ineligible", "non-voice-interaction", "event"),
        ("ineligible", "duration-below-threshold", "cache"),
    ]


def test_strings_have_no_order() -> None:
    result = run(event("b", "hold"), event("a", "hold"), event(9, "hold"), event("c"), event("a"))
    assert decisions(result) == [NOT_YET, NOT_YET, NOT_YET, PATCHED, DUPLICATE]


def test_other_channels_never_cost_a_request() -> None:
    result = run(event(1, "queued", "chat"), event(2, kind=None), event(3, kind="CHAT"))
    reason = "non-voice-interaction"
    assert decisions(result) == [
        ("ineligible", reason, basis) for basis in ("event", "cache", "event")
    ]
    assert result.gets == 0


def test_neither_a_late_event_nor_a_duplicate_moves_the_known_type() -> None:
    late = run(event(5, "hold"), event(4, "hold", "chat"), event(6, kind=None))
    assert decisions(late) == [NOT_YET, STALE, PATCHED]
    repeated = run(event(5, "hold"), event(5, "hold", "chat"), event(6, kind=None))
    assert decisions(repeated) == [NOT_YET, DUPLICATE, PATCHED]


def test_case_does_not_matter_and_a_missing_state_is_not_completed() -> None:
    assert decisions(run(event(1, "COMPLETED", "Voice"), api=truth(type="VOICE"))) == [PATCHED]
    assert decisions(run(event(1, None))) == [NOT_YET]


def test_a_dry_run_asks_and_does_not_patch() -> None:
    result = run(event(1), event(2), rules=Rules(dry_run=True))
    assert decisions(result) == [("would-patch", "eligible", "api"), HAS_CODE]
    assert (result.gets, result.patches) == (1, 0)


def test_always_asks_for_every_new_event_until_it_is_settled() -> None:
    open_yet = run(event(1, "queued"), event(2, "hold"), api=truth(state="hold"), rules=ALWAYS)
    assert decisions(open_yet) == [("ineligible", "interaction-not-completed", "api")] * 2
    assert open_yet.gets == 2
    settled = run(event(1, "queued", "chat"), event(2, "hold"), event(3), rules=ALWAYS)
    assert decisions(settled) == [PATCHED, NOT_YET, HAS_CODE]
    assert (settled.gets, settled.patches) == (1, 1)


@pytest.mark.parametrize(
    ("times", "length"),
    [
        ({"metadata": {"startTime": START, "endTime": "2026-01-05T08:00:30.001Z"}}, 30_001),
        ({"metadata": {"startTime": START}}, 0),
        ({"metadata": {"startTime": START, "endTime": "2026-01-05T07:59:59Z"}}, 0),
        ({"metadata": {"startTime": START, "endTime": "soon"}, "timeline": None}, 0),
        (
            {
                "metadata": {"startTime": START},
                "timeline": [
                    {"startTime": START, "endTime": "2026-01-05T08:00:10Z"},
                    {"startTime": "2026-01-05T08:00:10Z", "endTime": "2026-01-05T08:00:45Z"},
                    {"startTime": "2026-01-05T08:00:45Z"},
                ],
            },
            45_000,
        ),
        ({}, 0),
    ],
)
def test_duration(times: dict[str, Any], length: int) -> None:
    assert duration_ms(times) == length
