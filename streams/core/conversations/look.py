"""What an answer of the API means for a conversation's record. Plain functions on plain values."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec.structs import replace

from streams.core.conversations import legs
from streams.core.conversations.conversation import Conversation, Participant
from streams.core.conversations.legs import Leave, SetNow, Setting, WaitUntil
from streams.core.conversations.policy import LookPolicy, WrapUpPolicy, doubt_ms
from streams.core.conversations.record import (
    MOST_DECIDED,
    MOST_DECIDED_AT_ONCE,
    MOST_OPEN,
    ConversationRecord,
    Look,
    OpenLeg,
    Told,
)
from streams.core.conversations.under_way import given_up, patched
from streams.core.records import Basis, Decision, Fault, Leg, Reason, Verdict
from streams.core.windows import end_of, next_of

_GONE = Fault(
    "participant-gone",
    "the conversation is over, and the API shows this participant no more: look at this leg in "
    "Genesys Cloud, then redrive it",
)


@dataclass(slots=True)
class Findings:
    """What a look has found.

    ``verdicts``: legs that are decided. ``waiting``: legs under way. ``to_set``: legs whose code is
    to be sent now. ``lags``: the API does not show yet what events told, and there is time left.
    ``left_over``: legs that were not taken up for their number.
    """

    conversation: Conversation
    lags: bool
    verdicts: list[tuple[Leg, Verdict]] = field(default_factory=list)
    waiting: list[OpenLeg] = field(default_factory=list)
    to_set: list[OpenLeg] = field(default_factory=list)
    left_over: bool = False

    @property
    def taken_up(self) -> int:
        return len(self.verdicts) + len(self.to_set)


def assess(
    record: ConversationRecord, setting: Setting, visible_by: int, looks: LookPolicy
) -> Findings:
    """What an answer means for each leg. ``visible_by``: until then the API may lag."""
    conversation = setting.conversation
    unseen = any(not each.lagged and not shows(conversation, each) for each in record.told)
    gone = conversation.over and any(
        conversation.participant(each.leg.participant_id) is None for each in record.open
    )
    findings = Findings(conversation, lags=(unseen or gone) and setting.now_ms < visible_by)
    for known in record.open:
        participant = conversation.participant(known.leg.participant_id)
        if known.sent is not None:
            _after_sending(findings, known, participant, setting, looks)
        elif participant is None and conversation.over and not findings.lags:
            _gone(findings, known, setting)
        elif participant is None or not conversation.over:
            # It goes on, or was opened again: its next event plans the next look.
            findings.waiting.append(replace(known, next_at=0))
        else:
            _judge(findings, known, participant, told_of(record, participant), setting)
    if conversation.over:
        _take_up(findings, record, setting)
    return findings


def _gone(findings: Findings, known: OpenLeg, setting: Setting) -> None:
    if findings.taken_up >= MOST_DECIDED_AT_ONCE:
        findings.left_over = True
        findings.waiting.append(replace(known, next_at=setting.now_ms))
    else:
        findings.verdicts.append((known.leg, given_up(known, setting.policy, _GONE)))


def lag_ends(look: Look | None, policy: WrapUpPolicy, now_ms: int) -> int:
    """Until when the API may lag, for the planned look that is made now."""
    if look is None or not look.visible_by:
        return now_ms + policy.lag_window_ms
    return end_of(look.visible_by, look.at, now_ms)


def setting_of(
    record: ConversationRecord,
    conversation: Conversation,
    now_ms: int,
    lag_ends: int,
    policy: WrapUpPolicy,
) -> Setting:
    """What the legs' decisions depend on beside themselves."""
    return Setting(
        conversation,
        policy,
        now_ms,
        over_since=record.over_since or now_ms,
        lag_ends=lag_ends,
        campaign=record.campaign or legs.of_campaign(conversation),
    )


def shows(conversation: Conversation, told: Told) -> bool:
    """Whether the answer shows what events told of this participant."""
    participant = conversation.participant(told.participant_id)
    if participant is None:
        return False
    if told.acw_at is not None and not participant.shows_end_of_acw:
        return False
    if not told.ended:
        return True
    known = {each.id: each.live for each in participant.communications}
    if told.session_id in known:
        return not known[told.session_id]
    return participant.ended_at is not None or not any(known.values())


def still_told(record: ConversationRecord, findings: Findings) -> tuple[Told, ...]:
    """What is kept of what events told: the end of a session only while the answer lags behind it,
    all else until the leg is decided. A leg that was told of is not forgotten while the call goes
    on: events that name the codes of the others alone would have nobody look at it again."""
    kept = []
    for each in record.told:
        seen = shows(findings.conversation, each)
        if not seen and findings.lags:
            kept.append(each)
        elif each.leg is not None or each.acw_at is not None or each.code is not None:
            lagged = each.lagged or not seen
            kept.append(replace(each, ended=False, session_id=None, lagged=lagged))
    return tuple(kept)


