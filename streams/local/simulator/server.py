"""The simulated Genesys Cloud on a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from streams.addresses import http_url
from streams.local.simulator.api import Simulator
from streams.local.simulator.control import Control
from streams.local.simulator.directory import Directory
from streams.local.simulator.route import Route

# A hundred thousand interactions registered in one request are some 70 MB.
_MAX_BODY_BYTES = 256 * 1024 * 1024

# When the server ends, requests that wait for ever (a time-out fault) are cut off after this time.
_SHUTDOWN_SECONDS = 0.5


def application(simulator: Simulator) -> web.Application:
    """The API and the control API of one simulated org."""
    app = web.Application(client_max_size=_MAX_BODY_BYTES)
    app.router.add_route("*", "/api/v2/interactions/{interaction_id}", simulator.interaction)
    _add_conversations(app, simulator)
    app.router.add_post("/oauth/token", simulator.token)
    app.add_routes(Control(simulator).routes())
    app.router.add_route("*", "/{path:.*}", simulator.unknown)
    return app


def _add_conversations(app: web.Application, simulator: Simulator) -> None:
    """Genesys Cloud's public API, as far as this program asks it."""
    ours, directory = simulator.conversations, Directory(simulator.conversations)
    conversation = "/api/v2/conversations/{conversation_id}"
    media = "/api/v2/conversations/{medium:calls|callbacks|messages|emails}/{conversation_id}"
    participant = "/participants/{participant_id}"
    communication = f"{participant}/communications/{{communication_id}}/wrapup"
    routing = "/api/v2/routing"
    for method, path, effect in (
        ("GET", conversation, ours.get),
        ("PATCH", conversation + participant, ours.patch_participant),
        ("PATCH", media + participant, ours.patch_call),
        ("POST", media + communication, ours.post_wrap_up),
        ("GET", f"{routing}/wrapupcodes/{{code_id}}", directory.wrap_up_code),
        ("GET", f"{routing}/queues", directory.queues),
        ("GET", f"{routing}/queues/{{queue_id}}/wrapupcodes", directory.queue_codes),
        ("GET", "/api/v2/authorization/subjects/me", directory.grants),
        ("GET", "/api/v2/notifications/availabletopics", directory.topics),
        ("GET", "/api/v2/tokens/me", directory.token),
        ("GET", "/api/v2/users/me", directory.user),
        ("GET", "/api/v2/organizations/me", directory.organization),
    ):
        route = Route.GET if method == "GET" else Route.PATCH
        app.router.add_route(method, path, simulator.handler(route, effect))


@asynccontextmanager
async def serving(
    simulator: Simulator, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """Serve until the block is left. Yields the base URL. With port 0 the system picks a port.

    Raises OSError when the port is taken.
    """
    # A request is cancelled when its client leaves. So a time-out ends with the client, and it is
    # decided whether a PATCH took effect before its client was gone.
    runner = web.AppRunner(
        application(simulator),
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=_SHUTDOWN_SECONDS,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield http_url(*runner.addresses[0][:2])
    finally:
        await runner.cleanup()
        await simulator.close()
