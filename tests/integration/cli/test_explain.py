"""``genesys-streams explain`` as an operator runs it, on topics that lie in Kafka."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from streams.cli.main import run
from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.core.records import Basis, Call, Decision, Fault, Leg, PutOff, Reason, Source
from streams.kafka.message import Message
from streams.kafka.partitioner import partition_of
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.topics import verify_topics
from streams.settings import Settings
from streams.wire.dead_letters import DeadLetter, Stage
from streams.wire.events import RECEIVED_AT
from streams.wire.outcomes import Outcome, encode_outcome, outcome_id
from streams.wire.retries import retry_headers
from tests.support.conversation_events import raw

Output = pytest.CaptureFixture[str]

CALL = "call-17"
TRACE = "56e61b9e6c485c758b5c793dea22c80c"
TRACED = ("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode())
DECIDED_AT, NEXT_AT = "2026-01-05T08:00:01.500Z", "2026-01-05T08:00:31.000Z"
FAULT = Fault("unavailable", "GET interaction call-17: 503 in 3 tries", 503, "corr-1")


def event(sequence: int, state: str, name: str = CALL) -> bytes:
    detail = {
        "interactionId": name,
        "sequenceId": sequence,
        "interactionType": "voice",
        "state": state,
    }
    body = {
        "detail-type": UPDATE_DETAIL_TYPE,
        "time": "2026-01-05T08:00:01.000Z",
        "detail": detail,
    }
    return json.dumps(body).encode()


class Scene:
    """What a bridge and a worker would have written about one call."""

    def __init__(self, settings: Settings) -> None:
        self._topics = settings.topics
        self._kafka = settings.kafka
        self._home = partition_of(CALL.encode(), verify_topics(settings.kafka).partitions)

    def publish(self, *messages: Message) -> None:
        async def send() -> None:
            publisher = KafkaPublisher(self._kafka, client_id="test")
            await publisher.start()
            try:
                for each in messages:
                    await publisher.publish(each)
            finally:
                await publisher.stop()

        asyncio.run(send())

    def event(self, sequence: int, state: str, name: str = CALL) -> Message:
        headers = [(RECEIVED_AT, b"2026-01-05T08:00:01.100Z"), TRACED]
        return Message(self._topics.events, name.encode(), event(sequence, state, name), headers)

    def source(self, offset: int) -> Source:
        return Source(self._topics.events, self._home, offset)

    def outcome(
        self,
        of: int,
        decision: Decision,
        reason: Reason,
        *,
        attempt: int | None = None,
        **more: Any,
    ) -> Message:
        made: dict[str, Any] = {
            "outcome_id": outcome_id(self.source(of), attempt),
            "final": decision is not Decision.DEFERRED,
            "interaction_id": CALL,
            "sequence_id": 1,
            "event_id": None,
            "decision": decision,
            "reason": reason,
            "basis": Basis.API,
            "dry_run": False,
            "disposition_code_id": None,
            "patch_status": None,
            "recovered": False,
            "api_calls": 0,
            "attempts": 0,
            "duration_ms": None,
            "event_time": "2026-01-05T08:00:01.000Z",
            "decided_at": DECIDED_AT,
            "latency_ms": 200.0,
            "end_to_end_ms": 500.0,
            "source": self.source(of),
            "trace_id": TRACE,
            "error": None,
        }
        value = encode_outcome(Outcome(**made | more))
        return Message(self._topics.outcomes, CALL.encode(), value, [TRACED])

    def conversation_event(self) -> Message:
        return Message(self._topics.events, CALL.encode(), raw(conversationId=CALL), [TRACED])

    def put_off(self, of: int, reason: Reason = Reason.SERVER_ERROR) -> Message:
        headers = retry_headers(self.source(of), PutOff(1, 1_767_600_031_000), reason)
        value = event(1, "completed")
        return Message(self._topics.retries, CALL.encode(), value, headers, self._home)

    def refused(self) -> Message:
        letter = DeadLetter(
            CALL.encode(),
            b'{"detail": {}}',
            Reason.MALFORMED.value,
            "sequenceId is missing",
            Stage.BRIDGE,
            1,
            "2026-01-05T07:59:00.000Z",
        )
        return Message(self._topics.dead_letters, letter.key, letter.value, letter.headers())


@pytest.fixture
def scene(settings: Settings) -> Scene:
    return Scene(settings)


def told(capsys: Output, *options: str, of: str = CALL) -> list[dict[str, Any]]:
    assert run(["explain", of, "--json", *options]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return [json.loads(line) for line in out.splitlines()]


def kinds(lines: Sequence[dict[str, Any]]) -> list[str]:
    return [each["kind"] for each in lines]


def test_a_call_that_was_put_off_and_got_its_code(scene: Scene, capsys: Output) -> None:
    failed = [
        Call(f"2026-01-05T08:00:01.{at}00Z", "GET", 503, None, 0.0, 40.0, "corr-1") for at in (2, 3)
    ]
    done = [
        Call("2026-01-05T08:00:31.100Z", "GET", 200, None, 0.0, 40.0, None),
        Call("2026-01-05T08:00:31.200Z", "PATCH", 200, None, 0.0, 40.0, None),
    ]
    scene.publish(
        scene.refused(),
        scene.event(1, "completed"),
        scene.event(1, "completed", "another-call"),
        scene.outcome(
            0,
            Decision.DEFERRED,
            Reason.SERVER_ERROR,
            attempt=1,
            next_at=NEXT_AT,
            error=FAULT,
            calls=tuple(failed),
        ),
        scene.put_off(0),
        scene.outcome(
            0,
            Decision.PATCHED,
            Reason.ELIGIBLE,
            decided_at="2026-01-05T08:00:31.300Z",
            disposition_code_id="code-1",
            patch_status=200,
            calls=(*failed, *done),
        ),
    )
    lines = told(capsys)

    assert sorted(kinds(lines)[:-1]) == sorted(
        ["refused", "event", *["call"] * 4, "decision", "put-off", "decision"]
    )
    of_event = [each for each in lines if each["kind"] not in ("refused", "conclusion")]
    assert kinds(of_event)[:4] == ["event", "call", "call", "decision"]
    assert of_event[0]["receivedAt"] == "2026-01-05T08:00:01.100Z"
    assert of_event[0]["takenUpAt"] == "2026-01-05T08:00:01.300Z"
    assert of_event[0]["traceId"] == TRACE
    assert of_event[0]["record"]["offset"] == 0
    assert of_event[3]["outcome"]["nextAt"] == NEXT_AT
    assert lines[-1]["state"] == "coded"

    assert run(["explain", CALL]) == 0
    page = capsys.readouterr().out
    assert "Genesys Cloud failed: GET interaction call-17: 503 in 3 tries" in page
    assert "happened 2026-01-05T08:00:01.000Z, at the bridge 100 ms later" in page
    assert page.splitlines()[-1].startswith(
        f"{CALL}: it got the code code-1 (PATCH 200), decided at 2026-01-05T08:00:31.300Z"
    )
    assert "another-call" not in page


def test_a_conversation_has_its_looks_and_a_sentence_for_each_leg(
    scene: Scene, capsys: Output
) -> None:
    legs = [Leg(f"leg-{number}", "user-1", "queue-1", None, "voice") for number in (1, 2)]
    of_look: dict[str, Any] = {"sequence_id": None, "decided_at": "2026-01-05T08:00:40.000Z"}
    seen = Call("2026-01-05T08:00:39.000Z", "GET", 200, None, 0.0, 40.0, "corr-9")
    scene.publish(
        scene.conversation_event(),
        scene.put_off(0, Reason.LOOK_PLANNED),
        scene.outcome(
            0,
            Decision.PATCHED,
            Reason.ELIGIBLE,
            disposition_code_id="code-1",
            patch_status=202,
            leg=legs[0],
            calls=(seen,),
            **of_look | {"outcome_id": "leg-outcome-1"},
        ),
        scene.outcome(
            0,
            Decision.INELIGIBLE,
            Reason.NOT_CONNECTED,
            leg=legs[1],
            calls=(seen,),
            **of_look | {"outcome_id": "leg-outcome-2"},
        ),
        scene.outcome(0, Decision.NOTED, Reason.LOOK_PLANNED, calls=(seen,), **of_look),
    )
    lines = told(capsys)

    assert sorted(kinds(lines)[:-1]) == ["call", *["decision"] * 3, "event", "look"]
    assert lines[0]["name"] == "user.end"
    assert lines[-1]["state"] == "coded"
    assert [each["leg"]["participantId"] for each in lines[-1]["legs"]] == ["leg-1", "leg-2"]
    assert [each["state"] for each in lines[-1]["legs"]] == ["coded", "no-code"]

    assert run(["explain", CALL]) == 0
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "leg leg-1: it got the code code-1 (PATCH 202)",
        "leg leg-2: no code: the agent was alerted and never connected; a leg that was connected "
        "for 30 s would have been set",
        f"{CALL}: 2 legs: 1 coded, 1 no-code",
    ]


def test_a_call_that_is_too_short_is_told_what_would_have_done(
    scene: Scene, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.publish(
        scene.event(1, "completed"),
        scene.outcome(0, Decision.INELIGIBLE, Reason.TOO_SHORT, duration_ms=12_000),
    )
    assert told(capsys)[-1]["what"] == (
        "no code: it lasted 12 s; 30 s would have done (DURATION_THRESHOLD_MS)"
    )
    monkeypatch.setenv("DURATION_THRESHOLD_MS", "20000")
    assert "20 s would have done" in told(capsys)[-1]["what"]


@pytest.mark.parametrize(
    ("lies_there", "state"),
    [("nothing", "not-kept"), ("another", "never-arrived"), ("refused", "refused")],
)
def test_never_arrived_refused_and_perhaps_older_are_told_apart(
    scene: Scene, settings: Settings, capsys: Output, lies_there: str, state: str
) -> None:
    partitions = verify_topics(settings.kafka).partitions
    beside = next(
        name
        for number in range(1000)
        if partition_of((name := f"call-{number}x").encode(), partitions)
        == partition_of(CALL.encode(), partitions)
    )
    messages = {
        "nothing": [],
        "another": [scene.event(1, "completed", beside)],
        "refused": [scene.refused()],
    }
    scene.publish(*messages[lies_there])
    assert told(capsys)[-1]["state"] == state


def test_what_no_worker_has_decided_is_told_as_such(scene: Scene, capsys: Output) -> None:
    scene.publish(scene.event(1, "completed"))
    assert told(capsys)[-1]["state"] == "undecided"
    assert told(capsys, "--since", "2999-01-01T00:00:00Z")[-1]["state"] == "not-kept"


def test_an_id_that_no_interaction_has_is_wrong_usage(settings: Settings, capsys: Output) -> None:
    assert run(["explain", "../../oauth/token"]) == 2
    assert "must match" in capsys.readouterr().err


def test_to_ask_it_needs_the_settings_of_the_api(settings: Settings, capsys: Output) -> None:
    assert run(["explain", CALL, "--ask"]) == 2
    assert "GENESYS_CLOUD_BASE_URL" in capsys.readouterr().err
