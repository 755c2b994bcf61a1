"""A conversation's look: planned, joined, moved, put off, given up; and a code that was sent."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from streams.core.conversations.policy import LOOKS, LookPolicy, WrapUpPolicy
from streams.core.conversations.record import MOST_DECIDED_AT_ONCE
from streams.core.records import Verdict
from streams.errors import ApiError, BadRequest, Forbidden, NotFound, ServerError, WrapUpClosed
from tests.support.conversation_desk import RETRY_MS, Cloud, Desk, Json, parsed
from tests.support.wrap_up_model import (
    OURS,
    START,
    THEIRS,
    TIMEOUT,
    Story,
    StoryLeg,
    events,
    states,
)

POLICY = WrapUpPolicy(OURS)
# The first look comes while the agent is at work after the call: more looks to see.
AT_ONCE = LookPolicy(acw_ms=0)
LEG = StoryLeg(0, 100_000, acw_ends=60_000, code=TIMEOUT)
STORY = Story((LEG,), 100_000, lag_ms=900)


class Broken(Cloud):
    """GETs fail with this error from a time on."""

    def __init__(self, error: ApiError, since: int = 0, story: Story = STORY, **more: Any) -> None:
        super().__init__(states(story), **more)
        self.error, self.since = error, START + since

    def get(self, now: int) -> Any:
        if now >= self.since:
            self.gets.append(now)
            raise self.error
        return super().get(now)


def desk(
    story: Story = STORY,
    cloud: Cloud | None = None,
    looks: LookPolicy = AT_ONCE,
    **policy: Any,
) -> Desk:
    """With each of the story's events as it happens."""
    log = [(at, event) for at, raw in events(story) for event in parsed([raw])]
    ready = Desk(log, cloud or Cloud(states(story)), replace(POLICY, **policy), looks)
    ready.live()
    return ready


def on_leg(done: Desk) -> Verdict:
    (verdict,) = [each for key, each in done.final().items() if key[0] == "leg"]
    return verdict


def deferrals(done: Desk, kind: str) -> list[tuple[str, int]]:
    return [
        (verdicts[0].reason.value, verdicts[0].put_off.attempt)
        for key, verdicts in done.published.items()
        if key[0] == kind and verdicts[0].put_off is not None
    ]


