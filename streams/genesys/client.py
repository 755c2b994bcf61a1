"""The API client that lanes use: every row of the design's "When the API says no" but deferral."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from random import Random

from opentelemetry import trace
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.attributes.http_attributes import (
    HTTP_REQUEST_METHOD,
    HTTP_REQUEST_RESEND_COUNT,
    HTTP_RESPONSE_STATUS_CODE,
)
from opentelemetry.semconv.attributes.server_attributes import SERVER_ADDRESS, SERVER_PORT
from opentelemetry.semconv.attributes.url_attributes import URL_FULL
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from yarl import URL

from streams.clock import Clock, rfc3339
from streams.core.interaction import Interaction
from streams.core.records import Call
from streams.core.retry_policy import CallPolicy
from streams.core.stuck import Stage
from streams.errors import ApiError, RateLimited
from streams.genesys.answers import Answer
from streams.genesys.api import ApiObserver, CallContext
from streams.genesys.breaker import Breaker, BreakerPolicy
from streams.genesys.budget import Budget
from streams.genesys.dialect import DIALECTS, Dialect, ReadsErrors
from streams.genesys.gate import Gate, Permit, Turn
from streams.genesys.proxies import proxies_for
from streams.genesys.retry import persist
from streams.genesys.settings import GenesysSettings
from streams.genesys.token import TokenSource
from streams.genesys.transport import Request, Transport, pooled_session

# Still in development in OpenTelemetry's conventions, so not among the stable attributes.
URL_TEMPLATE = "url.template"

# The part of the time-out after which an answer counts as slow: the API may be about to fail.
SLOW_SHARE = 0.5

_W3C = TraceContextTextMapPropagator()


class Calls:
    """Sends requests of any dialect: each with a token, in its turn at the gate, and again where
    that does no harm. All lanes share one; calls may be cancelled anywhere.

    ``gate``: the gate that all its requests pass; it says for how long it is paused. ``latest``:
    the latest answer of any status, for its headers.
    """

    def __init__(
        self,
        *,
        dialect: ReadsErrors,
        transport: Transport,
        tokens: TokenSource,
        gate: Gate,
        policy: CallPolicy,
        clock: Clock,
        random: Random,
        tracer: trace.Tracer,
    ) -> None:
        self.gate = gate
        self.latest: Answer | None = None
        self._dialect = dialect
        self._transport = transport
        self._tokens = tokens
        self._policy = policy
        self._clock = clock
        self._random = random
        self._tracer = tracer

    @property
    def refused(self) -> str | None:
        """Why Genesys Cloud accepts no token of ours; None when it accepts one, or when that is not
        known."""
        return self._tokens.refused

    async def check_credentials(self) -> None:
        """Fetch a token, if there is none yet. Raises ApiError when there is none to be had."""
        await self._tokens.current()

    async def prove_credentials(self) -> None:
        """Fetch a token before any record needs one. Tries until there is a token; the token source
        keeps the waits between the tries."""
        while True:
            try:
                await self._tokens.current()
            except ApiError:
                continue  # The token source has logged it, and ``refused`` reports a refusal.
            return

    async def call(self, request: Request, context: CallContext) -> Answer:
        """The answer of a success. Raises ApiError when there is none."""
        context.attempts, context.needed = 0, True
        return await persist(
            lambda: self._once(request, context),
            policy=self._policy,
            clock=self._clock,
            random=self._random,
            resting=context.rest,
        )

    async def _once(self, request: Request, context: CallContext) -> Answer:
        """One try, and after a 401 one more with a new token. Raises ApiError when it fails."""
        use = f"{request.method} {request.route}"
        answer, token = await self._pass(request, context)
        renewed = answer.status == 401 and self._tokens.drop(token, use)
        if renewed:
            answer, token = await self._pass(request, context)
        if answer.status == 401:
            self._tokens.refused_again(use)
        if not answer.ok:
            raise self._dialect.error_of(request, answer, self._random)
        self._tokens.accepted(token, use, renewed=renewed)
        return answer

    async def _pass(self, request: Request, context: CallContext) -> tuple[Answer, str]:
        """Wait for the request's turn and send it. Returns the answer and the token used."""
        asked_at = self._clock.monotonic()
        try:
            permit, token = await self._admitted(request, context)
            with permit:
                waited = self._clock.monotonic() - asked_at
                context.stage, context.sent_at = Stage.SENT, self._clock.monotonic()
                return await self._answered(request, permit, token, context, waited), token
        finally:
            context.stage = Stage.NONE

    async def _answered(
        self, request: Request, permit: Permit, token: str, context: CallContext, waited: float
    ) -> Answer:
        """The answer of a request that has its permit. ``waited``: seconds before it could leave.
        Raises ApiError for a 429, which pauses the gate."""
        answer = await self._send(request, token, context, waited)
        permit.answered(answer.status, answer.quota)
        if answer.status == 429:
            # Paused before the permit ends, because its end lets the next request through.
            error = self._dialect.error_of(request, answer, self._random)
            if isinstance(error, RateLimited):
                self.gate.pause(error.retry_after)
            raise error
        return answer

    async def _admitted(self, request: Request, context: CallContext) -> tuple[Permit, str]:
        """A permit and a token, both valid at the moment this returns."""
        turn = Turn.PATCH if request.changes else Turn.GET
        while True:
            # First the token, then the gate: requests that waited for a token behind the gate would
            # all leave at once.
            context.stage = Stage.TOKEN
            await self._tokens.current()
            context.stage = Stage.GATE
            permit = await self.gate.enter(turn, request.url.path)
            if (token := self._tokens.live()) is not None and self.gate.paused_until() is None:
                return permit, token
            with permit:
                pass  # Since the permit, the token ended or was refused, or the gate was paused.

    async def _send(
        self, request: Request, token: str, context: CallContext, waited: float
    ) -> Answer:
        """Send the request once, in a span of its own. When the context's guard raises, the request
        is not sent, and the guard's error is raised. ``waited``: seconds before it could leave."""
        context.guard()
        with self._span(request, resends=context.attempts) as span:
            context.calls += 1
            context.attempts += 1
            headers = {"Authorization": f"Bearer {token}"}
            _W3C.inject(headers)
            stopwatch = _Stopwatch(self._clock, request.method, waited)
            try:
                answer = await self._transport.send(request, headers)
            except BaseException as error:
                if isinstance(error, ApiError):
                    context.made.append(stopwatch.failed(error))
                _mark_failed(span, type(error).__name__)
                raise
            self.latest = answer
            context.made.append(stopwatch.answered(answer))
            span.set_attribute(HTTP_RESPONSE_STATUS_CODE, answer.status)
            if answer.status >= 400:
                _mark_failed(span, str(answer.status))
            return answer

    def _span(self, request: Request, *, resends: int) -> AbstractContextManager[Span]:
        attributes: dict[str, str | int] = {
            HTTP_REQUEST_METHOD: request.method,
            SERVER_ADDRESS: request.url.host or "",
            SERVER_PORT: request.url.port or 0,
            URL_FULL: str(request.url),
            URL_TEMPLATE: request.route,
        }
        if resends:
            attributes[HTTP_REQUEST_RESEND_COUNT] = resends
        return self._tracer.start_as_current_span(
            request.method,
            kind=SpanKind.CLIENT,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        )


