"""The textbook Faust agent, for comparison: the same job as most would write it after the docs.

    python -m benchmarks.textbook worker --without-web      settings as the real worker's

One app, one agent that takes the events one by one, one table on RocksDB with its changelog for
what is known of an interaction, at-least-once as Faust gives it, acks left to Faust. It is written
with care: the rules, the decisions and the record's shape are the real worker's own; a call is
tried three times with a growing pause, a 429 is waited out, a 401 gets a new token; the PATCH
carries If-Match; bytes that are no event, and records whose tries are used up, are published as
failed and put into the dead letters. What it lacks is all that Faust's documentation does not
speak of.
Run by goals.py, and by the storm (`make storm PROGRAM=textbook`).
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import faust
import msgspec
from yarl import URL

from streams.clock import rfc3339
from streams.core import decision
from streams.core.decision import Patch, Policy, Settle
from streams.core.envelope import InteractionEvent, parse
from streams.core.inquiry import Inquiry
from streams.core.records import (
    Basis,
    Decision,
    Fault,
    InteractionRecord,
    Reason,
    Source,
    Verdict,
    decode_record,
    encode_record,
)
from streams.errors import ApiError, BadRequest, Conflict, EnvelopeError, NotFound
from streams.genesys.answers import Answer
from streams.genesys.dialect import DIALECTS
from streams.genesys.settings import GenesysSettings
from streams.genesys.transport import Request
from streams.kafka.publisher import MAX_REQUEST_BYTES
from streams.kafka.topics import VerifiedTopics, verify_topics
from streams.settings import Settings
from streams.wire.outcomes import outcome_id

TRIES = 3

# Before the second try, in seconds; twice as long before the third.
FIRST_PAUSE = 0.5

# Of a 429 without a Retry-After.
USUAL_QUIET = 1.0


class GaveUp(Exception):
    """The API did not answer properly in any of the tries."""


@dataclass
class Api:
    """Genesys Cloud with a session: each call tried a few times."""

    session: aiohttp.ClientSession
    genesys: GenesysSettings
    token: str = field(default="", repr=False)

    async def call(self, request: Request) -> Answer:
        """The answer, if it is a success. Raises NotFound, Conflict, BadRequest; GaveUp."""
        why = ""
        for number in range(TRIES):
            pause = FIRST_PAUSE * 2**number
            try:
                answer = await self._send(request)
            except (aiohttp.ClientError, TimeoutError) as error:
                why = repr(error)
            else:
                if answer.ok:
                    return answer
                why = f"{request.what}: {answer.status}"
                if answer.status == 401:
                    self.token, pause = "", 0.0
                elif answer.status == 429:
                    pause = USUAL_QUIET if answer.retry_after is None else answer.retry_after
                elif answer.status < 500:
                    raise _refusal(answer.status)(why, status=answer.status)
            await asyncio.sleep(pause)
        raise GaveUp(why)

    async def _send(self, request: Request) -> Answer:
        if not self.token:
            self.token = await self._fetch_token()
        headers = {**request.headers, "Authorization": f"Bearer {self.token}"}
        async with self.session.request(
            request.method, request.url, headers=headers, data=request.body
        ) as answer:
            body = await answer.read()
            return Answer.received(answer.status, answer.headers, body, now=time.time())

    async def _fetch_token(self) -> str:
        basic = aiohttp.encode_basic_auth(self.genesys.client_id, self.genesys.client_secret)
        form = {"grant_type": "client_credentials", "scope": self.genesys.scopes}
        async with self.session.post(
            f"{self.genesys.login_url}/oauth/token", data=form, headers={"Authorization": basic}
        ) as answer:
            answer.raise_for_status()
            return str((await answer.json())["access_token"])


def _refusal(status: int) -> type[ApiError]:
    return {404: NotFound, 409: Conflict, 412: Conflict}.get(status, BadRequest)


def build(settings: Settings, topics: VerifiedTopics) -> faust.App:
    """An app of one agent: look up, GET, decide, PATCH, write down, publish, next."""
    app = faust.App(
        settings.app_id,
        broker=[f"kafka://{server}" for server in settings.kafka_bootstrap_servers.split(",")],
        broker_session_timeout=settings.kafka_session_timeout_seconds,
        broker_heartbeat_interval=settings.kafka_session_timeout_seconds / 6,
        datadir=str(settings.data_dir),
        store="rocksdb://",
        autodiscover=False,
        # `topics apply` has made them, the changelog too.
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=topics.partitions,
        topic_replication_factor=topics.replication_factor,
        table_standby_replicas=0,
        consumer_auto_offset_reset="earliest",
        # A dead letter is as large as the largest event, headers on top.
        producer_max_request_size=MAX_REQUEST_BYTES,
    )
    names, genesys = settings.topics, settings.genesys()
    events, outcomes, dead_letters = (
        app.topic(name, key_serializer="raw", value_serializer="raw")
        for name in (names.events, names.outcomes, names.dead_letters)
    )
    interactions = app.Table("interactions", key_type=bytes, value_type=bytes)
    policy = Policy(
        code=settings.disposition_code(),
        threshold_ms=settings.duration_threshold_ms,
        fetch=settings.fetch_policy,
        dry_run=settings.dry_run,
    )

    @app.agent(events)
    async def decide(stream: Any) -> None:
        patience = aiohttp.ClientTimeout(total=genesys.timeout)
        async with aiohttp.ClientSession(timeout=patience) as session:
            api = Api(session, genesys)
            async for each in stream.events():
                message = each.message
                source = Source(names.events, message.partition, message.offset)
                event = _read(message.value)
                if event is None:
                    verdict = _failed(Reason.MALFORMED, Basis.EVENT)
                else:
                    key = event.interaction_id.encode()
                    known = interactions.get(key)
                    record = (
                        InteractionRecord(event.interaction_id)
                        if known is None
                        else decode_record(known)
                    )
                    verdict = await _decide(api, record, event, source.offset, policy)
                    after = decision.apply(
                        record, event, source.offset, verdict, round(time.time() * 1000)
                    )
                    interactions[key] = encode_record(after)
                if verdict.decision is Decision.FAILED:
                    placed = {
                        "dlq.reason": verdict.reason.encode(),
                        "dlq.source.topic": source.topic.encode(),
                        "dlq.source.partition": str(source.partition).encode(),
                        "dlq.source.offset": str(source.offset).encode(),
                    }
                    await dead_letters.send(key=message.key, value=message.value, headers=placed)
                await outcomes.send(key=message.key, value=_outcome(event, verdict, source))

    return app


async def _decide(
    api: Api, record: InteractionRecord, event: InteractionEvent, offset: int, policy: Policy
) -> Verdict:
    inquiry = Inquiry(record, event, offset, policy)
    base, dialect = URL(api.genesys.base_url), DIALECTS[api.genesys.dialect]
    try:
        while not isinstance(step := inquiry.step, Settle):
            if isinstance(step, Patch):
                request = dialect.patch_request(base, event.interaction_id, step.code, step.etag)
                inquiry.patched(step, (await api.call(request)).status)
            else:
                answer = await api.call(dialect.get_request(base, event.interaction_id))
                inquiry.fetched(dialect.read_interaction(answer, event.interaction_id))
    except GaveUp as reason:
        return _failed(Reason.RETRIES_EXHAUSTED, Basis.API, str(reason))
    except ApiError as error:
        if inquiry.failed(error):
            return _failed(Reason.RETRIES_EXHAUSTED, Basis.API, str(error))
    return inquiry.verdict


def _read(value: bytes | None) -> InteractionEvent | None:
    try:
        return parse(value or b"")
    except EnvelopeError:
        return None


def _failed(reason: Reason, basis: Basis, message: str = "") -> Verdict:
    return Verdict(Decision.FAILED, reason, basis, error=Fault(reason.value, message))


def _outcome(event: InteractionEvent | None, verdict: Verdict, source: Source) -> bytes:
    outcome = {
        "schemaVersion": 1,
        "outcomeId": outcome_id(source),
        "final": True,
        "interactionId": event.interaction_id if event else None,
        "sequenceId": event.sequence_id if event else None,
        "eventId": event.event_id if event else None,
        "decision": verdict.decision,
        "reason": verdict.reason,
        "basis": verdict.basis,
        "dryRun": verdict.dry_run,
        "dispositionCodeId": verdict.disposition_code_id,
        "patchStatus": verdict.patch_status,
        "recovered": False,
        "decidedAt": rfc3339(time.time()),
        "source": source,
        "error": verdict.error,
    }
    return msgspec.json.encode(outcome)


def main() -> None:
    settings = Settings.load()
    build(settings, verify_topics(settings.kafka)).main()


if __name__ == "__main__":
    main()
