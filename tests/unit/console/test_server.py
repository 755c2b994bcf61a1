"""What the console answers: each page, to whom, with which headers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

import aiohttp
import pytest
from aiohttp import ClientSession

from streams.console.index.store import Index
from streams.console.server import HEADERS
from streams.errors import IndexDamaged
from tests.support.console_desk import KEY, Sent, desk_over, serving
from tests.support.planted import Case, Field, plant_cases, plant_waiting
from tests.support.stuck_account import an_account

HTML = {"Accept": "text/html"}

PAGES = ("/", "/?span=week", "/search", "/stuck", "/partitions", "/deferred", "/dead-letters")


async def page(url: str, path: str, **headers: str) -> tuple[int, str]:
    async with ClientSession(url) as session, session.get(path, headers=HTML | headers) as answer:
        return answer.status, await answer.text()


def told(html: str) -> str:
    """Its text, as it is read."""
    text = re.sub(r"<[^>]+>", " ", html)
    for entity, character in {"&#39;": "'", "&#34;": '"', "&gt;": ">", "&lt;": "<"}.items():
        text = text.replace(entity, character)
    return " ".join(text.replace("&amp;", "&").split())


@pytest.fixture
def cases(index: Index, land: Field) -> list[Case]:
    """The ten, in the index."""
    planted = plant_cases(land)
    plant_waiting(land)
    land.into(index)
    return planted


async def test_one_search_leads_from_an_id_to_the_right_sentence(
    index: Index, land: Field, cases: list[Case]
) -> None:
    async with serving(desk_over(index, land)) as url, ClientSession(url) as session:
        for case in cases:
            async with session.get("/search", params={"q": case.id}, headers=HTML) as answer:
                assert answer.url.path == f"/interactions/{case.id}", case.name
                text = told(await answer.text())
            assert f"{case.id} {case.state} " in text, case.name
            assert case.says in text, case.name


@pytest.mark.parametrize("path", PAGES)
async def test_each_page_is_there_and_says_so_to_nobody_else(
    index: Index, land: Field, cases: list[Case], path: str
) -> None:
    async with (
        serving(desk_over(index, land)) as url,
        ClientSession(url) as session,
        session.get(path, headers=HTML) as answer,
    ):
        assert answer.status == 200
        assert answer.content_type == "text/html"
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        text = await answer.text()
    assert re.search(r"\sstyle=|<style|<script(?! src=)|\son\w+=", text) is None
    assert set(re.findall(r'(?:src|href)="(https?:[^"]*)"', text)) == set()


async def test_an_event_an_outcome_and_a_beginning_lead_to_the_interaction(
    index: Index, land: Field, cases: list[Case]
) -> None:
    async with serving(desk_over(index, land)) as url, ClientSession(url) as session:
        for words in ("event-too-short-2-300", "too-sh"):
            async with session.get("/search", params={"q": words}, headers=HTML) as answer:
                assert answer.url.path == "/interactions/too-short"
    status, text = await _searched(index, land, q="d")
    assert status == 200
    assert "1 that d may mean" not in told(text)


async def _searched(index: Index, land: Field, **words: str) -> tuple[int, str]:
    async with (
        serving(desk_over(index, land)) as url,
        ClientSession(url) as session,
        session.get("/search", params=words, headers=HTML) as answer,
    ):
        return answer.status, await answer.text()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ({"decision": "failed"}, {"scope-missing"}),
        ({"reason": "interaction-not-found"}, {"purged"}),
        ({"status": "403"}, {"scope-missing"}),
        ({"decision": "patched", "reason": "forbidden"}, set()),
        ({"decision": "deferred"}, {"through-an-outage", "waits-now"}),
        ({"until": "2020-01-01T00:00"}, set()),
        ({"decision": "patched"}, {"duplicate", "late-completed", "through-an-outage"}),
    ],
)
async def test_outcomes_are_found_by_what_was_decided(
    index: Index, land: Field, cases: list[Case], words: dict[str, str], found: set[str]
) -> None:
    _, text = await _searched(index, land, **words)
    assert set(re.findall(r'href="/interactions/([\w-]+)"', text)) == found


@pytest.mark.parametrize(
    ("name", "typed"), [("since", "yesterday"), ("status", "4xx"), ("reason", "weather")]
)
async def test_what_can_not_be_read_is_said_beside_its_field(
    index: Index, land: Field, name: str, typed: str
) -> None:
    status, text = await _searched(index, land, **{name: typed})
    assert status == 200
    assert name == "reason" or f'id="{name}-wrong"' in text


async def test_what_others_wrote_is_never_markup(index: Index, land: Field) -> None:
    wicked = '<script>alert("x")</script>'
    source = land.event("wicked", 1, wicked, 9, kind=wicked)
    land.letter("wicked", source, "forbidden", wicked, 8)
    land.into(index)
    async with serving(desk_over(index, land)) as url:
        for path in ("/interactions/wicked", "/dead-letters", "/dead-letters/0/0"):
            status, text = await page(url, path)
            assert status == 200
            assert "<script>" not in text
            assert "alert(" in text
        _, text = await page(url, f"/search?q={wicked}")
        assert "<script>" not in text


async def test_what_is_stuck_and_when_all_is_done_are_shown(index: Index, land: Field) -> None:
    desk = desk_over(index, land)
    desk.stuck.told(an_account(desk.now_ms, gap="a worker of the group has not answered"))
    async with serving(desk) as url:
        _, html = await page(url, "/stuck")
        text = told(html)
        assert 'href="/interactions/call-17"' in html
        assert "This is not all: a worker of the group has not answered" in text
        assert "Genesys Cloud, which fails: probes alone go out" in text
        assert "events/7/90 and 311 more" in text
        assert "within 24 hours of each event." in text
        assert "in 12 min, 1,875 wait, not all answered" in told((await page(url, "/"))[1])
        desk.stuck.failure = "WORKER_SSL_CAFILE: cannot read it"
        assert "is not known: WORKER_SSL_CAFILE" in told((await page(url, "/stuck"))[1])
        desk.stuck.account = None
        assert "are being asked what waits" in told((await page(url, "/stuck"))[1])


class TestWhoMayLook:
    async def test_beyond_loopback_it_takes_a_key(self, index: Index, land: Field) -> None:
        async with serving(desk_over(index, land), keys=[KEY], local=False) as url:
            for path in (*PAGES, "/interactions/x", "/live", "/dead-letters/0/0/redrive"):
                status, text = await page(url, path)
                assert (status, "Sign in" in text) == (200, True), path
                async with ClientSession(url) as session, session.get(path) as answer:
                    assert answer.status == 401
            assert (await page(url, "/", **{"X-Api-Key": KEY}))[1].count("Decisions")
            assert (await page(url, "/", **{"X-Api-Key": "another"}))[1].count("Sign in")

    async def test_a_session_takes_the_key_once(self, index: Index, land: Field) -> None:
        jar = aiohttp.CookieJar(unsafe=True)  # for the name of an address
        async with (
            serving(desk_over(index, land), keys=["old", KEY], local=False) as url,
            ClientSession(url, cookie_jar=jar, headers=HTML) as session,
        ):
            async with session.post("/sign-in", data={"key": "wrong", "to": "/"}) as answer:
                assert answer.status == 403
            async with session.post("/sign-in", data={"key": KEY, "to": "/deferred"}) as answer:
                assert answer.url.path == "/deferred"
                cookie = answer.history[0].headers["Set-Cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
            async with session.get("/") as answer:
                assert "Decisions" in await answer.text()
            async with session.post("/sign-out") as answer:
                assert "Sign in" in await answer.text()

    @pytest.mark.parametrize("to", ["https://evil.example", "//evil.example", "/\\evil.example"])
    async def test_no_link_leads_elsewhere_through_the_sign_in(
        self, index: Index, land: Field, to: str
    ) -> None:
        async with serving(desk_over(index, land), keys=[KEY]) as url, ClientSession(url) as own:
            form = {"key": KEY, "to": to}
            async with own.post("/sign-in", data=form, allow_redirects=False) as answer:
                assert answer.headers["Location"] == "/"

    @pytest.mark.parametrize(
        "headers",
        [
            {"Host": "evil.example"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://[x"},
        ],
    )
    async def test_what_another_site_sends_is_not_answered(
        self, index: Index, land: Field, headers: Mapping[str, str]
    ) -> None:
        async with (
            serving(desk_over(index, land)) as url,
            ClientSession(url) as session,
            session.get("/", headers=headers) as answer,
        ):
            assert answer.status == 421

    async def test_an_orchestrator_needs_no_key(self, index: Index, land: Field) -> None:
        desk = desk_over(index, land)
        async with serving(desk, keys=[KEY], local=False) as url, ClientSession(url) as session:
            for path in ("/healthz", "/readyz", "/metrics"):
                async with session.get(path) as answer:
                    assert answer.status == 200
            desk.progress.failure = "no broker answers"
            async with session.get("/readyz") as answer:
                assert answer.status == 503
                assert (await answer.json())["reason"] == "no broker answers"


class TestRedrive:
    """The letter of the call whose scope was missing is the first one in its partition."""

    PATH = "/dead-letters/0/0/redrive"

    async def test_it_takes_a_key_a_session_and_two_answers(
        self, index: Index, land: Field, cases: list[Case]
    ) -> None:
        sent, jar = Sent(), aiohttp.CookieJar(unsafe=True)
        async with (
            serving(desk_over(index, land), keys=[KEY], sent=sent) as url,
            ClientSession(url, cookie_jar=jar, headers=HTML) as session,
        ):
            async with session.get(self.PATH) as answer:
                assert answer.url.path == "/sign-in"
            async with session.post("/sign-in", data={"key": KEY, "to": self.PATH}) as answer:
                text = await answer.text()
            (token,) = re.findall(r'name="token" value="([^"]+)"', text)
            whole = {"token": token, "by": "Ada", "why": "the scope is there now"}
            for form, status in (
                ({**whole, "token": "another"}, 403),
                ({**whole, "by": "  "}, 422),
                ({**whole, "why": ""}, 422),
            ):
                async with session.post(self.PATH, data=form) as answer:
                    assert answer.status == status
            assert sent.letters == []
            async with session.post(self.PATH, data=whole) as answer:
                assert answer.url.path == "/interactions/scope-missing"
        ((letter, signed),) = sent.letters
        assert (letter.place, signed.by, signed.why) == ("0/0", "Ada", "the scope is there now")

    async def test_a_program_sends_its_key_along(
        self, index: Index, land: Field, cases: list[Case]
    ) -> None:
        sent = Sent()
        form = {"by": "a script", "why": "the scope is there now"}
        async with (
            serving(desk_over(index, land), keys=[KEY], sent=sent) as url,
            ClientSession(url) as session,
        ):
            async with session.post(self.PATH, data=form) as answer:
                assert answer.status == 403
            async with session.post(self.PATH, data=form, headers={"X-Api-Key": KEY}) as answer:
                assert answer.status == 200
        assert len(sent.letters) == 1

    async def test_without_a_key_in_the_settings_nothing_is_changed(
        self, index: Index, land: Field, cases: list[Case]
    ) -> None:
        sent = Sent()
        async with serving(desk_over(index, land), sent=sent) as url, ClientSession(url) as session:
            async with session.post(self.PATH, data={"by": "a", "why": "b"}) as answer:
                assert answer.status == 403
            assert "CONSOLE_API_KEY" in (await page(url, self.PATH))[1]
        assert sent.letters == []

    @pytest.mark.parametrize("refuses", [True, False])
    async def test_what_can_not_go_back_is_said(
        self, index: Index, land: Field, cases: list[Case], refuses: bool
    ) -> None:
        path = self.PATH if refuses else "/dead-letters/0/1/redrive"
        sent = Sent(refuses=refuses)
        async with (
            serving(desk_over(index, land), keys=[KEY], sent=sent) as url,
            ClientSession(url, headers={"X-Api-Key": KEY}) as session,
            session.post(path, data={"by": "Ada", "why": "mended"}) as answer,
        ):
            assert answer.status == 422
            said = "no broker answers" if refuses else "its bytes are no event"
            assert said in told(await answer.text())


async def test_the_stream_tells_of_news_and_ends_with_the_server(index: Index, land: Field) -> None:
    desk = desk_over(index, land)
    async with ClientSession() as session:
        async with serving(desk) as url, session.get(f"{url}/live") as answer:
            assert answer.content_type == "text/event-stream"
            first = await answer.content.readline()
            land.event("news", 1, "alerting", 1)
            land.into(index)
            lines = [await asyncio.wait_for(answer.content.readline(), 20) for _ in range(2)]
        assert lines[-1] not in (first, b"\n")


async def test_what_is_not_there_has_a_page_that_says_so(index: Index, land: Field) -> None:
    async with serving(desk_over(index, land)) as url:
        for path in ("/nowhere", "/dead-letters/0/9", "/interactions/%20"):
            assert (await page(url, path))[0] == 404


async def test_an_index_that_can_not_be_read_is_to_be_built_again(
    index: Index, land: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object) -> None:
        raise IndexDamaged("a block of it is torn")

    monkeypatch.setattr(index, "scan", damaged)
    desk = desk_over(index, land)
    async with serving(desk) as url:
        status, text = await page(url, "/search")
    assert (status, "is built again" in text, desk.progress.damaged) == (503, True, True)


async def test_an_index_that_is_being_built_is_said_on_each_page(index: Index, land: Field) -> None:
    desk = desk_over(index, land)
    desk.progress.caught_up = False
    async with serving(desk) as url:
        for path in PAGES:
            assert "The index is being built" in (await page(url, path))[1]
