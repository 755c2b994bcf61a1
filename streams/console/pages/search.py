"""Search: by id, decision, reason, HTTP status and time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from streams.console.desk import Desk
from streams.console.index.interaction import found_in
from streams.console.index.keys import LIST, Place
from streams.console.index.search import Query, find, interactions_like
from streams.console.pages.tones import of_decision, of_state
from streams.core.foreign_text import foreign_text
from streams.core.records import Decision, Reason
from streams.operator.explain.conclusion import conclude
from streams.operator.explain.records import outcome_record
from streams.operator.explain.state import Conclusion
from streams.operator.explain.verdicts import sentence
from streams.timestamps import epoch_ms
from streams.wire.outcomes import Outcome

PER_PAGE = 50

# Interactions that one text may mean; each is concluded on the page.
MOST_LIKE = 20

# What was typed is shown again.
TYPED_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Row:
    """An outcome in a list. ``at``: when it was decided, epoch milliseconds."""

    outcome: Outcome
    at: int
    what: str
    tone: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed and chosen, and what of it can not be read."""

    text: str
    query: Query
    start: bytes | None
    wrong: Mapping[str, str] = field(default_factory=dict)

    @property
    def by_text_alone(self) -> bool:
        return bool(self.text) and self.query == Query()


def asked(given: Mapping[str, str]) -> Asked:
    """Never raises: what can not be read is said beside its field."""
    wrong: dict[str, str] = {}
    values = {name: foreign_text(text, TYPED_LENGTH) for name, text in given.items()}

    def time(name: str) -> int | None:
        at = epoch_ms(values.get(name) or None)
        if values.get(name) and (at is None or at < 0):
            wrong[name] = "write a time such as 2026-01-05T08:00 (UTC)"
            return None
        return at

    status = values.get("status", "")
    if status and not (status.isascii() and status.isdigit() and len(status) == 3):
        wrong["status"] = "write an HTTP status such as 403"
        status = ""
    query = Query(
        decision=_known("decision", Decision, values, wrong),
        reason=_known("reason", Reason, values, wrong),
        status=int(status) if status else None,
        since=time("since"),
        until=time("until"),
    )
    return Asked(values.get("q", ""), query, _start(given.get("from", "")), wrong)


def search(desk: Desk, request: Asked, given: Mapping[str, str]) -> dict[str, object]:
    """Raises IndexDamaged, ConsoleError."""
    likes: list[tuple[str, Conclusion]] = []
    if request.text:
        for each in interactions_like(desk.index, request.text, MOST_LIKE):
            found = found_in(desk.index, each, desk.partitions)
            likes.append((each, conclude(found, desk.threshold_ms)))
    hits = find(desk.index, request.query, PER_PAGE, request.start)
    more = None
    if hits.more is not None:
        kept = {name: text for name, text in given.items() if text and name not in ("from", "q")}
        more = "?" + urlencode({**kept, "from": hits.more[1:].hex()})
    return {
        "asked": request,
        "likes": likes,
        "of_state": of_state,
        "typed": {name: foreign_text(text, TYPED_LENGTH) for name, text in given.items()},
        "rows": [] if request.text else list(_rows(desk, hits.places)),
        "more": more,
        "reached": hits.reached,
        "decisions": [each.value for each in Decision],
        "reasons": sorted(each.value for each in Reason),
    }


def _rows(desk: Desk, places: Sequence[Place]) -> Iterator[Row]:
    for place in places:
        record = desk.index.record(place)
        outcome = None if record is None else outcome_record(record).outcome
        if isinstance(outcome, Outcome):
            yield Row(
                outcome,
                epoch_ms(outcome.decided_at) or 0,
                sentence(outcome, None, desk.threshold_ms),
                of_decision(outcome.decision),
            )


def _known(
    name: str,
    kind: type[Decision] | type[Reason],
    values: Mapping[str, str],
    wrong: dict[str, str],
) -> str | None:
    text = values.get(name, "")
    if text and text not in {each.value for each in kind}:
        wrong[name] = "choose one of the list"
        return None
    return text or None


def _start(text: str) -> bytes | None:
    """The key that a page goes on from, as the page before has written it into its link."""
    try:
        return LIST + bytes.fromhex(text) if text else None
    except ValueError:
        return None