class _Stopwatch:
    """Takes down one request, from now on to its answer. ``waited``: seconds before it left."""

    def __init__(self, clock: Clock, method: str, waited: float) -> None:
        self._clock = clock
        self._method = method
        self._waited = waited
        self._at = clock.time()
        self._sent_at = clock.monotonic()

    def answered(self, answer: Answer) -> Call:
        return self._call(answer.status, None, answer.correlation_id)

    def failed(self, error: ApiError) -> Call:
        return self._call(error.status, type(error).__name__, error.correlation_id)

    def _call(self, status: int | None, error: str | None, correlation_id: str | None) -> Call:
        took = self._clock.monotonic() - self._sent_at
        return Call(
            at=rfc3339(self._at),
            method=self._method,
            status=status,
            error=error,
            waited_ms=round(self._waited * 1000, 3),
            took_ms=round(took * 1000, 3),
            correlation_id=correlation_id and correlation_id.encode("ascii", "replace").decode(),
        )


def _mark_failed(span: Span, error_type: str) -> None:
    span.set_attribute(ERROR_TYPE, error_type)
    span.set_status(StatusCode.ERROR)


class GenesysClient:
    """A GenesysApi in the dialect handed in, on the calls handed in."""

    def __init__(self, calls: Calls, *, base_url: str, dialect: Dialect) -> None:
        self.gate = calls.gate
        self.prove_credentials = calls.prove_credentials
        self._calls = calls
        self._base = URL(base_url)
        self._dialect = dialect

    @property
    def refused(self) -> str | None:
        """As ``Calls.refused``."""
        return self._calls.refused

    async def fetch(self, interaction_id: str, context: CallContext) -> Interaction:
        request = self._dialect.get_request(self._base, interaction_id)
        answer = await self._calls.call(request, context)
        return self._dialect.read_interaction(answer, interaction_id)

    async def set_disposition(
        self, interaction_id: str, code: str, etag: str | None, context: CallContext
    ) -> int:
        request = self._dialect.patch_request(self._base, interaction_id, code, etag)
        return (await self._calls.call(request, context)).status


