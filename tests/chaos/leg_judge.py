"""The verdict on conversations: each leg held against what is right for it, each record against
what an event like it may come to. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from streams.local.conversations.rights import LegKey, Rights, Said
from streams.local.simulator.conversation_store import Write
from tests.chaos.judge import Wrong, at, of_records
from tests.chaos.leg_ledger import LegEvent, LegLedger

PLANNED: Said = ("noted", "look-planned")
JOINED: Said = ("noted", "look-joined")
DUPLICATE: Said = ("duplicate", "duplicate-event")
NOT_NEEDED: Said = ("ineligible", "event-not-needed")
NOBODY: Said = ("ineligible", "no-agent-leg")

# WRAP_UP_MEDIA, as the storm leaves it.
MEDIUM = "voice"


def judge_legs(
    ledger: LegLedger,
    *,
    accepted: Counter[str],
    rights: Rights,
    writes: Sequence[Write],
    gets: Mapping[str, int],
) -> dict[Wrong, list[str]]:
    """As ``judge``, of conversations.

    ``rights``: at the times at which they were played. ``writes``: every code that the simulated
    org was sent. ``gets``: how often each conversation was asked for.
    """
    findings = of_records(ledger, accepted)
    findings[Wrong.NOT_MODELLED] += [*_records(ledger, rights), *_legs(ledger, rights)]
    findings[Wrong.DIFFERENT] += [
        f"{_shown(key)}: {sorted(f'{each.decision}/{each.reason}' for each in answers)}"
        for key, answers in ledger.differing_legs.items()
    ]
    findings[Wrong.OF_NOTHING] += _strays(ledger, rights)
    findings[Wrong.UNTOLD] += _untold(ledger, rights, writes, gets)
    taken = Counter(_leg_of(each) for each in writes if each.status < 300)
    for key in rights.due:
        if not taken[key]:
            findings[Wrong.UNPATCHED].append(_shown(key))
        elif taken[key] > 1:
            findings[Wrong.DOUBLED].append(f"{_shown(key)}: {taken[key]} PATCHes")
    findings[Wrong.NOT_ELIGIBLE] += [
        f"{_shown(key)}: {number} PATCHes"
        for key, number in Counter(map(_leg_of, writes)).items()
        if key not in rights or key in rights.left
    ]
    findings[Wrong.EARLY] += [
        f"{_shown(key)}: {rights.due[key] - each.at_ms} ms before"
        for each in writes
        if (key := _leg_of(each)) in rights.due and each.at_ms < rights.due[key]
    ]
    return findings


def _records(ledger: LegLedger, rights: Rights) -> Iterator[str]:
    """Records that came to what no event like them does."""
    seen: set[tuple[object, ...]] = set()
    wanted: set[str] = set()
    with_agents = {conversation_id for conversation_id, _ in rights}
    for place in sorted(ledger.events):
        event = ledger.events[place]
        again = any(each in seen for each in event.identities)
        seen.update(event.identities)
        if not again and _wants(event):
            wanted.add(event.conversation_id)
        allowed = {NOT_NEEDED}
        if again:
            allowed = {DUPLICATE}
        elif event.name != "outbound" and event.conversation_id in wanted:
            allowed |= {PLANNED, JOINED}
            allowed |= set() if event.conversation_id in with_agents else {NOBODY}
        got = ledger.published.get(place)
        if got is not None and (got.decision, got.reason) not in allowed:
            yield (
                f"{at(place)} {event.name} of {event.conversation_id}: "
                f"{got.decision}/{got.reason}, not {_any_of(allowed)}"
            )


def _wants(event: LegEvent) -> bool:
    return event.name != "outbound" and event.medium == MEDIUM


def _legs(ledger: LegLedger, rights: Rights) -> Iterator[str]:
    for key, got in ledger.legs.items():
        if key in rights and (got.decision, got.reason) not in (allowed := rights.allowed(key)):
            yield f"{_shown(key)}: {got.decision}/{got.reason}, not {_any_of(allowed)}"


def _strays(ledger: LegLedger, rights: Rights) -> Iterator[str]:
    """Outcomes of legs that there are not, or that name no record of their conversation."""
    for key, place in ledger.decided_by.items():
        event = ledger.events.get(place)
        if key not in rights:
            yield f"{_shown(key)}: no such leg"
        elif event is None or event.conversation_id != key[0]:
            yield f"{_shown(key)}: decided by {at(place)}, which is none of its events"


def _untold(
    ledger: LegLedger, rights: Rights, writes: Sequence[Write], gets: Mapping[str, int]
) -> list[str]:
    looked_at = {each for each, number in gets.items() if number}
    coded = {each.conversation_id for each in writes}
    return [
        _shown(key)
        for key in rights
        if key not in ledger.legs and rights.must_be_told(key, looked_at, coded)
    ]


def _leg_of(write: Write) -> LegKey:
    return write.conversation_id, write.participant_id


def _any_of(allowed: set[Said]) -> str:
    return " or ".join(sorted("/".join(each) for each in allowed))


def _shown(key: LegKey) -> str:
    conversation_id, participant_id = key
    return f"{participant_id} of {conversation_id}"