def seconds(times: list[int]) -> list[int]:
    """Whole seconds of the story."""
    return [(time - START) // 1000 for time in times]


class TestWhen:
    def test_one_look_serves_the_events_of_a_calls_end(self) -> None:
        done = desk()
        assert list(done.on_records().values()) == [
            ("noted", "look-planned"),
            ("noted", "look-joined"),
            ("noted", "look-joined"),
        ]
        assert seconds(done.cloud.gets) == [102, 162, 164]

    def test_an_agent_who_is_left_alone_costs_no_look(self) -> None:
        quiet = replace(STORY, legs=(replace(LEG, acw_ends=None),))
        assert seconds(desk(quiet).cloud.gets) == [102, 170, 172]

    def test_a_look_that_is_moved_forward_is_not_made_again(self) -> None:
        patient = replace(LEG, prompt="mandatory", timeout_ms=None)
        done = desk(replace(STORY, legs=(patient,)))
        assert seconds(done.cloud.gets) == [102, 162, 164]
        assert [each.not_before - START for each in done.retries][1] == 1_000_000

    def test_an_api_that_lags_is_looked_at_again(self) -> None:
        late = desk(replace(STORY, lag_ms=11_000))
        assert seconds(late.cloud.gets)[:3] == [102, 112, 162]
        assert deferrals(late, "record") == [("not-yet-visible", 1)]
        assert on_leg(late).reason == "eligible"

    def test_without_a_lag_window_the_first_look_decides(self) -> None:
        story = Story((), 100_000, lag_ms=5_000)
        done = desk(story, lag_window_ms=0)
        assert seconds(done.cloud.gets) == [102]
        assert set(done.on_records().values()) == {("noted", "look-planned")}

    def test_an_event_that_tells_nothing_new_costs_no_look(self) -> None:
        story = Story((replace(LEG, connected=False),), 100_000)
        done = desk(story)
        looked = len(done.cloud.gets)
        late = [later(raw, -1) | {"id": f"late-{at}"} for at, raw in events(story)]
        late[0] |= {"id": "late"}
        again = [(START + 900_000, event) for event in parsed(late)]
        more = Desk([*done.log, *again], Cloud(states(story)), POLICY)
        more.live()
        assert len(more.cloud.gets) == looked
        assert list(more.on_records().values())[2:] == [("ineligible", "event-not-needed")] * 2


def later(raw: Json, by_ms: int) -> Json:
    """The event at another time: it is another one."""
    body = raw["detail"]["eventBody"]
    return raw | {"detail": {"eventBody": body | {"eventTime": body["eventTime"] + by_ms}}}


class TestWhatItCosts:
    """By default, the first look comes once the after-call work should be over."""

    def test_an_agent_whose_time_is_over_costs_two_looks_and_a_code(self) -> None:
        done = desk(looks=LOOKS)
        assert seconds(done.cloud.gets) == [162, 164]
        assert len(done.cloud.patches) == 1

    def test_an_agent_who_is_left_alone_costs_no_look_more(self) -> None:
        quiet = replace(STORY, legs=(replace(LEG, acw_ends=None),))
        assert seconds(desk(quiet, looks=LOOKS).cloud.gets) == [250, 252]

    def test_nobody_is_waited_for_longer_than_the_patience(self) -> None:
        quiet = replace(STORY, legs=(replace(LEG, acw_ends=None, timeout_ms=1_000),))
        done = desk(quiet, looks=LOOKS, patience_ms=30_000)
        assert seconds(done.cloud.gets) == [130, 132]

    def test_a_code_that_an_event_names_costs_nothing(self) -> None:
        coded = replace(STORY, legs=(replace(LEG, code=THEIRS),))
        done = desk(coded, looks=LOOKS)
        assert (done.cloud.gets, done.cloud.patches) == ([], [])
        assert on_leg(done).basis == "event"
        assert done.on_legs() == {"agent-0": ("ineligible", "wrap-up-already-set")}
        assert list(done.on_records().values()) == [
            ("noted", "look-planned"),
            ("noted", "look-joined"),
            ("noted", "look-joined"),
        ]

    def test_nor_with_agents_who_were_only_alerted_before(self) -> None:
        alerted = replace(LEG, connected=False, ends=20_000, acw_ends=None)
        story = replace(STORY, legs=(alerted, replace(LEG, code=THEIRS)))
        done = desk(story, looks=LookPolicy(first_ms=90_000))
        assert done.cloud.gets == []
        assert done.on_legs() == {
            "agent-0": ("ineligible", "not-connected"),
            "agent-1": ("ineligible", "wrap-up-already-set"),
        }

    def test_agents_who_were_only_alerted_cost_no_look_of_their_own(self) -> None:
        alerts = [
            replace(LEG, connected=False, begins=at, ends=at + 15_000, acw_ends=None)
            for at in (0, 20_000, 40_000)
        ]
        talked = replace(LEG, begins=60_000, ends=120_000)
        done = desk(Story((*alerts, talked), 120_000, lag_ms=900), looks=LOOKS)
        assert seconds(done.cloud.gets) == [182, 184]
        assert list(done.on_legs().values()).count(("ineligible", "not-connected")) == 3

    def test_an_agent_who_was_only_alerted_plans_no_look_while_the_call_goes_on(self) -> None:
        alerted = replace(LEG, connected=False, ends=20_000, acw_ends=None)
        talked = replace(LEG, begins=30_000, ends=300_000)
        done = desk(Story((alerted, talked), 300_000, lag_ms=900), looks=LOOKS)
        assert seconds(done.cloud.gets) == [362, 364]
        assert done.on_records()[0] == ("ineligible", "event-not-needed")
        assert done.on_legs() == {
            "agent-0": ("ineligible", "not-connected"),
            "agent-1": ("patched", "eligible"),
        }

    def test_one_whose_event_comes_last_is_looked_at_all_the_same(self) -> None:
        alerted = replace(LEG, connected=False, ends=20_000, acw_ends=None)
        story = Story((alerted, replace(LEG, begins=30_000, code=THEIRS)), 100_000)
        (first, *others) = [(at, raw) for at, raw in events(story)]
        late = [*others, (START + 500_000, first[1])]
        log = [(at, event) for at, raw in late for event in parsed([raw])]
        done = Desk(log, Cloud(states(story)), POLICY)
        done.live()
        assert seconds(done.cloud.gets) == [502]
        assert done.on_legs() == {
            "agent-0": ("ineligible", "not-connected"),
            "agent-1": ("ineligible", "wrap-up-already-set"),
        }

    @pytest.mark.parametrize(
        ("first", "verdict"),
        [
            (replace(LEG, ends=40_000, code=TIMEOUT), ("patched", "eligible")),
            (replace(LEG, ends=40_000, prompt="mandatory", acw_ends=None), ("patched", "eligible")),
        ],
        ids=["timed out", "still at work"],
    )
    def test_a_leg_that_a_look_met_while_the_call_went_on_is_not_forgotten(
        self, first: StoryLeg, verdict: tuple[str, str]
    ) -> None:
        """The codes of all other legs are named by events."""
        coded = replace(LEG, begins=40_000, ends=500_000, code=THEIRS)
        done = desk(Story((first, coded), 500_000), looks=LOOKS)
        assert done.cloud.gets[0] < START + 500_000
        assert done.on_legs() == {
            "agent-0": verdict,
            "agent-1": ("ineligible", "wrap-up-already-set"),
        }

    def test_a_caller_who_gives_up_meanwhile_is_looked_at_at_once(self) -> None:
        alerted = replace(LEG, connected=False, ends=20_000, acw_ends=None)
        done = desk(Story((alerted,), 60_000), looks=LOOKS)
        assert seconds(done.cloud.gets) == [62]
        assert done.on_legs() == {"agent-0": ("ineligible", "not-connected")}

    @pytest.mark.parametrize(
        "other",
        [
            replace(LEG, acw_ends=None),
            replace(LEG, code=TIMEOUT),
            replace(LEG, ends=99_000, begins=98_000, code=THEIRS),
            replace(LEG, medium="message", code=THEIRS),
        ],
        ids=["at work", "timed out", "too short", "another medium"],
    )
    def test_another_leg_that_only_a_look_decides_has_its_look(self, other: StoryLeg) -> None:
        story = replace(STORY, legs=(other, replace(LEG, code=THEIRS)))
        done = desk(story, looks=LOOKS)
        assert done.cloud.gets
        assert done.on_legs().keys() == {"agent-0", "agent-1"}

    def test_a_code_of_ours_that_is_under_way_is_looked_for_all_the_same(self) -> None:
        """The agent codes after all, right behind our own code."""
        late = replace(LEG, acw_ends=75_000, code=THEIRS)
        done = desk(replace(STORY, legs=(late,)), looks=AT_ONCE)
        assert len(done.cloud.patches) == 1
        assert on_leg(done).basis == "api"


class TestNotFound:
    def test_after_the_lag_window(self) -> None:
        done = desk(Story((), 100_000), Broken(NotFound("unknown", status=404)))
        assert seconds(done.cloud.gets) == [102, 112, 132, 162]
        assert done.on_records() == {0: ("not-found", "interaction-not-found")}
        assert [reason for reason, _ in deferrals(done, "record")] == ["not-yet-visible"] * 3

    def test_a_conversation_that_shows_in_time_is_found(self) -> None:
        story = replace(STORY, lag_ms=30_000)
        lagging = Cloud([(at, body) for at, body in states(story) if at > START + 100_000])
        assert on_leg(desk(story, lagging)).reason == "eligible"

    def test_legs_that_were_under_way_fail(self) -> None:
        done = desk(cloud=Broken(NotFound("unknown", status=404), since=150_000))
        assert done.on_legs() == {"agent-0": ("failed", "retries-exhausted")}


class TestAccepted:
    def test_and_never_seen_is_unconfirmed(self) -> None:
        done = desk(cloud=Cloud(states(STORY), visible_ms=10**9))
        verdict = on_leg(done)
        assert (verdict.decision, verdict.reason) == ("unconfirmed", "not-visible")
        assert (verdict.patch_status, verdict.disposition_code_id) == (202, OURS)
        assert seconds(done.cloud.gets) == [102, 162, 164, 172, 192, 222]
        assert len(done.cloud.patches) == 1

    def test_is_believed_when_nobody_is_to_verify_it(self) -> None:
        done = desk(cloud=Cloud(states(STORY), visible_ms=10**9), verify_ms=0)
        assert on_leg(done).decision == "patched"
        assert seconds(done.cloud.gets) == [102, 162]

    def test_stays_so_when_the_api_fails_afterwards(self) -> None:
        cloud = Broken(Forbidden("no", status=403), since=163_000)
        assert on_leg(desk(cloud=cloud)).decision == "unconfirmed"


class TestNotAccepted:
    @pytest.mark.parametrize(
        ("error", "decision", "reason"),
        [
            (WrapUpClosed("no", status=400), "refused", "wrap-up-closed"),
            (BadRequest("no", status=400, code="not.a.user"), "failed", "bad-request"),
            (Forbidden("no", status=403), "failed", "forbidden"),
            (NotFound("no", status=404), "failed", "bad-request"),
        ],
    )
    def test_ends_the_leg(self, error: ApiError, decision: str, reason: str) -> None:
        done = desk(cloud=Cloud(states(STORY), patch_faults=(error,)))
        verdict = on_leg(done)
        assert (verdict.decision, verdict.reason) == (decision, reason)
        assert (verdict.patch_status, len(done.cloud.patches)) == (error.status, 1)
        assert verdict.error is not None

    def test_is_put_off_while_it_passes(self) -> None:
        done = desk(cloud=Cloud(states(STORY), patch_faults=("busy", "busy")))
        assert on_leg(done).decision == "patched"
        assert deferrals(done, "leg") == [("rate-limited", 1), ("rate-limited", 2)]
        assert len(done.cloud.applied) == 1

    def test_at_last_fails(self) -> None:
        done = desk(cloud=Cloud(states(STORY), patch_faults=("busy",) * 20))
        assert done.on_legs() == {"agent-0": ("failed", "retries-exhausted")}
        assert len(done.cloud.patches) == 11


class TestInDoubt:
    def test_a_code_that_is_found_is_ours(self) -> None:
        done = desk(cloud=Cloud(states(STORY), visible_ms=8_000, patch_faults=("lost",)))
        verdict = on_leg(done)
        assert (verdict.decision, verdict.recovered) == ("patched", True)
        assert verdict.patch_status is None
        assert len(done.cloud.patches) == 1

    def test_a_code_that_is_not_there_is_sent_again(self) -> None:
        done = desk(cloud=Cloud(states(STORY), patch_faults=("gone",)))
        assert (on_leg(done).decision, on_leg(done).recovered) == ("patched", False)
        first, second = (time for time, _ in done.cloud.patches)
        assert second - first >= POLICY.verify_ms

    def test_not_for_ever(self) -> None:
        done = desk(cloud=Cloud(states(STORY), patch_faults=("gone",) * 20))
        assert done.on_legs() == {"agent-0": ("failed", "retries-exhausted")}
        assert len(done.cloud.patches) == 11

    def test_outlives_hours_in_which_only_codes_are_lost(self) -> None:
        done = desk(cloud=Cloud(states(STORY), patch_faults=("gone",) * 9))
        assert on_leg(done).decision == "patched"
        sent = pairwise(seconds([at for at, _ in done.cloud.patches]))
        waits = [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
        assert [later - earlier for earlier, later in sent] == waits

    def test_waits_before_it_is_sent_again_where_nobody_is_to_verify_it(self) -> None:
        done = desk(cloud=Cloud(states(STORY), patch_faults=("gone",)), verify_ms=0)
        first, second = seconds([at for at, _ in done.cloud.patches])
        assert second - first == 10

    def test_another_code_that_came_meanwhile_is_left(self) -> None:
        coded = states(replace(STORY, legs=(replace(LEG, code=THEIRS),)))[-1][1]
        cloud = Cloud([*states(STORY), (START + 163_000, coded)], patch_faults=("gone",))
        assert on_leg(desk(cloud=cloud)).reason == "wrap-up-already-set"
        assert len(cloud.patches) == 1


class TestTheApiFails:
    def test_for_a_while(self) -> None:
        done = desk(cloud=Cloud(states(STORY), get_faults=3))
        assert deferrals(done, "record") == [("rate-limited", n) for n in (1, 2, 3)]
        assert seconds(done.cloud.gets)[1] - seconds(done.cloud.gets)[0] == RETRY_MS // 1000
        assert on_leg(done).decision == "patched"

    def test_for_good(self) -> None:
        done = desk(cloud=Broken(ServerError("down", status=503)))
        assert ("failed", "retries-exhausted") in done.on_records().values()
        assert len(done.cloud.gets) == 11

    def test_once_only_legs_wait(self) -> None:
        done = desk(cloud=Broken(ServerError("down", status=503), since=103_000))
        assert done.on_legs() == {"agent-0": ("failed", "retries-exhausted")}
        assert deferrals(done, "leg") == [("server-error", n) for n in range(1, 11)]

    def test_with_an_answer_that_nothing_mends(self) -> None:
        done = desk(cloud=Broken(Forbidden("no", status=403)))
        assert done.on_records()[0] == ("failed", "forbidden")
        done = desk(cloud=Broken(Forbidden("no", status=403), since=103_000))
        assert done.on_legs() == {"agent-0": ("failed", "forbidden")}


def test_many_alerted_agents_are_decided_in_several_looks() -> None:
    number = 3 * MOST_DECIDED_AT_ONCE
    alerted = replace(LEG, connected=False, tells_end=False, acw_ends=None)
    done = desk(Story((LEG, *(alerted,) * number), 100_000))
    told = list(done.on_legs().values())
    assert told.count(("ineligible", "not-connected")) == number
    assert told.count(("patched", "eligible")) == 1


def test_a_planned_look_whose_record_is_lost_is_planned_again() -> None:
    """An operator may have had a copy in ``retries`` skipped."""
    story = replace(STORY, legs=(replace(LEG, tells_acw=False),))
    log = [(at, event) for at, raw in events(story) for event in parsed([raw])]
    late = later(events(story)[0][1], 800_000) | {"id": "late"}
    (event,) = parsed([late])
    lost = Desk([*log, (START + 900_000, event)], Cloud(states(story)), POLICY)
    lost.lose_copies_of(len(log))
    assert on_leg(lost).decision == "patched"
    assert seconds(lost.cloud.gets)[0] == 902