def leg_of(participant: Participant) -> Leg:
    """The leg as an outcome shows it."""
    routed = participant.routed
    assert participant.id is not None, "only a participant with an id is a leg"
    return Leg(
        participant.id,
        participant.user_id,
        participant.queue_id,
        routed.id if routed else None,
        routed.medium if routed else None,
    )


def _take_up(findings: Findings, record: ConversationRecord, setting: Setting) -> None:
    """The legs that no look has met before."""
    under_way = {each.leg.participant_id for each in record.open}
    decided = set(record.decided)
    for participant in findings.conversation.legs:
        if participant.id in under_way or participant.id in decided:
            continue
        if len(record.decided) + len(under_way) >= MOST_DECIDED:
            return
        room = len(findings.waiting) + len(findings.to_set) < MOST_OPEN
        if not room or findings.taken_up >= MOST_DECIDED_AT_ONCE:
            findings.left_over = True
            return
        under_way.add(str(participant.id))
        new = OpenLeg(leg_of(participant))
        _judge(findings, new, participant, told_of(record, participant), setting)


def _judge(
    findings: Findings,
    known: OpenLeg,
    participant: Participant,
    told: legs.Told,
    setting: Setting,
) -> None:
    policy = setting.policy
    duration_ms = legs.duration_ms(participant, setting.conversation)
    known = replace(known, leg=leg_of(participant), duration_ms=duration_ms)
    judgement = legs.judge(participant, told, setting)
    if isinstance(judgement, WaitUntil):
        findings.waiting.append(replace(known, next_at=judgement.at))
    elif findings.taken_up >= MOST_DECIDED_AT_ONCE:
        findings.left_over = True
        findings.waiting.append(replace(known, next_at=setting.now_ms))
    elif isinstance(judgement, Leave):
        verdict = Verdict(
            Decision.INELIGIBLE,
            judgement.reason,
            judgement.basis,
            dry_run=policy.dry_run,
            duration_ms=duration_ms,
        )
        findings.verdicts.append((known.leg, verdict))
    elif isinstance(judgement, SetNow) and not policy.dry_run and policy.code is not None:
        findings.to_set.append(known)
    else:
        verdict = Verdict(
            Decision.WOULD_PATCH,
            Reason.ELIGIBLE,
            Basis.API,
            dry_run=True,
            disposition_code_id=policy.code,
            duration_ms=duration_ms,
        )
        findings.verdicts.append((known.leg, verdict))


def _after_sending(
    findings: Findings,
    known: OpenLeg,
    participant: Participant | None,
    setting: Setting,
    looks: LookPolicy,
) -> None:
    """A leg for which a code has left, or may have: look whether it is there."""
    sent, now_ms = known.sent, setting.now_ms
    assert sent is not None
    policy = setting.policy
    if findings.taken_up >= MOST_DECIDED_AT_ONCE:
        findings.left_over = True
        findings.waiting.append(known)
        return
    if participant is not None and _has(participant, sent.code):
        findings.verdicts.append((known.leg, patched(known, sent)))
        return
    since, window = sent.at, doubt_ms(policy, looks, sent.times)
    if sent.accepted_at is not None:
        since, window = sent.accepted_at, policy.verify_ms
    elif not known.next_at:
        # Nobody saw the request end: whoever sent it has died, or waited for its turn until then.
        # So it may have left a moment ago.
        since = now_ms
        known = replace(known, sent=replace(sent, at=now_ms))
    ends = since + window
    if now_ms < ends:
        at = next_of(looks.verify, since, window, now_ms)
        findings.waiting.append(replace(known, next_at=at))
    # An accepted code without a time to look again was left so by an older release.
    elif (later := end_of(ends, known.next_at or ends, now_ms)) > now_ms:
        findings.waiting.append(replace(known, next_at=later))
    elif sent.accepted_at is not None or sent.times > looks.deferrals:
        findings.verdicts.append((known.leg, given_up(known, policy)))
    elif not setting.conversation.over:
        findings.waiting.append(replace(known, next_at=0))
    elif participant is None:
        findings.verdicts.append((known.leg, given_up(known, policy)))
    else:
        _judge(findings, known, participant, legs.Told(acw_ended=True, lagged=True), setting)


def _has(participant: Participant, code: str) -> bool:
    return any(each.code == code and not each.provisional for each in participant.wrap_ups)


def told_of(record: ConversationRecord, participant: Participant) -> legs.Told:
    """What events told of a leg, as far as its decision depends on it."""
    told = record.told_of(str(participant.id))
    if told is not None:
        return legs.Told(told.acw_at is not None, told.code, told.lagged)
    return legs.Told()