@asynccontextmanager
async def open_client(
    settings: GenesysSettings,
    *,
    in_flight: int,
    observer: ApiObserver,
    clock: Clock,
    random: Random,
    policy: CallPolicy | None = None,
    tracer: trace.Tracer | None = None,
) -> AsyncIterator[GenesysClient]:
    """A client with a connection for each of ``in_flight`` lanes; it is closed when the block ends.
    Raises SettingsError when the environment names a proxy that can not be used."""
    dialect = DIALECTS[settings.dialect]
    async with open_calls(
        settings,
        dialect=dialect,
        in_flight=in_flight,
        observer=observer,
        clock=clock,
        random=random,
        policy=policy,
        tracer=tracer,
    ) as calls:
        yield GenesysClient(calls, base_url=settings.base_url, dialect=dialect)


@asynccontextmanager
async def open_calls(
    settings: GenesysSettings,
    *,
    dialect: ReadsErrors,
    in_flight: int,
    observer: ApiObserver,
    clock: Clock,
    random: Random,
    policy: CallPolicy | None = None,
    tracer: trace.Tracer | None = None,
) -> AsyncIterator[Calls]:
    """What ``open_client`` opens, for a client of any dialect."""
    proxies = proxies_for(settings.base_url, settings.login_url)
    gate = Gate(
        clock,
        observer,
        budget=Budget(settings.requests_per_minute, shared_by=settings.budget_shared_by),
        breaker=Breaker(
            BreakerPolicy(
                open_seconds=settings.breaker_open_seconds,
                slow_seconds=settings.timeout * SLOW_SHARE,
            )
        ),
    )
    async with pooled_session(in_flight) as session:
        transport = Transport(
            session,
            timeout=settings.timeout,
            clock=clock,
            observer=observer,
            proxies=proxies,
            secrets=tuple(filter(None, (settings.client_secret, settings.refresh_token))),
        )
        tokens = TokenSource(settings, transport=transport, gate=gate, clock=clock, random=random)
        try:
            yield Calls(
                dialect=dialect,
                transport=transport,
                tokens=tokens,
                gate=gate,
                policy=policy or CallPolicy(),
                clock=clock,
                random=random,
                tracer=tracer or trace.get_tracer("streams.genesys"),
            )
        finally:
            await tokens.close()
            await gate.close()
