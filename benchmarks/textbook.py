"""The textbook Faust agent, for comparison: one agent that awaits its calls. Run by throughput.py.

python -m benchmarks.textbook worker      settings as the real worker's
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from typing import Any

import aiohttp
import faust

from streams.settings import Settings


def build(settings: Settings, token: str) -> faust.App:
    """An app of one agent: GET, decide, PATCH, send, next."""
    app = faust.App(
        f"{settings.app_id}-textbook",
        broker=f"kafka://{settings.kafka_bootstrap_servers}",
        datadir=tempfile.mkdtemp(),
        autodiscover=False,
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
    )
    genesys = settings.genesys()
    events = app.topic(settings.topics.events, value_serializer="raw")
    outcomes = app.topic(settings.topics.outcomes, value_serializer="raw", key_serializer="raw")

    @app.agent(events)
    async def decide(stream: Any) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(genesys.base_url, headers=headers) as api:
            async for value in stream:
                interaction_id = json.loads(value)["detail"]["interactionId"]
                path = f"/api/v2/interactions/{interaction_id}"
                async with api.get(path) as answer:
                    interaction = await answer.json()
                decision = "ineligible"
                if not interaction["dispositionCode"]:
                    body = {"dispositionCode": {"id": settings.disposition_code()}}
                    async with api.patch(path, json=body) as answer:
                        decision = "patched" if answer.status == 200 else "failed"
                await outcomes.send(
                    key=interaction_id.encode(), value=json.dumps({"decision": decision}).encode()
                )

    return app


async def fetch_token(settings: Settings) -> str:
    genesys = settings.genesys()
    basic = aiohttp.encode_basic_auth(genesys.client_id, genesys.client_secret)
    form = {"grant_type": "client_credentials", "scope": genesys.scopes}
    async with (
        aiohttp.ClientSession(headers={"Authorization": basic}) as session,
        session.post(f"{genesys.login_url}/oauth/token", data=form) as answer,
    ):
        return str((await answer.json())["access_token"])


def main() -> None:
    settings = Settings.load()
    token = asyncio.run(fetch_token(settings))
    build(settings, token).main()


if __name__ == "__main__":
    main()
