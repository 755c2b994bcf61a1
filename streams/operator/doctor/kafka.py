"""Whether Kafka is there, has the topics as declared, and lets us do what the programs need.

All calls block: they are for a thread.
"""

from __future__ import annotations

from collections.abc import Callable

from streams.errors import KafkaError, NotAuthorized, TopicsError
from streams.kafka.codecs import is_readable
from streams.kafka.declaration import Difference
from streams.kafka.settings import KafkaSettings
from streams.kafka.topics import ANY_CODEC, APPLY_HINT, COMPRESSION, State, check_rights, look
from streams.operator.doctor.check import Check, failed, ok, warning

Look = Callable[[KafkaSettings], State]
CheckRights = Callable[[KafkaSettings, str], None]

# Fewer replicas lose records with one broker's disk.
_ENOUGH_BROKERS = 3

_PROGRAMS = ("bridge", "worker")


def check_kafka(
    settings: KafkaSettings, *, look: Look = look, check_rights: CheckRights = check_rights
) -> list[Check]:
    """Brokers, topics and rights, in this order; what can not be asked any more is left out."""
    try:
        state = look(settings)
    except NotAuthorized as error:
        return [failed("topics", str(error)), *_rights(settings, check_rights)]
    except TopicsError as error:
        return [failed("topics", str(error))]
    except KafkaError as error:
        return [failed("kafka", str(error))]
    return [_brokers(settings, state), *_topics(state), *_rights(settings, check_rights)]


def _brokers(settings: KafkaSettings, state: State) -> Check:
    number = state.cluster.brokers
    found = f"{number} broker{'' if number == 1 else 's'} at {settings.bootstrap_servers}"
    if state.cluster.embedded:
        return warning("kafka", f"{found}: the embedded broker", "use Apache Kafka for real events")
    if number < _ENOUGH_BROKERS:
        return warning(
            "kafka", found, "use at least three: a record is safe once two brokers have it"
        )
    return ok("kafka", found)


def _topics(state: State) -> list[Check]:
    differences = state.differences()
    missing = [each.topic for each in differences if each.what == "topic"]
    others = [each for each in differences if each.what != "topic"]
    checks = []
    if missing:
        checks.append(failed("topics", f"missing: {', '.join(missing)}", APPLY_HINT))
    checks += [_judged(each, state) for each in others]
    if checks:
        return checks
    events = state.cluster.topics[state.declaration.events].partitions
    return [
        ok(
            "topics",
            f"{len(state.fitted)} as declared as far as this cluster allows, {events} partitions "
            "of events",
        )
    ]


def _judged(difference: Difference, state: State) -> Check:
    """A worker starts on topics that differ, but for two points."""
    found = str(difference)
    if difference.what == "partitions" and difference.topic in state.declaration.as_events:
        return failed(
            "topics",
            found,
            f"it needs as many as {state.declaration.events}: add partitions to the one that has "
            "fewer while no worker runs",
        )
    if difference.what == COMPRESSION and not is_readable(str(difference.actual)):
        return failed("topics", found, f"set {COMPRESSION} to {ANY_CODEC}, or install the codec")
    return warning(
        "topics", found, "leave it if it is meant so; else set it with Kafka's own tools"
    )


def _rights(settings: KafkaSettings, check_rights: CheckRights) -> list[Check]:
    """Each program may have a principal of its own, and ours can be only one of them."""
    refused: dict[str, str] = {}
    for program in _PROGRAMS:
        try:
            check_rights(settings, program)
        except NotAuthorized as error:
            refused[program] = str(error)
        except KafkaError as error:
            return [failed("rights", str(error))]
    allowed = [program for program in _PROGRAMS if program not in refused]
    if not allowed:
        return [failed(f"rights of a {program}", why) for program, why in refused.items()]
    checks = [ok("rights", f"all that a {' and a '.join(allowed)} needs")]
    checks += [
        warning(
            f"rights of a {program}",
            why,
            f"nothing to do where the {program} comes to Kafka as somebody else",
        )
        for program, why in refused.items()
    ]
    return checks
