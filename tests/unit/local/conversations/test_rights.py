"""What is right for legs: which must have what, and what may be said of each."""

from __future__ import annotations

from streams.local.conversations.population import conversations
from streams.local.conversations.rights import PATCHED, REFUSED, Rights
from streams.timestamps import epoch_ms

SCENARIOS = list(conversations(3, 120))
RIGHTS = Rights.of(SCENARIOS)


def test_every_leg_is_in_one_of_the_three() -> None:
    assert RIGHTS.due
    assert RIGHTS.refused
    assert RIGHTS.left
    assert len(set(RIGHTS)) == len(RIGHTS) == sum(1 for _ in RIGHTS)
    assert all(key in RIGHTS for key in RIGHTS)
    assert ("nobody", "nowhere") not in RIGHTS


def test_it_is_what_the_scenarios_say() -> None:
    for scenario in SCENARIOS:
        of, said = scenario.conversation_id, scenario.expected
        for leg in said.set:
            assert RIGHTS.due[of, leg.participant_id] == epoch_ms(leg.not_before)
            assert RIGHTS.allowed((of, leg.participant_id)) == {PATCHED}
        for left in said.refused:
            assert RIGHTS.allowed((of, left.participant_id)) == {REFUSED}
        for left in said.leave:
            reasons = {left.why, "campaign"} if of in RIGHTS.campaigns else {left.why}
            allowed = RIGHTS.allowed((of, left.participant_id))
            assert allowed == {("ineligible", why) for why in reasons}
    dialled = {each.conversation_id for each in SCENARIOS if each.id.endswith("-campaign")}
    assert RIGHTS.campaigns == dialled != set()


def test_a_leg_that_is_left_is_told_where_somebody_looked_and_it_was_connected() -> None:
    rights = Rights(due={("c", "due"): 1}, refused={("c", "closed")})
    rights.left[("c", "left")] = "wrap-up-already-set"
    rights.left[("c", "rang")] = "not-connected"
    told = {
        key[1]: [
            rights.must_be_told(key, looked_at, coded)
            for looked_at, coded in (((), ()), ({"c"}, ()), ({"c"}, {"c"}))
        ]
        for key in rights
    }
    assert told == {
        "due": [True, True, True],
        "closed": [True, True, True],
        "left": [False, True, True],
        "rang": [False, False, True],
    }
