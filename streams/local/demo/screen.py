"""Where the demo shows itself: a terminal with a live view, or a log that gets a few lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live

from streams.clock import Clock
from streams.local.demo import leg_view, view
from streams.local.demo.account import Account
from streams.local.demo.ledger import Book, Percentiles, Readings
from streams.local.demo.leg_account import LegAccount

# Often enough for a person to see it move.
DRAW_SECONDS = 0.25

# The time between two lines where nothing can be drawn.
PRINT_SECONDS = 5.0

# The rate is taken over this time: long enough to be steady, short enough to be recent.
RATE_SECONDS = 3.0


class Screen:
    """Shows one demo. ``console`` decides whether it is a terminal."""

    def __init__(self, console: Console, title: str, clock: Clock) -> None:
        self._console = console
        self._title = title
        self._clock = clock

    def say(self, text: str) -> None:
        """Print one or more plain lines."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Show a sign of life for as long as the block takes."""
        if not self._console.is_terminal:
            self.say(f"{self._title}: {what}")
            yield
            return
        self._console.print(self._title, style="bold", highlight=False)
        with self._console.status(what):
            yield

    async def follow(self, ledger: Book, readings: Readings, planned: int) -> None:
        """Show the progress until cancelled. ``planned``: how many events will be sent."""
        film = Film(ledger, readings, planned, self._clock)
        if not self._console.is_terminal:
            while True:
                await self._clock.sleep(PRINT_SECONDS)
                self.say(view.line(film.take()))
        with Live(console=self._console, auto_refresh=False, transient=True) as screen:
            while True:
                screen.update(view.live(film.take()), refresh=True)
                await self._clock.sleep(DRAW_SECONDS)

    def conclude(self, account: Account | LegAccount, readings: Readings) -> None:
        """The summary and, as the last line, the verdict."""
        if isinstance(account, LegAccount):
            summary, verdict = leg_view.summary(account, readings.api), leg_view.verdict(account)
        else:
            summary, verdict = view.summary(account, readings.api), view.verdict(account)
        self._console.print(summary, highlight=False)
        self._console.print(verdict, soft_wrap=True)


class Film:
    """Takes snapshots of the demo as it goes."""

    def __init__(self, ledger: Book, readings: Readings, planned: int, clock: Clock) -> None:
        self._ledger = ledger
        self._readings = readings
        self._planned = planned
        self._clock = clock
        self._began = clock.monotonic()
        # Pairs of a time and the number of events decided by then; the oldest is RATE_SECONDS ago.
        self._frames = deque([(self._began, 0)])

    def take(self) -> view.Snapshot:
        ledger, readings = self._ledger, self._readings
        now, decided = self._clock.monotonic(), len(ledger.final)
        self._frames.append((now, decided))
        while len(self._frames) > 2 and self._frames[1][0] <= now - RATE_SECONDS:
            self._frames.popleft()
        since, before = self._frames[0]
        return view.Snapshot(
            planned=self._planned,
            sent=len(ledger.sent),
            decided=decided,
            answers=ledger.answers,
            api=readings.api,
            in_flight=readings.in_flight,
            latency=Percentiles.of(ledger.latencies_ms()),
            rate=(decided - before) / (now - since) if now > since else 0.0,
            elapsed=now - self._began,
        )
