"""The pages in headless Chromium: found, read, used by keyboard, and alive."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.operator.stuck.account import Account
from tests.console.scene import PAGES, Scene, sign_in
from tests.support.console_desk import KEY
from tests.support.stuck_account import done

SCHEMES = ("light", "dark")

# Where `make console-pictures` has them: the pictures in the documents.
PICTURES = os.environ.get("CONSOLE_PICTURES")


@pytest.fixture(params=SCHEMES)
def page(browser: Any, scene: Scene, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page in one scheme, closed before the console is. Fails when the browser has complained of
    anything: what the page's own policy keeps from it, and errors of its script."""
    size = {"width": 1240, "height": 760}
    context = browser.new_context(color_scheme=request.param, viewport=size)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.scheme = request.param
    yield page
    context.close()
    assert complaints == []


def test_no_page_breaks_a_rule_of_axe(page: Any, scene: Scene, axe: str) -> None:
    sign_in(page, scene.url, KEY)
    broken = {}
    for path in PAGES:
        page.goto(scene.url + path)
        page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        page.evaluate(axe)
        for found in page.evaluate("axe.run()")["violations"]:
            nodes = [node["html"][:200] for node in found["nodes"][:3]]
            broken[(path, found["id"])] = (found["help"], nodes)
    assert broken == {}


def test_pictures_are_taken(page: Any, scene: Scene, tmp_path: Path) -> None:
    folder = Path(PICTURES) if PICTURES else tmp_path
    sign_in(page, scene.url, KEY)
    for name, path in (
        ("overview", "/"),
        ("history", "/interactions/through-an-outage"),
        ("stuck", "/stuck"),
    ):
        page.goto(scene.url + path)
        page.wait_for_selector("#live:not([hidden])")
        page.screenshot(path=str(folder / f"console-{name}-{page.scheme}.png"))
        assert (folder / f"console-{name}-{page.scheme}.png").stat().st_size > 10_000


def test_one_search_leads_to_the_right_sentence(page: Any, scene: Scene) -> None:
    for case in scene.cases:
        page.goto(scene.url)
        page.keyboard.press("/")
        page.keyboard.type(case.id)
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/interactions/{case.id}")
        text = page.inner_text("main")
        assert case.says in text, case.name
        assert case.state in page.inner_text(".stands .pill"), case.name


def test_a_page_takes_up_what_is_new_and_keeps_what_was_opened(page: Any, scene: Scene) -> None:
    page.goto(f"{scene.url}/interactions/too-short")
    page.wait_for_selector("#live:not([hidden])")
    page.click("#e1 summary")
    assert "now-there" not in page.inner_text("main")
    scene.land.event("too-short", 3, "now-there", 1)
    scene.land.into(scene.index)
    page.wait_for_selector("text=now-there", timeout=60_000)
    assert page.evaluate("document.getElementById('e1').open")
    assert page.evaluate("document.activeElement.closest('details').id") == "e1"


def test_what_is_stuck_is_there_and_goes_without_a_reload(page: Any, scene: Scene) -> None:
    page.goto(scene.url)
    page.wait_for_selector("#live:not([hidden])")
    assert "in 12 min" in page.inner_text("#figures")
    page.click("#figures a")
    page.wait_for_url("**/stuck")
    page.wait_for_selector("text=probes alone go out")
    assert page.locator("#stuck tbody a").first.inner_text() == "call-17"
    scene.desk.stuck.told(Account((), (), (), done(None, number=0)))
    page.wait_for_selector("text=Nothing waits.", timeout=60_000)
    assert page.locator("#stuck table").count() == 0


def test_a_reader_who_wants_peace_has_it(page: Any, scene: Scene) -> None:
    page.goto(f"{scene.url}/interactions/too-short")
    page.click("#live")
    assert page.get_attribute("#live", "aria-pressed") == "false"
    scene.land.event("too-short", 3, "now-there", 1)
    scene.land.into(scene.index)
    page.click("#live")  # asked for again: it is there, and so it would have been told before
    page.wait_for_selector("text=now-there", timeout=60_000)


def test_a_letter_is_redriven_by_keyboard_alone(page: Any, scene: Scene) -> None:
    page.goto(f"{scene.url}/dead-letters/0/0/redrive")
    page.focus("#key")
    page.keyboard.type(KEY)
    page.keyboard.press("Enter")
    page.wait_for_selector("#by")
    page.focus("#by")
    page.keyboard.type("Ada")
    page.keyboard.press("Tab")
    page.keyboard.type("the scope is there now")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/interactions/scope-missing**")
    ((letter, signed),) = scene.sent.letters
    assert (letter.place, signed.by, signed.why) == ("0/0", "Ada", "the scope is there now")


def test_the_first_key_leads_past_the_head_of_the_page(page: Any, scene: Scene) -> None:
    page.goto(scene.url)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_without_its_script_all_is_there(browser: Any, scene: Scene) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(scene.url)
    page.fill("#find", "purged")
    page.press("#find", "Enter")
    assert "Genesys Cloud does not know the interaction" in page.inner_text("main")
    page.click("#e1 summary")
    assert page.is_visible("#e1 pre")
    context.close()
