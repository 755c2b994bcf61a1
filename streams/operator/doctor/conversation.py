"""``doctor --conversation``: what would be done with one conversation; does it if asked to."""

from __future__ import annotations

from collections.abc import AsyncIterator

from yarl import URL

from streams.clock import Clock
from streams.core.conversations.conversation import Conversation, Participant
from streams.core.conversations.legs import SetNow
from streams.core.conversations.policy import WrapUpPolicy
from streams.core.conversations.rehearsal import judged
from streams.errors import ApiError, NotFound, WrapUpClosed
from streams.genesys.api import CallContext
from streams.genesys.client import Calls
from streams.genesys.conversations import Conversations, LegAddress
from streams.genesys.org import Org
from streams.operator.doctor.check import Check, failed, ok, warning
from streams.operator.doctor.legs import named, shown

# Seconds between two looks whether a code shows. Mostly it does within a second or two.
LOOK_AGAIN = 1.0


class ConversationProbe:
    """Looks at one conversation as the worker would, and sets its codes as the worker would."""

    def __init__(
        self,
        calls: Calls,
        *,
        base_url: str,
        dialect: Conversations,
        policy: WrapUpPolicy,
        clock: Clock,
    ) -> None:
        self._calls = calls
        self._base = URL(base_url)
        self._org = Org(calls, base_url=base_url)
        self._dialect = dialect
        self._policy = policy
        self._clock = clock

    async def run(self, conversation_id: str, *, really: bool) -> AsyncIterator[Check]:
        """What would be done, leg by leg; with ``really`` it is done."""
        try:
            conversation = await self._look(conversation_id)
        except NotFound:
            yield failed(
                "conversation",
                f"this org has no conversation {conversation_id}, or none that we may see",
                "check the id and the region; a conversation of another division looks the same",
            )
            return
        except ApiError as error:
            yield failed("conversation", str(error))
            return
        if not conversation.over:
            yield ok(
                "conversation",
                "it goes on: a leg is still connected, and nothing is decided before it is over",
            )
            return
        if not conversation.legs:
            yield ok("conversation", "it is over, and no agent was in it: nobody to code")
            return
        yield ok("conversation", f"it is over, with {len(conversation.legs)} legs of agents")
        now_ms = round(self._clock.time() * 1000)
        for each in judged(conversation, self._policy, now_ms):
            yield shown(each, self._policy)
            if not isinstance(each.judgement, SetNow):
                continue
            if self._policy.code is not None and each.participant.queue_id is not None:
                yield await self._offered(
                    each.participant, each.participant.queue_id, self._policy.code
                )
            if really:
                async for check in self._set(conversation_id, each.participant):
                    yield check

    async def _look(self, conversation_id: str) -> Conversation:
        """The conversation as it is now. Raises ApiError."""
        request = self._dialect.get_request(self._base, conversation_id)
        answer = await self._calls.call(request, CallContext())
        return self._dialect.read_conversation(answer, conversation_id)

    async def _offered(self, leg: Participant, queue_id: str, code: str) -> Check:
        name = f"{named(leg)}, code"
        try:
            if await self._org.offers(queue_id, code):
                return ok(name, f"its queue {queue_id} offers {code}")
        except ApiError as error:
            return warning(name, str(error), "see that the queue offers the code")
        return warning(
            name,
            f"its queue {queue_id} does not offer {code}",
            "add it to the queue's Wrap-up Codes: Genesys Cloud may refuse it otherwise",
        )

    async def _set(self, conversation_id: str, leg: Participant) -> AsyncIterator[Check]:
        """Send the code and look until it shows. Needs a code."""
        code, routed = self._policy.code, leg.routed
        assert code is not None, "checked before"
        assert leg.id is not None, "a leg has an id"
        address = LegAddress(
            conversation_id,
            leg.id,
            routed.id if routed else None,
            routed.medium if routed else "voice",
        )
        name = f"{named(leg)}, really"
        try:
            request = self._dialect.write_request(self._base, address, code)
            answer = await self._calls.call(request, CallContext())
        except WrapUpClosed as error:
            yield failed(
                name,
                str(error),
                "the worker would end it as refused; a shorter WRAP_UP_PATIENCE_SECONDS comes "
                "earlier",
            )
            return
        except ApiError as error:
            todo = "look at the leg in Genesys Cloud" if error.maybe_applied else None
            yield failed(name, str(error), todo)
            return
        yield ok(name, f"{answer.status}: Genesys Cloud has accepted {code}")
        yield await self._visible(conversation_id, leg.id, code, name)

    async def _visible(self, conversation_id: str, leg_id: str, code: str, name: str) -> Check:
        begun = self._clock.monotonic()
        patience = self._policy.verify_ms / 1000
        while True:
            waited = self._clock.monotonic() - begun
            try:
                conversation = await self._look(conversation_id)
            except ApiError as error:
                return warning(name, str(error), "look at the leg in Genesys Cloud")
            participant = conversation.participant(leg_id)
            if participant is not None and _has(participant, code):
                return ok(name, f"the code shows {waited:.0f} s after it was accepted")
            if waited >= patience:
                return failed(
                    name,
                    f"the code does not show {waited:.0f} s after it was accepted",
                    "look at the leg in Genesys Cloud; if it has the code, raise "
                    "WRAP_UP_VERIFY_SECONDS",
                )
            await self._clock.sleep(min(LOOK_AGAIN, max(0.0, patience - waited)) or LOOK_AGAIN)


def _has(participant: Participant, code: str) -> bool:
    return any(each.code == code and not each.provisional for each in participant.wrap_ups)
