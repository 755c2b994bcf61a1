"""Anything in the topics, and anything from the API: what becomes of it? Needs Apache Kafka.

    python -m benchmarks.fuzz [--records 100000] [--good 20000] [--answers 20000] [--seed S]

Fuzzed records among the generator's events: any bytes or null as key, value, header names and
header values, any time, every codec, a share of them in ``retries``. Some are events whose API
calls are answered with anything, from a raw socket. The same seed writes the same. Exit 1 unless

* no worker ended, was restarted or is not ready in the end, and none has logged a traceback,
* every record has one final outcome, and a dead letter with its bytes where it failed,
* every good event is decided as the model says, and each eligible call has one PATCH,
* every outcome is valid by its schema, without control characters; all that is written is below
  a bound; and no outcome says that the program has a fault.
"""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from pathlib import Path

import click

from benchmarks.fuzzing.run import PREFIX, Amounts, Result, run
from benchmarks.throughput import broker
from streams.settings import Settings

SHOWN = 20


async def fuzz(amounts: Amounts) -> Result:
    with tempfile.TemporaryDirectory() as home, broker(True, Path(home)) as servers:
        named = f"{PREFIX}-{uuid.uuid4().hex[:8]}"
        settings = Settings.load(
            _env_file=None,
            kafka_bootstrap_servers=servers,
            topic_prefix=f"{named}.",
            app_id=named,
            log_level="warning",
        )
        return await run(settings, Path(home), amounts)


def show(result: Result) -> None:
    """Print the figures, and the first violations."""
    for name, value in result.figures:
        print(f"{name:28} {value}")
    print(f"{'answers other than right':28} {result.answers.total()}")
    for title, counted in (("answers", result.answers), ("records", result.kinds)):
        print(f"{title}, by kind")
        for kind, number in sorted(counted.items()):
            print(f"  {number:8d}  {kind}")
    print("final outcomes")
    for (role, decision, reason), number in sorted(result.decided.items()):
        print(f"  {number:8d}  {role:10} {decision:12} {reason}")
    print(f"{len(result.wrong)} violations")
    for line in result.wrong[:SHOWN]:
        print(f"  {line}")


@click.command()
@click.option("--records", default=100_000, show_default=True, type=click.IntRange(1))
@click.option("--good", default=20_000, show_default=True, type=click.IntRange(1))
@click.option("--answers", default=20_000, show_default=True, type=click.IntRange(0))
@click.option("--seed", default=29, show_default=True)
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 2))
@click.option("--seconds-limit", default=3_600.0, show_default=True, type=click.FloatRange(10))
def main(
    *, records: int, good: int, answers: int, seed: int, workers: int, seconds_limit: float
) -> None:
    if answers > records:
        raise click.BadParameter("are some of the records, so not more", param_hint="--answers")
    result = asyncio.run(fuzz(Amounts(records, good, answers, seed, workers, seconds_limit)))
    show(result)
    if result.wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
