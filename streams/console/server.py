"""The console's HTTP server: which page is where, what every answer has, and who gets it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol
from urllib.parse import quote, urlencode

from aiohttp import ClientConnectionResetError, hdrs, web
from prometheus_client import CollectorRegistry

from streams import __version__
from streams.clock import Clock
from streams.console.access import TOKEN_FIELD, Access
from streams.console.desk import Desk
from streams.console.pages.history import interaction
from streams.console.pages.overview import overview
from streams.console.pages.rendering import STATIC, environment
from streams.console.pages.search import asked, search
from streams.console.pages.stuck import stuck
from streams.console.pages.waiting import dead_letter, dead_letters, partitions, put_off
from streams.core.envelope import INTERACTION_ID
from streams.core.foreign_text import foreign_text
from streams.errors import ConsoleError, IndexDamaged, KafkaError
from streams.health_routes import orchestrator_routes
from streams.wire.dead_letters import NAME_LENGTH, Letter
from streams.wire.retries import Signed

log = logging.getLogger(__name__)

# No script, style, font or picture but our own; nobody frames the page or has its forms go
# elsewhere; and where a link leads to does not learn which interaction was looked at. (With
# ``no-referrer`` our own forms would say that they are from nowhere: test_pages.py.)
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

# A page is told at most this often that there is something new.
TELL_EVERY_SECONDS = 1.0

# A line is sent at least this often, so that a proxy does not close the stream.
KEEP_ALIVE_SECONDS = 15.0

# Pages that are told; each holds a connection.
MOST_LISTENING = 100

# A key and two lines.
MOST_FORM_BYTES = 16 << 10

# An attempt with a wrong key takes this long.
WRONG_KEY_SECONDS = 0.5

# These are open to whoever watches the process, and the page's own looks tell nothing.
OPEN = frozenset({"/healthz", "/readyz", "/metrics", "/sign-in"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Page = Callable[[Desk, Mapping[str, str]], dict[str, object]]


class Sends(Protocol):
    async def send(self, letter: Letter, signed: Signed) -> None:
        """Send a dead letter back. Raises KafkaError."""
        ...


class Console:
    """Serves one desk."""

    def __init__(self, desk: Desk, access: Access, redriving: Sends, clock: Clock) -> None:
        self._desk = desk
        self._access = access
        self._redriving = redriving
        self._clock = clock
        self._templates = environment()
        self._stopping = asyncio.Event()
        self._listening = 0

    def application(self) -> web.Application:
        app = web.Application(
            middlewares=[self._guarded, self._explained], client_max_size=MOST_FORM_BYTES
        )
        app.on_response_prepare.append(_add_headers)
        app.add_routes(
            [
                *orchestrator_routes(not_ready=self._not_ready, metrics=CollectorRegistry),
                web.static("/static", STATIC),
                web.get("/", self._shown("overview", overview)),
                web.get("/search", self._search),
                web.get("/interactions/{id}", self._interaction),
                web.get("/partitions", self._shown("partitions", partitions)),
                web.get("/deferred", self._shown("deferred", put_off)),
                web.get("/stuck", self._shown("stuck", stuck)),
                web.get("/dead-letters", self._shown("dead-letters", dead_letters)),
                web.get(r"/dead-letters/{partition:\d{1,9}}/{offset:\d{1,18}}", self._letter),
                web.get(
                    r"/dead-letters/{partition:\d{1,9}}/{offset:\d{1,18}}/redrive", self._confirm
                ),
                web.post(
                    r"/dead-letters/{partition:\d{1,9}}/{offset:\d{1,18}}/redrive", self._redrive
                ),
                web.get("/sign-in", self._sign_in_page),
                web.post("/sign-in", self._sign_in),
                web.post("/sign-out", self._sign_out),
                web.get("/live", self._live),
            ]
        )
        return app

    def stop(self) -> None:
        """End the streams, so that the server can close."""
        self._stopping.set()

    def _not_ready(self) -> str | None:
        return self._desk.progress.failure

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Lets through what was meant for this console, from whoever may look."""
        if not self._access.is_ours(request):
            text = "this console does not answer to that host, or to forms of other sites\n"
            return web.Response(status=421, text=text)
        is_open = request.path in OPEN or request.path.startswith("/static/")
        if is_open or self._access.may_look(request):
            return await handler(request)
        if request.method == hdrs.METH_GET and "text/html" in request.headers.get("Accept", ""):
            raise web.HTTPSeeOther(f"/sign-in?{urlencode({'to': request.path_qs})}")
        return web.json_response({"error": "a key of CONSOLE_API_KEY is needed"}, status=401)

    @web.middleware
    async def _explained(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Makes a page of what went wrong."""
        try:
            return await handler(request)
        except web.HTTPException as error:
            if error.status < 400 or request.path in OPEN:
                raise
            return self._failed(request, error.status, foreign_text(error.reason, 300))
        except IndexDamaged:
            self._desk.progress.damaged = True
            said = "The index is damaged, and is built again from Kafka; ask in a moment"
            return self._failed(request, 503, said)
        except ConsoleError as error:
            log.error("a page could not be made: %s", error)
            return self._failed(request, 503, str(error))

    def _shown(self, name: str, page: Page) -> Handler:
        async def show(request: web.Request) -> web.StreamResponse:
            return self._page(request, name, page(self._desk, request.query))

        return show

    async def _search(self, request: web.Request) -> web.StreamResponse:
        wanted = asked(request.query)
        values = search(self._desk, wanted, request.query)
        likes = values["likes"]
        assert isinstance(likes, list), "search says so"
        if wanted.by_text_alone:
            if len(likes) == 1:
                raise web.HTTPSeeOther(f"/interactions/{quote(likes[0][0])}")
            if not likes and INTERACTION_ID.fullmatch(wanted.text):
                raise web.HTTPSeeOther(f"/interactions/{quote(wanted.text)}")
        return self._page(request, "search", values)

    async def _interaction(self, request: web.Request) -> web.StreamResponse:
        interaction_id = request.match_info["id"]
        if not INTERACTION_ID.fullmatch(interaction_id):
            raise web.HTTPNotFound(reason="That is no interaction's id")
        return self._page(request, "interaction", interaction(self._desk, interaction_id))

    async def _letter(self, request: web.Request) -> web.StreamResponse:
        return self._page(request, "dead-letter", self._letter_of(request))

    async def _confirm(self, request: web.Request) -> web.StreamResponse:
        values = self._letter_of(request)
        if self._access.keys and self._access.session(request) is None:
            raise web.HTTPSeeOther(f"/sign-in?{urlencode({'to': request.path_qs})}")
        return self._page(request, "redrive", {**values, "by": "", "why": "", "wrong": {}})

    async def _redrive(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        given = {name: text for name, text in form.items() if isinstance(text, str)}
        if not self._access.keys:
            raise web.HTTPForbidden(reason="Nothing can be changed: CONSOLE_API_KEY is not set")
        if not self._access.may_change(request, given.get(TOKEN_FIELD, "")):
            raise web.HTTPForbidden(reason="The session has ended, or the form is not ours")
        values = self._letter_of(request)
        signed = Signed(*(foreign_text(given.get(each, ""), NAME_LENGTH) for each in ("by", "why")))
        wrong = {
            name: said
            for name, text, said in (
                ("by", signed.by, "say who you are"),
                ("why", signed.why, "say why it is to be decided anew"),
            )
            if not text
        }
        if not values["may_go_back"]:
            wrong["letter"] = f"It can not go back: {values['became']}"
        letter = values["letter"]
        assert isinstance(letter, Letter), "the page says so"
        if not wrong:
            try:
                await self._redriving.send(letter, signed)
            except KafkaError as failure:
                wrong["letter"] = f"Kafka did not take it: {failure}"
        if wrong:
            again = {**values, "by": signed.by, "why": signed.why, "wrong": wrong}
            return self._page(request, "redrive", again, status=422)
        log.info(
            "a dead letter was redriven",
            extra={"letter": letter.place, "by": signed.by, "why": signed.why},
        )
        assert letter.interaction_id is not None, "what may go back is an event"
        raise web.HTTPSeeOther(f"/interactions/{quote(letter.interaction_id)}?redriven")

    def _letter_of(self, request: web.Request) -> dict[str, object]:
        at = request.match_info
        values = dead_letter(self._desk, int(at["partition"]), int(at["offset"]))
        if values is None:
            raise web.HTTPNotFound(reason="There is no such dead letter, or it is kept no more")
        return values

    async def _sign_in_page(self, request: web.Request) -> web.StreamResponse:
        values = {"to": _inside(request.query.get("to", "/")), "wrong": False}
        return self._page(request, "sign-in", values)

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        to = _inside(str(form.get("to", "/")))
        answer = web.Response(status=303, headers={"Location": to})
        if self._access.sign_in(str(form.get("key", "")), answer):
            return answer
        await self._clock.sleep(WRONG_KEY_SECONDS)
        return self._page(request, "sign-in", {"to": to, "wrong": True}, status=403)

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        answer = web.Response(status=303, headers={"Location": "/"})
        self._access.sign_out(request, answer)
        return answer

    async def _live(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: one whenever a page may look otherwise than before."""
        if self._listening >= MOST_LISTENING:
            raise web.HTTPServiceUnavailable(reason="As many pages are open as there may be")
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        answer = web.StreamResponse(headers=headers)
        await answer.prepare(request)
        self._listening += 1
        try:
            told, told_at = "", self._clock.monotonic()
            while not self._stopping.is_set():
                now = self._clock.monotonic()
                if (version := self._desk.version) != told:
                    await answer.write(f"data: {version}\n\n".encode())
                    told, told_at = version, now
                elif now - told_at > KEEP_ALIVE_SECONDS:
                    await answer.write(b":\n\n")
                    told_at = now
                await self._sleep(TELL_EVERY_SECONDS)
        except ClientConnectionResetError:
            log.debug("a page was closed")
        finally:
            self._listening -= 1
        return answer

    async def _sleep(self, seconds: float) -> None:
        """Or until the server stops."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _failed(self, request: web.Request, status: int, what: str) -> web.Response:
        return self._page(request, "error", {"status": status, "what": what}, status=status)

    def _page(
        self, request: web.Request, name: str, values: Mapping[str, object], status: int = 200
    ) -> web.Response:
        session = self._access.session(request)
        text = self._templates.get_template(f"{name}.html").render(
            page=name,
            path=request.path,
            query=request.query,
            now=self._desk.now_ms,
            version=__version__,
            troubles=self._desk.troubles(),
            may_look=self._access.may_look(request),
            has_keys=bool(self._access.keys),
            token=session.token if session is not None else None,
            **{key: value for key, value in values.items() if key != "version"},
        )
        return web.Response(
            text=text,
            status=status,
            content_type="text/html",
            headers={"Cache-Control": "no-store"},
        )


async def _add_headers(_: web.Request, answer: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)


def _inside(to: str) -> str:
    """A path of this console; a link must not lead elsewhere through the sign-in."""
    is_path = to.startswith("/") and not to.startswith(("//", "/\\"))
    return to if is_path and to.isprintable() else "/"
