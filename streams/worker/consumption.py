"""How many requests a record takes, as those of late have taken them."""

from __future__ import annotations

from streams.worker.lanes.source_record import SourceRecord

# The ordinary number counts as so many records: with fewer measured, chance would move the figure.
ORDINARY_WEIGHT = 20

# Beyond so many events all counts are halved: an hour of a large contact centre, so the figure
# follows the day.
MOST_EVENTS = 20_000


class Consumption:
    """``ordinary``: requests of a record that is asked about, before any was measured.
    ``asks_events``: an event that takes a lane is asked about; else only a look that comes back."""

    def __init__(self, ordinary: float, *, asks_events: bool) -> None:
        self._ordinary = ordinary
        self._asks_events = asks_events
        self.quick = 0
        """Events that were decided where they were taken up. The dispatcher counts them."""
        self._laned = 0
        # Lanes' records that came to an end; those of them that were asked about; their requests.
        self._ended = self._asked = self._answered = 0

    def laned(self) -> None:
        """An event takes its lane."""
        self._laned += 1
        if self.quick + self._laned > MOST_EVENTS:
            self.quick //= 2
            self._laned //= 2
            self._ended //= 2
            self._asked //= 2
            self._answered //= 2

    def ended(self, record: SourceRecord) -> None:
        """The work on a record in its lane is over. One that was asked about in vain does not
        count: what it takes once the API is back is what others took before."""
        made = [call for context in record.asked for call in context.made]
        answered = sum(1 for call in made if call.status is not None and call.status < 400)
        if answered:
            self._asked += 1
            self._answered += answered
        if answered or not any(context.needed for context in record.asked):
            self._ended += 1

    @property
    def per_asked(self) -> float:
        """Requests of a record that is asked about."""
        return self._each(self._asked)

    @property
    def per_laned(self) -> float:
        """Requests of an event in a lane: some are settled by the one before them."""
        return self._each(self._ended) if self._asks_events else 0.0

    @property
    def per_event(self) -> float:
        """Requests that an event brings about, on the average of all."""
        events = self.quick + self._laned + ORDINARY_WEIGHT
        if not self._asks_events:
            return (self._answered + ORDINARY_WEIGHT * self._ordinary) / events
        return self.per_laned * (self._laned + ORDINARY_WEIGHT) / events

    def _each(self, records: int) -> float:
        measured = self._answered + ORDINARY_WEIGHT * self._ordinary
        return measured / (records + ORDINARY_WEIGHT)
