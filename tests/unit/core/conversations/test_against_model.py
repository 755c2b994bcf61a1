"""Legs against the reference model: whatever comes late, twice or not at all, whatever breaks.

The stories keep to what Genesys Cloud does: an agent who is timed codes before the time is over.
Everything else is drawn: who talks, when each event arrives and how often, how late the API shows
it, where the worker crashes.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.conversations.events import ConversationEvent
from streams.core.conversations.policy import WrapUpPolicy
from tests.support.conversation_desk import Cloud, Desk, parsed
from tests.support.examples import times
from tests.support.wrap_up_model import (
    OURS,
    THEIRS,
    TIMEOUT,
    Rules,
    Story,
    StoryLeg,
    events,
    right,
    states,
)

SECOND = 1_000


@st.composite
def story_legs(draw: st.DrawFn) -> StoryLeg:
    begins = draw(st.integers(0, 300)) * SECOND
    lasts = draw(st.sampled_from([1, 29, 30, 31, 200])) * SECOND
    prompt, timeout_ms = draw(
        st.sampled_from(
            [
                ("timeout", 60_000),
                ("forcedTimeout", 30_000),
                ("agentRequested", 60_000),
                ("agentRequested", None),
                ("mandatory", None),
                ("optional", 60_000),
                (None, None),
            ]
        )
    )
    timed = prompt in ("timeout", "forcedTimeout", "agentRequested") and timeout_ms is not None
    longest = timeout_ms if timed and timeout_ms is not None else 899_000
    acw_ends = draw(st.none() | st.integers(1, longest // SECOND).map(lambda n: n * SECOND))
    code = None
    if acw_ends is not None:
        code = draw(st.sampled_from([THEIRS, THEIRS, TIMEOUT, TIMEOUT, None]))
    return StoryLeg(
        begins,
        begins + lasts,
        connected=draw(st.sampled_from([True, True, True, False])),
        required=draw(st.sampled_from([True, True, True, False])),
        medium=draw(st.sampled_from(["voice", "voice", "voice", "callback", "message"])),
        prompt=prompt,
        timeout_ms=timeout_ms,
        acw_ends=acw_ends,
        code=code,
        picks=code == THEIRS and draw(st.booleans()),
        tells_acw=draw(st.booleans()),
    )


@st.composite
def stories(draw: st.DrawFn) -> Story:
    legs = tuple(draw(st.lists(story_legs(), max_size=3)))
    ends = max([draw(st.integers(1, 400)) * SECOND, *(leg.ends for leg in legs)])
    return Story(
        legs,
        ends,
        lag_ms=draw(st.sampled_from([0, 900, 5_000, 40_000])),
        campaign=draw(st.sampled_from([False, False, True])),
        gives_end_time=draw(st.booleans()),
    )


rules = st.builds(
    Rules,
    media=st.sampled_from([frozenset({"voice"}), frozenset({"voice", "callback", "message"})]),
    last_only=st.sampled_from([False, False, True]),
    set_campaigns=st.booleans(),
)
delays = st.sampled_from([0, 0, 300, 2_500, 30_000, 1_000_000]) | st.integers(0, 200_000)
several_delays = st.lists(delays, min_size=1, max_size=4)
randoms = st.randoms(use_true_random=False)


def policy(wanted: Rules) -> WrapUpPolicy:
    return WrapUpPolicy(
        OURS,
        media=wanted.media,
        legs="last" if wanted.last_only else "all",
        campaigns="set" if wanted.set_campaigns else "leave",
        threshold_ms=wanted.threshold_ms,
    )


def arriving(story: Story, random: Random, slow: list[int]) -> list[tuple[int, ConversationEvent]]:
    """The story's events as they reach Kafka: late, in any order, and some of them again. A
    campaign's own event comes at the call's beginning."""
    found = []
    for at, raw in events(story):
        for again in range(random.choice([1, 1, 1, 2, 3])):
            outbound = raw["detail-type"].endswith("outbound")
            late = 0 if outbound and not again else slow[random.randrange(len(slow))]
            # EventBridge's second delivery has the same id, Genesys Cloud's a new one.
            new_id = {"id": f"again-{random.random()}"} if again and random.random() < 0.5 else {}
            (event,) = parsed([raw | new_id])
            found.append((at + late, random.random(), event))
    return [(at, event) for at, _, event in sorted(found, key=lambda each: each[:2])]


def assert_is_right(desk: Desk, story: Story, wanted: Rules) -> None:
    model = right(story, wanted)
    assert set(desk.on_records()) == set(range(len(desk.log)))
    assert desk.record().look is None
    assert not desk.record().open
    assert not desk.record().waiting
    told = desk.on_legs()
    if told or any(leg.medium in wanted.media for leg in story.legs):
        assert told.keys() == model.keys()
        assert all(reason in model[leg].reasons for leg, (_, reason) in told.items())
    applied = sorted(leg for _, leg, _ in desk.cloud.applied)
    assert applied == sorted(leg for leg, each in model.items() if each.patched)
    assert all(at >= model[leg].not_before for at, leg in desk.cloud.patches)


@settings(max_examples=times(2))
@given(
    stories(),
    rules,
    st.randoms(use_true_random=False),
    st.lists(delays, min_size=1, max_size=4),
    st.sampled_from([0, 0, 1, 1_500]),
)
def test_each_leg_has_its_code_once_and_in_time(
    story: Story, wanted: Rules, random: Random, slow: list[int], back: int
) -> None:
    """``back``: the most that the worker's clock is set back before a look."""
    log = arriving(story, random, slow)
    set_back = lambda: random.choice([0, back])  # noqa: E731
    desk = Desk(log, Cloud(states(story)), policy(wanted), set_back=set_back)
    desk.live(random)
    assert_is_right(desk, story, wanted)
    patched = sum(each.patched for each in right(story, wanted).values())
    assert len(desk.cloud.patches) == patched


@settings(max_examples=times(2))
@given(
    story=stories(),
    wanted=rules,
    random=randoms,
    slow=several_delays,
    crashes=st.lists(st.integers(1, 60), max_size=5),
    get_faults=st.integers(0, 4),
    patch_faults=st.lists(st.sampled_from(["none", "busy", "lost", "gone"]), max_size=4),
)
def test_crashes_and_lost_answers_change_nothing(
    *,
    story: Story,
    wanted: Rules,
    random: Random,
    slow: list[int],
    crashes: list[int],
    get_faults: int,
    patch_faults: list[str],
) -> None:
    cloud = Cloud(
        states(story),
        visible_ms=random.choice([0, 1_000, 20_000]),
        get_faults=get_faults,
        patch_faults=tuple(patch_faults),
    )
    desk = Desk(arriving(story, random, slow), cloud, policy(wanted))
    desk.live(random, crashes)
    assert_is_right(desk, story, wanted)


def test_a_crash_at_each_step_of_an_eligible_call_sets_its_code_once() -> None:
    leg = StoryLeg(0, 100_000, acw_ends=60_000, code=TIMEOUT)
    story = Story((leg, replace(leg, begins=2_000, connected=False)), 100_000, lag_ms=900)
    recovered = set()
    for steps in range(1, 80):
        random = Random(steps)
        desk = Desk(arriving(story, random, [0]), Cloud(states(story)), policy(Rules()))
        desk.live(random, [steps])
        assert_is_right(desk, story, Rules())
        recovered |= {each.recovered for key, each in desk.final().items() if key[0] == "leg"}
    assert recovered == {False, True}
